//! Circuit breakers: logical ones, their instances, their settings, their changes of state.

use serde::{Deserialize, Serialize};

use super::{Scope, ScopeFilter, TimeRange, exact};

/// The canonical states. `stale` is only ever concluded, never reported.
pub const STATES: [&str; 10] = [
    "closed",
    "open",
    "half_open",
    "forced_open",
    "disabled",
    "metrics_only",
    "saturated",
    "throttling",
    "unknown",
    "stale",
];

/// Asks for breakers.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BreakersQuery {
    /// Only in these scopes.
    pub scope: ScopeFilter,
    /// Only those of this service.
    pub service: Option<String>,
    /// Only of this name.
    pub name: Option<String>,
    /// Only with this key; `Some("")` is "without one".
    pub key: Option<String>,
    /// Only in this state.
    pub state: Option<String>,
    /// As they were then, nanoseconds since 1970; `None` is by now.
    pub at_unix_nano: Option<i64>,
    /// At most so many.
    pub limit: usize,
}

/// A logical breaker (scope, service, pattern, name and key) in its latest state, or in that of the time asked for.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Breaker {
    /// 16 hex digits.
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
    /// Who reported it.
    pub origin: String,
    /// Version of the service last seen.
    pub service_version: Option<String>,
    /// Service behind it.
    pub peer_service: Option<String>,
    /// Address behind it.
    pub peer_address: Option<String>,
    /// How that is known: `reported` or `span` (by its own telemetry), else inferred from its `address`, the calls in its
    /// own spans' traces (`trace`), a person's rule (`user_rule`), its `name`, or as its owner's only callee (`edge`).
    pub peer_evidence: Option<String>,
    /// The worst state of its instances that are not stale.
    pub state: String,
    /// Instances that are not stale.
    pub instances: u32,
    /// Of these that refuse.
    pub instances_open: u32,
    /// When it came into this state, if known.
    #[serde(with = "exact::option")]
    pub since_unix_nano: Option<i64>,
    /// The moment was reported, not inferred.
    pub since_exact: bool,
    /// How the state is known.
    pub evidence: String,
    /// How sure, 0 to 100.
    pub confidence: u8,
    /// Latest telemetry of it.
    #[serde(with = "exact::option")]
    pub last_seen_unix_nano: Option<i64>,
    /// The latest trip with a trace.
    pub last_trip: Option<TripTrace>,
    /// Of an ejection: the hosts of its cluster. One with a key is one of them.
    #[serde(default)]
    pub hosts: Option<EjectedHosts>,
}

/// Hosts that get no calls, of those behind an ejection. What nobody reports is `None`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct EjectedHosts {
    /// How many are out, as the instance counts that has most out.
    pub ejected: Option<u32>,
    /// How many get calls, as it counts them; health checks take hosts out too.
    pub healthy: Option<u32>,
    /// How many there are, as it counts them.
    pub total: Option<u32>,
    /// Those that are out by what logs say of each.
    pub named: Vec<String>,
}

/// The trace that tripped a breaker.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TripTrace {
    /// 32 hex digits.
    pub trace_id: String,
    /// Its span.
    pub span_id: Option<String>,
    /// `exact`, `harvested` or `inferred`.
    pub trace_evidence: Option<String>,
    /// When it tripped.
    #[serde(with = "exact")]
    pub time_unix_nano: i64,
}

/// One instance's breaker in its latest state.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct BreakerInstance {
    /// The instance (pod).
    pub service_instance_id: Option<String>,
    /// Its version.
    pub service_version: Option<String>,
    /// Canonical state; `stale` without news for three intervals.
    pub state: String,
    /// The state before it went stale.
    pub last_state: String,
    /// When it came into this state, if known.
    #[serde(with = "exact::option")]
    pub since_unix_nano: Option<i64>,
    /// The moment was reported, not inferred.
    pub since_exact: bool,
    /// Number of the state.
    #[serde(with = "exact::option")]
    pub generation: Option<u64>,
    /// How the state is known.
    pub evidence: String,
    /// How sure, 0 to 100.
    pub confidence: u8,
    /// Latest telemetry of it.
    #[serde(with = "exact::option")]
    pub last_seen_unix_nano: Option<i64>,
    /// Of an ejection: hosts that it has out, if it counts them.
    #[serde(default)]
    pub hosts_ejected: Option<u32>,
    /// Of these hosts in all.
    #[serde(default)]
    pub hosts_total: Option<u32>,
}

