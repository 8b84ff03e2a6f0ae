//! The door of the store: open, append, read, close.
//!
//! One writer thread owns the write connection; `append` puts a batch on the one bounded queue and resolves
//! when the batch is committed and fsynced. Readers lease an immutable set of segments. Three more threads work
//! behind: the steward makes the next hot segment and buries what nobody holds, the sealer turns full hot
//! segments into sealed ones, the keeper compacts and expires.

mod aftermath;
mod build;
mod calls;
mod catalog;
mod conclusions;
mod damage;
mod engine;
mod error;
pub mod failpoint;
mod keeper;
mod learning;
pub(crate) mod leases;
mod lock;
mod merge;
mod quarantine;
mod queue;
mod reader;
mod recall;
mod recovery;
mod reserve;
mod rotation;
mod runs;
mod sealer;
mod settled;
mod shelf;
mod shortage;
mod slices;
mod stats;
mod steward;
#[cfg(test)]
mod tests;
mod threads;
mod trouble;
mod writer;

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::{Duration, Instant};

pub(crate) use crate::as_of::now_ns;
pub(crate) use error::StoreError;
pub use error::{AppendError, OpenError};
pub use leases::SegmentSet;
pub use lock::{LockHolder, lock_holder};
pub use reader::{ReadError, Reader};
pub(crate) use shortage::Shortage;
pub use stats::{DURATION_BUCKETS_SECONDS, Durations, RefusedSegment, StoreStats, WORK};
pub use trouble::Trouble;

use self::catalog::Catalog;
use self::lock::Lock;
use self::queue::Queue;
use self::reserve::Reserve;
use self::rotation::Rotation;
use self::stats::Counters;
use self::threads::Thread;
use crate::ingest::{Batch, PreparedRows, Rows};
use crate::learned::LearnedStates;
use crate::resilience::{EvidenceBatches, PeerRule, Recognisers};
use crate::retirement::Retirement;
use crate::segment::SegmentState;
use crate::segment::files;
use crate::segment::hot::Prepared;
use crate::sync::{Bell, locked};

/// Settings of the store; `Default` are the shipped ones.
#[derive(Debug, Clone)]
pub struct StoreConfig {
    /// Where the segment files are.
    pub data_dir: PathBuf,
    /// Bound of the queue before the writer, in bytes of decoded requests.
    pub queue_bytes_max: usize,
    /// Rows of the hot segment at which it is rotated.
    pub hot_rows_max: usize,
    /// Bytes of the hot segment at which it is rotated.
    pub hot_bytes_max: u64,
    /// Age of the hot segment at which it is rotated, if it has rows.
    pub hot_age_max: Duration,
    /// DuckDB's `memory_limit`, in bytes.
    pub memory_bytes_max: u64,
    /// DuckDB's `max_temp_directory_size`, in bytes.
    pub temp_bytes_max: u64,
    /// DuckDB's `threads`. Half of the cores: in DuckDB 2.0.0 the thread that asks spins while others work for it,
    /// which with all cores cost a fifth of a seal's CPU; and decoding wants cores too.
    pub threads: usize,
    /// Raw telemetry older than this (by ingest time) is deleted.
    pub retention_age: Duration,
    /// Raw telemetry beyond this many bytes is deleted, oldest first; `None` = no bound.
    pub retention_bytes: Option<u64>,
    /// Roll-ups and breaker history older than this are deleted.
    pub history_age: Duration,
    /// Sealed segments of one size class at which they are compacted into one.
    pub compaction_fan_in: usize,
    /// Rows of spans, or of log records, that a compaction sorts together at most; more stay in runs.
    pub sorted_rows_max: u64,
    /// Room kept for retention to begin with on a full disk, in bytes; 0 = none.
    pub reserve_bytes: u64,
    /// Whether compaction and retention run; off for who only reads a directory.
    pub is_maintained: bool,
    /// How often compaction and retention look for work.
    pub maintenance_interval: Duration,
    /// For tests of overload: at most this many rows a second are committed.
    pub commit_rows_per_second_max: Option<u64>,
    /// What counts as now for questions and for what comes in, nanoseconds since 1970, where all that is stored is of
    /// the past; `None` = the clock.
    pub as_of_unix_nano: Option<i64>,
    /// What people say of whom breakers guard; conclusions are drawn with it, nothing of it is stored.
    pub peer_rules: Vec<PeerRule>,
}

