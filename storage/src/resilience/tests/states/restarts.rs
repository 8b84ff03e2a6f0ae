//! Restarts, and what is taken for one and is none.

use super::super::fixture::{Point, append, hot_and_sealed, metrics, now, rows};
use super::{HOUR, SECOND, change, export};
use crate::model::{FindingsQuery, TimeRange};
use crate::query::{Session, findings};
use crate::store::Store;

#[test]
fn counters_that_begin_anew_are_a_restart_whatever_the_states() {
    let start = now() - 3 * HOUR;
    let exports = [
        (0, "closed", 5.0),
        // Nothing but the counter tells.
        (10, "closed", 0.0),
        (20, "open", 2.0),
        // Open before and after: it was closed in between.
        (30, "open", 1.0),
        (40, "open", 3.0),
    ];
    hot_and_sealed(
        |store| {
            for (at, state, rejected) in exports {
                export(store, "pod-1", start + at * SECOND, state, rejected);
            }
        },
        |store| {
            assert_eq!(
                rows(
                    store,
                    &format!(
                        "SELECT from_state, to_state, reason, (time_lo_unix_nano::BIGINT - {start}) // {SECOND},
                         round((time_unix_nano::BIGINT - {start}) / 1e9)::BIGINT
                         FROM breaker_transitions ORDER BY time"
                    )
                ),
                [
                    "closed closed restart 0 10",
                    "closed open - 10 20",
                    "open closed restart 20 30",
                    "closed open - 20 30",
                ]
            );
            assert_eq!(
                rows(store, "SELECT sum(trips), sum(restarts) FROM breaker_days"),
                ["2 2"]
            );
        },
    );
}

#[test]
fn processes_that_share_an_id_are_told_and_not_taken_for_restarts() {
    let start = now() - HOUR;
    let at = |seconds: u64| i64::try_from(start + seconds * SECOND).expect("before 2262");
    hot_and_sealed(
        |store| {
            for at in 0..20_u32 {
                let time = start + u64::from(at) * 10 * SECOND;
                export(store, "pod-1", time, "closed", f64::from(5 + at));
                let other = time + 4 * SECOND;
                export(store, "pod-1", other, "closed", f64::from(at / 2));
                // By itself it restarts, once.
                let counted = if at < 10 { 5 + at } else { at - 10 };
                export(store, "pod-2", time, "closed", f64::from(counted));
                // In a crash loop: it begins anew every 40 s, and climbs.
                let counted = [0.0, 1.0, 1.0, 2.0][at as usize % 4];
                export(store, "pod-3", time, "closed", counted);
            }
        },
        |store| {
            let changes = "SELECT service_instance_id, reason, count(*) FROM breaker_transitions \
                           WHERE reason = 'restart' OR service_instance_id = 'pod-1' GROUP BY 1, 2 ORDER BY 1";
            assert_eq!(rows(store, changes), ["pod-2 restart 1", "pod-3 restart 4"]);
            let reader = store.reader().expect("a reader");
            let query = FindingsQuery {
                range: TimeRange {
                    from_unix_nano: at(0),
                    to_unix_nano: at(600),
                },
                scope: Default::default(),
                services: Vec::new(),
                limit: 10,
            };
            let found = findings(&Session::new(&reader), &query).expect("findings");
            let [one] = found.items.as_slice() else {
                panic!("{found:?}");
            };
            assert_eq!(
                (
                    one.kind.as_str(),
                    one.service.as_str(),
                    one.subject.as_str()
                ),
                ("shared_instance", "cart", "pod-1")
            );
            assert!(one.sentence.contains("as one instance (pod-1)"), "{one:?}");
        },
    );
}

