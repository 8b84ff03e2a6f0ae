//! The recogniser files compiled: what a name, a text or an attribute leads to.
//!
//! The usual item is no evidence and must cost next to nothing: event and scope names are looked up in hash
//! maps, metric names once a stream, and texts and attribute keys are looked for in whole columns at once.

use std::collections::{BTreeMap, HashMap};
use std::sync::LazyLock;

use serde_json::Value;

use super::evidence::Evidence;
use super::needles::Needles;
use super::rules::{
    LogRule, Match, MetricRule, RecogniserFile, RejectionRule, RulesError, SinkSpec, SpanRule,
    Strings,
};
use super::template::{Captures, Template};
use super::{SHIPPED, clusters, document, wildcard, words};
use crate::ingest::{PreparedRows, ResourceRow, ScopeRow};

/// All recognisers, ready to look at batches.
#[derive(Debug)]
pub struct Recognisers {
    pub(super) origins: Vec<Origin>,
    pub(super) metrics: Vec<Metric>,
    pub(super) metrics_exact: HashMap<String, Vec<usize>>,
    pub(super) metrics_suffix: HashMap<String, Vec<usize>>,
    pub(super) metrics_contain: Vec<(String, usize)>,
    pub(super) logs: Vec<Log>,
    pub(super) log_events: HashMap<String, Vec<usize>>,
    /// In the names of events: pieces of patterns.
    pub(super) log_event_pieces: Needles<usize>,
    /// In the bodies of logs: rules of logs, and messages of errors.
    pub(super) log_bodies: Needles<Told>,
    pub(super) spans: Vec<Span>,
    pub(super) span_attributes: Needles<usize>,
    pub(super) span_names: HashMap<String, Vec<usize>>,
    pub(super) rejections: Vec<Rejection>,
    /// In the events of spans: rules of logs, and exceptions.
    pub(super) span_events: Needles<Told>,
    /// In the attributes of logs: types and messages of errors.
    pub(super) exceptions: Needles<usize>,
    /// In status messages.
    pub(super) messages: Needles<usize>,
}

/// The rule that a text found leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Told {
    /// A record or an event that a log rule knows.
    Log(usize),
    /// An error.
    Rejection(usize),
}

/// What rules of one file share.
#[derive(Debug)]
pub(super) struct Origin {
    pub name: String,
    pub pattern: String,
    enable: Option<String>,
    states: BTreeMap<String, String>,
    reasons: BTreeMap<String, String>,
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

/// Where a value comes from, and what is made of it.
#[derive(Debug, Clone)]
pub(super) struct Source {
    place: Place,
    through: Option<Function>,
}

#[derive(Debug, Clone)]
enum Place {
    Attribute(String),
    Ending(String),
    Hole(String),
    Literal(String),
}

#[derive(Debug, Clone, Copy)]
enum Function {
    IstioService,
    DaprApp,
}

impl Function {
    fn parse(name: &str) -> Option<Self> {
        match name {
            "istio_service" => Some(Self::IstioService),
            "dapr_app" => Some(Self::DaprApp),
            _ => None,
        }
    }

    fn apply(self, text: &str) -> Option<String> {
        match self {
            Self::IstioService => clusters::istio_service(text),
            Self::DaprApp => clusters::dapr_app(text),
        }
    }
}

impl Source {
    fn parse(text: &str) -> Result<Self, String> {
        if let Some(literal) = text.strip_prefix('=') {
            let place = Place::Literal(literal.to_owned());
            return Ok(Self {
                place,
                through: None,
            });
        }
        let (text, through) = match text.split_once('|') {
            Some((text, name)) => {
                let name = name.trim();
                let function =
                    Function::parse(name).ok_or_else(|| format!("{name} is no function"))?;
                (text.trim_end(), Some(function))
            }
            None => (text, None),
        };
        let place = match (text.strip_prefix('@'), text.strip_prefix('*')) {
            (Some(hole), _) => Place::Hole(hole.to_owned()),
            (_, Some(ending)) => Place::Ending(ending.to_owned()),
            _ => Place::Attribute(text.to_owned()),
        };
        Ok(Self { place, through })
    }

