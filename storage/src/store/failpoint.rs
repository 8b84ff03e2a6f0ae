//! Failpoints: numbered steps at which a test lets the process die or a step fail.
//!
//! `TRIPLINE_FAILPOINT=seal.3` aborts the process when step `seal.3` is reached, `seal.3:error` makes the step
//! fail with an I/O error, `seal.3:once-error` only the first time, `seal.3:once-no-memory` the first time as the engine does
//! without memory, `seal.3:full` as on a full disk, `seal.3:panic` ends its thread. Without the variable a step costs one load and a compare. [`NAMES`] lists every step; a step not in it panics in
//! debug builds, so that the list is true.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use rustix::io::Errno;

/// Every step, in the order a segment meets them.
pub const NAMES: &[&str] = &[
    // commit: before the transaction, before COMMIT, after COMMIT and before the answer
    "commit.1",
    "commit.2",
    "commit.3",
    // rotate: before the next hot file is made, before its tables, before it is published, after
    "rotate.1",
    "rotate.2",
    "rotate.3",
    "rotate.4",
    // seal: before the file, after the rows, after the roll-ups, after meta, after checkpoint, after the file's
    // fsync, after the rename, after the directory's fsync, after publishing
    "seal.1",
    "seal.2",
    "seal.3",
    "seal.4",
    "seal.5",
    "seal.6",
    "seal.7",
    "seal.8",
    "seal.9",
    // compact: the same steps of a compaction
    "compact.1",
    "compact.2",
    "compact.3",
    "compact.4",
    "compact.5",
    "compact.6",
    "compact.7",
    "compact.8",
    "compact.9",
    // retain: before the history segment, (the build's steps,) after publishing
    "retain.1",
    "retain.2",
    "retain.3",
    "retain.4",
    "retain.5",
    "retain.6",
    "retain.7",
    "retain.8",
    "retain.9",
    // bury: before a detach, before an unlink, after
    "bury.1",
    "bury.2",
    "bury.3",
];

#[derive(Debug)]
enum Action {
    Abort,
    Error,
    ErrorOnce(AtomicBool),
    Full,
    NoMemoryOnce(AtomicBool),
    Panic,
}

static ARMED: OnceLock<Option<(String, Action)>> = OnceLock::new();

/// Reaches a step.
pub(crate) fn hit(step: &str) -> duckdb::Result<()> {
    debug_assert!(
        NAMES.contains(&step),
        "{step} is not in the list of failpoints"
    );
    let Some((armed, action)) = ARMED.get_or_init(from_environment) else {
        return Ok(());
    };
    if armed != step {
        return Ok(());
    }
    match action {
        Action::Abort => std::process::abort(),
        Action::Error => Err(failure(format!("failpoint {step}"))),
        Action::Full => Err(failure(format!("failpoint {step}: {}", Errno::NOSPC))),
        Action::ErrorOnce(done) if !done.swap(true, Relaxed) => {
            Err(failure(format!("failpoint {step}")))
        }
        Action::NoMemoryOnce(done) if !done.swap(true, Relaxed) => {
            Err(failure(format!("Out of Memory Error: failpoint {step}")))
        }
        Action::ErrorOnce(_) | Action::NoMemoryOnce(_) => Ok(()),
        Action::Panic => panic!("failpoint {step}"),
    }
}

/// Reaches step `number` of `work`.
pub(crate) fn hit_numbered(work: &str, number: u8) -> duckdb::Result<()> {
    if cfg!(not(debug_assertions)) && ARMED.get_or_init(from_environment).is_none() {
        return Ok(());
    }
    hit(&format!("{work}.{number}"))
}

fn failure(text: String) -> duckdb::Error {
    duckdb::Error::ToSqlConversionFailure(Box::new(std::io::Error::other(text)))
}

fn from_environment() -> Option<(String, Action)> {
    let value = std::env::var("TRIPLINE_FAILPOINT").ok()?;
    let (step, action) = match value.split_once(':') {
        None => (value.as_str(), Action::Abort),
        Some((step, "error")) => (step, Action::Error),
        Some((step, "once-error")) => (step, Action::ErrorOnce(AtomicBool::new(false))),
        Some((step, "once-no-memory")) => (step, Action::NoMemoryOnce(AtomicBool::new(false))),
        Some((step, "full")) => (step, Action::Full),
        Some((step, "panic")) => (step, Action::Panic),
        Some((_, other)) => {
            tracing::error!("TRIPLINE_FAILPOINT: unknown action {other:?}");
            return None;
        }
    };
    if !NAMES.contains(&step) {
        tracing::error!("TRIPLINE_FAILPOINT: unknown step {step:?}");
        return None;
    }
    Some((step.to_owned(), action))
}
