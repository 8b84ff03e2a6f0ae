//! Rows of `red` and `service_edges` added up by bucket: by service and by edge.

use std::collections::HashMap;

use duckdb::{Connection, Row};

use super::by_bucket::{Builder, ByBucket, Summed};
use super::{Part, Totals, edge_rows_sql, hops};
use crate::ask::{Ask as _, NONE, scope};
use crate::model::Scope;

const STORED_SERVICES: &str = include_str!("sum_red.sql");
const SPANS: &str = include_str!("sum_spans.sql");
const STORED_EDGES: &str = include_str!("sum_edges.sql");
const CALLS: &str = include_str!("sum_calls.sql");

/// Spans of a service that stand for its calls equally well.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct ServiceSpans {
    pub scope: Scope,
    pub service_name: String,
    /// How well they stand for its calls: 1 best.
    pub rank: u8,
}

/// Calls from one service to another.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct EdgeCalls {
    pub caller: (Scope, String),
    pub callee: (Scope, String),
    /// The column `kind`.
    pub kind: String,
    pub is_async: bool,
    /// Which end no span speaks for.
    pub inferred: Option<String>,
    /// They are to be taken away from others.
    pub is_minus: bool,
}

/// Sums by service.
pub(crate) type ServiceSum = Summed<ServiceSpans>;
/// Sums by edge.
pub(crate) type EdgeSum = Summed<EdgeCalls>;

/// The stored roll-up of a schema, by service.
pub(crate) fn stored_services(
    conn: &Connection,
    schema: &str,
) -> duckdb::Result<ByBucket<ServiceSpans>> {
    let sql = STORED_SERVICES.replace("{schema}", schema);
    read(conn, &sql, 5, service)
}

/// Hot spans by service.
pub(crate) fn hot_services(
    conn: &Connection,
    parts: &[Part],
) -> duckdb::Result<ByBucket<ServiceSpans>> {
    let spans: Vec<String> = parts.iter().map(hops).collect();
    let sql = SPANS.replace("{spans}", &spans.join(" UNION ALL "));
    read(conn, &sql, 5, service)
}

/// The stored final edges of a schema.
pub(crate) fn stored_edges(conn: &Connection, schema: &str) -> duckdb::Result<ByBucket<EdgeCalls>> {
    let sql = STORED_EDGES.replace("{schema}", schema);
    read(conn, &sql, 12, edge)
}

/// The calls of a rolled-up schema that nobody answered there, as if nobody did elsewhere.
pub(crate) fn alone(conn: &Connection, schema: &str) -> duckdb::Result<ByBucket<EdgeCalls>> {
    let rows = super::alone_rows_sql(schema);
    let sql = CALLS.replace("{with}", "").replace("{rows}", &rows);
    read(conn, &sql, 12, edge)
}

/// The edges that the open halves of some rolled-up parts and the hot spans of others make with each other and with the
/// calls that nobody answered in `settled`, which are counted already.
pub(crate) fn open_edges(
    conn: &Connection,
    open: &[Part],
    settled: &[Part],
) -> duckdb::Result<ByBucket<EdgeCalls>> {
    let (with, rows) = edge_rows_sql(&super::EdgeParts {
        finals: &[],
        near: &[],
        settled,
        all: open,
    });
    let sql = CALLS
        .replace("{with}", &format!("WITH {with}"))
        .replace("{rows}", &rows);
    read(conn, &sql, 12, edge)
}

/// Reads sums: what they are of, and from column `at` on bucket, basis, calls, errors, weight, how many of the calls are
/// messages, and the duration histogram.
fn read<K: Clone + Eq + std::hash::Hash>(
    conn: &Connection,
    sql: &str,
    at: usize,
    of: impl Fn(&Row<'_>) -> duckdb::Result<K>,
) -> duckdb::Result<ByBucket<K>> {
    let mut question = conn.ask(sql)?;
    let mut rows = question.query(NONE)?;
    let mut builder = Builder::new();
    while let Some(row) = rows.next()? {
        let totals = builder.of(of(row)?, row.get(at)?);
        let calls: u64 = row.get(at + 2)?;
        if calls > 0 {
            let basis: String = row.get(at + 1)?;
            totals.add_counts(calls, row.get(at + 3)?, row.get(at + 4)?, &basis);
            totals.messages += row.get::<_, u64>(at + 5)?;
        }
        let durations: Option<String> = row.get(at + 6)?;
        for entry in durations.as_deref().unwrap_or_default().split(',') {
            let Some((Ok(bucket), Ok(count))) = entry
                .split_once(':')
                .map(|(bucket, count)| (bucket.parse(), count.parse()))
            else {
                continue;
            };
            totals.add_bucket(bucket, count);
        }
    }
    Ok(builder.finish())
}

fn service(row: &Row<'_>) -> duckdb::Result<ServiceSpans> {
    Ok(ServiceSpans {
        scope: scope(row, 0)?,
        service_name: row.get(3)?,
        rank: row.get(4)?,
    })
}

fn edge(row: &Row<'_>) -> duckdb::Result<EdgeCalls> {
    Ok(EdgeCalls {
        caller: (scope(row, 0)?, row.get(3)?),
        callee: (scope(row, 4)?, row.get(7)?),
        kind: row.get(8)?,
        is_async: row.get(9)?,
        inferred: row.get(10)?,
        is_minus: row.get(11)?,
    })
}

/// Sums by edge without what is to be taken away from them; edges of which nothing is left are left out.
pub(crate) fn without(
    mut sums: HashMap<EdgeCalls, Totals>,
    minus: Vec<EdgeSum>,
) -> HashMap<EdgeCalls, Totals> {
    for sum in minus {
        let of = EdgeCalls {
            is_minus: false,
            ..sum.of
        };
        if let Some(totals) = sums.get_mut(&of) {
            totals.take_away(&sum.totals);
        }
    }
    sums.retain(|_, totals| totals.calls > 0);
    sums
}
