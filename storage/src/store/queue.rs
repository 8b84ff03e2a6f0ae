//! The one bounded queue on the way in: batches wait here for the writer.
//!
//! The bound is in bytes and covers what the writer is committing too: bytes are given back when the
//! batch is answered. A full queue refuses at once; nothing waits to get in.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex};
use std::time::{Duration, Instant};

use futures::channel::oneshot;

use super::{AppendError, locked};
use crate::segment::hot::Prepared;

/// A batch and the request that waits for its commit.
#[derive(Debug)]
pub(crate) struct Pending {
    pub batch: Prepared,
    pub answer: oneshot::Sender<Result<(), AppendError>>,
}

#[derive(Debug)]
pub(crate) struct Queue {
    state: Mutex<State>,
    changed: Condvar,
    bytes_max: usize,
}

#[derive(Debug)]
struct State {
    waiting: VecDeque<Pending>,
    /// Bytes waiting and being committed.
    bytes: usize,
    closed: bool,
    rung: bool,
    /// Bytes answered a second, smoothed: what `retry_after` is made from.
    drain_rate: f64,
    drained_at: Instant,
}

/// What the writer gets from a wait.
#[derive(Debug)]
pub(crate) enum Taken {
    /// Batches to commit, oldest first; empty after a ring or the timeout.
    Batches(Vec<Pending>),
    /// Closed and empty.
    Closed,
}

impl Queue {
    pub(crate) fn new(bytes_max: usize) -> Self {
        let state = State {
            waiting: VecDeque::new(),
            bytes: 0,
            closed: false,
            rung: false,
            drain_rate: 0.0,
            drained_at: Instant::now(),
        };
        Self {
            state: Mutex::new(state),
            changed: Condvar::new(),
            bytes_max,
        }
    }

    /// Bytes waiting and being committed.
    pub(crate) fn bytes(&self) -> usize {
        locked(&self.state).bytes
    }

    /// Puts a batch at the end, or refuses it.
    pub(crate) fn push(
        &self,
        batch: Prepared,
    ) -> Result<oneshot::Receiver<Result<(), AppendError>>, AppendError> {
        if batch.bytes > self.bytes_max {
            return Err(AppendError::TooLarge {
                bytes: batch.bytes,
                limit: self.bytes_max,
            });
        }
        let mut state = locked(&self.state);
        if state.closed {
            return Err(AppendError::Closing);
        }
        if state.bytes + batch.bytes > self.bytes_max {
            return Err(AppendError::Overloaded {
                retry_after: state.retry_after(batch.bytes),
            });
        }
        let (answer, answered) = oneshot::channel();
        state.bytes += batch.bytes;
        state.waiting.push_back(Pending { batch, answer });
        drop(state);
        self.changed.notify_one();
        Ok(answered)
    }

    /// Waits for batches, a ring or the timeout; takes at most `items_max` items (but one batch at least).
    pub(crate) fn take(&self, timeout: Duration, items_max: usize) -> Taken {
        let guard = locked(&self.state);
        let (mut state, _) = self
            .changed
            .wait_timeout_while(guard, timeout, |state| {
                state.waiting.is_empty() && !state.closed && !state.rung
            })
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        state.rung = false;
        if state.waiting.is_empty() && state.closed {
            return Taken::Closed;
        }
        let mut taken = Vec::new();
        let mut items = 0;
        while let Some(next) = state.waiting.front() {
            items += next.batch.items;
            if items > items_max && !taken.is_empty() {
                break;
            }
            taken.extend(state.waiting.pop_front());
        }
        Taken::Batches(taken)
    }

    /// Gives back the bytes of answered batches.
    pub(crate) fn release(&self, bytes: usize) {
        let mut state = locked(&self.state);
        state.bytes -= bytes;
        let elapsed = state.drained_at.elapsed().as_secs_f64().max(0.001);
        state.drained_at = Instant::now();
        state.drain_rate = 0.8 * state.drain_rate + 0.2 * (bytes as f64 / elapsed);
    }

    /// Wakes the writer though nothing was pushed.
    pub(crate) fn ring(&self) {
        locked(&self.state).rung = true;
        self.changed.notify_all();
    }

    /// Refuses from now on; what is queued is still taken.
    pub(crate) fn close(&self) {
        locked(&self.state).closed = true;
        self.changed.notify_all();
    }

    /// Closes and answers everything queued with a refusal: the writer is gone.
    pub(crate) fn abandon(&self) {
        let mut state = locked(&self.state);
        state.closed = true;
        for pending in state.waiting.drain(..) {
            let _ = pending.answer.send(Err(AppendError::Closing));
        }
        state.bytes = 0;
    }
}

impl State {
    /// When half of what is queued should be gone, between one second and thirty.
    fn retry_after(&self, bytes: usize) -> Duration {
        let backlog = (self.bytes / 2 + bytes) as f64;
        let seconds = if self.drain_rate > 0.0 {
            backlog / self.drain_rate
        } else {
            1.0
        };
        Duration::from_secs_f64(seconds.clamp(1.0, 30.0))
    }
}
