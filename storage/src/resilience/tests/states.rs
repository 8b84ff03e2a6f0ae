//! States through time: silences, restarts, intervals and days, the same from hot, sealed and merged segments, and the
//! same in lanes and on edges.

use std::time::{Duration, Instant};

use super::fixture::{
    Log, Point, Span, append, batch, hot_and_sealed, logs, metrics, now, resource, rows, small,
    spans,
};
use crate::ingest::{Rows, SpanColumns, SpanRow};
use crate::model::{
    BreakersQuery, FindingsQuery, GraphQuery, LanesQuery, TimeRange, TransitionsQuery,
};
use crate::query::{Session, activity, breakers, findings, graph, how, lanes, review, transitions};
use crate::store::{Store, StoreConfig};

const SECOND: u64 = 1_000_000_000;
const HOUR: u64 = 3_600 * SECOND;

/// What one export of an instance says: its state, and how many calls it has refused since it began.
fn export(store: &Store, instance: &str, time: u64, state: &str, rejected: f64) {
    let name = r#""circuit_breaker.name":"payment""#;
    let mut points: Vec<Point<'static>> = ["closed", "open", "half_open"]
        .iter()
        .map(|word| {
            let attributes = format!(r#"{{{name},"circuit_breaker.state":"{word}"}}"#);
            let is_it = f64::from(u8::from(*word == state));
            ("circuit_breaker.state", "gauge", attributes, time, is_it)
        })
        .collect();
    let attributes = format!(r#"{{{name},"circuit_breaker.outcome":"rejected"}}"#);
    points.push(("circuit_breaker.calls", "sum", attributes, time, rejected));
    append(store, metrics("cart", instance, &points));
}

fn change(store: &Store, instance: &str, time: u64, generation: u64, from: &str, to: &str) {
    let attributes = format!(
        r#"{{"circuit_breaker.name":"payment","circuit_breaker.from_state":"{from}","circuit_breaker.to_state":"{to}","circuit_breaker.generation":{generation}}}"#
    );
    let event = Log {
        time,
        event: "circuit_breaker.state_changed",
        attributes: &attributes,
        ..Log::default()
    };
    append(store, logs("cart", instance, &[event]));
}

/// Every interval of an instance, in seconds since `start`.
fn intervals(store: &Store, instance: &str, start: u64) -> Vec<String> {
    let sql = format!(
        "SELECT state, (start_time_unix_nano::BIGINT - {start}) // {SECOND}, (end_time_unix_nano::BIGINT - {start}) // {SECOND},
         evidence, reason FROM breaker_intervals WHERE service_instance_id = '{instance}'
         ORDER BY start_time, end_time NULLS LAST"
    );
    rows(store, &sql)
}

/// An hour without exports, after five minutes with them; open before it and after.
fn with_an_hour_of_silence(store: &Store, start: u64) {
    for at in 0..30 {
        let state = if at < 20 { "closed" } else { "open" };
        export(store, "pod-1", start + at * 10 * SECOND, state, 0.0);
    }
    for at in 0..30 {
        let time = start + HOUR + at * 10 * SECOND;
        export(store, "pod-1", time, "open", 0.0);
    }
}

const SILENT_FOR_AN_HOUR: [&str; 5] = [
    "closed 0 200 metric -",
    "open 200 290 gauge -",
    "stale 290 3600 silence -",
    "open 3600 3890 metric -",
    "stale 3890 - silence -",
];

#[test]
fn a_silence_between_samples_is_a_state_of_its_own() {
    let start = now() - 3 * HOUR;
    hot_and_sealed(
        |store| with_an_hour_of_silence(store, start),
        |store| {
            assert_eq!(intervals(store, "pod-1", start), SILENT_FOR_AN_HOUR);
            assert_eq!(
                rows(
                    store,
                    "SELECT from_state, to_state FROM breaker_transitions"
                ),
                ["closed open"],
                "a silence is no change"
            );
            assert_eq!(
                rows(
                    store,
                    "SELECT sum(trips), round(sum(minutes_open), 3), round(sum(open_seconds)), round(sum(stale_seconds))
                     FROM breaker_days"
                ),
                ["1 6.333 380.0 3310.0"]
            );
        },
    );
}

#[test]
fn after_a_silence_a_state_is_as_old_as_what_was_heard_of_it_since() {
    // Once a minute, two hours ago and again for the last five minutes: what was in between nobody knows.
    let start = now() - 2 * HOUR;
    let again = start + 2 * HOUR - 300 * SECOND;
    hot_and_sealed(
        |store| {
            for (instance, then, last) in [
                ("pod-1", "open", "open"),
                ("pod-2", "closed", "closed"),
                ("pod-3", "open", "closed"),
                ("pod-4", "closed", "closed"),
            ] {
                for at in 0..6 {
                    let state = if at < 3 { "closed" } else { then };
                    export(store, instance, start + at * 60 * SECOND, state, 0.0);
                    let state = if at < 3 { then } else { last };
                    // The last one is silent still.
                    if instance != "pod-4" {
                        export(store, instance, again + at * 60 * SECOND, state, 0.0);
                    }
                }
            }
            // Told after the silence: that stands.
            change(store, "pod-3", again + 150 * SECOND, 2, "open", "closed");
        },
        |store| {
            let since = format!(
                "SELECT service_instance_id, state, (since_unix_nano::BIGINT - {start}) // {SECOND}, since_exact, evidence
                 FROM breaker_instances ORDER BY 1"
            );
            assert_eq!(
                rows(store, &since),
                [
                    "pod-1 open 6900 false metric",
                    "pod-2 closed 6900 false metric",
                    "pod-3 closed 7050 true event",
                    "pod-4 stale 300 false metric",
                ]
            );
            let folded = format!(
                "SELECT state, (since_unix_nano::BIGINT - {start}) // {SECOND}, since_exact FROM breakers"
            );
            assert_eq!(rows(store, &folded), ["open 6900 false"]);
        },
    );
}

#[test]
fn lanes_and_edges_know_the_same_silence() {
    let start = now() - 3 * HOUR;
    let at = |seconds: u64| i64::try_from(start + seconds * SECOND).expect("before 2262");
    hot_and_sealed(
        |store| {
            let call = Span {
                time: start,
                peer: Some("payment"),
                number: 1,
                ..Span::default()
            };
            append(store, spans("cart", "pod-1", &[call]));
            with_an_hour_of_silence(store, start);
        },
        |store| {
            let reader = store.reader().expect("a reader");
            let session = Session::new(&reader);
            let query = LanesQuery {
                range: TimeRange {
                    from_unix_nano: at(0),
                    to_unix_nano: at(4_000),
                },
                scope: Default::default(),
                service: None,
                breaker_id: None,
                limit: 10,
            };
            let page = lanes(&session, &query).expect("lanes");
            let lane = page.items.first().expect("a lane");
            let last = lane.segments.last().expect("a segment");
            let told = format!(
                "SELECT trips, open_at_the_end, instances_at_the_end FROM ({})",
                how::breaker_lanes(&query)
            );
            let drawn_last = format!("{} {} {}", lane.trips, last.open, last.of);
            assert_eq!(rows(store, &told), [drawn_last]);
            // Of a moment at which it refuses, of another service, and of no range at all.
            let narrow = |from: u64, to: u64, service: &str| LanesQuery {
                range: TimeRange {
                    from_unix_nano: at(from),
                    to_unix_nano: at(to),
                },
                service: Some(service.to_owned()),
                ..query.clone()
            };
            let asked = |query: LanesQuery| {
                let sql = how::breaker_lanes(&query);
                rows(
                    store,
                    &format!("SELECT trips, open_at_the_end, instances_at_the_end FROM ({sql})"),
                )
            };
            assert_eq!(asked(narrow(220, 250, "cart")), ["0 1 1"]);
            assert_eq!(asked(narrow(0, 250, "cart")), ["1 1 1"]);
            assert!(asked(narrow(0, 250, "it's none")).is_empty());
            let states = how::breaker_states(&crate::model::BreakersQuery {
                service: Some("cart".to_owned()),
                limit: 10,
                ..crate::model::BreakersQuery::default()
            });
            let listed = rows(store, &format!("SELECT service_name, name FROM ({states})"));
            assert_eq!(listed, ["cart payment"]);
            let drawn: Vec<(String, i64, u32, u32)> = lane
                .segments
                .iter()
                .map(|s| {
                    let length = (s.to_unix_nano - s.from_unix_nano) / SECOND as i64;
                    (s.state.clone(), length, s.open, s.of)
                })
                .collect();
            let expected = [
                ("closed", 200, 0, 1),
                ("open", 90, 1, 1),
                ("stale", 3_310, 0, 0),
                ("open", 290, 1, 1),
                ("stale", 110, 0, 0),
            ];
            let expected: Vec<(String, i64, u32, u32)> = expected
                .map(|(state, length, open, of)| (state.to_owned(), length, open, of))
                .into();
            assert_eq!(drawn, expected);
            assert_eq!((lane.trips, lane.refusing_ns), (1, 380 * SECOND));
            for (seconds, state) in [
                (100, "closed"),
                (250, "open"),
                (2_000, "stale"),
                (3_700, "open"),
                (3_950, "stale"),
            ] {
                let query = GraphQuery {
                    range: TimeRange {
                        from_unix_nano: at(0) - 1,
                        to_unix_nano: at(seconds),
                    },
                    scope: Default::default(),
                    service: None,
                    edges_max: 10,
                };
                let graph = graph(&session, &query).expect("the graph");
                let states: Vec<&str> = graph
                    .edges
                    .iter()
                    .flat_map(|edge| &edge.breakers)
                    .map(|breaker| breaker.state.as_str())
                    .collect();
                assert_eq!(states, [state], "after {seconds} s");
            }
        },
    );
}

#[test]
fn the_sql_behind_one_breakers_page_has_its_breaker_and_its_range() {
    let start = now() - HOUR;
    hot_and_sealed(
        |store| {
            for at in 0..30_u32 {
                let time = start + u64::from(at) * 10 * SECOND;
                let state = if at < 15 { "closed" } else { "open" };
                let refused = 2.0 * f64::from(at.saturating_sub(15));
                export(store, "pod-1", time, state, refused);
                // Another breaker of the same pod.
                let attributes =
                    r#"{"circuit_breaker.name":"psp","circuit_breaker.outcome":"rejected"}"#;
                let point = (
                    "circuit_breaker.calls",
                    "sum",
                    attributes.to_owned(),
                    time,
                    100.0 * f64::from(at),
                );
                append(store, metrics("cart", "pod-1", &[point]));
            }
        },
        |store| {
            let reader = store.reader().expect("a reader");
            let session = Session::new(&reader);
            let named = BreakersQuery {
                name: Some("payment".to_owned()),
                limit: 10,
                ..BreakersQuery::default()
            };
            let found = breakers(&session, &named)
                .expect("breakers")
                .items
                .remove(0);
            let at = |seconds: u64| {
                i64::try_from(start + seconds * SECOND).expect("within the range of time")
            };
            for (from, to, states, changes, refused) in [
                (100, 200, vec!["closed", "open"], 1, "rejected 8"),
                (200, 290, vec!["open"], 0, "rejected 18"),
            ] {
                let range = TimeRange {
                    from_unix_nano: at(from),
                    to_unix_nano: at(to),
                };
                let of_lane = LanesQuery {
                    range,
                    scope: Default::default(),
                    service: None,
                    breaker_id: Some(found.breaker_id.clone()),
                    limit: 1,
                };
                let of_changes = TransitionsQuery {
                    breaker_id: Some(found.breaker_id.clone()),
                    range: Some(range),
                    limit: 10,
                    ..TransitionsQuery::default()
                };
                let lane = lanes(&session, &of_lane).expect("lanes").items.remove(0);
                let drawn: Vec<&str> = lane.instances[0]
                    .segments
                    .iter()
                    .map(|segment| segment.state.as_str())
                    .collect();
                assert_eq!(drawn, states);
                let sql = how::breaker_intervals(&of_lane);
                let told = rows(store, &format!("SELECT state FROM ({sql})"));
                assert_eq!(told, states, "{sql}");

                let listed = transitions(&session, &of_changes).expect("transitions");
                let sql = how::breaker_changes(&of_changes);
                let told = rows(store, &format!("SELECT to_state FROM ({sql})"));
                assert_eq!(
                    (listed.items.len(), told.len()),
                    (changes, changes),
                    "{sql}"
                );

                let does = activity(&session, &found, range).expect("its work");
                let sql = how::breaker_calls(&found.breaker_id, range);
                let told = rows(store, &sql);
                assert_eq!(told, [refused], "{sql}");
                let counted = does.calls.rejected.map(|calls| format!("rejected {calls}"));
                assert_eq!(counted.as_deref(), Some(refused));

                let sql = how::breaker_windows(&found.breaker_id, range);
                assert!(rows(store, &sql).is_empty(), "it reports no window: {sql}");
            }
        },
    );
}

#[test]
fn merged_segments_know_their_silences_still() {
    let dir = tempfile::tempdir().expect("a directory");
    let store = Store::open(StoreConfig {
        compaction_fan_in: 2,
        maintenance_interval: Duration::from_millis(20),
        ..small(dir.path())
    })
    .expect("a store");
    let start = now() - 6 * HOUR;
    // A silence within each of two segments, and one between them.
    for part in 0..2 {
        for at in [0, 10, 20, 30, 40, 1_000, 1_010, 1_020, 1_030] {
            let time = start + part * HOUR + at * SECOND;
            export(&store, "pod-1", time, "closed", 0.0);
        }
        store.seal_now().expect("sealed");
    }
    let deadline = Instant::now() + Duration::from_secs(60);
    while store.stats().compactions.count == 0 || store.stats().segments_sealed > 1 {
        assert!(Instant::now() < deadline, "nothing was merged");
        std::thread::sleep(Duration::from_millis(20));
    }
    assert_eq!(
        intervals(&store, "pod-1", start),
        [
            "closed 0 40 metric -",
            "stale 40 1000 silence -",
            "closed 1000 1030 metric -",
            "stale 1030 3600 silence -",
            "closed 3600 3640 metric -",
            "stale 3640 4600 silence -",
            "closed 4600 4630 metric -",
            "stale 4630 - silence -",
        ]
    );
}

#[test]
fn who_is_known_by_reports_alone_is_not_stale_for_being_silent() {
    let start = now() - 3 * HOUR;
    hot_and_sealed(
        |store| {
            change(store, "pod-1", start, 2, "closed", "open");
            change(store, "pod-1", start + HOUR, 3, "open", "closed");
        },
        |store| {
            assert_eq!(
                intervals(store, "pod-1", start),
                ["open 0 3600 event -", "closed 3600 - event -"]
            );
        },
    );
}

#[test]
fn a_report_within_a_silence_ends_it_and_another_begins() {
    let start = now() - 3 * HOUR;
    hot_and_sealed(
        |store| {
            for at in 0..6 {
                export(store, "pod-1", start + at * 10 * SECOND, "closed", 0.0);
            }
            let within = start + 1_000 * SECOND;
            change(store, "pod-1", within, 2, "closed", "open");
            for at in 0..6 {
                let time = start + 2_000 * SECOND + at * 10 * SECOND;
                export(store, "pod-1", time, "open", 0.0);
            }
        },
        |store| {
            assert_eq!(
                intervals(store, "pod-1", start),
                [
                    "closed 0 50 metric -",
                    "stale 50 1000 silence -",
                    "open 1000 1000 event -",
                    "stale 1000 2000 silence -",
                    "open 2000 2050 metric -",
                    "stale 2050 - silence -",
                ]
            );
        },
    );
}

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
