//! Spans.

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::trace::v1::span::{Event, Link, SpanKind};
use opentelemetry_proto::tonic::trace::v1::status::StatusCode;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span, Status};

use super::fields;
use super::reader::{Parsed, Reader};
use super::values::{attributes, resource, scope};

pub(in crate::decode) fn traces_request(r: &mut Reader<'_>) -> Parsed<ExportTraceServiceRequest> {
    let mut request = ExportTraceServiceRequest::default();
    fields!(r, request, { "resourceSpans" => resource_spans = r.list(resource_spans)?, });
    Ok(request)
}

fn resource_spans(r: &mut Reader<'_>) -> Parsed<ResourceSpans> {
    let mut message = ResourceSpans::default();
    fields!(r, message, {
        "resource" => resource = Some(resource(r)?),
        "scopeSpans" => scope_spans = r.list(scope_spans)?,
        "schemaUrl" => schema_url = r.text()?,
    });
    Ok(message)
}

fn scope_spans(r: &mut Reader<'_>) -> Parsed<ScopeSpans> {
    let mut message = ScopeSpans::default();
    fields!(r, message, {
        "scope" => scope = Some(scope(r)?),
        "spans" => spans = r.list(span)?,
        "schemaUrl" => schema_url = r.text()?,
    });
    Ok(message)
}

fn span(r: &mut Reader<'_>) -> Parsed<Span> {
    let mut span = Span::default();
    fields!(r, span, {
        "traceId" => trace_id = r.hex()?,
        "spanId" => span_id = r.hex()?,
        "traceState" => trace_state = r.text()?,
        "parentSpanId" => parent_span_id = r.hex()?,
        "flags" => flags = r.integer()?,
        "name" => name = r.text()?,
        "kind" => kind = r.enumeration(|name| SpanKind::from_str_name(name).map(i32::from))?,
        "startTimeUnixNano" => start_time_unix_nano = r.integer()?,
        "endTimeUnixNano" => end_time_unix_nano = r.integer()?,
        "attributes" => attributes = attributes(r)?,
        "droppedAttributesCount" => dropped_attributes_count = r.integer()?,
        "events" => events = r.list(event)?,
        "droppedEventsCount" => dropped_events_count = r.integer()?,
        "links" => links = r.list(link)?,
        "droppedLinksCount" => dropped_links_count = r.integer()?,
        "status" => status = Some(status(r)?),
    });
    Ok(span)
}

fn event(r: &mut Reader<'_>) -> Parsed<Event> {
    let mut event = Event::default();
    fields!(r, event, {
        "timeUnixNano" => time_unix_nano = r.integer()?,
        "name" => name = r.text()?,
        "attributes" => attributes = attributes(r)?,
        "droppedAttributesCount" => dropped_attributes_count = r.integer()?,
    });
    Ok(event)
}

fn link(r: &mut Reader<'_>) -> Parsed<Link> {
    let mut link = Link::default();
    fields!(r, link, {
        "traceId" => trace_id = r.hex()?,
        "spanId" => span_id = r.hex()?,
        "traceState" => trace_state = r.text()?,
        "attributes" => attributes = attributes(r)?,
        "droppedAttributesCount" => dropped_attributes_count = r.integer()?,
        "flags" => flags = r.integer()?,
    });
    Ok(link)
}

fn status(r: &mut Reader<'_>) -> Parsed<Status> {
    let mut status = Status::default();
    fields!(r, status, {
        "message" => message = r.text()?,
        "code" => code = r.enumeration(|name| StatusCode::from_str_name(name).map(i32::from))?,
    });
    Ok(status)
}
