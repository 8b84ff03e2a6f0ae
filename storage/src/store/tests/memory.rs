//! Commits that find no memory, because questions hold it.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

use duckdb::Connection;

use super::fixture::{append, config, spans};
use crate::store::{Store, StoreConfig};

/// Spans of a batch, and batches.
const SPANS: u64 = 200;
const BATCHES: u64 = 300;

/// Takes all memory there is, down to the last kilobytes, again and again; between two times commits and seals go on.
fn hog(conn: &Connection, is_over: &AtomicBool) {
    while !is_over.load(Relaxed) {
        for rows in [5_000, 500, 50, 1] {
            let sql = format!(
                "CREATE TEMP TABLE IF NOT EXISTS hog (s VARCHAR);
                 INSERT INTO hog SELECT repeat(hash(i)::VARCHAR, 50) FROM range({rows}) t(i)"
            );
            while !is_over.load(Relaxed) && conn.execute_batch(&sql).is_ok() {}
        }
        std::thread::sleep(Duration::from_millis(10));
        // Without memory even this may fail.
        while conn.execute_batch("DROP TABLE IF EXISTS hog").is_err() {
            let _ = conn.execute_batch("ROLLBACK");
        }
        std::thread::sleep(Duration::from_millis(60));
    }
}

/// Rows, different ones among them, and those whose columns are of different rows.
fn counted(store: &Store) -> (u64, u64, u64) {
    let reader = store.reader().expect("a reader");
    reader
        .views()
        .expect("views")
        .query_row(
            "SELECT count(*), count(DISTINCT span_id), \
             count(*) FILTER (('0x' || span_id)::UBIGINT <> attributes.n::UBIGINT + 1) FROM spans",
            [],
            |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)),
        )
        .expect("counted")
}

#[test]
fn what_was_acknowledged_beside_who_takes_all_memory_is_there_once_and_whole() {
    let dir = tempfile::tempdir().expect("a directory");
    let store = Store::open(StoreConfig {
        memory_bytes_max: 128 << 20,
        temp_bytes_max: 0,
        // A seal has to find room.
        hot_rows_max: 20_000,
        ..config(dir.path())
    })
    .expect("a store");
    let is_over = AtomicBool::new(false);
    let conn = store.shared.catalog.connect().expect("a connection");
    let acknowledged = std::thread::scope(|scope| {
        let is_over = &is_over;
        scope.spawn(move || hog(&conn, is_over));
        let stored = (0..BATCHES).filter(|batch| {
            let from = batch * SPANS;
            append(&store, spans("steady", from, from + SPANS)).is_ok()
        });
        let acknowledged = SPANS * stored.count() as u64;
        is_over.store(true, Relaxed);
        acknowledged
    });
    assert!(acknowledged > 0, "nothing was ever stored");
    store.seal_now().expect("sealed");
    assert_eq!(counted(&store), (acknowledged, acknowledged, 0));
    drop(store);
    let again = Store::open(config(dir.path())).expect("again");
    assert_eq!(counted(&again), (acknowledged, acknowledged, 0));
}
