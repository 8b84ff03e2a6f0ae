//! The calls that opened breakers, where nobody says which: looked up among the calls of their owners.
//!
//! The latest failed call to the callee that ended within the time in which the breaker opened is taken for the cause,
//! on the same instance where instances call under their own names; else a slow one; else what the breaker's own
//! counters hold up as an example; else the span that first shows it open, which is often of a refused call. That is a
//! guess and is marked `inferred`. What was found for a trip is kept: late calls may better it for a while, then it
//! stays.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::{Duration, Instant};

use duckdb::{Connection, params};

use super::super::leases::SegmentSet;
use super::peers::Names;
use super::{Look, joined, plain};
use crate::ask::{Ask as _, NONE};
use crate::model::Scope;
use crate::segment::Segment;

const TRIPPING: &str = include_str!("tripping.sql");
const EXEMPLARS: &str = include_str!("exemplars.sql");
/// Trips without a reported trace that are looked at, the newest.
const TRIPS_MAX: usize = 256;
/// A call may have ended so long before the first moment at which its breaker can have opened: reports are flushed
/// late, and clocks differ.
const BEFORE_NS: i64 = 5_000_000_000;
/// A span around a breaker ends after the breaker opened.
const AFTER_NS: i64 = 100_000_000;
/// Where it is not known when a breaker opened, so much of the time before is looked at.
const WINDOW_NS: i64 = 300_000_000_000;
/// Calls that took longer are not looked for.
const CALL_NS: i64 = 60_000_000_000;
/// So long after it was first asked, a trip's trace may still change.
const SETTLED_FOUND: Duration = Duration::from_secs(120);
/// So long one is looked for.
const SETTLED_NONE: Duration = Duration::from_secs(600);

/// What was found of the calls that opened breakers.
#[derive(Debug, Default)]
pub(crate) struct Known {
    answers: HashMap<Key, Answer>,
}

/// A change to open of one instance's breaker.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Key {
    breaker_id: String,
    /// Empty when it has no id.
    instance: String,
    /// Latest and earliest time, nanoseconds.
    hi: i64,
    lo: i64,
}

#[derive(Debug)]
struct Answer {
    since: Instant,
    look: Look,
    /// Traces and spans, the likeliest first.
    calls: Vec<(String, Option<String>)>,
}

/// A trip that a trace is inferred to have caused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Inferred {
    pub breaker_id: String,
    /// Empty when the instance has no id.
    pub instance: String,
    /// The latest it can have been, nanoseconds.
    pub time_unix_nano: i64,
    pub span_id: Option<String>,
    /// Other traces that may have contributed.
    pub contributing_trace_ids: Vec<String>,
}

impl Known {
    /// Trips that this trace is taken for the cause of.
    pub(super) fn caused_by(&self, trace_id: &str) -> Vec<Inferred> {
        let caused = self.answers.iter().filter_map(|(key, answer)| {
            let ((first, span_id), others) = answer.calls.split_first()?;
            (first == trace_id).then(|| Inferred {
                breaker_id: key.breaker_id.clone(),
                instance: key.instance.clone(),
                time_unix_nano: key.hi,
                span_id: span_id.clone(),
                contributing_trace_ids: others.iter().map(|(trace, _)| trace.clone()).collect(),
            })
        });
        caused.collect()
    }
}

impl Answer {
    fn is_settled(&self, now: Look) -> bool {
        let age = now.at.duration_since(self.since);
        age >= if self.calls.is_empty() {
            SETTLED_NONE
        } else {
            SETTLED_FOUND
        }
    }
}

/// A trip whose trace nobody reported.
struct Trip {
    key: Key,
    scope: Scope,
    service: String,
    breaker: String,
    /// The callee's name and the names its caller has for it; empty when the callee is not known.
    peers: Vec<String>,
    is_of_slow: bool,
    /// A span shows it.
    is_seen: bool,
}

impl Trip {
    /// When a call that opened the breaker can have ended: first and last nanosecond.
    fn window(&self) -> (i64, i64) {
        let Key { lo, hi, .. } = self.key;
        let last = if lo == hi {
            hi.saturating_add(AFTER_NS)
        } else {
            hi
        };
        let first = lo.saturating_sub(BEFORE_NS);
        (first.max(hi.saturating_sub(WINDOW_NS)), last)
    }

    /// Whether such a call may be in the segment.
    fn may_be_in(&self, segment: &Segment) -> bool {
        let (first, last) = self.window();
        segment.may_hold_time(first.saturating_sub(CALL_NS), last)
    }

