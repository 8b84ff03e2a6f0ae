//! The traces a trip names outlive the retention of raw telemetry.

use std::time::{Duration, Instant};

use super::fixture::{Log, Span, append, logs, now, rows, spans};
use crate::store::{Store, StoreConfig};

#[test]
fn the_traces_of_a_trip_are_kept_when_the_others_expire_and_through_a_restart() {
    let dir = tempfile::tempdir().expect("a directory");
    let config = || StoreConfig {
        data_dir: dir.path().to_owned(),
        retention_age: Duration::from_millis(300),
        ..StoreConfig::default()
    };
    let store = Store::open(config()).expect("a store");
    let start = now();
    let span = |number: u8| Span {
        time: start,
        number,
        ..Span::default()
    };
    // 7 tripped it, 3 contributed, 1 and 2 have nothing to do with it. The spans are in another segment than the report.
    append(
        &store,
        spans("cart", "pod-1", &[span(1), span(2), span(3), span(7)]),
    );
    let line = Log {
        time: start,
        body: Some("giving up"),
        trace: Some(3),
        ..Log::default()
    };
    append(&store, logs("cart", "pod-1", &[line]));
    store.seal_now().expect("sealed");
    let attributes = format!(
        r#"{{"circuit_breaker.name":"payment","circuit_breaker.from_state":"closed","circuit_breaker.to_state":"open","circuit_breaker.contributing_trace_ids":["{}"]}}"#,
        "03".repeat(16)
    );
    let trip = Log {
        time: start,
        event: "circuit_breaker.state_changed",
        attributes: &attributes,
        trace: Some(7),
        ..Log::default()
    };
    append(&store, logs("cart", "pod-1", &[trip]));
    store.seal_now().expect("sealed");
    let check = |store: &Store| {
        let traces = "SELECT DISTINCT substr(trace_id, 1, 2) FROM spans ORDER BY 1";
        assert_eq!(rows(store, traces), ["03", "07"]);
        assert_eq!(
            rows(store, "SELECT body FROM logs WHERE body IS NOT NULL"),
            ["giving up"]
        );
        assert_eq!(
            rows(store, "SELECT service_name FROM spans LIMIT 1"),
            ["cart"]
        );
        assert_eq!(
            rows(store, "SELECT to_state FROM breaker_transitions"),
            ["open"]
        );
        assert_eq!(rows(store, "SELECT sum(calls)::BIGINT FROM red"), ["4"]);
    };
    let deadline = Instant::now() + Duration::from_secs(60);
    while store.stats().segments_sealed > 0 {
        assert!(Instant::now() < deadline, "nothing expired");
        std::thread::sleep(Duration::from_millis(50));
    }
    check(&store);
    let reader = store.reader().expect("a reader");
    let session = crate::query::Session::new(&reader);
    let trace = crate::query::trace(&session, &"07".repeat(16)).expect("an answer");
    let trace = trace.expect("the trace that tripped it");
    assert_eq!((trace.spans.len(), trace.transitions.len()), (1, 1));
    drop(reader);
    drop(store);
    check(&Store::open(config()).expect("a store"));
}
