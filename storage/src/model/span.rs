//! One span of a trace, with what is next to it in the trace and what was beside it in time.

use serde::{Deserialize, Serialize};

use super::{Change, LogRecord, Page, Refusal, Scope, SpanRecord, SpanSummary, TimeRange, exact};

/// One span in full, with what a person looks for beside it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct SpanDetail {
    /// The span.
    pub span: SpanRecord,
    /// Who refused it, if it is a call which a policy refused.
    pub refusal: Option<Refusal>,
    /// Spans right below it, by start.
    pub below: Vec<SpanRecord>,
    /// Its log records, oldest first.
    pub logs: Vec<LogRecord>,
    /// How many it has in all.
    pub total_logs: u64,
    /// Earliest start in its trace; 0 = unknown.
    #[serde(with = "exact")]
    pub trace_start_unix_nano: u64,
    /// Latest end in its trace; 0 = unknown.
    #[serde(with = "exact")]
    pub trace_end_unix_nano: u64,
    /// What else its callee did then, and what changed; `None` where its time or service is not known.
    pub beside: Option<BesideSpan>,
}

/// What is known beside a span.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct BesideSpan {
    /// The service that answered; the span's own, where it calls nobody.
    pub callee: Callee,
    /// From five seconds before the span to five seconds after it.
    pub range: TimeRange,
    /// Spans of the callee in it, of other traces: those that failed, then those begun last before the span ended.
    pub spans: Vec<SpanSummary>,
    /// Log records of the callee in it, of other traces or of none, newest first.
    pub logs: Page<LogRecord>,
    /// What changed of it near the span, oldest first.
    pub changes: Vec<Change>,
    /// None of its spans near it says which version it is.
    pub has_no_version: bool,
}

/// A service in its scope.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Callee {
    /// Where it lives, as far as that is known.
    #[serde(flatten)]
    pub scope: Scope,
    /// Its name.
    pub service: String,
}
