//! Stops statements: at their deadline, when the instance holds too much memory or temporary disk, and while a commit
//! finds no memory.
//!
//! One thread. It sleeps while nothing runs; while something does it looks every [`TICK`]. DuckDB forgets an
//! interrupt when a statement begins, so a stopped one is interrupted again at every tick until it is gone.
//! Memory is the instance's: DuckDB does not say what a single query holds, so the longest-running query goes
//! first, and the next only after the first had [`GRACE`] to give its memory back, or [`SHORT_GRACE`] while a commit waits.

use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use duckdb::{Connection, InterruptHandle};

use super::{Limits, SqlError};
use crate::store::Shortage;

/// How often running statements are looked at.
const TICK: Duration = Duration::from_millis(10);
/// How often memory is looked at.
const MEMORY_EVERY: Duration = Duration::from_millis(50);
/// How long an interrupted query may take to free its memory before another is interrupted.
const GRACE: Duration = Duration::from_millis(500);
/// The same while a commit waits: all that the shipped limits let in are stopped within half a second of its five.
const SHORT_GRACE: Duration = Duration::from_millis(100);

/// Growth of resident memory since a query began that makes it a suspect.
const GROWTH_BYTES: u64 = 128 << 20;

/// Working memory of queries: without what DuckDB caches of files and gives up when it needs room.
const USE: &str = "SELECT coalesce(sum(memory_usage_bytes) FILTER (tag NOT IN ('BASE_TABLE', 'EXTERNAL_FILE_CACHE', 'METADATA', \
    'OBJECT_CACHE', 'IN_MEMORY_TABLE', 'OVERFLOW_STRINGS', 'TRANSACTION', 'ART_INDEX')), 0)::UBIGINT, \
    coalesce(sum(temporary_storage_bytes), 0)::UBIGINT FROM duckdb_memory()";

/// Why a statement was stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    Running = 0,
    Deadline = 1,
    Memory = 2,
    Temp = 3,
    Resident = 4,
    Shortage = 5,
}

struct Watched {
    number: u64,
    since: Instant,
    deadline: Instant,
    handle: Arc<InterruptHandle>,
    verdict: Arc<AtomicU8>,
    /// Resident memory when it began.
    resident_bytes: u64,
}

#[derive(Default)]
struct State {
    next: u64,
    watched: Vec<Watched>,
    closing: bool,
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The watching thread's handle; dropping it ends the thread.
pub(super) struct Watchdog {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

impl std::fmt::Debug for Watchdog {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Watchdog")
            .field("watched", &self.shared.lock().watched.len())
            .finish()
    }
}

/// A statement under watch until this is dropped.
pub(super) struct Watch {
    shared: Arc<Shared>,
    number: u64,
    timeout: Duration,
    deadline: Instant,
    verdict: Arc<AtomicU8>,
}

impl Watchdog {
    pub(super) fn start(probe: Connection, limits: &Limits, shortage: Shortage) -> Self {
        let shared = Arc::new(Shared::default());
        let (in_thread, limits) = (Arc::clone(&shared), limits.clone());
        let thread = std::thread::Builder::new()
            .name("sql-watchdog".to_owned())
            .spawn(move || watch(&in_thread, &probe, &limits, &shortage))
            .expect("a process that starts can make a thread");
        Self {
            shared,
            thread: Some(thread),
        }
    }

