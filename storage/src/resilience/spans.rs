//! Evidence in spans: states and outcomes in attributes, refused calls, legacy span events.
//!
//! A service that writes the state on every call would give a sample a span; of equal states in a row only
//! the first and the last are kept, which says the same. Whom a breaker guards, the calls below its spans may tell:
//! of those some more are kept, whatever their states.

use std::collections::{HashMap, HashSet};

use arrow::array::RecordBatch;
use serde_json::Value;

use super::body::Body;
use super::columns::{TIME_END, at, index, text, time};
use super::errors::{ERROR_MESSAGES, ERROR_TYPES, OF_ERROR, Record, attribute, rejected};
use super::evidence::{Evidence, SampleRow, Subject};
use super::index::{Recognisers, Told};
use super::source::Item;
use super::{document, wildcard};
use crate::ingest::{ResourceRow, ScopeRow, identity};

/// Confidence in a state that a span says.
const OF_SPAN: u32 = 85;
/// Samples of one breaker in one instance that are kept of a batch besides those that turns need.
const DRAWN_MAX: usize = 16;

/// A breaker seen on a span.
struct Seen {
    sample: SampleRow,
    /// The span is a call that was refused.
    is_refusal: bool,
}

/// All that is seen on the spans of a batch.
#[derive(Default)]
struct Sight {
    /// Each with its row; those that attributes name come first, in the order of rows.
    named: Vec<(usize, Seen)>,
    /// How many of them attributes name.
    by_attributes: usize,
    /// Rows of refused calls whose breaker has a name.
    refused: HashSet<usize>,
    /// By row, refused calls that no name is known of.
    nameless: Vec<(usize, SampleRow)>,
}

impl Sight {
    /// Takes note of what a rule read; whether other rules need not look at it.
    fn add(&mut self, row: usize, seen: Seen) -> bool {
        let is_named = !seen.sample.subject.name.is_empty();
        match (is_named, seen.is_refusal) {
            (true, is_refusal) => {
                if is_refusal {
                    self.refused.insert(row);
                }
                self.named.push((row, seen));
            }
            (false, true) => self.nameless.push((row, seen.sample)),
            (false, false) => {}
        }
        is_named
    }

    /// Takes note of what an error says. One that names nobody, or nobody but the callee, is of the breaker of its kind that
    /// the attributes of the span name: one refusal is one breaker's.
    fn add_error(&mut self, row: usize, mut error: Seen, peer: Option<&str>) -> bool {
        let Some(at) = self.named_by_attributes(row, &error.sample.subject.pattern) else {
            return self.add(row, error);
        };
        let known = &mut self.named[at].1;
        let name = error.sample.subject.name.as_str();
        let is_its_name = name == known.sample.subject.name;
        let is_nobodys = name.is_empty() || Some(name) == peer;
        // Whoever is closed refuses nothing: that was another one, further on.
        let is_another = error.is_refusal && known.sample.state == Some("closed");
        if !is_its_name && (!is_nobodys || is_another) {
            return self.add(row, error);
        }
        // What is said once more is no second refusal, and a state that differs is worth a sample.
        let says_no_more = !is_its_name || error.sample.state == known.sample.state;
        if error.is_refusal && says_no_more {
            known.is_refusal = true;
            self.refused.insert(row);
            return true;
        }
        error.is_refusal &= !known.is_refusal;
        let subject = &mut error.sample.subject;
        subject.name.clone_from(&known.sample.subject.name);
        subject.key.clone_from(&known.sample.subject.key);
        self.add(row, error)
    }

    /// The breaker of this kind that the attributes of a span name.
    fn named_by_attributes(&self, row: usize, pattern: &str) -> Option<usize> {
        let named = &self.named[..self.by_attributes];
        let first = named.partition_point(|(known, _)| *known < row);
        let mut of_row = named[first..].iter().take_while(|(known, _)| *known == row);
        let found = of_row.position(|(_, seen)| seen.sample.subject.pattern == pattern)?;
        Some(first + found)
    }

    /// Every refused call; one that more than one rule knows and none names, once.
    fn refusals(self) -> Vec<SampleRow> {
        let Self {
            named,
            mut refused,
            nameless,
            ..
        } = self;
        let of_named = named.into_iter().filter(|(_, seen)| seen.is_refusal);
        let mut all: Vec<SampleRow> = of_named.map(|(_, seen)| seen.sample).collect();
        let others = nameless.into_iter().filter(|(row, _)| refused.insert(*row));
        all.extend(others.map(|(_, sample)| sample));
        all
    }
}

