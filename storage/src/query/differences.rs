//! What tells the spans of a box in the heatmap from the other spans that fit: every field and attribute
//! value, ranked by the difference of its shares.

use std::collections::{HashMap, HashSet};

use duckdb::Row;
use duckdb::types::Value;

use super::conditions::Conditions;
use super::newest::{Narrowed, tables, tables_in};
use super::search::conditions;
use super::{QueryError, Session, document};
use crate::ask::Ask;
use crate::filter::{Expression, Key, KeyScope, Literal, Operator, Signal, field_named};
use crate::model::{
    AttributeValue, Difference, Differences, DifferencesQuery, Selection, TimeRange,
};

const ROWS: &str = include_str!("differences.sql");
/// Spans looked at on each side.
const SAMPLE_MAX: usize = 2_000;
/// Differences told.
const ITEMS_MAX: usize = 40;
/// Longest value worth comparing, characters.
const VALUE_CHARS_MAX: usize = 200;

/// What a span says of itself, each thing once.
type Said = HashSet<(Key, Literal)>;

/// Ranked differences between the spans of a box and the others.
pub fn differences(
    session: &Session<'_>,
    query: &DifferencesQuery,
) -> Result<Differences, QueryError> {
    let Some(range) = query.spans.range else {
        return Err(QueryError::Invalid("differences need a time range"));
    };
    let (selected, more_selected) = sample(session, query, range, Side::Inside)?;
    let (others, more_others) = sample(session, query, range, Side::Outside)?;
    let mut counts: HashMap<(Key, Literal), (u64, u64)> = HashMap::new();
    for said in selected.iter().flatten() {
        counts.entry(said.clone()).or_default().0 += 1;
    }
    for said in others.iter().flatten() {
        counts.entry(said.clone()).or_default().1 += 1;
    }
    let share = |count: u64, of: usize| count as f64 / of.max(1) as f64;
    // What a single span says of itself (its request's id) tells nothing of the others in a box of many, and
    // there may be as many of these as spans: they would crowd out everything else.
    let tells = |inside: u64, outside: u64| selected.len() == 1 || inside + outside > 1;
    let mut items: Vec<Difference> = counts
        .into_iter()
        .filter(|(_, (inside, outside))| tells(*inside, *outside))
        .map(|((key, value), (inside, outside))| Difference {
            key: key.to_string(),
            value: value.to_string(),
            selected: inside,
            others: outside,
            difference: share(inside, selected.len()) - share(outside, others.len()),
            filter: Expression::Compare(key, Operator::Equal, value).to_string(),
        })
        .filter(|item| item.difference != 0.0)
        .collect();
    items.sort_by(|a, b| {
        let by_size = b.difference.abs().total_cmp(&a.difference.abs());
        // What the box has more of explains it better than what it lacks.
        by_size
            .then(b.difference.total_cmp(&a.difference))
            .then_with(|| a.filter.cmp(&b.filter))
    });
    let total = items.len() as u64;
    items.truncate(ITEMS_MAX);
    Ok(Differences {
        selected: selected.len() as u64,
        others: others.len() as u64,
        is_sampled: more_selected || more_others,
        items,
        total,
    })
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Side {
    Inside,
    Outside,
}

/// The sampled spans of one side, and whether there are more.
fn sample(
    session: &Session<'_>,
    query: &DifferencesQuery,
    range: TimeRange,
    side: Side,
) -> Result<(Vec<Said>, bool), QueryError> {
    let mut conditions = conditions(&query.spans, None);
    bounded(&mut conditions, query.selection, side);
    let spans = tables(session, "spans");
    let mut found: Vec<(u64, Said)> = Vec::new();
    session.run(|conn| {
        for table in tables_in(session, "spans", range) {
            let narrowed = Narrowed::new(conn, &table, &spans, &conditions, &query.spans)?;
            let sql = narrowed
                .sql(ROWS)
                .replace("{limit}", &(SAMPLE_MAX + 1).to_string());
            let mut statement = conn.ask(&sql)?;
            let mut rows = statement.query(narrowed.values())?;
            while let Some(row) = rows.next()? {
                found.push((row.get(0)?, said(row)?));
            }
        }
        Ok(())
    })?;
    found.sort_by_key(|(tie, _)| *tie);
    // A span that was resent says the same again.
    found.dedup_by_key(|(tie, _)| *tie);
    let more = found.len() > SAMPLE_MAX;
    found.truncate(SAMPLE_MAX);
    Ok((found.into_iter().map(|(_, said)| said).collect(), more))
}

fn bounded(conditions: &mut Conditions, selection: Selection, side: Side) {
    let values = [
        selection.from_unix_nano,
        selection.to_unix_nano,
        selection.min_ns,
        selection.max_ns,
    ];
    let sql = match side {
        Side::Inside => {
            "coalesce(f.start_time >= make_timestamp_ns(?) AND f.start_time < make_timestamp_ns(?) \
             AND f.duration_ns >= ? AND f.duration_ns < ?, FALSE)"
        }
        Side::Outside => {
            "NOT coalesce(f.start_time >= make_timestamp_ns(?) AND f.start_time < make_timestamp_ns(?) \
             AND f.duration_ns >= ? AND f.duration_ns < ?, FALSE)"
        }
    };
    conditions.add(sql, values.map(Value::BigInt));
}

fn said(row: &Row<'_>) -> duckdb::Result<Said> {
    let mut said = Said::new();
    let fields = [
        "name",
        "kind",
        "status",
        "service",
        "version",
        "instance",
        "environment",
        "peer",
    ];
    for (at, name) in fields.into_iter().enumerate() {
        if let Some(text) = row
            .get::<_, Option<String>>(at + 1)?
            .filter(|text| !text.is_empty())
        {
            let key = Key {
                scope: KeyScope::Anywhere,
                name: name.to_owned(),
            };
            said.insert((key, Literal::Text(text)));
        }
    }
    for (at, scope) in [(9, KeyScope::Item), (10, KeyScope::Resource)] {
        for attribute in document::attributes(row.get::<_, Option<String>>(at)?.as_deref()) {
            // The fields above are resource attributes too.
            let is_field = field_named(Signal::Spans, &attribute.key).is_some();
            let scope = match (scope, is_field) {
                (KeyScope::Resource, true) => continue,
                (KeyScope::Item, false) => KeyScope::Anywhere,
                (scope, _) => scope,
            };
            if let Some(value) = literal(attribute.value) {
                let name = attribute.key;
                said.insert((Key { scope, name }, value));
            }
        }
    }
    Ok(said)
}

fn literal(value: AttributeValue) -> Option<Literal> {
    match value {
        AttributeValue::String(text) if text.chars().count() <= VALUE_CHARS_MAX => {
            Some(Literal::Text(text))
        }
        AttributeValue::Bool(value) => Some(Literal::Bool(value)),
        AttributeValue::Int(value) => Some(Literal::Number(value.to_string())),
        AttributeValue::Double(value) if value.is_finite() => {
            Some(Literal::Number(format!("{value:?}")))
        }
        _ => None,
    }
}
