//! Compaction and retention.

use std::time::Duration;

use super::fixture::{
    append, config, eventually, hex, log, metrics, number, spans, spans_at, trace,
};
use crate::store::{Store, StoreConfig, now_ns};

fn quick(dir: &std::path::Path) -> StoreConfig {
    StoreConfig {
        compaction_fan_in: 3,
        ..config(dir)
    }
}

#[test]
fn compaction_keeps_every_row_once_and_merges_what_rows_refer_to() {
    compaction_keeps_every_row(1_000, 0);
}

#[test]
fn compaction_keeps_every_row_of_runs_once_too() {
    compaction_keeps_every_row(0, 3);
}

fn compaction_keeps_every_row(sorted_rows_max: u64, runs: usize) {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let quick = |dir: &std::path::Path| StoreConfig {
        sorted_rows_max,
        ..quick(dir)
    };
    let store = Store::open(quick(dir.path())).expect("open");
    for round in 0..3 {
        append(&store, spans("shop", round * 100, round * 100 + 100)).expect("spans");
        append(
            &store,
            spans_at(&format!("s{round}"), 1_000 + round, 1_001 + round, 77),
        )
        .expect("an outlier");
        append(&store, log("shop", "x")).expect("log");
        append(
            &store,
            metrics("shop", u64::try_from(now_ns()).expect("now")),
        )
        .expect("metrics");
        store.seal_now().expect("sealed");
    }
    eventually("compacted", || {
        store.stats().compactions.count >= 1 && store.stats().segments_sealed == 1
    });
    let check = |store: &Store| {
        let reader = store.reader().expect("a reader");
        let sealed = reader.segments().segments().iter();
        let found: usize = sealed.map(|segment| segment.meta.runs[0].len()).sum();
        assert_eq!(found, runs);
        assert_eq!(number(store, "SELECT count(*) FROM spans"), 303);
        assert_eq!(
            number(store, "SELECT count(DISTINCT span_id) FROM spans"),
            303
        );
        assert_eq!(
            number(
                store,
                "SELECT count(*) FROM spans WHERE service_name = 's1' AND start_time_unix_nano = 77"
            ),
            1
        );
        assert_eq!(
            number(
                store,
                r#"SELECT count(*) FROM spans WHERE attributes."http.route" = '/r/3'"#
            ),
            30
        );
        assert_eq!(number(store, "SELECT count(*) FROM resources"), 4);
        assert_eq!(number(store, "SELECT count(*) FROM metrics"), 2);
        assert_eq!(
            number(
                store,
                "SELECT count(*) FROM metric_points WHERE name = 'requests' AND value_int = 3"
            ),
            3
        );
        assert_eq!(number(store, "SELECT count(*) FROM logs"), 3);
        assert_eq!(
            number(
                store,
                &format!(
                    "SELECT count(*) FROM spans WHERE trace_id = '{}'",
                    hex(&trace(5))
                )
            ),
            8
        );
    };
    check(&store);
    drop(store);
    check(&Store::open(quick(dir.path())).expect("open"));
}

#[test]
fn retention_by_age_deletes_raw_rows_and_keeps_their_history() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let config = StoreConfig {
        retention_age: Duration::from_millis(300),
        ..config(dir.path())
    };
    let store = Store::open(config).expect("open");
    append(&store, spans("shop", 0, 100)).expect("spans");
    store.seal_now().expect("sealed");
    eventually("expired", || store.stats().segments_expired == 1);
    assert_eq!(number(&store, "SELECT count(*) FROM spans"), 0);
    assert_eq!(
        (
            store.stats().segments_sealed,
            store.stats().segments_history
        ),
        (0, 1)
    );
    eventually("one sealed file is left", || {
        let names = std::fs::read_dir(dir.path())
            .expect("readable")
            .map(|entry| entry.expect("entry").file_name());
        names
            .filter(|name| name.to_string_lossy().starts_with("seg-"))
            .count()
            == 1
    });
}

#[test]
fn history_goes_when_its_own_age_is_over() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let age = Duration::from_millis(200);
    let store = Store::open(StoreConfig {
        retention_age: age,
        history_age: age,
        ..config(dir.path())
    })
    .expect("open");
    append(&store, spans("shop", 0, 100)).expect("spans");
    store.seal_now().expect("sealed");
    eventually("forgotten", || store.stats().segments_expired == 2);
    assert_eq!(store.stats().segments_history, 0);
}