    /// What both questions ask by, and the fields that one of them has more.
    fn fields(&self, number: usize, more: impl IntoIterator<Item = String>) -> Vec<String> {
        let word = |text: &Option<String>| text.clone().unwrap_or_default();
        let (first, last) = self.window();
        let mut fields = vec![
            number.to_string(),
            word(&self.scope.environment),
            word(&self.scope.service_namespace),
            word(&self.scope.cluster),
            self.service.clone(),
            self.key.instance.clone(),
            first.to_string(),
            last.to_string(),
        ];
        fields.extend(more);
        fields
    }
}

/// Fills in the traces of trips of `schema` that nobody reported; whether every trip that may have one has.
pub(super) fn trace(
    set: &SegmentSet,
    conn: &Connection,
    schema: &str,
    known: &mut Known,
    names: &Names,
    look: Look,
) -> duckdb::Result<bool> {
    let trips = untraced(conn, schema, names)?;
    let is_due = |trip: &&Trip| match known.answers.get(&trip.key) {
        None => true,
        Some(answer) => !answer.is_settled(look) && answer.look.is_worth_another(look),
    };
    let due: Vec<&Trip> = trips.iter().filter(is_due).collect();
    let mut found = search(set, conn, &due)?;
    for (number, trip) in due.iter().enumerate() {
        let calls = found.remove(&number).unwrap_or_default();
        let answer = known.answers.entry(trip.key.clone()).or_insert(Answer {
            since: look.at,
            look,
            calls: Vec::new(),
        });
        answer.look = look;
        // What was found may have expired.
        if !calls.is_empty() {
            answer.calls = calls;
        }
    }
    let asked: BTreeSet<(&str, &str, i64, i64)> = trips
        .iter()
        .map(|trip| {
            (
                trip.key.breaker_id.as_str(),
                trip.key.instance.as_str(),
                trip.key.hi,
                trip.key.lo,
            )
        })
        .collect();
    known.answers.retain(|key, _| {
        asked.contains(&(
            key.breaker_id.as_str(),
            key.instance.as_str(),
            key.hi,
            key.lo,
        ))
    });
    write(conn, schema, &trips, known)?;
    let has_answer = |trip: &Trip| {
        let answer = known.answers.get(&trip.key);
        // A better call than the one that was found may still come.
        answer.is_some_and(|answer| answer.is_settled(look))
    };
    Ok(trips.iter().all(|trip| trip.is_seen || has_answer(trip)))
}

/// The newest trips that calls opened and of which nobody reports the trace.
fn untraced(conn: &Connection, schema: &str, names: &Names) -> duckdb::Result<Vec<Trip>> {
    let sql = format!(
        "SELECT breaker_id, coalesce(service_instance_id, ''), time_unix_nano::BIGINT, \
         coalesce(time_lo_unix_nano, time_unix_nano)::BIGINT, environment, service_namespace, cluster, service_name, \
         coalesce(name, ''), peer_service, coalesce(reason = 'slow_rate', false), trace_id IS NOT NULL \
         FROM {schema}.breaker_transitions \
         WHERE to_state = 'open' AND (trace_id IS NULL OR trace_evidence = 'inferred') \
         AND service_name IS NOT NULL AND pattern IN ('breaker', 'ejection') \
         AND coalesce(reason, '') NOT IN ('manual', 'external', 'config_change', 'restart') \
         ORDER BY \"time\" DESC, breaker_id, service_instance_id LIMIT {TRIPS_MAX}"
    );
    let mut called: BTreeMap<(&Scope, &str, &str), Vec<&str>> = BTreeMap::new();
    for ((scope, service), name, callee) in names {
        let of = called.entry((scope, service.as_str(), callee.as_str()));
        of.or_default().push(name);
    }
    let mut question = conn.ask(&sql)?;
    let rows = question.query_map(NONE, |row| {
        let scope = Scope {
            environment: row.get(4)?,
            service_namespace: row.get(5)?,
            cluster: row.get(6)?,
        };
        let service: String = row.get(7)?;
        let peers = row
            .get::<_, Option<String>>(9)?
            .map_or_else(Vec::new, |peer| {
                let others = called.get(&(&scope, service.as_str(), peer.as_str()));
                let others = others.into_iter().flatten().map(|name| (*name).to_owned());
                let mut all: Vec<String> = others.collect();
                all.push(peer);
                all
            });
        Ok(Trip {
            key: Key {
                breaker_id: row.get(0)?,
                instance: row.get(1)?,
                hi: row.get(2)?,
                lo: row.get(3)?,
            },
            scope,
            service,
            breaker: row.get(8)?,
            peers,
            is_of_slow: row.get(10)?,
            is_seen: row.get(11)?,
        })
    })?;
    rows.collect()
}