    /// Whether it reads the attribute of this key.
    fn reads(&self, key: &str) -> bool {
        matches!(&self.place, Place::Attribute(own) if document::is_spelling(own, key))
    }
}

fn sources(texts: &[String]) -> Result<Vec<Source>, String> {
    texts.iter().map(|text| Source::parse(text)).collect()
}

/// What the sources of an item read from.
#[derive(Debug, Default)]
pub(super) struct Item<'a> {
    /// Hot-encoded attributes.
    pub attributes: &'a str,
    /// Holes of a template, members of a JSON body.
    pub holes: Captures,
}

impl Item<'_> {
    /// The first source that is there.
    pub(super) fn value(&self, sources: &[Source]) -> Option<Value> {
        sources.iter().find_map(|source| {
            let value = self.at(&source.place).filter(|value| !value.is_null())?;
            match source.through {
                Some(function) => function.apply(&document::text(&value)?).map(Value::String),
                None => Some(value),
            }
        })
    }

    fn at(&self, place: &Place) -> Option<Value> {
        match place {
            Place::Attribute(key) => document::get(self.attributes, key),
            Place::Ending(ending) => document::get_ending(self.attributes, ending),
            Place::Hole(name) => {
                let (_, text) = self.holes.iter().find(|(hole, _)| hole == name)?;
                Some(Value::String(text.clone()))
            }
            Place::Literal(text) => Some(Value::String(text.clone())),
        }
    }

    /// What the first source that is there may be compared as ([`document::alternatives`]).
    pub(super) fn alternatives(&self, sources: &[Source]) -> Vec<String> {
        self.value(sources)
            .map_or_else(Vec::new, |value| document::alternatives(&value))
    }

    /// Its text, if not empty.
    pub(super) fn text(&self, sources: &[Source]) -> Option<String> {
        let text = document::text(&self.value(sources)?)?;
        // .NET's logging writes a name that is not there like that.
        (!matches!(text.trim(), "" | "(null)")).then_some(text)
    }
}

/// The sources of a rule's fields.
#[derive(Debug)]
pub(super) struct Fields(HashMap<String, Vec<Source>>);

impl Fields {
    fn of(fields: &BTreeMap<String, Strings>) -> Result<Self, String> {
        let compiled = fields.iter().map(|(name, texts)| {
            let sources = sources(texts.as_slice())?;
            Ok::<_, String>((name.clone(), sources))
        });
        compiled.collect::<Result<_, _>>().map(Self)
    }

    pub(super) fn get(&self, name: &str) -> &[Source] {
        self.0.get(name).map_or(&[], Vec::as_slice)
    }

    /// Whether a field reads the attribute of this key.
    pub(super) fn read(&self, key: &str) -> bool {
        self.0.values().flatten().any(|source| source.reads(key))
    }
}

/// Conditions on sources: the value wanted, or `*`.
#[derive(Debug)]
pub(super) struct Needs(Vec<(Source, String)>);

impl Needs {
    fn of(needs: &BTreeMap<String, String>) -> Result<Self, String> {
        let compiled = needs.iter().map(|(source, wanted)| {
            let source = Source::parse(source)?;
            Ok::<_, String>((source, wanted.clone()))
        });
        compiled.collect::<Result<_, _>>().map(Self)
    }

    pub(super) fn all(&self, item: &Item<'_>) -> bool {
        self.0.iter().all(|need| Self::holds(need, item))
    }

    pub(super) fn any(&self, item: &Item<'_>) -> bool {
        self.0.iter().any(|need| Self::holds(need, item))
    }

