//! `spans`.

use opentelemetry_proto::tonic::trace::v1::span::{Event, Link};
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span, Status};
use serde::Deserialize;

use super::{Envelope, Requests, document, id, json, number_of};
use crate::decode::hot;
use crate::decode::json::{Parsed, Reader, fields, read};
use crate::decode::{Malformed, Signal, Traces};

/// Rows of `spans` becoming requests.
#[derive(Default)]
pub struct SpanRows {
    request: <Traces as Signal>::Request,
    last: Envelope,
    items: usize,
}

#[derive(Deserialize)]
struct Row {
    #[serde(flatten)]
    envelope: Envelope,
    trace_id: String,
    span_id: String,
    parent_span_id: Option<String>,
    trace_state: Option<String>,
    flags: u32,
    name: String,
    kind: String,
    start_time_unix_nano: u64,
    end_time_unix_nano: u64,
    status_code: String,
    status_message: Option<String>,
    attributes: Option<String>,
    events: Option<String>,
    links: Option<String>,
    dropped_attributes_count: u32,
    dropped_events_count: u32,
    dropped_links_count: u32,
}

impl Requests for SpanRows {
    type Signal = Traces;

    fn push(&mut self, row: &str) -> Result<(), Malformed> {
        let row: Row = json(row)?;
        let envelope = &row.envelope;
        let resources = &mut self.request.resource_spans;
        let same_resource = self.items > 0 && self.last.resource_id == envelope.resource_id;
        if !same_resource {
            resources.push(ResourceSpans {
                resource: Some(envelope.resource()?),
                scope_spans: Vec::new(),
                schema_url: envelope.resource_schema_url(),
            });
        }
        let scopes = &mut resources.last_mut().expect("pushed above").scope_spans;
        if !same_resource || self.last.scope_id != envelope.scope_id {
            scopes.push(ScopeSpans {
                scope: Some(envelope.scope()?),
                spans: Vec::new(),
                schema_url: envelope.scope_schema_url(),
            });
        }
        let span = row.span()?;
        scopes.last_mut().expect("pushed above").spans.push(span);
        self.items += 1;
        self.last = row.envelope;
        Ok(())
    }

    fn items(&self) -> usize {
        self.items
    }

    fn take(&mut self) -> <Traces as Signal>::Request {
        std::mem::take(self).request
    }
}

impl Row {
    fn span(&self) -> Result<Span, Malformed> {
        const KINDS: [&str; 6] = [
            "unspecified",
            "internal",
            "server",
            "client",
            "producer",
            "consumer",
        ];
        let status = Status {
            code: number_of(&self.status_code, &["unset", "ok", "error"])?,
            message: self.status_message.clone().unwrap_or_default(),
        };
        Ok(Span {
            trace_id: id(Some(&self.trace_id))?,
            span_id: id(Some(&self.span_id))?,
            trace_state: self.trace_state.clone().unwrap_or_default(),
            parent_span_id: id(self.parent_span_id.as_deref())?,
            flags: self.flags,
            name: self.name.clone(),
            kind: number_of(&self.kind, &KINDS)?,
            start_time_unix_nano: self.start_time_unix_nano,
            end_time_unix_nano: self.end_time_unix_nano,
            attributes: document(self.attributes.as_deref())?,
            dropped_attributes_count: self.dropped_attributes_count,
            events: list(self.events.as_deref(), event)?,
            dropped_events_count: self.dropped_events_count,
            links: list(self.links.as_deref(), link)?,
            dropped_links_count: self.dropped_links_count,
            status: (status != Status::default()).then_some(status),
        })
    }
}

fn list<T>(
    text: Option<&str>,
    item: fn(&mut Reader<'_>) -> Parsed<T>,
) -> Result<Vec<T>, Malformed> {
    text.map_or_else(|| Ok(Vec::new()), |text| read(text, |r| r.list(item)))
}

fn event(r: &mut Reader<'_>) -> Parsed<Event> {
    let mut event = Event::default();
    fields!(r, event, {
        "time_unix_nano" => time_unix_nano = r.integer()?,
        "name" => name = r.text()?,
        "attributes" => attributes = hot::map(r)?,
        "dropped_attributes_count" => dropped_attributes_count = r.integer()?,
    });
    Ok(event)
}

fn link(r: &mut Reader<'_>) -> Parsed<Link> {
    let mut link = Link::default();
    fields!(r, link, {
        "trace_id" => trace_id = r.hex()?,
        "span_id" => span_id = r.hex()?,
        "trace_state" => trace_state = r.text()?,
        "attributes" => attributes = hot::map(r)?,
        "dropped_attributes_count" => dropped_attributes_count = r.integer()?,
        "flags" => flags = r.integer()?,
    });
    Ok(link)
}
