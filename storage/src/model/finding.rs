//! Findings: what about retries, timeouts, settings and coverage deserves a look.

use serde::{Deserialize, Serialize};

use super::{ScopeFilter, TimeRange};

/// Asks for findings.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FindingsQuery {
    /// Of this time.
    pub range: TimeRange,
    /// Only where the caller, or the owner of the breaker, is in these scopes.
    pub scope: ScopeFilter,
    /// Only about these services, as owner, caller or callee; empty for all.
    pub services: Vec<String>,
    /// At most so many, of all kinds.
    pub limit: usize,
}

/// One thing that deserves a look.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Finding {
    /// `retry_amplification`, `timeout_inversion`, `no_breaker`, `settings_drift`, `half_open_herd`, `several_peers`,
    /// `shared_instance`.
    pub kind: String,
    /// Caller, or owner of the breaker.
    pub service: String,
    /// Callee, name of the breaker, or id of the instance.
    pub subject: String,
    /// The breaker, where it is about one.
    pub breaker_id: Option<String>,
    /// In words.
    pub sentence: String,
    /// The number it is about: attempts a call, calls outlived, failed calls, settings, instances at once, turns.
    pub value: f64,
}
