//! What is stored of one instance of a breaker, before its lives are told apart.

use tripline_sdk::BreakerConfig;

use super::history::{Call, Change};

/// Settings as an instance reported them.
#[derive(Debug, Clone, PartialEq)]
pub struct Report {
    /// Nanoseconds since 1970.
    pub at: i64,
    /// What its breaker was told.
    pub config: BreakerConfig,
    /// The same hash, the same settings, those that are not reported among them.
    pub hash: String,
}

/// Everything that is stored of an instance, each in the order of time.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Record {
    /// Its id; empty where processes do not say which they are.
    pub instance: String,
    /// Settings, at its beginning and when they changed.
    pub reports: Vec<Report>,
    /// Changes of state, restarts among them.
    pub changes: Vec<Change>,
    /// Calls.
    pub calls: Vec<Call>,
    /// When the origin of its clock was, from the call on that began then; both nanoseconds since 1970. Only where calls
    /// say so.
    pub clocks: Vec<(i64, i64)>,
}
