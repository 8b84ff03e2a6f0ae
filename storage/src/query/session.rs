//! What a question is asked on: a reader, and until when.

use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Instant;

use duckdb::{Connection, InterruptHandle};

use crate::filter::FilterError;
use crate::store::{Reader, SegmentSet};

/// A leased reader with a deadline. Questions on one session run one after the other.
#[derive(Clone, Copy)]
pub struct Session<'a> {
    reader: &'a Reader,
    deadline: Option<Instant>,
}

/// Why a question has no answer.
#[derive(Debug, thiserror::Error)]
pub enum QueryError {
    /// It took longer than it may.
    #[error("the question took longer than it may")]
    Deadline,
    /// The question itself is wrong: its cursor, a filter.
    #[error("{0}")]
    Invalid(&'static str),
    /// What a filter says is nothing the engine can be asked.
    #[error("{error}")]
    Filter {
        /// The filter as it was written.
        text: String,
        /// What is wrong, and where.
        error: FilterError,
    },
    /// Settings of a breaker that cannot be read or cannot work.
    #[error("{0}")]
    Settings(String),
    /// The engine failed.
    #[error("the store could not answer")]
    Engine(#[from] duckdb::Error),
}

impl<'a> Session<'a> {
    /// Asks without a deadline.
    pub fn new(reader: &'a Reader) -> Self {
        Self {
            reader,
            deadline: None,
        }
    }

    /// After `deadline` the question is interrupted and answers [`QueryError::Deadline`].
    #[must_use]
    pub fn until(self, deadline: Instant) -> Self {
        Self {
            deadline: Some(deadline),
            ..self
        }
    }

    pub(super) fn set(&self) -> &'a SegmentSet {
        self.reader.segments()
    }

    /// Two questions at once, over the same segments; the second on a thread and a connection of its own. The engine
    /// answers one question on half of the cores.
    pub fn both<A, B: Send>(
        &self,
        one: impl FnOnce(&Session<'_>) -> Result<A, QueryError>,
        other: impl FnOnce(&Session<'_>) -> Result<B, QueryError> + Send,
    ) -> Result<(A, B), QueryError> {
        let beside = self.reader.beside()?;
        let deadline = self.deadline;
        std::thread::scope(|scope| {
            let other = scope.spawn(move || {
                other(&Session {
                    reader: &beside,
                    deadline,
                })
            });
            let one = one(self);
            let other = other
                .join()
                .unwrap_or_else(|panic| std::panic::resume_unwind(panic));
            Ok((one?, other?))
        })
    }

    /// Runs a question about breakers: what is concluded about them is read from tables, concluded now if need be.
    pub(super) fn run_concluded<T>(
        &self,
        ask: impl FnOnce(&Connection) -> Result<T, QueryError>,
    ) -> Result<T, QueryError> {
        self.run(|conn| {
            self.reader.conclude()?;
            ask(conn)
        })
    }

    /// Runs a question that reads these public relations by name.
    pub(super) fn run_over<T>(
        &self,
        relations: &[&str],
        ask: impl FnOnce(&Connection) -> Result<T, QueryError>,
    ) -> Result<T, QueryError> {
        self.run(|conn| {
            self.provide(relations)?;
            ask(conn)
        })
    }

    /// Runs what may name any public relation, as people's SQL does.
    #[cfg(test)]
    pub(super) fn run_over_all<T>(
        &self,
        ask: impl FnOnce(&Connection) -> Result<T, QueryError>,
    ) -> Result<T, QueryError> {
        self.reader.views()?;
        self.run_concluded(ask)
    }

    /// From here on these public relations resolve by their bare names.
    pub(super) fn provide(&self, relations: &[&str]) -> Result<(), QueryError> {
        Ok(self.reader.provide(relations)?)
    }

    /// Whether what is concluded about breakers is read from tables, because somebody has concluded by now.
    pub(super) fn is_concluded(&self) -> Result<bool, QueryError> {
        Ok(self.reader.is_concluded()?)
    }

    /// Runs a question under its deadline. It names no public relation, but for those that were asked for.
    pub(super) fn run<T>(
        &self,
        ask: impl FnOnce(&Connection) -> Result<T, QueryError>,
    ) -> Result<T, QueryError> {
        let Some(deadline) = self.deadline else {
            return ask(self.reader.connection());
        };
        if deadline <= Instant::now() {
            return Err(QueryError::Deadline);
        }
        let watchdog = Watchdog::set(deadline, self.reader.interrupt_handle());
        let answer = ask(self.reader.connection());
        if watchdog.call_off() && answer.is_err() {
            Err(QueryError::Deadline)
        } else {
            answer
        }
    }
}

/// Interrupts a connection at a time, unless called off before; never afterwards.
struct Watchdog(Arc<(Mutex<Watch>, Condvar)>);

#[derive(Clone, Copy, PartialEq, Eq)]
enum Watch {
    Waiting,
    CalledOff,
    Fired,
}

impl Watchdog {
    fn set(deadline: Instant, handle: Arc<InterruptHandle>) -> Self {
        let shared = Arc::new((Mutex::new(Watch::Waiting), Condvar::new()));
        let theirs = Arc::clone(&shared);
        std::thread::spawn(move || {
            let (watch, changed) = &*theirs;
            let left = deadline.saturating_duration_since(Instant::now());
            let guard = watch.lock().unwrap_or_else(PoisonError::into_inner);
            let (mut guard, _) = changed
                .wait_timeout_while(guard, left, |watch| *watch == Watch::Waiting)
                .unwrap_or_else(PoisonError::into_inner);
            if *guard == Watch::Waiting {
                *guard = Watch::Fired;
                handle.interrupt();
            }
        });
        Self(shared)
    }

    /// Calls it off; whether it had fired.
    fn call_off(self) -> bool {
        let (watch, changed) = &*self.0;
        let before = std::mem::replace(
            &mut *watch.lock().unwrap_or_else(PoisonError::into_inner),
            Watch::CalledOff,
        );
        changed.notify_all();
        before == Watch::Fired
    }
}
