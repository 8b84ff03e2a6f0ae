//! Traces: search, and one trace in full.

use serde::{Deserialize, Serialize};

use super::{
    AttributeValue, Attributes, BreakerTransition, ExemplarRecord, LogRecord, Scope, ScopeFilter,
    TimeRange, exact,
};
use crate::filter::Filter;

/// Asks for spans or traces, newest first unless an order is asked for. Every other field narrows.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct TraceQuery {
    /// Start of the span.
    pub range: Option<TimeRange>,
    /// Scopes.
    pub scope: ScopeFilter,
    /// Service.
    pub service: Option<String>,
    /// Name of the span, exactly.
    pub name: Option<String>,
    /// `server`, `client`, …
    pub kind: Option<String>,
    /// `unset`, `ok`, `error`.
    pub status: Option<String>,
    /// Shortest duration.
    #[serde(with = "exact::option")]
    pub duration_min_ns: Option<i64>,
    /// Longest duration.
    #[serde(with = "exact::option")]
    pub duration_max_ns: Option<i64>,
    /// All must hold, on the span or else on its resource.
    pub attributes: Vec<AttributeFilter>,
    /// What a person wrote; must hold too.
    #[serde(skip)]
    pub filter: Option<Filter>,
    /// Which traces come first; a list of spans is always newest first.
    #[serde(default)]
    pub order: TraceOrder,
    /// At most so many.
    pub limit: usize,
    /// Where the page before ended ([`super::Page::next`]); of the newest first alone.
    pub cursor: Option<String>,
}

impl TraceQuery {
    /// Whether it is about spans of one id: those are found whenever they were.
    pub fn names_an_id(&self) -> bool {
        self.filter.as_ref().is_some_and(Filter::names_an_id)
    }
}

/// Which traces of a list come first; ties by the newest start.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TraceOrder {
    /// By the newest span that fits, newest first.
    #[default]
    Start,
    /// Longest first.
    Duration,
    /// Most failed spans first.
    Errors,
    /// Most spans first.
    Spans,
}

impl TraceOrder {
    /// Each with its word in a URL.
    pub const WORDS: [(&'static str, Self); 4] = [
        ("start", Self::Start),
        ("duration", Self::Duration),
        ("errors", Self::Errors),
        ("spans", Self::Spans),
    ];
}

/// An attribute must equal a value of the same kind (`Int(5)` is not `String("5")`); an `Int` and a `Double`
/// of the same number are equal.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AttributeFilter {
    /// Name.
    pub key: String,
    /// Value: string, bool, int or double.
    pub value: AttributeValue,
}

/// A span in a list.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SpanSummary {
    /// 32 hex digits.
    pub trace_id: String,
    /// 16 hex digits.
    pub span_id: String,
    /// `None` for a root.
    pub parent_span_id: Option<String>,
    /// Scope of the service.
    #[serde(flatten)]
    pub scope: Scope,
    /// Service.
    pub service_name: Option<String>,
    /// Name.
    pub name: String,
    /// `server`, `client`, …
    pub kind: String,
    /// `unset`, `ok`, `error`.
    pub status_code: String,
    /// `None` when unknown.
    #[serde(with = "exact::option")]
    pub start_time_unix_nano: Option<i64>,
    /// `None` when unknown.
    #[serde(with = "exact::option")]
    pub duration_ns: Option<i64>,
}

/// A trace in a list: what is known of the whole of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TraceSummary {
    /// 32 hex digits.
    pub trace_id: String,
    /// The root, or the earliest span when the root is missing.
    pub root: SpanSummary,
    /// The root is stored.
    pub has_root: bool,
    /// Earliest start.
    #[serde(with = "exact::option")]
    pub start_time_unix_nano: Option<i64>,
    /// Earliest start to latest end.
    #[serde(with = "exact::option")]
    pub duration_ns: Option<i64>,
    /// Spans stored, duplicates left out.
    pub spans: u64,
    /// Of these, with status `error`.
    pub errors: u64,
    /// Services in it, by name.
    pub services: Vec<String>,
    /// The newest span of it that fits the question.
    pub matched: SpanSummary,
}

