//! Key figures of a breaker over a range, for looking back.

use serde::{Deserialize, Serialize};

use super::Scope;

/// What one logical breaker did in a range.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct BreakerReview {
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
    /// Who is behind it.
    pub peer_service: Option<String>,
    /// Minutes in which at least one instance refused.
    pub minutes_open: f64,
    /// Times an instance opened, probes that failed not counted.
    pub trips: u32,
    /// Of these whose moment was inferred, not reported.
    pub trips_inferred: u32,
    /// Times an instance began anew.
    pub restarts: u32,
    /// Flapping as RFC 2439 reckons it, of the instance that flapped most: each trip adds 1, and what has added up halves
    /// every 15 minutes; the highest in the range.
    pub flap_score: f64,
    /// Mean nanoseconds from the first failures of its edge to a trip, to ten seconds.
    pub detect_ns: Option<f64>,
    /// Mean nanoseconds from when its callee answered well again to its closing, to ten seconds.
    pub recover_ns: Option<f64>,
    /// Calls it refused, by its own counters; `None` when nobody counts them.
    pub refused: Option<u64>,
    /// Of these about so many while its callee answered well, by the share of the time open.
    pub refused_needlessly: Option<u64>,
}
