//! The spans of a trace, read file by file.
//!
//! Only files that may hold the trace are asked, each with a statement over one table: DuckDB takes 6 ms to plan and
//! run it, and 20 to plan the public view of the same file. Senders are looked up afterwards.

use std::collections::HashMap;

use duckdb::{Connection, Row};

use super::super::newest::documents;
use super::super::refusals::Readable;
use super::super::{QueryError, Session, document};
use super::SPANS_MAX;
use crate::ask::Ask;
use crate::model::{Attributes, Scope, SpanRecord};
use crate::segment::runs::Held;
use crate::segment::{Segment, views};

const SPANS: &str = include_str!("spans.sql");
const BOUNDS: &str = include_str!("bounds.sql");
/// Narrows [`SPANS`] to those of one id and those right below it.
const NEAR: &str = "AND (span_id = ? OR parent_span_id = ?)";

/// A span as it is stored, before its sender is known, with what recognisers read.
struct Stored {
    record: SpanRecord,
    resource: u32,
    scope: u32,
    attributes: Option<String>,
    events: Option<String>,
    peer: Option<String>,
}

/// The spans of a trace, each once, by start; what recognisers read of them; and whether there are more rows than are
/// read. With `near`, only those of that id and those right below it.
pub(super) fn spans(
    session: &Session<'_>,
    conn: &Connection,
    trace_id: &str,
    near: Option<&str>,
) -> Result<(Vec<SpanRecord>, Readable, bool), QueryError> {
    let mut found = Vec::new();
    for Table {
        segment,
        facts,
        held,
    } in tables(session, trace_id)
    {
        let mut stored = stored(conn, (&facts, held), segment.is_text(), (trace_id, near))?;
        name_senders(conn, segment, &mut stored)?;
        found.append(&mut stored);
    }
    found.sort_by(|a, b| {
        let key = |stored: &Stored| stored.record.start_time_unix_nano;
        (key(a), &a.record.span_id).cmp(&(key(b), &b.record.span_id))
    });
    let is_cut = found.len() > SPANS_MAX;
    found.truncate(SPANS_MAX);
    let mut spans: Vec<SpanRecord> = Vec::with_capacity(found.len());
    let mut seen: HashMap<(String, Scope, Option<String>, u64), usize> = HashMap::new();
    let mut readable = Readable::default();
    for Stored {
        record,
        attributes,
        events,
        peer,
        ..
    } in found
    {
        let identity = (
            record.span_id.clone(),
            record.scope.clone(),
            record.service_name.clone(),
            record.start_time_unix_nano,
        );
        match seen.get(&identity) {
            Some(&at) => spans[at].copies += 1,
            None => {
                seen.insert(identity, spans.len());
                readable.push(
                    &record,
                    attributes.as_deref(),
                    events.as_deref(),
                    peer.as_deref(),
                );
                spans.push(record);
            }
        }
    }
    Ok((spans, readable, is_cut))
}

/// When a trace began and ended, by all its spans whose time is known; 0 where none's is.
pub(super) fn bounds(
    session: &Session<'_>,
    conn: &Connection,
    trace_id: &str,
) -> Result<(u64, u64), QueryError> {
    let mut bounds: Option<(u64, u64)> = None;
    for Table { facts, held, .. } in tables(session, trace_id) {
        let sql = BOUNDS
            .replace("{facts}", &facts)
            .replace("{within}", &held.condition("rowid"));
        let (start, end): (Option<u64>, Option<u64>) =
            conn.ask_row(&sql, [trace_id], |row| Ok((row.get(0)?, row.get(1)?)))?;
        if let Some((start, end)) = start.zip(end) {
            let (first, last) = bounds.unwrap_or((start, end));
            bounds = Some((first.min(start), last.max(end)));
        }
    }
    Ok(bounds.unwrap_or_default())
}

/// A table that may have rows of a trace, and where in it.
struct Table<'s> {
    segment: &'s Segment,
    facts: String,
    held: Held,
}

fn tables<'s>(session: &'s Session<'_>, trace_id: &str) -> impl Iterator<Item = Table<'s>> {
    let segments = session.set().segments().iter();
    segments
        .filter(move |segment| segment.may_have("spans") && segment.may_hold_trace(trace_id))
        .flat_map(move |segment| {
            let places = views::places(segment).into_iter().enumerate();
            places.map(move |(at, facts)| {
                let held = match at {
                    0 => segment.held(0, &[trace_id]),
                    // Outliers are of any time.
                    _ => Held::Anywhere,
                };
                Table {
                    segment: segment.as_ref(),
                    facts,
                    held,
                }
            })
        })
}

