//! One trace in full.

mod spans;

use duckdb::{Connection, Row, params};

use super::document;
use super::logs::{LOG_COLUMNS, log_record};
use super::refusals::refusals;
use super::{QueryError, Session, beside, breakers};
use crate::ask::Ask;
use crate::model::{ExemplarRecord, LogRecord, Page, SpanDetail, TraceDetail};
use crate::segment::Segment;

/// Spans shown of one trace; log records and exemplars have a tenth.
const SPANS_MAX: usize = 100_000;
const OTHERS_MAX: usize = 10_000;

const SPANS_COUNT: &str = include_str!("trace/spans_count.sql");
const ROWS_COUNT: &str = include_str!("trace/rows_count.sql");
const ROWS: &str = include_str!("trace/rows.sql");
const EARLIEST_ROWS: &str = include_str!("trace/earliest_rows.sql");

/// Everything stored about a trace: `None` when nothing is. Never prunes by time. `trace_id` in any case.
pub fn trace(session: &Session<'_>, trace_id: &str) -> Result<Option<TraceDetail>, QueryError> {
    let Some(trace_id) = hex(trace_id, 32) else {
        return Err(QueryError::Invalid("a trace id is 32 hex digits"));
    };
    // Planning a relation over every file costs more than reading the few that have the trace.
    let relation = |name| {
        let may_hold = |segment: &Segment| segment.may_hold_trace(&trace_id);
        session.set().some_rows_sql(name, may_hold)
    };
    session.run(|conn| {
        let (spans, readable, is_cut) = spans::spans(session, conn, &trace_id, None)?;
        let refusals = refusals(session, conn, readable)?;
        let (logs, total_logs) = counted(conn, relation("logs"), self::logs, &trace_id)?;
        let (exemplars, total_exemplars) =
            counted(conn, relation("exemplars"), self::exemplars, &trace_id)?;
        let transitions = breakers::of_trace(session, conn, &trace_id)?;
        if spans.is_empty() && logs.is_empty() && exemplars.is_empty() && transitions.is_empty() {
            return Ok(None);
        }
        let shown = spans.len() as u64;
        let total_spans = match is_cut.then(|| relation("spans")).flatten() {
            Some(all) => count(conn, SPANS_COUNT, &all, &trace_id)?.max(shown),
            None => shown,
        };
        let truncated = total_spans > shown
            || total_logs > logs.len() as u64
            || total_exemplars > exemplars.len() as u64;
        Ok(Some(TraceDetail {
            trace_id: trace_id.clone(),
            spans,
            logs,
            exemplars,
            transitions,
            refusals,
            truncated,
            total_spans,
            total_logs,
            total_exemplars,
        }))
    })
}

/// One span of a trace with what is next to it and beside it: `None` when it is not stored. Reads of the trace no more than
/// that. Both ids in any case.
pub fn span(
    session: &Session<'_>,
    trace_id: &str,
    span_id: &str,
) -> Result<Option<SpanDetail>, QueryError> {
    let Some((trace_id, span_id)) = hex(trace_id, 32).zip(hex(span_id, 16)) else {
        return Err(QueryError::Invalid(
            "a trace id is 32 hex digits and a span id 16",
        ));
    };
    let Some(mut detail) = near(session, &trace_id, &span_id)? else {
        return Ok(None);
    };
    // An error on its way up is told from a refusal by what is below it, at any depth.
    let is_unsure = |detail: &SpanDetail| {
        let refusal = detail.refusal.as_ref();
        refusal.is_some_and(|refusal| refusal.name.is_empty())
    };
    if is_unsure(&detail)
        && let Some(whole) = trace(session, &trace_id)?
    {
        let mut refusals = whole.refusals.into_iter();
        detail.refusal = refusals.find(|refusal| refusal.span_id == span_id);
    }
    detail.beside = beside::beside(session, &detail.span, &detail.below)?;
    Ok(Some(detail))
}

/// The span with what is next to it.
fn near(
    session: &Session<'_>,
    trace_id: &str,
    span_id: &str,
) -> Result<Option<SpanDetail>, QueryError> {
    session.run(|conn| {
        let (spans, readable, _) = spans::spans(session, conn, trace_id, Some(span_id))?;
        let (of_id, below): (Vec<_>, Vec<_>) =
            spans.into_iter().partition(|span| span.span_id == span_id);
        let Some(span) = of_id.into_iter().next() else {
            return Ok(None);
        };
        let mut refusals = refusals(session, conn, readable)?.into_iter();
        let relation = session
            .set()
            .some_rows_sql("logs", |segment: &Segment| segment.may_hold_trace(trace_id));
        // The id is of hex digits alone.
        let of_span = relation
            .map(|relation| format!("SELECT * FROM ({relation}) WHERE span_id = '{span_id}'"));
        let (logs, total_logs) = counted(conn, of_span, self::logs, trace_id)?;
        let (trace_start_unix_nano, trace_end_unix_nano) = spans::bounds(session, conn, trace_id)?;
        Ok(Some(SpanDetail {
            span,
            refusal: refusals.find(|refusal| refusal.span_id == span_id),
            below,
            logs,
            total_logs,
            trace_start_unix_nano,
            trace_end_unix_nano,
            beside: None,
        }))
    })
}

/// An id of so many hex digits as it is stored.
fn hex(id: &str, digits: usize) -> Option<String> {
    let is_hex = id.len() == digits && id.bytes().all(|byte| byte.is_ascii_hexdigit());
    is_hex.then(|| id.to_ascii_lowercase())
}

/// Reads a list of [`OTHERS_MAX`] at most, and how long it is in all; a relation that is not there has none.
fn counted<T>(
    conn: &Connection,
    relation: Option<String>,
    read: impl Fn(&Connection, &str, &str) -> Result<Vec<T>, QueryError>,
    trace_id: &str,
) -> Result<(Vec<T>, u64), QueryError> {
    let Some(relation) = relation else {
        return Ok((Vec::new(), 0));
    };
    let found = read(conn, &relation, trace_id)?;
    let total = if found.len() < OTHERS_MAX {
        found.len() as u64
    } else {
        count(conn, ROWS_COUNT, &relation, trace_id)?
    };
    Ok((found, total))
}

fn count(
    conn: &Connection,
    question: &str,
    relation: &str,
    trace_id: &str,
) -> Result<u64, QueryError> {
    let sql = question.replace("{relation}", relation);
    Ok(conn.ask_row(&sql, params![trace_id], |row| row.get(0))?)
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

/// The spans of a trace as they can be stored again, one JSON object a span ([`crate::export`]); of too many the earliest,
/// as [`trace`] has them.
pub fn trace_rows(session: &Session<'_>, trace_id: &str) -> Result<Page<String>, QueryError> {
    session.run_over(&["spans", "resources"], |conn| {
        let read = |template: &str, limit: usize| -> Result<Vec<String>, QueryError> {
            let sql = template
                .replace("{spans}", crate::export::SPANS_SQL)
                .replace("{limit}", &limit.to_string());
            let mut statement = conn.ask(&sql)?;
            let none: Option<u64> = None;
            let rows = statement.query_map(params![none, none, trace_id], |row| row.get(0))?;
            Ok(rows.collect::<Result<_, _>>()?)
        };
        let some = read(ROWS, SPANS_MAX + 1)?;
        if some.len() <= SPANS_MAX {
            return Ok(Page::whole(some));
        }
        // Sorting by time costs more: only where it decides what is left out.
        Ok(Page {
            items: read(EARLIEST_ROWS, SPANS_MAX)?,
            truncated: true,
            total: None,
            next: None,
        })
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