    /// Watches the statement run on the connection of `handle`.
    pub(super) fn watch(&self, handle: Arc<InterruptHandle>, timeout: Duration) -> Watch {
        let since = Instant::now();
        let deadline = since + timeout;
        let verdict = Arc::new(AtomicU8::new(Verdict::Running as u8));
        let resident_bytes = resident_bytes().unwrap_or(u64::MAX);
        let mut state = self.shared.lock();
        let number = state.next;
        state.next += 1;
        state.watched.push(Watched {
            number,
            since,
            deadline,
            handle,
            verdict: Arc::clone(&verdict),
            resident_bytes,
        });
        self.shared.changed.notify_one();
        Watch {
            shared: Arc::clone(&self.shared),
            number,
            timeout,
            deadline,
            verdict,
        }
    }
}

impl Drop for Watchdog {
    fn drop(&mut self) {
        self.shared.lock().closing = true;
        self.shared.changed.notify_one();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Watch {
    /// The error to answer instead of whatever DuckDB said, if the statement was stopped.
    pub(super) fn stopped(&self) -> Option<SqlError> {
        let what = match self.verdict.load(Ordering::Acquire) {
            verdict if verdict == Verdict::Deadline as u8 => {
                return Some(SqlError::Deadline {
                    limit: self.timeout,
                });
            }
            verdict if verdict == Verdict::Memory as u8 => "queries hold more memory than they may",
            verdict if verdict == Verdict::Temp as u8 => {
                "queries hold more temporary disk than they may"
            }
            verdict if verdict == Verdict::Resident as u8 => {
                "the process holds more memory than it may"
            }
            verdict if verdict == Verdict::Shortage as u8 => {
                "queries hold the memory that storing telemetry needs"
            }
            _ if Instant::now() >= self.deadline => {
                return Some(SqlError::Deadline {
                    limit: self.timeout,
                });
            }
            _ => return None,
        };
        Some(SqlError::Memory {
            what: what.to_owned(),
        })
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.shared
            .lock()
            .watched
            .retain(|watched| watched.number != self.number);
    }
}

fn watch(shared: &Shared, probe: &Connection, limits: &Limits, shortage: &Shortage) {
    let mut memory_next = Instant::now();
    let mut memory_stopped: Option<Instant> = None;
    let mut state = shared.lock();
    loop {
        while state.watched.is_empty() && !state.closing {
            state = shared
                .changed
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner);
        }
        if state.closing {
            return;
        }
        let now = Instant::now();
        for watched in &state.watched {
            if now >= watched.deadline {
                let _ = set(&watched.verdict, Verdict::Deadline);
            }
            if watched.verdict.load(Ordering::Acquire) != Verdict::Running as u8 {
                watched.handle.interrupt();
            }
        }
        if shortage.lasts() {
            let may_stop = memory_stopped.is_none_or(|at| at.elapsed() >= SHORT_GRACE);
            if may_stop && stop_longest(&state, Verdict::Shortage) {
                memory_stopped = Some(Instant::now());
            }
        } else if now >= memory_next {
            drop(state);
            let exceeded = exceeded(probe, limits);
            state = shared.lock();
            memory_next = Instant::now() + MEMORY_EVERY;
            let may_stop = memory_stopped.is_none_or(|at| at.elapsed() >= GRACE);
            if let (Some(verdict), true) = (exceeded, may_stop) {
                memory_stopped = stop_longest(&state, verdict)
                    .then(Instant::now)
                    .or(memory_stopped);
            }
        }
        state = shared
            .changed
            .wait_timeout(state, TICK)
            .unwrap_or_else(PoisonError::into_inner)
            .0;
    }
}

fn stop_longest(state: &State, verdict: Verdict) -> bool {
    let resident = resident_bytes().unwrap_or(0);
    let running = state
        .watched
        .iter()
        .filter(|watched| watched.verdict.load(Ordering::Acquire) == Verdict::Running as u8)
        // A process that is large for other reasons is no reason to stop a query that did not make it so.
        .filter(|watched| {
            verdict != Verdict::Resident || resident.saturating_sub(watched.resident_bytes) > GROWTH_BYTES
        });
    let Some(longest) = running.min_by_key(|watched| watched.since) else {
        return false;
    };
    tracing::warn!(
        ?verdict,
        running_ms = longest.since.elapsed().as_millis(),
        "stopping a SQL query"
    );
    let _ = set(&longest.verdict, verdict);
    longest.handle.interrupt();
    true
}

/// The first verdict stays.
fn set(cell: &AtomicU8, verdict: Verdict) -> Result<u8, u8> {
    cell.compare_exchange(
        Verdict::Running as u8,
        verdict as u8,
        Ordering::AcqRel,
        Ordering::Acquire,
    )
}

fn exceeded(probe: &Connection, limits: &Limits) -> Option<Verdict> {
    let (memory, temp) = probe
        .prepare_cached(USE)
        .and_then(|mut statement| {
            statement.query_row([], |row| Ok((row.get::<_, u64>(0)?, row.get::<_, u64>(1)?)))
        })
        .inspect_err(|error| tracing::warn!(%error, "cannot read DuckDB's memory use"))
        .ok()?;
    if temp > limits.temp_bytes_max {
        return Some(Verdict::Temp);
    }
    if memory > limits.memory_bytes_max {
        return Some(Verdict::Memory);
    }
    resident_bytes()
        .is_some_and(|bytes| bytes > limits.resident_bytes_max)
        .then_some(Verdict::Resident)
}

/// Resident memory of this process; `None` where there is no /proc.
fn resident_bytes() -> Option<u64> {
    let statm = std::fs::read_to_string("/proc/self/statm").ok()?;
    let pages: u64 = statm.split(' ').nth(1)?.parse().ok()?;
    Some(pages * rustix::param::page_size() as u64)
}
