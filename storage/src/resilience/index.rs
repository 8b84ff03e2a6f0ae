//! The recogniser files compiled: what a name, a text or an attribute leads to.
//!
//! The usual item is no evidence and must cost next to nothing: event and scope names are looked up in hash
//! maps, metric names once a stream, and texts and attribute keys are looked for in whole columns at once.

mod build;

use std::collections::{BTreeMap, HashMap};
use std::sync::LazyLock;

use self::build::Parts;
use super::evidence::Evidence;
use super::needles::Needles;
use super::rules::{
    LogRule, Match, RecogniserFile, RejectionRule, ReplayRules, RulesError, SpanRule,
};
use super::source::{Fields, Needs, Source};
use super::template::Template;
use super::{SHIPPED, wildcard, words};
use crate::ingest::{PreparedRows, ResourceRow, ScopeRow};

/// All recognisers, ready to look at batches.
#[derive(Debug)]
pub struct Recognisers {
    pub(super) origins: Vec<Origin>,
    pub(super) metrics: Vec<Metric>,
    pub(super) metrics_exact: HashMap<String, Vec<usize>>,
    pub(super) metrics_suffix: HashMap<String, Vec<usize>>,
    pub(super) metrics_contain: Vec<(String, usize)>,
    /// In the attributes of streams: values that streams of any name are known by.
    pub(super) metrics_any: Needles<usize>,
    pub(super) logs: Vec<Log>,
    pub(super) log_events: HashMap<String, Vec<usize>>,
    /// In the names of events: pieces of patterns.
    pub(super) log_event_pieces: Needles<usize>,
    /// In the bodies of logs: rules of logs, and messages of errors.
    pub(super) log_bodies: Needles<Told>,
    pub(super) spans: Vec<Span>,
    /// In the attributes of spans: keys that span rules ask for, and those of types of errors.
    pub(super) span_attributes: Needles<Told>,
    pub(super) span_names: HashMap<String, Vec<usize>>,
    pub(super) rejections: Vec<Rejection>,
    /// Rejections by the type of their error.
    pub(super) error_types: HashMap<String, Vec<usize>>,
    /// In the events of spans: rules of logs, and exceptions.
    pub(super) span_events: Needles<Told>,
    /// In the attributes of logs: types and messages of errors, and names of events.
    pub(super) exceptions: Needles<Told>,
    /// In status messages.
    pub(super) messages: Needles<usize>,
}

/// The rule that a text found leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Told {
    /// A span that a span rule knows.
    Span(usize),
    /// A record or an event that a log rule knows.
    Log(usize),
    /// An error.
    Rejection(usize),
    /// The type of an error, which may be that of any rejection.
    Error,
}

/// What rules of one file share.
#[derive(Debug)]
pub(super) struct Origin {
    pub name: String,
    pub pattern: String,
    enable: Option<String>,
    states: BTreeMap<String, String>,
    reasons: BTreeMap<String, String>,
    replay: Option<ReplayRules>,
}

impl Origin {
    /// The canonical state of the origin's word; its own dictionary first.
    pub(super) fn state(&self, raw: &str) -> Option<&'static str> {
        match self.states.get(&raw.trim().to_lowercase()) {
            Some(state) => words::canonical(state),
            None => words::state(raw),
        }
    }

    /// The canonical state of a number: only what the origin's dictionary says, never a guess.
    pub(super) fn numbered(&self, value: f64) -> Option<&'static str> {
        words::canonical(self.states.get(&value.to_string())?)
    }

    /// The canonical reason; the origin's own word where no other is known.
    pub(super) fn reason(&self, raw: &str) -> String {
        self.reasons
            .get(&raw.trim().to_lowercase())
            .cloned()
            .unwrap_or_else(|| raw.trim().to_owned())
    }
}

