//! Evidence in metrics: the points of one breaker at one time become one sample.
//!
//! A stream is looked at once for its name; only the streams of a rule have their attributes read and
//! their points visited.

mod sample;

use std::collections::HashMap;

use arrow::array::{Array as _, ArrayRef, AsArray as _, RecordBatch};
use arrow::datatypes::{Float64Type, Int64Type, UInt64Type};

use self::sample::{Hot, Parts};
use super::columns::{index, time};
use super::evidence::{Evidence, Subject};
use super::index::{Metric, Recognisers, Sink, Sinks, is_scope};
use super::source::Item;
use super::words;
use crate::ingest::{MetricBatches, ResourceRow, ScopeRow, SeriesRow};

/// What the points of one stream are.
struct Plan {
    subject: usize,
    sinks: Vec<Sink>,
    /// The state the stream's label names, and the label itself.
    label: Option<(Option<&'static str>, String)>,
    metric: usize,
    /// The folded name of a stream whose numbers are states.
    numbers: Option<String>,
    /// Factor to the column's unit.
    scale: f64,
    is_delta: bool,
    /// Which cluster of the subject's name it counts hosts of: the stream's attributes.
    cluster: String,
    /// Who sent it.
    resource: u32,
}

impl Plan {
    fn counts_entries(&self) -> bool {
        let counts = |sink: &Sink| matches!(sink, Sink::Entered(_));
        self.sinks.iter().any(counts)
    }
}

/// What the points of each stream of a batch are.
struct Plans {
    of_series: Vec<Option<Plan>>,
    /// When the first of all streams of a resource began.
    begun: HashMap<u32, i64>,
}

impl Plans {
    /// Since when a point of a stream counts. Some say that it began when they first saw it, with what it had counted
    /// until then: there another stream tells that the process was there before.
    fn counted_since(&self, plan: &Plan, start: Option<i64>, time: i64) -> Option<i64> {
        let begun = self.begun.get(&plan.resource).copied();
        let is_before = |since: &i64| (1..time).contains(since);
        start.filter(is_before).or(begun.filter(is_before))
    }
}

/// When the first stream of each resource began, where entries of states are counted at all.
fn begun(batch: &MetricBatches, plans: &[Option<Plan>]) -> HashMap<u32, i64> {
    let mut begun = HashMap::new();
    if !plans.iter().flatten().any(Plan::counts_entries) {
        return begun;
    }
    for points in [&batch.numbers, &batch.histograms] {
        let series = index(points, "series_ix").values();
        for (row, at) in series.iter().enumerate() {
            let start = time(points, "start_time", row).filter(|start| *start > 0);
            if let (Some(start), Some(series)) = (start, batch.series.get(*at as usize)) {
                let first = begun.entry(series.resource).or_insert(start);
                *first = start.min(*first);
            }
        }
    }
    begun
}

fn earlier(one: Option<i64>, other: Option<i64>) -> Option<i64> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.min(other)),
        (one, other) => one.or(other),
    }
}

/// R8: lower case, dots and other separators as `_`.
pub(crate) fn folded(name: &str) -> String {
    name.chars()
        .map(|c| {
            if c.is_ascii_alphanumeric() {
                c.to_ascii_lowercase()
            } else {
                '_'
            }
        })
        .collect()
}

/// R8: what exporters put behind a name, one ending at a time.
const ENDINGS: [&str; 12] = [
    "_total",
    "_seconds",
    "_milliseconds",
    "_nanoseconds",
    "_ms",
    "_ratio",
    "_percent",
    "_calls_per_second",
    "_count",
    "_1",
    "_ns",
    "_events",
];

fn stripped(name: &str) -> Option<&str> {
    ENDINGS
        .iter()
        .find_map(|ending| name.strip_suffix(ending))
        .filter(|rest| !rest.is_empty())
}

/// Whether a name ends in what tells of a time: how long a state holds, and since when, is no state.
fn is_of_time(ending: &str) -> bool {
    const WORDS: [&str; 7] = [
        "age",
        "duration",
        "milliseconds",
        "seconds",
        "since",
        "time",
        "timestamp",
    ];
    ending.split('_').any(|word| WORDS.contains(&word))
}

