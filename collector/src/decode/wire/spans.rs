//! `ExportTraceServiceRequest` from the wire.

use opentelemetry_proto::tonic::common::v1::InstrumentationScope;
use opentelemetry_proto::tonic::resource::v1::Resource;
use prost::Message;
use tripline_storage::attributes::AttributesWriter;
use tripline_storage::ingest::{Rows, SpanFacts};

use super::values::{Noted, write_attribute};
use super::{Fields, Read, Unusual, set_once};
use crate::decode::envelope::{Envelope, ResourceIndex};
use crate::decode::spans::{SpanEncoder, SpanHead};
use crate::decode::{Decoded, Drops};

/// Decodes a whole body.
pub(in crate::decode) fn traces(body: &[u8]) -> Read<Decoded> {
    let mut reader = Reader::default();
    let mut fields = Fields::of(body);
    while let Some((number, field)) = fields.next()? {
        if number == 1 {
            reader.resource_spans(field.bytes()?)?;
        }
    }
    let (batch, dropped) = reader
        .envelope
        .into_batch(Rows::Spans(reader.encoder.columns));
    Ok(Decoded { batch, dropped })
}

#[derive(Default)]
struct Reader {
    envelope: Envelope,
    encoder: SpanEncoder,
}

/// The repeated messages of a span, met before its ids are checked.
#[derive(Default)]
struct Parts<'a> {
    attributes: Vec<&'a [u8]>,
    events: Vec<&'a [u8]>,
    links: Vec<&'a [u8]>,
}

impl Reader {
    fn resource_spans(&mut self, message: &[u8]) -> Read<()> {
        let (mut resource, mut schema_url, mut scopes) = (None, "", Vec::new());
        let mut fields = Fields::of(message);
        while let Some((number, field)) = fields.next()? {
            match number {
                1 => set_once(&mut resource, field)?,
                2 => scopes.push(field.bytes()?),
                3 => schema_url = field.text()?,
                _ => {}
            }
        }
        // A handful a request: the structs will do.
        let resource = resource
            .map(Resource::decode)
            .transpose()
            .map_err(|_| Unusual)?;
        let resource = self.envelope.resource(resource.as_ref(), schema_url);
        scopes
            .into_iter()
            .try_for_each(|scope| self.scope_spans(resource, scope))
    }

    fn scope_spans(&mut self, resource: ResourceIndex, message: &[u8]) -> Read<()> {
        let (mut scope, mut schema_url) = (None, "");
        let mut fields = Fields::of(message);
        while let Some((number, field)) = fields.next()? {
            match number {
                1 => set_once(&mut scope, field)?,
                3 => schema_url = field.text()?,
                _ => {}
            }
        }
        let scope = scope
            .map(InstrumentationScope::decode)
            .transpose()
            .map_err(|_| Unusual)?;
        let scope = self.envelope.scope(scope.as_ref(), schema_url);
        let mut parts = Parts::default();
        let mut fields = Fields::of(message);
        while let Some((number, field)) = fields.next()? {
            if number == 2 {
                parts.attributes.clear();
                parts.events.clear();
                parts.links.clear();
                self.span(resource, scope, field.bytes()?, &mut parts)?;
            }
        }
        Ok(())
    }

    fn span<'a>(
        &mut self,
        resource: ResourceIndex,
        scope: u32,
        message: &'a [u8],
        parts: &mut Parts<'a>,
    ) -> Read<()> {
        let head = head_of(message, parts)?;
        let ids = head.ids();
        // What a rejected span would have dropped besides is no news, but it must be readable.
        let mut unheard = Drops::default();
        let drops = if ids.is_ok() {
            &mut self.envelope.drops
        } else {
            &mut unheard
        };
        let mut facts = SpanFacts::default();
        let encoder = &mut self.encoder;
        write_map(
            &mut encoder.attributes,
            &parts.attributes,
            drops,
            &mut |key, value| match value {
                Noted::Text(text) => facts.string(key, text),
                Noted::Int(value) => facts.int(key, value),
                Noted::Double(value) => facts.double(key, value),
                Noted::Other => {}
            },
        )?;
        write_list(&mut encoder.events, &parts.events, drops, write_event)?;
        write_list(&mut encoder.links, &parts.links, drops, write_link)?;
        match ids {
            Ok(ids) => {
                encoder.has_events = !parts.events.is_empty();
                encoder.has_links = !parts.links.is_empty();
                encoder.push_row(resource, scope, &head, &ids, facts);
            }
            Err(reason) => self.envelope.drops.add(reason),
        }
        Ok(())
    }
}

