//! Rotation: from the writer's hot segment to the sealer's list, without a pause for the writer.
//!
//! The next hot segment is made beforehand by the steward and is already part of the published set, so
//! rotating is one exchange of pointers: no commit waits for a file to be made or a view to be built, and rows
//! committed right after it are visible at once.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use super::locked;
use crate::segment::Segment;

/// Full segments that may wait for the sealer before the writer waits too: they are kept in memory.
const FULL_MAX: usize = 8;
/// How long the writer waits then, at most, for each group: a sealer in trouble slows the way in, it does not shut it.
const SEALER_PATIENCE: Duration = Duration::from_secs(2);

/// A segment the writer is done with.
#[derive(Debug, Clone)]
pub(crate) struct FullSegment {
    pub segment: Arc<Segment>,
    /// Wall clock of its first and last commit.
    pub ingest_range: (i64, i64),
}

#[derive(Debug, Default)]
pub(crate) struct Rotation {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    next: Option<Arc<Segment>>,
    full: VecDeque<FullSegment>,
    forced: bool,
}

impl Rotation {
    /// Whether the steward should make the next hot segment.
    pub(crate) fn needs_next(&self) -> bool {
        locked(&self.state).next.is_none()
    }

    /// Offers the next hot segment.
    pub(crate) fn set_next(&self, segment: Arc<Segment>) {
        locked(&self.state).next = Some(segment);
        self.changed.notify_all();
    }

    /// Takes the next hot segment, if it was made.
    pub(crate) fn take_next(&self) -> Option<Arc<Segment>> {
        locked(&self.state).next.take()
    }

    /// Hands a full segment to the sealer.
    pub(crate) fn push_full(&self, full: FullSegment) {
        locked(&self.state).full.push_back(full);
        self.changed.notify_all();
    }

    /// The oldest full segment; it stays in the list until [`Self::sealed`].
    pub(crate) fn oldest_full(&self) -> Option<FullSegment> {
        locked(&self.state).full.front().cloned()
    }

    /// The segment is sealed and published.
    pub(crate) fn sealed(&self, id: u64) {
        locked(&self.state)
            .full
            .retain(|full| full.segment.id != id);
        self.changed.notify_all();
    }

    /// Full segments waiting.
    pub(crate) fn waiting(&self) -> usize {
        locked(&self.state).full.len()
    }

    /// Lets the sealer catch up when too many wait.
    pub(crate) fn wait_for_sealer(&self) {
        let guard = locked(&self.state);
        let _ = self
            .changed
            .wait_timeout_while(guard, SEALER_PATIENCE, |state| state.full.len() >= FULL_MAX);
    }

    /// Asks the writer to rotate now.
    pub(crate) fn force(&self) {
        locked(&self.state).forced = true;
    }

    pub(crate) fn is_forced(&self) -> bool {
        locked(&self.state).forced
    }

    pub(crate) fn force_done(&self) {
        locked(&self.state).forced = false;
        self.changed.notify_all();
    }

    /// Waits until a forced rotation happened and nothing waits for the sealer; `false` after `timeout`.
    pub(crate) fn wait_all_sealed(&self, timeout: Duration) -> bool {
        let guard = locked(&self.state);
        let (state, waited) = self
            .changed
            .wait_timeout_while(guard, timeout, |state| {
                state.forced || !state.full.is_empty()
            })
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        drop(state);
        !waited.timed_out()
    }
}
