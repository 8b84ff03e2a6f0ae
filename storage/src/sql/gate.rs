//! The gate user SQL goes through: how many at once, and the watchdog over them.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use super::SqlError;
use super::watchdog::Watchdog;
use crate::as_of::AsOf;
use crate::store::Reader;

/// Bounds of user SQL.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Statements at once.
    pub concurrent_max: usize,
    /// Rows of a result when none are asked for.
    pub rows_default: u64,
    /// Most rows of a result.
    pub rows_max: u64,
    /// Most bytes of a result.
    pub bytes_max: u64,
    /// Time of a statement when none is asked for.
    pub timeout_default: Duration,
    /// Most time of a statement.
    pub timeout_max: Duration,
    /// Memory DuckDB holds (all of the instance) at which queries are stopped, longest running first.
    pub memory_bytes_max: u64,
    /// Temporary files of DuckDB at which queries are stopped.
    pub temp_bytes_max: u64,
    /// Resident memory of the process at which queries are stopped; not everything a query holds is counted
    /// by DuckDB.
    pub resident_bytes_max: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            concurrent_max: 4,
            rows_default: 10_000,
            rows_max: 1_000_000,
            bytes_max: 256 << 20,
            timeout_default: Duration::from_secs(10),
            timeout_max: Duration::from_secs(60),
            memory_bytes_max: 384 << 20,
            temp_bytes_max: 1 << 30,
            resident_bytes_max: 900 << 20,
        }
    }
}

/// Lets user SQL in, a few at a time.
#[derive(Debug)]
pub struct Gate {
    limits: Limits,
    running: AtomicUsize,
    watchdog: Watchdog,
}

/// The functions of ours user SQL finds before DuckDB's.
const FUNCTIONS: &str = include_str!("functions.sql");
/// The schema they are in.
pub(super) const FUNCTION_SCHEMA: &str = "sql_functions";

impl Gate {
    /// A gate over the store `reader` belongs to; it keeps a connection to watch memory with, and no lease.
    pub fn new(reader: &Reader, limits: Limits) -> duckdb::Result<Arc<Self>> {
        Self::frozen_at(reader, limits, None)
    }

    /// The same, where `now()` answers this moment (nanoseconds since 1970) instead of the clock's.
    pub fn frozen_at(
        reader: &Reader,
        limits: Limits,
        as_of_unix_nano: Option<i64>,
    ) -> duckdb::Result<Arc<Self>> {
        let probe = reader.connection().try_clone()?;
        let functions = AsOf::new(as_of_unix_nano).fill(FUNCTIONS);
        probe.execute_batch(&format!(
            "CREATE SCHEMA IF NOT EXISTS {FUNCTION_SCHEMA};\n{functions}"
        ))?;
        let watchdog = Watchdog::start(probe, &limits, reader.shortage().clone());
        Ok(Arc::new(Self {
            limits,
            running: AtomicUsize::new(0),
            watchdog,
        }))
    }

    /// Takes one of the places, or refuses at once: a queue of people who wait only hides that they do.
    pub fn admit(self: &Arc<Self>) -> Result<Permit, SqlError> {
        let max = self.limits.concurrent_max;
        self.running
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, |running| {
                (running < max).then_some(running + 1)
            })
            .map(|_| Permit {
                gate: Arc::clone(self),
            })
            .map_err(|running| SqlError::Busy {
                running,
                retry_after: Duration::from_secs(1),
            })
    }

    /// Statements running now.
    pub fn running(&self) -> usize {
        self.running.load(Ordering::Acquire)
    }

    /// The bounds.
    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    pub(super) fn watchdog(&self) -> &Watchdog {
        &self.watchdog
    }
}

/// The right to run one statement.
#[derive(Debug)]
pub struct Permit {
    pub(super) gate: Arc<Gate>,
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.gate.running.fetch_sub(1, Ordering::AcqRel);
    }
}
