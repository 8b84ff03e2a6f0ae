//! What people know of their breakers and no telemetry says.

use serde::{Deserialize, Deserializer, Serialize};
use tripline_storage::resilience::PeerRule;

/// `[resilience]`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ResilienceSection {
    /// Whom breakers guard: `[[resilience.peer]]`, once a rule. What telemetry says and calls show stands above it, a
    /// likeness of names and an only callee below. Of several that fit the first counts.
    pub peer: Vec<PeerSection>,
}

/// A rule: `service = "shop"`, `breaker = "backend*"`, `peer = "ledger"`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PeerSection {
    /// `service.name` of the breaker's owner.
    #[serde(deserialize_with = "word")]
    pub service: String,
    /// The breaker's name, or `name/key` of a keyed one; `*` stands for any text.
    #[serde(deserialize_with = "word")]
    pub breaker: String,
    /// The callee.
    #[serde(deserialize_with = "word")]
    pub peer: String,
}

impl ResilienceSection {
    /// The rules as the store takes them.
    pub fn peer_rules(&self) -> Vec<PeerRule> {
        let rule = |of: &PeerSection| PeerRule {
            service: of.service.clone(),
            breaker: of.breaker.clone(),
            peer: of.peer.clone(),
        };
        self.peer.iter().map(rule).collect()
    }
}

/// A text that says something.
fn word<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let text = String::deserialize(deserializer)?;
    if text.trim().is_empty() {
        return Err(<D::Error as serde::de::Error>::custom(
            "service, breaker and peer of a rule must not be empty",
        ));
    }
    Ok(text)
}