fn head_of<'a>(message: &'a [u8], parts: &mut Parts<'a>) -> Read<SpanHead<'a>> {
    let mut head = SpanHead::default();
    let mut status = None;
    let mut fields = Fields::of(message);
    while let Some((number, field)) = fields.next()? {
        match number {
            1 => head.trace_id = field.bytes()?,
            2 => head.span_id = field.bytes()?,
            3 => head.trace_state = field.text()?,
            4 => head.parent_span_id = field.bytes()?,
            5 => head.name = field.text()?,
            6 => head.kind = field.int32()?,
            7 => head.start_unix_nano = field.fixed64()?,
            8 => head.end_unix_nano = field.fixed64()?,
            9 => parts.attributes.push(field.bytes()?),
            10 => head.dropped_attributes_count = field.uint32()?,
            11 => parts.events.push(field.bytes()?),
            12 => head.dropped_events_count = field.uint32()?,
            13 => parts.links.push(field.bytes()?),
            14 => head.dropped_links_count = field.uint32()?,
            15 => set_once(&mut status, field)?,
            16 => head.flags = field.fixed32()?,
            _ => {}
        }
    }
    let mut fields = Fields::of(status.unwrap_or_default());
    while let Some((number, field)) = fields.next()? {
        match number {
            2 => head.status_message = field.text()?,
            3 => head.status_code = field.int32()?,
            _ => {}
        }
    }
    Ok(head)
}

/// A whole attribute map.
fn write_map<'a>(
    writer: &mut AttributesWriter,
    attributes: &[&'a [u8]],
    drops: &mut Drops,
    note: &mut impl FnMut(&'a str, Noted<'a>),
) -> Read<()> {
    writer.clear();
    write_members(writer, attributes, drops, note)
}

fn write_members<'a>(
    writer: &mut AttributesWriter,
    attributes: &[&'a [u8]],
    drops: &mut Drops,
    note: &mut impl FnMut(&'a str, Noted<'a>),
) -> Read<()> {
    writer.begin_object();
    for attribute in attributes {
        write_attribute(writer, attribute, drops, note)?;
    }
    writer.end();
    Ok(())
}

fn write_list(
    writer: &mut AttributesWriter,
    messages: &[&[u8]],
    drops: &mut Drops,
    item: fn(&mut AttributesWriter, &[u8], &mut Drops) -> Read<()>,
) -> Read<()> {
    if messages.is_empty() {
        return Ok(());
    }
    writer.clear();
    writer.begin_array();
    for message in messages {
        writer.begin_object();
        item(writer, message, drops)?;
        writer.end();
    }
    writer.end();
    Ok(())
}

fn write_event(writer: &mut AttributesWriter, message: &[u8], drops: &mut Drops) -> Read<()> {
    let (mut time, mut name, mut attributes, mut dropped) = (0, "", Vec::new(), 0);
    let mut fields = Fields::of(message);
    while let Some((number, field)) = fields.next()? {
        match number {
            1 => time = field.fixed64()?,
            2 => name = field.text()?,
            3 => attributes.push(field.bytes()?),
            4 => dropped = field.uint32()?,
            _ => {}
        }
    }
    writer.fixed_key("time_unix_nano");
    writer.unsigned(time);
    writer.fixed_key("name");
    writer.string(name);
    writer.fixed_key("attributes");
    write_members(writer, &attributes, drops, &mut |_, _| {})?;
    writer.fixed_key("dropped_attributes_count");
    writer.unsigned(u64::from(dropped));
    Ok(())
}

fn write_link(writer: &mut AttributesWriter, message: &[u8], drops: &mut Drops) -> Read<()> {
    let (mut trace_id, mut span_id, mut trace_state) = (&[][..], &[][..], "");
    let (mut attributes, mut dropped, mut flags) = (Vec::new(), 0, 0);
    let mut fields = Fields::of(message);
    while let Some((number, field)) = fields.next()? {
        match number {
            1 => trace_id = field.bytes()?,
            2 => span_id = field.bytes()?,
            3 => trace_state = field.text()?,
            4 => attributes.push(field.bytes()?),
            5 => dropped = field.uint32()?,
            6 => flags = field.fixed32()?,
            _ => {}
        }
    }
    writer.fixed_key("trace_id");
    writer.hex(trace_id);
    writer.fixed_key("span_id");
    writer.hex(span_id);
    writer.fixed_key("trace_state");
    writer.string(trace_state);
    writer.fixed_key("attributes");
    write_members(writer, &attributes, drops, &mut |_, _| {})?;
    writer.fixed_key("dropped_attributes_count");
    writer.unsigned(u64::from(dropped));
    writer.fixed_key("flags");
    writer.unsigned(u64::from(flags));
    Ok(())
}
