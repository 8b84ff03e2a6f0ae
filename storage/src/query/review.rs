//! Key figures of breakers over a range: how long open, how often, how restless, how soon, how long for nothing.
//!
//! Counted from the same intervals that lanes are drawn of; what the callees did meanwhile is read off roll-ups of ten
//! seconds, so times to detect and to recover, and calls refused needlessly, are estimates.

use std::collections::BTreeMap;

use duckdb::{Connection, params};

use super::lanes::{Interval, intervals, known};
use super::{QueryError, Session, breakers};
use crate::ask::Ask;
use crate::model::{BreakerReview, LanesQuery, Page, TimeRange};

const REVIEW: &str = include_str!("review.sql");
/// Failures are looked for so long before a trip; `review.sql` has the same number.
const BEFORE_NS: i64 = 180_000_000_000;
/// RFC 2439's usual half-life.
const HALF_LIFE_NS: f64 = 900e9;

/// What the callee of a breaker did around its openings.
#[derive(Debug, Clone, Copy, Default)]
struct Callee {
    detect_ns: Option<f64>,
    recover_ns: Option<f64>,
    /// Share of the time open in which it answered well.
    well_share: Option<f64>,
}

/// Every breaker known in the range, those that were open longest first.
pub fn review(
    session: &Session<'_>,
    query: &LanesQuery,
) -> Result<Page<BreakerReview>, QueryError> {
    let (set, range) = (session.set(), query.range);
    if !set.may_have_breakers() {
        return Ok(Page::whole(Vec::new()));
    }
    let from = range.from_unix_nano.saturating_sub(BEFORE_NS);
    let sql = REVIEW
        .replace("{red}", &set.red_sql(from, range.to_unix_nano))
        .replace("{edges}", &set.service_edges_sql(from, range.to_unix_nano));
    let (mut known, intervals, refused, callees) = session.run_concluded(|conn| {
        Ok((
            known(conn, query)?,
            intervals(conn, query)?,
            breakers::refused(conn, range)?,
            callees(conn, &sql, range)?,
        ))
    })?;
    let mut items: Vec<BreakerReview> = Vec::new();
    for (id, intervals) in intervals {
        let Some(lane) = known.remove(&id) else {
            continue;
        };
        let callee = callees.get(&id).copied().unwrap_or_default();
        let refused = refused.get(&id).copied();
        let needlessly = refused
            .zip(callee.well_share)
            .map(|(calls, share)| (calls as f64 * share).round() as u64);
        items.push(BreakerReview {
            breaker_id: id,
            scope: lane.scope,
            service_name: lane.service_name,
            name: lane.name,
            key: lane.key,
            peer_service: lane.peer_service,
            detect_ns: callee.detect_ns,
            recover_ns: callee.recover_ns,
            refused,
            refused_needlessly: needlessly,
            ..counted(&intervals, range)
        });
    }
    items.sort_by(|a, b| {
        b.minutes_open
            .total_cmp(&a.minutes_open)
            .then_with(|| b.trips.cmp(&a.trips))
            .then_with(|| named(a).cmp(&named(b)))
    });
    Ok(Page::cut(items, query.limit))
}

fn named(review: &BreakerReview) -> (&str, &str, Option<&str>) {
    (
        review.service_name.as_str(),
        review.name.as_str(),
        review.key.as_deref(),
    )
}

fn callees(
    conn: &Connection,
    sql: &str,
    range: TimeRange,
) -> Result<BTreeMap<String, Callee>, QueryError> {
    let mut statement = conn.ask(sql)?;
    let rows = statement.query_map(params![range.from_unix_nano, range.to_unix_nano], |row| {
        let callee = Callee {
            detect_ns: row.get(1)?,
            recover_ns: row.get(2)?,
            well_share: row.get(3)?,
        };
        Ok((row.get(0)?, callee))
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// What the intervals of one breaker, those of an instance together, tell by themselves.
fn counted(intervals: &[Interval], range: TimeRange) -> BreakerReview {
    let begun: Vec<&Interval> = intervals
        .iter()
        .filter(|interval| interval.start >= range.from_unix_nano)
        .collect();
    let count = |is_it: fn(&Interval) -> bool| {
        let found = begun.iter().filter(|interval| is_it(interval)).count();
        u32::try_from(found).unwrap_or(u32::MAX)
    };
    BreakerReview {
        minutes_open: minutes_open(intervals, range),
        trips: count(|one| one.is_trip),
        trips_inferred: count(|one| one.is_trip && one.start_lo < one.start),
        restarts: count(|one| one.is_restart),
        flap_score: begun
            .chunk_by(|a, b| a.instance == b.instance)
            .map(|of_it| flap_score(of_it.iter().copied().filter(|one| one.is_trip)))
            .fold(0.0, f64::max),
        ..BreakerReview::default()
    }
}

/// Minutes in which at least one instance refused: however many do at once, a minute is a minute.
fn minutes_open(intervals: &[Interval], range: TimeRange) -> f64 {
    let mut refusing: Vec<(i64, i64)> = intervals
        .iter()
        .filter(|interval| interval.refuses())
        .map(|interval| interval.within(range))
        .collect();
    refusing.sort_unstable();
    let (mut covered, mut open_ns) = (i64::MIN, 0);
    for (begin, end) in refusing {
        open_ns += (end - begin.max(covered)).max(0);
        covered = covered.max(end);
    }
    open_ns as f64 / 60e9
}

/// The highest of what trips, oldest first, add up to: 1 each, halved every [`HALF_LIFE_NS`].
fn flap_score<'a>(trips: impl Iterator<Item = &'a Interval>) -> f64 {
    let (mut score, mut highest, mut before) = (0.0, 0.0_f64, None);
    for trip in trips {
        let passed_ns = before.map_or(0, |before: i64| trip.start - before);
        score = score * (-(passed_ns as f64) / HALF_LIFE_NS).exp2() + 1.0;
        highest = highest.max(score);
        before = Some(trip.start);
    }
    highest
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: i64 = 60_000_000_000;

    fn open(instance: &str, start: i64, end: Option<i64>) -> Interval {
        Interval {
            instance: Some(instance.to_owned()),
            state: "open".to_owned(),
            start: start * MINUTE,
            start_lo: start * MINUTE,
            end: end.map(|end| end * MINUTE),
            is_trip: true,
            is_restart: false,
        }
    }

    #[test]
    fn minutes_of_several_instances_count_once_and_trips_before_the_range_not_at_all() {
        let range = TimeRange {
            from_unix_nano: 10 * MINUTE,
            to_unix_nano: 100 * MINUTE,
        };
        let intervals = [
            open("a", 5, Some(12)),
            open("a", 20, Some(30)),
            open("a", 95, None),
            open("b", 25, Some(35)),
        ];
        let counted = counted(&intervals, range);
        assert_eq!(counted.minutes_open, 2.0 + 15.0 + 5.0);
        assert_eq!((counted.trips, counted.trips_inferred), (3, 0));
    }

    #[test]
    fn a_trip_adds_one_to_the_flap_score_and_a_quarter_of_an_hour_halves_it() {
        let score = |starts: &[i64]| {
            let trips: Vec<Interval> = starts.iter().map(|at| open("a", *at, None)).collect();
            flap_score(trips.iter())
        };
        assert_eq!(score(&[]), 0.0);
        assert_eq!(score(&[7]), 1.0);
        assert_eq!(score(&[0, 15, 30]), 1.75);
        assert_eq!(score(&[0, 0, 300]), 2.0);
        let quiet_for_a_year = 60 * 24 * 365;
        assert_eq!(score(&[0, quiet_for_a_year]), 1.0);
    }
}
