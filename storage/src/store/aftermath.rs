//! What became of a transaction that found no memory.
//!
//! DuckDB 2.0.0 is not whole then in four ways, each seen beside questions that took all memory there was:
//!
//! - A ROLLBACK finds no memory either, and the connection stays in a transaction that takes nothing.
//! - A COMMIT is done, and its answer finds no memory: it is told as an error, but its rows are in the log and in the tables.
//! - A COMMIT ends in the middle of an append to a table. Only whole appends are noted for their undoing
//!   (`LocalStorage::Flush`), so some columns stay longer than others: rows appended later are put together wrongly.
//! - The same, a moment later: the table counts rows that nobody can read.
//!
//! So a ROLLBACK is repeated until it passes, the tables are read to see whether the rows are there, and a segment whose COMMIT
//! found no memory takes no more rows: those that can be read in it are right, and it is sealed at once.

use std::time::{Duration, Instant};

use duckdb::Connection;

use crate::segment::Segment;
use crate::segment::meta::SIGNALS;

/// Between two looks.
const NAP: Duration = Duration::from_millis(20);

/// Whether a failure is DuckDB's memory limit, which others may have used up. In a COMMIT, in an append, and where there is
/// no room on disk for what memory holds either, DuckDB 2.0.0 does not say so by its kind, only in the words that follow.
pub(super) fn is_out_of_memory(text: &str) -> bool {
    let is_wrapped = text.contains("Failed to commit:") || text.contains("Failed to append:");
    let is_of_temp = text.contains("failed to offload data block");
    is_wrapped && text.contains(" used)") || is_of_temp || text.contains("Out of Memory Error")
}

/// Asks again for as long as the answer is that there is no memory, within `patience`.
pub(super) fn asked<T>(
    patience: Duration,
    ask: impl Fn() -> duckdb::Result<T>,
) -> duckdb::Result<T> {
    let deadline = Instant::now() + patience;
    loop {
        match ask() {
            Err(error) if is_out_of_memory(&error.to_string()) && Instant::now() < deadline => {
                std::thread::sleep(NAP);
            }
            answered => return answered,
        }
    }
}

/// Ends the connection's transaction, if there is one: none is left of a COMMIT that failed.
pub(super) fn roll_back(conn: &Connection, patience: Duration) {
    let _ = asked(patience, || conn.execute_batch("ROLLBACK"));
}

/// Rows of each signal that can be read in a hot segment, found by reading: what its tables count may be more.
pub(super) fn visible_rows(conn: &Connection, segment: &Segment) -> duckdb::Result<[u64; SIGNALS]> {
    let schema = segment.schema();
    let visible = |table: &str, column: &str| {
        format!("(SELECT count(*) FROM {schema}.{table} WHERE {column} >= 0)")
    };
    let sql = format!(
        "SELECT ({})::UBIGINT, ({})::UBIGINT, ({} + {})::UBIGINT",
        visible("spans", "resource_ix"),
        visible("logs", "resource_ix"),
        visible("number_points", "series_ix"),
        visible("histogram_points", "series_ix"),
    );
    conn.query_row(&sql, [], |row| Ok([row.get(0)?, row.get(1)?, row.get(2)?]))
}

#[cfg(test)]
mod tests {
    use super::is_out_of_memory;
    use crate::fixture::small;
    use crate::store::{StoreConfig, engine};

    /// What the engine really says: it names a COMMIT otherwise than other statements.
    #[test]
    fn a_commit_that_the_engine_has_no_memory_for_is_worth_waiting() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let config = StoreConfig {
            memory_bytes_max: 64 << 20,
            temp_bytes_max: 0,
            ..small(dir.path())
        };
        let conn = engine::start(&config).expect("an engine");
        let hog = conn.try_clone().expect("a connection");
        let file = dir.path().join("hot.duckdb");
        conn.execute_batch(&format!(
            "ATTACH '{}' AS h (ROW_GROUP_SIZE 16384);
             CREATE TABLE h.t (a VARCHAR, b VARCHAR);
             BEGIN;
             INSERT INTO h.t SELECT uuid()::VARCHAR, repeat('y', 300) || i FROM range(1000) t(i);",
            file.display()
        ))
        .expect("a transaction");
        hog.execute_batch("CREATE TEMP TABLE hog (s VARCHAR)")
            .expect("a table");
        for rows in [1_000, 100] {
            let sql = format!(
                "INSERT INTO hog SELECT repeat(hash(i)::VARCHAR, 50) FROM range({rows}) t(i)"
            );
            while hog.execute_batch(&sql).is_ok() {}
        }
        let error = conn.execute_batch("COMMIT").expect_err("no memory is left");
        assert!(is_out_of_memory(&error.to_string()), "{error}");
    }

    #[test]
    fn memory_that_is_missing_is_told_from_other_failures_of_a_commit() {
        for (text, is_memory) in [
            (
                "Out of Memory Error: could not allocate block of size 256.0 KiB (63.9 MiB/64.0 MiB used)",
                true,
            ),
            // As a COMMIT says it.
            (
                "TransactionContext Error: Failed to commit: failed to offload data block of size 256.0 KiB (0 bytes/0 bytes used).\n\
                 This limit was set by the 'max_temp_directory_size' setting.",
                true,
            ),
            (
                "TransactionContext Error: Failed to commit: could not allocate block of size 256.0 KiB (63.9 MiB/64.0 MiB used)",
                true,
            ),
            (
                "Failed to append: could not allocate block of size 1.9 KiB (519.5 MiB/512.0 MiB used)",
                true,
            ),
            (
                "TransactionContext Error: Failed to commit: Could not write file \"/d/hot.wal\": No space left on device",
                false,
            ),
            ("Conversion Error: 60 KiB (all used)", false),
        ] {
            assert_eq!(is_out_of_memory(text), is_memory, "{text}");
        }
    }
}
