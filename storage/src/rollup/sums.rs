//! Rows of `red` and `service_edges` added up by bucket: by service and by edge; of all time by operation.

use std::collections::HashMap;

use duckdb::{Connection, Row, ToSql};

use super::by_bucket::{Builder, ByBucket, Summed, first_bucket};
use super::{BUCKET_NS, Part, Totals, edge_rows_sql, hops};
use crate::ask::{Ask as _, NONE, scope};
use crate::model::{Scope, TimeRange};

const STORED_SERVICES: &str = include_str!("sum_red.sql");
const SPANS: &str = include_str!("sum_spans.sql");
const STORED_EDGES: &str = include_str!("sum_edges.sql");
const CALLS: &str = include_str!("sum_calls.sql");

/// The bucket of a row of `red` and of a span, nanoseconds.
const STORED_BUCKET: &str = "epoch_ns(bucket_start)";
const SPAN_BUCKET: &str = "epoch_ns(start_time) - epoch_ns(start_time) % 10000000000";

/// Sums of fewer operations are of all there are; of more than so many at a time some may be left out.
pub(crate) const OPERATIONS_MAX: usize = if cfg!(test) { 40 } else { 5_000 };
/// Rows that an operation has at most: one for each basis, and one of durations.
const OPERATION_ROWS_MAX: usize = 4;

/// Spans of a service that stand for its calls equally well.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct ServiceSpans {
    pub scope: Scope,
    pub service_name: String,
    /// How well they stand for its calls: 1 best.
    pub rank: u8,
}

/// Those of them that have one name.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Operation {
    pub spans: ServiceSpans,
    pub name: String,
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

/// The stored roll-up of a schema, by service; of the buckets that touch a range, if one is given.
pub(crate) fn stored_services(
    conn: &Connection,
    schema: &str,
    range: Option<TimeRange>,
) -> duckdb::Result<ByBucket<ServiceSpans>> {
    let question = by_bucket(STORED_SERVICES, STORED_BUCKET);
    read(conn, &stored(&question, schema, range), 5, service)
}

/// Hot spans by service.
pub(crate) fn hot_services(
    conn: &Connection,
    rows: &Part,
) -> duckdb::Result<ByBucket<ServiceSpans>> {
    let sql = by_bucket(SPANS, SPAN_BUCKET)
        .replace("{range}", "")
        .replace("{spans}", &hops(rows));
    read(conn, &sql, 5, service)
}

/// The stored roll-up of a schema, by operation; of the buckets that touch a range and services of a name, if given.
/// With [`OPERATIONS_MAX`] of them it may not be all.
pub(crate) fn stored_operations(
    conn: &Connection,
    schema: &str,
    only: Option<(TimeRange, &str)>,
) -> duckdb::Result<ByBucket<Operation>> {
    let sql = STORED_SERVICES.replace("{schema}", schema);
    operations(conn, &sql, "bucket_start", only)
}

/// Hot spans by operation, of the buckets that touch a range and services of a name. With [`OPERATIONS_MAX`] of
/// them it may not be all.
pub(crate) fn hot_operations(
    conn: &Connection,
    rows: &Part,
    only: (TimeRange, &str),
) -> duckdb::Result<ByBucket<Operation>> {
    let sql = SPANS.replace("{spans}", &hops(rows));
    operations(conn, &sql, "start_time", Some(only))
}

/// A question about services, by this bucket.
fn by_bucket(question: &str, bucket: &str) -> String {
    question.replace("{name}", "").replace("{bucket}", bucket)
}

/// A question about services, by name and of all time, in a bucket that is 0.
fn operations(
    conn: &Connection,
    sql: &str,
    time: &str,
    only: Option<(TimeRange, &str)>,
) -> duckdb::Result<ByBucket<Operation>> {
    let rows = match only {
        Some((range, _)) => within(time, Some(range)) + " AND service_name = $1",
        None => String::new(),
    };
    let rows_max = OPERATIONS_MAX * OPERATION_ROWS_MAX;
    let sql = sql
        .replace("{name}", ", name")
        .replace("{bucket}", "0::BIGINT")
        .replace("{range}", &rows)
        + &format!("\nLIMIT {rows_max}");
    let service_name = only.map(|(_, service_name)| service_name);
    read_with(conn, &sql, service_name, 6, |row| {
        Ok(Operation {
            spans: service(row)?,
            name: row.get(5)?,
        })
    })
}

/// The stored final edges of a schema; of the buckets that touch a range, if one is given.
pub(crate) fn stored_edges(
    conn: &Connection,
    schema: &str,
    range: Option<TimeRange>,
) -> duckdb::Result<ByBucket<EdgeCalls>> {
    read(conn, &stored(STORED_EDGES, schema, range), 12, edge)
}

