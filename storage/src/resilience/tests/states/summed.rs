//! States summed up: by the day, and in a review.

use super::super::fixture::{append, batch, hot_and_sealed, now, resource, rows};
use super::{HOUR, SECOND, change, export};
use crate::ingest::{Rows, SpanColumns, SpanRow};
use crate::model::{LanesQuery, TimeRange};
use crate::query::{Session, how, review};
use crate::store::Store;

#[test]
fn days_add_up_instances_and_know_who_flaps() {
    // Noon of a day long ago: events, so that nothing is stale.
    let noon = (now() / (24 * HOUR) - 10) * 24 * HOUR + 12 * HOUR;
    hot_and_sealed(
        |store| {
            let mut generation = 1;
            let mut next = || {
                generation += 1;
                generation
            };
            // Three trips of a minute, a quarter of an hour apart, and one that lasts over midnight.
            for at in [0, 900, 1_800] {
                let time = noon + at * SECOND;
                change(store, "pod-1", time, next(), "closed", "open");
                change(
                    store,
                    "pod-1",
                    time + 60 * SECOND,
                    next(),
                    "open",
                    "half_open",
                );
                change(
                    store,
                    "pod-1",
                    time + 61 * SECOND,
                    next(),
                    "half_open",
                    "closed",
                );
            }
            let late = noon + 12 * HOUR - 120 * SECOND;
            change(store, "pod-1", late, next(), "closed", "open");
            change(
                store,
                "pod-1",
                late + 300 * SECOND,
                next(),
                "open",
                "closed",
            );
            // Another instance, half of whose minute is shared with the first.
            change(store, "pod-2", noon + 30 * SECOND, 2, "closed", "open");
            change(store, "pod-2", noon + 90 * SECOND, 3, "open", "closed");
        },
        |store| {
            let days = rows(
                store,
                "SELECT instances, minutes_open, trips, trips_inferred, round(flap_score, 3), open_seconds, half_open_seconds
                 FROM breaker_days WHERE open_seconds > 0 ORDER BY day",
            );
            assert_eq!(
                days,
                ["2 5.5 5 0 1.75 360.0 3.0", "2 3.0 0 0 0.0 180.0 0.0"]
            );
        },
    );
}

/// A call from `cart` that `payment` answers.
fn call(store: &Store, number: u64, time: u64, is_failed: bool) {
    for (service, kind, is_answer) in [("cart", "client", false), ("payment", "server", true)] {
        let id = |span: u64| (2 * number + span + 1).to_be_bytes();
        let mut columns = SpanColumns::default();
        columns.push(&SpanRow {
            trace_id: u128::from(number + 1).to_be_bytes(),
            span_id: id(u64::from(is_answer)),
            parent_span_id: is_answer.then(|| id(0)),
            name: "pay",
            kind,
            start_unix_nano: time,
            end_unix_nano: time + 1_000_000,
            status_code: if is_failed { "error" } else { "unset" },
            attributes: "{}",
            ..SpanRow::default()
        });
        append(
            store,
            batch(resource(service, "pod-1"), "lib", Rows::Spans(columns)),
        );
    }
}

#[test]
fn a_review_knows_how_late_a_breaker_opened_and_how_long_it_refused_for_nothing() {
    let start = (now() - 3 * HOUR) / (10 * SECOND) * 10 * SECOND;
    hot_and_sealed(
        |store| {
            // The callee fails from second 80 to 130; the breaker is open, but for two probes, from 95 to 156.
            for number in 0..60 {
                let second = number * 5;
                let is_failed = (80..130).contains(&second);
                call(store, number, start + second * SECOND, is_failed);
            }
            let changes = [
                (95, "closed", "open"),
                (125, "open", "half_open"),
                (126, "half_open", "open"),
                (155, "open", "half_open"),
                (156, "half_open", "closed"),
            ];
            for (generation, (second, from, to)) in (2..).zip(changes) {
                change(
                    store,
                    "pod-1",
                    start + second * SECOND,
                    generation,
                    from,
                    to,
                );
            }
            for second in (0..300).step_by(10) {
                let state = if (95..156).contains(&second) {
                    "open"
                } else {
                    "closed"
                };
                let refused = if second < 95 { 0.0 } else { 61.0 };
                export(store, "pod-1", start + second * SECOND, state, refused);
            }
        },
        |store| {
            let reader = store.reader().expect("a reader");
            let at = |second: u64| i64::try_from(start + second * SECOND).expect("before 2262");
            let query = LanesQuery {
                range: TimeRange {
                    from_unix_nano: at(0),
                    to_unix_nano: at(300),
                },
                scope: Default::default(),
                service: None,
                breaker_id: None,
                limit: 10,
            };
            let page = review(&Session::new(&reader), &query).expect("a review");
            let [one] = page.items.as_slice() else {
                panic!("{page:?}");
            };
            assert_eq!(
                (one.service_name.as_str(), one.name.as_str()),
                ("cart", "payment")
            );
            assert_eq!((one.trips, one.trips_inferred, one.restarts), (1, 0, 0));
            assert_eq!((one.minutes_open * 60.0).round(), 59.0);
            assert_eq!(one.flap_score, 1.0);
            let told = format!(
                "SELECT service_name, name, trips, round(minutes_open * 60), flap_score FROM ({})",
                how::breaker_review(&query)
            );
            assert_eq!(rows(store, &told), ["cart payment 1 59.0 1.0"]);
            assert_eq!(
                (one.detect_ns, one.recover_ns),
                (Some(15e9), Some(26e9)),
                "from second 80 to 95, and from 130 to 156"
            );
            // 26 of the 61 seconds it was open.
            assert_eq!((one.refused, one.refused_needlessly), (Some(61), Some(26)));
        },
    );
}
