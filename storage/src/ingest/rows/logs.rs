//! Log records.

use arrow::array::{
    ArrayBuilder as _, Int32Builder, StringBuilder, TimestampNanosecondBuilder, UInt32Builder,
    UInt64Builder,
};
use arrow::record_batch::RecordBatch;

use super::{TimeBuilder, hex_or_null, text_or_null, time_columns};

/// One log record.
#[derive(Debug, Clone, Default)]
pub struct LogRow<'a> {
    /// Index into [`Batch::resources`](crate::ingest::Batch::resources).
    pub resource: u32,
    /// Index into [`Batch::scopes`](crate::ingest::Batch::scopes).
    pub scope: u32,
    /// As sent; 0 = unknown.
    pub time_unix_nano: u64,
    /// As sent; 0 = unknown.
    pub observed_unix_nano: u64,
    /// When we received it; the effective time when both others are 0.
    pub arrival_unix_nano: u64,
    /// As sent.
    pub severity_number: i32,
    /// Verbatim.
    pub severity_text: &'a str,
    /// Marks an event.
    pub event_name: &'a str,
    /// A string body verbatim, any other kind hot-encoded, `None` when absent.
    pub body: Option<&'a str>,
    /// Kind of the body: `string`, `bool`, `int`, `double`, `bytes`, `array`, `kvlist`, `empty`; `None` when absent.
    pub body_type: Option<&'a str>,
    /// `None` when not associated.
    pub trace_id: Option<[u8; 16]>,
    /// `None` when not associated.
    pub span_id: Option<[u8; 8]>,
    /// All 32 bits, as sent.
    pub flags: u32,
    /// Hot-encoded map.
    pub attributes: &'a str,
    /// Dropped attributes.
    pub dropped_attributes_count: u32,
}

/// Columns of log records, in the order of the hot table.
#[derive(Debug, Default)]
pub struct LogColumns {
    resource: UInt32Builder,
    scope: UInt32Builder,
    time: TimestampNanosecondBuilder,
    time_exception: UInt64Builder,
    observed: TimeBuilder,
    severity_number: Int32Builder,
    severity_text: StringBuilder,
    event_name: StringBuilder,
    body: StringBuilder,
    body_type: StringBuilder,
    trace_id: StringBuilder,
    span_id: StringBuilder,
    flags: UInt32Builder,
    attributes: StringBuilder,
    dropped_attributes_count: UInt32Builder,
}

impl LogColumns {
    /// Adds a record. Its effective time is its own, else the observed, else the arrival's.
    pub fn push(&mut self, row: &LogRow<'_>) {
        self.resource.append_value(row.resource);
        self.scope.append_value(row.scope);
        let effective = [
            row.time_unix_nano,
            row.observed_unix_nano,
            row.arrival_unix_nano,
        ]
        .into_iter()
        .find_map(|unix_nano| time_columns(unix_nano).0);
        self.time.append_option(effective);
        self.time_exception
            .append_option(time_columns(row.time_unix_nano).1);
        self.observed.push(row.observed_unix_nano);
        self.severity_number.append_value(row.severity_number);
        text_or_null(&mut self.severity_text, row.severity_text);
        text_or_null(&mut self.event_name, row.event_name);
        self.body.append_option(row.body);
        self.body_type.append_option(row.body_type);
        hex_or_null(
            &mut self.trace_id,
            row.trace_id.as_ref().map(<[u8; 16]>::as_slice),
        );
        hex_or_null(
            &mut self.span_id,
            row.span_id.as_ref().map(<[u8; 8]>::as_slice),
        );
        self.flags.append_value(row.flags);
        self.attributes.append_value(row.attributes);
        self.dropped_attributes_count
            .append_value(row.dropped_attributes_count);
    }

    /// Records so far.
    pub fn len(&self) -> usize {
        self.resource.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The columns, in the order of the hot table `logs`.
    pub fn finish(mut self) -> RecordBatch {
        finish!(
            "resource_ix" => self.resource, "scope_ix" => self.scope, "time" => self.time,
            "time_exception" => self.time_exception, "observed_time" => self.observed.time,
            "observed_exception" => self.observed.exception,
            "severity_number" => self.severity_number, "severity_text" => self.severity_text,
            "event_name" => self.event_name, "body" => self.body, "body_type" => self.body_type,
            "trace_id" => self.trace_id, "span_id" => self.span_id, "flags" => self.flags,
            "attributes" => self.attributes,
            "dropped_attributes_count" => self.dropped_attributes_count)
    }
}
