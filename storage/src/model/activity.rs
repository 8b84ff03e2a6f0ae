//! What one breaker does: its window, the calls it counted, its probes.

use serde::{Deserialize, Serialize};

use super::exact;

/// What is known of a breaker's work in a range.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct BreakerActivity {
    /// The window of each instance as it was reported last, by instance.
    pub windows: Vec<BreakerWindow>,
    /// Calls in the range by outcome, as its instances counted them; `None` for what nobody counts.
    pub calls: OutcomeCalls,
    /// Half-open states that began in the range, newest first.
    pub trials: Vec<Trial>,
    /// Half-open states in all: the list is cut at some number.
    pub total_trials: u64,
    /// Settings it ran under until the range ended, newest first.
    pub settings: Vec<SettingsChange>,
}

/// Settings that an instance came to run under.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SettingsChange {
    /// The instance (pod).
    pub service_instance_id: Option<String>,
    /// Since when.
    #[serde(with = "exact")]
    pub time_unix_nano: i64,
    /// Hash of the settings.
    pub config_hash: String,
    /// Nothing was reported before.
    pub is_first: bool,
    /// What became another value, by name.
    pub changed: Vec<ChangedSetting>,
}

/// A setting that changed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChangedSetting {
    /// Its name.
    pub name: String,
    /// Its value before as JSON, if it had one.
    pub before: Option<String>,
    /// Its value since as JSON, if it has one.
    pub after: Option<String>,
}

/// A window as an instance reported it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct BreakerWindow {
    /// The instance (pod).
    pub service_instance_id: Option<String>,
    /// When.
    #[serde(with = "exact")]
    pub time_unix_nano: i64,
    /// Failed share, 0 to 1.
    pub failure_rate: Option<f64>,
    /// Slow share, 0 to 1.
    pub slow_rate: Option<f64>,
    /// Calls in it.
    pub window_calls: Option<u32>,
    /// When it means to let a probe through, if it is open and said so.
    #[serde(with = "exact::option")]
    pub next_probe_unix_nano: Option<i64>,
    /// The limits it works with, as far as they are reported.
    pub limits: WindowLimits,
}

/// Thresholds of a breaker; `None` is "not reported", never a default.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct WindowLimits {
    /// Failed share at which it opens, 0 to 1.
    pub failure_rate: Option<f64>,
    /// Slow share at which it opens, 0 to 1.
    pub slow_rate: Option<f64>,
    /// Calls below which it does not decide.
    pub minimum_calls: Option<u32>,
}

/// Calls by outcome.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct OutcomeCalls {
    /// Succeeded.
    pub ok: Option<u64>,
    /// Failed.
    pub failed: Option<u64>,
    /// Took too long, whatever they answered; they count among the others too.
    pub slow: Option<u64>,
    /// Let through and not judged.
    pub ignored: Option<u64>,
    /// Refused.
    pub rejected: Option<u64>,
    /// Given up by the caller.
    pub cancelled: Option<u64>,
}

/// A half-open state of one instance.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Trial {
    /// The instance (pod).
    pub service_instance_id: Option<String>,
    /// When it began; the latest it can have been.
    #[serde(with = "exact")]
    pub from_unix_nano: i64,
    /// When it ended; `None` while it goes on.
    #[serde(with = "exact::option")]
    pub to_unix_nano: Option<i64>,
    /// What it ended in.
    pub ended_in: Option<String>,
    /// Its probes that wrote a span, oldest first.
    pub probes: Vec<Probe>,
}

/// A call let through to try the callee.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Probe {
    /// When it was seen.
    #[serde(with = "exact")]
    pub time_unix_nano: i64,
    /// What became of it, as its span says: `success`, `failure`, `slow_failure` and so on, or `unknown`.
    pub outcome: String,
    /// How long it took.
    pub duration_ns: Option<i64>,
    /// Its trace.
    pub trace_id: Option<String>,
    /// Its span.
    pub span_id: Option<String>,
}
