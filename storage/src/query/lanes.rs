//! States of breakers through time, for swimlanes: transitions of each instance, clipped to the range and folded.

use std::collections::BTreeMap;

use duckdb::Connection;
use duckdb::types::Value;

use super::conditions::Conditions;
use super::{QueryError, Session, breakers};
use crate::ask::Ask;
use crate::model::{InstanceLane, Lane, LaneSegment, LanesQuery, Page};

/// A breaker that opened longer before the range than this, and not since, is drawn by its latest state alone.
const LOOK_BACK_NS: i64 = 24 * 3600 * 1_000_000_000;

/// A change: latest and earliest time, state before, state after.
type Change = (i64, i64, Option<String>, String);
/// What is known of one instance.
struct Known {
    lane: Lane,
    instance: Option<String>,
    state: String,
    last_state: String,
    first_seen: i64,
    last_seen: i64,
}

/// Lanes of breakers seen in or before the range, those that refused longest first.
pub fn lanes(session: &Session<'_>, query: &LanesQuery) -> Result<Page<Lane>, QueryError> {
    if !session.set().may_have_breakers() {
        return Ok(Page::whole(Vec::new()));
    }
    let (known, mut changes) =
        session.run_concluded(|conn| Ok((known(conn, query)?, changes(conn, query)?)))?;
    let mut lanes: BTreeMap<String, Lane> = BTreeMap::new();
    for known in known {
        let key = (
            known.lane.breaker_id.clone(),
            known.instance.clone().unwrap_or_default(),
        );
        let changes = changes.remove(&key).unwrap_or_default();
        let segments = segments(&known, &changes, query);
        if segments.is_empty() {
            continue;
        }
        let lane = lanes.entry(key.0).or_insert(known.lane);
        let trips = changes.iter().filter(|(at, _, from, to)| {
            *at >= query.range.from_unix_nano
                && to == "open"
                && from.as_deref() != Some("half_open")
        });
        lane.trips += u32::try_from(trips.count()).unwrap_or(u32::MAX);
        lane.instances.push(InstanceLane {
            service_instance_id: known.instance,
            segments,
        });
    }
    let mut lanes: Vec<Lane> = lanes.into_values().collect();
    for lane in &mut lanes {
        lane.segments = folded(&lane.instances);
        let refusing = lane.segments.iter().filter(|segment| segment.open > 0);
        lane.refusing_ns = refusing
            .map(|s| u64::try_from(s.to_unix_nano - s.from_unix_nano).unwrap_or(0))
            .sum();
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
    let total = lanes.len() as u64;
    let truncated = lanes.len() > query.limit;
    lanes.truncate(query.limit);
    Ok(Page {
        items: lanes,
        truncated,
        total: Some(total),
        next: None,
    })
}

fn conditions(query: &LanesQuery) -> Conditions {
    let mut conditions = Conditions::default();
    conditions.scope(&query.scope);
    conditions.text("service_name = ?", query.service.as_ref());
    conditions.text("breaker_id = ?", query.breaker_id.as_ref());
    conditions
}

fn known(conn: &Connection, query: &LanesQuery) -> Result<Vec<Known>, QueryError> {
    let mut conditions = conditions(query);
    conditions.add(
        "first_seen < make_timestamp_ns(?)",
        [Value::BigInt(query.range.to_unix_nano)],
    );
    if query.breaker_id.is_none() {
        // These have no states to draw.
        conditions.add(
            "pattern NOT IN ('retry', 'timeout', 'fallback', 'hedge')",
            [],
        );
    }
    let sql = format!(
        "SELECT breaker_id, environment, service_namespace, cluster, service_name, name, \"key\", pattern, peer_service, \
         service_instance_id, state, last_state, epoch_ns(first_seen), epoch_ns(last_seen) FROM breaker_instances {} \
         ORDER BY breaker_id, service_instance_id",
        conditions.filter_clause()
    );
    let mut statement = conn.ask(&sql)?;
    let rows = statement.query_map(conditions.values(), |row| {
        let text = |at: usize| {
            row.get::<_, Option<String>>(at)
                .map(Option::unwrap_or_default)
        };
        Ok(Known {
            lane: Lane {
                breaker_id: text(0)?,
                scope: breakers::scope(row, 1)?,
                service_name: text(4)?,
                name: text(5)?,
                key: row.get(6)?,
                pattern: text(7)?,
                peer_service: row.get(8)?,
                ..Lane::default()
            },
            instance: row.get(9)?,
            state: text(10)?,
            last_state: text(11)?,
            first_seen: row.get::<_, Option<i64>>(12)?.unwrap_or(i64::MIN),
            last_seen: row.get::<_, Option<i64>>(13)?.unwrap_or(i64::MAX),
        })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

fn changes(
    conn: &Connection,
    query: &LanesQuery,
) -> Result<BTreeMap<(String, String), Vec<Change>>, QueryError> {
    let mut conditions = conditions(query);
    conditions.add(
        "\"time\" >= make_timestamp_ns(?) AND \"time\" < make_timestamp_ns(?)",
        [
            Value::BigInt(query.range.from_unix_nano.saturating_sub(LOOK_BACK_NS)),
            Value::BigInt(query.range.to_unix_nano),
        ],
    );
    let sql = format!(
        "SELECT breaker_id, coalesce(service_instance_id, ''), epoch_ns(\"time\"), epoch_ns(time_lo), from_state, to_state \
         FROM breaker_transitions {} ORDER BY \"time\"",
        conditions.filter_clause()
    );
    let mut statement = conn.ask(&sql)?;
    let mut rows = statement.query(conditions.values())?;
    let mut changes: BTreeMap<(String, String), Vec<Change>> = BTreeMap::new();
    while let Some(row) = rows.next()? {
        let at: i64 = row.get(2)?;
        let lo = row.get::<_, Option<i64>>(3)?.unwrap_or(at);
        let to = row.get::<_, Option<String>>(5)?.unwrap_or_default();
        changes
            .entry((row.get(0)?, row.get(1)?))
            .or_default()
            .push((at, lo, row.get(4)?, to));
    }
    Ok(changes)
}

/// One instance's states within the range, oldest first, without gaps from its first evidence on.
fn segments(known: &Known, changes: &[Change], query: &LanesQuery) -> Vec<LaneSegment> {
    let (from, to) = (query.range.from_unix_nano, query.range.to_unix_nano);
    let before = changes.first().map_or_else(
        || Some(known.last_state.clone()),
        |(_, _, state, _)| state.clone(),
    );
    let mut steps: Vec<(i64, i64, String)> = Vec::with_capacity(changes.len() + 2);
    let start = known.first_seen;
    if changes.first().is_none_or(|(at, ..)| start < *at) {
        steps.push((start, start, before.unwrap_or_else(|| "unknown".to_owned())));
    }
    steps.extend(changes.iter().map(|(at, lo, _, to)| (*at, *lo, to.clone())));
    if known.state == "stale" && known.last_seen < to {
        steps.push((known.last_seen, known.last_seen, "stale".to_owned()));
    }
    let mut segments: Vec<LaneSegment> = Vec::new();
    for (at, (begin, lo, state)) in steps.iter().enumerate() {
        let end = steps.get(at + 1).map_or(to, |next| next.0).min(to);
        let begin = (*begin).max(from);
        if end < from || begin > end || (begin == end && at + 1 < steps.len() && end == from) {
            continue;
        }
        let refuses = matches!(state.as_str(), "open" | "forced_open");
        match segments.last_mut() {
            Some(last) if last.state == *state => last.to_unix_nano = end,
            _ => segments.push(LaneSegment {
                from_unix_nano: begin,
                from_lo_unix_nano: (*lo).max(from).min(begin),
                to_unix_nano: end,
                state: state.clone(),
                open: u32::from(refuses),
                of: u32::from(state != "stale"),
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
    use crate::model::TimeRange;

    fn query(from: i64, to: i64) -> LanesQuery {
        LanesQuery {
            range: TimeRange {
                from_unix_nano: from,
                to_unix_nano: to,
            },
            scope: Default::default(),
            service: None,
            breaker_id: None,
            limit: 10,
        }
    }

    fn known(first: i64, last: i64, state: &str) -> Known {
        Known {
            lane: Lane::default(),
            instance: None,
            state: state.to_owned(),
            last_state: "closed".to_owned(),
            first_seen: first,
            last_seen: last,
        }
    }

    fn change(at: i64, from: &str, to: &str) -> Change {
        (at, at, Some(from.to_owned()), to.to_owned())
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
    fn a_lane_begins_with_its_first_evidence_and_ends_stale() {
        let changes = [
            change(20, "closed", "open"),
            change(30, "open", "half_open"),
        ];
        let lane = segments(&known(10, 40, "stale"), &changes, &query(0, 100));
        assert_eq!(
            short(&lane),
            [
                (10, 20, "closed", 0, 1),
                (20, 30, "open", 1, 1),
                (30, 40, "half_open", 0, 1),
                (40, 100, "stale", 0, 0)
            ]
        );
        let lane = segments(&known(10, 40, "half_open"), &changes, &query(25, 28));
        assert_eq!(short(&lane), [(25, 28, "open", 1, 1)]);
        let lane = segments(&known(0, 40, "closed"), &[], &query(25, 28));
        assert_eq!(short(&lane), [(25, 28, "closed", 0, 1)]);
    }

    #[test]
    fn instances_fold_into_the_worst_state_with_counts() {
        let of = |changes: &[Change]| InstanceLane {
            service_instance_id: None,
            segments: segments(&known(0, 90, "closed"), changes, &query(0, 100)),
        };
        let both = [
            of(&[change(20, "closed", "open"), change(50, "open", "closed")]),
            of(&[change(30, "closed", "open"), change(40, "open", "closed")]),
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
