//! The recorded calls of a breaker, read by the column: a breaker of an hour may have a million of them.

use std::collections::BTreeMap;

use arrow::array::{Array as _, AsArray as _, StructArray};
use arrow::datatypes::{Float64Type, Int64Type};
use duckdb::{Connection, params};

use super::super::QueryError;
use crate::ask::Ask as _;
use crate::model::{BreakerDetail, Scope, WhatIfQuery};
use crate::resilience::BREAKER_KEYS;
use crate::resilience::whatif::history::{Call, Ended, History};

/// So many times more calls than are wanted are read without asking for their order, which costs more than reading.
const UNORDERED: usize = 2;

/// Attributes by which spans tell that they are a breaker's call, and how it ended: our SDK's, and those of the
/// recogniser files whose spans have an outcome.
pub(super) const CALL_KEYS: [&str; 5] = [
    BREAKER_KEYS[0],
    BREAKER_KEYS[1],
    BREAKER_KEYS[2],
    "resilience4j.circuit_breaker.name",
    "resilience4j.circuit_breaker.outcome",
];

/// A call, and what decides between calls that began at the same nanosecond.
struct Read {
    call: Call,
    instance: u32,
    span_id: [u8; 16],
    /// Calls it stands for, if its span says so.
    weight: Option<f64>,
}

/// What was read.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Found {
    /// Calls that are stored, at most one more than are wanted.
    pub calls: usize,
    /// Of these, those that were taken.
    pub taken: usize,
    /// Calls that those stand for.
    pub weight: f64,
    /// Some do not say for how many they stand; they count as one.
    pub is_unknown: bool,
}

/// Adds the calls to their instances' histories, in the order they began. `name` is the breaker's or its callee's, as
/// the question `sql` asks; `{order}` in it is filled in here.
pub(super) fn read(
    conn: &Connection,
    sql: &str,
    query: &WhatIfQuery,
    detail: &BreakerDetail,
    name: &str,
    into: &mut BTreeMap<String, History>,
) -> Result<Found, QueryError> {
    let wanted = query.calls_max.saturating_add(1);
    let unordered = wanted.saturating_mul(UNORDERED);
    let any = sql.replace("{order}", &format!("LIMIT {unordered}"));
    let (mut calls, mut instances) = fetch(conn, &any, query, detail, name)?;
    if calls.len() >= unordered {
        let first = format!("ORDER BY start, span_id LIMIT {wanted}");
        (calls, instances) = fetch(conn, &sql.replace("{order}", &first), query, detail, name)?;
    }
    calls.sort_unstable_by(|a, b| {
        (a.call.start, a.span_id, a.instance).cmp(&(b.call.start, b.span_id, b.instance))
    });
    let stored = calls.len().min(wanted);
    calls.truncate(query.calls_max);
    let found = Found {
        calls: stored,
        taken: calls.len(),
        // A weight below one is none.
        weight: calls
            .iter()
            .map(|read| read.weight.unwrap_or(1.0).max(1.0))
            .sum(),
        is_unknown: calls.iter().any(|read| read.weight.is_none()),
    };
    let mut histories: Vec<History> = instances.iter().map(|_| History::default()).collect();
    for read in calls {
        histories[read.instance as usize].calls.push(read.call);
    }
    for (instance, history) in instances.into_iter().zip(histories) {
        into.entry(instance)
            .or_default()
            .calls
            .extend(history.calls);
    }
    Ok(found)
}

/// Calls in any order, and the instances they name by number.
fn fetch(
    conn: &Connection,
    sql: &str,
    query: &WhatIfQuery,
    detail: &BreakerDetail,
    name: &str,
) -> Result<(Vec<Read>, Vec<String>), QueryError> {
    let breaker = &detail.breaker;
    let Scope {
        environment,
        service_namespace,
        cluster,
    } = &breaker.scope;
    let word = |text: &Option<String>| text.clone().unwrap_or_default();
    let mut question = conn.ask(sql)?;
    let values = params![
        query.range.from_unix_nano,
        query.range.to_unix_nano,
        breaker.service_name,
        name,
        word(&breaker.key),
        word(environment),
        word(service_namespace),
        word(cluster)
    ];
    let (mut calls, mut instances) = (Vec::new(), Vec::new());
    for columns in question.columns(values)? {
        take(&columns?, &mut calls, &mut instances);
    }
    Ok((calls, instances))
}

fn take(columns: &StructArray, calls: &mut Vec<Read>, instances: &mut Vec<String>) {
    let names = columns.column(0).as_string::<i32>();
    let starts = columns.column(1).as_primitive::<Int64Type>();
    let lengths = columns.column(2).as_primitive::<Int64Type>();
    let outcomes = columns.column(3).as_string::<i32>();
    let span_ids = columns.column(4).as_string::<i32>();
    let weights = columns.column(5).as_primitive::<Float64Type>();
    let mut instance = 0;
    calls.reserve(columns.len());
    for row in 0..columns.len() {
        let Some(ended) = Ended::of_word(outcomes.value(row)) else {
            continue;
        };
        let name = names.value(row);
        if instances.get(instance).is_none_or(|known| known != name) {
            let known = instances.iter().position(|known| known == name);
            instance = known.unwrap_or_else(|| {
                instances.push(name.to_owned());
                instances.len() - 1
            });
        }
        let mut span_id = [0; 16];
        let digits = span_ids.value(row).as_bytes();
        let length = digits.len().min(span_id.len());
        span_id[..length].copy_from_slice(&digits[..length]);
        calls.push(Read {
            call: Call {
                start: starts.value(row),
                duration: u64::try_from(lengths.value(row)).unwrap_or(0),
                ended,
            },
            instance: u32::try_from(instance).unwrap_or(u32::MAX),
            span_id,
            weight: weights.is_valid(row).then(|| weights.value(row)),
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resilience::SHIPPED;

    #[test]
    fn every_outcome_that_recognisers_know_on_spans_is_read() {
        for (file, text) in SHIPPED {
            let rules: toml::Table = toml::from_str(text).expect(file);
            let spans = rules.get("span").and_then(toml::Value::as_array);
            for span in spans.into_iter().flatten() {
                let outcome = span.get("fields").and_then(|fields| fields.get("outcome"));
                let pattern = span.get("pattern").and_then(toml::Value::as_str);
                let (Some(outcome), None | Some("breaker")) =
                    (outcome.and_then(toml::Value::as_str), pattern)
                else {
                    continue;
                };
                // Flags of Envoy's access log: a cap that was full, no breaker's call. A word of the rule's own is in no
                // attribute.
                // Spring says which of its functions ran, not how it ended. Keys under a prefix of the user's own are
                // no fixed keys to ask for: such calls are not replayed, and the replay says how few it had.
                let others = ["response_flags", "spring.cloud.circuitbreaker.type"];
                let is_none = others.contains(&outcome) || outcome.starts_with(['=', '*']);
                assert!(is_none || CALL_KEYS.contains(&outcome), "{file}: {outcome}");
            }
        }
    }
}
