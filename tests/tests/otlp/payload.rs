//! Requests the tests send.

use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs, ScopeLogs};
use opentelemetry_proto::tonic::metrics::v1::{
    Gauge, Metric, NumberDataPoint, ResourceMetrics, ScopeMetrics, metric, number_data_point,
};
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span};
use prost::Message as _;

pub(super) const NOW: u64 = 1_700_000_000_000_000_000;

pub(super) fn span(at: u64) -> Span {
    Span {
        trace_id: vec![7; 16],
        span_id: (at + 1).to_be_bytes().to_vec(),
        name: "op".into(),
        start_time_unix_nano: NOW,
        end_time_unix_nano: NOW + 1_000,
        ..Default::default()
    }
}

pub(super) fn trace_request(spans: Vec<Span>) -> ExportTraceServiceRequest {
    let scope_spans = vec![ScopeSpans {
        spans,
        ..Default::default()
    }];
    ExportTraceServiceRequest {
        resource_spans: vec![ResourceSpans {
            scope_spans,
            ..Default::default()
        }],
    }
}

/// A trace request of `count` spans.
pub(super) fn traces(count: u64) -> ExportTraceServiceRequest {
    trace_request((0..count).map(span).collect())
}

/// The same as bytes.
pub(super) fn traces_protobuf(count: u64) -> Vec<u8> {
    traces(count).encode_to_vec()
}

/// The same as OTLP/JSON.
pub(super) fn traces_json(count: u64) -> String {
    let span = |at: u64| {
        format!(
            r#"{{"traceId":"{}","spanId":"{:016x}","name":"op","startTimeUnixNano":"{NOW}","endTimeUnixNano":"{NOW}"}}"#,
            "07".repeat(16),
            at + 1
        )
    };
    let spans: Vec<String> = (0..count).map(span).collect();
    format!(
        r#"{{"resourceSpans":[{{"scopeSpans":[{{"spans":[{}]}}]}}]}}"#,
        spans.join(",")
    )
}

pub(super) fn metrics(count: u64) -> ExportMetricsServiceRequest {
    let point = |at: u64| NumberDataPoint {
        time_unix_nano: NOW + at,
        value: Some(number_data_point::Value::AsInt(3)),
        ..Default::default()
    };
    let data_points = (0..count).map(point).collect();
    let metric = Metric {
        name: "m".into(),
        data: Some(metric::Data::Gauge(Gauge { data_points })),
        ..Default::default()
    };
    let scope_metrics = vec![ScopeMetrics {
        metrics: vec![metric],
        ..Default::default()
    }];
    ExportMetricsServiceRequest {
        resource_metrics: vec![ResourceMetrics {
            scope_metrics,
            ..Default::default()
        }],
    }
}

pub(super) fn logs(count: u64) -> ExportLogsServiceRequest {
    let record = |at: u64| LogRecord {
        time_unix_nano: NOW + at,
        ..Default::default()
    };
    let log_records = (0..count).map(record).collect();
    let scope_logs = vec![ScopeLogs {
        log_records,
        ..Default::default()
    }];
    ExportLogsServiceRequest {
        resource_logs: vec![ResourceLogs {
            scope_logs,
            ..Default::default()
        }],
    }
}

/// Two good spans and one whose trace id is of the wrong length.
pub(super) fn traces_with_one_bad() -> ExportTraceServiceRequest {
    let bad = Span {
        trace_id: vec![1, 2, 3],
        ..span(9)
    };
    trace_request(vec![span(0), bad, span(1)])
}

/// Two log records, one of them with a trace id of the wrong length: stored, with a warning.
pub(super) fn logs_with_a_warning() -> ExportLogsServiceRequest {
    let mut request = logs(2);
    request.resource_logs[0].scope_logs[0].log_records[0].trace_id = vec![1, 2, 3];
    request
}