/// Of trips, by their place in the list, the calls that may have caused them.
type Calls = BTreeMap<usize, Vec<(String, Option<String>)>>;

fn search(set: &SegmentSet, conn: &Connection, trips: &[&Trip]) -> duckdb::Result<Calls> {
    let mut found = Calls::new();
    let may_hold = |segment: &Segment| trips.iter().any(|trip| trip.may_be_in(segment));
    let has_spans = |segment: &Segment| segment.may_have("spans") && may_hold(segment);
    if set.segments().iter().any(|segment| has_spans(segment)) {
        let keys = [
            "circuit_breaker.name",
            "circuit_breaker.outcome",
            "error.type",
        ];
        let calls = set.calls_sql(&keys, may_hold);
        let asked = trips.iter().enumerate().map(|(number, trip)| {
            let peers: Vec<String> = trip.peers.iter().map(|name| named(name)).collect();
            let slow = if trip.is_of_slow { "slow" } else { "" };
            let more = [peers.join("\u{1d}"), slow.to_owned(), plain(&trip.breaker)];
            trip.fields(number, more)
        });
        let sql = TRIPPING.replace("{calls}", &calls);
        ask(conn, &sql, &joined(asked), trips, &mut found)?;
    }
    let left: Vec<usize> = (0..trips.len())
        .filter(|number| !found.contains_key(number))
        .collect();
    if left.is_empty() {
        return Ok(found);
    }
    if let Some(exemplars) = set.some_rows_sql("exemplars", may_hold) {
        let asked = left.into_iter().map(|number| {
            let trip = trips[number];
            let name = serde_json::Value::from(trip.breaker.as_str()).to_string();
            trip.fields(number, [name])
        });
        let sql = EXEMPLARS.replace("{exemplars}", &exemplars);
        ask(conn, &sql, &joined(asked), trips, &mut found)?;
    }
    Ok(found)
}

/// Without the mark between names of one callee.
fn named(name: &str) -> String {
    plain(name).replace('\u{1d}', " ")
}

/// Asks for the calls of some of the trips.
fn ask(
    conn: &Connection,
    sql: &str,
    asked: &str,
    trips: &[&Trip],
    found: &mut Calls,
) -> duckdb::Result<()> {
    let windows = || trips.iter().map(|trip| trip.window());
    let first = windows().map(|(first, _)| first).min().unwrap_or(0);
    let last = windows().map(|(_, last)| last).max().unwrap_or(0);
    let mut question = conn.ask(sql)?;
    let range = (first.saturating_sub(CALL_NS), last.saturating_add(1));
    let mut rows = question.query(params![asked, range.0, range.1])?;
    while let Some(row) = rows.next()? {
        let number: i32 = row.get(0)?;
        let calls = found.entry(usize::try_from(number).unwrap_or(usize::MAX));
        calls.or_default().push((row.get(1)?, row.get(2)?));
    }
    Ok(())
}

/// The traces of trips, in the relation.
fn write(conn: &Connection, schema: &str, trips: &[Trip], known: &Known) -> duckdb::Result<()> {
    let found = trips.iter().filter_map(|trip| {
        let ((trace_id, span_id), others) = known.answers.get(&trip.key)?.calls.split_first()?;
        let others: Vec<&str> = others
            .iter()
            .map(|(trace_id, _)| trace_id.as_str())
            .collect();
        Some([
            trip.key.breaker_id.clone(),
            trip.key.instance.clone(),
            trip.key.hi.to_string(),
            trip.key.lo.to_string(),
            trace_id.clone(),
            span_id.clone().unwrap_or_default(),
            others.join(","),
        ])
    });
    let found = joined(found);
    if found.is_empty() {
        return Ok(());
    }
    conn.execute(
        &format!(
            "UPDATE {schema}.breaker_transitions AS t SET trace_id = f.part[5], span_id = nullif(f.part[6], ''), \
             trace_evidence = 'inferred', \
             contributing_trace_ids = coalesce(t.contributing_trace_ids, string_split(nullif(f.part[7], ''), ',')) \
             FROM (SELECT string_split(unnest(string_split(?, chr(30))), chr(31)) AS part) f \
             WHERE t.to_state = 'open' AND (t.trace_id IS NULL OR t.trace_evidence = 'inferred') \
             AND t.breaker_id = f.part[1] \
             AND coalesce(t.service_instance_id, '') = f.part[2] AND t.time_unix_nano = f.part[3]::UBIGINT \
             AND coalesce(t.time_lo_unix_nano, t.time_unix_nano) = f.part[4]::UBIGINT"
        ),
        params![found],
    )?;
    Ok(())
}
