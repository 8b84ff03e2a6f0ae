//! Counters and gauges of the store, for `/metrics` and `/status`.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

/// Upper bounds of the duration buckets, in seconds; the last bucket has none.
pub const DURATION_BUCKETS_SECONDS: [f64; 10] =
    [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 2.5, 10.0, 60.0];

/// Durations of one kind of work.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Durations {
    /// How often it was done.
    pub count: u64,
    /// Time it took in total.
    pub total: Duration,
    /// The longest.
    pub max: Duration,
    /// How many fell below each of [`DURATION_BUCKETS_SECONDS`] (and above the one before), then the rest.
    pub buckets: [u64; DURATION_BUCKETS_SECONDS.len() + 1],
}

impl Durations {
    /// Adds one.
    pub fn record(&mut self, took: Duration) {
        self.count += 1;
        self.total += took;
        self.max = self.max.max(took);
        let seconds = took.as_secs_f64();
        let bucket = DURATION_BUCKETS_SECONDS
            .iter()
            .position(|bound| seconds <= *bound);
        self.buckets[bucket.unwrap_or(DURATION_BUCKETS_SECONDS.len())] += 1;
    }
}

/// A snapshot of the store's counters.
#[derive(Debug, Clone, Default)]
pub struct StoreStats {
    /// Spans committed since start.
    pub spans_accepted: u64,
    /// Log records committed since start.
    pub logs_accepted: u64,
    /// Data points committed since start.
    pub points_accepted: u64,
    /// Batches refused because the queue was full.
    pub batches_overloaded: u64,
    /// Batches refused because a commit failed.
    pub batches_unavailable: u64,
    /// Bytes waiting in the queue or being committed.
    pub queue_bytes: usize,
    /// The queue's bound.
    pub queue_bytes_max: usize,
    /// Group commits.
    pub commits: Durations,
    /// Seals of rotated segments.
    pub seals: Durations,
    /// Compactions.
    pub compactions: Durations,
    /// Segments the writer appends to, or will next.
    pub segments_hot: usize,
    /// Full segments waiting for the sealer.
    pub segments_rotated: usize,
    /// Sealed segments with raw rows.
    pub segments_sealed: usize,
    /// Segments of which only roll-ups are left.
    pub segments_history: usize,
    /// Segment files that could not be opened, with the reason; their files are left as they are.
    pub segments_refused: Vec<RefusedSegment>,
    /// Bytes of all segment files.
    pub disk_bytes: u64,
    /// Rows the sealer could not seal and kept in `quarantine`, in segments known now.
    pub rows_quarantined: u64,
    /// Segments whose rows went into another one, since start.
    pub segments_replaced: u64,
    /// Segments deleted by retention since start.
    pub segments_expired: u64,
    /// Sealed rows known now.
    pub rows_sealed: u64,
    /// What went wrong last in the background, and is not mended yet.
    pub last_error: Option<String>,
}

/// A segment file that is not served.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefusedSegment {
    /// Its file name.
    pub file: String,
    /// Why.
    pub reason: String,
}

/// The live counters.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub spans: AtomicU64,
    pub logs: AtomicU64,
    pub points: AtomicU64,
    pub overloaded: AtomicU64,
    pub unavailable: AtomicU64,
    pub replaced: AtomicU64,
    pub expired: AtomicU64,
    pub work: Mutex<Work>,
}

/// Durations and the last error, under one lock.
#[derive(Debug, Default)]
pub(crate) struct Work {
    pub commits: Durations,
    pub seals: Durations,
    pub compactions: Durations,
    pub last_error: Option<String>,
    pub refused: Vec<RefusedSegment>,
}

impl Counters {
    pub(crate) fn add(counter: &AtomicU64, count: usize) {
        counter.fetch_add(count as u64, Relaxed);
    }

    pub(crate) fn record(&self, pick: fn(&mut Work) -> &mut Durations, took: Duration) {
        pick(&mut super::locked(&self.work)).record(took);
    }

    /// Notes a failure of background work, logs it, or clears it.
    pub(crate) fn outcome<T, E: std::error::Error>(&self, what: &str, result: &Result<T, E>) {
        let mut work = super::locked(&self.work);
        match result {
            Ok(_) => {
                if work
                    .last_error
                    .as_ref()
                    .is_some_and(|error| error.starts_with(what))
                {
                    work.last_error = None;
                }
            }
            Err(error) => {
                tracing::error!(%error, "{what} failed");
                work.last_error = Some(format!("{what}: {error}"));
            }
        }
    }
}
