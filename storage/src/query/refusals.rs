//! Refused calls within a trace: which spans they are, and the trip each goes back to.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, StringBuilder, TimestampNanosecondArray, UInt32Array};
use duckdb::{Connection, OptionalExt, params};

use super::{QueryError, Session};
use crate::ask::Ask;
use crate::ingest::{ResourceRow, ScopeRow};
use crate::model::{Refusal, RefusalTrip, SpanRecord};
use crate::resilience::{Recognisers, SampleRow};

const TRIP: &str = include_str!("refusal_trip.sql");

/// What recognisers read of spans, gathered while the spans are.
#[derive(Default)]
pub(super) struct Readable {
    resources: Vec<ResourceRow>,
    scopes: Vec<ScopeRow>,
    /// The parent of each span that has one, by id.
    parents: HashMap<String, String>,
    times: Vec<Option<i64>>,
    trace_ids: StringBuilder,
    span_ids: StringBuilder,
    names: StringBuilder,
    kinds: StringBuilder,
    messages: StringBuilder,
    attributes: StringBuilder,
    events: StringBuilder,
    peers: StringBuilder,
}

impl Readable {
    /// Takes note of a span; `attributes` and `events` are its JSON texts, `peer` is the callee it names.
    pub(super) fn push(
        &mut self,
        span: &SpanRecord,
        attributes: Option<&str>,
        events: Option<&str>,
        peer: Option<&str>,
    ) {
        self.resources.push(ResourceRow {
            service_name: span.service_name.clone(),
            service_namespace: span.scope.service_namespace.clone(),
            service_instance_id: span.service_instance_id.clone(),
            environment: span.scope.environment.clone(),
            cluster: span.scope.cluster.clone(),
            ..ResourceRow::default()
        });
        self.scopes.push(ScopeRow {
            name: span.scope_name.clone().unwrap_or_default(),
            ..ScopeRow::default()
        });
        self.times
            .push(i64::try_from(span.start_time_unix_nano).ok());
        self.trace_ids.append_value(&span.trace_id);
        self.span_ids.append_value(&span.span_id);
        self.names.append_value(&span.name);
        self.kinds.append_value(&span.kind);
        self.messages.append_option(span.status_message.as_deref());
        self.attributes.append_option(attributes);
        self.events.append_option(events);
        self.peers.append_option(peer);
        if let Some(parent) = &span.parent_span_id {
            self.parents.insert(span.span_id.clone(), parent.clone());
        }
    }

    /// Those of the spans that are refused calls.
    pub(super) fn refused(self) -> Vec<SampleRow> {
        if self.resources.is_empty() {
            return Vec::new();
        }
        let (resources, scopes, batch) = self.finish();
        Recognisers::shipped().refusals(&resources, &scopes, &batch)
    }

    fn finish(mut self) -> (Vec<ResourceRow>, Vec<ScopeRow>, RecordBatch) {
        let rows = u32::try_from(self.resources.len()).unwrap_or(u32::MAX);
        let own = || Arc::new(UInt32Array::from_iter_values(0..rows)) as ArrayRef;
        let columns: [(&str, ArrayRef); 11] = [
            ("resource_ix", own()),
            ("scope_ix", own()),
            (
                "start_time",
                Arc::new(TimestampNanosecondArray::from(self.times)),
            ),
            ("trace_id", Arc::new(self.trace_ids.finish())),
            ("span_id", Arc::new(self.span_ids.finish())),
            ("name", Arc::new(self.names.finish())),
            ("kind", Arc::new(self.kinds.finish())),
            ("status_message", Arc::new(self.messages.finish())),
            ("attributes", Arc::new(self.attributes.finish())),
            ("events", Arc::new(self.events.finish())),
            ("peer", Arc::new(self.peers.finish())),
        ];
        let batch = RecordBatch::try_from_iter_with_nullable(
            columns
                .into_iter()
                .map(|(name, column)| (name, column, true)),
        );
        (
            self.resources,
            self.scopes,
            batch.expect("columns of one length"),
        )
    }
}