    fn holds((source, wanted): &(Source, String), item: &Item<'_>) -> bool {
        item.alternatives(std::slice::from_ref(source))
            .iter()
            .any(|text| text != "(null)" && wildcard::is_like(wanted, text))
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
    WindowCalls,
    FailureRate,
    SlowRate,
    /// Times the state of the label was entered, or the one that is said.
    Entered(Option<usize>),
    /// Time in the state of the label, or the one that is said.
    Time(Option<usize>),
    /// Above zero, the state is `open`; else `closed`: ejections, tripped booleans.
    OpenIfPositive,
    /// Above zero, the state is `saturated`; else `closed`: caps.
    SaturatedIfPositive,
}

impl Sink {
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
            "window_calls" => Self::WindowCalls,
            "failure_rate" => Self::FailureRate,
            "slow_rate" => Self::SlowRate,
            "entered" => Self::Entered(None),
            "time" => Self::Time(None),
            "open_if_positive" => Self::OpenIfPositive,
            "saturated_if_positive" => Self::SaturatedIfPositive,
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

/// A compiled [`MetricRule`].
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
    pub state: &'static str,
}

impl Rejection {
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

#[derive(Default)]
struct Parts {
    origins: Vec<Origin>,
    metrics: Vec<Metric>,
    logs: Vec<Log>,
    spans: Vec<Span>,
    rejections: Vec<Rejection>,
}

impl Parts {
    fn add(&mut self, file: RecogniserFile) -> Result<(), String> {
        if let Some(word) = file
            .states
            .values()
            .find(|word| words::canonical(word).is_none())
        {
            return Err(format!("{word} is no canonical state"));
        }
        let origin = self.origins.len();
        self.origins.push(Origin {
            name: file.origin,
            pattern: file.pattern,
            enable: file.enable,
            states: file.states,
            reasons: file.reasons,
        });
        for rule in file.metrics {
            self.metrics.push(metric(origin, rule)?);
        }
        for rule in file.logs {
            self.logs.push(log(origin, rule)?);
        }
        for rule in file.spans {
            let rejected_state = known_state(&rule.rejected_state)?;
            if rule.attribute.is_none() && rule.name.is_none() {
                return Err("a span rule needs an attribute or a name".to_owned());
            }
            self.spans.push(Span {
                origin,
                fields: Fields::of(&rule.fields)?,
                needs: Needs::of(&rule.needs)?,
                rejected_state,
                rule,
            });
        }
        for rule in file.rejections {
            self.rejections.push(Rejection {
                origin,
                template: template(rule.text.as_deref())?,
                breaker: sources(&rule.breaker)?,
                needs: Needs::of(&rule.needs)?,
                state: known_state(&rule.state)?,
                rule,
            });
        }
        Ok(())
    }

