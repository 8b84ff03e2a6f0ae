//! Numbers of breakers whose meaning nobody knows: what they may mean, and what they were said to mean.

use serde::{Deserialize, Serialize};

use super::{TimeRange, exact};

/// Asks what unknown numbers may mean.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EncodingsQuery {
    /// What was seen then.
    pub range: TimeRange,
    /// Only of this service.
    pub service: Option<String>,
}

/// Unknown numbers, and learned ones.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Encodings {
    /// Metrics with numbers that no recogniser knows, by name and service.
    pub offers: Vec<EncodingOffer>,
    /// What people said, by metric, service and value.
    pub learned: Vec<LearnedState>,
}

/// A metric of a service whose numbers no recogniser knows.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct EncodingOffer {
    /// Folded name: lower case, `_` for every separator.
    pub metric: String,
    /// Whose it is; empty where it has no name.
    pub service_name: String,
    /// Breakers it is of.
    pub breakers: u32,
    /// Its numbers, in order.
    pub values: Vec<EncodingValue>,
}

/// One number, and what was seen while it held.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct EncodingValue {
    /// As the samples print it.
    pub value: String,
    /// How long it held for certain: between two samples that say so, nanoseconds, over all instances.
    #[serde(with = "exact")]
    pub held_ns: i64,
    /// How many times it came.
    pub spells: u64,
    /// Samples that say it.
    pub samples: u64,
    /// Calls that the breaker's own counters say were refused meanwhile.
    pub refused: u64,
    /// Calls that they say were let through.
    pub passed: u64,
    /// Refused calls that spans and log records tell of.
    pub refusals: u64,
    /// Calls of the service meanwhile: to the callee that the breaker is named after, else to all.
    pub calls: u64,
    /// Of these that failed.
    pub errors: u64,
    /// The state it may mean, where something speaks for one.
    pub proposed: Option<String>,
    /// What speaks for it, in words.
    pub because: Option<String>,
    /// What somebody said it means, for this service or for any.
    pub learned: Option<String>,
}

/// What a number of a metric means, as somebody said.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LearnedState {
    /// Folded name of the metric: lower case, `_` for every separator.
    pub metric: String,
    /// The service whose metric it is; `None` for that of any.
    pub service: Option<String>,
    /// The number, as the samples print it.
    pub value: String,
    /// A canonical state.
    pub state: String,
    /// When it was said.
    #[serde(with = "exact")]
    pub learned_unix_nano: u64,
}
