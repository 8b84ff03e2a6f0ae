//! Evidence in spans: states and outcomes in attributes, refused calls, legacy span events.
//!
//! A service that writes the state on every call would give a sample a span; of equal states in a row only
//! the first and the last are kept, which says the same.

use std::collections::HashMap;

use arrow::array::RecordBatch;
use serde_json::Value;

use super::document;
use super::evidence::{Evidence, SampleRow, Subject};
use super::index::{InEvents, Item, Recognisers};
use super::logs::{OF_ERROR, Record, at, index, rejected_subject, text, time};
use crate::ingest::{ResourceRow, ScopeRow};

/// Confidence in a state that a span says.
const OF_SPAN: u32 = 85;

/// A breaker seen on a span.
struct Seen {
    sample: SampleRow,
    /// The span is a call that was refused.
    is_refusal: bool,
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
        let samples = seen.into_iter().map(|seen| seen.sample).collect();
        evidence.samples.extend(turns(samples));
        evidence
    }

    /// Every span that is a refused call: who refused it.
    pub(crate) fn refusals(
        &self,
        resources: &[ResourceRow],
        scopes: &[ScopeRow],
        batch: &RecordBatch,
    ) -> Vec<SampleRow> {
        self.seen(resources, scopes, batch, &mut Evidence::default())
            .into_iter()
            .filter(|seen| seen.is_refusal)
            .map(|seen| seen.sample)
            .collect()
    }

    fn seen(
        &self,
        resources: &[ResourceRow],
        scopes: &[ScopeRow],
        batch: &RecordBatch,
        evidence: &mut Evidence,
    ) -> Vec<Seen> {
        let mut seen: Vec<Seen> = Vec::new();
        let record = |row: usize| Record {
            resource: resources.get(index(batch, "resource_ix").value(row) as usize),
            scope: scopes
                .get(index(batch, "scope_ix").value(row) as usize)
                .map_or("", |scope| scope.name.as_str()),
            time: time(batch, "start_time", row),
            body: "",
            attributes: at(text(batch, "attributes"), row).unwrap_or_default(),
            trace_id: at(text(batch, "trace_id"), row).map(str::to_owned),
            span_id: at(text(batch, "span_id"), row).map(str::to_owned),
        };
        // The address in a span of the answering side is its own, not that of whom it calls.
        let peer = |row: usize| {
            at(text(batch, "peer"), row)
                .filter(|_| !matches!(at(text(batch, "kind"), row), Some("server" | "consumer")))
        };
        let mut taken = None;
        // Rules in the order of their files: the generic one is last.
        let mut found = self.span_attributes.hits(text(batch, "attributes"));
        found.extend(self.named_spans(batch));
        found.sort_unstable();
        for (row, rule) in found {
            if taken == Some(row) {
                continue;
            }
            if let Some(found) = self.read_span(rule, &record(row), peer(row)) {
                seen.push(found);
                taken = Some(row);
            }
        }
        let mut refused = Vec::new();
        for (row, rule) in self.span_events.hits(text(batch, "events")) {
            let events = at(text(batch, "events"), row).unwrap_or_default();
            let record = record(row);
            match rule {
                InEvents::Log(rule) => self.read_events(rule, &record, events, evidence),
                InEvents::Rejection(rule) => {
                    if refused.last() == Some(&row) {
                        continue;
                    }
                    if let Some(sample) = self.read_exceptions(rule, &record, events, peer(row)) {
                        seen.push(Seen {
                            sample,
                            is_refusal: true,
                        });
                        refused.push(row);
                    }
                }
            }
        }
        for (row, rule) in self.messages.hits(text(batch, "status_message")) {
            if refused.contains(&row) {
                continue;
            }
            let message = at(text(batch, "status_message"), row).unwrap_or_default();
            let record = record(row);
            if let Some(sample) = self.rejection(rule, &record, record.time, message, peer(row)) {
                seen.push(Seen {
                    sample,
                    is_refusal: true,
                });
                refused.push(row);
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
        };
        if !span.needs.all(&item) {
            return None;
        }
        let outcome = item.text(span.fields.get("outcome"));
        let is_rejected = outcome
            .as_ref()
            .is_some_and(|word| span.rule.rejected.contains(word));
        let said = item.text(span.fields.get("state"));
        let state = match said.as_deref().map(|word| origin.state(word)) {
            Some(Some(state)) => state,
            _ if is_rejected => span.rejected_state,
            _ => return None,
        };
        let name = item.text(span.fields.get("breaker"))?;
        let pattern = span.rule.pattern.as_deref().unwrap_or(&origin.pattern);
        let peer_service = item.text(span.fields.get("peer"));
        let sample = SampleRow {
            subject: Subject {
                key: item.text(span.fields.get("key")),
                peer_evidence: peer_service.is_some().then_some("span"),
                peer_service,
                ..Subject::of(record.resource?, &origin.name, pattern, name)
            },
            time_unix_nano: record.time?,
            state: Some(state),
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

    /// Events of a span that a log rule knows, each as a record of its own.
    fn read_events(&self, rule: usize, record: &Record<'_>, events: &str, evidence: &mut Evidence) {
        let names = &self.logs[rule].rule.event;
        for event in parsed(events) {
            if !names.contains(&event.name) {
                continue;
            }
            let attributes = event.attributes.to_string();
            let as_record = Record {
                attributes: &attributes,
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
    ) -> Option<SampleRow> {
        let rejection = &self.rejections[rule].rule;
        parsed(events).find_map(|event| {
            let of = |key: &str| document::text(event.attributes.get(key)?);
            let kind = of("exception.type").unwrap_or_default();
            let message = of("exception.message").unwrap_or_default();
            let is_one = rejection.types.contains(&kind)
                || rejection
                    .messages
                    .iter()
                    .any(|known| message.contains(known.as_str()));
            if !is_one {
                return None;
            }
            self.rejection(rule, record, event.time.or(record.time), &message, peer)
        })
    }

    fn rejection(
        &self,
        rule: usize,
        record: &Record<'_>,
        time: Option<i64>,
        message: &str,
        peer: Option<&str>,
    ) -> Option<SampleRow> {
        let rejection = &self.rejections[rule];
        let origin = &self.origins[rejection.origin];
        let subject = rejected_subject(rejection, origin, record.resource?, message, record, peer)?;
        Some(SampleRow {
            subject: Subject {
                peer_service: peer.map(str::to_owned),
                peer_evidence: peer.map(|_| "span"),
                ..subject
            },
            time_unix_nano: time?,
            state: Some(rejection.state),
            raw_state: Some(message.to_owned()),
            trace_id: record.trace_id.clone(),
            span_id: record.span_id.clone(),
            evidence: "span",
            confidence: OF_ERROR,
            ..SampleRow::default()
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
                .filter(|time| *time > 0),
            attributes: event.get_mut("attributes")?.take(),
        })
    })
}

/// Of each breaker's samples in order of time, those where a run of equal states begins or ends.
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
        let mut at = 0;
        rows.retain(|_| {
            let is_turn = at == 0
                || at + 1 == states.len()
                || states[at - 1] != states[at]
                || states[at + 1] != states[at];
            at += 1;
            is_turn
        });
    }
    let mut kept: Vec<SampleRow> = groups.into_iter().flatten().collect();
    kept.sort_by_key(|a| a.time_unix_nano);
    kept
}
