//! Counters that are made with their first event: what they show when they appear came since they, or their process, began.

use super::fixture::{Point, append, batch, hot_and_sealed, metrics_since, now, resource, rows};
use crate::ingest::{MetricColumns, NumberPointRow, NumberValue, Rows, SeriesRow};
use crate::store::Store;

const SECOND: u64 = 1_000_000_000;
/// Seconds between two exports.
const INTERVAL: u64 = 10;

/// When it opened, half-opened and closed, in seconds: each at an export.
const CYCLE: [(&str, u64); 3] = [("open", 50), ("half_open", 100), ("closed", 110)];

/// Says of a state what the library says: metric and attributes.
type Words = fn(&str) -> (&'static str, String);

fn polly(state: &str) -> (&'static str, String) {
    let event = match state {
        "open" => "OnCircuitOpened",
        "half_open" => "OnCircuitHalfOpened",
        _ => "OnCircuitClosed",
    };
    let attributes = format!(r#"{{"event.name":"{event}","pipeline.name":"b"}}"#);
    ("resilience.polly.strategy.events", attributes)
}

fn failsafe(state: &str) -> (&'static str, String) {
    let attributes = format!(
        r#"{{"failsafe.circuit_breaker.name":"b","failsafe.circuit_breaker.state":"{state}"}}"#
    );
    ("failsafe.circuit_breaker.state_change.count", attributes)
}

fn goresilience(state: &str) -> (&'static str, String) {
    let word = if state == "half_open" {
        "halfopen"
    } else {
        state
    };
    let attributes = format!(r#"{{"id":"b","state":"{word}"}}"#);
    (
        "goresilience_circuitbreaker_state_changes_total",
        attributes,
    )
}

fn tower(state: &str) -> (&'static str, String) {
    let word = match state {
        "open" => "Open",
        "half_open" => "HalfOpen",
        _ => "Closed",
    };
    let attributes = format!(r#"{{"circuitbreaker":"b","to":"{word}"}}"#);
    ("circuitbreaker_transitions_total", attributes)
}

/// Exports [`CYCLE`] once every ten seconds, each counter from its first event on; `before` is what each had counted before
/// anybody listened, and `began` says of an export when its streams began.
fn cycle(
    store: &Store,
    service: &str,
    start: u64,
    (words, before): (Words, f64),
    began: impl Fn(u64) -> u64,
) {
    for at in (0_u64..=120).step_by(10) {
        let happened = CYCLE.into_iter().filter(|(_, second)| *second <= at);
        let points: Vec<Point<'static>> = happened
            .map(|(state, _)| {
                let (metric, attributes) = words(state);
                (metric, "sum", attributes, start + at * SECOND, before + 1.0)
            })
            .collect();
        if !points.is_empty() {
            append(store, metrics_since(service, "pod-1", began(at), &points));
        }
    }
}

/// The same, counted since the export before.
fn since_last(store: &Store, service: &str, start: u64) {
    for (state, at) in CYCLE {
        let (metric, attributes) = polly(state);
        let point = (metric, "delta", attributes, start + at * SECOND, 1.0);
        let began = start + (at - INTERVAL) * SECOND;
        append(store, metrics_since(service, "pod-1", began, &[point]));
    }
}

/// tower-resilience with its gauge, which is there from the first change on and keeps what it left at 1.
fn with_gauge(store: &Store, service: &str, start: u64, counts_calls: bool) {
    for at in (0_u64..=120).step_by(10) {
        let time = start + at * SECOND;
        let mut points: Vec<Point<'static>> = Vec::new();
        for (state, _) in CYCLE.into_iter().filter(|(_, second)| *second <= at) {
            let (metric, attributes) = tower(state);
            let shown = attributes.replace("to", "state");
            points.push((metric, "sum", attributes, time, 1.0));
            points.push(("circuitbreaker_state", "gauge", shown, time, 1.0));
        }
        if counts_calls {
            let calls = r#"{"circuitbreaker":"b","outcome":"success"}"#.to_owned();
            points.push(("circuitbreaker_calls_total", "sum", calls, time, at as f64));
        }
        if !points.is_empty() {
            let began = start - 60 * SECOND;
            append(store, metrics_since(service, "pod-1", began, &points));
        }
    }
}

/// States before and after of each change, and the seconds between which it was.
fn changes(store: &Store, service: &str, start: u64) -> Vec<String> {
    let sql = format!(
        "SELECT from_state, to_state, (time_lo_unix_nano::BIGINT - {start}) // {SECOND},
         (time_unix_nano::BIGINT - {start}) // {SECOND}
         FROM breaker_transitions WHERE service_name = '{service}' ORDER BY time"
    );
    rows(store, &sql)
}

/// [`CYCLE`] as it is found where it is known that it opened after this second.
fn found(opened_after: i64) -> Vec<String> {
    vec![
        format!("closed open {opened_after} 50"),
        "open half_open 90 100".to_owned(),
        "half_open closed 100 110".to_owned(),
    ]
}

#[test]
fn the_first_trip_is_found_where_a_counter_appears_with_it() {
    let start = now() - 1_000 * SECOND;
    let libraries: [(&str, Words); 4] = [
        ("polly", polly),
        ("failsafe", failsafe),
        ("goresilience", goresilience),
        ("tower", tower),
    ];
    hot_and_sealed(
        |store| {
            for (service, words) in libraries {
                cycle(store, service, start, (words, 0.0), |_| start - 60 * SECOND);
            }
            // The counters of the first export began with the export before it.
            cycle(store, "export-before", start, (polly, 0.0), |_| {
                start + 40 * SECOND
            });
            since_last(store, "since-last", start);
            with_gauge(store, "shown", start, false);
            with_gauge(store, "shown-with-calls", start, true);
        },
        |store| {
            for (service, _) in libraries {
                assert_eq!(changes(store, service, start), found(-60), "{service}");
            }
            assert_eq!(changes(store, "export-before", start), found(40));
            assert_eq!(changes(store, "shown", start), found(-60));
            assert_eq!(changes(store, "shown-with-calls", start), found(40));
            assert_eq!(
                changes(store, "since-last", start),
                [
                    "closed open 40 50",
                    "open half_open 90 100",
                    "half_open closed 100 110"
                ]
            );
            let trips = "SELECT DISTINCT trips FROM (SELECT service_name, sum(trips) AS trips FROM breaker_days GROUP BY 1)";
            assert_eq!(rows(store, trips), ["1"]);
        },
    );
}

/// An export of what is scraped, where a series begins when it is first seen; another series of the process is older.
fn scraped(store: &Store, start: u64, at: u64) {
    let (opened, attributes) = polly("open");
    let mut columns = MetricColumns::default();
    for (series, (name, attributes, began)) in (0..).zip([
        (opened, attributes, start + 50 * SECOND),
        ("process.uptime", "{}".to_owned(), start),
    ]) {
        columns.series.push(SeriesRow {
            name: name.to_owned(),
            kind: "sum",
            temporality: Some("cumulative".to_owned()),
            attributes,
            ..SeriesRow::default()
        });
        columns.push_number(&NumberPointRow {
            series,
            time_unix_nano: start + at * SECOND,
            start_unix_nano: began,
            flags: 0,
            value: Some(NumberValue::Double(1.0)),
        });
    }
    let sender = resource("scraped", "pod-1");
    append(store, batch(sender, "lib", Rows::Metrics(columns)));
}

#[test]
fn a_process_that_was_there_before_proves_that_a_counter_is_new() {
    let start = now() - 1_000 * SECOND;
    hot_and_sealed(
        |store| {
            for at in [50, 60, 70] {
                scraped(store, start, at);
            }
        },
        |store| assert_eq!(changes(store, "scraped", start), ["closed open 0 50"]),
    );
}

#[test]
fn what_was_counted_before_anybody_listened_is_no_trip_of_now() {
    let start = now() - 1_000 * SECOND;
    hot_and_sealed(
        |store| {
            // Nobody knows when it began.
            cycle(store, "unsaid", start, (polly, 0.0), |_| 0);
            // It runs for a day and tripped six times before.
            let yesterday = start - 86_400 * SECOND;
            cycle(store, "old", start, (polly, 6.0), |_| yesterday);
        },
        |store| {
            for service in ["unsaid", "old"] {
                let found = changes(store, service, start);
                assert_eq!(found, ["half_open closed 100 110"], "{service}");
            }
        },
    );
    hot_and_sealed(
        |store| {
            // Somebody listened for long, and heard nothing of it: it is the first.
            let earlier = start - 300 * SECOND;
            cycle(store, "other", earlier, (polly, 0.0), |_| earlier);
            let yesterday = start - 86_400 * SECOND;
            cycle(store, "old", start, (polly, 0.0), |_| yesterday);
        },
        |store| assert_eq!(changes(store, "old", start), found(-86_400)),
    );
}
