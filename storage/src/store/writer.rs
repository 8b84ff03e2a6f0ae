//! The writer thread: group commit into the hot segment.
//!
//! It takes everything queued, appends it in one transaction, commits (DuckDB fsyncs its log) and only then
//! answers every request of the group. When a commit fails nothing of it is stored; a group is then tried
//! again one batch at a time, so that a batch that cannot be stored fails alone.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use duckdb::Connection;

use super::queue::{Pending, Taken};
use super::rotation::FullSegment;
use super::stats::Counters;
use super::{AppendError, Shared};
use crate::ingest::{PreparedRows, RecentSpans};
use crate::segment::Segment;
use crate::segment::hot::{HotWriter, Prepared};

/// How long a commit waits for memory that queries hold; a client waits ten seconds.
const MEMORY_PATIENCE: Duration = Duration::from_secs(5);
const MEMORY_NAP: Duration = Duration::from_millis(50);

/// Items one transaction takes at most; 10 k spans commit in about 25 ms.
const COMMIT_ITEMS_MAX: usize = 20_000;
/// How often age and ring are looked at when nothing arrives.
const IDLE: Duration = Duration::from_millis(250);

/// The writer's state.
pub(crate) struct Writer {
    shared: Arc<Shared>,
    conn: Connection,
    hot: Hot,
    recent: RecentSpans,
}

/// The segment being appended to.
struct Hot {
    segment: Arc<Segment>,
    writer: HotWriter,
    rows: usize,
    bytes: u64,
    /// Commits of this segment: first and last wall-clock time, and when the first was.
    ingest_range: Option<(i64, i64)>,
    since: Instant,
}

impl Hot {
    fn new(segment: Arc<Segment>) -> Self {
        let writer = HotWriter::new(segment.alias().to_owned());
        Self {
            segment,
            writer,
            rows: 0,
            bytes: 0,
            ingest_range: None,
            since: Instant::now(),
        }
    }
}

impl Writer {
    pub(crate) fn new(
        shared: Arc<Shared>,
        conn: Connection,
        segment: Arc<Segment>,
        recent: RecentSpans,
    ) -> Self {
        Self {
            shared,
            conn,
            hot: Hot::new(segment),
            recent,
        }
    }

    /// Runs until the queue is closed and empty.
    pub(crate) fn run(mut self) {
        loop {
            match self.shared.queue.take(IDLE, self.room()) {
                Taken::Closed => return,
                Taken::Batches(group) => {
                    if !group.is_empty() {
                        self.shared.rotation.wait_for_sealer();
                        self.commit_and_answer(group, MEMORY_PATIENCE);
                    }
                    self.rotate_if_due();
                }
            }
        }
    }

    /// Items the next transaction may take: no more than the hot segment has room for. A sealed segment has row groups of
    /// [`super::catalog::ROW_GROUP`] rows; what is left over makes another, which is written twice and not shredded.
    fn room(&self) -> usize {
        let left = self
            .shared
            .config
            .hot_rows_max
            .saturating_sub(self.hot.rows);
        COMMIT_ITEMS_MAX.min(left).max(1)
    }

    fn commit_and_answer(&mut self, group: Vec<Pending>, patience: Duration) {
        let started = Instant::now();
        let result = self.commit(&group, patience);
        self.shared
            .counters
            .record(|work| &mut work.commits, started.elapsed());
        match result {
            Ok(()) => {
                self.shared
                    .counters
                    .outcome::<(), duckdb::Error>("commit", &Ok(()));
                let items = group.iter().map(|pending| pending.batch.items).sum();
                group
                    .into_iter()
                    .for_each(|pending| self.answer(pending, Ok(())));
                self.throttle(items, started);
            }
            Err(error) if group.len() == 1 => {
                let refusal = refusal(&error);
                // What a client sent is no failure of the store.
                if matches!(refusal, AppendError::Unavailable { .. }) {
                    self.shared.counters.outcome::<(), _>("commit", &Err(error));
                } else {
                    tracing::warn!(%error, "a batch cannot be stored");
                }
                group
                    .into_iter()
                    .for_each(|pending| self.answer(pending, Err(refusal.copied())));
            }
            // Which batch was it? Each for itself.
            Err(error) => {
                tracing::warn!(%error, batches = group.len(), "group commit failed; trying its batches alone");
                group
                    .into_iter()
                    .for_each(|pending| self.commit_and_answer(vec![pending], Duration::ZERO));
            }
        }
    }

    /// Commits. Where queries hold the memory that a commit needs, they are stopped, one after the other, until it passes:
    /// that takes less than a client's patience.
    fn commit(&mut self, group: &[Pending], patience: Duration) -> duckdb::Result<()> {
        let deadline = Instant::now() + patience;
        let mut shortage = None;
        loop {
            let committed = self.try_commit(group);
            let is_worth_waiting = committed
                .as_ref()
                .is_err_and(|error| is_out_of_memory(&error.to_string()))
                && Instant::now() < deadline
                && !self.shared.closing.load(Relaxed);
            if !is_worth_waiting {
                return committed;
            }
            shortage.get_or_insert_with(|| {
                tracing::warn!("a commit waits for memory; queries give way");
                self.shared.catalog.shortage().begin()
            });
            std::thread::sleep(MEMORY_NAP);
        }
    }

