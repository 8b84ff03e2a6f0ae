//! What keeps the store from taking anything, told to whoever asks whether to send it more.

use std::time::Duration;

use super::{Store, locked};

/// How long a failed commit speaks against the store. Longer than clients wait before they try again, so that it does not
/// flicker while they do; bounded, because where nobody sends for it, nobody would find out that there is room again.
const REFUSING: Duration = Duration::from_secs(10);

/// Why nothing can be stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Trouble {
    /// A thread that the store cannot do without is no more.
    #[error("{thread} has ended; only a restart helps")]
    Ended {
        /// Its name.
        thread: &'static str,
    },
    /// The last commit failed, moments ago; the next may pass.
    #[error("the last commit failed, the log says why")]
    Refusing,
}

impl Store {
    /// Why nothing can be stored now; `None` while all is well.
    pub fn trouble(&self) -> Option<Trouble> {
        let ended = locked(&self.threads)
            .iter()
            .find(|thread| thread.has_ended())
            .map(|thread| Trouble::Ended {
                thread: thread.name(),
            });
        ended.or_else(|| {
            locked(&self.shared.counters.work)
                .failures
                .iter()
                .any(|failure| failure.work == "commit" && failure.at.elapsed() < REFUSING)
                .then_some(Trouble::Refusing)
        })
    }
}
