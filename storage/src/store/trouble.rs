//! What keeps the store from taking anything, told to whoever asks whether to send it more.

use std::time::Duration;

use super::{Store, locked};

/// How long a failed commit speaks against the store. Longer than clients wait before they try again, so that it does not
/// flicker while they do; bounded, because where nobody sends for it, nobody would find out that there is room again.
const REFUSING: Duration = Duration::from_secs(10);

/// Why nothing can be stored.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Trouble {
    /// A thread that the store cannot do without is no more.
    #[error("{thread} has ended; only a restart helps")]
    Ended {
        /// Its name.
        thread: &'static str,
    },
    /// The engine does nothing any more, neither for who writes nor for who reads.
    #[error(
        "the engine gave up ({reason}); only a restart helps, which loses nothing that was acknowledged"
    )]
    Broken {
        /// What it gave up for, and at which file if that is known.
        reason: String,
    },
    /// The last commit failed, moments ago; the next may pass.
    #[error("the last commit failed, the log says why")]
    Refusing,
}

impl Trouble {
    /// Whether nothing but a restart ends it.
    pub fn is_final(&self) -> bool {
        !matches!(self, Self::Refusing)
    }
}

impl Store {
    /// Why nothing can be stored now; `None` while all is well.
    pub fn trouble(&self) -> Option<Trouble> {
        if let Some(reason) = self.shared.broken.get() {
            let reason = reason.clone();
            return Some(Trouble::Broken { reason });
        }
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
