//! Traces: spans to columns.

use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTracePartialSuccess, ExportTraceServiceRequest, ExportTraceServiceResponse,
};
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::trace::v1::Span;
use opentelemetry_proto::tonic::trace::v1::span::{Event, Link};
use tripline_storage::attributes::AttributesWriter;
use tripline_storage::ingest::{Rows, SpanColumns, SpanFacts, SpanRow};

use super::envelope::{Envelope, ResourceIndex, id};
use super::response::{partial_success_json, rejected_i64};
use super::values::write_attributes;
use super::words;
use super::{Decoded, DropReason, Drops, Malformed, Signal, json};

/// The signal of spans.
#[derive(Debug, Clone, Copy)]
pub struct Traces;

impl Signal for Traces {
    type Request = ExportTraceServiceRequest;
    type Response = ExportTraceServiceResponse;

    const NAME: &'static str = "traces";
    const ITEMS: &'static str = "spans";

    fn decode_json(body: &[u8]) -> Result<Self::Request, Malformed> {
        json::decode(body, json::traces_request)
    }

    fn encode_json(request: &Self::Request) -> String {
        json::traces_text(request)
    }

    fn columns(request: Self::Request, _arrival_unix_nano: u64) -> Decoded {
        let mut envelope = Envelope::default();
        let mut encoder = SpanEncoder::default();
        for resource_spans in &request.resource_spans {
            let resource =
                envelope.resource(resource_spans.resource.as_ref(), &resource_spans.schema_url);
            for scope_spans in &resource_spans.scope_spans {
                let scope = envelope.scope(scope_spans.scope.as_ref(), &scope_spans.schema_url);
                for span in &scope_spans.spans {
                    encoder.push(resource, scope, span, &mut envelope.drops);
                }
            }
        }
        let (batch, dropped) = envelope.into_batch(Rows::Spans(encoder.columns));
        Decoded { batch, dropped }
    }

    fn response(rejected: u64, message: String) -> Self::Response {
        let partial_success =
            (rejected > 0 || !message.is_empty()).then(|| ExportTracePartialSuccess {
                rejected_spans: rejected_i64(rejected),
                error_message: message,
            });
        ExportTraceServiceResponse { partial_success }
    }

    fn response_json(rejected: u64, message: &str) -> String {
        partial_success_json("rejectedSpans", rejected, message)
    }
}

/// Encodes span after span, reusing its buffers.
#[derive(Default)]
struct SpanEncoder {
    columns: SpanColumns,
    attributes: AttributesWriter,
    events: AttributesWriter,
    links: AttributesWriter,
}

/// The three ids of a span, checked.
struct SpanIds {
    trace_id: [u8; 16],
    span_id: [u8; 8],
    parent_span_id: Option<[u8; 8]>,
}

impl SpanIds {
    fn of(span: &Span) -> Result<Self, DropReason> {
        // Empty or all zero is a root; another length is no id at all, and would draw a wrong tree.
        if !matches!(span.parent_span_id.len(), 0 | 8) {
            return Err(DropReason::SpanParentId);
        }
        Ok(Self {
            trace_id: id(&span.trace_id).ok_or(DropReason::SpanTraceId)?,
            span_id: id(&span.span_id).ok_or(DropReason::SpanId)?,
            parent_span_id: id(&span.parent_span_id),
        })
    }
}

impl SpanEncoder {
    fn push(&mut self, resource: ResourceIndex, scope: u32, span: &Span, drops: &mut Drops) {
        let ids = match SpanIds::of(span) {
            Ok(ids) => ids,
            Err(reason) => return drops.add(reason),
        };
        let mut facts = SpanFacts::default();
        if resource.is_proxy {
            facts.set_sidecar();
        }
        facts.trace_state(&span.trace_state);
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
        let peer = facts.peer();
        let (mut kind, mut code) = (words::NumberText::default(), words::NumberText::default());
        let status = span.status.as_ref();
        self.columns.push(&SpanRow {
            resource: resource.index,
            scope,
            trace_id: ids.trace_id,
            span_id: ids.span_id,
            parent_span_id: ids.parent_span_id,
            trace_state: &span.trace_state,
            flags: span.flags,
            name: &span.name,
            kind: words::span_kind(span.kind, &mut kind),
            start_unix_nano: span.start_time_unix_nano,
            end_unix_nano: span.end_time_unix_nano,
            status_code: words::status_code(status.map_or(0, |status| status.code), &mut code),
            status_message: status.map_or("", |status| &status.message),
            attributes: self.attributes.as_str(),
            events: write_events(&mut self.events, &span.events, drops),
            links: write_links(&mut self.links, &span.links, drops),
            dropped_attributes_count: span.dropped_attributes_count,
            dropped_events_count: span.dropped_events_count,
            dropped_links_count: span.dropped_links_count,
            peer: peer.as_ref().map(|(_, name)| name.as_str()),
            peer_kind: peer.as_ref().map(|(kind, _)| kind.as_str()),
            sidecar: facts.is_sidecar(),
            weight: facts.weight(),
        });
    }
}

/// Events in the order sent; a time beyond `i64` is a number all the same.
fn write_events<'w>(
    writer: &'w mut AttributesWriter,
    events: &[Event],
    drops: &mut Drops,
) -> Option<&'w str> {
    if events.is_empty() {
        return None;
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
    Some(writer.as_str())
}

/// Links in the order sent; their ids are kept whatever their length (`OTLP.md` P08).
fn write_links<'w>(
    writer: &'w mut AttributesWriter,
    links: &[Link],
    drops: &mut Drops,
) -> Option<&'w str> {
    if links.is_empty() {
        return None;
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
    Some(writer.as_str())
}
