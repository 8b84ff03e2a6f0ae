//! Log records.

use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs, ScopeLogs, SeverityNumber};

use super::fields;
use super::reader::{Parsed, Reader};
use super::values::{any_value, attributes, resource, scope};

pub(in crate::decode) fn logs_request(r: &mut Reader<'_>) -> Parsed<ExportLogsServiceRequest> {
    let mut request = ExportLogsServiceRequest::default();
    fields!(r, request, { "resourceLogs" => resource_logs = r.list(resource_logs)?, });
    Ok(request)
}

fn resource_logs(r: &mut Reader<'_>) -> Parsed<ResourceLogs> {
    let mut message = ResourceLogs::default();
    fields!(r, message, {
        "resource" => resource = Some(resource(r)?),
        "scopeLogs" => scope_logs = r.list(scope_logs)?,
        "schemaUrl" => schema_url = r.text()?,
    });
    Ok(message)
}

fn scope_logs(r: &mut Reader<'_>) -> Parsed<ScopeLogs> {
    let mut message = ScopeLogs::default();
    fields!(r, message, {
        "scope" => scope = Some(scope(r)?),
        "logRecords" => log_records = r.list(log_record)?,
        "schemaUrl" => schema_url = r.text()?,
    });
    Ok(message)
}

fn log_record(r: &mut Reader<'_>) -> Parsed<LogRecord> {
    let mut record = LogRecord::default();
    fields!(r, record, {
        "timeUnixNano" => time_unix_nano = r.integer()?,
        "observedTimeUnixNano" => observed_time_unix_nano = r.integer()?,
        "severityNumber" => severity_number =
            r.enumeration(|name| SeverityNumber::from_str_name(name).map(i32::from))?,
        "severityText" => severity_text = r.text()?,
        "body" => body = Some(any_value(r)?),
        "attributes" => attributes = attributes(r)?,
        "droppedAttributesCount" => dropped_attributes_count = r.integer()?,
        "flags" => flags = r.integer()?,
        "traceId" => trace_id = r.hex()?,
        "spanId" => span_id = r.hex()?,
        "eventName" => event_name = r.text()?,
    });
    Ok(record)
}
