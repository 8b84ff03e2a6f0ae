//! What a restart finds.

use std::sync::Arc;

use super::fixture::{append, config, log, number, spans, spans_at};
use crate::store::{OpenError, Store, lock_holder, now_ns};

#[test]
fn a_restart_finds_everything_committed() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    for round in 0..3 {
        let store = Store::open(config(dir.path())).expect("open");
        assert_eq!(store.stats().segments_refused, []);
        assert_eq!(number(&store, "SELECT count(*) FROM spans"), round * 100);
        let from = u64::try_from(round).expect("small") * 100;
        append(&store, spans("shop", from, from + 100)).expect("spans");
        append(&store, log("shop", "x")).expect("log");
    }
    let store = Store::open(config(dir.path())).expect("open");
    assert_eq!(
        number(&store, "SELECT count(DISTINCT span_id) FROM spans"),
        300
    );
    assert_eq!(number(&store, "SELECT count(*) FROM logs"), 3);
}

#[test]
fn spans_that_were_left_behind_are_counted_and_are_read_once() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let mut sent = 0;
    // They are sealed soon after the start: who looks at once has them as they were left.
    for _ in 0..20 {
        let store = Store::open(config(dir.path())).expect("open");
        let reader = store.reader().expect("a reader");
        let segments = reader.segments().segments();
        let left = segments
            .iter()
            .find(|segment| segment.is_text() && segment.live.is_none());
        if let Some(left) = left {
            let conn = reader.connection();
            assert_eq!(left.count_spans(conn).expect("a number"), 100);
            let [once, again] = [(); 2].map(|()| left.hops(conn).expect("spans"));
            assert!(Arc::ptr_eq(&once[0], &again[0]));
            return;
        }
        drop(reader);
        append(&store, spans("shop", sent, sent + 100)).expect("spans");
        sent += 100;
    }
    panic!("whatever was left behind was sealed before anybody looked");
}

#[test]
fn a_second_store_is_refused_and_told_who_has_the_directory() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    assert_eq!(lock_holder(dir.path()).expect("readable"), None);
    let store = Store::open(config(dir.path())).expect("open");
    store
        .announce(r#"{"http":"127.0.0.1:7070"}"#)
        .expect("announce");
    let Err(OpenError::Locked { pid, addresses, .. }) = Store::open(config(dir.path())) else {
        panic!("the second store opened");
    };
    assert_eq!(pid, Some(std::process::id()));
    assert!(addresses.contains("7070"), "{addresses}");
    assert_eq!(
        lock_holder(dir.path())
            .expect("readable")
            .and_then(|holder| holder.pid),
        pid
    );
    drop(store);
    assert_eq!(lock_holder(dir.path()).expect("readable"), None);
    Store::open(config(dir.path())).expect("free again");
}

#[test]
fn a_span_sent_again_counts_once_even_when_its_first_copy_is_sealed_and_the_server_is_another() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let start = u64::try_from(now_ns()).expect("after 1970");
    let at = |service, from, to| spans_at(service, from, to, start);
    let calls = "SELECT sum(calls)::BIGINT FROM red";
    let store = Store::open(config(dir.path())).expect("open");
    append(&store, at("shop", 0, 100)).expect("spans");
    append(&store, at("shop", 50, 150)).expect("half of them again");
    assert_eq!(number(&store, calls), 150, "hot");
    store.seal_now().expect("sealed");
    append(&store, at("shop", 0, 100)).expect("all of them again");
    assert_eq!(number(&store, calls), 150, "sealed and hot");
    drop(store);
    let store = Store::open(config(dir.path())).expect("open");
    append(&store, at("shop", 100, 200)).expect("half of them again");
    append(&store, at("other", 0, 10)).expect("another service's");
    assert_eq!(number(&store, calls), 210, "after a restart");
    store.seal_now().expect("sealed");
    assert_eq!(number(&store, calls), 210, "all sealed");
    assert_eq!(number(&store, "SELECT count(*) FROM spans"), 410);
    assert_eq!(
        number(&store, "SELECT count(*) FROM spans WHERE NOT resent"),
        210
    );
}

/// What a file of an older format lacks, and since format 2, which has these tables, [`HOSTS`] before format 5 and
/// [`COUNTED_SINCE`] before format 6.
const OLDER_FORMATS: [(u32, &str); 5] = [
    (
        1,
        "ALTER TABLE spans DROP COLUMN resent; DROP TABLE breaker_transitions; DROP TABLE breaker_samples; \
         DROP TABLE breaker_config; DROP TABLE breaker_marks;",
    ),
    (
        2,
        "ALTER TABLE spans DROP COLUMN resent; ALTER TABLE breaker_marks DROP COLUMN heard_since;",
    ),
    (3, "ALTER TABLE breaker_marks DROP COLUMN heard_since;"),
    (4, ""),
    (5, ""),
];
const HOSTS: &str = "ALTER TABLE breaker_samples DROP COLUMN hosts_ejected; \
    ALTER TABLE breaker_samples DROP COLUMN hosts_healthy; ALTER TABLE breaker_samples DROP COLUMN hosts_total; \
    ALTER TABLE breaker_marks DROP COLUMN hosts_ejected; ALTER TABLE breaker_marks DROP COLUMN hosts_healthy; \
    ALTER TABLE breaker_marks DROP COLUMN hosts_total;";
const COUNTED_SINCE: &str = "ALTER TABLE breaker_samples DROP COLUMN counted_since; \
    ALTER TABLE breaker_marks DROP COLUMN counted_since;";

#[test]
fn files_of_every_older_format_are_brought_to_this_one() {
    for (format, lacking) in OLDER_FORMATS {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let store = Store::open(config(dir.path())).expect("open");
        append(&store, spans("shop", 0, 100)).expect("spans");
        store.seal_now().expect("sealed");
        drop(store);
        let sealed: Vec<_> = std::fs::read_dir(dir.path())
            .expect("a directory")
            .map(|entry| entry.expect("an entry").path())
            .filter(|path| {
                path.extension()
                    .is_some_and(|extension| extension == "duckdb")
            })
            .collect();
        for file in &sealed {
            let conn = duckdb::Connection::open(file).expect("a segment is a DuckDB file");
            let hosts = if (2..5).contains(&format) { HOSTS } else { "" };
            let counted = if format > 1 { COUNTED_SINCE } else { "" };
            conn.execute_batch(&format!(
                "{hosts} {counted} {lacking} UPDATE meta SET value = '{format}' WHERE key = 'format'; CHECKPOINT;"
            ))
            .expect("an older file");
        }
        assert!(!sealed.is_empty());
        // Twice: the second start finds files of today.
        for _ in 0..2 {
            let store = Store::open(config(dir.path())).expect("open");
            assert_eq!(store.stats().segments_refused, [], "format {format}");
            assert_eq!(number(&store, "SELECT count(*) FROM spans"), 100);
            assert_eq!(number(&store, "SELECT sum(calls)::BIGINT FROM red"), 100);
            assert_eq!(number(&store, "SELECT count(*) FROM breakers"), 0);
        }
    }
}