impl Recognisers {
    /// Evidence in spans.
    pub fn in_spans(
        &self,
        resources: &[ResourceRow],
        scopes: &[ScopeRow],
        batch: &RecordBatch,
    ) -> Evidence {
        let mut evidence = Evidence::default();
        let seen = self.seen(resources, scopes, batch, &mut evidence);
        let samples = seen.named.into_iter().map(|(_, seen)| seen.sample);
        let samples = samples.collect();
        evidence.samples.extend(turns(samples));
        evidence
    }

    /// Every span that is a refused call: who refused it. Where the span does not say which breaker, its name is empty
    /// and only the kind and the library are known.
    pub(crate) fn refusals(
        &self,
        resources: &[ResourceRow],
        scopes: &[ScopeRow],
        batch: &RecordBatch,
    ) -> Vec<SampleRow> {
        self.seen(resources, scopes, batch, &mut Evidence::default())
            .refusals()
    }

    fn seen(
        &self,
        resources: &[ResourceRow],
        scopes: &[ScopeRow],
        batch: &RecordBatch,
        evidence: &mut Evidence,
    ) -> Sight {
        let mut seen = Sight::default();
        let record = |row: usize| Record {
            resource: resources.get(index(batch, "resource_ix").value(row) as usize),
            scope: scopes
                .get(index(batch, "scope_ix").value(row) as usize)
                .map_or("", |scope| scope.name.as_str()),
            time: time(batch, "start_time", row),
            body: Body::default(),
            attributes: at(text(batch, "attributes"), row).unwrap_or_default(),
            trace_id: at(text(batch, "trace_id"), row).map(str::to_owned),
            span_id: at(text(batch, "span_id"), row).map(str::to_owned),
        };
        // The address in a span of the answering side is its own, not that of whom it calls.
        let peer = |row: usize| {
            at(text(batch, "peer"), row)
                .filter(|_| !matches!(at(text(batch, "kind"), row), Some("server" | "consumer")))
        };
        // Rules in the order of their files: the generic one is last. A span may tell of several policies, but of
        // each kind only once.
        let (mut found, mut errors) = (Vec::new(), Vec::new());
        for (row, told) in self.span_attributes.hits(text(batch, "attributes")) {
            match told {
                Told::Span(rule) => found.push((row, rule)),
                Told::Error => errors.push(row),
                Told::Log(_) | Told::Rejection(_) => {}
            }
        }
        found.extend(self.named_spans(batch));
        found.sort_unstable();
        let (mut current, mut taken) = (None, Vec::new());
        for (row, rule) in found {
            if current != Some(row) {
                current = Some(row);
                taken.clear();
            }
            let pattern = self.spans[rule].pattern(&self.origins);
            if taken.contains(&pattern) {
                continue;
            }
            if let Some(found) = self.read_span(rule, &record(row), peer(row))
                && seen.add(row, found)
            {
                taken.push(pattern);
            }
        }
        seen.by_attributes = seen.named.len();
        let mut refused = HashSet::new();
        for (row, rule) in self.span_events.hits(text(batch, "events")) {
            let events = at(text(batch, "events"), row).unwrap_or_default();
            let record = record(row);
            match rule {
                Told::Span(_) | Told::Error => {}
                Told::Log(rule) => self.read_events(rule, &record, events, evidence),
                Told::Rejection(rule) => {
                    if refused.contains(&row) {
                        continue;
                    }
                    if let Some(found) = self.read_exceptions(rule, &record, events, peer(row))
                        && seen.add_error(row, found, peer(row))
                    {
                        refused.insert(row);
                    }
                }
            }
        }
        let status = |row: usize| at(text(batch, "status_message"), row).unwrap_or_default();
        for row in errors {
            let record = record(row);
            let message = attribute(&record, &ERROR_MESSAGES[..2], |text| !text.is_empty());
            let message = message.as_deref().unwrap_or_else(|| status(row));
            for rule in self.rejections_of_type(&record) {
                if !refused.contains(&row)
                    && let Some(found) =
                        self.rejection(rule, &record, record.time, (None, message), peer(row))
                    && seen.add_error(row, found, peer(row))
                {
                    refused.insert(row);
                }
            }
        }
        for (row, rule) in self.messages.hits(text(batch, "status_message")) {
            let message = status(row);
            if refused.contains(&row) || !self.rejections[rule].is_status(message) {
                continue;
            }
            let record = record(row);
            if let Some(found) =
                self.rejection(rule, &record, record.time, (None, message), peer(row))
                && seen.add_error(row, found, peer(row))
            {
                refused.insert(row);
            }
        }
        seen
    }