/// Nanoseconds in the unit of a stream, where that is one of time. Micrometer's registries each have one of their own.
fn nanoseconds_in(unit: &str) -> Option<f64> {
    Some(match unit {
        "ns" | "nanoseconds" => 1.0,
        "us" | "microseconds" => 1e3,
        "ms" | "milliseconds" => 1e6,
        "s" | "seconds" => 1e9,
        _ => return None,
    })
}

impl Recognisers {
    /// Rules for a metric of this name, with what stands before the name of a rule that matches its middle.
    fn metric_rules(&self, name: &str) -> Vec<(usize, String)> {
        let whole = folded(name);
        let mut rules: Vec<(usize, String)> = Vec::new();
        self.add_named(&whole, &mut rules);
        // Who is known by the one spelling comes before who only might be meant by the other.
        if whole.contains("circuitbreaker") {
            let alias = whole.replace("circuitbreaker", "circuit_breaker");
            self.add_named(&alias, &mut rules);
        }
        for (part, at) in &self.metrics_contain {
            if let Some((before, after)) = whole.split_once(part.as_str())
                && !is_of_time(after)
            {
                rules.push((*at, before.trim_matches('_').to_owned()));
            }
        }
        rules
    }

    /// Rules that know the whole of a folded name or its end.
    fn add_named(&self, name: &str, rules: &mut Vec<(usize, String)>) {
        let mut next = Some(name);
        while let Some(name) = next {
            let exact = self.metrics_exact.get(name).into_iter().flatten();
            rules.extend(exact.map(|at| (*at, String::new())));
            let mut tail = Some(name);
            while let Some(end) = tail.filter(|_| !self.metrics_suffix.is_empty()) {
                let suffix = self.metrics_suffix.get(end).into_iter().flatten();
                let prefix = name[..name.len() - end.len()].trim_end_matches('_');
                rules.extend(suffix.map(|at| (*at, prefix.to_owned())));
                tail = end.split_once('_').map(|(_, rest)| rest);
            }
            next = stripped(name);
        }
    }

    /// Evidence in metric points.
    pub fn in_metrics(
        &self,
        resources: &[ResourceRow],
        scopes: &[ScopeRow],
        batch: &MetricBatches,
    ) -> Evidence {
        let mut subjects = Subjects::default();
        let mut plans: Vec<Option<Plan>> = Vec::new();
        let mut last: Option<(&str, Vec<(usize, String)>)> = None;
        for series in &batch.series {
            if last.as_ref().is_none_or(|(name, _)| *name != series.name) {
                last = Some((&series.name, self.metric_rules(&series.name)));
            }
            let rules = last.as_ref().map_or(&[][..], |(_, rules)| rules);
            let any = self.metrics_any.of_text(&series.attributes);
            let by_attribute = any.into_iter().map(|at| (at, ""));
            let named = rules.iter().map(|(at, prefix)| (*at, prefix.as_str()));
            let plan = named.chain(by_attribute).find_map(|(at, prefix)| {
                let resource = resources.get(series.resource as usize)?;
                let scope = scopes.get(series.scope as usize)?;
                self.plan(at, prefix, series, resource, &scope.name, &mut subjects)
            });
            plans.push(plan);
        }
        let mut evidence = Evidence::default();
        if plans.iter().all(Option::is_none) {
            return evidence;
        }
        let mut samples: HashMap<(usize, i64), Parts> = HashMap::new();
        let plans = Plans {
            begun: begun(batch, &plans),
            of_series: plans,
        };
        self.add_points(&batch.numbers, &plans, number_value, &mut samples);
        self.add_points(&batch.histograms, &plans, histogram_value, &mut samples);
        let mut samples: Vec<((usize, i64), Parts)> = samples.into_iter().collect();
        samples.sort_unstable_by_key(|(key, _)| *key);
        for ((subject, time), parts) in samples {
            if parts.tells {
                let subject = subjects.all[subject].clone();
                evidence.samples.push(parts.finish(subject, time));
            }
        }
        evidence
    }