/// What was said twice is said once: an error that goes up the trace without a name for its breaker is the one that the
/// span below names.
fn without_echoes(found: &mut Vec<SampleRow>, parents: &HashMap<String, String>) {
    let mut above: HashSet<&str> = HashSet::new();
    for sample in found.iter().filter(|sample| is_named(sample)) {
        let mut span = sample.span_id.as_deref().unwrap_or_default();
        while let Some(parent) = parents.get(span).filter(|id| above.insert(id.as_str())) {
            span = parent.as_str();
        }
    }
    let is_echo = |sample: &SampleRow| {
        let span = sample.span_id.as_deref().unwrap_or_default();
        !is_named(sample) && above.contains(span)
    };
    let echoes: Vec<bool> = found.iter().map(is_echo).collect();
    let mut echoes = echoes.into_iter();
    found.retain(|_| !echoes.next().unwrap_or(false));
}

fn is_named(sample: &SampleRow) -> bool {
    !sample.subject.name.is_empty()
}

/// The refused calls among these spans.
pub(super) fn refusals(
    session: &Session<'_>,
    conn: &Connection,
    mut spans: Readable,
) -> Result<Vec<Refusal>, QueryError> {
    let parents = std::mem::take(&mut spans.parents);
    let mut found = spans.refused();
    without_echoes(&mut found, &parents);
    let mut trips: HashMap<(String, String, Option<String>), Option<RefusalTrip>> = HashMap::new();
    let mut all = Vec::new();
    for sample in found {
        let subject = sample.subject;
        let service_name = subject.service_name.unwrap_or_default();
        let who = (
            service_name.clone(),
            subject.name.clone(),
            subject.key.clone(),
        );
        // One look a breaker: the calls of a trace are near to each other.
        let trip = match trips.get(&who) {
            Some(known) => known.clone(),
            // Nobody knows which breaker it was.
            None if subject.name.is_empty() => None,
            None => {
                let (service, name, key) = &who;
                if !session.is_concluded()? {
                    session.provide(&["breaker_transitions"])?;
                }
                let trip = conn
                    .ask_row(
                        TRIP,
                        params![
                            service,
                            name,
                            key.as_deref().unwrap_or(""),
                            sample.time_unix_nano
                        ],
                        |row| {
                            Ok(RefusalTrip {
                                time_unix_nano: row.get(0)?,
                                trace_id: row.get(1)?,
                            })
                        },
                    )
                    .optional()?;
                trips.insert(who, trip.clone());
                trip
            }
        };
        all.push(Refusal {
            span_id: sample.span_id.unwrap_or_default(),
            pattern: subject.pattern,
            service_name,
            name: subject.name,
            key: subject.key,
            origin: subject.origin,
            confidence: sample.confidence,
            trip,
        });
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resilience::Subject;

    fn sample(span: &str, name: &str) -> SampleRow {
        SampleRow {
            subject: Subject {
                name: name.to_owned(),
                ..Subject::default()
            },
            span_id: Some(span.to_owned()),
            ..SampleRow::default()
        }
    }

    #[test]
    fn an_error_on_its_way_up_is_no_refusal_of_its_own() {
        let parents: HashMap<String, String> =
            [("c", "b"), ("b", "a"), ("x", "a"), ("l", "m"), ("m", "l")]
                .map(|(child, parent)| (child.to_owned(), parent.to_owned()))
                .into();
        let mut found = vec![
            sample("a", ""),
            sample("b", ""),
            sample("c", "stock"),
            sample("x", ""),
            sample("m", "cycle"),
            sample("l", ""),
        ];
        without_echoes(&mut found, &parents);
        let left: Vec<&str> = found
            .iter()
            .filter_map(|row| row.span_id.as_deref())
            .collect();
        assert_eq!(left, ["c", "x", "m"]);
    }
}
