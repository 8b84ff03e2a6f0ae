//! Telemetry shaped like a real service's, for tests that need some.

use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue, any_value::Value};
use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs, ScopeLogs};
use opentelemetry_proto::tonic::metrics::v1::{
    AggregationTemporality, Exemplar, Gauge, Histogram, HistogramDataPoint, Metric,
    NumberDataPoint, ResourceMetrics, ScopeMetrics, exemplar, metric, number_data_point,
};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span};

/// Which spans to make: `count` of them, numbered from `first`, eight a trace.
#[derive(Debug, Clone, Copy)]
pub struct SpanShape<'a> {
    /// `service.name`.
    pub service: &'a str,
    /// Number of the first span; ids are made of the numbers, so equal numbers are equal spans.
    pub first: u64,
    /// How many.
    pub count: u64,
    /// Start of the first span; each next one starts 1 µs later.
    pub start_unix_nano: u64,
}

/// An attribute of kind string.
pub fn text(key: &str, value: &str) -> KeyValue {
    any(key, Value::StringValue(value.into()))
}

/// An attribute of any kind.
pub fn any(key: &str, value: Value) -> KeyValue {
    KeyValue {
        key: key.into(),
        value: Some(AnyValue { value: Some(value) }),
        ..KeyValue::default()
    }
}

/// One request with the spans of a shape.
pub fn spans_request(shape: SpanShape<'_>) -> ExportTraceServiceRequest {
    let spans = (shape.first..shape.first + shape.count)
        .map(|number| {
            let trace = number / 8 + 1;
            let start = shape.start_unix_nano + (number - shape.first) * 1000;
            Span {
                trace_id: u128::from(trace)
                    .wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835)
                    .to_be_bytes()
                    .to_vec(),
                span_id: (number + 1)
                    .wrapping_mul(0x9e37_79b9_7f4a_7c15)
                    .to_be_bytes()
                    .to_vec(),
                parent_span_id: if number.is_multiple_of(8) {
                    Vec::new()
                } else {
                    number
                        .wrapping_mul(0x9e37_79b9_7f4a_7c15)
                        .to_be_bytes()
                        .to_vec()
                },
                name: "GET /items/{id}".into(),
                kind: if number.is_multiple_of(2) { 2 } else { 3 },
                start_time_unix_nano: start,
                end_time_unix_nano: start + 5_000_000,
                attributes: vec![
                    text("http.request.method", "GET"),
                    text("http.route", "/items/{id}"),
                    any("http.response.status_code", Value::IntValue(200)),
                    any("number", Value::IntValue(number as i64)),
                ],
                ..Span::default()
            }
        })
        .collect();
    ExportTraceServiceRequest {
        resource_spans: vec![ResourceSpans {
            resource: Some(resource(shape.service)),
            scope_spans: vec![ScopeSpans {
                spans,
                ..ScopeSpans::default()
            }],
            ..ResourceSpans::default()
        }],
    }
}

/// One request with a log record for each span of a shape, its number as an attribute.
pub fn logs_request(shape: SpanShape<'_>) -> ExportLogsServiceRequest {
    let records = (shape.first..shape.first + shape.count)
        .map(|number| LogRecord {
            time_unix_nano: shape.start_unix_nano + (number - shape.first) * 1000,
            severity_number: 9,
            body: Some(AnyValue {
                value: Some(Value::StringValue(format!("item {number} was taken"))),
            }),
            attributes: vec![any("number", Value::IntValue(number as i64))],
            ..LogRecord::default()
        })
        .collect();
    ExportLogsServiceRequest {
        resource_logs: vec![ResourceLogs {
            resource: Some(resource(shape.service)),
            scope_logs: vec![ScopeLogs {
                log_records: records,
                ..ScopeLogs::default()
            }],
            ..ResourceLogs::default()
        }],
    }
}

/// One request with a data point for each span of a shape: an even number is the value of a gauge and of its exemplar, an
/// odd one the count of a histogram, so that a request has rows for three tables.
pub fn points_request(shape: SpanShape<'_>) -> ExportMetricsServiceRequest {
    let (even, odd): (Vec<u64>, Vec<u64>) =
        (shape.first..shape.first + shape.count).partition(|number| number.is_multiple_of(2));
    let time = |number: u64| shape.start_unix_nano + (number - shape.first) * 1000;
    let gauge = even.into_iter().map(|number| NumberDataPoint {
        time_unix_nano: time(number),
        value: Some(number_data_point::Value::AsInt(number as i64)),
        exemplars: vec![Exemplar {
            time_unix_nano: time(number),
            value: Some(exemplar::Value::AsInt(number as i64)),
            ..Exemplar::default()
        }],
        ..NumberDataPoint::default()
    });
    let histogram = odd.into_iter().map(|number| HistogramDataPoint {
        time_unix_nano: time(number),
        count: number,
        bucket_counts: vec![number],
        ..HistogramDataPoint::default()
    });
    let metrics = [
        (
            "queue.depth",
            metric::Data::Gauge(Gauge {
                data_points: gauge.collect(),
            }),
        ),
        (
            "latency",
            metric::Data::Histogram(Histogram {
                data_points: histogram.collect(),
                aggregation_temporality: AggregationTemporality::Delta as i32,
            }),
        ),
    ];
    let metrics = metrics.map(|(name, data)| Metric {
        name: name.into(),
        data: Some(data),
        ..Metric::default()
    });
    ExportMetricsServiceRequest {
        resource_metrics: vec![ResourceMetrics {
            resource: Some(resource(shape.service)),
            scope_metrics: vec![ScopeMetrics {
                metrics: metrics.into(),
                ..ScopeMetrics::default()
            }],
            ..ResourceMetrics::default()
        }],
    }
}

fn resource(service: &str) -> Resource {
    Resource {
        attributes: vec![text("service.name", service)],
        ..Resource::default()
    }
}