    fn plan(
        &self,
        at: usize,
        prefix: &str,
        series: &SeriesRow,
        resource: &ResourceRow,
        scope: &str,
        subjects: &mut Subjects,
    ) -> Option<Plan> {
        let metric = &self.metrics[at];
        let origin = &self.origins[metric.origin];
        if !is_scope(&metric.scope, scope) {
            return None;
        }
        // Folding keeps the number of characters.
        let before: String = series.name.chars().take(prefix.len()).collect();
        let mut holes = Vec::new();
        // Nothing before a name is no source: the next in a list is asked.
        if !prefix.is_empty() {
            holes.push(("prefix".to_owned(), prefix.to_owned()));
            holes.push(("before".to_owned(), before));
        }
        let item = Item {
            attributes: &series.attributes,
            holes,
            ..Item::default()
        };
        if !metric.needs.all(&item) {
            return None;
        }
        let labels = item.alternatives(&metric.label);
        if labels.is_empty() && !metric.label.is_empty() {
            return None;
        }
        let (sinks, raw) = match &metric.sinks {
            Sinks::One(sink) => (vec![*sink], labels.into_iter().next()),
            Sinks::ByLabel(by_label) => {
                let (sinks, raw) = by_label.find(labels)?;
                (sinks.to_vec(), Some(raw))
            }
        };
        // `…_circuit_breaker_state_changes`, `…_circuit_breaker_open_total`: what only grows is no state, and no number of
        // measurements is one.
        let is_state = |sink: &Sink| matches!(sink, Sink::State | Sink::OpenIfPositive);
        let counts = series.is_monotonic == Some(true) || !matches!(series.kind, "gauge" | "sum");
        if counts && sinks.iter().any(is_state) {
            return None;
        }
        let label = raw.map(|raw| (origin.state(&raw), raw));
        let name = item.text(&metric.breaker)?;
        let pattern = metric.pattern.as_deref().unwrap_or(&origin.pattern);
        let peer_service = item.text(&metric.peer);
        let has_numbers = label.is_none() && sinks.contains(&Sink::State);
        let counts_hosts = sinks.iter().any(|sink| sink.counts_hosts());
        let is_time = sinks.iter().any(|sink| matches!(sink, Sink::Time(_)));
        let of_unit = is_time.then(|| nanoseconds_in(&series.unit)).flatten();
        let subject = Subject {
            key: item.text(&metric.key),
            peer_evidence: peer_service.is_some().then_some("reported"),
            peer_service,
            ..Subject::of(resource, &origin.name, pattern, name)
        };
        Some(Plan {
            subject: subjects.number(subject),
            sinks,
            label,
            metric: at,
            numbers: has_numbers.then(|| folded(&series.name)),
            scale: of_unit.unwrap_or(metric.scale),
            is_delta: metric.is_delta || series.temporality.as_deref() == Some("delta"),
            cluster: if counts_hosts {
                series.attributes.clone()
            } else {
                String::new()
            },
            resource: series.resource,
        })
    }

    fn add_points(
        &self,
        points: &RecordBatch,
        plans: &Plans,
        value: fn(&RecordBatch, usize, &Metric) -> Option<f64>,
        samples: &mut HashMap<(usize, i64), Parts>,
    ) {
        let series = index(points, "series_ix").values();
        for (row, at) in series.iter().enumerate() {
            let Some(Some(plan)) = plans.of_series.get(*at as usize) else {
                continue;
            };
            let metric = &self.metrics[plan.metric];
            let (Some(time), Some(value)) = (time(points, "time", row), value(points, row, metric))
            else {
                continue;
            };
            let parts = samples.entry((plan.subject, time)).or_default();
            parts.row.is_delta |= plan.is_delta;
            if plan.counts_entries() {
                let since = plans.counted_since(plan, self::time(points, "start_time", row), time);
                parts.row.counted_since = earlier(parts.row.counted_since, since);
            }
            for sink in &plan.sinks {
                self.pour(*sink, value * plan.scale, metric, plan, parts);
            }
        }
    }

