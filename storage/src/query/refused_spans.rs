//! Refused calls of a range, as spans tell them: the same ones that the waterfall marks.
//!
//! Many libraries count no refusals; what is left of a refused call is a span with the library's error. Which spans these
//! are is for the recognisers to say ([`super::refusals`]); here they are looked for among the spans of some services, and
//! laid to their breakers. One that did not fail is found by an attribute that names its outcome, not by an exception that
//! was caught on its way; and of sealed segments keys are read by their plain names (`resilience/refusable.rs`), because
//! documents of all spans would take 7 µs each.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use duckdb::{Connection, Row, params};

use super::QueryError;
use super::breakers::Guard;
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
/// Spans among which those of a graph are looked for, about; of more, a share of the traces is read.
const SPANS_MAX: f64 = 100_000.0;
/// Errors are not followed further up.
const DEPTH_MAX: usize = 64;

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
    /// Calls it stands for.
    weight: f64,
    /// It is the caller's span of a call to somebody, as edges count them.
    is_call: bool,
}

/// Calls that were refused.
struct RefusedCalls<'a> {
    subject: &'a Subject,
    of: ReadSpan,
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

    /// Each refused call once, however far up its error went.
    fn calls(&self) -> Vec<RefusedCalls<'_>> {
        let mut on_span: HashMap<Key, Vec<usize>> = HashMap::new();
        for (at, sample) in self.found.iter().enumerate() {
            on_span.entry(key(sample)).or_default().push(at);
        }
        let mut is_echo = vec![false; self.found.len()];
        for (at, sample) in self.found.iter().enumerate() {
            let mut span = key(sample);
            for _ in 0..DEPTH_MAX {
                let read = self.read.get(&span);
                let Some(parent) = read.and_then(|read| read.parent.as_ref()) else {
                    break;
                };
                span.1.clone_from(parent);
                for &above in on_span.get(&span).into_iter().flatten() {
                    match nearer(&self.found[above].subject, &sample.subject) {
                        Some(Nearer::Below) => is_echo[above] = true,
                        Some(Nearer::Above) => is_echo[at] = true,
                        None => {}
                    }
                }
            }
        }
        let told = self.found.iter().zip(is_echo);
        told.filter(|(_, is_echo)| !is_echo)
            .map(|(sample, _)| RefusedCalls {
                subject: &sample.subject,
                of: self.read.get(&key(sample)).cloned().unwrap_or_default(),
            })
            .collect()
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

/// Which of two spans of one path is nearer to who refused.
enum Nearer {
    Above,
    Below,
}

/// Of one refusal that both tell of; `None` where they tell of two.
fn nearer(above: &Subject, below: &Subject) -> Option<Nearer> {
    let is_one_service = above.service_name == below.service_name;
    let is_one_breaker = (&above.name, &above.key) == (&below.name, &below.key);
    if !is_one_service || above.name.is_empty() || is_one_breaker {
        Some(Nearer::Below)
    } else if below.name.is_empty() {
        Some(Nearer::Above)
    } else {
        None
    }
}