#[test]
fn retention_by_bytes_deletes_the_oldest_first() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let store = Store::open(config(dir.path())).expect("open");
    for round in 0..4 {
        append(&store, spans("shop", round * 100, round * 100 + 100)).expect("spans");
        store.seal_now().expect("sealed");
    }
    drop(store);
    let sealed = std::fs::read_dir(dir.path())
        .expect("readable")
        .map(|entry| entry.expect("entry"));
    let sealed = sealed.filter(|entry| entry.file_name().to_string_lossy().starts_with("seg-"));
    let bytes: u64 = sealed
        .map(|entry| entry.metadata().expect("a file").len())
        .sum();
    let bound = Some(bytes * 5 / 8);
    let store = Store::open(StoreConfig {
        retention_bytes: bound,
        ..config(dir.path())
    })
    .expect("open");
    eventually("the two oldest expired", || {
        store.stats().segments_expired == 2
    });
    assert_eq!(number(&store, "SELECT count(*) FROM spans"), 200);
    assert_eq!(
        number(&store, "SELECT min(('0x' || span_id)::BIGINT) FROM spans"),
        201
    );
}

#[test]
fn retention_by_bytes_goes_by_the_age_of_rows_when_a_compaction_has_the_greatest_number() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let store = Store::open(StoreConfig {
        is_maintained: false,
        ..config(dir.path())
    })
    .expect("open");
    for round in 0..4 {
        append(&store, spans("shop", round * 100, round * 100 + 100)).expect("spans");
        store.seal_now().expect("sealed");
    }
    drop(store);
    let sizes = || -> Vec<u64> {
        std::fs::read_dir(dir.path())
            .expect("readable")
            .map(|entry| entry.expect("entry"))
            .filter(|entry| entry.file_name().to_string_lossy().starts_with("seg-"))
            // Meanwhile one may go.
            .filter_map(|entry| Some(entry.metadata().ok()?.len()))
            .collect()
    };
    assert_eq!(sizes().len(), 4);
    let store = Store::open(quick(dir.path())).expect("open");
    eventually("the three oldest are one", || {
        store.stats().compactions.count == 1 && sizes().len() == 2
    });
    let reader = store.reader().expect("a reader");
    let sealed: Vec<u64> = reader
        .segments()
        .segments()
        .iter()
        .filter(|segment| !segment.is_text())
        .map(|segment| segment.rows())
        .collect();
    assert_eq!(sealed, [100, 300], "in the order of their numbers");
    drop(reader);
    drop(store);
    // One of the two is too much.
    let store = Store::open(StoreConfig {
        retention_bytes: Some(sizes().iter().sum::<u64>() - 1),
        compaction_fan_in: 1_000,
        ..config(dir.path())
    })
    .expect("open");
    eventually("one of them expired", || {
        store.stats().segments_expired == 1
    });
    assert_eq!(number(&store, "SELECT count(*) FROM spans"), 100);
    assert_eq!(
        number(&store, "SELECT min(('0x' || span_id)::BIGINT) FROM spans"),
        301
    );
}

#[test]
fn at_start_rows_expire_by_age_unless_the_clock_is_far_from_what_is_stored() {
    let hour = 3_600_u64;
    for (rest, is_believed) in [(12 * hour, true), (365 * 24 * hour, false)] {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let store = Store::open(StoreConfig {
            is_maintained: false,
            ..config(dir.path())
        })
        .expect("open");
        for round in 0..3 {
            append(&store, spans("shop", round * 100, round * 100 + 100)).expect("spans");
            store.seal_now().expect("sealed");
        }
        drop(store);
        let rest_ns = i64::try_from(rest).expect("a year") * 1_000_000_000;
        let store = Store::open(StoreConfig {
            retention_age: Duration::from_secs(hour),
            as_of_unix_nano: Some(now_ns() + rest_ns),
            ..quick(dir.path())
        })
        .expect("open");
        if is_believed {
            eventually("all of it expired", || store.stats().segments_expired == 3);
            continue;
        }
        // What expires goes before anything is compacted.
        eventually("compacted", || store.stats().compactions.count == 1);
        assert_eq!(store.stats().segments_expired, 0);
        assert_eq!(number(&store, "SELECT count(*) FROM spans"), 300);
    }
}
