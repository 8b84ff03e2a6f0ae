//! The points of one metric, per stream or per group of streams, with rates and quantiles.

mod distribution;
mod grouped;
mod heatmap;
mod keys;
mod mixture;
mod steps;

use std::collections::BTreeMap;
use std::sync::Arc;

use duckdb::types::Value;
use duckdb::{Connection, Row, params};

use super::conditions::Conditions;
use super::filter::check_regexes;
use super::trace::{EXEMPLAR_COLUMNS, exemplar_record};
use super::{QueryError, Session, document};
use crate::ask::Ask;
use crate::model::{
    EXEMPLARS_COUNTED_MAX, ExemplarRecord, MetricPoint, MetricPoints, MetricPointsQuery,
    MetricSeries, Scope,
};
use distribution::Distribution;
pub use heatmap::metric_heatmap;
use keys::Stream;

const POINTS: &str = include_str!("points.sql");
const SERIES_MAX: usize = 1_000;
/// What points are read from.
const RELATIONS: [&str; 4] = ["metrics", "metric_points", "resources", "exemplars"];
const POINTS_MAX: usize = 100_000;
const EXEMPLARS_MAX: usize = 100;

/// The points of one metric with rates and quantiles: per stream, or per group of streams if the question says by
/// what.
pub fn metric_points(
    session: &Session<'_>,
    query: &MetricPointsQuery,
) -> Result<MetricPoints, QueryError> {
    session.run_over(&RELATIONS, |conn| {
        let mut streams = streams(conn, query)?;
        keys::read_resources(conn, &mut streams)?;
        let keys = keys::keys(&streams);
        let found = match &query.by {
            Some(key) => grouped::grouped(conn, query, key, streams)?,
            None => one_by_one(conn, query, streams)?,
        };
        Ok(MetricPoints { keys, ..found })
    })
}

/// Each stream for itself, by id.
fn one_by_one(
    conn: &Connection,
    query: &MetricPointsQuery,
    streams: BTreeMap<u64, Stream>,
) -> Result<MetricPoints, QueryError> {
    let points_max = query.points_max.clamp(1, POINTS_MAX);
    let total_series = streams.len() as u64;
    let mut series: BTreeMap<u64, MetricSeries> = streams
        .into_iter()
        .take(query.series_max.clamp(1, SERIES_MAX))
        .map(|(id, stream)| (id, stream.series))
        .collect();
    let ids = ids_text(series.keys());
    let mut truncated = (series.len() as u64) < total_series;
    each_stream(conn, query, &ids, points_max, |id, raw| {
        if let Some(series) = series.get_mut(&id) {
            truncated |= raw.len() > points_max;
            series.points = computed(series, raw);
            let cut = series.points.len().saturating_sub(points_max);
            series.points.drain(..cut);
        }
    })?;
    let exemplars = exemplars(conn, query, &ids)?;
    let total_exemplars = exemplars.len() as u64;
    for (id, exemplar) in exemplars {
        if let Some(series) = series
            .get_mut(&id)
            .filter(|series| series.exemplars.len() < EXEMPLARS_MAX)
        {
            series.exemplars.push(exemplar);
        }
    }
    Ok(MetricPoints {
        series: series.into_values().collect(),
        truncated,
        total_series,
        total_exemplars,
        ..MetricPoints::default()
    })
}

/// Ids as one text value.
fn ids_text<'a>(ids: impl Iterator<Item = &'a u64>) -> String {
    let ids: Vec<String> = ids.map(u64::to_string).collect();
    ids.join(",")
}

