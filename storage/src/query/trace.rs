//! One trace in full.

use std::collections::HashMap;

use duckdb::{Connection, Row, params};

use super::document;
use super::logs::{LOG_COLUMNS, log_record};
use super::refusals::{Readable, refusals};
use super::{QueryError, Session, breakers};
use crate::model::{ExemplarRecord, LogRecord, Scope, SpanRecord, TraceDetail};

/// Spans shown of one trace; log records and exemplars have a tenth.
const SPANS_MAX: usize = 100_000;
const OTHERS_MAX: usize = 10_000;
const SPANS: &str = include_str!("trace.sql");

/// Everything stored about a trace: `None` when nothing is. Never prunes by time. `trace_id` in any case.
pub fn trace(session: &Session<'_>, trace_id: &str) -> Result<Option<TraceDetail>, QueryError> {
    let is_hex = trace_id.len() == 32 && trace_id.bytes().all(|byte| byte.is_ascii_hexdigit());
    if !is_hex {
        return Err(QueryError::Invalid("a trace id is 32 hex digits"));
    }
    let trace_id = trace_id.to_ascii_lowercase();
    // Planning a relation over every file costs more than reading the few that have the trace.
    let relation = |name| {
        session
            .set()
            .relation_sql(name, |segment| segment.may_hold_trace(&trace_id))
            .expect("a fact relation")
    };
    session.run(|conn| {
        let (spans, readable, cut) = spans(conn, &relation("spans"), &trace_id)?;
        let refusals = refusals(conn, readable)?;
        let logs = logs(conn, &relation("logs"), &trace_id)?;
        let exemplars = exemplars(conn, &relation("exemplars"), &trace_id)?;
        let transitions = breakers::of_trace(session.set(), conn, &trace_id)?;
        if spans.is_empty() && logs.is_empty() && exemplars.is_empty() && transitions.is_empty() {
            return Ok(None);
        }
        let truncated = cut || logs.len() >= OTHERS_MAX || exemplars.len() >= OTHERS_MAX;
        let total_spans = spans.len() as u64;
        Ok(Some(TraceDetail {
            trace_id: trace_id.clone(),
            spans,
            logs,
            exemplars,
            transitions,
            refusals,
            truncated,
            total_spans,
        }))
    })
}

fn spans(
    conn: &Connection,
    relation: &str,
    trace_id: &str,
) -> Result<(Vec<SpanRecord>, Readable, bool), QueryError> {
    let mut statement = conn.prepare(&SPANS.replace("{spans}", relation))?;
    let mut rows = statement.query(params![trace_id])?;
    let mut spans: Vec<SpanRecord> = Vec::new();
    let mut seen: HashMap<(String, Scope, Option<String>, u64), usize> = HashMap::new();
    let mut read = 0;
    let mut readable = Readable::default();
    while let Some(row) = rows.next()? {
        read += 1;
        let span = span_record(row)?;
        let identity = (
            span.span_id.clone(),
            span.scope.clone(),
            span.service_name.clone(),
            span.start_time_unix_nano,
        );
        match seen.get(&identity) {
            Some(&at) => spans[at].copies += 1,
            None => {
                seen.insert(identity, spans.len());
                let text = |at: usize| row.get::<_, Option<String>>(at);
                readable.push(&span, text(18)?.as_deref(), text(22)?.as_deref());
                spans.push(span);
            }
        }
    }
    let cut = read > SPANS_MAX;
    spans.truncate(SPANS_MAX);
    Ok((spans, readable, cut))
}

fn span_record(row: &Row<'_>) -> duckdb::Result<SpanRecord> {
    let text = |at: usize| row.get::<_, Option<String>>(at);
    Ok(SpanRecord {
        trace_id: row.get(0)?,
        span_id: row.get(1)?,
        parent_span_id: row.get(2)?,
        trace_state: row.get(3)?,
        flags: row.get(4)?,
        scope: Scope {
            environment: row.get(5)?,
            service_namespace: row.get(6)?,
            cluster: row.get(7)?,
        },
        service_name: row.get(8)?,
        service_version: row.get(9)?,
        service_instance_id: row.get(10)?,
        name: row.get(11)?,
        kind: row.get(12)?,
        start_time_unix_nano: row.get::<_, Option<u64>>(13)?.unwrap_or(0),
        end_time_unix_nano: row.get::<_, Option<u64>>(14)?.unwrap_or(0),
        duration_ns: row.get(15)?,
        status_code: row.get(16)?,
        status_message: row.get(17)?,
        attributes: document::attributes(text(18)?.as_deref()),
        resource_attributes: document::attributes(text(19)?.as_deref()),
        scope_name: row.get(20)?,
        scope_version: row.get(21)?,
        events: document::events(text(22)?.as_deref()),
        links: document::links(text(23)?.as_deref()),
        dropped_attributes_count: row.get(24)?,
        dropped_events_count: row.get(25)?,
        dropped_links_count: row.get(26)?,
        sidecar: row.get(27)?,
        copies: 1,
    })
}

fn logs(conn: &Connection, relation: &str, trace_id: &str) -> Result<Vec<LogRecord>, QueryError> {
    let sql = format!(
        "SELECT {LOG_COLUMNS} FROM ({relation}) WHERE trace_id = ? ORDER BY time LIMIT {OTHERS_MAX}"
    );
    let mut statement = conn.prepare(&sql)?;
    let rows = statement.query_map(params![trace_id], log_record)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

fn exemplars(
    conn: &Connection,
    relation: &str,
    trace_id: &str,
) -> Result<Vec<ExemplarRecord>, QueryError> {
    let sql = format!(
        "SELECT {EXEMPLAR_COLUMNS} FROM ({relation}) WHERE trace_id = ? ORDER BY time LIMIT {OTHERS_MAX}"
    );
    let mut statement = conn.prepare(&sql)?;
    let rows = statement.query_map(params![trace_id], exemplar_record)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// The spans of a trace as they can be stored again, one JSON object a span ([`crate::export`]).
pub fn trace_rows(session: &Session<'_>, trace_id: &str) -> Result<Vec<String>, QueryError> {
    let sql = format!(
        "SELECT to_json(x)::VARCHAR FROM ({}) x WHERE x.trace_id = ? LIMIT {SPANS_MAX}",
        crate::export::SPANS_SQL
    );
    session.run(|conn| {
        let mut statement = conn.prepare(&sql)?;
        let none: Option<u64> = None;
        let rows = statement.query_map(params![none, none, trace_id], |row| row.get(0))?;
        Ok(rows.collect::<Result<_, _>>()?)
    })
}

/// Columns of the view `exemplars` as [`exemplar_record`] reads them.
pub(super) const EXEMPLAR_COLUMNS: &str = "name, unit, service_name, epoch_ns(time), value, value_int, trace_id, \
     span_id, filtered_attributes::JSON::VARCHAR";

/// Reads [`EXEMPLAR_COLUMNS`].
pub(super) fn exemplar_record(row: &Row<'_>) -> duckdb::Result<ExemplarRecord> {
    Ok(ExemplarRecord {
        metric_name: row.get(0)?,
        unit: row.get(1)?,
        service_name: row.get(2)?,
        time_unix_nano: row.get(3)?,
        value: row
            .get::<_, Option<f64>>(4)?
            .filter(|value| value.is_finite()),
        value_int: row.get(5)?,
        trace_id: row.get(6)?,
        span_id: row.get(7)?,
        filtered_attributes: document::attributes(row.get::<_, Option<String>>(8)?.as_deref()),
    })
}
