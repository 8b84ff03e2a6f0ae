//! One trace in full.

mod spans;

use duckdb::{Connection, Row, params};

use super::document;
use super::logs::{LOG_COLUMNS, log_record};
use super::refusals::refusals;
use super::{QueryError, Session, breakers};
use crate::ask::Ask;
use crate::model::{ExemplarRecord, LogRecord, TraceDetail};
use crate::segment::Segment;

/// Spans shown of one trace; log records and exemplars have a tenth.
const SPANS_MAX: usize = 100_000;
const OTHERS_MAX: usize = 10_000;

/// Everything stored about a trace: `None` when nothing is. Never prunes by time. `trace_id` in any case.
pub fn trace(session: &Session<'_>, trace_id: &str) -> Result<Option<TraceDetail>, QueryError> {
    let is_hex = trace_id.len() == 32 && trace_id.bytes().all(|byte| byte.is_ascii_hexdigit());
    if !is_hex {
        return Err(QueryError::Invalid("a trace id is 32 hex digits"));
    }
    let trace_id = trace_id.to_ascii_lowercase();
    // Planning a relation over every file costs more than reading the few that have the trace.
    let relation = |name| {
        let may_hold = |segment: &Segment| segment.may_hold_trace(&trace_id);
        session.set().some_rows_sql(name, may_hold)
    };
    session.run(|conn| {
        let (spans, readable, cut) = spans::spans(session, conn, &trace_id)?;
        let refusals = refusals(session, conn, readable)?;
        let logs = match relation("logs") {
            Some(logs) => self::logs(conn, &logs, &trace_id)?,
            None => Vec::new(),
        };
        let exemplars = match relation("exemplars") {
            Some(exemplars) => self::exemplars(conn, &exemplars, &trace_id)?,
            None => Vec::new(),
        };
        let transitions = breakers::of_trace(session, conn, &trace_id)?;
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

fn logs(conn: &Connection, relation: &str, trace_id: &str) -> Result<Vec<LogRecord>, QueryError> {
    let sql = format!(
        "SELECT {LOG_COLUMNS} FROM ({relation}) WHERE trace_id = ? ORDER BY time LIMIT {OTHERS_MAX}"
    );
    let mut statement = conn.ask(&sql)?;
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
    let mut statement = conn.ask(&sql)?;
    let rows = statement.query_map(params![trace_id], exemplar_record)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// The spans of a trace as they can be stored again, one JSON object a span ([`crate::export`]).
pub fn trace_rows(session: &Session<'_>, trace_id: &str) -> Result<Vec<String>, QueryError> {
    let sql = format!(
        "SELECT to_json(x)::VARCHAR FROM ({}) x WHERE x.trace_id = $3 LIMIT {SPANS_MAX}",
        crate::export::SPANS_SQL
    );
    session.run_over(&["spans", "resources"], |conn| {
        let mut statement = conn.ask(&sql)?;
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
