//! Logs: log records to columns.

use opentelemetry_proto::tonic::collector::logs::v1::{
    ExportLogsPartialSuccess, ExportLogsServiceRequest, ExportLogsServiceResponse,
};
use opentelemetry_proto::tonic::common::v1::AnyValue;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::logs::v1::LogRecord;
use tripline_storage::attributes::AttributesWriter;
use tripline_storage::ingest::{LogColumns, LogRow, Rows};

use super::envelope::{Envelope, association};
use super::response::{partial_success_json, rejected_i64};
use super::values::{write_attributes, write_value};
use super::{Decoded, Drops, Malformed, Signal, json};

/// The signal of log records.
#[derive(Debug, Clone, Copy)]
pub struct Logs;

impl Signal for Logs {
    type Request = ExportLogsServiceRequest;
    type Response = ExportLogsServiceResponse;

    const NAME: &'static str = "logs";
    const ITEMS: &'static str = "log records";

    fn decode_json(body: &[u8]) -> Result<Self::Request, Malformed> {
        json::decode(body, json::logs_request)
    }

    fn encode_json(request: &Self::Request) -> String {
        json::logs_text(request)
    }

    fn columns(request: Self::Request, arrival_unix_nano: u64) -> Decoded {
        let mut envelope = Envelope::default();
        let mut encoder = LogEncoder {
            arrival_unix_nano,
            ..LogEncoder::default()
        };
        for resource_logs in &request.resource_logs {
            let resource =
                envelope.resource(resource_logs.resource.as_ref(), &resource_logs.schema_url);
            for scope_logs in &resource_logs.scope_logs {
                let scope = envelope.scope(scope_logs.scope.as_ref(), &scope_logs.schema_url);
                for record in &scope_logs.log_records {
                    encoder.push(resource.index, scope, record, &mut envelope.drops);
                }
            }
        }
        let (batch, dropped) = envelope.into_batch(Rows::Logs(encoder.columns));
        Decoded { batch, dropped }
    }

    fn response(rejected: u64, message: String) -> Self::Response {
        let partial_success =
            (rejected > 0 || !message.is_empty()).then(|| ExportLogsPartialSuccess {
                rejected_log_records: rejected_i64(rejected),
                error_message: message,
            });
        ExportLogsServiceResponse { partial_success }
    }

    fn response_json(rejected: u64, message: &str) -> String {
        partial_success_json("rejectedLogRecords", rejected, message)
    }
}

/// Encodes record after record, reusing its buffers.
#[derive(Default)]
struct LogEncoder {
    columns: LogColumns,
    attributes: AttributesWriter,
    body: AttributesWriter,
    arrival_unix_nano: u64,
}

impl LogEncoder {
    fn push(&mut self, resource: u32, scope: u32, record: &LogRecord, drops: &mut Drops) {
        self.attributes.clear();
        write_attributes(&mut self.attributes, &record.attributes, drops, |_, _| {});
        let (body, body_type) = match &record.body {
            Some(body) => {
                let (text, kind) = write_body(&mut self.body, body, drops);
                (Some(text), Some(kind))
            }
            None => (None, None),
        };
        self.columns.push(&LogRow {
            resource,
            scope,
            time_unix_nano: record.time_unix_nano,
            observed_unix_nano: record.observed_time_unix_nano,
            arrival_unix_nano: self.arrival_unix_nano,
            severity_number: record.severity_number,
            severity_text: &record.severity_text,
            event_name: &record.event_name,
            body,
            body_type,
            trace_id: association(&record.trace_id, drops),
            span_id: association(&record.span_id, drops),
            flags: record.flags,
            attributes: self.attributes.as_str(),
            dropped_attributes_count: record.dropped_attributes_count,
        });
    }
}

/// A string verbatim, any other kind hot-encoded; and the word of its kind.
fn write_body<'a>(
    writer: &'a mut AttributesWriter,
    body: &'a AnyValue,
    drops: &mut Drops,
) -> (&'a str, &'static str) {
    let kind = match &body.value {
        Some(Value::StringValue(text)) => return (text, "string"),
        Some(Value::BoolValue(_)) => "bool",
        Some(Value::IntValue(_)) => "int",
        Some(Value::DoubleValue(_)) => "double",
        Some(Value::BytesValue(_)) => "bytes",
        Some(Value::ArrayValue(_)) => "array",
        Some(Value::KvlistValue(_)) => "kvlist",
        Some(Value::StringValueStrindex(_)) | None => "empty",
    };
    writer.clear();
    write_value(writer, body.value.as_ref(), drops);
    (writer.as_str(), kind)
}
