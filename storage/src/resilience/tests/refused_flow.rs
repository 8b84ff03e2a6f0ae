//! Refused calls on the edges of the graph: by counters, and by spans where nobody counts.

use super::fixture::{Log, append, batch, hot_and_sealed, logs, metrics, now, resource};
use crate::ingest::{Rows, SpanColumns, SpanRow};
use crate::model::{GraphQuery, TimeRange};
use crate::query::{Session, graph};
use crate::store::Store;

const SECOND: u64 = 1_000_000_000;
const OPEN: &str = "circuit breaker is open";

fn send(store: &Store, service: &str, spans: &[SpanRow<'_>]) {
    let mut columns = SpanColumns::default();
    for span in spans {
        columns.push(span);
    }
    let rows = Rows::Spans(columns);
    append(store, batch(resource(service, "pod-1"), "lib", rows));
}

/// A span of a trace of its own; one with a message failed.
fn span<'a>(number: u8, kind: &'static str, start: u64, message: &'a str) -> SpanRow<'a> {
    SpanRow {
        trace_id: [number; 16],
        span_id: [number; 8],
        name: "work",
        kind,
        start_unix_nano: start,
        end_unix_nano: start + 1_000,
        status_code: if message.is_empty() { "unset" } else { "error" },
        status_message: message,
        attributes: "{}",
        ..SpanRow::default()
    }
}

/// A call that goes out.
fn call<'a>(number: u8, start: u64, peer: &'static str, message: &'a str) -> SpanRow<'a> {
    SpanRow {
        peer: Some(peer),
        peer_kind: Some("service"),
        ..span(number, "client", start, message)
    }
}

/// gobreaker logs that it opened; a refused call is an error of the span around it, and of the request if nothing else
/// answers.
fn cart(store: &Store, start: u64) {
    let opened = Log {
        time: start,
        body: Some("circuit breaker payment changed from closed to open"),
        ..Log::default()
    };
    append(store, logs("cart", "pod-1", &[opened]));
    let calls = [1, 2, 3].map(|number| call(number, start - 5 * SECOND, "payment", ""));
    send(store, "cart", &calls);
    for number in 10..15 {
        let at = start + u64::from(number) * SECOND;
        let is_answered = number == 14;
        let request = span(number, "server", at, if is_answered { "" } else { OPEN });
        let around = SpanRow {
            span_id: [number + 100; 8],
            parent_span_id: Some([number; 8]),
            ..span(number, "internal", at, OPEN)
        };
        send(store, "cart", &[request, around]);
    }
}

/// Polly's exception is the status of spans that are calls by their kind.
fn shop(store: &Store, start: u64) {
    const BROKEN: &str = "The circuit is now open and is not allowing calls.";
    let calls = [(20, ""), (21, BROKEN), (22, BROKEN)]
        .map(|(number, message)| call(number, start + SECOND, "stock", message));
    send(store, "shop", &calls);
}

/// The SDK counts what it refuses; of the seven calls two are in spans.
fn till(store: &Store, start: u64) {
    let opened = Log {
        time: start,
        event: "circuit_breaker.state_changed",
        attributes: r#"{"circuit_breaker.from_state":"closed","circuit_breaker.name":"bank","circuit_breaker.to_state":"open"}"#,
        ..Log::default()
    };
    append(store, logs("till", "pod-1", &[opened]));
    for (at, count) in [(start - 60 * SECOND, 0.0), (start + 30 * SECOND, 7.0)] {
        let attributes = r#"{"circuit_breaker.name":"bank","circuit_breaker.outcome":"rejected"}"#;
        let point = (
            "circuit_breaker.calls",
            "sum",
            attributes.to_owned(),
            at,
            count,
        );
        append(store, metrics("till", "pod-1", &[point]));
    }
    let mut spans = vec![call(30, start - 5 * SECOND, "bank", "")];
    for number in [31, 32] {
        spans.push(SpanRow {
            attributes: r#"{"circuit_breaker.name":"bank","circuit_breaker.outcome":"rejected"}"#,
            ..span(number, "internal", start + 5 * SECOND, "")
        });
    }
    send(store, "till", &spans);
}

#[test]
fn edges_have_the_refused_calls_that_counters_or_spans_tell_and_each_once() {
    let start = now() - 300 * SECOND;
    hot_and_sealed(
        |store| {
            cart(store, start);
            shop(store, start);
            till(store, start);
        },
        |store| {
            let reader = store.reader().expect("a reader");
            let at = |ns: u64| i64::try_from(ns).expect("before 2262");
            let query = GraphQuery {
                range: TimeRange {
                    from_unix_nano: at(start - 10 * SECOND),
                    to_unix_nano: at(start + 100 * SECOND),
                },
                scope: Default::default(),
                service: None,
                edges_max: 100,
            };
            let found = graph(&Session::new(&reader), &query).expect("the graph");
            let mut told: Vec<String> = Vec::new();
            for edge in &found.edges {
                for breaker in &edge.breakers {
                    told.push(format!(
                        "{} → {}: {} calls, {} failed; {:?} refused by {:?}, {} of them failed calls",
                        found.nodes[edge.caller].name,
                        found.nodes[edge.callee].name,
                        edge.calls,
                        edge.errors,
                        breaker.rejected,
                        breaker.rejected_basis.as_deref().unwrap_or("-"),
                        breaker.rejected_as_failed
                    ));
                }
            }
            told.sort();
            assert_eq!(
                told,
                [
                    r#"cart → payment: 3 calls, 0 failed; Some(5) refused by "spans", 0 of them failed calls"#,
                    r#"shop → stock: 3 calls, 2 failed; Some(2) refused by "spans", 2 of them failed calls"#,
                    r#"till → bank: 1 calls, 0 failed; Some(7) refused by "counter", 0 of them failed calls"#,
                ]
            );
        },
    );
}