    fn try_commit(&mut self, group: &[Pending]) -> duckdb::Result<()> {
        if self.shared.reserve.is_lent() {
            let text = "the disk is full, and retention is making room";
            return Err(duckdb::Error::ToSqlConversionFailure(text.into()));
        }
        let now = self.shared.catalog.now_ns();
        if let Some(live) = &self.hot.segment.live {
            group.iter().for_each(|pending| live.expect(&pending.batch));
        }
        let result = self.transaction(group.iter().map(|pending| &pending.batch));
        if let Err(error) = result {
            let file = self.hot.segment.attachment.path.as_path();
            self.shared.note_fatal(&error, Some(file));
            self.hot.writer.roll_back();
            self.recent.roll_back();
            // After a failed COMMIT there is no transaction left; both are fine.
            let _ = self.conn.execute_batch("ROLLBACK");
            return Err(error);
        }
        let hot = &mut self.hot;
        hot.writer.commit();
        self.recent.commit();
        if hot.rows == 0 {
            hot.since = Instant::now();
        }
        let (first, last) = hot.ingest_range.unwrap_or((now, now));
        hot.ingest_range = Some((first.min(now), last.max(now)));
        if let Some(live) = &hot.segment.live {
            live.set_resources(hot.writer.committed_resources());
            group.iter().for_each(|pending| live.add(&pending.batch));
        }
        for pending in group {
            hot.rows += pending.batch.items;
            hot.bytes += pending.batch.bytes as u64;
        }
        Ok(())
    }

    fn transaction<'a>(
        &mut self,
        batches: impl Iterator<Item = &'a Prepared>,
    ) -> duckdb::Result<()> {
        super::failpoint::hit("commit.1")?;
        self.conn.execute_batch("BEGIN")?;
        self.hot
            .writer
            .append(&self.conn, batches, &mut self.recent)?;
        super::failpoint::hit("commit.2")?;
        self.conn.execute_batch("COMMIT")?;
        super::failpoint::hit("commit.3")
    }

    fn answer(&self, pending: Pending, result: Result<(), AppendError>) {
        let counters = &self.shared.counters;
        let Prepared {
            bytes, items, rows, ..
        } = pending.batch;
        match (&result, rows) {
            (Err(AppendError::Invalid { .. }), _) => Counters::add(&counters.invalid, 1),
            (Err(_), _) => Counters::add(&counters.unavailable, 1),
            (Ok(()), PreparedRows::Spans(_)) => Counters::add(&counters.spans, items),
            (Ok(()), PreparedRows::Logs(_)) => Counters::add(&counters.logs, items),
            (Ok(()), PreparedRows::Metrics(_)) => Counters::add(&counters.points, items),
        }
        self.shared.queue.release(bytes);
        // A dropped future is no reason to undo.
        let _ = pending.answer.send(result);
    }

    /// Keeps below `commit_rows_per_second_max`, for tests of overload.
    fn throttle(&self, items: usize, started: Instant) {
        let Some(rate) = self
            .shared
            .config
            .commit_rows_per_second_max
            .filter(|rate| *rate > 0)
        else {
            return;
        };
        let due = Duration::from_secs_f64(items as f64 / rate as f64);
        let mut left = due.saturating_sub(started.elapsed());
        while !left.is_zero() && !self.shared.closing.load(Relaxed) {
            let nap = left.min(Duration::from_millis(50));
            std::thread::sleep(nap);
            left -= nap;
        }
    }

    fn rotate_if_due(&mut self) {
        let config = &self.shared.config;
        let is_due = self.hot.rows >= config.hot_rows_max
            || self.hot.bytes >= config.hot_bytes_max
            || self.hot.since.elapsed() >= config.hot_age_max
            || self.shared.rotation.is_forced();
        if self.hot.rows == 0 {
            self.shared.rotation.force_done();
            return;
        }
        if !is_due {
            return;
        }
        // Not made yet: go on with this one, its bounds are soft.
        let Some(next) = self.shared.rotation.take_next() else {
            self.shared.steward().ring();
            return;
        };
        let full = std::mem::replace(&mut self.hot, Hot::new(next));
        let now = self.shared.catalog.now_ns();
        self.shared.rotation.push_full(FullSegment {
            segment: full.segment,
            ingest_range: full.ingest_range.unwrap_or((now, now)),
        });
        self.shared.rotation.force_done();
        self.shared.steward().ring();
        self.shared.sealer.ring();
    }
}

impl Drop for Writer {
    /// However it ended, nobody waits for an answer that cannot come.
    fn drop(&mut self) {
        self.shared.queue.abandon();
    }
}

/// Whether a failure is DuckDB's memory limit, which others may have used up. At COMMIT, and where there is no room on disk
/// for what memory holds either, DuckDB 2.0.0 does not say so by its kind, only in the words that follow.
fn is_out_of_memory(text: &str) -> bool {
    let is_of_commit = text.contains("Failed to commit:") && text.contains(" used)");
    let is_of_temp = text.contains("failed to offload data block");
    is_of_commit || is_of_temp || text.contains("Out of Memory Error")
}

/// What a failed commit means for the client: bad data is never retryable, everything else may pass.
fn refusal(error: &duckdb::Error) -> AppendError {
    let text = error.to_string();
    let is_data = [
        "Conversion Error",
        "Invalid Input Error",
        "Constraint Error",
        "Out of Range Error",
    ]
    .iter()
    .any(|kind| text.starts_with(kind));
    if is_data {
        AppendError::Invalid { reason: text }
    } else {
        AppendError::Unavailable {
            retry_after: Duration::from_secs(2),
            source: std::io::Error::other(text),
        }
    }
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
                "TransactionContext Error: Failed to commit: Could not write file \"/d/hot.wal\": No space left on device",
                false,
            ),
            ("Conversion Error: 60 KiB (all used)", false),
        ] {
            assert_eq!(is_out_of_memory(text), is_memory, "{text}");
        }
    }
}
