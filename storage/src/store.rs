//! The door of the store: open, append, read, close.
//!
//! One writer thread owns the write connection; `append` puts a batch on the one bounded queue and resolves
//! when the batch is committed and fsynced. Readers lease an immutable set of segments.

use std::path::PathBuf;
use std::time::Duration;

use crate::ingest::Batch;

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
    /// DuckDB's `threads`.
    pub threads: usize,
    /// Raw telemetry older than this (by ingest time) is deleted.
    pub retention_age: Duration,
    /// Raw telemetry beyond this many bytes is deleted, oldest first; `None` = no bound.
    pub retention_bytes: Option<u64>,
    /// Roll-ups and breaker history older than this are deleted.
    pub history_age: Duration,
    /// Sealed segments of one size class at which they are compacted into one.
    pub compaction_fan_in: usize,
    /// For tests of overload: at most this many rows a second are committed.
    pub commit_rows_per_second_max: Option<u64>,
}

/// Why a batch was not stored. Nothing of it was.
#[derive(Debug, thiserror::Error)]
pub enum AppendError {
    /// The queue is full; try again.
    #[error("the store's queue is full")]
    Overloaded {
        /// When a retry is likely to pass.
        retry_after: Duration,
    },
    /// The batch alone is larger than the queue's bound; no retry helps.
    #[error("a batch of {bytes} bytes exceeds the queue's bound of {limit}")]
    TooLarge {
        /// Size of the batch.
        bytes: usize,
        /// The bound.
        limit: usize,
    },
    /// The store could not commit (disk full, I/O); a retry may pass.
    #[error("the store could not commit")]
    Unavailable {
        /// When a retry is likely to pass.
        retry_after: Duration,
        /// What DuckDB or the file system said.
        #[source]
        source: std::io::Error,
    },
    /// The store is shutting down; a retry goes to its successor.
    #[error("the store is closing")]
    Closing,
}

// Contract (to be implemented by the engine):
//
// impl Store {
//     /// Takes the data directory's lock, recovers, starts the threads.
//     pub fn open(config: StoreConfig) -> Result<Store, OpenError>;       // OpenError::{Locked{pid, addresses}, Newer{..}, ReadOnly, Io, ...}
//     /// Resolves when committed and fsynced. Dropping the future does not undo the append.
//     pub async fn append(&self, batch: Batch) -> Result<(), AppendError>;
//     /// A leased, immutable set of segments with a connection to read them.
//     pub fn reader(&self) -> Result<Reader, ReadError>;
//     /// Counters and gauges for /metrics and /status.
//     pub fn stats(&self) -> StoreStats;
//     /// Writes the bound addresses into LOCK so that `tripline sql` finds the server.
//     pub fn announce(&self, addresses: &str) -> std::io::Result<()>;
//     /// Forces a rotation and waits until everything is sealed (tests, bench, export).
//     pub fn seal_now(&self) -> Result<(), ReadError>;
//     /// Stops taking batches, commits what is queued, joins the threads.
//     pub fn close(self: Arc<Self>, within: Duration);
// }
// impl Reader {
//     pub fn connection(&self) -> &duckdb::Connection;   // search path set so that the public view names resolve
//     pub fn segments(&self) -> &SegmentSet;             // for server-made queries that prune by time
//     pub fn interrupt_handle(&self) -> Arc<duckdb::InterruptHandle>;
// }
#[expect(dead_code, reason = "contract placeholder until the engine lands")]
type Appends = fn(Batch) -> Result<(), AppendError>;