/// Rows of one table; of too many, the earliest.
fn stored(
    conn: &Connection,
    (facts, held): (&str, Held),
    is_text: bool,
    (trace_id, near): (&str, Option<&str>),
) -> Result<Vec<Stored>, QueryError> {
    let ids: Vec<&str> = std::iter::once(trace_id)
        .chain(near.into_iter().flat_map(|id| [id, id]))
        .collect();
    let read = |order: &str| -> Result<Vec<Stored>, QueryError> {
        let sql = documents(SPANS, is_text)
            .replace("{facts}", facts)
            .replace("{within}", &held.condition("rowid"))
            .replace("{near}", near.map_or("", |_| NEAR))
            .replace("{order}", order)
            .replace("{limit}", &(SPANS_MAX + 1).to_string());
        let mut question = conn.ask(&sql)?;
        let rows = question.query_map(&ids, |row| span(row, trace_id))?;
        Ok(rows.collect::<Result<_, _>>()?)
    };
    let some = read("")?;
    // Sorting is planned too: only where it decides what is left out.
    if some.len() > SPANS_MAX {
        read("ORDER BY start_time, span_id")
    } else {
        Ok(some)
    }
}

fn span(row: &Row<'_>, trace_id: &str) -> duckdb::Result<Stored> {
    let text = |at: usize| row.get::<_, Option<String>>(at);
    let (attributes, events) = (text(14)?, text(15)?);
    let start: Option<i64> = row.get(8)?;
    let duration_ns: Option<i64> = row.get(10)?;
    // Times beyond a TIMESTAMP_NS are kept apart.
    let exact = |nanos: Option<i64>| nanos.and_then(|nanos| u64::try_from(nanos).ok());
    let end = start
        .zip(duration_ns)
        .and_then(|(start, duration)| start.checked_add(duration));
    let start_time: Option<u64> = row.get::<_, Option<u64>>(9)?.or_else(|| exact(start));
    let end_time: Option<u64> = row.get::<_, Option<u64>>(11)?.or_else(|| exact(end));
    Ok(Stored {
        resource: row.get(0)?,
        scope: row.get(1)?,
        record: SpanRecord {
            trace_id: trace_id.to_owned(),
            span_id: row.get(2)?,
            parent_span_id: row.get(3)?,
            trace_state: row.get(4)?,
            flags: row.get(5)?,
            name: row.get(6)?,
            kind: row.get(7)?,
            start_time_unix_nano: start_time.unwrap_or(0),
            end_time_unix_nano: end_time.unwrap_or(0),
            duration_ns,
            status_code: row.get(12)?,
            status_message: row.get(13)?,
            attributes: document::attributes(attributes.as_deref()),
            events: document::events(events.as_deref()),
            links: document::links(text(16)?.as_deref()),
            dropped_attributes_count: row.get(17)?,
            dropped_events_count: row.get(18)?,
            dropped_links_count: row.get(19)?,
            sidecar: row.get::<_, Option<bool>>(20)?.unwrap_or(false),
            copies: 1,
            ..SpanRecord::default()
        },
        attributes,
        events,
        peer: text(21)?,
    })
}

/// Fills in resource and instrumentation scope, which rows refer to by number.
fn name_senders(
    conn: &Connection,
    segment: &Segment,
    spans: &mut [Stored],
) -> Result<(), QueryError> {
    if spans.is_empty() {
        return Ok(());
    }
    let resources = spans.iter().map(|stored| stored.resource).collect();
    let scopes = spans.iter().map(|stored| stored.scope).collect();
    let origins = segment.origins(conn, &resources, &scopes)?;
    // A sender's are decoded once, however many spans it sent.
    let mut decoded: HashMap<u32, Attributes> = HashMap::new();
    for stored in spans {
        if let Some(sender) = origins.resources.get(&stored.resource) {
            let span = &mut stored.record;
            span.scope = sender.scope.clone();
            span.service_name.clone_from(&sender.service_name);
            span.service_version.clone_from(&sender.service_version);
            span.service_instance_id
                .clone_from(&sender.service_instance_id);
            span.resource_attributes = decoded
                .entry(stored.resource)
                .or_insert_with(|| document::attributes(sender.attributes.as_deref()))
                .clone();
        }
        if let Some(scope) = origins.scopes.get(&stored.scope) {
            stored.record.scope_name.clone_from(&scope.name);
            stored.record.scope_version.clone_from(&scope.version);
        }
    }
    Ok(())
}
