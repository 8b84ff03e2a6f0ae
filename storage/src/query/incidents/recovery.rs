//! Whether an incident gets better: instances that refuse over time, refused calls, probes, errors at the entry points
//! whose requests cross its edges.
//!
//! The verdict: `recovered` when every breaker closed, `silent` when one fell silent before; else `worsening` or `recovering` when fewer or more instances
//! refuse, or the failed share at the entry points moved by more than 2 points, within the last five minutes; else `flat`.

use std::collections::BTreeMap;

use duckdb::{Connection, params};

use super::blast::may_be;
use super::sample::{SPANS_MAX, Sample};
use super::silences::STALE;
use super::windows::begins;
use super::{QueryError, SECOND, Session, end, refused_by};
use crate::ask::Ask;
use crate::model::{
    BlastRadius, BreakerTransition, Incident, OpenAt, Recovery, RejectedInMinute, TimeRange,
};
use crate::rollup::BUCKET_NS;

const REJECTED: &str = include_str!("recovery.sql");
const ENTRY_ERRORS: &str = include_str!("entry_errors.sql");
const MINUTE_NS: i64 = 60 * SECOND;
const FIVE_MINUTES_NS: i64 = 300 * SECOND;
/// A change of the failed share below this is none.
const SHARE_STEP: f64 = 0.02;

/// How the incident goes on.
pub(super) fn recovery(
    session: &Session<'_>,
    incident: &Incident,
    transitions: &[BreakerTransition],
    blast: &BlastRadius,
    now: i64,
) -> Result<Recovery, QueryError> {
    let finish = end(incident, now);
    let (open, probes, probes_passed) = steps(transitions);
    let ids: Vec<&str> = incident
        .breakers
        .iter()
        .map(|b| b.breaker_id.as_str())
        .collect();
    // Errors of requests that go elsewhere say nothing of it.
    let entry_points = blast.entry_points.iter();
    let entries = super::entries_text(entry_points.filter(|entry| entry.crossing > 0.0));
    // Before and after are the same whole buckets as of each of its calls.
    let begins = begins(incident);
    let until = match incident.end_unix_nano {
        Some(_) => {
            let over = (finish.div_euclid(BUCKET_NS) + 1) * BUCKET_NS;
            (over + FIVE_MINUTES_NS).min(now)
        }
        None => now,
    };
    let red = session.set().red_sql(
        (begins - FIVE_MINUTES_NS).min(until - 2 * FIVE_MINUTES_NS) - 20 * SECOND,
        until + 10 * SECOND,
    );
    let (rejected, basis, shares) = session.run_over(&["breaker_samples"], |conn| {
        let mut statement = conn.ask(REJECTED)?;
        let first = first_trip(incident);
        let (from, to) = (first - 120 * SECOND, finish + 120 * SECOND);
        let counted = statement
            .query_map(params![from, to, ids.join(","), first, finish], |row| {
                Ok(RejectedInMinute {
                    time_unix_nano: row.get(0)?,
                    rejected: row.get::<_, Option<u64>>(1)?.unwrap_or(0),
                })
            })?
            .collect::<Result<Vec<_>, _>>()?;
        let (rejected, basis) = match counted.is_empty() {
            true => (told_by_spans(session, conn, incident, finish)?, "spans"),
            false => (counted, "counter"),
        };
        let shares: (Option<f64>, Option<f64>, Option<f64>) = conn.ask_row(
            &ENTRY_ERRORS.replace("{red}", &red),
            params![
                entries,
                begins - FIVE_MINUTES_NS,
                begins,
                until - FIVE_MINUTES_NS,
                until,
                until - 2 * FIVE_MINUTES_NS
            ],
            |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)),
        )?;
        Ok((rejected, basis, shares))
    })?;
    let (before, recent, earlier) = shares;
    let (verdict, reason) = verdict(incident, &open, recent, earlier, now);
    Ok(Recovery {
        verdict: verdict.to_owned(),
        reason,
        open,
        rejected_basis: (!rejected.is_empty()).then(|| basis.to_owned()),
        rejected,
        probes,
        probes_passed,
        entry_error_share: recent,
        entry_error_share_before: before,
    })
}

/// The earliest moment at which its first breaker may have tripped.
fn first_trip(incident: &Incident) -> i64 {
    let trips = incident.breakers.iter().map(|b| b.trip.time_lo_unix_nano);
    trips.min().unwrap_or(incident.start_unix_nano)
}

