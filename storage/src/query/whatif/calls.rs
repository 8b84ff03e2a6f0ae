//! The recorded calls of a breaker, read by the column: a breaker of an hour may have a million of them.

use std::collections::{BTreeMap, BTreeSet};

use arrow::array::{Array as _, AsArray as _, RecordBatch};
use arrow::datatypes::{Float64Type, Int64Type};
use duckdb::{Connection, params};

use super::super::QueryError;
use crate::ask::Ask as _;
use crate::model::{Breaker, Scope, TimeRange};
use crate::resilience::whatif::history::{Call, Ended, Turns};
use crate::resilience::whatif::record::Record;
use crate::resilience::{CallKeys, Recognisers};

/// So many times more calls than are wanted are read without asking for their order, which costs more than reading.
const UNORDERED: usize = 2;

/// Attributes by which our SDK tells when a call counted, and in which turns.
const COUNTED_KEYS: [&str; 5] = [
    "circuit_breaker.admitted_unix_nano",
    "circuit_breaker.duration_ns",
    "circuit_breaker.clock_start_unix_nano",
    "circuit_breaker.admitted_sequence",
    "circuit_breaker.ended_sequence",
];

/// Every attribute of spans that questions about a breaker's calls read.
pub(super) fn call_keys() -> Vec<&'static str> {
    [&Recognisers::shipped().call_keys().all()[..], &COUNTED_KEYS].concat()
}

/// The question for calls that breakers wrote on, with the attributes that recognisers know filled in.
pub(super) fn with_keys(sql: &str) -> String {
    let CallKeys {
        names,
        keys,
        outcomes,
    } = Recognisers::shipped().call_keys();
    let columns = |keys: &[&str]| format!("\"{}\"", keys.join("\", \""));
    let words = Ended::WORDS.map(|(word, _)| format!("'{word}'"));
    sql.replace("{name}", &columns(&names))
        .replace("{key}", &columns(&keys))
        .replace("{outcome}", &columns(&outcomes))
        .replace("{outcomes}", &words.join(", "))
}

/// A span's id, 16 hex digits; zeros where it has none.
pub(super) type SpanId = [u8; 16];

/// A call, and what decides between calls that began at the same nanosecond.
#[derive(Clone, Copy)]
struct Read {
    call: Call,
    instance: u32,
    span_id: SpanId,
    /// Calls it stands for, if its span says so.
    weight: Option<f64>,
    /// Origin of its breaker's clock, if its span says so.
    clock: Option<i64>,
}

/// What was read.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Found {
    /// Calls that are stored, at most one more than are wanted.
    pub calls: usize,
    /// Of these, those that were taken.
    pub taken: usize,
    /// Of these, those that were refused.
    pub refused: usize,
    /// Calls that those stand for.
    pub weight: f64,
    /// Some do not say for how many they stand; they count as one.
    pub is_unknown: bool,
}

/// Refused calls known from spans that the breaker did not write on.
#[derive(Default)]
pub(super) struct Refusals {
    /// Spans that are refused calls, whatever outcome they have.
    pub on_calls: BTreeSet<SpanId>,
    /// Refused calls that have no span of a call.
    pub lone: Vec<Lone>,
}

/// A refused call that has no span of a call.
pub(super) struct Lone {
    pub instance: String,
    /// When it was refused, nanoseconds since 1970.
    pub at: i64,
    pub span_id: SpanId,
    /// Calls it stands for, if its span says so.
    pub weight: Option<f64>,
}

/// Which calls are asked for.
pub(super) struct Wanted<'a> {
    /// The question; `{order}` in it is filled in here.
    pub sql: &'a str,
    pub breaker: &'a Breaker,
    /// The breaker's or its callee's, as the question asks.
    pub name: &'a str,
    /// What is known of refused calls besides.
    pub refusals: &'a Refusals,
    pub range: TimeRange,
    /// At most so many.
    pub calls_max: usize,
}

