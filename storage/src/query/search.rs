//! Search for spans and traces, newest first.

use std::collections::{HashMap, HashSet};

use duckdb::types::Value;
use duckdb::{Connection, Row};

use super::conditions::Conditions;
use super::newest::{Narrowed, Newest, Position, holding, tables};
use super::summaries::summaries;
use super::{QueryError, Session};
use crate::ask::Ask;
use crate::model::{Page, Scope, SpanSummary, TraceQuery, TraceSummary};

const SPANS: &str = include_str!("search.sql");
const NEWEST_OF_TRACES: &str = include_str!("newest_of_traces.sql");
/// Rows a page may have.
const LIMIT_MAX: usize = 10_000;
/// Traces a page may have.
pub(super) const TRACES_MAX: usize = LIMIT_MAX / 10;
/// Rounds of reading spans to find enough distinct traces; each reads more than the one before, by how many spans that fit
/// a trace had there. Of a filter that fits few, one span more may mean another 10,000 to look at.
const ROUNDS_MAX: usize = 8;

/// Spans that fit, newest first, each once.
pub fn spans(session: &Session<'_>, query: &TraceQuery) -> Result<Page<SpanSummary>, QueryError> {
    let limit = query.limit.clamp(1, LIMIT_MAX);
    let before = query.cursor.as_deref().map(Position::parse).transpose()?;
    let (mut rows, mut truncated) = matching(session, query, before, limit)?;
    if rows.len() > limit {
        rows.truncate(limit);
        truncated = true;
    }
    let next = if truncated {
        rows.last().map(|(key, _)| after(*key))
    } else {
        None
    };
    let total = (!truncated && before.is_none()).then_some(rows.len() as u64);
    Ok(Page {
        items: rows.into_iter().map(|(_, span)| span).collect(),
        truncated,
        total,
        next,
    })
}

/// Traces with a span that fits, by their newest such span, newest first.
pub(super) fn newest_traces(
    session: &Session<'_>,
    query: &TraceQuery,
) -> Result<Page<TraceSummary>, QueryError> {
    let limit = query.limit.clamp(1, TRACES_MAX);
    let before = query.cursor.as_deref().map(Position::parse).transpose()?;
    let mut fetch = limit + limit / 4 + 1;
    let mut traces: Vec<Keyed> = Vec::new();
    let mut truncated = true;
    let mut last_read = None;
    for round in 0..ROUNDS_MAX {
        let (rows, more) = matching(session, query, before, fetch)?;
        last_read = rows.last().map(|(key, _)| *key);
        let read = rows.len();
        let mut seen = HashSet::new();
        traces = rows
            .into_iter()
            .filter(|(_, span)| seen.insert(span.trace_id.clone()))
            .collect();
        if before.is_some() {
            traces = of_this_page(session, query, traces)?;
        }
        let spans_of_each = read / traces.len().max(1) + 1;
        truncated = more || traces.len() > limit;
        if !more || traces.len() >= limit || round + 1 == ROUNDS_MAX {
            break;
        }
        fetch = (limit * spans_of_each).clamp(fetch * 4, fetch * 16);
    }
    let next = match traces.get(limit - 1) {
        _ if !truncated => None,
        Some((key, _)) => Some(after(*key)),
        // All that was read leads to fewer: the rest is behind it.
        None => last_read.map(after),
    };
    traces.truncate(limit);
    let total = (!truncated && before.is_none()).then_some(traces.len() as u64);
    let items = summaries(session, traces.into_iter().map(|(_, span)| span).collect())?;
    Ok(Page {
        items,
        truncated,
        total,
        next,
    })
}

/// Without the traces that an earlier page has shown: those with a newer span that fits.
fn of_this_page(
    session: &Session<'_>,
    query: &TraceQuery,
    mut traces: Vec<Keyed>,
) -> Result<Vec<Keyed>, QueryError> {
    let ids: Vec<String> = traces
        .iter()
        .map(|(_, span)| span.trace_id.clone())
        .collect();
    let newest = session.run(|conn| newest_fitting(session, conn, query, &ids))?;
    traces.retain(|(key, span)| {
        let place = newest.get(&span.trace_id).map(|(place, _)| place);
        place.is_none_or(|place| place == key)
    });
    Ok(traces)
}

fn after((time, tie): (i64, u64)) -> String {
    Position { time, tie, skip: 0 }.cursor()
}

