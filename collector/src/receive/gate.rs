//! The gate before the store: shut, it lets nothing through, and whoever shut it knows that nobody is inside.
//!
//! Each listener has its own, so one may finish before the other.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::refusal::Refusal;

/// More than can ever be inside at once; a bound only because a semaphore needs one.
const PLACES: u32 = 1 << 20;

#[derive(Clone)]
pub(super) struct Gate {
    places: Arc<Semaphore>,
}

impl Gate {
    pub(super) fn new() -> Self {
        Self {
            places: Arc::new(Semaphore::new(PLACES as usize)),
        }
    }

    /// Enters; the place is held until the store has answered.
    pub(super) fn enter(&self) -> Result<OwnedSemaphorePermit, Refusal> {
        Arc::clone(&self.places)
            .try_acquire_owned()
            .map_err(|_| Refusal::Closing)
    }

    /// Shuts the gate and waits, at most `within`, for those inside.
    pub(super) async fn shut(&self, within: Duration) {
        // A queued request for all places lets nobody else in before it.
        let everyone = tokio::time::timeout(within, self.places.acquire_many(PLACES)).await;
        if everyone.is_err() {
            tracing::warn!("a commit was still running when the receiver stopped");
        }
        self.places.close();
    }
}
