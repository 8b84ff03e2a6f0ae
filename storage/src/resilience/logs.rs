//! Evidence in log records: reported transitions and settings, errors of refused calls.

use arrow::array::{Array as _, AsArray as _, RecordBatch};
use arrow::datatypes::Int32Type;
use serde_json::Value;

use super::body::Body;
use super::columns::{at, index, text, time};
use super::document;
use super::errors::{ERROR_MESSAGES, ERROR_TYPES, OF_ERROR, Record, attribute, rejected};
use super::evidence::{ConfigRow, Evidence, SampleRow, Subject, TransitionRow};
use super::index::{Log, Origin, Recognisers, Told, is_scope};
use super::rules::Says;
use super::source::Item;
use crate::ingest::{ResourceRow, ScopeRow, identity};

/// Confidence in a breaker's own report, and in a line of somebody's log.
const OF_EVENT: u32 = 100;
const OF_LOG: u32 = 90;
/// Where log records carry whom was called.
const PEERS: [&str; 2] = ["service.peer.name", "peer.service"];
/// A body that says less than `INFO` is no report of an error.
const SEVERITY_MIN: i32 = 9;

impl Recognisers {
    /// Evidence in log records.
    pub fn in_logs(
        &self,
        resources: &[ResourceRow],
        scopes: &[ScopeRow],
        batch: &RecordBatch,
    ) -> Evidence {
        let mut evidence = Evidence::default();
        let (events, bodies) = (text(batch, "event_name"), text(batch, "body"));
        let attributes = text(batch, "attributes");
        let record = |row: usize| Record {
            resource: resources.get(index(batch, "resource_ix").value(row) as usize),
            scope: scopes
                .get(index(batch, "scope_ix").value(row) as usize)
                .map_or("", |scope| scope.name.as_str()),
            time: time(batch, "time", row),
            body: Body::of(at(bodies, row).unwrap_or_default()),
            attributes: at(attributes, row).unwrap_or_default(),
            trace_id: at(text(batch, "trace_id"), row).map(str::to_owned),
            span_id: at(text(batch, "span_id"), row).map(str::to_owned),
        };
        // A record is taken by the first rule that understands it.
        let mut taken: Option<usize> = None;
        let mut by_pattern: Vec<usize> = Vec::new();
        if events.null_count() < events.len() {
            for row in 0..events.len() {
                let rules = at(events, row).and_then(|name| self.log_events.get(name));
                for rule in rules.into_iter().flatten() {
                    if taken != Some(row) && self.read_log(*rule, &record(row), &mut evidence) {
                        taken = Some(row);
                    }
                }
            }
            for (row, rule) in self.log_event_pieces.hits(events) {
                let is_open = by_pattern.last() != Some(&row)
                    && self.is_about(rule, at(events, row).unwrap_or_default());
                if is_open && self.read_log(rule, &record(row), &mut evidence) {
                    by_pattern.push(row);
                }
            }
        }
        // Before records had event names, an attribute was one.
        let in_attributes = self.exceptions.hits(text(batch, "attributes"));
        let mut by_attribute: Vec<usize> = Vec::new();
        for (row, told) in &in_attributes {
            let Told::Log(rule) = told else {
                continue;
            };
            let is_open =
                by_attribute.last() != Some(row) && at(events, *row).is_none_or(str::is_empty);
            if is_open && self.read_log(*rule, &record(*row), &mut evidence) {
                by_attribute.push(*row);
            }
        }
        let is_event =
            |row: usize| at(events, row).is_some_and(|name| self.log_events.contains_key(name));
        let is_read = |row: usize| {
            by_pattern.binary_search(&row).is_ok() || by_attribute.binary_search(&row).is_ok()
        };
        let mut refused = Vec::new();
        let mut found = self.log_bodies.hits(bodies);
        found.sort_unstable();
        for hits in found.chunk_by(|(row, _), (next, _)| row == next) {
            let row = hits[0].0;
            if is_event(row) || is_read(row) {
                continue;
            }
            let record = record(row);
            let (mut rules, mut rejections) = (Vec::new(), Vec::new());
            for (_, told) in hits {
                match told {
                    Told::Span(_) | Told::Error => {}
                    Told::Log(rule) => rules.push(*rule),
                    Told::Rejection(rule) => rejections.push((row, *rule)),
                }
            }
            if rules.len() > 1 {
                // "breaker {name} state changed" says more of a record than "breaker {name} changed".
                rules.sort_by_cached_key(|rule| self.logs[*rule].left_open(record.body.text()));
            }
            let mut read = rules.into_iter();
            if !read.any(|rule| self.read_log(rule, &record, &mut evidence)) {
                refused.append(&mut rejections);
            }
        }
        self.add_rejections(&record, batch, &in_attributes, &refused, &mut evidence);
        evidence
    }

