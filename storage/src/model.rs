//! Plain data that goes into and out of the store's questions: what pages and the API show.
//!
//! No engine types, builds for wasm32, serialises with serde. Units are in the names: `_ns` nanoseconds,
//! `_unix_nano` nanoseconds since the Unix epoch (UTC). 64-bit integers that JSON numbers cannot carry
//! exactly are written as strings ([`exact`]).

pub mod exact;

mod activity;
mod attribute;
mod breaker;
mod completion;
mod counts;
mod course;
mod encoding;
mod finding;
mod graph;
mod heatmap;
mod incident;
mod instance;
mod lane;
mod live;
mod log;
mod metric;
mod review;
mod service;
mod span;
mod trace;
mod whatif;

use serde::{Deserialize, Serialize};

pub use activity::{
    BreakerActivity, BreakerWindow, ChangedSetting, OutcomeCalls, Probe, SettingsChange, Trial,
    WindowLimits,
};
pub use attribute::{Attribute, AttributeValue, Attributes};
pub use breaker::{
    Breaker, BreakerConfig, BreakerDetail, BreakerInstance, BreakerTransition, BreakersQuery,
    EdgeBreaker, EjectedHosts, STATES, TransitionsQuery, TripTrace,
};
pub use completion::{Completion, CompletionItem};
pub use counts::CallCounts;
pub use course::{BeforeAfter, Course, Phase, WorstMoment};
pub use encoding::{EncodingOffer, EncodingValue, Encodings, EncodingsQuery, LearnedState};
pub use finding::{Finding, FindingsQuery};
pub use graph::{
    EarlierCalls, EdgeKind, Graph, GraphEdge, GraphNode, GraphQuery, MeshCalls, NodeKind,
};
pub use heatmap::{
    Difference, Differences, DifferencesQuery, Heatmap, HeatmapCell, HeatmapQuery, Selection,
};
pub use incident::{
    BlastRadius, ChangeEvent, Clue, EntryPoint, ErrorClass, Incident, IncidentBreaker,
    IncidentDetail, IncidentsQuery, Onset, OpenAt, Recovery, RejectedInMinute, Root,
};
pub use instance::{CountedSpans, InstanceSummary, InstancesQuery};
pub use lane::{InstanceLane, Lane, LaneSegment, LanesQuery};
pub use live::{LiveCounts, NearMiss, ServiceCoverage, SignalAge};
pub use log::{LogHistogram, LogHistogramStep, LogPattern, LogPatterns, LogQuery, LogRecord};
pub use metric::{
    EXEMPLARS_COUNTED_MAX, ExemplarRecord, Grouping, MetricHeatmap, MetricHeatmapCell,
    MetricHeatmapRow, MetricPoint, MetricPoints, MetricPointsQuery, MetricSeries, MetricSummary,
    MetricsQuery,
};
pub use review::BreakerReview;
pub use service::{
    Change, ChangesQuery, HalfSummary, OperationSummary, PULSE_STEPS, ProxyCalls, PulsePoint,
    RedPoint, RequestCounts, ServiceDetail, ServiceOrder, ServicePulse, ServiceQuery,
    ServiceSummary, ServicesQuery, VersionSummary,
};
pub use span::{BesideSpan, Callee, SpanDetail};
pub use trace::{
    AttributeFilter, Refusal, RefusalTrip, SpanEvent, SpanLink, SpanRecord, SpanSummary,
    TraceDetail, TraceOrder, TraceQuery, TraceSummary,
};
pub use whatif::{Baseline, COVERAGE_MIN, CallCoverage, Outcome, Proposal, WhatIf, WhatIfQuery};

/// A half-open range of time, `[from, to)`, nanoseconds since the Unix epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct TimeRange {
    /// Included.
    #[serde(with = "exact")]
    pub from_unix_nano: i64,
    /// Excluded.
    #[serde(with = "exact")]
    pub to_unix_nano: i64,
}

impl TimeRange {
    /// The last moment a range can end at: `i64::MAX` is infinity to the engine, which fails where it meets it.
    pub const LAST_UNIX_NANO: i64 = i64::MAX - 1;

    /// The `length_ns` nanoseconds that end at `to_unix_nano`.
    pub fn ending(to_unix_nano: i64, length_ns: i64) -> Self {
        Self {
            from_unix_nano: to_unix_nano.saturating_sub(length_ns),
            to_unix_nano,
        }
    }

    /// The same length of time, so many nanoseconds earlier.
    #[must_use]
    pub fn earlier_by(&self, ns: i64) -> Self {
        Self {
            from_unix_nano: self.from_unix_nano.saturating_sub(ns),
            to_unix_nano: self.to_unix_nano.saturating_sub(ns),
        }
    }

    /// The same with so many nanoseconds more at both ends, as far as the engine knows time.
    #[must_use]
    pub fn widened(&self, ns: i64) -> Self {
        Self {
            from_unix_nano: self.from_unix_nano.saturating_sub(ns),
            to_unix_nano: self
                .to_unix_nano
                .saturating_add(ns)
                .min(Self::LAST_UNIX_NANO),
        }
    }

    /// Length in seconds; never negative.
    pub fn seconds(&self) -> f64 {
        self.to_unix_nano.saturating_sub(self.from_unix_nano).max(0) as f64 / 1e9
    }
}

/// Where a service lives: the same service name in two scopes is two services.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Scope {
    /// `deployment.environment.name`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub environment: Option<String>,
    /// `service.namespace`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service_namespace: Option<String>,
    /// `k8s.cluster.name`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cluster: Option<String>,
}

/// Which scopes a question is about; a field that is `None` means any.
pub type ScopeFilter = Scope;

/// A list that says whether and where it was cut.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Page<T> {
    /// In the order the question promises.
    pub items: Vec<T>,
    /// There were more than the limit.
    pub truncated: bool,
    /// How many there are in all, where counting was cheap or the list is whole.
    pub total: Option<u64>,
    /// Opaque; give it back as `cursor` to get what follows. `None` at the end.
    pub next: Option<String>,
}

impl<T> Page<T> {
    /// A list that holds everything there is.
    pub fn whole(items: Vec<T>) -> Self {
        let total = items.len() as u64;
        Self::counted(items, total)
    }

    /// The first `limit` items of a list that holds everything there is.
    pub fn cut(mut items: Vec<T>, limit: usize) -> Self {
        let total = items.len() as u64;
        items.truncate(limit);
        Self::counted(items, total)
    }

    /// Items of a list that has `total` of them in all; no cursor leads on from these.
    pub fn counted(items: Vec<T>, total: u64) -> Self {
        Self {
            truncated: (items.len() as u64) < total,
            items,
            total: Some(total),
            next: None,
        }
    }
}

impl<T> Default for Page<T> {
    fn default() -> Self {
        Self {
            items: Vec::new(),
            truncated: false,
            total: Some(0),
            next: None,
        }
    }
}

/// Latency of a set of calls, from mergeable histograms; each quantile is within 4.5 % of a true value.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Latency {
    /// Median; `None` without a call whose duration is known.
    pub p50_ns: Option<f64>,
    /// 95th percentile.
    pub p95_ns: Option<f64>,
    /// 99th percentile.
    pub p99_ns: Option<f64>,
}

/// What counts made from spans stand on.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Basis {
    /// Every span says it stands for itself alone.
    All,
    /// Some span stands for more than one (sampling); weights were used.
    Sampled,
    /// Spans do not say how they were sampled.
    #[default]
    Unknown,
}
