//! Aliasing: a breaker that opens and closes again between two exports is found by every kind of evidence that there is of
//! it, as surely as that kind knows it; a gauge alone has none.

use super::fixture::open;
use super::foreign_histories::{GOBREAKER, log_lines};
use super::histories::{Found, History, INTERVAL_S, KINDS, emit, found, is_then};
use crate::store::Store;

/// Open for four seconds in the middle of an interval of ten, then half-open for one.
const OPENED_S: f64 = 123.0;
const CLOSED_S: f64 = 128.0;

fn short() -> History {
    History {
        name: "short".to_owned(),
        changes: vec![
            (0.0, "closed"),
            (OPENED_S, "open"),
            (127.0, "half_open"),
            (CLOSED_S, "closed"),
        ],
        restarts: Vec::new(),
        silences: Vec::new(),
    }
}

fn is_found(store: &Store, kind: &str) {
    let all = found(store, kind);
    let rows: &[Found] = all.get("short").map_or(&[], Vec::as_slice);
    let tell = || {
        let shown = |row: &Found| format!("{}>{} {}..{}", row.from, row.to, row.lo, row.hi);
        let shown: Vec<String> = rows.iter().map(shown).collect();
        format!("{kind}: {shown:?}")
    };
    if kind == "gauge" {
        assert!(rows.is_empty(), "nobody saw it: {}", tell());
        return;
    }
    let is_told = |to: &str, at: f64| {
        let mut of_it = rows.iter().filter(|row| row.to == to);
        of_it.any(|row| is_then(row, at) && row.hi - row.lo <= INTERVAL_S)
    };
    assert!(is_told("open", OPENED_S), "its opening is lost: {}", tell());
    assert!(
        is_told("closed", CLOSED_S),
        "its closing is lost: {}",
        tell()
    );
    let trips = rows.iter().filter(|row| row.to == "open").count();
    assert_eq!(trips, 1, "{}", tell());
}

#[test]
fn an_opening_between_two_exports_is_found_by_every_evidence_there_is_of_it() {
    let dir = tempfile::tempdir().expect("a directory");
    let store = open(dir.path());
    let history = [short()];
    for kind in KINDS {
        emit(&store, kind, &history);
    }
    log_lines(&store, &history[0]);
    for _ in ["hot", "sealed"] {
        for kind in KINDS.into_iter().chain([GOBREAKER]) {
            is_found(&store, kind);
        }
        store.seal_now().expect("sealed");
    }
}
