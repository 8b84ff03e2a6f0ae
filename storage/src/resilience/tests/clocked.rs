//! Time in each state without a gauge (MicroProfile Fault Tolerance has none), and instruments of one collection that
//! are stamped one after the other.

use super::fixture::{Point, append, hot_and_sealed, metrics, now, rows};
use crate::store::Store;

const SECOND: u64 = 1_000_000_000;
const MINUTE: u64 = 60 * SECOND;

/// What one export counts since a start: seconds closed, open and half-open, openings, refusals, calls let through.
type Export = [u32; 6];

/// Closed for 80 s, open for 25, half-open for 5, then closed; an export every 30 s.
const STORY: [Export; 7] = [
    [30, 0, 0, 0, 0, 10],
    [60, 0, 0, 0, 0, 20],
    [80, 10, 0, 1, 10, 35],
    [80, 40, 0, 1, 60, 35],
    [90, 55, 5, 1, 80, 38],
    [120, 55, 5, 1, 80, 65],
    [150, 55, 5, 1, 80, 95],
];

/// A counter of the breaker, with one more attribute or none.
fn counter(
    name: &'static str,
    label: Option<(&str, &str)>,
    time: u64,
    value: f64,
) -> Point<'static> {
    let mut members = vec![("method", "shop.Client.call")];
    members.extend(label);
    members.sort_unstable();
    let members: Vec<String> = members
        .iter()
        .map(|(key, value)| format!(r#""{key}":"{value}""#))
        .collect();
    let attributes = format!("{{{}}}", members.join(","));
    (name, "sum", attributes, time, value)
}

/// Tells [`STORY`] in the words of MicroProfile; `apart` is how long after the last each instrument is stamped.
fn microprofile(store: &Store, service: &str, start: u64, apart: u64, counts_openings: bool) {
    for (export, counted) in (0..).zip(STORY) {
        let time = start + export * 30 * SECOND;
        let mut points: Vec<Point<'static>> = Vec::new();
        for (result, count) in [("circuitBreakerOpen", counted[4]), ("success", counted[5])] {
            let label = Some(("circuitBreakerResult", result));
            let count = f64::from(count);
            points.push(counter("ft.circuitbreaker.calls.total", label, time, count));
        }
        for (state, seconds) in ["closed", "open", "halfOpen"].into_iter().zip(counted) {
            let label = Some(("state", state));
            let (at, nanos) = (time + apart, f64::from(seconds) * 1e9);
            points.push(counter("ft.circuitbreaker.state.total", label, at, nanos));
        }
        if counts_openings {
            let (at, count) = (time + 2 * apart, f64::from(counted[3]));
            points.push(counter("ft.circuitbreaker.opened.total", None, at, count));
        }
        append(store, metrics(service, "pod-1", &points));
    }
}

/// Changes of a service: states before and after, seconds since `start` between which each was, and how it is known.
fn changes(store: &Store, service: &str, start: u64) -> Vec<String> {
    let sql = format!(
        "SELECT from_state, to_state, round((time_lo_unix_nano::BIGINT - {start}) / 1e9, 2),
             round((time_unix_nano::BIGINT - {start}) / 1e9, 2), evidence
         FROM breaker_transitions WHERE service_name = '{service}' ORDER BY time"
    );
    rows(store, &sql)
}

#[test]
fn time_in_each_state_says_the_state_where_no_gauge_does() {
    let start = now() - 10 * MINUTE;
    hot_and_sealed(
        |store| {
            microprofile(store, "together", start, 0, true);
            microprofile(store, "uncounted", start, 0, false);
        },
        |store| {
            assert_eq!(
                changes(store, "together", start),
                [
                    "closed open 50.0 50.0 time_in_state",
                    "open half_open 105.0 105.0 time_in_state",
                    "half_open closed 110.0 110.0 time_in_state",
                ]
            );
            // Nobody counts how often it opened: it may have tried and failed before it tried and closed.
            assert_eq!(
                changes(store, "uncounted", start),
                [
                    "closed open 50.0 50.0 time_in_state",
                    "open half_open 90.0 120.0 time_in_state",
                    "half_open closed 110.0 120.0 time_in_state",
                ]
            );
            let last = "SELECT service_name, last_state FROM breaker_instances ORDER BY 1";
            assert_eq!(rows(store, last), ["together closed", "uncounted closed"]);
        },
    );
}

#[test]
fn a_breaker_whose_counters_say_that_it_never_opened_is_closed() {
    let start = now() - MINUTE;
    hot_and_sealed(
        |store| {
            for at in [0_u32, 10, 20] {
                let time = start + u64::from(at) * SECOND;
                let clock = [("closed", 500 + at), ("open", 30), ("halfOpen", 1)].map(
                    |(state, seconds)| {
                        let (label, nanos) = (Some(("state", state)), f64::from(seconds) * 1e9);
                        counter("ft.circuitbreaker.state.total", label, time, nanos)
                    },
                );
                append(store, metrics("opened-before", "pod-1", &clock));
                let never = counter("ft.circuitbreaker.opened.total", None, time, 0.0);
                append(store, metrics("never-opened", "pod-1", &[never]));
                let label = Some(("circuitBreakerResult", "success"));
                let calls = f64::from(at);
                let passed = counter("ft.circuitbreaker.calls.total", label, time, calls);
                append(store, metrics("says-nothing", "pod-1", &[passed]));
            }
        },
        |store| {
            assert_eq!(
                rows(
                    store,
                    "SELECT service_name, last_state, evidence FROM breaker_instances ORDER BY 1"
                ),
                [
                    "never-opened closed counters",
                    "opened-before closed time_in_state",
                    "says-nothing unknown config",
                ]
            );
        },
    );
}

/// Polly's counters: openings, half-openings and closings, and refused calls, stamped as late as `late` says.
fn polly(store: &Store, service: &str, start: u64, late: [u64; 2], exports: &[[u32; 4]]) {
    let name = r#""pipeline.instance":"eu","pipeline.name":"psp""#;
    for (export, counted) in (0..).zip(exports) {
        let time = start + export * 30 * SECOND;
        let events = ["OnCircuitOpened", "OnCircuitHalfOpened", "OnCircuitClosed"];
        let mut points: Vec<Point<'static>> = Vec::new();
        for (event, count) in events.into_iter().zip(counted) {
            let attributes = format!(r#"{{"event.name":"{event}",{name}}}"#);
            let metric = "resilience.polly.strategy.events";
            points.push((metric, "sum", attributes, time + late[0], f64::from(*count)));
        }
        let refused = "Polly.CircuitBreaker.BrokenCircuitException";
        let attributes = format!(r#"{{"exception.type":"{refused}",{name}}}"#);
        let metric = "resilience.polly.pipeline.duration";
        let count = f64::from(counted[3]);
        points.push((metric, "sum", attributes, time + late[1], count));
        append(store, metrics(service, "pod-1", &points));
    }
}

#[test]
fn instruments_of_one_collection_are_one_export_in_whatever_order_they_are_stamped() {
    let start = now() - 10 * MINUTE;
    // It had tripped before anybody listened; it trips, refuses for two exports, and closes.
    let trip = [
        [1, 1, 1, 500],
        [1, 1, 1, 500],
        [2, 1, 1, 520],
        [2, 1, 1, 560],
        [2, 2, 2, 570],
        [2, 2, 2, 570],
    ];
    // Open for less than an export.
    let short = [
        [1, 1, 1, 500],
        [1, 1, 1, 500],
        [2, 2, 2, 520],
        [2, 2, 2, 520],
    ];
    let orders = [
        ("at-once", [0, 0]),
        ("before", [0, 20_000]),
        ("after", [20_000, 0]),
    ];
    hot_and_sealed(
        |store| {
            for (service, late) in orders {
                polly(store, service, start, late, &trip);
                polly(store, &format!("{service}-short"), start, late, &short);
            }
            microprofile(store, "microprofile", start, 15_000, true);
        },
        |store| {
            for (service, _) in orders {
                assert_eq!(
                    changes(store, service, start),
                    [
                        "- open 30.0 60.0 transition_counter",
                        "open half_open 90.0 120.0 transition_counter",
                        "half_open closed 90.0 120.0 transition_counter",
                    ],
                    "{service}"
                );
                assert_eq!(
                    changes(store, &format!("{service}-short"), start),
                    [
                        "- open 30.0 60.0 transition_counter",
                        "open half_open 30.0 60.0 transition_counter",
                        "half_open closed 30.0 60.0 transition_counter",
                    ],
                    "{service}"
                );
            }
            let found = changes(store, "microprofile", start);
            assert_eq!(found.len(), 3, "{found:?}");
            assert_eq!(found[0], "closed open 50.0 50.0 time_in_state");
        },
    );
}
