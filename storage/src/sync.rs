//! How threads meet: a lock that outlives a panic, and a bell.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Locks; a panic elsewhere while it was held leaves counters and lists that are still whole.
pub(crate) fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Wakes the one thread that waits for work, and remembers a ring nobody heard. One waiter, any number of ringers.
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
            .unwrap_or_else(PoisonError::into_inner);
        *rung = false;
    }
}
