//! Compiles recogniser files: rules to what they are found by.

use std::collections::HashMap;

use super::super::errors::ERROR_TYPES;
use super::super::needles::Needles;
use super::super::rules::{LogRule, Match, MetricRule, RecogniserFile, SinkSpec, Strings};
use super::super::source::{Fields, Needs, sources};
use super::super::template::Template;
use super::super::{wildcard, words};
use super::{ByLabel, Log, Metric, Origin, Recognisers, Rejection, Sink, Sinks, Span, Told};

#[derive(Default)]
pub(super) struct Parts {
    origins: Vec<Origin>,
    metrics: Vec<Metric>,
    logs: Vec<Log>,
    spans: Vec<Span>,
    rejections: Vec<Rejection>,
}

impl Parts {
    pub(super) fn add(&mut self, file: RecogniserFile) -> Result<(), String> {
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
            replay: file.replay,
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
                unless: Needs::of(&rule.unless)?,
                state: known_state(&rule.state)?,
                rule,
            });
        }
        Ok(())
    }

    pub(super) fn finish(self) -> Recognisers {
        let Self {
            origins,
            metrics,
            logs,
            spans,
            rejections,
        } = self;
        let mut metrics_exact: HashMap<String, Vec<usize>> = HashMap::new();
        let mut metrics_suffix: HashMap<String, Vec<usize>> = HashMap::new();
        let (mut metrics_contain, mut metrics_any) = (Vec::new(), Vec::new());
        for (at, metric) in metrics.iter().enumerate() {
            let name = metric.name.clone();
            match metric.matching {
                Match::Exact => metrics_exact.entry(name).or_default().push(at),
                Match::Suffix => metrics_suffix.entry(name).or_default().push(at),
                Match::Contains => metrics_contain.push((name, at)),
                Match::Any => metrics_any.push((name, at)),
            }
        }
        let mut log_events: HashMap<String, Vec<usize>> = HashMap::new();
        let (mut bodies, mut in_events, mut pieces) = (Vec::new(), Vec::new(), Vec::new());
        let mut by_attribute = Vec::new();
        for (at, log) in logs.iter().enumerate() {
            for event in &log.rule.event {
                if event.contains('*') {
                    let piece = wildcard::literal(event);
                    pieces.push((piece.to_owned(), at));
                    in_events.push((piece.to_owned(), Told::Log(at)));
                } else {
                    log_events.entry(event.clone()).or_default().push(at);
                    in_events.push((format!("\"name\":\"{event}\""), Told::Log(at)));
                    by_attribute.push((format!("\"event.name\":\"{event}\""), Told::Log(at)));
                }
            }
            // What the JSON of one is, are the attributes of another, written without blanks.
            let json = log.rule.json.iter().filter(|text| !text.contains(' '));
            by_attribute.extend(json.map(|text| (text.clone(), Told::Log(at))));
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
            attributes.extend(needles.map(|needle| (needle, Told::Span(at))));
        }
        let (mut exceptions, mut messages) = (Vec::new(), Vec::new());
        let mut statuses = Vec::new();
        let mut error_types: HashMap<String, Vec<usize>> = HashMap::new();
        for (at, rejection) in rejections.iter().enumerate() {
            let rule = &rejection.rule;
            exceptions.extend(rule.types.iter().map(|kind| (format!("\"{kind}\""), at)));
            messages.extend(rule.messages.iter().map(|text| (text.clone(), at)));
            let qualified = rule.types.iter().filter(|kind| kind.contains('.'));
            statuses.extend(qualified.map(|kind| (kind.clone(), at)));
            for kind in &rule.types {
                error_types.entry(kind.clone()).or_default().push(at);
            }
        }
        let error_keys = ERROR_TYPES.map(|key| (format!("\"{key}\":"), Told::Error));
        attributes.extend(error_keys);
        statuses.extend(messages.iter().cloned());
        let told = |(text, at): &(String, usize)| (text.clone(), Told::Rejection(*at));
        in_events.extend(exceptions.iter().chain(&messages).map(told));
        bodies.extend(messages.iter().map(told));
        let errors = exceptions.iter().chain(&messages).map(told);
        let in_attributes: Vec<(String, Told)> = errors.chain(by_attribute).collect();
        Recognisers {
            origins,
            metrics,
            metrics_exact,
            metrics_suffix,
            metrics_contain,
            metrics_any: Needles::new(metrics_any),
            log_events,
            log_event_pieces: Needles::new(pieces),
            log_bodies: Needles::new(bodies),
            logs,
            spans,
            span_attributes: Needles::new(attributes),
            span_names,
            rejections,
            error_types,
            span_events: Needles::new(in_events),
            exceptions: Needles::new(in_attributes),
            messages: Needles::new(statuses),
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
    // What is looked for in place of a name.
    let name = match rule.matching {
        Match::Any => rule.needs.values().find(|value| !value.contains('*')),
        _ => Some(&rule.name),
    };
    let name = name.ok_or_else(|| format!("{} needs no value of an attribute", rule.name))?;
    Ok(Metric {
        origin,
        name: name.clone(),
        is_delta: rule.delta,
        is_sum: rule.sum,
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
