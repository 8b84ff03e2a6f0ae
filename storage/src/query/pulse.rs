//! Every service in few steps of time, and its two halves: what sparklines draw and movers are found by.

use std::collections::BTreeMap;

use duckdb::Connection;

use super::conditions::Conditions;
use super::services::{ServiceKey, red};
use super::{QueryError, Session};
use crate::ask::Ask;
use crate::model::{
    HalfSummary, PULSE_STEPS, PulsePoint, Scope, ServicePulse, ServicesQuery, TimeRange,
};
use crate::rollup::{BUCKET_NS, Totals};
use crate::store::SegmentSet;

const PULSE: &str = include_str!("pulse.sql");

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
    let mut conditions = Conditions::default();
    conditions.buckets(query.range);
    conditions.scope(&query.scope);
    let sql = PULSE
        .replace("{red}", &red(set, query.range))
        .replace("{where}", &conditions.filter_clause())
        .replace("{from}", &from.to_string())
        .replace("{width}", &width.to_string())
        .replace("{half}", &half.to_string());
    let mut statement = conn.ask(&sql)?;
    let mut rows = statement.query(conditions.values())?;
    let mut services: BTreeMap<ServiceKey, BTreeMap<u8, Steps>> = BTreeMap::new();
    while let Some(row) = rows.next()? {
        let scope = Scope {
            environment: row.get(0)?,
            service_namespace: row.get(1)?,
            cluster: row.get(2)?,
        };
        let ranks = services.entry((scope, row.get(3)?)).or_default();
        let found = ranks.entry(row.get(4)?).or_default();
        let at: i64 = row.get(5)?;
        let half_of = |half: i64| usize::from(half > 0);
        match row.get::<_, Option<u16>>(6)? {
            Some(bucket) => found.halves[half_of(at)].add_bucket(bucket, row.get(7)?),
            None => {
                let (calls, errors, weight) = (row.get(7)?, row.get(8)?, row.get(9)?);
                let point = found.points.entry(at).or_default();
                point.add(calls, errors, weight, "all");
                found.halves[half_of(at / half)].add(calls, errors, weight, "all");
            }
        }
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
    })
}

fn summary(totals: &Totals) -> HalfSummary {
    HalfSummary {
        calls: totals.calls,
        errors: totals.errors,
        p95_ns: totals.latency().p95_ns,
    }
}
