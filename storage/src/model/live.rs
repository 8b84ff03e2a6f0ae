//! How much there is, and how old.

use serde::{Deserialize, Serialize};

use super::{Scope, exact};

/// Counts of everything stored, and the age of the newest of each signal.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct LiveCounts {
    /// Spans stored.
    pub spans: u64,
    /// Log records stored.
    pub logs: u64,
    /// Metric streams (distinct series).
    pub metric_streams: u64,
    /// Metric points stored.
    pub metric_points: u64,
    /// Services seen in the stored data.
    pub services: u64,
    /// Per signal: `traces`, `logs`, `metrics`.
    pub ages: Vec<SignalAge>,
}

/// Newest and oldest data of one signal.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct SignalAge {
    /// `traces`, `logs` or `metrics`.
    pub signal: String,
    /// Oldest event time stored, outliers of the clock left out.
    #[serde(with = "exact::option")]
    pub oldest_unix_nano: Option<i64>,
    /// Newest event time stored, outliers of the clock left out.
    #[serde(with = "exact::option")]
    pub newest_unix_nano: Option<i64>,
}

/// A breaker that refuses calls but does not report itself.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct NearMiss {
    /// Scope of the service.
    #[serde(flatten)]
    pub scope: Scope,
    /// The service that owns it.
    pub service_name: String,
    /// Its name.
    pub name: String,
    /// The recogniser that knew the refused calls.
    pub origin: String,
    /// What would make it report itself.
    pub fix: String,
}

/// What one service sends, for the coverage table.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct ServiceCoverage {
    /// Its scope.
    #[serde(flatten)]
    pub scope: Scope,
    /// Its name.
    pub service_name: String,
    /// Spans in the range; what was sent again counts again.
    #[serde(default)]
    pub spans: u64,
    /// Log records in the range.
    #[serde(default)]
    pub logs: u64,
    /// Metric points in the range.
    #[serde(default)]
    pub metric_points: u64,
    /// Newest span in the range.
    #[serde(with = "exact::option")]
    pub newest_span_unix_nano: Option<i64>,
    /// Newest log record in the range.
    #[serde(with = "exact::option")]
    pub newest_log_unix_nano: Option<i64>,
    /// Newest log record in the range that carries a trace id.
    #[serde(with = "exact::option")]
    pub newest_traced_log_unix_nano: Option<i64>,
    /// Newest metric point in the range.
    #[serde(with = "exact::option")]
    pub newest_metric_unix_nano: Option<i64>,
    /// It reports `service.version`.
    pub has_version: bool,
    /// It reports `service.instance.id`.
    pub has_instance_id: bool,
    /// By what its breakers are known: `events`, `logs`, `metrics`, `spans`, or `errors` of refused calls; by name.
    pub breaker_evidence: Vec<String>,
}
