//! Instances that are gone: what they refused ends with them.

use super::super::fixture::{hot_and_sealed, now};
use super::{HOUR, SECOND, change, export, with_an_hour_of_silence};
use crate::model::{IncidentsQuery, TimeRange};
use crate::query::{Session, incident, incidents};
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
