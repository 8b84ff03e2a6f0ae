//! Telemetry shaped like a real service's, for tests that need some.

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue, any_value::Value};
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
            resource: Some(Resource {
                attributes: vec![text("service.name", shape.service)],
                ..Resource::default()
            }),
            scope_spans: vec![ScopeSpans {
                spans,
                ..ScopeSpans::default()
            }],
            ..ResourceSpans::default()
        }],
    }
}
