//! The points of one metric, per stream, with rates and quantiles.

mod distribution;

use std::collections::BTreeMap;

use duckdb::types::Value;
use duckdb::{Connection, Row, params};

use super::conditions::Conditions;
use super::filter::check_regexes;
use super::trace::{EXEMPLAR_COLUMNS, exemplar_record};
use super::{QueryError, Session, document};
use crate::ask::Ask;
use crate::model::{
    ExemplarRecord, MetricPoint, MetricPoints, MetricPointsQuery, MetricSeries, Scope,
};
use distribution::Distribution;

const POINTS: &str = include_str!("points.sql");
const SERIES_MAX: usize = 1_000;
const POINTS_MAX: usize = 100_000;
const EXEMPLARS_MAX: usize = 100;

/// The points of one metric, per stream, with rates and quantiles.
pub fn metric_points(
    session: &Session<'_>,
    query: &MetricPointsQuery,
) -> Result<MetricPoints, QueryError> {
    let points_max = query.points_max.clamp(1, POINTS_MAX);
    session.run(|conn| {
        let mut series = series(conn, query)?;
        let total_series = series.len() as u64;
        let kept: Vec<u64> = series
            .keys()
            .copied()
            .take(query.series_max.clamp(1, SERIES_MAX))
            .collect();
        series.retain(|id, _| kept.contains(id));
        let ids: Vec<String> = kept.iter().map(u64::to_string).collect();
        let mut truncated = (kept.len() as u64) < total_series;
        for (id, raw) in points(conn, query, &ids.join(","), points_max)? {
            if let Some(series) = series.get_mut(&id) {
                truncated |= raw.len() > points_max;
                series.points = computed(series, &raw);
                let cut = series.points.len().saturating_sub(points_max);
                series.points.drain(..cut);
            }
        }
        for (id, exemplar) in exemplars(conn, query, &ids.join(","))? {
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
        })
    })
}

fn series(
    conn: &Connection,
    query: &MetricPointsQuery,
) -> Result<BTreeMap<u64, MetricSeries>, QueryError> {
    let mut conditions = Conditions::default();
    conditions.add("name = ?", [Value::Text(query.name.clone())]);
    conditions.scope(&query.scope);
    conditions.text("service_name = ?", query.service.as_ref());
    conditions.streams(query.filter.as_ref());
    let sql = format!(
        "SELECT series_id, environment, service_namespace, cluster, service_name, service_instance_id, type, unit, \
         temporality, is_monotonic, attributes::JSON::VARCHAR FROM metrics f {}",
        conditions.filter_clause()
    );
    if let Some(filter) = &query.filter {
        check_regexes(conn, filter)?;
    }
    let mut statement = conn.ask(&sql)?;
    let rows = statement.query_map(conditions.values(), |row| {
        let id: u64 = row.get(0)?;
        Ok((
            id,
            MetricSeries {
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
            },
        ))
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// A point as stored.
struct RawPoint {
    point: MetricPoint,
    distribution: Option<Distribution>,
}

/// One more than asked for, if there are, to know a rate for the first.
fn points(
    conn: &Connection,
    query: &MetricPointsQuery,
    ids: &str,
    points_max: usize,
) -> Result<BTreeMap<u64, Vec<RawPoint>>, QueryError> {
    let mut streams: BTreeMap<u64, Vec<RawPoint>> = BTreeMap::new();
    if ids.is_empty() {
        return Ok(streams);
    }
    let mut statement = conn.ask(POINTS)?;
    let (from, to) = (query.range.from_unix_nano, query.range.to_unix_nano);
    let mut rows = statement.query(params![query.name, from, to, ids, points_max as u64 + 1])?;
    while let Some(row) = rows.next()? {
        streams
            .entry(row.get(0)?)
            .or_default()
            .push(raw_point(row)?);
    }
    Ok(streams)
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

/// Adds what follows from the point before.
fn computed(series: &MetricSeries, raw: &[RawPoint]) -> Vec<MetricPoint> {
    let is_cumulative = series.temporality.as_deref() == Some("cumulative");
    let is_rate = match series.kind.as_str() {
        "sum" => series.is_monotonic.unwrap_or(false) || !is_cumulative,
        "histogram" | "exponential_histogram" => true,
        "summary" => true,
        _ => false,
    };
    let is_cumulative = is_cumulative || series.kind == "summary";
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
        if is_rate {
            point.rate = rate(&point, before.map(|raw| &raw.point), is_cumulative);
        }
        if let Some(distribution) = distribution {
            let since = before
                .filter(|raw| is_cumulative && !is_reset(&point, &raw.point))
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

fn rate(point: &MetricPoint, before: Option<&MetricPoint>, is_cumulative: bool) -> Option<f64> {
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
    Some(amount / (length_ns as f64 / 1e9))
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
         AND series_id IN (SELECT unnest(string_split(?, ','))::UBIGINT) ORDER BY time DESC LIMIT 10000"
    );
    let mut statement = conn.ask(&sql)?;
    let (from, to) = (query.range.from_unix_nano, query.range.to_unix_nano);
    let rows = statement.query_map(params![query.name, from, to, ids], |row| {
        Ok((row.get(9)?, exemplar_record(row)?))
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}