/// One span in full.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct SpanRecord {
    /// 32 hex digits.
    pub trace_id: String,
    /// 16 hex digits.
    pub span_id: String,
    /// `None` for a root.
    pub parent_span_id: Option<String>,
    /// W3C.
    pub trace_state: Option<String>,
    /// All 32 bits.
    pub flags: u32,
    /// Scope of the service.
    #[serde(flatten)]
    pub scope: Scope,
    /// Service.
    pub service_name: Option<String>,
    /// Its version.
    pub service_version: Option<String>,
    /// Its instance.
    pub service_instance_id: Option<String>,
    /// Name.
    pub name: String,
    /// `server`, `client`, …
    pub kind: String,
    /// As sent; 0 = unknown.
    #[serde(with = "exact")]
    pub start_time_unix_nano: u64,
    /// As sent; 0 = unknown.
    #[serde(with = "exact")]
    pub end_time_unix_nano: u64,
    /// End minus start; may be negative; `None` when one of them is unknown.
    #[serde(with = "exact::option")]
    pub duration_ns: Option<i64>,
    /// `unset`, `ok`, `error`.
    pub status_code: String,
    /// Message of the status.
    pub status_message: Option<String>,
    /// Of the span.
    pub attributes: Attributes,
    /// Of its resource.
    pub resource_attributes: Attributes,
    /// Instrumentation scope.
    pub scope_name: Option<String>,
    /// Its version.
    pub scope_version: Option<String>,
    /// In the order sent.
    pub events: Vec<SpanEvent>,
    /// In the order sent.
    pub links: Vec<SpanLink>,
    /// Dropped by the sender.
    pub dropped_attributes_count: u32,
    /// Dropped by the sender.
    pub dropped_events_count: u32,
    /// Dropped by the sender.
    pub dropped_links_count: u32,
    /// Written by a proxy beside the application.
    pub sidecar: bool,
    /// Times this same span (trace, span, service, start) is stored; shown once.
    pub copies: u32,
}

/// An event of a span.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SpanEvent {
    /// As sent; 0 = unknown.
    #[serde(with = "exact")]
    pub time_unix_nano: u64,
    /// Name.
    pub name: String,
    /// Of the event.
    pub attributes: Attributes,
    /// Dropped by the sender.
    pub dropped_attributes_count: u32,
}

/// A link of a span.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SpanLink {
    /// 32 hex digits.
    pub trace_id: String,
    /// 16 hex digits.
    pub span_id: String,
    /// W3C.
    pub trace_state: Option<String>,
    /// All 32 bits.
    pub flags: u32,
    /// Of the link.
    pub attributes: Attributes,
    /// Dropped by the sender.
    pub dropped_attributes_count: u32,
}

/// Everything stored about one trace.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct TraceDetail {
    /// 32 hex digits.
    pub trace_id: String,
    /// By start time, then span id; each span once.
    pub spans: Vec<SpanRecord>,
    /// Oldest first.
    pub logs: Vec<LogRecord>,
    /// Metric exemplars that point to it.
    pub exemplars: Vec<ExemplarRecord>,
    /// Breaker transitions that point to it.
    pub transitions: Vec<BreakerTransition>,
    /// Spans that are calls a policy refused.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub refusals: Vec<Refusal>,
    /// Spans, logs or exemplars were left out (bounds of the question).
    pub truncated: bool,
    /// Spans in all, each once.
    pub total_spans: u64,
    /// Log records in all.
    #[serde(default)]
    pub total_logs: u64,
    /// Exemplars in all.
    #[serde(default)]
    pub total_exemplars: u64,
}

/// A span that is a call which a policy refused.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Refusal {
    /// The span.
    pub span_id: String,
    /// Who refused: `breaker`, `rate_limit`, `bulkhead`, …
    pub pattern: String,
    /// Service it belongs to.
    pub service_name: String,
    /// Its name. Empty where the call says that it was refused and not by which.
    pub name: String,
    /// Which of a keyed family.
    pub key: Option<String>,
    /// The recogniser that knew it.
    pub origin: String,
    /// How sure, 0 to 100.
    pub confidence: u32,
    /// The last trip before the call.
    pub trip: Option<RefusalTrip>,
}

/// The trip that a refusal goes back to.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct RefusalTrip {
    /// When.
    #[serde(with = "exact")]
    pub time_unix_nano: i64,
    /// The trace that tripped it, where one is known.
    pub trace_id: Option<String>,
}
