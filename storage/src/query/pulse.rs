//! Every service in few steps of time, and its two halves: what sparklines draw and movers are found by.

use std::collections::{BTreeMap, HashMap};

use duckdb::Connection;

use super::services::ServiceKey;
use super::{QueryError, Session};
use crate::model::{HalfSummary, PULSE_STEPS, PulsePoint, ServicePulse, ServicesQuery, TimeRange};
use crate::rollup::{BUCKET_NS, ServiceSpans, Totals};
use crate::segment::kept::is_in;
use crate::store::SegmentSet;

/// How each service with a span in the range did over it, by scope and name.
pub fn pulses(
    session: &Session<'_>,
    query: &ServicesQuery,
) -> Result<Vec<ServicePulse>, QueryError> {
    let mut all = session.run(|conn| read(session.set(), conn, query))?;
    all.truncate(query.limit);
    Ok(all)
}

/// How a range is cut into the steps of a pulse.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PulseSteps {
    /// Start of the first, nanoseconds since the epoch.
    pub from: i64,
    /// Length of each, nanoseconds: whole buckets of the roll-up.
    pub width: i64,
    /// How many, at most [`PULSE_STEPS`].
    pub count: i64,
}

/// The steps of [`pulses`] over this range.
pub fn pulse_steps(range: TimeRange) -> PulseSteps {
    let from = range.from_unix_nano.div_euclid(BUCKET_NS) * BUCKET_NS;
    let length = range.to_unix_nano.saturating_sub(from).max(1);
    let width = ((length - 1) / i64::from(PULSE_STEPS) / BUCKET_NS + 1) * BUCKET_NS;
    PulseSteps {
        from,
        width,
        count: (length - 1) / width + 1,
    }
}

#[derive(Default)]
struct Steps {
    points: BTreeMap<i64, Totals>,
    halves: [Totals; 2],
}

fn read(
    set: &SegmentSet,
    conn: &Connection,
    query: &ServicesQuery,
) -> Result<Vec<ServicePulse>, QueryError> {
    let PulseSteps {
        from,
        width,
        count: steps,
    } = pulse_steps(query.range);
    let half = (steps / 2).max(1);
    let mut by_spans: HashMap<ServiceSpans, Steps> = HashMap::new();
    set.each_service_bucket(conn, query.range, |sum| {
        if !is_in(&sum.of.scope, &query.scope) {
            return;
        }
        if !by_spans.contains_key(sum.of) {
            by_spans.insert(sum.of.clone(), Steps::default());
        }
        let Some(found) = by_spans.get_mut(sum.of) else {
            return;
        };
        let step = (sum.bucket_start - from) / width;
        let point = found.points.entry(step).or_default();
        point.add_without_durations(sum);
        found.halves[usize::from(step >= half)].add(sum);
    })?;
    let mut services: BTreeMap<ServiceKey, BTreeMap<u8, Steps>> = BTreeMap::new();
    for (of, steps) in by_spans {
        let ranks = services.entry((of.scope, of.service_name)).or_default();
        ranks.insert(of.rank, steps);
    }
    Ok(services
        .into_iter()
        .filter_map(|((scope, service_name), ranks)| {
            // As everywhere: the spans that best stand for its calls.
            let best = ranks.into_values().next()?;
            Some(ServicePulse {
                scope,
                service_name,
                points: (0..steps)
                    .map(|step| point(best.points.get(&step)))
                    .collect(),
                earlier: summary(&best.halves[0]),
                later: summary(&best.halves[1]),
            })
        })
        .collect())
}

fn point(totals: Option<&Totals>) -> PulsePoint {
    totals.map_or_else(PulsePoint::default, |totals| PulsePoint {
        calls: totals.calls,
        errors: totals.errors,
        weight: totals.weight,
        error_weight: totals.error_weight,
    })
}

fn summary(totals: &Totals) -> HalfSummary {
    HalfSummary {
        calls: totals.calls,
        errors: totals.errors,
        weight: totals.weight,
        error_weight: totals.error_weight,
        p95_ns: totals.latency().p95_ns,
    }
}