/// What a point of a stream is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sink {
    /// Without a label a number the dictionary knows; with one, 1 for the state that holds.
    State,
    Ok,
    Failed,
    Slow,
    Ignored,
    Rejected,
    Cancelled,
    InFlight,
    PermitsLeft,
    /// Permits left of a cap: without any, the state is `saturated`, else `closed`.
    CapPermitsLeft,
    /// Permits left of a rate, fewer than none where calls wait for those to come: the state is `throttling` then, else
    /// `closed`.
    RatePermitsLeft,
    WindowCalls,
    FailureRate,
    SlowRate,
    /// Times the state of the label was entered, or the one that is said.
    Entered(Option<usize>),
    /// Time in the state of the label, or the one that is said.
    Time(Option<usize>),
    /// Above zero, the state is `open`; else `closed`: tripped booleans.
    OpenIfPositive,
    /// Above zero, the state is `saturated`; else `closed`: caps.
    SaturatedIfPositive,
    /// Hosts that are ejected; above zero, the state is `open`, else `closed`.
    HostsEjected,
    /// Hosts that get calls, and hosts in all. A cluster is no ejection because it has hosts: alone these are no sample.
    HostsHealthy,
    HostsTotal,
}

impl Sink {
    /// Whether it is a number of hosts.
    pub(super) fn counts_hosts(self) -> bool {
        matches!(
            self,
            Self::HostsEjected | Self::HostsHealthy | Self::HostsTotal
        )
    }

    fn parse(text: &str) -> Option<Self> {
        Some(match text {
            "state" => Self::State,
            "ok" => Self::Ok,
            "failed" => Self::Failed,
            "slow" => Self::Slow,
            "ignored" => Self::Ignored,
            "rejected" => Self::Rejected,
            "cancelled" => Self::Cancelled,
            "in_flight" => Self::InFlight,
            "permits_left" => Self::PermitsLeft,
            "cap_permits_left" => Self::CapPermitsLeft,
            "rate_permits_left" => Self::RatePermitsLeft,
            "window_calls" => Self::WindowCalls,
            "failure_rate" => Self::FailureRate,
            "slow_rate" => Self::SlowRate,
            "entered" => Self::Entered(None),
            "time" => Self::Time(None),
            "open_if_positive" => Self::OpenIfPositive,
            "saturated_if_positive" => Self::SaturatedIfPositive,
            "hosts_ejected" => Self::HostsEjected,
            "hosts_healthy" => Self::HostsHealthy,
            "hosts_total" => Self::HostsTotal,
            _ => {
                let (what, state) = text.split_once('.')?;
                let state = Some(words::counted(state)?);
                match what {
                    "entered" => Self::Entered(state),
                    "time" => Self::Time(state),
                    _ => return None,
                }
            }
        })
    }
}

/// A compiled [`MetricRule`](super::rules::MetricRule).
#[derive(Debug)]
pub(super) struct Metric {
    pub origin: usize,
    pub pattern: Option<String>,
    pub breaker: Vec<Source>,
    pub key: Vec<Source>,
    pub peer: Vec<Source>,
    /// Empty where the stream has no label.
    pub label: Vec<Source>,
    pub sinks: Sinks,
    pub scale: f64,
    pub is_delta: bool,
    /// Of a histogram its sum counts, not its number of measurements.
    pub is_sum: bool,
    pub scope: Vec<String>,
    pub needs: Needs,
    pub matching: Match,
    pub name: String,
}

/// The sinks of a metric.
#[derive(Debug)]
pub(super) enum Sinks {
    One(Sink),
    ByLabel(ByLabel),
}

/// Sinks by value of a label.
#[derive(Debug, Default)]
pub(super) struct ByLabel {
    whole: HashMap<String, Vec<Sink>>,
    /// Values with stars.
    patterns: Vec<(String, Vec<Sink>)>,
}

impl ByLabel {
    /// The sinks of the first of these values that has any, and the value.
    pub(super) fn find(&self, values: Vec<String>) -> Option<(&[Sink], String)> {
        values.into_iter().find_map(|value| {
            let pattern = || {
                let like = |(pattern, _): &&(String, Vec<Sink>)| wildcard::is_like(pattern, &value);
                self.patterns.iter().find(like).map(|(_, sinks)| sinks)
            };
            let sinks = self.whole.get(&value).or_else(pattern)?;
            Some((sinks.as_slice(), value))
        })
    }
}

/// A compiled [`LogRule`].
#[derive(Debug)]
pub(super) struct Log {
    pub origin: usize,
    pub rule: LogRule,
    pub template: Option<Template>,
    pub fields: Fields,
    pub needs: Needs,
    pub unless: Needs,
}

impl Log {
    /// Bytes of a text that the holes of the rule's template take.
    pub(super) fn left_open(&self, text: &str) -> usize {
        let template = self.template.as_ref();
        let holes = template.and_then(|template| template.find(text));
        holes.map_or(0, |holes| holes.iter().map(|(_, hole)| hole.len()).sum())
    }
}

