//! Refused calls of a range, as spans tell them: the same ones that the waterfall marks.
//!
//! Many libraries count no refusals; what is left of a refused call is a span with the library's error. Which spans these
//! are is for the recognisers to say ([`super::refusals`]); here they are looked for among the spans of some services, and
//! counted for the edges of the graph ([`flow`]). One that did not fail is found by an attribute that names its outcome, not
//! by an exception that was caught on its way; and of sealed segments keys are read by their plain names
//! (`resilience/refusable.rs`), because documents of all spans would take 7 µs each.

mod flow;

use std::collections::{BTreeMap, BTreeSet, HashMap};

use duckdb::{Connection, Row, params};

pub(super) use self::flow::count;
use super::QueryError;
use super::refusals::Readable;
use super::sample::Sample;
use crate::ask::{Ask, scope};
use crate::model::{Scope, SpanRecord, TimeRange};
use crate::resilience::{Recognisers, SampleRow, Subject};
use crate::segment::views::ReadKeys;
use crate::store::SegmentSet;

const REFUSED: &str = include_str!("refused_spans.sql");
/// Kinds of policies whose refusals are looked for: those that guard an edge.
const PATTERNS: [&str; 4] = ["breaker", "ejection", "concurrency_cap", "throttle"];
/// Spans that recognisers read at most.
const READ_MAX: usize = 50_000;

/// Trace and span.
type Key = (String, String);

/// What was found.
pub(super) struct RefusedSpans {
    /// Who refused, a span each.
    pub found: Vec<SampleRow>,
    /// The spans that were read.
    read: HashMap<Key, ReadSpan>,
}

/// What of a span tells for how much its refusal counts.
#[derive(Debug, Clone, Default)]
struct ReadSpan {
    parent: Option<String>,
    /// Calls it stands for, if it says so.
    weight: Option<f64>,
    /// It is the caller's span of a call to somebody, as edges count them.
    is_call: bool,
}

impl RefusedSpans {
    /// Those of these services in a range.
    pub(super) fn of(
        set: &SegmentSet,
        conn: &Connection,
        range: TimeRange,
        services: &BTreeSet<String>,
        sample: Sample,
    ) -> Result<Self, QueryError> {
        let outcomes = Recognisers::shipped().outcomes(&PATTERNS);
        let chosen_by: Vec<&'static str> = outcomes.keys().copied().collect();
        let mut others = Recognisers::shipped().read_in_spans(&PATTERNS);
        others.retain(|key| !outcomes.contains_key(key));
        let others: Vec<&'static str> = others.into_iter().collect();
        let keys = ReadKeys {
            chosen_by: &chosen_by,
            others: &others,
        };
        let columns = [chosen_by.as_slice(), &others].concat();
        let spans = set.readable_spans_sql(keys, &sample.condition(), |segment| {
            segment.may_hold_time(range.from_unix_nano, range.to_unix_nano)
        });
        let sql = REFUSED
            .replace("{spans}", &spans)
            .replace("{outcomes}", &is_outcome(&outcomes))
            .replace("{columns}", &format!("\"{}\"", columns.join("\", \"")))
            .replace("{limit}", &READ_MAX.to_string());
        let services: Vec<String> = services
            .iter()
            .map(|service| service.replace('\u{1e}', " "))
            .collect();
        let mut question = conn.ask(&sql)?;
        let mut rows = question.query(params![
            range.from_unix_nano,
            range.to_unix_nano,
            services.join("\u{1e}")
        ])?;
        let (mut readable, mut read) = (Readable::default(), HashMap::new());
        while let Some(row) = rows.next()? {
            let text = |at: usize| row.get::<_, Option<String>>(at);
            let start: Option<i64> = row.get(11)?;
            let span = SpanRecord {
                trace_id: text(0)?.unwrap_or_default(),
                span_id: text(1)?.unwrap_or_default(),
                parent_span_id: text(2)?,
                scope: scope(row, 3)?,
                service_name: text(6)?,
                service_instance_id: text(7)?,
                scope_name: text(8)?,
                name: text(9)?.unwrap_or_default(),
                kind: text(10)?.unwrap_or_default(),
                start_time_unix_nano: start.and_then(|ns| u64::try_from(ns).ok()).unwrap_or(0),
                status_message: text(12)?,
                ..SpanRecord::default()
            };
            let (peer, events) = (text(13)?, text(16)?);
            let attributes = match text(15)? {
                Some(attributes) => attributes,
                None => as_document(row, 17, &columns)?,
            };
            readable.push(&span, Some(&attributes), events.as_deref(), peer.as_deref());
            let is_outgoing = matches!(span.kind.as_str(), "client" | "producer");
            let of_it = ReadSpan {
                parent: span.parent_span_id,
                weight: row.get(14)?,
                is_call: is_outgoing && peer.is_some(),
            };
            read.insert((span.trace_id, span.span_id), of_it);
        }
        let mut found = readable.refused();
        found.retain(|sample| PATTERNS.contains(&sample.subject.pattern.as_str()));
        Ok(Self { found, read })
    }
}

/// The attributes that columns from `at` on hold, as one text.
fn as_document(row: &Row<'_>, at: usize, keys: &[&str]) -> duckdb::Result<String> {
    let mut found = serde_json::Map::new();
    for (number, key) in keys.iter().enumerate() {
        if let Some(value) = row.get::<_, Option<String>>(at + number)? {
            found.insert((*key).to_owned(), value.into());
        }
    }
    Ok(serde_json::Value::Object(found).to_string())
}

/// SQL of "an attribute says that it was refused".
fn is_outcome(outcomes: &BTreeMap<&str, Vec<&str>>) -> String {
    let mut conditions: Vec<String> = Vec::new();
    for (key, words) in outcomes {
        if words.is_empty() {
            conditions.push(format!("\"{key}\" IS NOT NULL"));
        }
        let says = |word: &&str| format!("contains(lower(\"{key}\"), lower('{word}'))");
        conditions.extend(words.iter().map(says));
    }
    match conditions.is_empty() {
        true => "false".to_owned(),
        false => conditions.join(" OR "),
    }
}

/// Where a service lives that refused a call.
pub(super) fn scope_of(subject: &Subject) -> Scope {
    Scope {
        environment: subject.environment.clone(),
        service_namespace: subject.service_namespace.clone(),
        cluster: subject.cluster.clone(),
    }
}