impl Default for StoreConfig {
    /// The hot bounds keep an attribute filter over the hot part alone near 50 ms; a full hot segment of spans is one row
    /// group when it is sealed, and takes about 55 MiB of memory until then.
    fn default() -> Self {
        Self {
            data_dir: PathBuf::from("tripline-data"),
            queue_bytes_max: 256 << 20,
            hot_rows_max: catalog::ROW_GROUP,
            hot_bytes_max: 128 << 20,
            hot_age_max: Duration::from_secs(30),
            memory_bytes_max: 512 << 20,
            temp_bytes_max: 4 << 30,
            threads: std::thread::available_parallelism()
                .map_or(1, |cores| cores.get().div_ceil(2)),
            retention_age: Duration::from_secs(7 * 86_400),
            retention_bytes: Some(50 << 30),
            history_age: Duration::from_secs(90 * 86_400),
            compaction_fan_in: 8,
            sorted_rows_max: 300_000,
            reserve_bytes: 32 << 20,
            is_maintained: true,
            maintenance_interval: Duration::from_secs(5),
            commit_rows_per_second_max: None,
            as_of_unix_nano: None,
            peer_rules: Vec::new(),
        }
    }
}

/// What the threads share.
pub(crate) struct Shared {
    pub config: StoreConfig,
    pub counters: Counters,
    pub queue: Queue,
    pub catalog: Catalog,
    pub rotation: Rotation,
    pub retirement: Retirement,
    pub reserve: Reserve,
    pub sealer: Bell,
    pub keeper: Bell,
    pub closing: AtomicBool,
    /// Why the engine gave up, once it has.
    pub broken: OnceLock<String>,
}

impl Shared {
    /// The steward's bell is the one that rings when something retires.
    pub(crate) fn steward(&self) -> &Bell {
        self.retirement.bell()
    }
}

/// The open store. Cheap to share behind an `Arc`.
pub struct Store {
    shared: Arc<Shared>,
    learned: LearnedStates,
    lock: Mutex<Lock>,
    threads: Mutex<Vec<Thread>>,
}

impl Store {
    /// Takes the data directory's lock, tidies up after a crash, starts the threads.
    pub fn open(config: StoreConfig) -> Result<Self, OpenError> {
        let dir = config.data_dir.clone();
        files::create_dir(&dir).map_err(|source| OpenError::from_io(&dir, source))?;
        let lock = Lock::take(&dir)?;
        let learned =
            LearnedStates::open(&dir).map_err(|source| OpenError::from_io(&dir, source))?;
        let recovered = recovery::recover(&config)?;
        let known = learned.list();
        if !known.is_empty() {
            learning::take_over(&recovered.catalog, &known)?;
        }
        let shared = Arc::new(Shared {
            queue: Queue::new(config.queue_bytes_max),
            reserve: Reserve::new(recovered.catalog.dir(), config.reserve_bytes),
            counters: recovered.counters,
            catalog: recovered.catalog,
            rotation: recovered.rotation,
            retirement: recovered.retirement,
            sealer: Bell::default(),
            keeper: Bell::default(),
            closing: AtomicBool::new(false),
            broken: OnceLock::new(),
            config,
        });
        let writer = writer::Writer::new(
            Arc::clone(&shared),
            shared.catalog.connect()?,
            recovered.hot,
            recovered.recent,
        );
        let threads = start(&shared, writer).map_err(|source| OpenError::from_io(&dir, source))?;
        Ok(Self {
            shared,
            learned,
            lock: Mutex::new(lock),
            threads: Mutex::new(threads),
        })
    }

    /// Resolves when committed and fsynced. Dropping the future does not undo the append.
    pub async fn append(&self, batch: Batch) -> Result<(), AppendError> {
        let prepared = prepare(batch)?;
        let answered = self.shared.queue.push(prepared).inspect_err(|error| {
            if matches!(error, AppendError::Overloaded { .. }) {
                Counters::add(&self.shared.counters.overloaded, 1);
            }
        })?;
        answered.await.unwrap_or(Err(AppendError::Closing))
    }

    /// A leased, immutable set of segments with a connection to read them.
    pub fn reader(&self) -> Result<Reader, ReadError> {
        Reader::new(&self.shared.catalog)
    }

    /// Tells the store what a query failed with. When a file turns out to be damaged it is taken out of the
    /// set, left on disk and reported in [`StoreStats::segments_refused`]; then `true`, and the query may be
    /// tried again over the healthy rest.
    pub fn report(&self, error: &duckdb::Error) -> bool {
        damage::is_damage(error) && damage::take_out_damaged(&self.shared)
    }

    /// Counters and gauges.
    pub fn stats(&self) -> StoreStats {
        snapshot(&self.shared)
    }

    /// Writes the bound addresses into `LOCK`, so that others find the server.
    pub fn announce(&self, addresses: &str) -> std::io::Result<()> {
        locked(&self.lock).announce(addresses)
    }

    /// Rotates now and waits until everything is sealed.
    pub fn seal_now(&self) -> Result<(), ReadError> {
        self.shared.rotation.force();
        self.shared.queue.ring();
        if self
            .shared
            .rotation
            .wait_all_sealed(Duration::from_secs(300))
        {
            return Ok(());
        }
        let why = locked(&self.shared.counters.work).last_error();
        Err(ReadError::NotSealed {
            reason: why.unwrap_or_else(|| "it takes too long".to_owned()),
        })
    }