/// The calls of a rolled-up schema that nobody answered there, as if nobody did elsewhere; of the buckets that touch a
/// range, if one is given.
pub(crate) fn alone(
    conn: &Connection,
    schema: &str,
    range: Option<TimeRange>,
) -> duckdb::Result<ByBucket<EdgeCalls>> {
    let sql = CALLS
        .replace("{with}", "")
        .replace("{rows}", &super::alone_rows_sql(schema))
        .replace("{range}", &within("start_time", range));
    read(conn, &sql, 12, edge)
}

/// The traces that the open halves of some segments and the hot spans of others are of, and those they link to, each once.
pub(crate) fn open_traces(conn: &Connection, open: &[Part]) -> duckdb::Result<Vec<String>> {
    let mut question = conn.ask(&super::open_traces_sql(open))?;
    let rows = question.query_map(NONE, |row| row.get::<_, Option<String>>(0))?;
    rows.filter_map(Result::transpose).collect()
}

/// The edges that the open halves of some segments and the hot spans of others make with each other and with the calls
/// that nobody answered in `settled`, which are counted already; `traces` are those that may have such calls. Of the
/// buckets that touch a range, if one is given.
pub(crate) fn open_edges(
    conn: &Connection,
    open: &[Part],
    (settled, traces): (&[Part], &[&str]),
    range: Option<TimeRange>,
) -> duckdb::Result<ByBucket<EdgeCalls>> {
    let (with, rows) = edge_rows_sql(&super::EdgeParts {
        finals: &[],
        near: &[],
        settled,
        all: open,
    });
    let sql = CALLS
        .replace("{with}", &format!("WITH {with}"))
        .replace("{rows}", &rows)
        .replace("{range}", &within("start_time", range));
    if settled.is_empty() {
        return read(conn, &sql, 12, edge);
    }
    read_with(conn, &sql, [traces.join(",")], 12, edge)
}

/// A question about the stored roll-ups of a schema; of the buckets that touch a range, if one is given.
fn stored(question: &str, schema: &str, range: Option<TimeRange>) -> String {
    question
        .replace("{schema}", schema)
        .replace("{range}", &within("bucket_start", range))
}

/// A condition more: that a time lies in a bucket which touches the range. Nothing happened before 1970.
fn within(column: &str, range: Option<TimeRange>) -> String {
    let Some(range) = range else {
        return String::new();
    };
    let from = first_bucket(range);
    let after = (from > 0).then(|| format!(" AND {column} >= make_timestamp_ns({from})"));
    let last = range.to_unix_nano.saturating_sub(1).div_euclid(BUCKET_NS);
    let end = last
        .checked_add(1)
        .and_then(|next| next.checked_mul(BUCKET_NS));
    let before = end.map(|end| format!(" AND {column} < make_timestamp_ns({end})"));
    [after, before].into_iter().flatten().collect()
}

/// Reads sums: what they are of, and from column `at` on bucket, basis, calls, errors, the weights of both, how many of
/// the calls are messages, how long all of them took in nanoseconds, and the duration histogram.
pub(crate) fn read<K: Clone + Eq + std::hash::Hash>(
    conn: &Connection,
    sql: &str,
    at: usize,
    of: impl Fn(&Row<'_>) -> duckdb::Result<K>,
) -> duckdb::Result<ByBucket<K>> {
    read_with(conn, sql, NONE, at, of)
}

/// The same of a question with values.
fn read_with<K: Clone + Eq + std::hash::Hash>(
    conn: &Connection,
    sql: &str,
    values: impl IntoIterator<Item: ToSql>,
    at: usize,
    of: impl Fn(&Row<'_>) -> duckdb::Result<K>,
) -> duckdb::Result<ByBucket<K>> {
    let mut question = conn.ask(sql)?;
    let mut rows = question.query(values)?;
    let mut builder = Builder::new();
    while let Some(row) = rows.next()? {
        let totals = builder.of(of(row)?, row.get(at)?);
        let calls: u64 = row.get(at + 2)?;
        if calls > 0 {
            let basis: String = row.get(at + 1)?;
            let (weight, error_weight) = (row.get(at + 4)?, row.get(at + 5)?);
            totals.add_counts(calls, row.get(at + 3)?, weight, error_weight, &basis);
            totals.messages += row.get::<_, u64>(at + 6)?;
            totals.duration_ns += row.get::<_, Option<f64>>(at + 7)?.unwrap_or_default();
        }
        let durations: Option<String> = row.get(at + 8)?;
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_in_sql_has_the_buckets_that_touch_it() {
        let of = |from, to| {
            let range = TimeRange {
                from_unix_nano: from,
                to_unix_nano: to,
            };
            within("t", Some(range))
        };
        let (ten, twenty) = (BUCKET_NS, 2 * BUCKET_NS);
        let expected =
            format!(" AND t >= make_timestamp_ns({ten}) AND t < make_timestamp_ns({twenty})");
        assert_eq!(of(ten, twenty), expected);
        assert_eq!(of(twenty - 1, ten + 1), expected);
        assert_eq!(of(0, i64::MAX), "");
        assert_eq!(within("t", None), "");
    }
}