    fn named_spans(&self, batch: &RecordBatch) -> Vec<(usize, usize)> {
        if self.span_names.is_empty() {
            return Vec::new();
        }
        let names = text(batch, "name");
        (0..batch.num_rows())
            .filter_map(|row| Some((row, self.span_names.get(at(names, row)?)?)))
            .flat_map(|(row, rules)| rules.iter().map(move |rule| (row, *rule)))
            .collect()
    }

    fn read_span(&self, rule: usize, record: &Record<'_>, peer: Option<&str>) -> Option<Seen> {
        let span = &self.spans[rule];
        let origin = &self.origins[span.origin];
        let holes = peer
            .map(|peer| ("peer".to_owned(), peer.to_owned()))
            .into_iter()
            .collect();
        let item = Item {
            attributes: record.attributes,
            holes,
            ..Item::default()
        };
        if !span.needs.all(&item) {
            return None;
        }
        let outcomes = item.alternatives(span.fields.get("outcome"));
        let is_one_of = |wanted: &[String]| {
            outcomes.iter().any(|word| {
                let mut wanted = wanted.iter();
                wanted.any(|known| wildcard::is_like(known, word))
            })
        };
        let is_rejected = is_one_of(&span.rule.rejected);
        let has_acted = is_one_of(&span.rule.acted);
        let outcome = outcomes.into_iter().next();
        let said = item.text(span.fields.get("state"));
        let state = match said.as_deref().map(|word| origin.state(word)) {
            Some(Some(state)) => Some(state),
            _ if is_rejected => Some(span.rejected_state),
            _ if has_acted => None,
            _ => return None,
        };
        let name = item
            .text(span.fields.get("breaker"))
            .or_else(|| is_rejected.then(String::new))?;
        let pattern = span.pattern(&self.origins);
        let peer_service = item.text(span.fields.get("peer"));
        let sample = SampleRow {
            subject: Subject {
                key: item.text(span.fields.get("key")),
                peer_evidence: peer_service.is_some().then_some("span"),
                peer_service,
                ..Subject::of(record.resource?, &origin.name, pattern, name)
            },
            time_unix_nano: record.time?,
            state,
            raw_state: said.or(outcome),
            trace_id: record.trace_id.clone(),
            span_id: record.span_id.clone(),
            evidence: "span",
            confidence: OF_SPAN,
            ..SampleRow::default()
        };
        Some(Seen {
            sample,
            is_refusal: is_rejected,
        })
    }

    /// The rejections that know the type of the error that the attributes of a span name.
    fn rejections_of_type(&self, record: &Record<'_>) -> Vec<usize> {
        let types = ERROR_TYPES.iter().filter_map(|key| {
            let kind = document::text(&document::get(record.attributes, key)?)?;
            self.error_types.get(&kind)
        });
        types.flatten().copied().collect()
    }

    /// Events of a span that a log rule knows, each as a record of its own.
    fn read_events(&self, rule: usize, record: &Record<'_>, events: &str, evidence: &mut Evidence) {
        for event in parsed(events) {
            if !self.is_about(rule, &event.name) {
                continue;
            }
            let attributes = event.attributes.to_string();
            let as_record = Record {
                attributes: &attributes,
                body: Body::default(),
                time: event.time.or(record.time),
                trace_id: record.trace_id.clone(),
                span_id: record.span_id.clone(),
                ..*record
            };
            self.read_log(rule, &as_record, evidence);
        }
    }

