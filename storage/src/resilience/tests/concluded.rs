//! What is concluded once for many questions is what the public views conclude, and follows new evidence.

use std::time::{Duration, Instant};

use super::fixture::{Log, append, logs, now, open, rows};
use crate::model::BreakersQuery;
use crate::query::{Session, breakers};
use crate::store::{Reader, Store};

const SECOND: u64 = 1_000_000_000;

fn change(store: &Store, time: u64, generation: u64, from: &str, to: &str) {
    let attributes = format!(
        r#"{{"circuit_breaker.name":"payment","circuit_breaker.from_state":"{from}","circuit_breaker.to_state":"{to}","circuit_breaker.generation":{generation}}}"#
    );
    let event = Log {
        time,
        event: "circuit_breaker.state_changed",
        attributes: &attributes,
        ..Log::default()
    };
    append(store, logs("cart", "pod-1", &[event]));
}

fn states(reader: &Reader) -> Vec<String> {
    let query = BreakersQuery {
        limit: 10,
        ..BreakersQuery::default()
    };
    let page = breakers(&Session::new(reader), &query).expect("breakers");
    page.items.into_iter().map(|item| item.state).collect()
}

#[test]
fn the_answer_follows_every_change_hot_and_sealed() {
    let dir = tempfile::tempdir().expect("a directory");
    let store = open(dir.path());
    let start = now() - 60 * SECOND;
    let steps = [
        ("closed", "open"),
        ("open", "half_open"),
        ("half_open", "closed"),
        ("closed", "open"),
    ];
    for (step, (from, to)) in (1..).zip(steps) {
        change(&store, start + step * SECOND, step, from, to);
        let reader = store.reader().expect("a reader");
        assert_eq!(states(&reader), [to], "step {step}");
        assert_eq!(states(&reader), [to], "and again");
        assert_eq!(rows(&store, "SELECT state FROM breakers"), [to]);
        if step == 2 {
            store.seal_now().expect("sealed");
            assert_eq!(states(&reader), [to], "a lease sees what it saw");
            assert_eq!(states(&store.reader().expect("a reader")), [to]);
        }
    }
}

#[test]
fn what_nobody_reads_any_more_goes() {
    let dir = tempfile::tempdir().expect("a directory");
    let store = open(dir.path());
    let start = now() - 60 * SECOND;
    for step in 1..6 {
        change(&store, start + step * SECOND, step, "closed", "open");
        assert_eq!(states(&store.reader().expect("a reader")), ["open"]);
    }
    let kept =
        "SELECT count(*) FROM duckdb_schemas() WHERE regexp_matches(schema_name, '^c[0-9]+$')";
    let deadline = Instant::now() + Duration::from_secs(20);
    while rows(&store, kept) != ["1"] {
        assert!(Instant::now() < deadline, "{:?}", rows(&store, kept));
        std::thread::sleep(Duration::from_millis(50));
    }
}
