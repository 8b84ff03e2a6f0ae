//! The writer thread: group commit into the hot segment.
//!
//! It takes everything queued, appends it in one transaction, commits (DuckDB fsyncs its log) and only then
//! answers every request of the group. When a commit fails nothing of it is stored; a group is then tried
//! again one batch at a time, so that a batch that cannot be stored fails alone.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use duckdb::Connection;

use super::aftermath::{self, is_out_of_memory};
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
    /// Whether a COMMIT into it found no memory: then it takes no more rows ([`aftermath`]).
    is_spent: bool,
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
            is_spent: false,
        }
    }
}

/// Why a transaction failed.
struct Failed {
    error: duckdb::Error,
    /// Whether it was its COMMIT: then its rows may be stored nevertheless.
    is_of_commit: bool,
}

impl Failed {
    fn before_commit(error: duckdb::Error) -> Self {
        Self {
            error,
            is_of_commit: false,
        }
    }

    fn at_commit(error: duckdb::Error) -> Self {
        Self {
            error,
            is_of_commit: true,
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
            let now = self.shared.catalog.now_ns();
            let Err(Failed {
                error,
                is_of_commit,
            }) = self.try_commit(group)
            else {
                self.note(group, now);
                return Ok(());
            };
            let is_short = is_out_of_memory(&error.to_string());
            self.hot.is_spent |= is_of_commit && is_short;
            // The other hot segment that a spent one asks for takes memory to make.
            let may_pass = is_short || self.hot.is_spent;
            if may_pass {
                shortage.get_or_insert_with(|| {
                    tracing::warn!(%error, "a commit waits for memory; queries give way");
                    self.shared.catalog.shortage().begin()
                });
            }
            if is_of_commit && self.is_stored_after_all() {
                tracing::warn!(%error, "a commit that is said to have failed is stored");
                self.note(group, now);
                return Ok(());
            }
            self.hot.writer.roll_back();
            self.recent.roll_back();
            let is_given_up = Instant::now() >= deadline || self.shared.closing.load(Relaxed);
            if !may_pass || is_given_up {
                return Err(error);
            }
            std::thread::sleep(MEMORY_NAP);
        }
    }

    /// Asks for as long as a client waits; where no answer comes, it is told that nothing is stored, and sends it again.
    fn is_stored_after_all(&self) -> bool {
        let rows = aftermath::asked(MEMORY_PATIENCE, || {
            aftermath::visible_rows(&self.conn, &self.hot.segment)
        });
        match rows {
            Ok(rows) => Some(rows) != self.hot.segment.known_rows(),
            Err(error) => {
                tracing::error!(%error, "nobody knows what became of a commit that failed");
                false
            }
        }
    }

    fn try_commit(&mut self, group: &[Pending]) -> Result<(), Failed> {
        let refuse = |text: &str| {
            let error = duckdb::Error::ToSqlConversionFailure(text.into());
            Err(Failed::before_commit(error))
        };
        if self.shared.reserve.is_lent() {
            return refuse("the disk is full, and retention is making room");
        }
        if self.hot.is_spent && !self.rotate() {
            return refuse("a commit found no memory, and there is no other hot segment yet");
        }
        if let Some(live) = &self.hot.segment.live {
            group.iter().for_each(|pending| live.expect(&pending.batch));
        }
        let result = self.transaction(group.iter().map(|pending| &pending.batch));
        if let Err(failed) = &result {
            let file = self.hot.segment.attachment.path.as_path();
            self.shared.note_fatal(&failed.error, Some(file));
            aftermath::roll_back(&self.conn, MEMORY_PATIENCE);
        }
        result
    }

    /// Notes a group that was committed at `now`.
    fn note(&mut self, group: &[Pending], now: i64) {
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
    }

    fn transaction<'a>(
        &mut self,
        batches: impl Iterator<Item = &'a Prepared>,
    ) -> Result<(), Failed> {
        self.rows_appended(batches).map_err(Failed::before_commit)?;
        let committed = self.conn.execute_batch("COMMIT");
        committed
            .and_then(|()| super::failpoint::hit("commit.3"))
            .map_err(Failed::at_commit)
    }

    fn rows_appended<'a>(
        &mut self,
        batches: impl Iterator<Item = &'a Prepared>,
    ) -> duckdb::Result<()> {
        super::failpoint::hit("commit.1")?;
        self.conn.execute_batch("BEGIN")?;
        self.hot
            .writer
            .append(&self.conn, batches, &mut self.recent)?;
        super::failpoint::hit("commit.2")
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
        self.rotate();
    }

    /// Goes on with the next hot segment; `false` if it is not made yet.
    fn rotate(&mut self) -> bool {
        let Some(next) = self.shared.rotation.take_next() else {
            self.shared.steward().ring();
            return false;
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
        true
    }
}

impl Drop for Writer {
    /// However it ended, nobody waits for an answer that cannot come.
    fn drop(&mut self) {
        self.shared.queue.abandon();
    }
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
