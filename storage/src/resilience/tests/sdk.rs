//! What our SDK emits fills every relation, the same from hot and from sealed segments.

use super::fixture::{Log, Point, Span, append, hot_and_sealed, logs, metrics, now, rows, spans};

const SECOND: u64 = 1_000_000_000;

fn change(from: &str, to: &str, generation: u64, more: &str) -> String {
    format!(
        r#"{{"circuit_breaker.name":"payment","circuit_breaker.from_state":"{from}","circuit_breaker.to_state":"{to}","circuit_breaker.generation":{generation},"circuit_breaker.shadow":false{more}}}"#
    )
}

const TRIP: &str = r#","circuit_breaker.reason":"failure_rate","circuit_breaker.window_calls":20,"circuit_breaker.failure_ratio":0.75,"circuit_breaker.threshold":0.5,"circuit_breaker.open_for_ms":5000,"circuit_breaker.attempt":1,"circuit_breaker.contributing_trace_ids":["aa","aa","bb","aa"],"circuit_breaker.config_hash":"cafe""#;

fn event(time: u64, attributes: &str) -> Log<'_> {
    Log {
        time,
        event: "circuit_breaker.state_changed",
        attributes,
        trace: Some(7),
        ..Log::default()
    }
}

/// What one collection of the SDK's instruments exports.
fn collection(time: u64, state: &str, rejected: f64, open_seconds: f64) -> Vec<Point<'static>> {
    let name = r#""circuit_breaker.name":"payment""#;
    let mut points: Vec<Point<'static>> = Vec::new();
    for word in [
        "closed",
        "open",
        "half_open",
        "forced_open",
        "disabled",
        "metrics_only",
    ] {
        let attributes = format!(r#"{{{name},"circuit_breaker.state":"{word}"}}"#);
        let is_it = f64::from(u8::from(word == state));
        points.push((
            "circuit_breaker.state",
            "gauge",
            attributes.clone(),
            time,
            is_it,
        ));
        let seconds = if word == "open" { open_seconds } else { 100.0 };
        points.push((
            "circuit_breaker.time_in_state",
            "sum",
            attributes,
            time,
            seconds,
        ));
    }
    for (outcome, count) in [
        ("success", 90.0),
        ("slow_failure", 3.0),
        ("failure", 7.0),
        ("rejected", rejected),
    ] {
        let attributes = format!(r#"{{{name},"circuit_breaker.outcome":"{outcome}"}}"#);
        points.push(("circuit_breaker.calls", "sum", attributes, time, count));
    }
    points.push((
        "circuit_breaker.failure_ratio",
        "gauge",
        format!("{{{name}}}"),
        time,
        0.1,
    ));
    points.push((
        "circuit_breaker.in_flight",
        "sum",
        format!("{{{name}}}"),
        time,
        2.0,
    ));
    points
}

#[test]
fn reported_transitions_come_back_whole() {
    let start = now() - 60 * SECOND;
    let opened = change("closed", "open", 2, TRIP);
    hot_and_sealed(
        |store| append(store, logs("cart", "pod-1", &[event(start, &opened)])),
        |store| {
            assert_eq!(
                rows(
                    store,
                    "SELECT service_name, service_instance_id, environment, name, key, pattern, generation, from_state,
                     to_state, reason, failure_rate, slow_rate, window_calls, threshold, open_for_ms, attempt, evidence,
                     confidence, config_hash, contributing_trace_ids, trace_evidence, origin, time = time_lo
                     FROM breaker_transitions"
                ),
                ["cart pod-1 test payment - breaker 2 closed open failure_rate 0.75 - 20 0.5 5000 1 event 100 cafe \
                  [aa, bb] exact tripline-sdk true"]
            );
            assert_eq!(
                rows(
                    store,
                    "SELECT time_unix_nano, trace_id, span_id FROM breaker_transitions"
                ),
                [format!("{start} {} {}", "07".repeat(16), "07".repeat(8))]
            );
            assert_eq!(
                rows(
                    store,
                    "SELECT state, instances, instances_open, since_unix_nano, since_exact, evidence FROM breakers"
                ),
                [format!("open 1 1 {start} true event")]
            );
        },
    );
}

#[test]
fn a_transition_that_arrives_twice_is_one_and_generations_keep_quick_ones_apart() {
    let start = now() - 60 * SECOND;
    let opened = change("closed", "open", 2, TRIP);
    let probed = change("open", "half_open", 3, "");
    let again = change("half_open", "open", 4, "");
    let first = [
        event(start, &opened),
        event(start + 100, &probed),
        event(start + 200, &again),
    ];
    hot_and_sealed(
        |store| {
            append(store, logs("cart", "pod-1", &first));
            append(store, logs("cart", "pod-1", &first[..1]));
            append(store, logs("cart", "pod-2", &first[..1]));
        },
        |store| {
            assert_eq!(
                rows(
                    store,
                    "SELECT service_instance_id, generation, to_state FROM breaker_transitions ORDER BY ALL"
                ),
                [
                    "pod-1 2 open",
                    "pod-1 3 half_open",
                    "pod-1 4 open",
                    "pod-2 2 open"
                ]
            );
            assert_eq!(
                rows(
                    store,
                    "SELECT instances, instances_open, state FROM breakers"
                ),
                ["2 2 open"]
            );
        },
    );
}

#[test]
fn what_a_shadow_would_have_done_is_no_transition() {
    let start = now() - SECOND;
    let shadow = change("closed", "open", 2, "").replace("false", "true");
    hot_and_sealed(
        |store| append(store, logs("cart", "pod-1", &[event(start, &shadow)])),
        |store| {
            assert_eq!(
                rows(store, "SELECT count(*) FROM breaker_transitions"),
                ["0"]
            );
            assert_eq!(rows(store, "SELECT count(*) FROM logs"), ["1"]);
        },
    );
}

#[test]
fn settings_are_kept_as_reported() {
    let start = now() - SECOND;
    let configured = Log {
        time: start,
        event: "circuit_breaker.configured",
        attributes: r#"{"circuit_breaker.name":"payment","circuit_breaker.key":"eu","circuit_breaker.config_hash":"cafe","circuit_breaker.minimum_calls":10,"circuit_breaker.window.kind":"time"}"#,
        ..Log::default()
    };
    hot_and_sealed(
        |store| {
            append(
                store,
                logs("cart", "pod-1", std::slice::from_ref(&configured)),
            );
        },
        |store| {
            assert_eq!(
                rows(
                    store,
                    "SELECT name, key, valid_from_unix_nano, config_hash, source, config->>'minimum_calls',
                     config->>'$.\"window.kind\"', json_array_length(json_keys(config)) FROM breaker_config"
                ),
                [format!("payment eu {start} cafe event 10 time 2")]
            );
            assert_eq!(
                rows(store, "SELECT state, evidence, key FROM breakers"),
                ["unknown config eu"]
            );
        },
    );
}

#[test]
fn one_collection_is_one_sample() {
    let time = now() - SECOND;
    hot_and_sealed(
        |store| {
            append(
                store,
                metrics("cart", "pod-1", &collection(time, "closed", 4.0, 0.5)),
            );
        },
        |store| {
            assert_eq!(
                rows(
                    store,
                    "SELECT time_unix_nano, state, failure_rate, slow_rate, ok, failed, slow, ignored, rejected, in_flight,
                     ns_in_state.open, ns_in_state.closed, evidence FROM breaker_samples"
                ),
                [format!("{time} closed 0.1 - 90 10 3 - 4 2 500000000 100000000000 metric")]
            );
            assert_eq!(
                rows(
                    store,
                    "SELECT state, evidence, since_exact FROM breaker_instances"
                ),
                ["closed metric false"]
            );
        },
    );
}

#[test]
fn events_decide_over_samples_of_the_same_moment() {
    let start = now() - 30 * SECOND;
    let opened = change("closed", "open", 2, TRIP);
    hot_and_sealed(
        |store| {
            append(
                store,
                metrics("cart", "pod-1", &collection(start, "closed", 0.0, 0.0)),
            );
            append(
                store,
                logs("cart", "pod-1", &[event(start + 5 * SECOND, &opened)]),
            );
            // Collected before the trip, stamped after it.
            let late = start + 5 * SECOND + 1_000_000;
            append(
                store,
                metrics("cart", "pod-1", &collection(late, "closed", 0.0, 0.0)),
            );
            append(
                store,
                metrics(
                    "cart",
                    "pod-1",
                    &collection(start + 10 * SECOND, "open", 3.0, 5.0),
                ),
            );
            append(
                store,
                metrics(
                    "cart",
                    "pod-1",
                    &collection(start + 20 * SECOND, "open", 9.0, 15.0),
                ),
            );
        },
        |store| {
            assert_eq!(
                rows(
                    store,
                    "SELECT evidence, from_state, to_state FROM breaker_transitions"
                ),
                ["event closed open"]
            );
            assert_eq!(
                rows(store, "SELECT last_state FROM breaker_instances"),
                ["open"]
            );
        },
    );
}

#[test]
fn an_instance_that_stopped_exporting_is_stale_and_not_counted() {
    let start = now() - 1_000 * SECOND;
    hot_and_sealed(
        |store| {
            for at in 0..4 {
                let time = start + at * 100 * SECOND;
                append(
                    store,
                    metrics("cart", "gone", &collection(time, "open", 0.0, 0.0)),
                );
            }
            for at in 0..11 {
                let time = start + at * 100 * SECOND;
                append(
                    store,
                    metrics("cart", "here", &collection(time, "closed", 0.0, 0.0)),
                );
            }
        },
        |store| {
            assert_eq!(
                rows(
                    store,
                    "SELECT service_instance_id, state, last_state FROM breaker_instances ORDER BY ALL"
                ),
                ["gone stale open", "here closed closed"]
            );
            assert_eq!(
                rows(
                    store,
                    "SELECT state, instances, instances_open FROM breakers"
                ),
                ["closed 1 0"]
            );
        },
    );
}

#[test]
fn spans_say_states_and_peers_and_only_turns_are_kept() {
    let start = now() - 30 * SECOND;
    let of = |state: &str, outcome: &str| {
        format!(
            r#"{{"circuit_breaker.name":"payment","circuit_breaker.state":"{state}","circuit_breaker.outcome":"{outcome}"}}"#
        )
    };
    let (fine, refused) = (of("closed", "success"), of("open", "rejected"));
    let calls: Vec<Span<'_>> = (0..10)
        .map(|at| Span {
            time: start + u64::from(at) * SECOND,
            attributes: if (4..8).contains(&at) {
                &refused
            } else {
                &fine
            },
            peer: Some("psp"),
            number: at + 1,
            ..Span::default()
        })
        .collect();
    hot_and_sealed(
        |store| append(store, spans("cart", "pod-1", &calls)),
        |store| {
            assert_eq!(
                rows(
                    store,
                    "SELECT state, count(*) FROM breaker_samples GROUP BY ALL ORDER BY ALL"
                ),
                ["closed 4", "open 2"]
            );
            assert_eq!(
                rows(
                    store,
                    "SELECT from_state, to_state, time_lo_unix_nano, time_unix_nano, trace_id, trace_evidence, evidence
                     FROM breaker_transitions ORDER BY time"
                ),
                [
                    format!(
                        "closed open {} {} {} inferred span",
                        start + 3 * SECOND,
                        start + 4 * SECOND,
                        "05".repeat(16)
                    ),
                    format!(
                        "open closed {} {} {} inferred span",
                        start + 7 * SECOND,
                        start + 8 * SECOND,
                        "09".repeat(16)
                    ),
                ]
            );
            assert_eq!(
                rows(
                    store,
                    "SELECT peer_service, peer_evidence, state FROM breakers"
                ),
                ["psp span closed"]
            );
        },
    );
}
