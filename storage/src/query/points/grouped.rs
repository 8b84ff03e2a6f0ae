//! Streams with the same value of a key as one: their points merged step by step.
//!
//! Streams report at times of their own, so points cannot be added up as they come. A counter's or histogram's
//! increase is spread over the time it took; a gauge holds its value until its next point, as long as
//! [`HOLD_NS`] at most. A stream's level in a step is the mean over the part of the step it covers.

use std::collections::{BTreeMap, HashMap};

use duckdb::Connection;

use super::distribution::Distribution;
use super::keys::Stream;
use super::mixture::{Mixture, quantiles};
use super::steps::Steps;
use super::{
    EXEMPLARS_MAX, Nature, POINTS_MAX, RawPoint, SERIES_MAX, each_stream, exemplars, ids_text,
    is_reset, since,
};
use crate::filter::Key;
use crate::model::{
    Attribute, AttributeValue, Grouping, MetricPoint, MetricPoints, MetricPointsQuery,
    MetricSeries, Scope,
};
use crate::query::QueryError;

/// Steps over the range.
const STEPS: u32 = 120;
/// Groups at most.
const GROUPS_MAX: usize = 200;
/// Points read in all, about: streams share them.
const ALL_POINTS_MAX: usize = 2_000_000;
/// How long a value holds without a new one, nanoseconds; Prometheus looks back as far.
const HOLD_NS: i64 = 300_000_000_000;

/// The streams merged by their value of `key`, the groups with the most streams first.
pub(super) fn grouped(
    conn: &Connection,
    query: &MetricPointsQuery,
    key: &Key,
    mut streams: BTreeMap<u64, Stream>,
) -> Result<MetricPoints, QueryError> {
    let steps = Steps::over(query.range, STEPS);
    let total_streams = streams.len() as u64;
    let by = key.to_string();
    let (mut groups, mut group_of) = gathered(&streams, key, &by, steps);
    let total_series = groups.len() as u64;
    let groups_max = query.series_max.clamp(1, GROUPS_MAX);
    group_of.retain(|_, group| *group < groups_max);
    groups.truncate(groups_max);
    streams.retain(|id, _| group_of.contains_key(id));
    let mut is_cut = (groups.len() as u64) < total_series || streams.len() > SERIES_MAX;
    let kept: Vec<u64> = streams.keys().copied().take(SERIES_MAX).collect();
    let ids = ids_text(kept.iter());
    let points_max = points_of_each(kept.len());
    each_stream(conn, query, &ids, points_max, |id, raw| {
        is_cut |= raw.len() > points_max;
        let group = group_of.get(&id).and_then(|at| groups.get_mut(*at));
        if let Some(group) = group {
            group.add(raw, steps);
        }
    })?;
    let exemplars = exemplars(conn, query, &ids)?;
    let total_exemplars = exemplars.len() as u64;
    for (id, exemplar) in exemplars {
        if let Some(group) = group_of
            .get(&id)
            .and_then(|at| groups.get_mut(*at))
            .filter(|group| group.head.exemplars.len() < EXEMPLARS_MAX)
        {
            group.head.exemplars.push(exemplar);
        }
    }
    Ok(MetricPoints {
        series: groups
            .into_iter()
            .map(|group| group.finish(steps))
            .collect(),
        truncated: is_cut,
        total_series,
        total_exemplars,
        keys: Vec::new(),
        grouping: Some(Grouping {
            by,
            step_ns: steps.step_ns,
            streams: kept.len() as u64,
            total_streams,
        }),
    })
}

/// Points read of each of so many streams.
pub(super) fn points_of_each(streams: usize) -> usize {
    (ALL_POINTS_MAX / streams.max(1)).clamp(2_000, POINTS_MAX)
}