type Keyed = ((i64, u64), SpanSummary);

/// At least `limit` distinct spans if there are as many, and whether there may be more.
fn matching(
    session: &Session<'_>,
    query: &TraceQuery,
    before: Option<Position>,
    limit: usize,
) -> Result<(Vec<Keyed>, bool), QueryError> {
    let conditions = conditions(query, before);
    let mut fetch = limit;
    loop {
        let newest = Newest {
            relation: "spans",
            template: SPANS,
            conditions: &conditions,
            attributes: &query.attributes,
            filter: query.filter.as_ref(),
            range: query.range,
            limit: fetch,
        };
        let (mut rows, more) = newest.read(session, |row| {
            Ok(((row.get(0)?, row.get(1)?), span_summary(row)?))
        })?;
        // A span that was resent is stored again right beside itself.
        rows.dedup_by_key(|(key, _): &mut Keyed| *key);
        if !more || rows.len() >= limit {
            return Ok((rows, more));
        }
        fetch *= 2;
    }
}

pub(super) fn conditions(query: &TraceQuery, before: Option<Position>) -> Conditions {
    let mut conditions = Conditions::default();
    if let Some(range) = query.range {
        conditions.add(
            "f.start_time >= make_timestamp_ns(?) AND f.start_time < make_timestamp_ns(?)",
            [
                Value::BigInt(range.from_unix_nano),
                Value::BigInt(range.to_unix_nano),
            ],
        );
    }
    if let Some(position) = before {
        let (time, tie) = (Value::BigInt(position.time), Value::UBigInt(position.tie));
        conditions.add(
            "(at_ns < ? OR at_ns = ? AND tie > ?)",
            [time.clone(), time, tie],
        );
    }
    conditions.scope(&query.scope);
    conditions.text("r.service_name = ?", query.service.as_ref());
    conditions.text("f.name = ?", query.name.as_ref());
    conditions.text("f.kind = ?", query.kind.as_ref());
    conditions.text("f.status_code = ?", query.status.as_ref());
    conditions.int("f.duration_ns >= ?", query.duration_min_ns);
    conditions.int("f.duration_ns <= ?", query.duration_max_ns);
    conditions
}

pub(super) fn span_summary(row: &Row<'_>) -> duckdb::Result<SpanSummary> {
    Ok(SpanSummary {
        trace_id: row.get(2)?,
        span_id: row.get(3)?,
        parent_span_id: row.get(4)?,
        scope: Scope {
            environment: row.get(5)?,
            service_namespace: row.get(6)?,
            cluster: row.get(7)?,
        },
        service_name: row.get(8)?,
        name: row.get(9)?,
        kind: row.get(10)?,
        status_code: row.get(11)?,
        start_time_unix_nano: row.get(12)?,
        duration_ns: row.get(13)?,
    })
}

/// By trace a span and its place in the order of a search.
type Placed = HashMap<String, Keyed>;

/// Of each of these traces the newest span that fits.
pub(super) fn newest_fitting(
    session: &Session<'_>,
    conn: &Connection,
    query: &TraceQuery,
    ids: &[String],
) -> Result<Placed, QueryError> {
    let spans = tables(session, "spans");
    let wanted: Vec<&str> = ids.iter().map(String::as_str).collect();
    let mut newest = Placed::new();
    for place in holding(session, &wanted) {
        let mut conditions = conditions(query, None);
        conditions.add(
            "f.trace_id IN (SELECT unnest(string_split(?, ',')))",
            [Value::Text(place.traces.join(","))],
        );
        let mut narrowed = Narrowed::new(conn, &place.table, &spans, &conditions, query)?;
        narrowed.also(&place.within);
        let mut statement = conn.ask(&narrowed.sql(NEWEST_OF_TRACES))?;
        let mut rows = statement.query(narrowed.values())?;
        while let Some(row) = rows.next()? {
            let (time, tie): (i64, u64) = (row.get(0)?, row.get(1)?);
            let span = span_summary(row)?;
            let place = (std::cmp::Reverse(time), tie);
            let is_first = newest
                .get(&span.trace_id)
                .is_none_or(|((time, tie), _)| place < (std::cmp::Reverse(*time), *tie));
            if is_first {
                newest.insert(span.trace_id.clone(), ((time, tie), span));
            }
        }
    }
    Ok(newest)
}
