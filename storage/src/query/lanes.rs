//! States of breakers through time, for swimlanes: the intervals of each instance, clipped to the range and folded.

use std::collections::BTreeMap;

use duckdb::Connection;
use duckdb::types::Value;

use super::conditions::Conditions;
use super::{QueryError, Session, breakers};
use crate::ask::Ask;
use crate::model::{InstanceLane, Lane, LaneSegment, LanesQuery, Page, TimeRange};

/// A row of `breaker_intervals`.
#[derive(Debug, Clone, Default)]
pub(super) struct Interval {
    pub instance: Option<String>,
    pub state: String,
    /// The latest and the earliest it can have begun.
    pub start: i64,
    pub start_lo: i64,
    /// `None` while it lasts.
    pub end: Option<i64>,
    pub is_trip: bool,
    pub is_restart: bool,
}

impl Interval {
    /// Whether calls are refused in it.
    pub(super) fn refuses(&self) -> bool {
        matches!(self.state.as_str(), "open" | "forced_open")
    }

    /// Its part within a range.
    pub(super) fn within(&self, range: TimeRange) -> (i64, i64) {
        let end = self.end.unwrap_or(range.to_unix_nano);
        (
            self.start.max(range.from_unix_nano),
            end.min(range.to_unix_nano),
        )
    }
}

/// Lanes of breakers seen in or before the range, those that refused longest first.
pub fn lanes(session: &Session<'_>, query: &LanesQuery) -> Result<Page<Lane>, QueryError> {
    if !session.set().may_have_breakers() {
        return Ok(Page::whole(Vec::new()));
    }
    let (mut known, intervals) =
        session.run_concluded(|conn| Ok((known(conn, query)?, intervals(conn, query)?)))?;
    let mut lanes: Vec<Lane> = Vec::new();
    for (id, intervals) in intervals {
        let Some(mut lane) = known.remove(&id) else {
            continue;
        };
        let trips = intervals
            .iter()
            .filter(|interval| interval.is_trip && interval.start >= query.range.from_unix_nano);
        lane.trips = u32::try_from(trips.count()).unwrap_or(u32::MAX);
        lane.instances = intervals
            .chunk_by(|a, b| a.instance == b.instance)
            .map(|of_it| InstanceLane {
                service_instance_id: of_it[0].instance.clone(),
                segments: segments(of_it, query.range),
            })
            .collect();
        lane.segments = folded(&lane.instances);
        let refusing = lane.segments.iter().filter(|segment| segment.open > 0);
        lane.refusing_ns = refusing
            .map(|s| u64::try_from(s.to_unix_nano - s.from_unix_nano).unwrap_or(0))
            .sum();
        lanes.push(lane);
    }
    lanes.sort_by(|a, b| {
        (b.refusing_ns, b.trips, &a.service_name, &a.name, &a.key).cmp(&(
            a.refusing_ns,
            a.trips,
            &b.service_name,
            &b.name,
            &b.key,
        ))
    });
    Ok(Page::cut(lanes, query.limit))
}

/// Of what has states to draw.
const HAS_STATES: &str = "pattern NOT IN ('retry', 'timeout', 'fallback', 'hedge')";

/// Of intervals that touch the range, of what has states.
pub(super) fn of_people(query: &LanesQuery) -> Conditions {
    let mut conditions = in_range(query);
    if query.breaker_id.is_none() {
        conditions.add(HAS_STATES, []);
    }
    conditions
}

/// Of intervals that touch the range.
fn in_range(query: &LanesQuery) -> Conditions {
    let mut conditions = conditions(query);
    let (from, to) = (query.range.from_unix_nano, query.range.to_unix_nano);
    conditions.add(
        "start_time < make_timestamp_ns(?) AND (end_time IS NULL OR end_time > make_timestamp_ns(?) \
         OR start_time >= make_timestamp_ns(?))",
        [Value::BigInt(to), Value::BigInt(from), Value::BigInt(from)],
    );
    conditions
}

fn conditions(query: &LanesQuery) -> Conditions {
    let mut conditions = Conditions::default();
    conditions.scope(&query.scope);
    conditions.text("service_name = ?", query.service.as_ref());
    conditions.text("breaker_id = ?", query.breaker_id.as_ref());
    conditions
}

