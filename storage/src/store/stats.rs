//! Counters and gauges of the store, for `/metrics` and `/status`.

use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

/// Upper bounds of the duration buckets, in seconds; the last bucket has none.
pub const DURATION_BUCKETS_SECONDS: [f64; 10] =
    [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 2.5, 10.0, 60.0];

/// The work that may fail and is tried again, in the words of [`StoreStats::failing`].
pub const WORK: [&str; 5] = ["commit", "rotation", "sealing", "compaction", "retention"];

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
    /// Batches refused because the engine cannot hold what is in them.
    pub batches_invalid: u64,
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
    /// Expired segments deleted without their history since start, because the disk stayed full.
    pub segments_given_up: u64,
    /// Sealed rows known now.
    pub rows_sealed: u64,
    /// The work that failed when it was last tried.
    pub failing: Vec<&'static str>,
    /// What went wrong last, and is not mended yet.
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

impl RefusedSegment {
    /// The segment file at a path.
    pub(super) fn at(path: &Path, reason: String) -> Self {
        let name = path.file_name().unwrap_or_default();
        Self {
            file: name.to_string_lossy().into_owned(),
            reason,
        }
    }
}

/// The live counters.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub spans: AtomicU64,
    pub logs: AtomicU64,
    pub points: AtomicU64,
    pub overloaded: AtomicU64,
    pub unavailable: AtomicU64,
    pub invalid: AtomicU64,
    pub replaced: AtomicU64,
    pub expired: AtomicU64,
    pub given_up: AtomicU64,
    pub work: Mutex<Work>,
}

/// Durations and failures, under one lock.
#[derive(Debug, Default)]
pub(crate) struct Work {
    pub commits: Durations,
    pub seals: Durations,
    pub compactions: Durations,
    /// What failed when it was last tried, each kind once, the latest last.
    pub failures: Vec<Failure>,
    pub refused: Vec<RefusedSegment>,
}

/// Work that failed when it was last tried.
#[derive(Debug)]
pub(crate) struct Failure {
    pub work: &'static str,
    pub error: String,
    pub at: Instant,
}

impl Work {
    /// What went wrong last, and is not mended yet.
    pub(crate) fn last_error(&self) -> Option<String> {
        let latest = self.failures.last()?;
        Some(format!("{}: {}", latest.work, latest.error))
    }
}

impl Counters {
    pub(crate) fn add(counter: &AtomicU64, count: usize) {
        counter.fetch_add(count as u64, Relaxed);
    }

    pub(crate) fn record(&self, pick: fn(&mut Work) -> &mut Durations, took: Duration) {
        pick(&mut super::locked(&self.work)).record(took);
    }

    /// Notes a failure of one of [`WORK`], logs it, or clears it; what else fails stays noted.
    pub(crate) fn outcome<T, E: std::error::Error>(
        &self,
        what: &'static str,
        result: &Result<T, E>,
    ) {
        debug_assert!(WORK.contains(&what), "{what} is not in the list of work");
        let mut work = super::locked(&self.work);
        work.failures.retain(|failure| failure.work != what);
        if let Err(error) = result {
            tracing::error!(%error, "{what} failed");
            work.failures.push(Failure {
                work: what,
                error: error.to_string(),
                at: Instant::now(),
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_fails_stays_noted_until_it_is_mended_whatever_else_fails_and_mends() {
        let counters = Counters::default();
        let failed = || Err::<(), _>(std::io::Error::other("no room"));
        let told = || {
            let work = super::super::locked(&counters.work);
            let failing: Vec<&str> = work.failures.iter().map(|failure| failure.work).collect();
            (failing, work.last_error())
        };
        counters.outcome("commit", &failed());
        counters.outcome("sealing", &failed());
        let latest = Some("sealing: no room".to_owned());
        assert_eq!(told(), (vec!["commit", "sealing"], latest));
        counters.outcome::<(), std::io::Error>("sealing", &Ok(()));
        let latest = Some("commit: no room".to_owned());
        assert_eq!(told(), (vec!["commit"], latest));
        counters.outcome::<(), std::io::Error>("commit", &Ok(()));
        assert_eq!(told(), (Vec::new(), None));
    }
}
