//! Where the spans of a trace lie in a sorted table: the first trace of every 2,048 rows.
//!
//! DuckDB tells row groups apart by their bounds, and then reads the trace ids of one whole: 60,000 of them in 5 ms. With
//! the place of a row known to a vector the same takes 1.3 (measured on 2026-11-23, 491,520 rows). 16 kB keep the
//! places of two million rows.

use std::ops::Range;

use duckdb::Connection;

use super::runs::Run;

/// Rows between two places: a vector of DuckDB's.
const STEP: u64 = 2048;

/// The first 16 digits of the trace id in every [`STEP`]th row; none where they are not known.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Places(Vec<u64>);

impl Places {
    /// Those of the spans of a schema in these runs, or in one; none if they lie at other places than 0, 1, 2 …, are not
    /// sorted, or their ids are no hexadecimal numbers.
    pub(crate) fn of(conn: &Connection, schema: &str, runs: &[Run]) -> duckdb::Result<Self> {
        let sql = format!(
            "SELECT rowid::UBIGINT, trace_id FROM {schema}.spans WHERE rowid % {STEP} = 0 ORDER BY rowid"
        );
        let mut statement = conn.prepare(&sql)?;
        let mut rows = statement.query([])?;
        let mut firsts = Vec::new();
        while let Some(row) = rows.next()? {
            let (at, id): (u64, Option<String>) = (row.get(0)?, row.get(1)?);
            // Rows without a trace come last.
            let first = id.map_or(Some(u64::MAX), |id| start_of(&id));
            match first {
                Some(first) if at == firsts.len() as u64 * STEP => firsts.push(first),
                _ => return Ok(Self::default()),
            }
        }
        let known = Self(firsts);
        let rows: u64 = runs.iter().map(|run| run.rows).sum();
        let stored = format!("SELECT count(*)::UBIGINT FROM {schema}.spans");
        let is_whole =
            runs.is_empty() || conn.query_row(&stored, [], |row| row.get::<_, u64>(0))? == rows;
        Ok(if is_whole && known.are_sorted(runs) {
            known
        } else {
            Self::default()
        })
    }

    /// Whether those of each run follow each other.
    fn are_sorted(&self, runs: &[Run]) -> bool {
        if runs.is_empty() {
            return self.0.is_sorted();
        }
        let mut at = 0;
        runs.iter().all(|run| {
            let rows = at..at + run.rows;
            at = rows.end;
            self.0
                .get(self.within(&rows))
                .is_some_and(<[u64]>::is_sorted)
        })
    }

    /// Which of the places lie in these rows.
    fn within(&self, rows: &Range<u64>) -> Range<usize> {
        let place = |row: u64| usize::try_from(row.div_ceil(STEP)).unwrap_or(usize::MAX);
        let end = place(rows.end).min(self.0.len());
        place(rows.start).min(end)..end
    }

    /// Of rows that are sorted by trace those that may be of this one.
    pub(crate) fn narrow(&self, rows: Range<u64>, trace_id: &str) -> Range<u64> {
        let Some(wanted) = start_of(trace_id) else {
            return rows;
        };
        let places = self.within(&rows);
        let row = |at: usize| (places.start + at) as u64 * STEP;
        let within = &self.0[places.clone()];
        let before = within.partition_point(|place| *place < wanted);
        let after = within.partition_point(|place| *place <= wanted);
        Range {
            // The trace may begin in the middle of the part before.
            start: before.checked_sub(1).map_or(rows.start, row),
            end: if after == within.len() {
                rows.end
            } else {
                row(after)
            },
        }
    }

    /// Whether nothing is known.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The bytes kept in `meta`.
    pub(super) fn to_bytes(&self) -> Vec<u8> {
        self.0
            .iter()
            .flat_map(|first| first.to_le_bytes())
            .collect()
    }

    /// Reads [`Self::to_bytes`]; none if the length is no places'.
    pub(super) fn from_bytes(bytes: &[u8]) -> Self {
        let (chunks, rest) = bytes.as_chunks::<8>();
        if !rest.is_empty() {
            return Self::default();
        }
        Self(
            chunks
                .iter()
                .map(|bytes| u64::from_le_bytes(*bytes))
                .collect(),
        )
    }
}

