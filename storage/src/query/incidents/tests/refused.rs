//! Who is hurt by breakers of other libraries: their refusals leave no client span, and other words.

use super::story::{BASE, S, change};
use super::*;
use crate::fixture::{append, batch};
use crate::ingest::{ResourceRow, Rows, SpanColumns, SpanRow};

/// A request that was answered.
fn entry(number: u8, start: u64, end: u64) -> SpanRow<'static> {
    SpanRow {
        trace_id: [number; 16],
        span_id: [number; 8],
        name: "GET /",
        kind: "server",
        start_unix_nano: start,
        end_unix_nano: end,
        status_code: "unset",
        attributes: "{}",
        ..SpanRow::default()
    }
}

/// A request: a root that failed or not, and under it what the library leaves of the call, if it leaves anything.
fn request(
    store: &Store,
    service: &str,
    number: u8,
    has_failed: bool,
    [message, attributes]: [&str; 2],
) {
    let start = BASE + (10 + u64::from(number)) * S;
    let status = |failed: bool| if failed { "error" } else { "unset" };
    let root = SpanRow {
        status_code: status(has_failed),
        ..entry(number, start, start + 1_000_000)
    };
    let under = SpanRow {
        span_id: [number + 100; 8],
        parent_span_id: Some([number; 8]),
        name: "pay",
        kind: "internal",
        status_code: status(!message.is_empty()),
        status_message: message,
        attributes,
        ..root.clone()
    };
    send_spans(store, service, &[root, under]);
}

fn send_spans(store: &Store, service: &str, spans: &[SpanRow<'_>]) {
    let mut columns = SpanColumns::default();
    for span in spans {
        columns.push(span);
    }
    let resource = ResourceRow {
        service_name: Some(service.to_owned()),
        service_instance_id: Some("1".to_owned()),
        attributes: "{}".to_owned(),
        ..ResourceRow::default()
    };
    append(store, batch(vec![resource], Rows::Spans(columns)));
}

/// Everything about the one incident of the first minute.
fn only_incident(store: &Store) -> IncidentDetail {
    let reader = store.reader().expect("a reader");
    let session = Session::new(&reader);
    let page = incidents(&session, &query(60)).expect("incidents");
    let [found] = page.items.as_slice() else {
        panic!("{page:?}");
    };
    incident_of(&session, &found.incident_id, (BASE + 60 * S) as i64)
}

#[test]
fn a_refusal_that_only_its_librarys_words_tell_hurts_the_request() {
    const GOBREAKER: [&str; 2] = ["circuit breaker is open", "{}"];
    const RESILIENCE4J: [&str; 2] = [
        "",
        r#"{"resilience4j.circuit_breaker.name":"pay","resilience4j.circuit_breaker.outcome":"rejected"}"#,
    ];
    let dir = tempfile::tempdir().expect("a directory");
    let store = open(dir.path());
    let opened = BASE + 10 * S;
    change(
        &store,
        ["cart", "1"],
        "pay",
        opened,
        ["closed", "open"],
        1,
        None,
    );
    request(&store, "cart", 1, true, GOBREAKER);
    request(&store, "cart", 2, false, GOBREAKER);
    request(&store, "cart", 3, false, RESILIENCE4J);
    // It failed of something else, and nothing failed.
    request(&store, "cart", 4, true, ["connection refused", "{}"]);
    request(&store, "cart", 5, false, ["", "{}"]);
    // A breaker of somebody else.
    request(&store, "till", 6, true, GOBREAKER);
    let check = || {
        let blast = only_incident(&store).blast;
        let told: Vec<(&str, [f64; 5])> = blast
            .entry_points
            .iter()
            .map(|entry| {
                let counts = [
                    entry.requests,
                    entry.crossing,
                    entry.failed,
                    entry.degraded,
                    entry.unaffected,
                ];
                (entry.service.as_str(), counts)
            })
            .collect();
        assert_eq!(
            told,
            [
                ("cart", [5.0, 3.0, 1.0, 2.0, 2.0]),
                ("till", [1.0, 0.0, 0.0, 0.0, 1.0])
            ]
        );
    };
    check();
    store.seal_now().expect("sealed");
    check();
}

/// `cart` calls `pay`, which fails with these words; where `pay` answers, that is what it answered.
fn call(store: &Store, number: u8, second: u64, message: &str, is_answered: bool) {
    let start = BASE + second * S;
    let span = |span: u8, parent: Option<u8>, kind: &'static str| SpanRow {
        trace_id: [number; 16],
        span_id: [number + span; 8],
        parent_span_id: parent.map(|parent| [number + parent; 8]),
        name: "work",
        kind,
        start_unix_nano: start + u64::from(span) * 1_000_000,
        end_unix_nano: start + (20 - u64::from(span)) * 1_000_000,
        status_code: "error",
        attributes: "{}",
        ..SpanRow::default()
    };
    let outgoing = SpanRow {
        status_message: message,
        peer: Some("pay"),
        peer_kind: Some("service"),
        ..span(1, Some(0), "client")
    };
    send_spans(store, "cart", &[span(0, None, "server"), outgoing]);
    if is_answered {
        let answer = SpanRow {
            status_message: message,
            ..span(2, Some(1), "server")
        };
        send_spans(store, "pay", &[answer]);
    }
}