/// Settings an instance reported.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct BreakerConfig {
    /// The instance (pod).
    pub service_instance_id: Option<String>,
    /// Since when.
    #[serde(with = "exact")]
    pub valid_from_unix_nano: i64,
    /// Hash of the settings.
    pub config_hash: String,
    /// The settings as a JSON object.
    pub config: String,
    /// How they are known.
    pub source: String,
}

/// Everything about one breaker but its history.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct BreakerDetail {
    /// The breaker.
    pub breaker: Breaker,
    /// Its instances, worst first.
    pub instances: Vec<BreakerInstance>,
    /// The latest settings of each instance.
    pub configs: Vec<BreakerConfig>,
}

/// Asks for transitions.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TransitionsQuery {
    /// Of this breaker.
    pub breaker_id: Option<String>,
    /// Only in this time, by the latest moment they can have been.
    pub range: Option<TimeRange>,
    /// Only in these scopes.
    pub scope: ScopeFilter,
    /// Only breakers of this service.
    pub service: Option<String>,
    /// At most so many, newest first.
    pub limit: usize,
}

/// A change of a breaker's state (one row of `breaker_transitions`).
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct BreakerTransition {
    /// When; the latest it can have been.
    #[serde(with = "exact")]
    pub time_unix_nano: i64,
    /// The earliest it can have been; the same when it was reported.
    #[serde(with = "exact")]
    pub time_lo_unix_nano: i64,
    /// Names the logical breaker.
    pub breaker_id: String,
    /// Scope of the service that owns it.
    #[serde(flatten)]
    pub scope: Scope,
    /// The service that owns it.
    pub service_name: String,
    /// Its instance.
    pub service_instance_id: Option<String>,
    /// Name of the breaker.
    pub name: String,
    /// Which of a keyed family.
    pub key: Option<String>,
    /// State before, if known.
    pub from_state: Option<String>,
    /// State after.
    pub to_state: String,
    /// Why, if known.
    pub reason: Option<String>,
    /// Failed share of the window, 0 to 1.
    pub failure_rate: Option<f64>,
    /// Slow share of the window, 0 to 1.
    pub slow_rate: Option<f64>,
    /// Calls in the window.
    pub window_calls: Option<u32>,
    /// The threshold that was crossed.
    pub threshold: Option<f64>,
    /// For how long it meant to stay open, milliseconds.
    pub open_for_ms: Option<u32>,
    /// The trace that tripped it, if known.
    pub trace_id: Option<String>,
    /// The span that tripped it, if known.
    pub span_id: Option<String>,
    /// `exact`, `harvested` or `inferred`.
    pub trace_evidence: Option<String>,
    /// Traces of failures that led to it, newest first.
    pub contributing_trace_ids: Vec<String>,
    /// How the transition is known.
    pub evidence: String,
    /// How sure, 0 to 100.
    pub confidence: u8,
}

/// A breaker on an edge of the graph.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EdgeBreaker {
    /// Names the logical breaker.
    pub breaker_id: String,
    /// Its name.
    pub name: String,
    /// Which of a keyed family.
    pub key: Option<String>,
    /// `breaker`, `ejection`, `concurrency_cap` or `throttle`.
    #[serde(default)]
    pub pattern: String,
    /// Its state at the end of the range.
    pub state: String,
    /// Instances that are not stale.
    pub instances: u32,
    /// Of these that refuse.
    pub instances_open: u32,
    /// How it is known that it guards this edge: `reported`, `span`, `address`, `trace`, `user_rule`, `name` or
    /// `edge`.
    pub peer_evidence: String,
    /// Calls it refused within the range; `None` when nobody counts them and no span tells of any.
    #[serde(default)]
    pub rejected: Option<u64>,
    /// How these are known: by the `counter` of its instances, or by `spans`, sampling undone.
    #[serde(default)]
    pub rejected_basis: Option<String>,
    /// Of these, those whose spans are spans of calls: they are among the failed calls of the edge, though never sent.
    #[serde(default)]
    pub rejected_as_failed: u64,
    /// Of an ejection: hosts that were out then, by the instance with most out, if any counted them.
    #[serde(default)]
    pub hosts_ejected: Option<u32>,
    /// Of these hosts in all.
    #[serde(default)]
    pub hosts_total: Option<u32>,
}