    fn finish(self) -> Recognisers {
        let Self {
            origins,
            metrics,
            logs,
            spans,
            rejections,
        } = self;
        let mut metrics_exact: HashMap<String, Vec<usize>> = HashMap::new();
        let mut metrics_suffix: HashMap<String, Vec<usize>> = HashMap::new();
        let mut metrics_contain = Vec::new();
        for (at, metric) in metrics.iter().enumerate() {
            let name = metric.name.clone();
            match metric.matching {
                Match::Exact => metrics_exact.entry(name).or_default().push(at),
                Match::Suffix => metrics_suffix.entry(name).or_default().push(at),
                Match::Contains => metrics_contain.push((name, at)),
            }
        }
        let mut log_events: HashMap<String, Vec<usize>> = HashMap::new();
        let (mut bodies, mut in_events, mut pieces) = (Vec::new(), Vec::new(), Vec::new());
        for (at, log) in logs.iter().enumerate() {
            for event in &log.rule.event {
                if event.contains('*') {
                    let piece = wildcard::literal(event);
                    pieces.push((piece.to_owned(), at));
                    in_events.push((piece.to_owned(), Told::Log(at)));
                } else {
                    log_events.entry(event.clone()).or_default().push(at);
                    in_events.push((format!("\"name\":\"{event}\""), Told::Log(at)));
                }
            }
            let text = log.template.as_ref().map(Template::needle);
            let needle = text.or(log.rule.json.as_deref()).unwrap_or_default();
            bodies.push((needle.to_owned(), Told::Log(at)));
        }
        let mut span_names: HashMap<String, Vec<usize>> = HashMap::new();
        let mut attributes = Vec::new();
        for (at, span) in spans.iter().enumerate() {
            if let Some(name) = &span.rule.name {
                span_names.entry(name.clone()).or_default().push(at);
            }
            let key = span.rule.attribute.as_deref();
            let needles = key.into_iter().flat_map(attribute_needles);
            attributes.extend(needles.map(|needle| (needle, at)));
        }
        let (mut exceptions, mut messages) = (Vec::new(), Vec::new());
        for (at, rejection) in rejections.iter().enumerate() {
            let rule = &rejection.rule;
            exceptions.extend(rule.types.iter().map(|kind| (format!("\"{kind}\""), at)));
            messages.extend(rule.messages.iter().map(|text| (text.clone(), at)));
        }
        let told = |(text, at): &(String, usize)| (text.clone(), Told::Rejection(*at));
        in_events.extend(exceptions.iter().chain(&messages).map(told));
        bodies.extend(messages.iter().map(told));
        exceptions.extend(messages.iter().cloned());
        Recognisers {
            origins,
            metrics,
            metrics_exact,
            metrics_suffix,
            metrics_contain,
            log_events,
            log_event_pieces: Needles::new(pieces),
            log_bodies: Needles::new(bodies),
            logs,
            spans,
            span_attributes: Needles::new(attributes),
            span_names,
            rejections,
            span_events: Needles::new(in_events),
            exceptions: Needles::new(exceptions),
            messages: Needles::new(messages),
        }
    }
}

/// The texts that a key is looked for as, in a column of attribute maps. Every spelling is not: they would be too many.
fn attribute_needles(key: &str) -> Vec<String> {
    let (quote, key) = match key.strip_prefix('*') {
        Some(ending) => ("", ending),
        None => ("\"", key),
    };
    let alias = key.replace("circuit_breaker", "circuitbreaker");
    let mut keys = vec![key.to_owned(), key.replace('.', "_")];
    keys.extend([alias.replace('.', "_"), alias]);
    keys.sort_unstable();
    keys.dedup();
    keys.into_iter()
        .map(|key| format!("{quote}{key}\":"))
        .collect()
}

fn known_state(word: &str) -> Result<&'static str, String> {
    words::canonical(word).ok_or_else(|| format!("{word} is no canonical state"))
}

fn template(text: Option<&str>) -> Result<Option<Template>, String> {
    text.map(|text| Template::parse(text).ok_or_else(|| format!("{text} is no template")))
        .transpose()
}

fn metric(origin: usize, rule: MetricRule) -> Result<Metric, String> {
    let sink = |text: &String| Sink::parse(text).ok_or_else(|| format!("{text} is no sink"));
    let sinks = match &rule.sink {
        SinkSpec::One(text) => Sinks::One(sink(text)?),
        SinkSpec::ByLabel(by_label) => {
            if rule.label.is_none() {
                return Err(format!("{} has sinks by label but no label", rule.name));
            }
            let mut sinks = ByLabel::default();
            for (label, texts) in by_label {
                let parsed: Result<Vec<Sink>, String> = texts.as_slice().iter().map(sink).collect();
                if label.contains('*') {
                    sinks.patterns.push((label.clone(), parsed?));
                } else {
                    sinks.whole.insert(label.clone(), parsed?);
                }
            }
            Sinks::ByLabel(sinks)
        }
    };
    Ok(Metric {
        origin,
        pattern: rule.pattern,
        breaker: sources(&rule.breaker)?,
        key: sources(&rule.key)?,
        peer: sources(&rule.peer)?,
        label: sources(rule.label.as_ref().map_or(&[][..], Strings::as_slice))?,
        sinks,
        scale: rule.scale.unwrap_or(1.0),
        scope: rule.scope,
        needs: Needs::of(&rule.needs)?,
        matching: rule.matching,
        name: rule.name,
    })
}

fn log(origin: usize, rule: LogRule) -> Result<Log, String> {
    if rule.event.is_empty() && rule.text.is_none() && rule.json.is_none() {
        return Err("a log rule needs an event, a text or JSON".to_owned());
    }
    if !rule.fields.contains_key("breaker") {
        return Err("a log rule needs the field breaker".to_owned());
    }
    if let Some(event) = rule
        .event
        .iter()
        .find(|event| wildcard::literal(event).is_empty())
    {
        return Err(format!("the event {event:?} would be every event"));
    }
    Ok(Log {
        origin,
        template: template(rule.text.as_deref())?,
        fields: Fields::of(&rule.fields)?,
        needs: Needs::of(&rule.needs)?,
        unless: Needs::of(&rule.unless)?,
        rule,
    })
}