/// The breakers, each as a lane without its states.
pub(super) fn known(
    conn: &Connection,
    query: &LanesQuery,
) -> Result<BTreeMap<String, Lane>, QueryError> {
    let mut conditions = conditions(query);
    if query.breaker_id.is_none() {
        conditions.add(HAS_STATES, []);
    }
    let sql = format!(
        "SELECT breaker_id, environment, service_namespace, cluster, service_name, name, \"key\", pattern, peer_service \
         FROM breakers {}",
        conditions.filter_clause()
    );
    let mut statement = conn.ask(&sql)?;
    let rows = statement.query_map(conditions.values(), |row| {
        let text = |at: usize| {
            row.get::<_, Option<String>>(at)
                .map(Option::unwrap_or_default)
        };
        let lane = Lane {
            breaker_id: text(0)?,
            scope: breakers::scope(row, 1)?,
            service_name: text(4)?,
            name: text(5)?,
            key: row.get(6)?,
            pattern: text(7)?,
            peer_service: row.get(8)?,
            ..Lane::default()
        };
        Ok((lane.breaker_id.clone(), lane))
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// The intervals that touch the range, by breaker; those of an instance together, oldest first.
pub(super) fn intervals(
    conn: &Connection,
    query: &LanesQuery,
) -> Result<BTreeMap<String, Vec<Interval>>, QueryError> {
    let conditions = in_range(query);
    let sql = format!(
        "SELECT breaker_id, service_instance_id, state, epoch_ns(start_time) AS start_ns, epoch_ns(start_time_lo) AS lo_ns, \
         epoch_ns(end_time) AS end_ns, is_trip, coalesce(reason = 'restart', false) AS is_restart \
         FROM breaker_intervals {} \
         ORDER BY breaker_id, service_instance_id, start_ns, end_ns NULLS LAST",
        conditions.filter_clause()
    );
    let mut statement = conn.ask(&sql)?;
    let mut rows = statement.query(conditions.values())?;
    let mut intervals: BTreeMap<String, Vec<Interval>> = BTreeMap::new();
    while let Some(row) = rows.next()? {
        let interval = Interval {
            instance: row.get(1)?,
            state: row.get(2)?,
            start: row.get(3)?,
            start_lo: row.get(4)?,
            end: row.get(5)?,
            is_trip: row.get(6)?,
            is_restart: row.get(7)?,
        };
        intervals.entry(row.get(0)?).or_default().push(interval);
    }
    Ok(intervals)
}

/// One instance's states within the range, oldest first; the same state twice in a row is one.
fn segments(intervals: &[Interval], range: TimeRange) -> Vec<LaneSegment> {
    let mut segments: Vec<LaneSegment> = Vec::new();
    for interval in intervals {
        let (begin, end) = interval.within(range);
        match segments.last_mut() {
            Some(last) if last.state == interval.state => last.to_unix_nano = end,
            _ => segments.push(LaneSegment {
                from_unix_nano: begin,
                from_lo_unix_nano: interval.start_lo.max(range.from_unix_nano).min(begin),
                to_unix_nano: end,
                state: interval.state.clone(),
                open: u32::from(interval.refuses()),
                of: u32::from(interval.state != "stale"),
            }),
        }
    }
    segments
}

/// Worst first.
fn rank(state: &str) -> usize {
    const ORDER: [&str; 9] = [
        "open",
        "forced_open",
        "half_open",
        "saturated",
        "throttling",
        "closed",
        "metrics_only",
        "disabled",
        "unknown",
    ];
    ORDER
        .iter()
        .position(|known| *known == state)
        .unwrap_or(ORDER.len())
}

/// The instances' lanes as one: at each moment the worst state, how many refuse, and of how many.
fn folded(instances: &[InstanceLane]) -> Vec<LaneSegment> {
    if let [only] = instances {
        return only.segments.clone();
    }
    let mut cuts: Vec<i64> = instances
        .iter()
        .flat_map(|lane| &lane.segments)
        .flat_map(|segment| [segment.from_unix_nano, segment.to_unix_nano])
        .collect();
    cuts.sort_unstable();
    cuts.dedup();
    let mut at: Vec<usize> = vec![0; instances.len()];
    let mut folded: Vec<LaneSegment> = Vec::new();
    for pair in cuts.windows(2) {
        let (begin, end) = (pair[0], pair[1]);
        let mut now: Option<LaneSegment> = None;
        for (lane, at) in instances.iter().zip(&mut at) {
            while lane
                .segments
                .get(*at)
                .is_some_and(|s| s.to_unix_nano <= begin)
            {
                *at += 1;
            }
            let Some(segment) = lane.segments.get(*at).filter(|s| s.from_unix_nano <= begin) else {
                continue;
            };
            let sum = now.get_or_insert_with(|| LaneSegment {
                from_unix_nano: begin,
                from_lo_unix_nano: begin,
                to_unix_nano: end,
                state: segment.state.clone(),
                ..LaneSegment::default()
            });
            sum.open += segment.open;
            sum.of += segment.of;
            if rank(&segment.state) < rank(&sum.state) {
                sum.state.clone_from(&segment.state);
            }
            if segment.from_unix_nano == begin {
                sum.from_lo_unix_nano = sum.from_lo_unix_nano.min(segment.from_lo_unix_nano);
            }
        }
        let Some(now) = now else { continue };
        match folded.last_mut() {
            Some(last)
                if last.to_unix_nano == begin
                    && (&last.state, last.open, last.of) == (&now.state, now.open, now.of) =>
            {
                last.to_unix_nano = end;
            }
            _ => folded.push(now),
        }
    }
    folded
}

#[cfg(test)]
mod tests {
    use super::*;

    fn range(from: i64, to: i64) -> TimeRange {
        TimeRange {
            from_unix_nano: from,
            to_unix_nano: to,
        }
    }

    /// Intervals that follow each other: when each begins, and its state; the last one lasts.
    fn one_after_the_other(states: &[(i64, &str)]) -> Vec<Interval> {
        let ends = states.iter().skip(1).map(|(at, _)| Some(*at));
        states
            .iter()
            .zip(ends.chain([None]))
            .map(|((start, state), end)| Interval {
                state: (*state).to_owned(),
                start: *start,
                start_lo: *start,
                end,
                ..Interval::default()
            })
            .collect()
    }

    fn short(segments: &[LaneSegment]) -> Vec<(i64, i64, &str, u32, u32)> {
        segments
            .iter()
            .map(|s| {
                (
                    s.from_unix_nano,
                    s.to_unix_nano,
                    s.state.as_str(),
                    s.open,
                    s.of,
                )
            })
            .collect()
    }

    #[test]
    fn a_lane_is_its_intervals_within_the_range_and_a_restart_is_no_other_state() {
        let intervals = one_after_the_other(&[
            (10, "closed"),
            (15, "closed"),
            (20, "open"),
            (30, "half_open"),
            (40, "stale"),
        ]);
        assert_eq!(
            short(&segments(&intervals, range(0, 100))),
            [
                (10, 20, "closed", 0, 1),
                (20, 30, "open", 1, 1),
                (30, 40, "half_open", 0, 1),
                (40, 100, "stale", 0, 0)
            ]
        );
        assert_eq!(
            short(&segments(&intervals[2..3], range(25, 28))),
            [(25, 28, "open", 1, 1)]
        );
    }

    #[test]
    fn instances_fold_into_the_worst_state_with_counts() {
        let of = |states: &[(i64, &str)]| InstanceLane {
            service_instance_id: None,
            segments: segments(&one_after_the_other(states), range(0, 100)),
        };
        let both = [
            of(&[(0, "closed"), (20, "open"), (50, "closed")]),
            of(&[(0, "closed"), (30, "open"), (40, "closed")]),
        ];
        assert_eq!(
            short(&folded(&both)),
            [
                (0, 20, "closed", 0, 2),
                (20, 30, "open", 1, 2),
                (30, 40, "open", 2, 2),
                (40, 50, "open", 1, 2),
                (50, 100, "closed", 0, 2)
            ]
        );
    }
}