/// Refused calls a minute as spans tell them, of breakers of which none counts them.
fn told_by_spans(
    session: &Session<'_>,
    conn: &Connection,
    incident: &Incident,
    finish: i64,
) -> Result<Vec<RejectedInMinute>, QueryError> {
    let breakers = &incident.breakers;
    let range = TimeRange {
        from_unix_nano: first_trip(incident),
        to_unix_nano: finish + SECOND,
    };
    let sample = Sample::of(session.set(), conn, range, SPANS_MAX)?;
    let refused = refused_by(session, conn, breakers, range, sample)?;
    let mut minutes: BTreeMap<i64, f64> = BTreeMap::new();
    for (told, weight) in refused.weighed() {
        if breakers.iter().any(|b| may_be(b, &told.subject)) {
            let minute = told.time_unix_nano.div_euclid(MINUTE_NS) * MINUTE_NS;
            *minutes.entry(minute).or_default() += weight * sample.one_in as f64;
        }
    }
    let minutes = minutes.into_iter().map(|(minute, calls)| RejectedInMinute {
        time_unix_nano: minute,
        rejected: calls.round() as u64,
    });
    Ok(minutes.collect())
}

/// Instances that refuse at each change; half-open states that ended, and those that closed.
fn steps(transitions: &[BreakerTransition]) -> (Vec<OpenAt>, u32, u32) {
    let mut held: BTreeMap<(&str, &str), &str> = BTreeMap::new();
    let mut open: Vec<OpenAt> = Vec::new();
    let (mut probes, mut passed) = (0, 0);
    for change in transitions {
        let instance = change.service_instance_id.as_deref().unwrap_or_default();
        let key = (change.breaker_id.as_str(), instance);
        let before = held.insert(key, change.to_state.as_str());
        // Nobody knows how the probe of one that fell silent ended.
        let has_ended = !matches!(change.to_state.as_str(), "half_open" | STALE);
        if before == Some("half_open") && has_ended {
            probes += 1;
            passed += u32::from(change.to_state == "closed");
        }
        let refusing = held
            .values()
            .filter(|state| matches!(**state, "open" | "forced_open"))
            .count();
        let at = OpenAt {
            time_unix_nano: change.time_unix_nano,
            open: u32::try_from(refusing).unwrap_or(u32::MAX),
        };
        match open.last_mut() {
            Some(last) if last.time_unix_nano == at.time_unix_nano => *last = at,
            Some(last) if last.open == at.open => {}
            _ => open.push(at),
        }
    }
    (open, probes, passed)
}

fn verdict(
    incident: &Incident,
    open: &[OpenAt],
    recent: Option<f64>,
    earlier: Option<f64>,
    now: i64,
) -> (&'static str, String) {
    if incident.end_unix_nano.is_some() {
        return match incident.state.as_str() {
            "silent" => (
                "silent",
                "a breaker fell silent before it closed; nothing is known of it since".to_owned(),
            ),
            _ => ("recovered", "every breaker closed again".to_owned()),
        };
    }
    let at = |ns: i64| {
        open.iter()
            .rev()
            .find(|step| step.time_unix_nano <= ns)
            .map_or(0, |step| step.open)
    };
    let (then, is) = (at(now - FIVE_MINUTES_NS), at(now));
    let change = recent
        .zip(earlier)
        .map(|(recent, earlier)| recent - earlier);
    let instances = refusing(is, then);
    match change {
        _ if is > then => ("worsening", instances),
        Some(change) if change > SHARE_STEP => (
            "worsening",
            format!("{instances}; errors at the entry points rise"),
        ),
        _ if is < then => ("recovering", instances),
        Some(change) if change < -SHARE_STEP => (
            "recovering",
            format!("{instances}; errors at the entry points fall"),
        ),
        _ => ("flat", instances),
    }
}

