//! A bell: wakes the one thread that waits for work, and remembers a ring nobody heard.

use std::sync::{Condvar, Mutex};
use std::time::Duration;

use super::locked;

/// One waiter, any number of ringers.
#[derive(Debug, Default)]
pub(crate) struct Bell {
    rung: Mutex<bool>,
    changed: Condvar,
}

impl Bell {
    /// Wakes the waiter, now or at its next wait.
    pub(crate) fn ring(&self) {
        *locked(&self.rung) = true;
        self.changed.notify_all();
    }

    /// Waits for a ring, at most `timeout`.
    pub(crate) fn wait(&self, timeout: Duration) {
        let guard = locked(&self.rung);
        let (mut rung, _) = self
            .changed
            .wait_timeout_while(guard, timeout, |rung| !*rung)
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        *rung = false;
    }
}