/// Adds the oldest calls of the range to their instances' records, in the order they began.
pub(super) fn read(
    conn: &Connection,
    wanted: &Wanted<'_>,
    into: &mut BTreeMap<String, Record>,
) -> Result<Found, QueryError> {
    let one_more = wanted.calls_max.saturating_add(1);
    let (mut calls, instances) = fetch(conn, wanted, one_more, "start, span_id")?;
    let stored = calls.len().min(one_more);
    calls.truncate(wanted.calls_max);
    let found = Found {
        calls: stored,
        taken: calls.len(),
        refused: calls
            .iter()
            .filter(|read| read.call.ended == Ended::Rejected)
            .count(),
        // A weight below one is none.
        weight: calls
            .iter()
            .map(|read| read.weight.unwrap_or(1.0).max(1.0))
            .sum(),
        is_unknown: calls.iter().any(|read| read.weight.is_none()),
    };
    for (instance, own) in instances.into_iter().zip(by_instance(&calls)) {
        let record = into.entry(instance).or_default();
        record.calls.extend(own.calls);
        record.clocks.extend(own.clocks);
    }
    Ok(found)
}

/// Puts the newest calls of the range before those of the instances that are known; answers from when on all are there.
pub(super) fn read_before(
    conn: &Connection,
    wanted: &Wanted<'_>,
    into: &mut BTreeMap<String, Record>,
) -> Result<i64, QueryError> {
    let (mut calls, instances) = fetch(conn, wanted, wanted.calls_max, "start DESC, span_id")?;
    let surplus = calls.len().saturating_sub(wanted.calls_max);
    let is_cut = calls.len() >= wanted.calls_max;
    calls.drain(..surplus);
    let oldest = calls.first().map(|read| read.call.start);
    for (instance, mut own) in instances.iter().zip(by_instance(&calls)) {
        if let Some(record) = into.get_mut(instance) {
            own.calls.append(&mut record.calls);
            own.clocks.append(&mut record.clocks);
            (record.calls, record.clocks) = (own.calls, own.clocks);
        }
    }
    // Of those that began with the oldest one some may be missing.
    let from = wanted.range.from_unix_nano;
    Ok(oldest
        .filter(|_| is_cut)
        .map_or(from, |oldest| oldest.saturating_add(1)))
}

/// What was read of one instance: its calls, and the origins of its clock by the first call that names each.
#[derive(Clone, Default)]
struct Own {
    calls: Vec<Call>,
    clocks: Vec<(i64, i64)>,
}

/// What was read of each instance, by its number.
fn by_instance(calls: &[Read]) -> impl Iterator<Item = Own> {
    let mut apart: Vec<Own> = Vec::new();
    for read in calls {
        let at = read.instance as usize;
        if apart.len() <= at {
            apart.resize_with(at + 1, Own::default);
        }
        let own = &mut apart[at];
        own.calls.push(read.call);
        let known = own.clocks.last().map(|(_, clock)| *clock);
        if let Some(clock) = read.clock.filter(|clock| known != Some(*clock)) {
            own.clocks.push((read.call.start, clock));
        }
    }
    apart.into_iter().chain(std::iter::repeat(Own::default()))
}

/// Calls in the order they began, and the instances they name by number; if there are more than `enough`, at least so
/// many of the first in `order`.
fn fetch(
    conn: &Connection,
    wanted: &Wanted<'_>,
    enough: usize,
    order: &str,
) -> Result<(Vec<Read>, Vec<String>), QueryError> {
    let unordered = enough.saturating_mul(UNORDERED);
    let ask = |order: &str| ask(conn, &wanted.sql.replace("{order}", order), wanted);
    let (mut parts, mut instances) = ask(&format!("LIMIT {unordered}"))?;
    if parts.iter().map(Vec::len).sum::<usize>() >= unordered {
        (parts, instances) = ask(&format!("ORDER BY {order} LIMIT {enough}"))?;
    }
    let lone = wanted.refusals.lone.iter();
    parts.push(lone.map(|lone| lone.read(&mut instances)).collect());
    Ok((in_order(&parts), instances))
}

/// All of them in the order they began. Places are sorted in their stead: a call is four times as long as its place, and
/// files hold runs that are in order.
fn in_order(parts: &[Vec<Read>]) -> Vec<Read> {
    let rest = |part: u32, row: u32| {
        let Read {
            call,
            span_id,
            instance,
            ..
        } = parts[part as usize][row as usize];
        (call.turns.admitted, span_id, instance)
    };
    let rows = |(part, reads): (u32, &Vec<Read>)| -> Vec<(i64, u32, u32)> {
        let starts = reads.iter().map(|read| read.call.start);
        (0..)
            .zip(starts)
            .map(|(row, start)| (start, part, row))
            .collect()
    };
    let mut places: Vec<(i64, u32, u32)> = (0..).zip(parts).flat_map(rows).collect();
    places.sort_by(|(start, part, row), (other, other_part, other_row)| {
        let by_start = start.cmp(other);
        by_start.then_with(|| rest(*part, *row).cmp(&rest(*other_part, *other_row)))
    });
    let of = |(_, part, row): (i64, u32, u32)| parts[part as usize][row as usize];
    places.into_iter().map(of).collect()
}

