//! How edges and services did before and during each of several incidents, from roll-ups of ten seconds.

use std::collections::{BTreeMap, HashMap};

use duckdb::Connection;

use super::links::Node;
use super::{QueryError, SECOND};
use crate::model::{Incident, TimeRange};
use crate::rollup::{BUCKET_NS, BucketSum};
use crate::store::SegmentSet;

/// Ranks of spans by which a service answers calls (`rollup/sum_red.sql`): its own entry spans and its proxy's.
const ANSWERING: u8 = 2;
/// What was usual is measured over so long before.
pub(super) const BEFORE_NS: i64 = 300 * SECOND;
/// A window of the breaker lies before its trip: errors of this time belong to the incident.
const LEAD_NS: i64 = 20 * SECOND;
/// How much of an incident is looked at for its cause.
const DURING_MAX_NS: i64 = 60 * SECOND;

/// Sums of one edge or service; calls are those that the spans stand for.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Sums {
    pub calls: u64,
    pub errors: u64,
    pub mean_ns: f64,
}

impl Sums {
    /// Failed share, 0 to 1.
    pub(super) fn error_share(&self) -> f64 {
        self.errors as f64 / (self.calls.max(1)) as f64
    }
}

/// Before and during.
pub(super) type Pair = [Sums; 2];

/// The times that one incident is judged by, in nanoseconds.
struct Window {
    number: usize,
    /// What was usual is measured from here on.
    before: i64,
    /// What belongs to the incident, from here on.
    during: i64,
    finish: i64,
}

/// What belongs to an incident begins here: whole buckets, from shortly before its first trip.
pub(super) fn begins(incident: &Incident) -> i64 {
    (incident.start_unix_nano - LEAD_NS).div_euclid(BUCKET_NS) * BUCKET_NS
}

impl Window {
    fn of(number: usize, incident: &Incident) -> Self {
        let start = incident.start_unix_nano;
        let during = begins(incident);
        let trips = incident.breakers.iter().map(|b| b.trip.time_unix_nano);
        let last = trips.max().unwrap_or(start);
        Self {
            number,
            before: during - BEFORE_NS,
            during,
            finish: last.min(start + DURING_MAX_NS) + BUCKET_NS,
        }
    }
}

/// What one edge or service did, bucket by bucket.
#[derive(Debug, Default)]
struct Course(BTreeMap<i64, Bucket>);

/// Calls and errors are those that the spans stand for.
#[derive(Debug, Default, Clone, Copy)]
struct Bucket {
    calls: f64,
    errors: f64,
    counted: f64,
    failed: f64,
    duration_ns: f64,
}

impl Bucket {
    fn error_share(&self) -> f64 {
        self.errors / self.calls.max(1.0)
    }
}

impl Course {
    fn add<K>(&mut self, sum: &BucketSum<'_, K>, sign: f64) {
        let bucket = self.0.entry(sum.bucket_start).or_default();
        bucket.calls += sign * sum.weight;
        bucket.errors += sign * sum.error_weight;
        bucket.counted += sign * sum.calls as f64;
        bucket.failed += sign * sum.errors as f64;
        // Fractions leave a rest where nothing is left.
        if bucket.failed == 0.0 {
            bucket.errors = 0.0;
        }
        bucket.duration_ns += sign * sum.duration_ns;
    }

    /// Before and during, if there is anything. Where calls fail, "during" begins with the first bucket that fails at
    /// least half as much as the worst one: the quiet time before would hide what came after.
    fn pair(&self, during: i64) -> Option<Pair> {
        // Calls that somebody answered elsewhere may leave none.
        let some = || self.0.iter().filter(|(_, bucket)| bucket.counted > 0.0);
        let peak = some()
            .filter(|(start, _)| **start >= during)
            .map(|(_, bucket)| bucket.error_share())
            .fold(0.0, f64::max);
        let onset = some()
            .find(|(start, bucket)| {
                **start >= during && bucket.errors > 0.0 && bucket.error_share() >= peak / 2.0
            })
            .map_or(during, |(start, _)| *start);
        let sums = |phase: &dyn Fn(i64) -> bool| {
            let mut all = Bucket::default();
            for (_, bucket) in some().filter(|(start, _)| phase(**start)) {
                all.calls += bucket.calls;
                all.errors += bucket.errors;
                all.counted += bucket.counted;
                all.duration_ns += bucket.duration_ns;
            }
            Sums {
                calls: all.calls.round() as u64,
                errors: all.errors.round() as u64,
                mean_ns: all.duration_ns / all.counted.max(1.0),
            }
        };
        let pair = [
            sums(&|start| start < during),
            sums(&|start| start >= during && start >= onset),
        ];
        some().next().map(|_| pair)
    }
}