/// Empty groups, the one with the most streams first, and the group of each stream. Only streams of one kind, unit,
/// temporality and direction can be merged.
fn gathered(
    streams: &BTreeMap<u64, Stream>,
    key: &Key,
    by: &str,
    steps: Steps,
) -> (Vec<Group>, HashMap<u64, usize>) {
    let mut members: BTreeMap<String, Vec<u64>> = BTreeMap::new();
    for (id, stream) in streams {
        let series = &stream.series;
        let identity = format!(
            "{:?}",
            (
                stream.value(key),
                &series.kind,
                &series.unit,
                &series.temporality,
                series.is_monotonic
            )
        );
        members.entry(identity).or_default().push(*id);
    }
    let mut members: Vec<Vec<u64>> = members.into_values().collect();
    members.sort_by_key(|ids| std::cmp::Reverse(ids.len()));
    let mut group_of = HashMap::new();
    let mut groups = Vec::new();
    for ids in members {
        let Some(first) = ids.first().and_then(|id| streams.get(id)) else {
            continue;
        };
        group_of.extend(ids.iter().map(|id| (*id, groups.len())));
        groups.push(Group::new(&first.series, by, first.value(key), steps));
    }
    (groups, group_of)
}

/// Streams that became one.
struct Group {
    head: MetricSeries,
    nature: Nature,
    cells: Vec<Cell>,
    buckets: Mixture,
}

/// A step of a group.
#[derive(Debug, Clone, Default)]
struct Cell {
    /// Streams with a value, and the sum of these.
    levels: u64,
    level: f64,
    /// Streams with a rate, and the sum of these.
    rates: u64,
    rate: f64,
    /// What was counted.
    amount: f64,
    /// What the values counted add up to, where it is said.
    sum: Option<f64>,
    min: Option<f64>,
    max: Option<f64>,
}

/// A stream's level in a step: sums weighted by nanoseconds, and these.
#[derive(Debug, Clone, Copy, Default)]
struct Level {
    weighted: f64,
    covered: f64,
}

impl Level {
    fn add(&mut self, level: f64, ns: i64) {
        self.weighted += level * ns as f64;
        self.covered += ns as f64;
    }

    fn mean(self) -> Option<f64> {
        (self.covered > 0.0).then(|| self.weighted / self.covered)
    }
}

impl Group {
    fn new(first: &MetricSeries, by: &str, value: Option<AttributeValue>, steps: Steps) -> Self {
        let attributes = value.map(|value| Attribute {
            key: by.to_owned(),
            value,
        });
        let head = MetricSeries {
            series_id: String::new(),
            scope: Scope::default(),
            service_name: None,
            service_instance_id: None,
            kind: first.kind.clone(),
            unit: first.unit.clone(),
            temporality: first.temporality.clone(),
            is_monotonic: first.is_monotonic,
            attributes: attributes.into_iter().collect(),
            points: Vec::new(),
            exemplars: Vec::new(),
        };
        Self {
            nature: Nature::of(&head),
            head,
            cells: vec![Cell::default(); steps.count],
            buckets: Mixture::new(steps.count),
        }
    }

    /// Adds a stream's points, oldest first.
    fn add(&mut self, raw: &[RawPoint], steps: Steps) {
        let mut levels = vec![Level::default(); steps.count];
        let mut rates = vec![Level::default(); steps.count];
        for (at, now) in raw.iter().enumerate() {
            let before = at.checked_sub(1).and_then(|at| raw.get(at));
            if let Some(value) = now.point.value {
                let until = now.point.time_unix_nano.saturating_add(HOLD_NS);
                let until = raw
                    .get(at + 1)
                    .map_or(until, |next| until.min(next.point.time_unix_nano));
                for (step, ns) in steps.touched(now.point.time_unix_nano, until) {
                    levels[step].add(value, ns);
                }
            }
            if self.nature.is_rate {
                self.add_increase(now, before, steps, &mut rates);
            }
        }
        let is_gauge = self.head.kind == "gauge";
        for ((cell, level), rate) in self.cells.iter_mut().zip(levels).zip(rates) {
            if let Some(level) = level.mean() {
                cell.levels += 1;
                cell.level += level;
                if is_gauge {
                    cell.extremes(Some(level), Some(level));
                }
            }
            if let Some(rate) = rate.mean() {
                cell.rates += 1;
                cell.rate += rate;
            }
        }
    }

