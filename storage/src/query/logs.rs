//! Log search.

use duckdb::Row;
use duckdb::types::Value;

use super::conditions::Conditions;
use super::newest::{Newest, Position};
use super::{QueryError, Session, document};
use crate::model::{LogQuery, LogRecord, Page, Scope};

const LOGS: &str = include_str!("logs.sql");
/// Rows a page may have.
const LIMIT_MAX: usize = 10_000;

/// Columns of the view `logs` as [`log_record`] reads them.
pub(super) const LOG_COLUMNS: &str = "epoch_ns(time), observed_time_unix_nano, severity_number, severity_text, \
    event_name, body, body_type, trace_id, span_id, environment, service_namespace, cluster, service_name, \
    service_version, service_instance_id, scope_name, attributes::JSON::VARCHAR, resource_attributes::JSON::VARCHAR";

/// Records that fit, newest first.
pub fn logs(session: &Session<'_>, query: &LogQuery) -> Result<Page<LogRecord>, QueryError> {
    let before = query.cursor.as_deref().map(Position::parse).transpose()?;
    let conditions = conditions(query, before);
    let skip = before.map_or(0, |position| position.skip);
    let newest = Newest {
        relation: "logs",
        template: LOGS,
        conditions: &conditions,
        attributes: &query.attributes,
        filter: query.filter.as_ref(),
        range: query.range,
        limit: query.limit.clamp(1, LIMIT_MAX) + skip,
    };
    let read = |row: &Row<'_>| Ok(((row.get(0)?, row.get(1)?), record(row, 2)?));
    let (mut rows, truncated) = newest.read(session, read)?;
    rows.drain(..skip.min(rows.len()));
    let keys: Vec<(i64, u64)> = rows.iter().map(|(key, _)| *key).collect();
    let next = if truncated {
        Position::after(before, &keys).map(Position::cursor)
    } else {
        None
    };
    let total = (!truncated && before.is_none()).then_some(rows.len() as u64);
    Ok(Page {
        items: rows.into_iter().map(|(_, record)| record).collect(),
        truncated,
        total,
        next,
    })
}

pub(super) fn conditions(query: &LogQuery, before: Option<Position>) -> Conditions {
    let mut conditions = Conditions::default();
    if let Some(range) = query.range {
        conditions.add(
            "f.time >= make_timestamp_ns(?) AND f.time < make_timestamp_ns(?)",
            [
                Value::BigInt(range.from_unix_nano),
                Value::BigInt(range.to_unix_nano),
            ],
        );
    }
    if let Some(position) = before {
        let (time, tie) = (Value::BigInt(position.time), Value::UBigInt(position.tie));
        conditions.add(
            "(at_ns < ? OR at_ns = ? AND tie >= ?)",
            [time.clone(), time, tie],
        );
    }
    conditions.scope(&query.scope);
    conditions.text("r.service_name = ?", query.service.as_ref());
    conditions.int("f.severity_number >= ?", query.severity_min.map(i64::from));
    conditions.text("f.trace_id = lower(?)", query.trace_id.as_ref());
    conditions.text("f.span_id = lower(?)", query.span_id.as_ref());
    if let Some(text) = query.text.as_ref().filter(|text| !text.is_empty()) {
        let text = Value::Text(text.to_lowercase());
        conditions.add(
            "(contains(lower(f.body), ?) OR contains(lower(f.event_name), ?))",
            [text.clone(), text],
        );
    }
    conditions
}

/// Reads [`LOG_COLUMNS`].
pub(super) fn log_record(row: &Row<'_>) -> duckdb::Result<LogRecord> {
    record(row, 0)
}

fn record(row: &Row<'_>, from: usize) -> duckdb::Result<LogRecord> {
    let text = |at: usize| row.get::<_, Option<String>>(from + at);
    Ok(LogRecord {
        time_unix_nano: row.get(from)?,
        observed_time_unix_nano: row.get::<_, Option<u64>>(from + 1)?.unwrap_or(0),
        severity_number: row.get(from + 2)?,
        severity_text: text(3)?,
        event_name: text(4)?,
        body: text(5)?,
        body_type: text(6)?,
        trace_id: text(7)?,
        span_id: text(8)?,
        scope: Scope {
            environment: text(9)?,
            service_namespace: text(10)?,
            cluster: text(11)?,
        },
        service_name: text(12)?,
        service_version: text(13)?,
        service_instance_id: text(14)?,
        scope_name: text(15)?,
        attributes: document::attributes(text(16)?.as_deref()),
        resource_attributes: document::attributes(text(17)?.as_deref()),
    })
}