/// A compiled [`SpanRule`].
#[derive(Debug)]
pub(super) struct Span {
    pub origin: usize,
    pub rule: SpanRule,
    pub fields: Fields,
    pub needs: Needs,
    pub rejected_state: &'static str,
}

impl Span {
    /// The kind of policy it tells of.
    pub(super) fn pattern<'a>(&'a self, origins: &'a [Origin]) -> &'a str {
        let own = self.rule.pattern.as_deref();
        own.unwrap_or(&origins[self.origin].pattern)
    }
}

/// A compiled [`RejectionRule`].
#[derive(Debug)]
pub(super) struct Rejection {
    pub origin: usize,
    pub rule: RejectionRule,
    pub template: Option<Template>,
    pub breaker: Vec<Source>,
    pub needs: Needs,
    pub unless: Needs,
    pub state: &'static str,
}

impl Rejection {
    /// Whether a status message says it: one of the rule's messages, or the qualified name of an exception.
    pub(super) fn is_status(&self, message: &str) -> bool {
        let is_named = |kind: &String| kind.contains('.') && message.contains(kind.as_str());
        self.is_said_in(message) || self.rule.types.iter().any(is_named)
    }

    /// Whether a text has one of the rule's messages, ending where a word does: "breaker opened" is not "breaker open".
    pub(super) fn is_said_in(&self, text: &str) -> bool {
        self.rule.messages.iter().any(|message| {
            let ends_in_word = message.ends_with(char::is_alphanumeric);
            text.match_indices(message.as_str()).any(|(at, _)| {
                let after = &text[at + message.len()..];
                !ends_in_word || !after.starts_with(char::is_alphanumeric)
            })
        })
    }
}

static EMBEDDED: LazyLock<Recognisers> = LazyLock::new(|| {
    Recognisers::compile(SHIPPED.iter().copied()).expect("the embedded recognisers are tested")
});

impl Recognisers {
    /// Those that come with this build.
    pub fn shipped() -> &'static Self {
        &EMBEDDED
    }

    /// Compiles files, given as name and text.
    ///
    /// # Errors
    /// A file does not follow the format, or says something that means nothing.
    pub fn compile<'a>(
        files: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Result<Self, RulesError> {
        let mut parts = Parts::default();
        for (name, text) in files {
            let file = RecogniserFile::parse(name, text)?;
            parts.add(file).map_err(|reason| RulesError::Meaning {
                file: name.to_owned(),
                reason,
            })?;
        }
        Ok(parts.finish())
    }

    /// What to do so that the breakers of an origin report themselves.
    pub fn enable(&self, origin: &str) -> Option<&str> {
        let known = self.origins.iter().find(|known| known.name == origin)?;
        known.enable.as_deref()
    }

    /// What a replay of the breakers of an origin goes by, if that is known.
    pub(crate) fn replay_rules(&self, origin: &str) -> Option<&ReplayRules> {
        let known = self.origins.iter().find(|known| known.name == origin)?;
        known.replay.as_ref()
    }

    /// Whether a log rule is about events of this name. What a rule knows by its whole name is no pattern's.
    pub(super) fn is_about(&self, rule: usize, event: &str) -> bool {
        let names = &self.logs[rule].rule.event;
        if self.log_events.contains_key(event) {
            return names.iter().any(|name| name == event);
        }
        let mut patterns = names.iter().filter(|name| name.contains('*'));
        patterns.any(|pattern| wildcard::is_like(pattern, event))
    }

    /// Everything in the rows that is evidence of a breaker.
    pub(crate) fn recognise(
        &self,
        resources: &[ResourceRow],
        scopes: &[ScopeRow],
        rows: &PreparedRows,
    ) -> Evidence {
        match rows {
            PreparedRows::Spans(spans) => self.in_spans(resources, scopes, spans),
            PreparedRows::Logs(logs) => self.in_logs(resources, scopes, logs),
            PreparedRows::Metrics(metrics) => self.in_metrics(resources, scopes, metrics),
        }
    }
}

/// Whether a scope is one of those a rule asks for.
pub(super) fn is_scope(wanted: &[String], scope: &str) -> bool {
    wanted.is_empty()
        || wanted
            .iter()
            .any(|prefix| scope.starts_with(prefix.as_str()))
}