    /// Refused calls by the errors in attributes, and by these errors in bodies (row and rule), one a record.
    fn add_rejections<'a>(
        &self,
        record: &impl Fn(usize) -> Record<'a>,
        batch: &RecordBatch,
        in_attributes: &[(usize, Told)],
        in_bodies: &[(usize, usize)],
        evidence: &mut Evidence,
    ) {
        let mut taken: Option<usize> = None;
        let mut known = Vec::new();
        for (row, told) in in_attributes {
            let Told::Rejection(rule) = told else {
                continue;
            };
            if taken == Some(*row) {
                continue;
            }
            if let Some(sample) = self.read_rejection(*rule, &record(*row)) {
                evidence.samples.push(sample);
                taken = Some(*row);
                known.push(*row);
            }
        }
        if in_bodies.is_empty() {
            return;
        }
        let severities = batch
            .column_by_name("severity_number")
            .expect("ingest builds this column")
            .as_primitive::<Int32Type>();
        for (row, rule) in in_bodies {
            // Nothing said is 0.
            let is_report = !(1..SEVERITY_MIN).contains(&severities.value(*row));
            if !is_report || taken == Some(*row) || known.binary_search(row).is_ok() {
                continue;
            }
            let record = record(*row);
            let is_said = |text: &str| self.rejections[*rule].is_said_in(text);
            if !is_said(record.body.text()) {
                continue;
            }
            // Of a body with members, the one that is the error.
            let error = attribute(&record, &ERROR_MESSAGES, is_said);
            let text = error.unwrap_or_else(|| record.body.text().to_owned());
            if let Some(sample) = self.rejected_record(*rule, &record, (text.clone(), &text)) {
                evidence.samples.push(sample);
                taken = Some(*row);
            }
        }
    }

    /// Applies a log rule; whether it understood the record.
    pub(super) fn read_log(
        &self,
        rule: usize,
        record: &Record<'_>,
        evidence: &mut Evidence,
    ) -> bool {
        let log = &self.logs[rule];
        let origin = &self.origins[log.origin];
        if !is_scope(&log.rule.scope, record.scope) {
            return false;
        }
        let Some(item) = item(log, record) else {
            return false;
        };
        if !log.needs.all(&item) || log.unless.any(&item) {
            return false;
        }
        let (Some(resource), Some(time)) = (record.resource, record.time) else {
            return false;
        };
        let Some(subject) = subject(log, origin, resource, &item) else {
            return false;
        };
        match log.rule.says {
            Says::Transition => {
                let Some(row) = transition(log, origin, subject, time, record, &item) else {
                    return false;
                };
                evidence.transitions.push(row);
            }
            Says::Config => evidence
                .configs
                .push(config(log, subject, time, record, &item)),
            Says::Rejection => {
                let state = item.text(log.fields.get("state"));
                evidence.samples.push(SampleRow {
                    subject,
                    time_unix_nano: time,
                    state: Some(state.and_then(|word| origin.state(&word)).unwrap_or("open")),
                    trace_id: record.trace_id.clone(),
                    span_id: record.span_id.clone(),
                    evidence: "log",
                    confidence: OF_ERROR,
                    ..SampleRow::default()
                });
            }
        }
        true
    }

    /// A refused call by the error that a log record carries in its attributes.
    fn read_rejection(&self, rule: usize, record: &Record<'_>) -> Option<SampleRow> {
        let rejection = &self.rejections[rule];
        let is_type = |kind: &str| rejection.rule.types.iter().any(|known| known == kind);
        if let Some(kind) = attribute(record, &ERROR_TYPES, is_type) {
            let message = attribute(record, &ERROR_MESSAGES[..1], |_| true);
            let text = message.as_deref().unwrap_or(record.body.text());
            return self.rejected_record(rule, record, (kind, text));
        }
        let message = attribute(record, &ERROR_MESSAGES, |text| rejection.is_said_in(text))?;
        self.rejected_record(rule, record, (message.clone(), message.as_str()))
    }

    /// The refused call that a record tells of: by what, and in which text.
    fn rejected_record(
        &self,
        rule: usize,
        record: &Record<'_>,
        (raw, text): (String, &str),
    ) -> Option<SampleRow> {
        let rejection = &self.rejections[rule];
        let origin = &self.origins[rejection.origin];
        let peer = attribute(record, &PEERS, |peer| !peer.is_empty());
        let peer = peer.as_deref();
        let resource = record.resource?;
        let (subject, state) = rejected(rejection, origin, resource, (None, text), record, peer)?;
        if subject.name.is_empty() {
            return None;
        }
        Some(SampleRow {
            subject: Subject {
                peer_service: peer.map(str::to_owned),
                peer_evidence: peer.map(|_| "reported"),
                ..subject
            },
            time_unix_nano: record.time?,
            state: Some(state),
            raw_state: Some(raw),
            trace_id: record.trace_id.clone(),
            span_id: record.span_id.clone(),
            evidence: "log",
            confidence: OF_ERROR,
            ..SampleRow::default()
        })
    }
}

