//! Why the store refuses a batch, does not open, or failed at work of its own.

use std::path::{Path, PathBuf};
use std::time::Duration;

/// Why a batch was not stored. Nothing of it was.
#[derive(Debug, thiserror::Error)]
pub enum AppendError {
    /// The queue is full; try again.
    #[error("the store's queue is full")]
    Overloaded {
        /// When a retry is likely to pass.
        retry_after: Duration,
    },
    /// The batch alone is larger than the queue's bound; no retry helps.
    #[error("a batch of {bytes} bytes exceeds the queue's bound of {limit}")]
    TooLarge {
        /// Size of the batch.
        bytes: usize,
        /// The bound.
        limit: usize,
    },
    /// The store could not commit (disk full, I/O); a retry may pass.
    #[error("the store could not commit")]
    Unavailable {
        /// When a retry is likely to pass.
        retry_after: Duration,
        /// What DuckDB or the file system said.
        #[source]
        source: std::io::Error,
    },
    /// The batch contradicts itself or holds what cannot be stored; no retry helps.
    #[error("the batch cannot be stored: {reason}")]
    Invalid {
        /// What is wrong with it.
        reason: String,
    },
    /// The store is shutting down; a retry goes to its successor.
    #[error("the store is closing")]
    Closing,
}

impl AppendError {
    /// The same refusal once more, for another request of the same group.
    pub(super) fn copied(&self) -> Self {
        match self {
            Self::Overloaded { retry_after } => Self::Overloaded {
                retry_after: *retry_after,
            },
            Self::TooLarge { bytes, limit } => Self::TooLarge {
                bytes: *bytes,
                limit: *limit,
            },
            Self::Unavailable {
                retry_after,
                source,
            } => Self::Unavailable {
                retry_after: *retry_after,
                source: std::io::Error::other(source.to_string()),
            },
            Self::Invalid { reason } => Self::Invalid {
                reason: reason.clone(),
            },
            Self::Closing => Self::Closing,
        }
    }
}

/// Why the store did not open. Nothing was changed but what a former crash left to be tidied.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another process has the data directory.
    #[error("{} is in use by process {}{}", data_dir.display(), pid.map_or("?".to_owned(), |pid| pid.to_string()), at(addresses))]
    Locked {
        /// The directory.
        data_dir: PathBuf,
        /// Who has it, if the file says so.
        pid: Option<u32>,
        /// What it announced, or empty.
        addresses: String,
    },
    /// The data directory cannot be written.
    #[error("{} cannot be written", data_dir.display())]
    ReadOnly {
        /// The directory.
        data_dir: PathBuf,
        /// What the file system said.
        #[source]
        source: std::io::Error,
    },
    /// The file system refused something else.
    #[error("{} cannot be opened", data_dir.display())]
    Io {
        /// The directory.
        data_dir: PathBuf,
        /// What it said.
        #[source]
        source: std::io::Error,
    },
    /// The engine refused.
    #[error("the engine did not start")]
    Engine(#[from] duckdb::Error),
}

fn at(addresses: &str) -> String {
    if addresses.is_empty() {
        String::new()
    } else {
        format!(", which listens on {addresses}")
    }
}

impl OpenError {
    pub(crate) fn from_io(dir: &Path, source: std::io::Error) -> Self {
        use std::io::ErrorKind::{PermissionDenied, ReadOnlyFilesystem};
        let data_dir = dir.to_owned();
        match source.kind() {
            PermissionDenied | ReadOnlyFilesystem => Self::ReadOnly { data_dir, source },
            _ => Self::Io { data_dir, source },
        }
    }
}

/// Why a step of background work failed. The work is tried again.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StoreError {
    /// The engine.
    #[error("{0}")]
    Engine(#[from] duckdb::Error),
    /// The file system.
    #[error("{0}")]
    Io(#[from] std::io::Error),
}

impl StoreError {
    /// The same where it kept the store from opening.
    pub(super) fn into_open(self, dir: &Path) -> OpenError {
        match self {
            Self::Engine(error) => OpenError::Engine(error),
            Self::Io(error) => OpenError::from_io(dir, error),
        }
    }
}