fn streams(
    conn: &Connection,
    query: &MetricPointsQuery,
) -> Result<BTreeMap<u64, Stream>, QueryError> {
    let mut conditions = Conditions::default();
    conditions.add("name = ?", [Value::Text(query.name.clone())]);
    conditions.scope(&query.scope);
    conditions.text("service_name = ?", query.service.as_ref());
    conditions.streams(query.filter.as_ref());
    let sql = format!(
        "SELECT series_id, environment, service_namespace, cluster, service_name, service_instance_id, type, unit, \
         temporality, is_monotonic, attributes::JSON::VARCHAR, service_version, scope_name, scope_version, \
         resource_id FROM metrics f {}",
        conditions.filter_clause()
    );
    if let Some(filter) = &query.filter {
        check_regexes(conn, filter)?;
    }
    let mut statement = conn.ask(&sql)?;
    let rows = statement.query_map(conditions.values(), |row| {
        let id: u64 = row.get(0)?;
        let series = MetricSeries {
            series_id: format!("{id:016x}"),
            scope: Scope {
                environment: row.get(1)?,
                service_namespace: row.get(2)?,
                cluster: row.get(3)?,
            },
            service_name: row.get(4)?,
            service_instance_id: row.get(5)?,
            kind: row.get(6)?,
            unit: row.get::<_, Option<String>>(7)?.unwrap_or_default(),
            temporality: row.get(8)?,
            is_monotonic: row.get(9)?,
            attributes: document::attributes(row.get::<_, Option<String>>(10)?.as_deref()),
            points: Vec::new(),
            exemplars: Vec::new(),
        };
        let stream = Stream {
            series,
            service_version: row.get(11)?,
            scope_name: row.get(12)?,
            scope_version: row.get(13)?,
            resource_id: row.get(14)?,
            resource: Arc::default(),
        };
        Ok((id, stream))
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// A point as stored.
struct RawPoint {
    point: MetricPoint,
    distribution: Option<Distribution>,
}

/// Reads the points of these streams, one stream after the other: one point more than asked for, if there are,
/// to know a rate for the first.
fn each_stream(
    conn: &Connection,
    query: &MetricPointsQuery,
    ids: &str,
    points_max: usize,
    mut visit: impl FnMut(u64, &[RawPoint]),
) -> Result<(), QueryError> {
    if ids.is_empty() {
        return Ok(());
    }
    let mut statement = conn.ask(POINTS)?;
    let (from, to) = (query.range.from_unix_nano, query.range.to_unix_nano);
    let mut rows = statement.query(params![query.name, from, to, ids, points_max as u64 + 1])?;
    let mut current: Option<u64> = None;
    let mut points: Vec<RawPoint> = Vec::new();
    while let Some(row) = rows.next()? {
        let id: u64 = row.get(0)?;
        if let Some(done) = current.replace(id).filter(|before| *before != id) {
            visit(done, &points);
            points.clear();
        }
        points.push(raw_point(row)?);
    }
    if let Some(done) = current {
        visit(done, &points);
    }
    Ok(())
}

fn raw_point(row: &Row<'_>) -> duckdb::Result<RawPoint> {
    let point = MetricPoint {
        time_unix_nano: row.get(1)?,
        start_time_unix_nano: row.get::<_, Option<u64>>(2)?.unwrap_or(0),
        value: row
            .get::<_, Option<f64>>(4)?
            .filter(|value| value.is_finite()),
        value_int: row.get(5)?,
        count: row.get(6)?,
        sum: row.get(7)?,
        min: row.get(8)?,
        max: row.get(9)?,
        ..MetricPoint::default()
    };
    Ok(RawPoint {
        distribution: Distribution::read(row)?,
        point,
    })
}

/// Which of a stream's numbers go on from point to point.
#[derive(Debug, Clone, Copy)]
struct Nature {
    /// A point counts from the start of its stream.
    is_cumulative: bool,
    /// It has a rate.
    is_rate: bool,
}

impl Nature {
    fn of(series: &MetricSeries) -> Self {
        let is_cumulative = series.temporality.as_deref() == Some("cumulative");
        let is_rate = match series.kind.as_str() {
            "sum" => series.is_monotonic.unwrap_or(false) || !is_cumulative,
            "histogram" | "exponential_histogram" | "summary" => true,
            _ => false,
        };
        Self {
            is_cumulative: is_cumulative || series.kind == "summary",
            is_rate,
        }
    }
}

/// Adds what follows from the point before.
fn computed(series: &MetricSeries, raw: &[RawPoint]) -> Vec<MetricPoint> {
    let nature = Nature::of(series);
    let mut points = Vec::with_capacity(raw.len());
    for (
        at,
        RawPoint {
            point,
            distribution,
        },
    ) in raw.iter().enumerate()
    {
        let before = at.checked_sub(1).map(|at| &raw[at]);
        let mut point = point.clone();
        if nature.is_rate {
            point.rate =
                since(&point, before.map(|raw| &raw.point), nature.is_cumulative).map(Since::rate);
        }
        if let Some(distribution) = distribution {
            let since = before
                .filter(|raw| nature.is_cumulative && !is_reset(&point, &raw.point))
                .and_then(|raw| raw.distribution.as_ref());
            let recent = since.and_then(|before| distribution.minus(before));
            let shown = recent
                .as_ref()
                .filter(|recent| !recent.is_empty())
                .unwrap_or(distribution);
            [point.p50, point.p95, point.p99] =
                [0.5, 0.95, 0.99].map(|q| shown.quantile(q, point.min, point.max));
        }
        points.push(point);
    }
    points
}

/// The value a rate is made of.
fn amount(point: &MetricPoint) -> Option<f64> {
    point.value.or(point.count.map(|count| count as f64))
}

fn is_reset(point: &MetricPoint, before: &MetricPoint) -> bool {
    point.start_time_unix_nano != before.start_time_unix_nano || amount(point) < amount(before)
}

/// What a point adds, and over how long; the length is positive.
#[derive(Debug, Clone, Copy)]
struct Since {
    amount: f64,
    length_ns: i64,
}

impl Since {
    /// Per second.
    fn rate(self) -> f64 {
        self.amount / (self.length_ns as f64 / 1e9)
    }
}

/// What came since the point before, or since the start of the point where the counter began anew or is a delta.
fn since(point: &MetricPoint, before: Option<&MetricPoint>, is_cumulative: bool) -> Option<Since> {
    let amount_now = amount(point)?;
    let since_start = (point.start_time_unix_nano > 0)
        .then(|| {
            point
                .time_unix_nano
                .saturating_sub_unsigned(point.start_time_unix_nano)
        })
        .filter(|length| *length > 0);
    let since_before = before
        .map(|before| point.time_unix_nano - before.time_unix_nano)
        .filter(|length| *length > 0);
    let (amount, length_ns) = match before.filter(|_| is_cumulative) {
        Some(before) if !is_reset(point, before) => (amount_now - amount(before)?, since_before?),
        Some(_) => (amount_now, since_start?),
        None if is_cumulative => return None,
        None => (amount_now, since_start.or(since_before)?),
    };
    Some(Since { amount, length_ns })
}

fn exemplars(
    conn: &Connection,
    query: &MetricPointsQuery,
    ids: &str,
) -> Result<Vec<(u64, ExemplarRecord)>, QueryError> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let sql = format!(
        "SELECT {EXEMPLAR_COLUMNS}, series_id FROM exemplars WHERE name = ? \
         AND point_time >= make_timestamp_ns(?) AND point_time < make_timestamp_ns(?) \
         AND series_id IN (SELECT unnest(string_split(?, ','))::UBIGINT) ORDER BY time DESC LIMIT {EXEMPLARS_COUNTED_MAX}"
    );
    let mut statement = conn.ask(&sql)?;
    let (from, to) = (query.range.from_unix_nano, query.range.to_unix_nano);
    let rows = statement.query_map(params![query.name, from, to, ids], |row| {
        Ok((row.get(9)?, exemplar_record(row)?))
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}
