//! Instances that are gone: what they refused ends with them.

use super::super::fixture::{Log, Span, append, hot_and_sealed, logs, now, spans};
use super::{HOUR, SECOND, change, export, with_an_hour_of_silence};
use crate::model::{BreakersQuery, IncidentsQuery, LanesQuery, TimeRange};
use crate::query::{Session, breakers, incident, incidents, review};
use crate::store::Store;

fn at(start: u64, second: u64) -> i64 {
    i64::try_from(start + second * SECOND).expect("before 2262")
}

/// State, begin and end of each incident in two hours, in seconds since `start`, the oldest first.
fn told(store: &Store, start: u64) -> Vec<String> {
    let reader = store.reader().expect("a reader");
    let query = IncidentsQuery {
        range: TimeRange {
            from_unix_nano: at(start, 0),
            to_unix_nano: at(start, 7_200),
        },
        scope: Default::default(),
        service: None,
        limit: 10,
        now_unix_nano: at(now(), 0),
    };
    let page = incidents(&Session::new(&reader), &query).expect("incidents");
    let second = |ns: i64| (ns - at(start, 0)) / SECOND as i64;
    let line = |found: &crate::model::Incident| {
        let end = found.end_unix_nano.map(|end| second(end).to_string());
        let end = end.unwrap_or_else(|| "-".to_owned());
        let begin = second(found.start_unix_nano);
        format!("{} {begin} {end}", found.state)
    };
    page.items.iter().rev().map(line).collect()
}

#[test]
fn an_incident_ends_with_the_pod_that_refused_and_a_later_trip_is_another() {
    let start = now() - 3 * HOUR;
    hot_and_sealed(
        |store| {
            for step in 0..60 {
                let time = start + step * 10 * SECOND;
                if step < 30 {
                    let state = if step < 20 { "closed" } else { "open" };
                    export(store, "pod-1", time, state, 0.0);
                }
                let refuses = (45..50).contains(&step);
                let state = if refuses { "open" } else { "closed" };
                export(store, "pod-2", time, state, 0.0);
            }
        },
        |store| {
            assert_eq!(told(store, start), ["silent 200 290", "recovered 450 500"]);
            // In full it says that it does not know.
            let reader = store.reader().expect("a reader");
            let session = Session::new(&reader);
            let address = at(start, 250).to_string();
            let found = incident(&session, &address, None, at(now(), 0)).expect("an answer");
            let found = found.expect("an incident");
            assert_eq!(found.recovery.verdict, "silent");
            let open: Vec<u32> = found.recovery.open.iter().map(|step| step.open).collect();
            assert_eq!(open, [1, 0]);
            let states: Vec<&str> = found
                .transitions
                .iter()
                .map(|change| change.to_state.as_str())
                .collect();
            assert_eq!(states, ["open", "stale"]);
        },
    );
}

#[test]
fn whoever_is_heard_again_as_it_was_held_on_and_whoever_is_not_did_not() {
    let start = now() - 3 * HOUR;
    hot_and_sealed(
        |store| with_an_hour_of_silence(store, start),
        |store| assert_eq!(told(store, start), ["silent 200 3890"]),
    );
    hot_and_sealed(
        |store| {
            // Open for half a minute, and closed when it is heard again.
            for step in [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 100, 101, 102] {
                let state = if (6..10).contains(&step) {
                    "open"
                } else {
                    "closed"
                };
                let time = start + step * 10 * SECOND;
                export(store, "pod-1", time, state, 0.0);
            }
        },
        |store| assert_eq!(told(store, start), ["silent 60 90"]),
    );
}

#[test]
fn what_was_reported_within_a_silence_says_until_when_it_refused() {
    let start = now() - 3 * HOUR;
    hot_and_sealed(
        |store| {
            for step in 0..10 {
                let state = if step < 6 { "closed" } else { "open" };
                let time = start + step * 10 * SECOND;
                export(store, "pod-1", time, state, 0.0);
            }
            let time = start + 1_000 * SECOND;
            change(store, "pod-1", time, 3, "open", "closed");
        },
        |store| assert_eq!(told(store, start), ["recovered 60 1000"]),
    );
}

/// A report that the breaker of a service opened, and times at which the same instance sent a span.
fn report(store: &Store, service: &str, opened: u64, calls: &[(u8, u64)]) {
    let event = Log {
        time: opened,
        event: "circuit_breaker.state_changed",
        attributes: r#"{"circuit_breaker.from_state":"closed","circuit_breaker.name":"payment","circuit_breaker.to_state":"open"}"#,
        ..Log::default()
    };
    append(store, logs(service, "pod-1", &[event]));
    for (number, time) in calls {
        let call = Span {
            time: *time,
            number: *number,
            ..Span::default()
        };
        append(store, spans(service, "pod-1", &[call]));
    }
}

#[test]
fn who_only_reports_is_stale_once_its_instance_sends_nothing_any_more() {
    let start = now() - 3 * HOUR;
    let minute = start + 60 * SECOND;
    hot_and_sealed(
        |store| {
            report(store, "gone", start, &[(1, minute)]);
            report(store, "lives", start, &[(2, minute), (3, now())]);
            // Nothing else ever came: that it is silent says nothing.
            report(store, "reports", start, &[]);
        },
        |store| {
            let reader = store.reader().expect("a reader");
            let session = Session::new(&reader);
            let all = BreakersQuery {
                limit: 10,
                ..BreakersQuery::default()
            };
            let mut states: Vec<String> = breakers(&session, &all)
                .expect("breakers")
                .items
                .iter()
                .map(|found| {
                    let since = (found.since_unix_nano.unwrap_or(0) - at(start, 0)) / SECOND as i64;
                    let (open, all) = (found.instances_open, found.instances);
                    format!(
                        "{} {} {since} {open} of {all}",
                        found.service_name, found.state
                    )
                })
                .collect();
            states.sort();
            assert_eq!(
                states,
                [
                    "gone stale 60 0 of 0",
                    "lives open 0 1 of 1",
                    "reports open 0 1 of 1"
                ]
            );
            let query = LanesQuery {
                range: TimeRange {
                    from_unix_nano: at(start, 0),
                    to_unix_nano: at(start, 7_200),
                },
                scope: Default::default(),
                service: None,
                breaker_id: None,
                limit: 10,
            };
            let mut open: Vec<(String, f64)> = review(&session, &query)
                .expect("a review")
                .items
                .into_iter()
                .map(|found| (found.service_name, found.minutes_open))
                .collect();
            open.sort_by(|a, b| a.0.cmp(&b.0));
            let minutes = [("gone", 1.0), ("lives", 120.0), ("reports", 120.0)];
            assert_eq!(open, minutes.map(|(name, open)| (name.to_owned(), open)));
            let mut incidents = told(store, start);
            incidents.sort();
            assert_eq!(incidents, ["open 0 -", "open 0 -", "silent 0 60"]);
        },
    );
}
