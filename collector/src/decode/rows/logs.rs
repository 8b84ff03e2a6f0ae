//! `logs`.

use opentelemetry_proto::tonic::common::v1::AnyValue;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs, ScopeLogs};
use serde::Deserialize;

use super::{Envelope, Requests, document, id, json};
use crate::decode::{Logs, Malformed, Signal, hot};

/// Rows of `logs` becoming requests.
#[derive(Default)]
pub struct LogRows {
    request: <Logs as Signal>::Request,
    last: Envelope,
    items: usize,
}

#[derive(Deserialize)]
struct Row {
    #[serde(flatten)]
    envelope: Envelope,
    time_unix_nano: u64,
    observed_time_unix_nano: u64,
    severity_number: i32,
    severity_text: Option<String>,
    event_name: Option<String>,
    body: Option<String>,
    body_type: Option<String>,
    trace_id: Option<String>,
    span_id: Option<String>,
    flags: u32,
    attributes: Option<String>,
    dropped_attributes_count: u32,
}

impl Requests for LogRows {
    type Signal = Logs;

    fn push(&mut self, row: &str) -> Result<(), Malformed> {
        let row: Row = json(row)?;
        let envelope = &row.envelope;
        let resources = &mut self.request.resource_logs;
        let same_resource = self.items > 0 && self.last.resource_id == envelope.resource_id;
        if !same_resource {
            resources.push(ResourceLogs {
                resource: Some(envelope.resource()?),
                scope_logs: Vec::new(),
                schema_url: envelope.resource_schema_url(),
            });
        }
        let scopes = &mut resources.last_mut().expect("pushed above").scope_logs;
        if !same_resource || self.last.scope_id != envelope.scope_id {
            scopes.push(ScopeLogs {
                scope: Some(envelope.scope()?),
                log_records: Vec::new(),
                schema_url: envelope.scope_schema_url(),
            });
        }
        let record = row.record()?;
        scopes
            .last_mut()
            .expect("pushed above")
            .log_records
            .push(record);
        self.items += 1;
        self.last = row.envelope;
        Ok(())
    }

    fn items(&self) -> usize {
        self.items
    }

    fn take(&mut self) -> <Logs as Signal>::Request {
        std::mem::take(self).request
    }
}

impl Row {
    fn record(&self) -> Result<LogRecord, Malformed> {
        let body = match (self.body_type.as_deref(), self.body.as_deref()) {
            (None, _) => None,
            (Some("string"), text) => {
                let text = text.unwrap_or_default().to_owned();
                Some(AnyValue {
                    value: Some(Value::StringValue(text)),
                })
            }
            (Some(_), text) => Some(hot::value(text.unwrap_or("null"))?),
        };
        Ok(LogRecord {
            time_unix_nano: self.time_unix_nano,
            observed_time_unix_nano: self.observed_time_unix_nano,
            severity_number: self.severity_number,
            severity_text: self.severity_text.clone().unwrap_or_default(),
            body,
            attributes: document(self.attributes.as_deref())?,
            dropped_attributes_count: self.dropped_attributes_count,
            flags: self.flags,
            trace_id: id(self.trace_id.as_deref())?,
            span_id: id(self.span_id.as_deref())?,
            event_name: self.event_name.clone().unwrap_or_default(),
        })
    }
}