/// Calls in any order, as they came, and the instances they name by number.
fn ask(
    conn: &Connection,
    sql: &str,
    wanted: &Wanted<'_>,
) -> Result<(Vec<Vec<Read>>, Vec<String>), QueryError> {
    let Wanted {
        breaker,
        name,
        range,
        ..
    } = *wanted;
    let Scope {
        environment,
        service_namespace,
        cluster,
    } = &breaker.scope;
    let word = |text: &Option<String>| text.clone().unwrap_or_default();
    let mut question = conn.ask(sql)?;
    let values = params![
        range.from_unix_nano,
        range.to_unix_nano,
        breaker.service_name,
        name,
        word(&breaker.key),
        word(environment),
        word(service_namespace),
        word(cluster)
    ];
    let (mut parts, mut instances) = (Vec::new(), Vec::new());
    for columns in question.columns(values)? {
        let refused = &wanted.refusals.on_calls;
        parts.push(take(&columns?, refused, &mut instances));
    }
    Ok((parts, instances))
}

/// The id that is written so.
pub(super) fn span_id_of(text: &str) -> SpanId {
    let mut span_id = SpanId::default();
    let digits = text.as_bytes();
    let length = digits.len().min(span_id.len());
    span_id[..length].copy_from_slice(&digits[..length]);
    span_id
}

/// The number of an instance, which it gets where it has none.
fn number_of(instances: &mut Vec<String>, name: &str) -> usize {
    let known = instances.iter().position(|known| known == name);
    known.unwrap_or_else(|| {
        instances.push(name.to_owned());
        instances.len() - 1
    })
}

impl Lone {
    /// As a call that ended when it began.
    fn read(&self, instances: &mut Vec<String>) -> Read {
        Read {
            call: Call {
                start: self.at,
                duration: 0,
                ended: Ended::Rejected,
                turns: Turns::UNKNOWN,
            },
            instance: u32::try_from(number_of(instances, &self.instance)).unwrap_or(u32::MAX),
            span_id: self.span_id,
            weight: self.weight,
            clock: None,
        }
    }
}

fn take(
    columns: &RecordBatch,
    refused: &BTreeSet<SpanId>,
    instances: &mut Vec<String>,
) -> Vec<Read> {
    let names = columns.column(0).as_string::<i32>();
    let starts = columns.column(1).as_primitive::<Int64Type>();
    let lengths = columns.column(2).as_primitive::<Int64Type>();
    let outcomes = columns.column(3).as_string::<i32>();
    let span_ids = columns.column(4).as_string::<i32>();
    let weights = columns.column(5).as_primitive::<Float64Type>();
    let clocks = columns.column(6).as_primitive::<Int64Type>();
    let turns = [7, 8].map(|column| columns.column(column).as_primitive::<Int64Type>());
    let mut instance = 0;
    let mut calls = Vec::with_capacity(columns.num_rows());
    for row in 0..columns.num_rows() {
        let Some(ended) = Ended::of_word(outcomes.value(row)) else {
            continue;
        };
        let name = names.value(row);
        if instances.get(instance).is_none_or(|known| known != name) {
            instance = number_of(instances, name);
        }
        let span_id = span_id_of(span_ids.value(row));
        let is_refused = refused.contains(&span_id);
        let [admitted, counted] = turns.map(|turns| {
            let turn = turns.is_valid(row).then(|| turns.value(row));
            turn.and_then(|turn| u64::try_from(turn).ok())
        });
        calls.push(Read {
            call: Call {
                start: starts.value(row),
                duration: u64::try_from(lengths.value(row)).unwrap_or(0),
                ended: if is_refused { Ended::Rejected } else { ended },
                turns: Turns::told(admitted, counted),
            },
            instance: u32::try_from(instance).unwrap_or(u32::MAX),
            span_id,
            weight: weights.is_valid(row).then(|| weights.value(row)),
            clock: clocks.is_valid(row).then(|| clocks.value(row)),
        });
    }
    calls
}
