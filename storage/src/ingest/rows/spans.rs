//! Spans.

use arrow::array::{
    ArrayBuilder as _, BooleanBuilder, Float64Builder, Int64Builder, StringBuilder, UInt32Builder,
    UInt64Builder,
};
use arrow::record_batch::RecordBatch;

use super::{TimeBuilder, hex_into, hex_or_null, text_or_null, time_columns};
use crate::ingest::SpanIdentity;

/// One span. Ids are checked by the caller: never all-zero.
#[derive(Debug, Clone, Default)]
pub struct SpanRow<'a> {
    /// Index into [`Batch::resources`](crate::ingest::Batch::resources).
    pub resource: u32,
    /// Index into [`Batch::scopes`](crate::ingest::Batch::scopes).
    pub scope: u32,
    /// 16 bytes.
    pub trace_id: [u8; 16],
    /// 8 bytes.
    pub span_id: [u8; 8],
    /// `None` for a root.
    pub parent_span_id: Option<[u8; 8]>,
    /// Verbatim.
    pub trace_state: &'a str,
    /// All 32 bits, as sent.
    pub flags: u32,
    /// Name.
    pub name: &'a str,
    /// Lower-case word (`server`), or the number as text when unknown to us.
    pub kind: &'a str,
    /// Nanoseconds since the epoch.
    pub start_unix_nano: u64,
    /// Nanoseconds since the epoch.
    pub end_unix_nano: u64,
    /// Lower-case word: `unset`, `ok`, `error`, or the number as text.
    pub status_code: &'a str,
    /// Message of the status.
    pub status_message: &'a str,
    /// Hot-encoded map.
    pub attributes: &'a str,
    /// Hot-encoded array of `{"time_unix_nano","name","attributes","dropped_attributes_count"}`, or `None`.
    pub events: Option<&'a str>,
    /// Hot-encoded array of `{"trace_id","span_id","trace_state","attributes","dropped_attributes_count","flags"}`.
    pub links: Option<&'a str>,
    /// Dropped attributes.
    pub dropped_attributes_count: u32,
    /// Dropped events.
    pub dropped_events_count: u32,
    /// Dropped links.
    pub dropped_links_count: u32,
    /// Callee named by the span.
    pub peer: Option<&'a str>,
    /// [`PeerKind::as_str`](crate::ingest::PeerKind::as_str).
    pub peer_kind: Option<&'a str>,
    /// Written by a proxy beside the application.
    pub sidecar: bool,
    /// Spans this one stands for.
    pub weight: Option<f64>,
}

/// Columns of spans, in the order of the hot table.
#[derive(Debug, Default)]
pub struct SpanColumns {
    resource: UInt32Builder,
    scope: UInt32Builder,
    trace_id: StringBuilder,
    span_id: StringBuilder,
    parent_span_id: StringBuilder,
    trace_state: StringBuilder,
    flags: UInt32Builder,
    name: StringBuilder,
    kind: StringBuilder,
    start: TimeBuilder,
    duration_ns: Int64Builder,
    end_exception: UInt64Builder,
    status_code: StringBuilder,
    status_message: StringBuilder,
    attributes: StringBuilder,
    events: StringBuilder,
    links: StringBuilder,
    dropped_attributes_count: UInt32Builder,
    dropped_events_count: UInt32Builder,
    dropped_links_count: UInt32Builder,
    peer: StringBuilder,
    peer_kind: StringBuilder,
    sidecar: BooleanBuilder,
    weight: Float64Builder,
    identities: Vec<SpanIdentity>,
}

impl SpanColumns {
    /// Adds a span.
    pub fn push(&mut self, row: &SpanRow<'_>) {
        self.resource.append_value(row.resource);
        self.scope.append_value(row.scope);
        hex_into(&mut self.trace_id, &row.trace_id);
        hex_into(&mut self.span_id, &row.span_id);
        hex_or_null(
            &mut self.parent_span_id,
            row.parent_span_id.as_ref().map(<[u8; 8]>::as_slice),
        );
        text_or_null(&mut self.trace_state, row.trace_state);
        self.flags.append_value(row.flags);
        self.name.append_value(row.name);
        self.kind.append_value(row.kind);
        self.start.push(row.start_unix_nano);
        match (
            time_columns(row.start_unix_nano).0,
            time_columns(row.end_unix_nano).0,
        ) {
            (Some(start), Some(end)) => {
                self.duration_ns.append_value(end - start);
                self.end_exception.append_null();
            }
            _ => {
                self.duration_ns.append_null();
                self.end_exception.append_value(row.end_unix_nano);
            }
        }
        self.status_code.append_value(row.status_code);
        text_or_null(&mut self.status_message, row.status_message);
        self.attributes.append_value(row.attributes);
        self.events.append_option(row.events);
        self.links.append_option(row.links);
        self.dropped_attributes_count
            .append_value(row.dropped_attributes_count);
        self.dropped_events_count
            .append_value(row.dropped_events_count);
        self.dropped_links_count
            .append_value(row.dropped_links_count);
        self.peer.append_option(row.peer);
        self.peer_kind.append_option(row.peer_kind);
        self.sidecar.append_value(row.sidecar);
        self.weight.append_option(row.weight);
        self.identities.push(SpanIdentity::new(
            row.trace_id,
            row.span_id,
            row.start_unix_nano,
        ));
    }

    /// Spans so far.
    pub fn len(&self) -> usize {
        self.resource.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// What names each span, but for its service.
    pub(crate) fn take_identities(&mut self) -> Vec<SpanIdentity> {
        std::mem::take(&mut self.identities)
    }

    /// The columns, in the order of the hot table `spans`, all but the last: only the writer knows `resent`.
    pub fn finish(mut self) -> RecordBatch {
        finish!(
            "resource_ix" => self.resource, "scope_ix" => self.scope, "trace_id" => self.trace_id,
            "span_id" => self.span_id, "parent_span_id" => self.parent_span_id,
            "trace_state" => self.trace_state, "flags" => self.flags, "name" => self.name,
            "kind" => self.kind, "start_time" => self.start.time,
            "start_exception" => self.start.exception, "duration_ns" => self.duration_ns,
            "end_exception" => self.end_exception, "status_code" => self.status_code,
            "status_message" => self.status_message, "attributes" => self.attributes,
            "events" => self.events, "links" => self.links,
            "dropped_attributes_count" => self.dropped_attributes_count,
            "dropped_events_count" => self.dropped_events_count,
            "dropped_links_count" => self.dropped_links_count, "peer" => self.peer,
            "peer_kind" => self.peer_kind, "sidecar" => self.sidecar, "weight" => self.weight)
    }
}