/// How many instances refuse, in words.
fn refusing(is: u32, then: u32) -> String {
    let refuse = if is == 1 {
        "instance refuses"
    } else {
        "instances refuse"
    };
    format!("{is} {refuse}, five minutes ago {then}")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The verdict and its reason at second 1,000: instances that refuse from seconds on, and failed shares now and five
    /// minutes ago.
    fn told(
        steps: &[(i64, u32)],
        recent: Option<f64>,
        earlier: Option<f64>,
    ) -> (&'static str, String) {
        let open: Vec<OpenAt> = steps
            .iter()
            .map(|(second, open)| OpenAt {
                time_unix_nano: second * SECOND,
                open: *open,
            })
            .collect();
        verdict(&Incident::default(), &open, recent, earlier, 1_000 * SECOND)
    }

    #[test]
    fn the_verdict_compares_instances_and_errors_with_those_of_five_minutes_ago() {
        // Five minutes ago is second 700.
        let (steady, fewer, more) = (
            &[(600, 2)][..],
            &[(600, 2), (700, 3), (900, 1)][..],
            &[(600, 1), (900, 2)][..],
        );
        let cases = [
            (
                steady,
                None,
                None,
                "flat",
                "2 instances refuse, five minutes ago 2",
            ),
            // Less than two points are no change, and one share alone is none.
            (
                steady,
                Some(0.115),
                Some(0.1),
                "flat",
                "2 instances refuse, five minutes ago 2",
            ),
            (
                steady,
                Some(0.085),
                Some(0.1),
                "flat",
                "2 instances refuse, five minutes ago 2",
            ),
            (
                steady,
                Some(0.9),
                None,
                "flat",
                "2 instances refuse, five minutes ago 2",
            ),
            (
                &[][..],
                None,
                None,
                "flat",
                "0 instances refuse, five minutes ago 0",
            ),
            (
                steady,
                Some(0.05),
                Some(0.1),
                "recovering",
                "2 instances refuse, five minutes ago 2; errors at the entry points fall",
            ),
            (
                steady,
                Some(0.15),
                Some(0.1),
                "worsening",
                "2 instances refuse, five minutes ago 2; errors at the entry points rise",
            ),
            (
                fewer,
                None,
                None,
                "recovering",
                "1 instance refuses, five minutes ago 3",
            ),
            (
                fewer,
                Some(0.05),
                Some(0.1),
                "recovering",
                "1 instance refuses, five minutes ago 3",
            ),
            // Whoever still fails outweighs whoever closed.
            (
                fewer,
                Some(0.15),
                Some(0.1),
                "worsening",
                "1 instance refuses, five minutes ago 3; errors at the entry points rise",
            ),
            (
                more,
                None,
                None,
                "worsening",
                "2 instances refuse, five minutes ago 1",
            ),
            (
                more,
                Some(0.05),
                Some(0.1),
                "worsening",
                "2 instances refuse, five minutes ago 1",
            ),
        ];
        for (steps, recent, earlier, verdict, reason) in cases {
            assert_eq!(
                told(steps, recent, earlier),
                (verdict, reason.to_owned()),
                "{steps:?} {recent:?} {earlier:?}"
            );
        }
    }

    #[test]
    fn an_instance_that_fell_silent_refuses_no_more_and_ended_no_probe() {
        let change = |second: i64, instance: &str, to: &str| BreakerTransition {
            time_unix_nano: second * SECOND,
            service_instance_id: Some(instance.to_owned()),
            to_state: to.to_owned(),
            ..BreakerTransition::default()
        };
        let (open, probes, passed) = steps(&[
            change(1, "a", "open"),
            change(2, "b", "open"),
            change(3, "a", STALE),
            change(4, "b", "half_open"),
            change(5, "b", STALE),
        ]);
        let open: Vec<u32> = open.iter().map(|step| step.open).collect();
        assert_eq!((open, probes, passed), (vec![1, 2, 1, 0], 0, 0));
    }

    #[test]
    fn what_is_over_is_judged_no_more() {
        let over = |state: &str| {
            let over = Incident {
                end_unix_nano: Some(900 * SECOND),
                state: state.to_owned(),
                ..Incident::default()
            };
            verdict(&over, &[], Some(0.9), Some(0.1), 1_000 * SECOND)
        };
        let (verdict, reason) = over("silent");
        // Which of several it was the incident's state does not say.
        assert_eq!(verdict, "silent");
        assert!(reason.starts_with("a breaker fell silent"), "{reason}");
        let found = over("recovered");
        assert_eq!(
            found,
            ("recovered", "every breaker closed again".to_owned())
        );
    }

    #[test]
    fn calls_refused_before_and_after_an_incident_are_not_its_own() {
        let conn = Connection::open_in_memory().expect("DuckDB");
        conn.execute_batch(
            r#"CREATE TABLE breaker_samples AS
               SELECT 'a' AS breaker_id, instance AS service_instance_id, make_timestamp_ns(second::BIGINT * 1000000000) AS "time",
                   rejected::UBIGINT AS rejected, 1::UBIGINT AS ok, 0::UBIGINT AS failed, instance = 'delta' AS is_delta
               FROM (VALUES ('total', 100, 0), ('total', 160, 50), ('total', 220, 50), ('total', 225, 50), ('total', 230, 60),
                   ('total', 240, 75), ('total', 300, 80), ('total', 310, 180),
                   ('delta', 160, 4), ('delta', 220, 4), ('delta', 240, 7), ('delta', 300, 1), ('delta', 310, 9))
                   v(instance, second, rejected);"#,
        )
        .expect("a table");
        let ids = "a,b".to_owned();
        let mut asked = conn.ask(REJECTED).expect("a question");
        // An incident from second 222 to 250: the samples of second 300 count what was refused until then.
        let read = [100, 370].map(|second: i64| second * SECOND);
        let counted = [222, 250].map(|second: i64| second * SECOND);
        let minutes: Vec<(i64, u64)> = asked
            .query_map(
                params![read[0], read[1], ids, counted[0], counted[1]],
                |row| Ok((row.get(0)?, row.get(1)?)),
            )
            .expect("an answer")
            .collect::<Result<_, _>>()
            .expect("rows");
        let told = [(180 * SECOND, 10), (240 * SECOND, 22), (300 * SECOND, 6)];
        assert_eq!(minutes, told);
    }

    #[test]
    fn one_instance_refuses_and_two_refuse() {
        assert_eq!(refusing(1, 0), "1 instance refuses, five minutes ago 0");
        assert_eq!(refusing(2, 1), "2 instances refuse, five minutes ago 1");
        assert_eq!(refusing(0, 1), "0 instances refuse, five minutes ago 1");
    }
}
