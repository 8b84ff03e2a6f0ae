//! Evidence in log records: reported transitions and settings, errors of refused calls.

use arrow::array::{Array as _, AsArray as _, RecordBatch, StringArray, UInt32Array};
use arrow::datatypes::{TimestampNanosecondType, UInt32Type};
use serde_json::Value;

use super::document;
use super::evidence::{ConfigRow, Evidence, SampleRow, Subject, TransitionRow};
use super::index::{Item, Log, Origin, Recognisers, Rejection, is_scope};
use super::rules::Says;
use crate::ingest::{ResourceRow, ScopeRow, identity};

/// Confidence in a breaker's own report, and in a line of somebody's log.
const OF_EVENT: u32 = 100;
const OF_LOG: u32 = 90;
/// Confidence in a state that the error of a refused call proves.
pub(super) const OF_ERROR: u32 = 80;

/// A text column by name.
pub(super) fn text<'a>(batch: &'a RecordBatch, name: &str) -> &'a StringArray {
    batch
        .column_by_name(name)
        .expect("ingest builds this column")
        .as_string()
}

/// A column of indexes by name.
pub(super) fn index<'a>(batch: &'a RecordBatch, name: &str) -> &'a UInt32Array {
    batch
        .column_by_name(name)
        .expect("ingest builds this column")
        .as_primitive::<UInt32Type>()
}

/// A time by column and row.
pub(super) fn time(batch: &RecordBatch, name: &str, row: usize) -> Option<i64> {
    let column = batch
        .column_by_name(name)
        .expect("ingest builds this column")
        .as_primitive::<TimestampNanosecondType>();
    (!column.is_null(row)).then(|| column.value(row))
}

/// A text that is there.
pub(super) fn at(column: &StringArray, row: usize) -> Option<&str> {
    (!column.is_null(row)).then(|| column.value(row))
}

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
            body: at(bodies, row).unwrap_or_default(),
            attributes: at(attributes, row).unwrap_or_default(),
            trace_id: at(text(batch, "trace_id"), row).map(str::to_owned),
            span_id: at(text(batch, "span_id"), row).map(str::to_owned),
        };
        // A record is taken by the first rule that understands it.
        let mut taken: Option<usize> = None;
        if events.null_count() < events.len() {
            for row in 0..events.len() {
                let rules = at(events, row).and_then(|name| self.log_events.get(name));
                for rule in rules.into_iter().flatten() {
                    if taken != Some(row) && self.read_log(*rule, &record(row), &mut evidence) {
                        taken = Some(row);
                    }
                }
            }
        }
        let is_event =
            |row: usize| at(events, row).is_some_and(|name| self.log_events.contains_key(name));
        let mut found = self.log_bodies.hits(bodies);
        found.sort_unstable();
        for hits in found.chunk_by(|(row, _), (next, _)| row == next) {
            let row = hits[0].0;
            if is_event(row) {
                continue;
            }
            let record = record(row);
            let mut rules: Vec<usize> = hits.iter().map(|(_, rule)| *rule).collect();
            if rules.len() > 1 {
                // "breaker {name} state changed" says more of a record than "breaker {name} changed".
                rules.sort_by_cached_key(|rule| self.logs[*rule].left_open(record.body));
            }
            for rule in rules {
                if self.read_log(rule, &record, &mut evidence) {
                    break;
                }
            }
        }
        taken = None;
        for (row, rule) in self.exceptions.hits(attributes) {
            if taken == Some(row) {
                continue;
            }
            let record = record(row);
            if let Some(sample) = self.read_rejection(rule, &record) {
                evidence.samples.push(sample);
                taken = Some(row);
            }
        }
        evidence
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

    /// A refused call by the exception a log record carries.
    fn read_rejection(&self, rule: usize, record: &Record<'_>) -> Option<SampleRow> {
        let rejection = &self.rejections[rule];
        let kind = ["exception.type", "error.type"]
            .iter()
            .find_map(|key| document::get(record.attributes, key))?;
        if !rejection.rule.types.iter().any(|known| kind == *known) {
            return None;
        }
        let message = document::get(record.attributes, "exception.message");
        let message = message.and_then(|value| document::text(&value));
        let text = message.as_deref().unwrap_or(record.body);
        let origin = &self.origins[rejection.origin];
        let subject = rejected_subject(rejection, origin, record.resource?, text, record, None)?;
        Some(SampleRow {
            subject,
            time_unix_nano: record.time?,
            state: Some(rejection.state),
            raw_state: document::text(&kind),
            trace_id: record.trace_id.clone(),
            span_id: record.span_id.clone(),
            evidence: "log",
            confidence: OF_ERROR,
            ..SampleRow::default()
        })
    }
}

/// One log record, or one event of a span as if it were one.
pub(super) struct Record<'a> {
    pub resource: Option<&'a ResourceRow>,
    pub scope: &'a str,
    pub time: Option<i64>,
    pub body: &'a str,
    pub attributes: &'a str,
    pub trace_id: Option<String>,
    pub span_id: Option<String>,
}

/// The breaker whose refusal an error text tells of.
pub(super) fn rejected_subject(
    rejection: &Rejection,
    origin: &Origin,
    resource: &ResourceRow,
    text: &str,
    record: &Record<'_>,
    peer: Option<&str>,
) -> Option<Subject> {
    let mut item = Item {
        attributes: record.attributes,
        holes: rejection
            .template
            .as_ref()
            .and_then(|template| template.find(text))
            .unwrap_or_default(),
    };
    item.holes
        .extend(peer.map(|peer| ("peer".to_owned(), peer.to_owned())));
    let name = item.text(&rejection.breaker)?;
    let pattern = rejection.rule.pattern.as_deref().unwrap_or(&origin.pattern);
    Some(Subject::of(resource, &origin.name, pattern, name))
}

fn item<'a>(log: &Log, record: &Record<'a>) -> Option<Item<'a>> {
    let mut item = Item {
        attributes: record.attributes,
        ..Item::default()
    };
    if let Some(template) = &log.template {
        match template.find(record.body) {
            Some(holes) => item.holes = holes,
            None if log.rule.event.is_empty() => return None,
            None => {}
        }
    }
    if log.rule.json.is_some() {
        let members = document::members(record.body);
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
    let contributing = match item.value(log.fields.get("contributing")) {
        Some(Value::Array(ids)) => ids.iter().filter_map(document::text).collect(),
        _ => Vec::new(),
    };
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
    let fields: Vec<&str> = log.fields.attributes().collect();
    let settings: serde_json::Map<String, Value> = document::members(record.attributes)
        .into_iter()
        .filter(|(key, _)| !fields.contains(&key.as_str()))
        .filter_map(|(key, value)| Some((key.strip_prefix(prefix)?.to_owned(), value)))
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