    /// Exceptions of a span that mean a refused call.
    fn read_exceptions(
        &self,
        rule: usize,
        record: &Record<'_>,
        events: &str,
        peer: Option<&str>,
    ) -> Option<Seen> {
        let rejection = &self.rejections[rule];
        parsed(events).find_map(|event| {
            let of = |key: &str| document::text(event.attributes.get(key)?);
            let kind = of("exception.type").unwrap_or_default();
            let message = of("exception.message").unwrap_or_default();
            if !rejection.rule.types.contains(&kind) && !rejection.is_said_in(&message) {
                return None;
            }
            let error = (Some(kind.as_str()), message.as_str());
            self.rejection(rule, record, event.time.or(record.time), error, peer)
        })
    }

    fn rejection(
        &self,
        rule: usize,
        record: &Record<'_>,
        time: Option<i64>,
        error: (Option<&str>, &str),
        peer: Option<&str>,
    ) -> Option<Seen> {
        let rejection = &self.rejections[rule];
        let origin = &self.origins[rejection.origin];
        let (subject, state) = rejected(rejection, origin, record.resource?, error, record, peer)?;
        let sample = SampleRow {
            subject: Subject {
                peer_service: peer.map(str::to_owned),
                peer_evidence: peer.map(|_| "span"),
                ..subject
            },
            time_unix_nano: time?,
            state: Some(state),
            raw_state: Some(error.1.to_owned()),
            trace_id: record.trace_id.clone(),
            span_id: record.span_id.clone(),
            evidence: "span",
            confidence: OF_ERROR,
            ..SampleRow::default()
        };
        Some(Seen {
            sample,
            is_refusal: rejection.rule.refuses,
        })
    }
}

/// One event of a span.
struct SpanEvent {
    name: String,
    time: Option<i64>,
    attributes: Value,
}

fn parsed(events: &str) -> impl Iterator<Item = SpanEvent> {
    let events = match serde_json::from_str(events) {
        Ok(Value::Array(events)) => events,
        _ => Vec::new(),
    };
    events.into_iter().filter_map(|mut event| {
        Some(SpanEvent {
            name: event.get("name")?.as_str()?.to_owned(),
            time: event
                .get("time_unix_nano")
                .and_then(Value::as_i64)
                .filter(|time| (1..TIME_END).contains(time)),
            attributes: event.get_mut("attributes")?.take(),
        })
    })
}

/// Of each breaker's samples in order of time, those where a run of equal states begins or ends, and those drawn.
fn turns(seen: Vec<SampleRow>) -> Vec<SampleRow> {
    let mut by_subject: HashMap<(String, Option<String>), Vec<SampleRow>> = HashMap::new();
    for row in seen {
        let key = (
            row.subject.breaker_id(),
            row.subject.service_instance_id.clone(),
        );
        by_subject.entry(key).or_default().push(row);
    }
    let mut groups: Vec<Vec<SampleRow>> = by_subject.into_values().collect();
    for rows in &mut groups {
        rows.sort_by_key(|a| a.time_unix_nano);
        let states: Vec<_> = rows.iter().map(|row| row.state).collect();
        let drawn = drawn(rows);
        let mut at = 0;
        rows.retain(|_| {
            let is_turn = at == 0
                || at + 1 == states.len()
                || states[at - 1] != states[at]
                || states[at + 1] != states[at]
                || drawn.contains(&at);
            at += 1;
            is_turn
        });
    }
    let mut kept: Vec<SampleRow> = groups.into_iter().flatten().collect();
    kept.sort_by_key(|a| a.time_unix_nano);
    kept
}

/// Which samples of one breaker are kept whatever their states: the calls at the ends of a run may go to another callee
/// than most do. Refused calls go to nobody, and where all spans name one callee there is nothing to find out. They are
/// chosen by hashes of their ids, which favour no order of calls.
fn drawn(rows: &[SampleRow]) -> HashSet<usize> {
    let mut peers = rows.iter().map(|row| row.subject.peer_service.as_deref());
    let first = peers.next().flatten();
    if first.is_some() && peers.all(|peer| peer == first) {
        return HashSet::new();
    }
    let went_out = |row: &SampleRow| matches!(row.state, Some("closed" | "half_open"));
    let mut all: Vec<(u64, usize)> = rows
        .iter()
        .enumerate()
        .filter(|(_, row)| row.confidence == OF_SPAN && went_out(row))
        .map(|(at, row)| (identity(&(&row.trace_id, &row.span_id)), at))
        .collect();
    all.sort_unstable();
    all.into_iter().take(DRAWN_MAX).map(|(_, at)| at).collect()
}