    /// Spreads what came since the point before over the time it took.
    fn add_increase(
        &mut self,
        now: &RawPoint,
        before: Option<&RawPoint>,
        steps: Steps,
        rates: &mut [Level],
    ) {
        let is_cumulative = self.nature.is_cumulative;
        let before_point = before.map(|before| &before.point);
        let Some(since) = since(&now.point, before_point, is_cumulative) else {
            return;
        };
        // Of a counter that went on, only what is new; a delta or a new start counts whole.
        let going_on =
            before.filter(|before| is_cumulative && !is_reset(&now.point, &before.point));
        let sum = match going_on {
            Some(before) => now
                .point
                .sum
                .zip(before.point.sum)
                .map(|(now, then)| now - then),
            None => now.point.sum,
        };
        let buckets = increase(now, going_on).map_or_else(Vec::new, |new| new.buckets());
        let end = now.point.time_unix_nano;
        for (step, ns) in steps.touched(end.saturating_sub(since.length_ns), end) {
            let share = ns as f64 / since.length_ns as f64;
            rates[step].add(since.rate(), ns);
            let cell = &mut self.cells[step];
            cell.amount += since.amount * share;
            if let Some(sum) = sum {
                *cell.sum.get_or_insert(0.0) += sum * share;
            }
            cell.extremes(now.point.min, now.point.max);
            for (low, high, count) in &buckets {
                self.buckets.add((*low, *high), step, *count as f64 * share);
            }
        }
    }

    /// One point a step, from the first with anything in it to the last.
    fn finish(mut self, steps: Steps) -> MetricSeries {
        let is_filled = |cell: &Cell| cell.levels + cell.rates > 0;
        let first = self.cells.iter().position(is_filled).unwrap_or(0);
        let end = self
            .cells
            .iter()
            .rposition(is_filled)
            .map_or(0, |at| at + 1);
        self.head.points = (first..end)
            .map(|at| self.point(at, steps.start(at)))
            .collect();
        self.head
    }

    fn point(&self, at: usize, start: i64) -> MetricPoint {
        let cell = &self.cells[at];
        let mut point = MetricPoint {
            time_unix_nano: start,
            start_time_unix_nano: u64::try_from(start).unwrap_or(0),
            rate: (cell.rates > 0).then_some(cell.rate),
            ..MetricPoint::default()
        };
        let level = (cell.levels > 0).then_some(cell.level);
        match self.head.kind.as_str() {
            "gauge" => {
                point.value = level.map(|level| level / cell.levels as f64);
                point.sum = level;
                point.count = level.map(|_| cell.levels);
                (point.min, point.max) = (cell.min, cell.max);
            }
            "sum" if self.nature.is_cumulative => point.value = level,
            "sum" => point.value = (cell.rates > 0).then_some(cell.amount),
            _ if cell.rates > 0 => {
                point.count = Some(cell.amount.max(0.0).round() as u64);
                point.sum = cell.sum;
                (point.min, point.max) = (cell.min, cell.max);
                let buckets = self.buckets.at(at, cell.min, cell.max);
                [point.p50, point.p95, point.p99] = quantiles(&buckets, [0.5, 0.95, 0.99]);
            }
            _ => {}
        }
        point
    }
}

impl Cell {
    fn extremes(&mut self, min: Option<f64>, max: Option<f64>) {
        self.min = self.min.into_iter().chain(min).reduce(f64::min);
        self.max = self.max.into_iter().chain(max).reduce(f64::max);
    }
}

/// What is new in a point's distribution; `None` when that cannot be known.
pub(super) fn increase(now: &RawPoint, going_on: Option<&RawPoint>) -> Option<Distribution> {
    let distribution = now.distribution.as_ref()?;
    match going_on {
        Some(before) => distribution.minus(before.distribution.as_ref()?),
        None => Some(distribution.clone()),
    }
}
