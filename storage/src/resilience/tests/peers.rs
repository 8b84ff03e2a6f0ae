//! Whom breakers guard and which calls opened them, where only the calls of their owners tell: seeded spans beside
//! gauges and logs, hot and sealed, as pages, people's SQL and what-if see it.

mod callees;
mod trips;

use super::fixture::{Point, append, batch, metrics, open, resource};
use crate::ingest::{Rows, SpanColumns, SpanRow};
use crate::model::{Breaker, BreakersQuery, TimeRange};
use crate::query::{self, Session};
use crate::store::Store;

const SECOND: u64 = 1_000_000_000;
const MS: u64 = 1_000_000;
/// By which name `shop` calls `inventory`.
const ADDRESS: &str = "10.0.0.7:8080";

/// A span of a few milliseconds; a call when it has a peer.
#[derive(Clone, Copy)]
struct Call<'a> {
    trace: u8,
    span: u8,
    parent: Option<u8>,
    kind: &'a str,
    start: u64,
    length: u64,
    failed: bool,
    message: &'a str,
    peer: Option<&'a str>,
    attributes: &'a str,
}

/// A call to `peer` in a trace of its own.
fn to(peer: &str, trace: u8, start: u64, failed: bool) -> Call<'_> {
    Call {
        trace,
        span: trace,
        parent: None,
        kind: "client",
        start,
        length: 4 * MS,
        failed,
        message: "",
        peer: Some(peer),
        attributes: "{}",
    }
}

fn spans(store: &Store, service: &str, instance: &str, calls: &[Call<'_>]) {
    let mut columns = SpanColumns::default();
    for call in calls {
        columns.push(&SpanRow {
            trace_id: [call.trace; 16],
            span_id: [call.span; 8],
            parent_span_id: call.parent.map(|parent| [parent; 8]),
            name: "work",
            kind: call.kind,
            start_unix_nano: call.start,
            end_unix_nano: call.start + call.length,
            status_code: if call.failed { "error" } else { "unset" },
            status_message: call.message,
            attributes: call.attributes,
            peer: call.peer,
            peer_kind: call.peer.map(|_| "external"),
            ..SpanRow::default()
        });
    }
    append(
        store,
        batch(resource(service, instance), "lib", Rows::Spans(columns)),
    );
}

/// What resilience4j's gauge of states exports: one series a state.
fn gauge(store: &Store, time: u64, breaker: &str, state: &str) {
    let points: Vec<Point<'_>> = ["closed", "open", "half_open"]
        .into_iter()
        .map(|word| {
            let attributes = format!(r#"{{"name":"{breaker}","state":"{word}"}}"#);
            let value = f64::from(u8::from(word == state));
            (
                "resilience4j.circuitbreaker.state",
                "gauge",
                attributes,
                time,
                value,
            )
        })
        .collect();
    append(store, metrics("shop", "p1", &points));
}

fn range(start: u64) -> TimeRange {
    TimeRange {
        from_unix_nano: i64::try_from(start - 60 * SECOND).expect("before 2262"),
        to_unix_nano: i64::try_from(start + 60 * SECOND).expect("before 2262"),
    }
}

fn breakers(session: &Session<'_>) -> Vec<Breaker> {
    let query = BreakersQuery {
        limit: 100,
        ..BreakersQuery::default()
    };
    query::breakers(session, &query).expect("breakers").items
}

/// Runs the check on hot rows, on sealed ones, and after a restart.
fn hot_and_sealed(fill: impl Fn(&Store), check: impl Fn(&Store)) {
    let dir = tempfile::tempdir().expect("a directory");
    let store = open(dir.path());
    fill(&store);
    check(&store);
    store.seal_now().expect("sealed");
    check(&store);
    drop(store);
    check(&open(dir.path()));
}