fn item<'a>(log: &Log, record: &'a Record<'_>) -> Option<Item<'a>> {
    let mut item = Item {
        attributes: record.attributes,
        body: Some(&record.body),
        ..Item::default()
    };
    if let Some(template) = &log.template {
        match template.find(record.body.text()) {
            Some(holes) => item.holes = holes,
            None if log.rule.event.is_empty() => return None,
            None => {}
        }
    }
    if let Some(needle) = &log.rule.json {
        let mut places = [record.body.text(), record.attributes].into_iter();
        let members = document::members(places.find(|place| place.contains(needle.as_str()))?);
        if members.is_empty() {
            return None;
        }
        item.holes.extend(
            members
                .iter()
                .filter_map(|(key, value)| Some((key.clone(), document::text(value)?))),
        );
    }
    Some(item)
}

fn subject(log: &Log, origin: &Origin, resource: &ResourceRow, item: &Item<'_>) -> Option<Subject> {
    let name = item.text(log.fields.get("breaker"))?;
    let pattern = log.rule.pattern.as_deref().unwrap_or(&origin.pattern);
    let peer_service = item.text(log.fields.get("peer"));
    let peer_address = item.text(log.fields.get("peer_address"));
    let has_peer = peer_service.is_some() || peer_address.is_some();
    Some(Subject {
        key: item.text(log.fields.get("key")),
        peer_evidence: has_peer.then_some("reported"),
        peer_service,
        peer_address,
        ..Subject::of(resource, &origin.name, pattern, name)
    })
}

fn transition(
    log: &Log,
    origin: &Origin,
    subject: Subject,
    time: i64,
    record: &Record<'_>,
    item: &Item<'_>,
) -> Option<TransitionRow> {
    let field = |name: &str| item.text(log.fields.get(name));
    let number = |name: &str| document::number(&item.value(log.fields.get(name))?);
    let whole = |name: &str| number(name).filter(|number| *number >= 0.0);
    let ratio = |name: &str| {
        let value = whole(name)?;
        Some(if log.rule.percent {
            value / 100.0
        } else {
            value
        })
    };
    let raw = field("to")?;
    let is_own = log.rule.evidence.as_deref() == Some("event");
    // Tries of one request share its trace.
    let mut contributing: Vec<String> = Vec::new();
    if let Some(Value::Array(ids)) = item.value(log.fields.get("contributing")) {
        for id in ids.iter().filter_map(document::text) {
            if !contributing.contains(&id) {
                contributing.push(id);
            }
        }
    }
    Some(TransitionRow {
        subject,
        time_unix_nano: time,
        generation: whole("generation").map(|number| number as u64),
        from_state: field("from").and_then(|word| origin.state(&word)),
        to_state: origin.state(&raw)?,
        raw_state: Some(raw),
        reason: field("reason").map(|word| origin.reason(&word)),
        failure_rate: ratio("failure_rate"),
        slow_rate: ratio("slow_rate"),
        window_calls: whole("window_calls").map(|number| number as u32),
        threshold: ratio("threshold"),
        open_for_ms: whole("open_for_ms").map(|number| number as u32),
        attempt: whole("attempt").map(|number| number as u32),
        trace_evidence: record.trace_id.is_some().then_some(if is_own {
            "exact"
        } else {
            "harvested"
        }),
        trace_id: record.trace_id.clone(),
        span_id: record.span_id.clone(),
        contributing_trace_ids: (!contributing.is_empty()).then(|| contributing.join(",")),
        evidence: if is_own { "event" } else { "log" },
        confidence: if is_own { OF_EVENT } else { OF_LOG },
        config_hash: field("config_hash"),
    })
}

fn config(
    log: &Log,
    subject: Subject,
    time: i64,
    record: &Record<'_>,
    item: &Item<'_>,
) -> ConfigRow {
    let prefix = log.rule.prefix.as_deref().unwrap_or_default();
    let alias = prefix.replace("circuit_breaker", "circuitbreaker");
    let bare = |key: &str| {
        let rest = key.strip_prefix(prefix);
        rest.or_else(|| key.strip_prefix(alias.as_str()))
            .map(str::to_owned)
    };
    let settings: serde_json::Map<String, Value> = document::members(record.attributes)
        .into_iter()
        .filter(|(key, _)| !log.fields.read(key))
        .filter_map(|(key, value)| Some((bare(&key)?, value)))
        .collect();
    let config = Value::Object(settings).to_string();
    ConfigRow {
        subject,
        valid_from_unix_nano: time,
        config_hash: item
            .text(log.fields.get("config_hash"))
            .unwrap_or_else(|| format!("{:016x}", identity(&config))),
        config,
        source: if log.rule.evidence.as_deref() == Some("event") {
            "event"
        } else {
            "log"
        },
    }
}