#[test]
fn a_breaker_on_an_instance_it_was_not_on_began_there_closed() {
    let start = now() - 3 * HOUR;
    hot_and_sealed(
        |store| {
            for at in 0..20 {
                let time = start + at * 10 * SECOND;
                export(store, "pod-1", time, "open", 0.0);
                // Began together with it.
                export(store, "pod-2", time + 5 * SECOND, "closed", 0.0);
            }
            for at in 0..5 {
                let time = start + (300 + at * 10) * SECOND;
                export(store, "pod-3", time, "closed", 0.0);
            }
            // Reports alone do not say when an instance began.
            change(store, "pod-4", start + 400 * SECOND, 2, "closed", "open");
        },
        |store| {
            assert_eq!(
                rows(
                    store,
                    &format!(
                        "SELECT service_instance_id, from_state, to_state, reason, (time_lo_unix_nano::BIGINT - {start}) // {SECOND},
                         (time_unix_nano::BIGINT - {start}) // {SECOND} FROM breaker_transitions ORDER BY time"
                    )
                ),
                [
                    "pod-3 - closed restart 290 300",
                    "pod-4 closed open - 400 400"
                ]
            );
        },
    );
}

/// An export of a breaker that is closed, with what it counts since a start.
fn counts(store: &Store, breaker: &str, time: u64, counters: &[(&str, f64)]) {
    let state =
        format!(r#"{{"circuit_breaker.name":"{breaker}","circuit_breaker.state":"closed"}}"#);
    let mut points: Vec<Point<'static>> =
        vec![("circuit_breaker.state", "gauge", state, time, 1.0)];
    points.extend(counters.iter().map(|(outcome, count)| {
        let attributes = format!(
            r#"{{"circuit_breaker.name":"{breaker}","circuit_breaker.outcome":"{outcome}"}}"#
        );
        ("circuit_breaker.calls", "sum", attributes, time, *count)
    }));
    append(store, metrics("cart", "pod-1", &points));
}

#[test]
fn calls_that_are_counted_anew_are_a_restart_and_a_kind_that_an_export_lacks_is_none() {
    let start = now() - HOUR;
    let (ok, failed, rejected) = ("success", "failure", "rejected");
    let breakers: [(&str, &[&[(&str, f64)]]); 5] = [
        // Nothing but the calls that passed tells.
        (
            "a",
            &[
                &[(ok, 5.0)],
                &[(ok, 9.0)],
                &[(ok, 9.0)],
                &[(ok, 2.0)],
                &[(ok, 3.0)],
            ],
        ),
        (
            "b",
            &[
                &[(ok, 5.0), (failed, 2.0)],
                &[(ok, 9.0), (failed, 3.0)],
                &[(ok, 12.0)],
                &[(failed, 3.0)],
                &[(ok, 14.0), (failed, 4.0)],
            ],
        ),
        // Began anew once: the other kind is counted again from its first call on.
        (
            "c",
            &[
                &[(ok, 5.0), (failed, 2.0)],
                &[(ok, 9.0), (failed, 3.0)],
                &[(ok, 2.0)],
                &[(ok, 4.0)],
                &[(ok, 6.0), (failed, 1.0)],
            ],
        ),
        // One of its streams was not exported: it went on refusing.
        (
            "d",
            &[
                &[(ok, 5.0), (rejected, 2.0)],
                &[(ok, 9.0), (rejected, 2.0)],
                &[(ok, 4.0), (rejected, 2.0)],
                &[(ok, 14.0), (rejected, 2.0)],
                &[(ok, 15.0), (rejected, 2.0)],
            ],
        ),
        // Numbers nobody counts to, whose sum no column holds.
        (
            "e",
            &[&[(ok, 1e30), (failed, 1e30)], &[(ok, 1e30), (failed, 1e30)]],
        ),
    ];
    hot_and_sealed(
        |store| {
            for (breaker, exports) in breakers {
                for (at, counters) in (0..).zip(exports) {
                    counts(store, breaker, start + at * 10 * SECOND, counters);
                }
            }
        },
        |store| {
            let restarts = format!(
                "SELECT name, from_state, to_state, (time_lo_unix_nano::BIGINT - {start}) // {SECOND},
                 (time_unix_nano::BIGINT - {start}) // {SECOND} FROM breaker_transitions
                 WHERE reason = 'restart' ORDER BY name, time"
            );
            assert_eq!(
                rows(store, &restarts),
                ["a closed closed 20 30", "c closed closed 10 20"]
            );
        },
    );
}