fn key(sample: &SampleRow) -> Key {
    let id = |id: &Option<String>| id.clone().unwrap_or_default();
    (id(&sample.trace_id), id(&sample.span_id))
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

/// Counts the calls that breakers refused in a range, for those of them that do not themselves.
pub(super) fn count(
    set: &SegmentSet,
    conn: &Connection,
    range: TimeRange,
    guards: &mut [Guard],
    uncounted: &BTreeSet<String>,
) -> Result<(), QueryError> {
    let services: BTreeSet<String> = guards
        .iter()
        .filter(|guard| uncounted.contains(&guard.breaker.breaker_id))
        .map(|guard| guard.service.clone())
        .collect();
    if services.is_empty() {
        return Ok(());
    }
    let sample = Sample::of(set, range, SPANS_MAX);
    let refused = RefusedSpans::of(set, conn, range, &services, sample)?;
    let mut sums: BTreeMap<usize, (f64, f64)> = BTreeMap::new();
    for calls in refused.calls() {
        let Some(at) = breaker_of(guards, calls.subject) else {
            continue;
        };
        let weight = calls.of.weight * sample.one_in as f64;
        let (all, as_failed) = sums.entry(at).or_default();
        *all += weight;
        *as_failed += if calls.of.is_call { weight } else { 0.0 };
    }
    for (at, (all, as_failed)) in sums {
        let breaker = &mut guards[at].breaker;
        if uncounted.contains(&breaker.breaker_id) {
            breaker.rejected = Some(all.round() as u64);
            breaker.rejected_basis = Some("spans".to_owned());
            breaker.rejected_as_failed = as_failed.round() as u64;
        }
    }
    Ok(())
}

/// The breaker that refused: the one of that name, else the only one it can have been.
fn breaker_of(guards: &[Guard], subject: &Subject) -> Option<usize> {
    let id = subject.breaker_id();
    if let Some(at) = guards
        .iter()
        .position(|guard| guard.breaker.breaker_id == id)
    {
        return Some(at);
    }
    let scope = scope_of(subject);
    let service = subject.service_name.as_deref().unwrap_or_default();
    let callees = [Some(&subject.name), subject.peer_service.as_ref()];
    let can_be = |guard: &Guard| {
        let mut callees = callees.iter().flatten();
        guard.service == service
            && guard.scope == scope
            && guard.breaker.pattern == subject.pattern
            && (subject.name.is_empty() || callees.any(|callee| guard.guards_calls_to(callee)))
    };
    let mut found = (0..guards.len()).filter(|at| can_be(&guards[*at]));
    found.next().filter(|_| found.next().is_none())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A span of a trace: its id, its parent, and who refused.
    type Told = (
        &'static str,
        Option<&'static str>,
        &'static str,
        &'static str,
    );

    /// Service and name of each call that is counted.
    fn counted(told: &[Told]) -> Vec<(String, String)> {
        let spans = RefusedSpans {
            found: told
                .iter()
                .map(|(span, _, service, name)| SampleRow {
                    subject: Subject {
                        service_name: Some((*service).to_owned()),
                        name: (*name).to_owned(),
                        ..Subject::default()
                    },
                    trace_id: Some("t".to_owned()),
                    span_id: Some((*span).to_owned()),
                    ..SampleRow::default()
                })
                .collect(),
            read: told
                .iter()
                .map(|(span, parent, ..)| {
                    let of_it = ReadSpan {
                        parent: parent.map(str::to_owned),
                        ..ReadSpan::default()
                    };
                    (("t".to_owned(), (*span).to_owned()), of_it)
                })
                .collect(),
        };
        let calls = spans.calls();
        let name = |calls: &RefusedCalls<'_>| {
            let service = calls.subject.service_name.clone().unwrap_or_default();
            (service, calls.subject.name.clone())
        };
        calls.iter().map(name).collect()
    }

    #[test]
    fn an_error_counts_once_where_it_was_refused_and_not_where_it_went_up_to() {
        let cases: [(&[Told], &[(&str, &str)]); 6] = [
            // The error of a span in all that are above it.
            (
                &[
                    ("root", None, "cart", ""),
                    ("pay", Some("root"), "cart", ""),
                ],
                &[("cart", "")],
            ),
            (
                &[
                    ("root", None, "cart", ""),
                    ("pay", Some("root"), "cart", "bank"),
                ],
                &[("cart", "bank")],
            ),
            // What is above has the name.
            (
                &[
                    ("root", None, "cart", "bank"),
                    ("pay", Some("root"), "cart", ""),
                ],
                &[("cart", "bank")],
            ),
            (
                &[
                    ("root", None, "cart", "bank"),
                    ("pay", Some("root"), "cart", "bank"),
                ],
                &[("cart", "bank")],
            ),
            // The caller is told of it, and calls its callee by name.
            (
                &[
                    ("call", None, "shop", "cart"),
                    ("serve", Some("call"), "cart", ""),
                ],
                &[("cart", "")],
            ),
            // Two tries beside each other, and two breakers of one path.
            (
                &[
                    ("root", None, "cart", "all"),
                    ("a", Some("root"), "cart", "bank"),
                    ("b", Some("root"), "cart", "bank"),
                ],
                &[("cart", "all"), ("cart", "bank"), ("cart", "bank")],
            ),
        ];
        for (told, expected) in cases {
            let expected: Vec<(String, String)> = expected
                .iter()
                .map(|(service, name)| ((*service).to_owned(), (*name).to_owned()))
                .collect();
            assert_eq!(counted(told), expected, "{told:?}");
        }
        // A circle ends.
        let circle = counted(&[("a", Some("b"), "cart", ""), ("b", Some("a"), "cart", "")]);
        assert!(circle.len() <= 2);
    }
}
