//! Log records and how to search them.

use serde::{Deserialize, Serialize};

use super::{Attributes, Scope, ScopeFilter, TimeRange, exact, trace::AttributeFilter};
use crate::filter::Filter;

/// Asks for log records, newest first. Every field narrows; `Default` with a limit asks for the newest of all.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct LogQuery {
    /// Effective time.
    pub range: Option<TimeRange>,
    /// Scopes.
    pub scope: ScopeFilter,
    /// Service.
    pub service: Option<String>,
    /// Part of the body or of the event name, case ignored.
    pub text: Option<String>,
    /// Smallest severity number (1-24; 9 = info, 13 = warn, 17 = error).
    pub severity_min: Option<i32>,
    /// 32 hex digits.
    pub trace_id: Option<String>,
    /// 16 hex digits.
    pub span_id: Option<String>,
    /// All must hold.
    pub attributes: Vec<AttributeFilter>,
    /// What a person wrote; must hold too.
    #[serde(skip)]
    pub filter: Option<Filter>,
    /// At most so many.
    pub limit: usize,
    /// Where the page before ended ([`super::Page::next`]).
    pub cursor: Option<String>,
}

impl LogQuery {
    /// Whether it is about records of one trace or span: those are found whenever they were.
    pub fn names_an_id(&self) -> bool {
        self.trace_id.is_some()
            || self.span_id.is_some()
            || self.filter.as_ref().is_some_and(Filter::names_an_id)
    }
}

/// One log record.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LogRecord {
    /// Its own time, else the observed, else the arrival's; `None` when beyond 2262.
    #[serde(with = "exact::option")]
    pub time_unix_nano: Option<i64>,
    /// As sent; 0 = unknown.
    #[serde(with = "exact")]
    pub observed_time_unix_nano: u64,
    /// 1-24, 0 = unset.
    pub severity_number: i32,
    /// Verbatim.
    pub severity_text: Option<String>,
    /// Marks an event.
    pub event_name: Option<String>,
    /// A string body verbatim; any other kind as JSON text.
    pub body: Option<String>,
    /// Kind of the body: `string`, `kvlist`, …
    pub body_type: Option<String>,
    /// 32 hex digits.
    pub trace_id: Option<String>,
    /// 16 hex digits.
    pub span_id: Option<String>,
    /// Scope of the service.
    #[serde(flatten)]
    pub scope: Scope,
    /// Service.
    pub service_name: Option<String>,
    /// Its version.
    pub service_version: Option<String>,
    /// Its instance.
    pub service_instance_id: Option<String>,
    /// Instrumentation scope.
    pub scope_name: Option<String>,
    /// Of the record.
    pub attributes: Attributes,
    /// Of its resource.
    pub resource_attributes: Attributes,
}

/// Log records over time, by severity.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogHistogram {
    /// Equal steps over the whole range, oldest first.
    pub steps: Vec<LogHistogramStep>,
    /// The busiest services with their records, most first.
    pub services: Vec<(String, u64)>,
    /// Services with records, in all.
    #[serde(default)]
    pub services_total: u64,
}

impl LogHistogram {
    /// Records of all steps.
    pub fn records(&self) -> u64 {
        let counts = self.steps.iter().flat_map(|step| step.counts);
        counts.sum()
    }
}

/// One step: records without a severity, then of trace, debug, info, warn, error and fatal.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogHistogramStep {
    /// By group of severity.
    pub counts: [u64; 7],
}

/// The newest records, gathered by pattern.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct LogPatterns {
    /// Most records first.
    pub items: Vec<LogPattern>,
    /// Patterns found, those left out of `items` too.
    #[serde(default)]
    pub total: u64,
    /// Records looked at: the newest that fit.
    pub records: u64,
    /// There were older records.
    pub truncated: bool,
}

/// Records whose messages differ in variable parts alone.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct LogPattern {
    /// The message with `<*>` for variable parts.
    pub pattern: String,
    /// Records.
    pub count: u64,
    /// The highest severity among them.
    pub severity_number: i32,
    /// Services that write it, by name.
    pub services: Vec<String>,
    /// The newest of them.
    #[serde(with = "exact::option")]
    pub newest_unix_nano: Option<i64>,
    /// The newest message.
    pub example: String,
    /// A filter that finds them.
    pub filter: String,
}