#[test]
fn a_refused_call_is_no_way_in_which_calls_failed() {
    const REFUSED: &str = "circuit breaker is open";
    let dir = tempfile::tempdir().expect("a directory");
    let store = open(dir.path());
    call(&store, 10, 15, "connection refused", false);
    call(&store, 20, 16, "connection refused", true);
    change(
        &store,
        ["cart", "1"],
        "pay",
        BASE + 20 * S,
        ["closed", "open"],
        1,
        None,
    );
    call(&store, 30, 21, REFUSED, false);
    // It went out; a breaker of the callee refused.
    call(&store, 40, 21, REFUSED, true);
    let check = || {
        let found = only_incident(&store);
        let classes = found.error_classes.iter();
        let told: Vec<(&str, u64)> = classes
            .map(|class| (class.class.as_str(), class.count))
            .collect();
        assert_eq!(told, [("connection refused", 2), (REFUSED, 1)]);
        // Nothing counts it but its span.
        let recovery = &found.recovery;
        let minutes = recovery.rejected.iter();
        let minutes: Vec<(i64, u64)> = minutes
            .map(|minute| (minute.time_unix_nano, minute.rejected))
            .collect();
        assert_eq!(minutes, [(BASE as i64, 1)]);
        assert_eq!(recovery.rejected_basis.as_deref(), Some("spans"));
    };
    check();
    store.seal_now().expect("sealed");
    check();
}

/// A request of `cart` that is answered, with calls to `pay` one after the other, of which these fail.
fn tried(store: &Store, number: u8, second: u64, failed: &[bool]) {
    let start = BASE + second * S;
    let root = SpanRow {
        name: "work",
        ..entry(number, start, start + 100_000_000)
    };
    let mut spans = vec![root.clone()];
    for (at, has_failed) in (1_u8..).zip(failed) {
        let begins = start + u64::from(at) * 10_000_000;
        spans.push(SpanRow {
            span_id: [number + at; 8],
            parent_span_id: Some([number; 8]),
            kind: "client",
            start_unix_nano: begins,
            end_unix_nano: begins + 5_000_000,
            status_code: if *has_failed { "error" } else { "unset" },
            peer: Some("pay"),
            peer_kind: Some("service"),
            ..root.clone()
        });
    }
    send_spans(store, "cart", &spans);
}

#[test]
fn a_request_whose_retry_succeeded_is_unaffected() {
    let dir = tempfile::tempdir().expect("a directory");
    let store = open(dir.path());
    call(&store, 10, 15, "connection reset", true);
    // A retry made it good; all tries failed and a default answered; nothing failed.
    tried(&store, 50, 16, &[true, false]);
    tried(&store, 60, 17, &[true, true]);
    tried(&store, 70, 18, &[false]);
    change(
        &store,
        ["cart", "1"],
        "pay",
        BASE + 20 * S,
        ["closed", "open"],
        1,
        None,
    );
    let check = || {
        let blast = only_incident(&store).blast;
        let [entry] = blast.entry_points.as_slice() else {
            panic!("{blast:?}");
        };
        assert_eq!(
            (
                entry.requests,
                entry.crossing,
                entry.failed,
                entry.degraded,
                entry.unaffected
            ),
            (4.0, 4.0, 1.0, 1.0, 2.0)
        );
    };
    check();
    store.seal_now().expect("sealed");
    check();
}