/// Edges and services of each window.
#[derive(Default)]
pub(super) struct Windows {
    /// `(window, caller, callee)`.
    pub edges: BTreeMap<(usize, Node, Node), Pair>,
    /// `(window, service)`: calls it answered.
    pub services: BTreeMap<(usize, Node), Pair>,
}

impl Windows {
    /// One window an incident, numbered in their order.
    pub(super) fn load<'a>(
        set: &SegmentSet,
        conn: &Connection,
        incidents: impl Iterator<Item = &'a Incident>,
    ) -> Result<Self, QueryError> {
        let mut spans: Vec<Window> = incidents
            .enumerate()
            .map(|(number, incident)| Window::of(number, incident))
            .collect();
        let (Some(from), Some(to), Some(longest)) = (
            spans.iter().map(|one| one.before).min(),
            spans.iter().map(|one| one.finish).max(),
            spans.iter().map(|one| one.finish - one.before).max(),
        ) else {
            return Ok(Self::default());
        };
        spans.sort_by_key(|one| one.before);
        // Those that a bucket lies in.
        let around = |start: i64| {
            let first = spans.partition_point(|one| one.before <= start - longest);
            let begun = spans[first..]
                .iter()
                .take_while(move |one| one.before <= start);
            begun.filter(move |one| start < one.finish)
        };
        let range = TimeRange {
            from_unix_nano: from,
            to_unix_nano: to,
        };
        let mut edges: HashMap<(usize, Node, Node), Course> = HashMap::new();
        set.each_edge_bucket(conn, range, |sum| {
            for one in around(sum.bucket_start) {
                let key = (one.number, sum.of.caller.clone(), sum.of.callee.clone());
                let sign = if sum.of.is_minus { -1.0 } else { 1.0 };
                edges.entry(key).or_default().add(sum, sign);
            }
        })?;
        let mut services: HashMap<(usize, Node), Course> = HashMap::new();
        set.each_service_bucket(conn, range, |sum| {
            if sum.of.rank > ANSWERING {
                return;
            }
            for one in around(sum.bucket_start) {
                let node = (sum.of.scope.clone(), sum.of.service_name.clone());
                services
                    .entry((one.number, node))
                    .or_default()
                    .add(sum, 1.0);
            }
        })?;
        let during: HashMap<usize, i64> =
            spans.iter().map(|one| (one.number, one.during)).collect();
        Ok(Self {
            edges: edges
                .into_iter()
                .filter_map(|(key, course)| Some((key.clone(), course.pair(during[&key.0])?)))
                .collect(),
            services: services
                .into_iter()
                .filter_map(|(key, course)| Some((key.clone(), course.pair(during[&key.0])?)))
                .collect(),
        })
    }

    /// Whom a service calls, with the sums of the calls.
    pub(super) fn callees<'a>(
        &'a self,
        window: usize,
        caller: &'a Node,
    ) -> impl Iterator<Item = (&'a Node, &'a Pair)> {
        self.edges
            .iter()
            .filter(move |((number, from, to), _)| {
                *number == window && from == caller && to != caller
            })
            .map(|((_, _, to), pair)| (to, pair))
    }

    /// How a node answers: its own spans, else the calls made to it.
    pub(super) fn answers(&self, window: usize, node: &Node) -> Option<Pair> {
        if let Some(pair) = self.services.get(&(window, node.clone())) {
            return Some(*pair);
        }
        let mut sum: Option<Pair> = None;
        for ((number, _, to), pair) in &self.edges {
            if *number == window && to == node {
                let known = sum.get_or_insert_with(Default::default);
                for (phase, add) in pair.iter().enumerate() {
                    let calls = known[phase].calls + add.calls;
                    let mean = known[phase].mean_ns * known[phase].calls as f64
                        + add.mean_ns * add.calls as f64;
                    known[phase] = Sums {
                        calls,
                        errors: known[phase].errors + add.errors,
                        mean_ns: mean / calls.max(1) as f64,
                    };
                }
            }
        }
        sum
    }
}
