//! The instances of a service: processes, pods.

use serde::{Deserialize, Serialize};

use super::{CallCounts, Latency, Scope, ScopeFilter, TimeRange, exact};

/// Asks for the instances of one service.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InstancesQuery {
    /// Name of the service.
    pub service: String,
    /// Rounded outwards to whole buckets of 10 s, so that the calls add up to those of the service.
    pub range: TimeRange,
    /// Only in these scopes.
    pub scope: ScopeFilter,
    /// At most so many, busiest first; what names no instance comes after them, uncounted and uncut.
    pub limit: usize,
}

/// Which spans stand for the calls of a service: the first of these that it has.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CountedSpans {
    /// Its own server and consumer spans.
    #[default]
    Entry,
    /// Server and consumer spans of the proxy beside it.
    ProxyEntry,
    /// Its own client and producer spans: nobody is known to call it.
    Outgoing,
    /// Client and producer spans of the proxy beside it.
    ProxyOutgoing,
    /// Spans of any other kind.
    Other,
}

/// One instance in a time range. Calls are counted as the service's: by the same spans, each once however often it was
/// sent. An instance that sent other spans alone has none.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct InstanceSummary {
    /// Its scope.
    #[serde(flatten)]
    pub scope: Scope,
    /// `service.instance.id`; `None` stands for all that report none.
    pub instance_id: Option<String>,
    /// Values of `service.version` it reported in the range.
    pub versions: Vec<String>,
    /// `k8s.pod.name`.
    pub pod: Option<String>,
    /// `host.name`, else `k8s.node.name`.
    pub host: Option<String>,
    /// Which spans are counted; the same for all instances of a service.
    #[serde(default)]
    pub counted: CountedSpans,
    /// Calls.
    pub calls: u64,
    /// Of these, failed.
    pub errors: u64,
    /// Calls these stand for, by sampling weights.
    #[serde(default)]
    pub weight: f64,
    /// Of the weight, that of failed calls.
    #[serde(default)]
    pub error_weight: f64,
    /// Durations.
    pub latency: Latency,
    /// Start of its newest span in the range.
    #[serde(with = "exact")]
    pub last_unix_nano: i64,
}

impl InstanceSummary {
    /// Calls and failures with what they stand for.
    pub fn counts(&self) -> CallCounts {
        CallCounts::weighted((self.calls, self.errors), (self.weight, self.error_weight))
    }
}
