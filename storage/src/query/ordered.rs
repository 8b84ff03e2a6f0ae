//! Traces in any order: newest, longest, most failed or largest first; and how many fit, where that is soon told. What
//! they are ordered by is known of whole traces only, so all that fit are looked at before the list is cut.

use duckdb::Connection;
use duckdb::types::Value;

use super::filter::TRACE_SLACK_NS;
use super::filter::Table;
use super::newest::{Narrowed, tables, tables_in};
use super::plain::fits_more_than;
use super::search::{TRACES_MAX, conditions, newest_fitting, newest_traces};
use super::summaries::summaries;
use super::{QueryError, Session};
use crate::ask::Ask;
use crate::model::{Page, SpanSummary, TimeRange, TraceOrder, TraceQuery, TraceSummary};

const FITTING: &str = include_str!("fitting.sql");
const ORDERED: &str = include_str!("ordered.sql");
const ORDERED_SPANS: &str = include_str!("ordered_spans.sql");
const TRACE_COUNT: &str = include_str!("trace_count.sql");
/// Spans above which the traces they are of are not counted: twice as many take 0.1 s.
const COUNTED_SPANS_MAX: u64 = 50_000;

/// Traces with a span that fits: by their newest such span, newest first, or in the order asked for.
///
/// # Errors
/// A cursor with another order than the newest first.
pub fn traces(session: &Session<'_>, query: &TraceQuery) -> Result<Page<TraceSummary>, QueryError> {
    if query.order == TraceOrder::Start {
        return newest_traces(session, query);
    }
    let limit = query.limit.clamp(1, TRACES_MAX);
    if query.cursor.is_some() {
        return Err(QueryError::Invalid(
            "a cursor goes on from the newest first: ask without an order",
        ));
    }
    let (ids, total) = session.run(|conn| first(session, conn, query, limit))?;
    let mut newest = session.run(|conn| newest_fitting(session, conn, query, &ids))?;
    let matches: Vec<SpanSummary> = ids
        .iter()
        .filter_map(|id| newest.remove(id))
        .map(|(_, span)| span)
        .collect();
    let items = summaries(session, matches)?;
    Ok(Page::counted(items, total))
}

/// How many traces have a span that fits; `None` where so many spans do that counting their traces takes long.
pub fn trace_count(session: &Session<'_>, query: &TraceQuery) -> Result<Option<u64>, QueryError> {
    if fits_more_than(session, query, COUNTED_SPANS_MAX)? {
        return Ok(None);
    }
    session.run(|conn| {
        let Some((fitting, values)) = fitting(session, conn, query)? else {
            return Ok(Some(0));
        };
        let sql = TRACE_COUNT
            .replace("{fitting}", &fitting)
            .replace("{limit}", &(COUNTED_SPANS_MAX + 1).to_string());
        let (traces, spans): (u64, u64) =
            conn.ask_row(&sql, &values, |row| Ok((row.get(0)?, row.get(1)?)))?;
        Ok((spans <= COUNTED_SPANS_MAX).then_some(traces))
    })
}

/// Where spans of the range may be, or of any time.
fn places(session: &Session<'_>, range: Option<TimeRange>) -> Vec<Table> {
    match range {
        Some(range) => tables_in(session, "spans", range),
        None => tables(session, "spans"),
    }
}

/// The trace ids of the spans that fit as SQL, one row a span, and its values; `None` where there can be none.
fn fitting(
    session: &Session<'_>,
    conn: &Connection,
    query: &TraceQuery,
) -> Result<Option<(String, Vec<Value>)>, QueryError> {
    let conditions = conditions(query, None);
    let spans = tables(session, "spans");
    let mut selects = Vec::new();
    let mut values = Vec::new();
    for table in places(session, query.range) {
        let narrowed = Narrowed::new(conn, &table, &spans, &conditions, query)?;
        selects.push(narrowed.sql(FITTING));
        values.extend_from_slice(narrowed.values());
    }
    Ok((!selects.is_empty()).then(|| (selects.join("\nUNION ALL\n"), values)))
}

/// The ids of the first traces, and how many there are.
fn first(
    session: &Session<'_>,
    conn: &Connection,
    query: &TraceQuery,
    limit: usize,
) -> Result<(Vec<String>, u64), QueryError> {
    let Some((fitting, values)) = fitting(session, conn, query)? else {
        return Ok((Vec::new(), 0));
    };
    let around = query.range.map(|range| range.widened(TRACE_SLACK_NS));
    let spans: Vec<String> = places(session, around)
        .iter()
        .map(|table| {
            ORDERED_SPANS
                .replace("{facts}", &table.facts)
                .replace("{dictionaries}", &table.dictionaries)
        })
        .collect();
    let sql = ORDERED
        .replace("{fitting}", &fitting)
        .replace("{spans}", &spans.join("\nUNION ALL\n"))
        .replace("{value}", value(query.order))
        .replace("{limit}", &limit.to_string());
    let mut statement = conn.ask(&sql)?;
    let mut rows = statement.query(&values)?;
    let (mut ids, mut total) = (Vec::with_capacity(limit), 0);
    while let Some(row) = rows.next()? {
        ids.push(row.get(0)?);
        total = row.get(1)?;
    }
    Ok((ids, total))
}

/// What traces are ordered by, as `summaries.sql` tells it of each.
fn value(order: TraceOrder) -> &'static str {
    match order {
        TraceOrder::Start => "min(start_ns)",
        TraceOrder::Duration => "max(start_ns + duration_ns) - min(start_ns)",
        TraceOrder::Errors => {
            "count(DISTINCT (span_id, environment, service_namespace, cluster, service_name, start_ns)) \
             FILTER (status_code = 'error')"
        }
        TraceOrder::Spans => {
            "count(DISTINCT (span_id, environment, service_namespace, cluster, service_name, start_ns))"
        }
    }
}
