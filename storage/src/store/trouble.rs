//! What keeps the store from taking anything, told to whoever asks whether to send it more.

use std::path::Path;
use std::time::Duration;

use super::{Shared, Store, engine, locked};

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

impl Shared {
    /// Notes an error after which the engine does nothing any more; `file` is what it was at.
    pub(crate) fn note_fatal(&self, error: &duckdb::Error, file: Option<&Path>) {
        let text = error.to_string();
        let Some(reason) = engine::fatal(&text) else {
            return;
        };
        let reason = match file.and_then(Path::file_name) {
            Some(file) => format!("{}: {reason}", file.display()),
            None => reason.to_owned(),
        };
        if self.broken.set(reason.clone()).is_ok() {
            tracing::error!(
                reason,
                "the engine gave up; only a restart helps, which loses nothing that was acknowledged"
            );
        }
    }
}
