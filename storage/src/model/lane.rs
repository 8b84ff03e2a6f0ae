//! States of breakers through time: a lane a breaker, a lane an instance.

use serde::{Deserialize, Serialize};

use super::{Scope, ScopeFilter, TimeRange, exact};

/// Asks for lanes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LanesQuery {
    /// What is drawn.
    pub range: TimeRange,
    /// Only in these scopes.
    pub scope: ScopeFilter,
    /// Only breakers of this service.
    pub service: Option<String>,
    /// Only this breaker.
    pub breaker_id: Option<String>,
    /// At most so many breakers, those that refused longest first.
    pub limit: usize,
}

/// One breaker through time.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Lane {
    /// Names the logical breaker.
    pub breaker_id: String,
    /// Scope of the service that owns it.
    #[serde(flatten)]
    pub scope: Scope,
    /// The service that owns it.
    pub service_name: String,
    /// Its name.
    pub name: String,
    /// Which of a keyed family.
    pub key: Option<String>,
    /// `breaker`, `bulkhead`, `rate_limit` and so on.
    pub pattern: String,
    /// Who is behind it.
    pub peer_service: Option<String>,
    /// Changes from closed to open in the range, of every instance.
    pub trips: u32,
    /// Nanoseconds in the range during which an instance refused.
    pub refusing_ns: u64,
    /// The instances folded: the worst state and how many refuse.
    pub segments: Vec<LaneSegment>,
    /// Each instance.
    pub instances: Vec<InstanceLane>,
}

/// One instance's breaker through time.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct InstanceLane {
    /// The instance (pod).
    pub service_instance_id: Option<String>,
    /// Its states in the range.
    pub segments: Vec<LaneSegment>,
}

/// A time in one state.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct LaneSegment {
    /// From then; the latest it can have begun.
    #[serde(with = "exact")]
    pub from_unix_nano: i64,
    /// The earliest it can have begun.
    #[serde(with = "exact")]
    pub from_lo_unix_nano: i64,
    /// Until then.
    #[serde(with = "exact")]
    pub to_unix_nano: i64,
    /// Canonical state.
    pub state: String,
    /// Instances that refuse.
    pub open: u32,
    /// Of so many that are known and not stale.
    pub of: u32,
}