/// The first 16 digits of an id as a number, which are in the order of the texts; `None` if they are not lower-case ones.
fn start_of(id: &str) -> Option<u64> {
    let digits = id.get(..16)?;
    let is_lower = digits
        .bytes()
        .all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    is_lower.then(|| u64::from_str_radix(digits, 16).ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    /// So many traces of three spans each in every run, sorted; rows without a trace last.
    fn table(conn: &Connection, runs: u64, traces: u64, traceless: u64) {
        conn.execute_batch(&format!(
            "CREATE OR REPLACE TABLE spans AS
             SELECT trace_id FROM (
                 SELECT run, md5((run * {traces} + n)::VARCHAR) AS trace_id
                 FROM range({runs}) r(run), range({traces}) t(n), range(3)
             ) ORDER BY run, trace_id;
             INSERT INTO spans SELECT NULL FROM range({traceless})"
        ))
        .expect("a table");
    }

    fn rows(conn: &Connection, sql: &str) -> Vec<(u64, String)> {
        let mut statement = conn.prepare(sql).expect("a question");
        let rows = statement
            .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))
            .expect("rows");
        rows.collect::<Result<_, _>>().expect("rows")
    }

    #[test]
    fn every_span_is_where_its_trace_is_looked_for_and_few_others_are() {
        let conn = Connection::open_in_memory().expect("DuckDB");
        table(&conn, 2, 5_001, 3_000);
        let run = |rows| Run {
            rows,
            begin: None,
            filters: 0..1,
        };
        // Not sorted as one, nor as two that are shorter or end elsewhere.
        for wrong in [
            vec![],
            vec![run(15_003), run(15_003)],
            vec![run(20_000), run(13_006)],
        ] {
            let places = Places::of(&conn, "main", &wrong).expect("places");
            assert!(places.is_empty(), "{wrong:?}");
        }
        let runs = [run(15_003), run(18_003)];
        let places = Places::of(&conn, "main", &runs).expect("places");
        assert_eq!(Places::from_bytes(&places.to_bytes()), places);
        let run = 15_003;
        for (row, id) in rows(
            &conn,
            "SELECT rowid::UBIGINT, trace_id FROM spans WHERE trace_id IS NOT NULL",
        ) {
            let within = row / run * run..(row / run + 1) * run;
            let narrow = places.narrow(within.clone(), &id);
            assert!(narrow.contains(&row), "{row} of {id}: {narrow:?}");
            assert!(within.start <= narrow.start && narrow.end <= within.end);
            assert!(narrow.end - narrow.start <= 3 * STEP, "{narrow:?}");
        }
        // One before all is nowhere, one after all in the last part.
        assert_eq!(places.narrow(0..run, &"0".repeat(32)), 0..0);
        assert_eq!(places.narrow(0..run, &"f".repeat(32)), 7 * STEP..run);
        assert_eq!(places.narrow(0..10, "none"), 0..10);
        assert_eq!(Places::default().narrow(0..run, &"0".repeat(32)), 0..run);
    }

    #[test]
    fn ids_that_begin_alike_are_all_found() {
        let conn = Connection::open_in_memory().expect("DuckDB");
        conn.execute_batch(
            "CREATE TABLE spans AS SELECT repeat('0', 16) || right('000000000000000' || to_hex(n // 3), 16) AS trace_id
             FROM range(9000) t(n)",
        )
        .expect("a table");
        let places = Places::of(&conn, "main", &[]).expect("places");
        let id = format!("{}{:016x}", "0".repeat(16), 2_000);
        assert_eq!(places.narrow(0..9_000, &id), 0..9_000);
    }

    #[test]
    fn nothing_is_known_of_rows_that_moved_or_of_other_ids() {
        let conn = Connection::open_in_memory().expect("DuckDB");
        table(&conn, 1, 5_000, 0);
        conn.execute_batch("DELETE FROM spans WHERE rowid = 2048")
            .expect("a row less");
        assert!(Places::of(&conn, "main", &[]).expect("places").is_empty());
        conn.execute_batch(
            "CREATE OR REPLACE TABLE spans AS SELECT 'ABCDEF0123456789' AS trace_id",
        )
        .expect("a table");
        assert!(Places::of(&conn, "main", &[]).expect("places").is_empty());
        conn.execute_batch("CREATE OR REPLACE TABLE spans (trace_id VARCHAR)")
            .expect("a table");
        assert!(Places::of(&conn, "main", &[]).expect("places").is_empty());
    }
}