    /// Stops taking batches, commits what is queued, ends the threads; after `within` it stops waiting.
    pub fn close(self: Arc<Self>, within: Duration) {
        self.stop(within);
    }

    fn stop(&self, within: Duration) {
        let deadline = Instant::now() + within;
        self.shared.queue.close();
        let threads = std::mem::take(&mut *locked(&self.threads));
        for thread in threads {
            // The writer is first: it drains the queue before the others hear of the end.
            thread.join(deadline.saturating_duration_since(Instant::now()));
            self.shared.closing.store(true, Relaxed);
            self.shared.steward().ring();
            self.shared.sealer.ring();
            self.shared.keeper.ring();
        }
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        self.stop(Duration::from_secs(10));
    }
}

/// The threads; the writer first, which is the first to end.
fn start(shared: &Arc<Shared>, writer: writer::Writer) -> std::io::Result<Vec<Thread>> {
    let mut threads = vec![Thread::spawn("tripline-writer", move || writer.run())?];
    let steward = Arc::clone(shared);
    threads.push(Thread::spawn("tripline-steward", move || {
        steward::run(&steward);
    })?);
    let sealer = Arc::clone(shared);
    threads.push(Thread::spawn("tripline-sealer", move || {
        sealer::run(&sealer);
    })?);
    if shared.config.is_maintained {
        let keeper = Arc::clone(shared);
        let clock = keeper::clock_at_start(shared);
        threads.push(Thread::spawn("tripline-keeper", move || {
            keeper::run(&keeper, clock);
        })?);
    }
    Ok(threads)
}

/// Finishes the columns on the request's own task, and checks what the writer relies on.
fn prepare(batch: Batch) -> Result<Prepared, AppendError> {
    let items = batch.items();
    let Batch {
        resources,
        scopes,
        rows,
        bytes,
    } = batch;
    let mut identities = Vec::new();
    let rows = match rows {
        Rows::Spans(mut spans) => {
            identities = spans.take_identities();
            PreparedRows::Spans(spans.finish())
        }
        Rows::Logs(logs) => PreparedRows::Logs(logs.finish()),
        Rows::Metrics(metrics) => PreparedRows::Metrics(metrics.finish()),
    };
    let mut prepared = Prepared {
        resources,
        scopes,
        rows,
        identities,
        evidence: None,
        bytes,
        items,
    };
    prepared
        .check()
        .map_err(|reason| AppendError::Invalid { reason })?;
    prepared.name_services();
    let evidence =
        Recognisers::shipped().recognise(&prepared.resources, &prepared.scopes, &prepared.rows);
    prepared.evidence = EvidenceBatches::of(&evidence);
    Ok(prepared)
}

fn snapshot(shared: &Shared) -> StoreStats {
    let counters = &shared.counters;
    let set = shared.catalog.lease();
    let count = |is: &dyn Fn(&crate::segment::Segment) -> bool| {
        set.segments.iter().filter(|segment| is(segment)).count()
    };
    let work = locked(&counters.work);
    let waiting = shared.rotation.waiting();
    StoreStats {
        spans_accepted: counters.spans.load(Relaxed),
        logs_accepted: counters.logs.load(Relaxed),
        points_accepted: counters.points.load(Relaxed),
        batches_overloaded: counters.overloaded.load(Relaxed),
        batches_unavailable: counters.unavailable.load(Relaxed),
        batches_invalid: counters.invalid.load(Relaxed),
        queue_bytes: shared.queue.bytes(),
        queue_bytes_max: shared.config.queue_bytes_max,
        commits: work.commits,
        seals: work.seals,
        compactions: work.compactions,
        segments_hot: count(&|segment| segment.is_text()).saturating_sub(waiting),
        segments_rotated: waiting,
        segments_sealed: count(&|segment| {
            segment.state == SegmentState::Sealed && !segment.meta.is_history
        }),
        segments_history: count(&|segment| segment.meta.is_history),
        segments_refused: work.refused.clone(),
        disk_bytes: set
            .segments
            .iter()
            .map(|segment| files::size(&segment.attachment.path))
            .sum(),
        rows_quarantined: set
            .segments
            .iter()
            .map(|segment| segment.meta.quarantined)
            .sum(),
        segments_replaced: counters.replaced.load(Relaxed),
        segments_expired: counters.expired.load(Relaxed),
        segments_given_up: counters.given_up.load(Relaxed),
        rows_sealed: set.segments.iter().map(|segment| segment.meta.rows()).sum(),
        failing: work.failures.iter().map(|failure| failure.work).collect(),
        last_error: work.last_error(),
    }
}
