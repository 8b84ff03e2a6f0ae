//! When each service of an incident began to fail or to be slow, to the second.
//!
//! The usual failed share and mean duration are those of the minutes before; an onset is the first second of the
//! shortest run that leads up to the trip in which the share exceeds both 10 % and three times the usual (latency:
//! twice the usual mean and 20 ms more). Seconds without calls say nothing.

use std::collections::{BTreeMap, BTreeSet};

use duckdb::params;

use super::links::Node;
use super::{QueryError, SECOND, Session, calls_sql, nodes_text};
use crate::ask::Ask;
use crate::model::{Clue, Incident, Onset, TimeRange};

const ONSETS: &str = include_str!("onsets.sql");
/// Looked at before the first trip; its first half is what is usual.
const BEFORE_S: i64 = 180;
const USUAL_S: i64 = 90;
/// Failed share that is never usual.
const SHARE_MIN: f64 = 0.1;

#[derive(Debug, Clone, Copy, Default)]
struct InSecond {
    calls: f64,
    errors: f64,
    duration_ns: f64,
}

/// Onsets of every service of the incident, earliest first.
pub(super) fn onsets(
    session: &Session<'_>,
    incident: &Incident,
    nodes: &BTreeSet<Node>,
) -> Result<Vec<Onset>, QueryError> {
    let start = incident.start_unix_nano;
    let last = incident
        .breakers
        .iter()
        .map(|b| b.trip.time_unix_nano)
        .max();
    let range = TimeRange {
        from_unix_nano: start - BEFORE_S * SECOND,
        to_unix_nano: last.unwrap_or(start).min(start + 60 * SECOND) + SECOND,
    };
    let sql = ONSETS.replace("{calls}", &calls_sql(session, range, &[]));
    session.run(|conn| {
        let mut statement = conn.ask(&sql)?;
        let mut rows = statement.query(params![
            range.from_unix_nano,
            range.to_unix_nano,
            nodes_text(nodes)
        ])?;
        let mut seconds: BTreeMap<String, BTreeMap<i64, InSecond>> = BTreeMap::new();
        while let Some(row) = rows.next()? {
            let of = InSecond {
                calls: row.get(2)?,
                errors: row.get(3)?,
                duration_ns: row.get(4)?,
            };
            let known = seconds.entry(row.get(0)?).or_default().entry(row.get(1)?);
            let sum = known.or_default();
            sum.calls += of.calls;
            sum.errors += of.errors;
            sum.duration_ns += of.duration_ns;
        }
        let usual_until = range.from_unix_nano / SECOND + USUAL_S;
        let mut onsets: Vec<Onset> = seconds
            .into_iter()
            .flat_map(|(service, seconds)| of_service(&service, &seconds, usual_until))
            .collect();
        onsets.sort_by(|a, b| {
            (a.time_unix_nano, &a.service, &a.what).cmp(&(b.time_unix_nano, &b.service, &b.what))
        });
        Ok(onsets)
    })
}

fn of_service(service: &str, seconds: &BTreeMap<i64, InSecond>, usual_until: i64) -> Vec<Onset> {
    let mut usual = InSecond::default();
    for in_second in seconds.range(..usual_until).map(|(_, s)| s) {
        usual.calls += in_second.calls;
        usual.errors += in_second.errors;
        usual.duration_ns += in_second.duration_ns;
    }
    let share = usual.errors / usual.calls.max(1.0);
    let mean = usual.duration_ns / usual.calls.max(1.0);
    let fails = |s: &InSecond| s.errors / s.calls > (3.0 * share).max(SHARE_MIN);
    let is_slow =
        |s: &InSecond| usual.calls > 0.0 && s.duration_ns / s.calls > (2.0 * mean).max(mean + 20e6);
    let onset = |what: &str, bad: &dyn Fn(&InSecond) -> bool| {
        // Backwards from the trips: the run of bad seconds, one good one forgiven, is what led to them.
        let mut found: Option<i64> = None;
        let (mut good, mut after) = (0, InSecond::default());
        for (second, in_second) in seconds.range(usual_until..).rev() {
            if bad(in_second) {
                found = Some(*second);
                good = 0;
            } else if found.is_some() {
                good += 1;
            }
            if good > 2 {
                break;
            }
            after.calls += in_second.calls;
            after.errors += in_second.errors;
            after.duration_ns += in_second.duration_ns;
        }
        let (before, after) = match what {
            "errors" => (share, after.errors / after.calls.max(1.0)),
            _ => (mean / 1e9, after.duration_ns / after.calls.max(1.0) / 1e9),
        };
        found.map(|second| Onset {
            service: service.to_owned(),
            what: what.to_owned(),
            time_unix_nano: second * SECOND,
            before,
            after,
        })
    };
    [onset("errors", &fails), onset("latency", &is_slow)]
        .into_iter()
        .flatten()
        .collect()
}

/// What onsets say for the root: that nobody was in trouble before it.
pub(super) fn clue(onsets: &[Onset], root: &str) -> Option<Clue> {
    let first = onsets.iter().find(|onset| onset.service == root)?;
    let before_it = onsets
        .iter()
        .filter(|onset| onset.time_unix_nano < first.time_unix_nano)
        .count();
    let what = if first.what == "errors" {
        "fail"
    } else {
        "be slow"
    };
    let sentence = if before_it == 0 {
        format!("{root} was the first to {what}.")
    } else {
        format!("{root} began to {what} after {before_it} others: this speaks against it.")
    };
    Some(Clue {
        kind: "onset".to_owned(),
        sentence,
        value: Some(before_it as f64),
    })
}