    fn pour(&self, sink: Sink, value: f64, metric: &Metric, plan: &Plan, parts: &mut Parts) {
        let of_label = || {
            let (state, _) = plan.label.as_ref()?;
            words::counted((*state)?)
        };
        parts.tells |= !matches!(sink, Sink::HostsHealthy | Sink::HostsTotal);
        let row = &mut parts.row;
        let counter = match sink {
            Sink::State => {
                match &plan.label {
                    Some((state, raw)) if value > 0.0 => parts.hot.push(Hot {
                        state: *state,
                        raw: raw.clone(),
                        value,
                    }),
                    Some(_) => {}
                    None => {
                        let state = self.origins[metric.origin].numbered(value);
                        parts.number = Some((value, state));
                        if state.is_none() {
                            parts.unknown_in.clone_from(&plan.numbers);
                        }
                    }
                }
                return;
            }
            Sink::OpenIfPositive => return parts.keep_most(value, "open"),
            Sink::SaturatedIfPositive => return parts.keep_most(value, "saturated"),
            Sink::HostsEjected => {
                parts.keep_most(value, "open");
                return parts.hosts_of(plan).ejected = number_of(value);
            }
            Sink::HostsHealthy => return parts.hosts_of(plan).healthy = number_of(value),
            Sink::HostsTotal => return parts.hosts_of(plan).total = number_of(value),
            Sink::FailureRate => return row.failure_rate = share(value),
            Sink::SlowRate => return row.slow_rate = share(value),
            Sink::InFlight => return row.in_flight = number_of(value),
            Sink::PermitsLeft => return row.permits_left = permits(value),
            Sink::CapPermitsLeft | Sink::RatePermitsLeft => {
                row.permits_left = permits(value);
                return parts.keep_least(value, sink);
            }
            Sink::WindowCalls => {
                return row.window_calls = sum(row.window_calls, number_of(value));
            }
            Sink::Ok => &mut row.ok,
            Sink::Failed => &mut row.failed,
            Sink::Slow => &mut row.slow,
            Sink::Ignored => &mut row.ignored,
            Sink::Rejected => &mut row.rejected,
            Sink::Cancelled => &mut row.cancelled,
            Sink::Entered(state) => match state.or_else(of_label) {
                Some(at) => &mut row.entered[at],
                None => return,
            },
            Sink::Time(state) => match state.or_else(of_label) {
                Some(at) => &mut row.ns_in_state[at],
                None => return,
            },
        };
        // Streams that differ in attributes we do not ask for (reason, from) add up.
        *counter = sum(*counter, whole(value));
    }
}

/// Breakers met in a batch, numbered.
#[derive(Default)]
struct Subjects {
    all: Vec<Subject>,
    known: HashMap<Subject, usize>,
}

impl Subjects {
    fn number(&mut self, subject: Subject) -> usize {
        let next = self.all.len();
        let number = *self.known.entry(subject.clone()).or_insert(next);
        if number == next {
            self.all.push(subject);
        }
        number
    }
}

/// A share between 0 and 1; -1 and NaN mean "not enough calls".
fn share(value: f64) -> Option<f64> {
    (value.is_finite() && value >= 0.0).then_some(value)
}

fn permits(value: f64) -> Option<i32> {
    value.is_finite().then_some(value as i32)
}

fn whole(value: f64) -> Option<u64> {
    (value.is_finite() && value >= 0.0).then_some(value.round() as u64)
}

fn number_of(value: f64) -> Option<u32> {
    whole(value)?.try_into().ok()
}

fn sum<T: std::ops::Add<Output = T>>(so_far: Option<T>, more: Option<T>) -> Option<T> {
    match (so_far, more) {
        (Some(a), Some(b)) => Some(a + b),
        (a, b) => a.or(b),
    }
}

fn column<'a>(points: &'a RecordBatch, name: &str) -> &'a ArrayRef {
    points
        .column_by_name(name)
        .expect("ingest builds this column")
}

fn number_value(points: &RecordBatch, row: usize, _: &Metric) -> Option<f64> {
    let double = column(points, "value_double").as_primitive::<Float64Type>();
    let int = column(points, "value_int").as_primitive::<Int64Type>();
    if !double.is_null(row) {
        return Some(double.value(row));
    }
    (!int.is_null(row)).then(|| int.value(row) as f64)
}

fn histogram_value(points: &RecordBatch, row: usize, metric: &Metric) -> Option<f64> {
    if metric.is_sum {
        let sum = column(points, "sum").as_primitive::<Float64Type>();
        return (!sum.is_null(row)).then(|| sum.value(row));
    }
    let count = column(points, "count").as_primitive::<UInt64Type>();
    (!count.is_null(row)).then(|| count.value(row) as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spellings_of_one_name_find_one_rule() {
        let rules = Recognisers::shipped();
        let at = |name: &str| rules.metric_rules(name).first().map(|(at, _)| *at);
        let known = at("circuit_breaker.time_in_state");
        assert!(known.is_some());
        assert_eq!(at("circuit_breaker_time_in_state_seconds_total"), known);
        assert_eq!(at("http.server.request.duration"), None);
    }
}
