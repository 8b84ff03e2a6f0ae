//! Spans to columns, whichever way they were read.

use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::trace::v1::Span;
use opentelemetry_proto::tonic::trace::v1::span::{Event, Link};
use tripline_storage::attributes::AttributesWriter;
use tripline_storage::ingest::{SpanColumns, SpanFacts, SpanRow};

use super::drops::{DropReason, Drops};
use super::envelope::{ResourceIndex, id};
use super::values::write_attributes;
use super::words;

/// Encodes span after span, reusing its buffers.
#[derive(Default)]
pub(super) struct SpanEncoder {
    pub(super) columns: SpanColumns,
    pub(super) attributes: AttributesWriter,
    pub(super) events: AttributesWriter,
    pub(super) has_events: bool,
    pub(super) links: AttributesWriter,
    pub(super) has_links: bool,
}

/// The scalar fields of a span, as sent.
#[derive(Default)]
pub(super) struct SpanHead<'a> {
    pub(super) trace_id: &'a [u8],
    pub(super) span_id: &'a [u8],
    pub(super) parent_span_id: &'a [u8],
    pub(super) trace_state: &'a str,
    pub(super) flags: u32,
    pub(super) name: &'a str,
    pub(super) kind: i32,
    pub(super) start_unix_nano: u64,
    pub(super) end_unix_nano: u64,
    pub(super) status_code: i32,
    pub(super) status_message: &'a str,
    pub(super) dropped_attributes_count: u32,
    pub(super) dropped_events_count: u32,
    pub(super) dropped_links_count: u32,
}

/// The three ids of a span, checked.
pub(super) struct SpanIds {
    trace_id: [u8; 16],
    span_id: [u8; 8],
    parent_span_id: Option<[u8; 8]>,
}

impl<'a> SpanHead<'a> {
    fn of(span: &'a Span) -> Self {
        Self {
            trace_id: &span.trace_id,
            span_id: &span.span_id,
            parent_span_id: &span.parent_span_id,
            trace_state: &span.trace_state,
            flags: span.flags,
            name: &span.name,
            kind: span.kind,
            start_unix_nano: span.start_time_unix_nano,
            end_unix_nano: span.end_time_unix_nano,
            status_code: span.status.as_ref().map_or(0, |status| status.code),
            status_message: span.status.as_ref().map_or("", |status| &status.message),
            dropped_attributes_count: span.dropped_attributes_count,
            dropped_events_count: span.dropped_events_count,
            dropped_links_count: span.dropped_links_count,
        }
    }

    pub(super) fn ids(&self) -> Result<SpanIds, DropReason> {
        // Empty or all zero is a root; another length is no id at all, and would draw a wrong tree.
        if !matches!(self.parent_span_id.len(), 0 | 8) {
            return Err(DropReason::SpanParentId);
        }
        Ok(SpanIds {
            trace_id: id(self.trace_id).ok_or(DropReason::SpanTraceId)?,
            span_id: id(self.span_id).ok_or(DropReason::SpanId)?,
            parent_span_id: id(self.parent_span_id),
        })
    }
}

impl SpanEncoder {
    pub(super) fn push(
        &mut self,
        resource: ResourceIndex,
        scope: u32,
        span: &Span,
        drops: &mut Drops,
    ) {
        let head = SpanHead::of(span);
        let ids = match head.ids() {
            Ok(ids) => ids,
            Err(reason) => return drops.add(reason),
        };
        let mut facts = SpanFacts::default();
        self.attributes.clear();
        write_attributes(
            &mut self.attributes,
            &span.attributes,
            drops,
            |key, value| match value {
                Value::StringValue(text) => facts.string(key, text),
                Value::IntValue(value) => facts.int(key, *value),
                Value::DoubleValue(value) => facts.double(key, *value),
                _ => {}
            },
        );
        self.has_events = write_events(&mut self.events, &span.events, drops);
        self.has_links = write_links(&mut self.links, &span.links, drops);
        self.push_row(resource, scope, &head, &ids, facts);
    }

    /// Adds the row whose documents are in the writers.
    pub(super) fn push_row<'a>(
        &mut self,
        resource: ResourceIndex,
        scope: u32,
        head: &SpanHead<'a>,
        ids: &SpanIds,
        mut facts: SpanFacts<'a>,
    ) {
        if resource.is_proxy {
            facts.set_sidecar();
        }
        facts.trace_state(head.trace_state);
        let peer = facts.peer();
        let (mut kind, mut code) = (words::NumberText::default(), words::NumberText::default());
        self.columns.push(&SpanRow {
            resource: resource.index,
            scope,
            trace_id: ids.trace_id,
            span_id: ids.span_id,
            parent_span_id: ids.parent_span_id,
            trace_state: head.trace_state,
            flags: head.flags,
            name: head.name,
            kind: words::span_kind(head.kind, &mut kind),
            start_unix_nano: head.start_unix_nano,
            end_unix_nano: head.end_unix_nano,
            status_code: words::status_code(head.status_code, &mut code),
            status_message: head.status_message,
            attributes: self.attributes.as_str(),
            events: self.has_events.then(|| self.events.as_str()),
            links: self.has_links.then(|| self.links.as_str()),
            dropped_attributes_count: head.dropped_attributes_count,
            dropped_events_count: head.dropped_events_count,
            dropped_links_count: head.dropped_links_count,
            peer: peer.as_ref().map(|(_, name)| name.as_str()),
            peer_kind: peer.as_ref().map(|(kind, _)| kind.as_str()),
            sidecar: facts.is_sidecar(),
            weight: facts.weight(),
        });
    }
}

/// Events in the order sent, if there are any; a time beyond `i64` is a number all the same.
fn write_events(writer: &mut AttributesWriter, events: &[Event], drops: &mut Drops) -> bool {
    if events.is_empty() {
        return false;
    }
    writer.clear();
    writer.begin_array();
    for event in events {
        writer.begin_object();
        writer.fixed_key("time_unix_nano");
        writer.unsigned(event.time_unix_nano);
        writer.fixed_key("name");
        writer.string(&event.name);
        writer.fixed_key("attributes");
        write_attributes(writer, &event.attributes, drops, |_, _| {});
        writer.fixed_key("dropped_attributes_count");
        writer.unsigned(u64::from(event.dropped_attributes_count));
        writer.end();
    }
    writer.end();
    true
}

/// Links in the order sent; their ids are kept whatever their length (`CONFORMANCE.md` P08).
fn write_links(writer: &mut AttributesWriter, links: &[Link], drops: &mut Drops) -> bool {
    if links.is_empty() {
        return false;
    }
    writer.clear();
    writer.begin_array();
    for link in links {
        writer.begin_object();
        writer.fixed_key("trace_id");
        writer.hex(&link.trace_id);
        writer.fixed_key("span_id");
        writer.hex(&link.span_id);
        writer.fixed_key("trace_state");
        writer.string(&link.trace_state);
        writer.fixed_key("attributes");
        write_attributes(writer, &link.attributes, drops, |_, _| {});
        writer.fixed_key("dropped_attributes_count");
        writer.unsigned(u64::from(link.dropped_attributes_count));
        writer.fixed_key("flags");
        writer.unsigned(u64::from(link.flags));
        writer.end();
    }
    writer.end();
    true
}
