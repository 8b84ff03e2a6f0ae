//! Services: what they do and how well.

use serde::{Deserialize, Serialize};

use super::{Basis, Latency, Scope, ScopeFilter, TimeRange, exact};

/// Asks for the services of a time range.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServicesQuery {
    /// Rounded outwards to whole buckets of 10 s.
    pub range: TimeRange,
    /// Scopes.
    pub scope: ScopeFilter,
    /// At most so many, by name.
    pub limit: usize,
}

/// One service in a time range. Calls are its entry spans (`server`, `consumer`); a service without any
/// counts its root-most kind it has: `client` and `producer`, else `internal`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct ServiceSummary {
    /// Its scope.
    #[serde(flatten)]
    pub scope: Scope,
    /// Its name.
    pub service_name: String,
    /// Calls seen in the range.
    pub calls: u64,
    /// Of these, failed.
    pub errors: u64,
    /// Calls these stand for, by sampling weights.
    pub weight: f64,
    /// What the counts stand on.
    pub basis: Basis,
    /// Calls a second over the range (weighted).
    pub rate_per_second: f64,
    /// Failed share of the calls, 0 to 1; 0 without calls.
    pub error_ratio: f64,
    /// Latency of the calls.
    pub latency: Latency,
    /// All its spans of any kind in the range.
    pub spans: u64,
    /// Values of `service.version` stored (whole segments: may name a few from outside the range).
    pub versions: Vec<String>,
    /// Distinct `service.instance.id` stored.
    pub instances: u64,
    /// Newest span of it in the range, to the bucket of 10 s; `None` when it only sent logs or metrics.
    #[serde(with = "exact::option")]
    pub last_seen_unix_nano: Option<i64>,
}
