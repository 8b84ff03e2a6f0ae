//! Circuit breakers, as far as traces show them.

use serde::{Deserialize, Serialize};

use super::{Scope, exact};

/// A change of a breaker's state (one row of `breaker_transitions`).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct BreakerTransition {
    /// When.
    #[serde(with = "exact")]
    pub time_unix_nano: i64,
    /// Names the logical breaker.
    pub breaker_id: String,
    /// Scope of the service that owns it.
    #[serde(flatten)]
    pub scope: Scope,
    /// The service that owns it.
    pub service_name: String,
    /// Name of the breaker.
    pub name: String,
    /// State before, if known.
    pub from_state: Option<String>,
    /// State after.
    pub to_state: String,
    /// Why, if known.
    pub reason: Option<String>,
    /// The span that tripped it, if known.
    pub span_id: Option<String>,
}
