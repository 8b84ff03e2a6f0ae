//! What was recorded of one instance of a breaker: its calls and its changes of state.

use std::time::Duration;

/// How a recorded call ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// The callee did its job.
    Success,
    /// It did not.
    Failure,
    /// Says nothing about the callee.
    Ignored,
    /// Dropped by its caller.
    Cancelled,
    /// Refused: nothing is known of what would have been.
    Rejected,
}

impl Ended {
    /// From the word of `circuit_breaker.outcome`; slowness is judged anew by the settings replayed.
    pub fn of_word(word: &str) -> Option<Self> {
        Some(match word {
            "success" | "slow_success" => Self::Success,
            "failure" | "slow_failure" => Self::Failure,
            "ignored" => Self::Ignored,
            "cancelled" => Self::Cancelled,
            "rejected" => Self::Rejected,
            _ => return None,
        })
    }
}

/// One call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Call {
    /// Nanoseconds since 1970.
    pub start: i64,
    /// Nanoseconds.
    pub duration: u64,
    /// How it ended.
    pub ended: Ended,
}

impl Call {
    /// When it ended, nanoseconds since 1970.
    pub fn end(&self) -> i64 {
        self.start.saturating_add_unsigned(self.duration)
    }
}

/// One change of state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// Nanoseconds since 1970; the latest it can have been.
    pub at: i64,
    /// The earliest it can have been.
    pub lo: i64,
    /// State before.
    pub from: String,
    /// State after.
    pub to: String,
    /// Why, if reported.
    pub reason: Option<String>,
    /// For how long it opened, milliseconds, if reported.
    pub open_for_ms: Option<u32>,
}

impl Change {
    /// Whether it opened from closed.
    pub fn is_trip(&self) -> bool {
        self.to == "open" && self.from != "half_open" && self.from != "open"
    }
}

/// Everything recorded of one instance.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct History {
    /// When the breaker's clock began: the buckets of its window are counted from then.
    pub origin: i64,
    /// Ordered by start.
    pub calls: Vec<Call>,
    /// Ordered by time.
    pub changes: Vec<Change>,
}

impl History {
    /// How long it was open each time, jitter and server hints included: until it half-opened, else as announced.
    pub fn open_times(&self) -> Vec<Duration> {
        let opened = |(at, change): (usize, &Change)| {
            (change.to == "open").then(|| {
                let until = self.changes[at + 1..]
                    .first()
                    .filter(|next| next.to == "half_open")
                    .and_then(|next| u64::try_from(next.at - change.at).ok());
                until.map_or_else(
                    || Duration::from_millis(u64::from(change.open_for_ms.unwrap_or(0))),
                    Duration::from_nanos,
                )
            })
        };
        self.changes.iter().enumerate().filter_map(opened).collect()
    }
}
