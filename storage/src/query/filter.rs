//! A filter as SQL with holes, and the values bound to them.
//!
//! [`Sql`] takes text of ours (`&'static str`), names the store made, and values, which only become holes:
//! nothing a person wrote can become SQL.

mod attributes;
mod field;
mod needs;
mod parts;

use std::ops::Range;
use std::sync::Arc;

use duckdb::Connection;
use duckdb::types::Value;

pub(super) use self::attributes::Documents;
pub(super) use self::needs::{is_of_resource, needed};
pub(super) use self::parts::Parts;
use super::QueryError;
use crate::filter::{Expression, Filter, Key, KeyScope, Literal, Operator, Signal, field_named};
use crate::model::TimeRange;
use crate::segment::runs::Held;
use crate::segment::{Keys, keys};

/// Spans of a trace are looked for this far outside a range, nanoseconds.
pub(super) const TRACE_SLACK_NS: i64 = 3_600_000_000_000;

/// SQL that grows by fixed text and holes.
#[derive(Debug, Default, Clone)]
pub(super) struct Sql {
    text: String,
    values: Vec<Value>,
}

impl Sql {
    /// Text of ours.
    pub(super) fn push(&mut self, text: &'static str) {
        self.text.push_str(text);
    }

    /// A name the store made, never one from outside.
    pub(super) fn name(&mut self, name: &str) {
        self.text.push_str(name);
    }

    /// A hole and its value.
    pub(super) fn bind(&mut self, value: Value) {
        self.text.push('?');
        self.values.push(value);
    }

    /// The text with its holes.
    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// The values in the order of their holes.
    pub(super) fn values(&self) -> &[Value] {
        &self.values
    }
}

/// One place rows are read from.
#[derive(Debug, Clone)]
pub(super) struct Table {
    /// Schema of the rows.
    pub facts: String,
    /// Schema of resources and scopes.
    pub dictionaries: String,
    /// Attributes are text there.
    pub is_text: bool,
    /// What is known of the rows' attribute keys.
    pub keys: Keys,
    /// How many rows each of its runs has, and what is known of their keys, one run after the other; none where runs are not
    /// told apart.
    pub runs: Arc<[(u64, Keys)]>,
}

impl Table {
    /// The places of the rows that may have the key among their own attributes; `None` where that leaves none out.
    pub(super) fn rows_with(&self, key: &str) -> Option<Held> {
        let stretches = keys::stretches(&self.runs, &[key]);
        let having = stretches.into_iter().filter(|(_, keys)| !keys.lack(key));
        let rows: Vec<Range<u64>> = having.map(|(rows, _)| rows).collect();
        (!rows.is_empty()).then_some(Held::Rows(rows))
    }
}

/// What a filter is asked of: rows `f` with resources `r`.
pub(super) struct Target<'a> {
    /// Where the rows are; `None` for a public view, whose rows have everything in them.
    pub table: Option<&'a Table>,
    /// Where the spans of a trace may be.
    pub spans: &'a [Table],
    /// Bounds the spans read for `any(…)` and `root(…)`.
    pub range: Option<TimeRange>,
}

/// The condition that an item fits.
pub(super) fn condition(filter: &Filter, target: &Target<'_>) -> Sql {
    let mut sql = Sql::default();
    expression(filter.expression(), filter.signal(), target, &mut sql);
    sql
}

/// Asks the engine whether it can run every regular expression: its dialect (RE2) decides.
pub(super) fn check_regexes(conn: &Connection, filter: &Filter) -> Result<(), QueryError> {
    let mut patterns = Vec::new();
    regexes(filter.expression(), &mut patterns);
    for pattern in patterns {
        conn.query_row("SELECT regexp_matches('', ?)", [pattern], |_| Ok(()))
            .map_err(|_| QueryError::Filter {
                text: filter.source().to_owned(),
                error: filter.refused_regex(pattern),
            })?;
    }
    Ok(())
}

fn regexes<'a>(expression: &'a Expression, patterns: &mut Vec<&'a String>) {
    match expression {
        Expression::And(all) | Expression::Or(all) => {
            all.iter().for_each(|one| regexes(one, patterns));
        }
        Expression::Not(inner) | Expression::Any(inner) | Expression::Root(inner) => {
            regexes(inner, patterns);
        }
        Expression::Compare(
            _,
            Operator::Matches | Operator::NotMatches,
            Literal::Text(pattern),
        ) => {
            patterns.push(pattern);
        }
        _ => {}
    }
}

fn expression(expression: &Expression, signal: Signal, target: &Target<'_>, sql: &mut Sql) {
    match expression {
        Expression::And(all) => joined(all, " AND ", signal, target, sql),
        Expression::Or(all) => joined(all, " OR ", signal, target, sql),
        Expression::Not(inner) => {
            sql.push("NOT ");
            leaf(sql, |sql| self::expression(inner, signal, target, sql));
        }
        Expression::Any(inner) => leaf(sql, |sql| of_trace(inner, "", target, sql)),
        Expression::Root(inner) => {
            leaf(sql, |sql| {
                of_trace(inner, "f.parent_span_id IS NULL AND ", target, sql);
            });
        }
        Expression::Compare(key, operator, value) => {
            leaf(sql, |sql| {
                comparison(key, *operator, value, signal, target, sql);
            });
        }
        Expression::Exists(key) => leaf(sql, |sql| existence(key, signal, target, sql)),
        Expression::Absent(key) => {
            sql.push("NOT ");
            leaf(sql, |sql| existence(key, signal, target, sql));
        }
        Expression::Text(text) => leaf(sql, |sql| full_text(text, signal, sql)),
    }
}

/// Unknown is false, so that NOT means what it says.
fn leaf(sql: &mut Sql, inner: impl FnOnce(&mut Sql)) {
    sql.push("coalesce((");
    inner(sql);
    sql.push("), FALSE)");
}

fn joined(
    all: &[Expression],
    word: &'static str,
    signal: Signal,
    target: &Target<'_>,
    sql: &mut Sql,
) {
    sql.push("(");
    for (at, one) in all.iter().enumerate() {
        if at > 0 {
            sql.push(word);
        }
        expression(one, signal, target, sql);
    }
    sql.push(")");
}

fn of_trace(inner: &Expression, only: &'static str, target: &Target<'_>, sql: &mut Sql) {
    let asked = |table, sql: &mut Sql| {
        if let Some(range) = target.range {
            let around = range.widened(TRACE_SLACK_NS);
            sql.push("f.start_time >= make_timestamp_ns(");
            sql.bind(Value::BigInt(around.from_unix_nano));
            sql.push(") AND f.start_time < make_timestamp_ns(");
            sql.bind(Value::BigInt(around.to_unix_nano));
            sql.push(") AND ");
        }
        sql.push(only);
        let inside = Target {
            table,
            spans: &[],
            range: None,
        };
        expression(inner, Signal::Spans, &inside, sql);
    };
    sql.push("f.trace_id IN (");
    if target.table.is_none() {
        sql.push("SELECT f.trace_id FROM spans f WHERE ");
        asked(None, sql);
    }
    for (at, table) in target.spans.iter().enumerate() {
        if at > 0 {
            sql.push(" UNION ALL ");
        }
        sql.push("SELECT f.trace_id FROM ");
        sql.name(&table.facts);
        sql.push(".spans f JOIN ");
        sql.name(&table.dictionaries);
        sql.push(".resources r ON r.resource_ix = f.resource_ix WHERE ");
        asked(Some(table), sql);
    }
    sql.push(")");
}

fn full_text(text: &str, signal: Signal, sql: &mut Sql) {
    let text = Value::Text(text.to_lowercase());
    let columns: [&'static str; 2] = match signal {
        Signal::Spans => ["lower(f.name)", "lower(f.status_message)"],
        Signal::Logs => ["lower(f.body)", "lower(f.event_name)"],
        Signal::Metrics => ["lower(f.name)", "lower(f.description)"],
    };
    for (at, column) in columns.into_iter().enumerate() {
        sql.push(if at == 0 {
            "coalesce(contains("
        } else {
            " OR coalesce(contains("
        });
        sql.push(column);
        sql.push(", ");
        sql.bind(text.clone());
        sql.push("), FALSE)");
    }
    if signal != Signal::Metrics {
        sql.push(" OR f.trace_id = ");
        sql.bind(text);
    }
}

fn comparison(
    key: &Key,
    operator: Operator,
    value: &Literal,
    signal: Signal,
    target: &Target<'_>,
    sql: &mut Sql,
) {
    if let Some(field) = field_of(key, signal) {
        return field::comparison(field, operator, value, target, sql);
    }
    if let Some(parts) = Parts::asked(key, target) {
        return parts::comparison(parts, key, operator, value, sql);
    }
    in_documents(key, target, sql, |documents, sql| {
        attributes::comparison(documents, &key.name, operator, value, sql);
    });
}

fn existence(key: &Key, signal: Signal, target: &Target<'_>, sql: &mut Sql) {
    if let Some(field) = field_of(key, signal) {
        return field::existence(field, target, sql);
    }
    if let Some(parts) = Parts::asked(key, target) {
        return parts::existence(parts, key, sql);
    }
    in_documents(key, target, sql, |documents, sql| {
        attributes::existence(documents, &key.name, sql);
    });
}

fn field_of(key: &Key, signal: Signal) -> Option<&'static crate::filter::Field> {
    (key.scope == KeyScope::Anywhere)
        .then(|| field_named(signal, &key.name))
        .flatten()
}

/// Asks the item's attributes, its resource's, or both.
fn in_documents(key: &Key, target: &Target<'_>, sql: &mut Sql, ask: impl Fn(&Documents, &mut Sql)) {
    let is_text = target.table.is_some_and(|table| table.is_text);
    if key.scope != KeyScope::Resource {
        if target.table.is_some_and(|table| table.keys.lack(&key.name)) {
            sql.push("FALSE");
        } else {
            sql.push("coalesce((");
            ask(
                &Documents {
                    column: "f.attributes",
                    inside: "",
                    is_text,
                },
                sql,
            );
            sql.push("), FALSE)");
        }
    }
    if key.scope == KeyScope::Anywhere {
        sql.push(" OR ");
    }
    if key.scope != KeyScope::Item {
        match target.table {
            // Once a resource, not once a row.
            Some(table) => {
                sql.push("f.resource_ix IN (SELECT resource_ix FROM ");
                sql.name(&table.dictionaries);
                sql.push(".resources WHERE ");
                ask(
                    &Documents {
                        column: "attributes",
                        inside: "",
                        is_text,
                    },
                    sql,
                );
                sql.push(")");
            }
            None => {
                sql.push("coalesce((");
                ask(
                    &Documents {
                        column: "f.resource_attributes",
                        inside: "",
                        is_text,
                    },
                    sql,
                );
                sql.push("), FALSE)");
            }
        }
    }
}

/// The operator between two values of one kind. `NotEqual` needs both to be there, like the others.
fn sign(operator: Operator) -> &'static str {
    match operator {
        Operator::Equal => " = ",
        Operator::NotEqual => " <> ",
        Operator::Less => " < ",
        Operator::LessOrEqual => " <= ",
        Operator::Greater => " > ",
        Operator::GreaterOrEqual => " >= ",
        Operator::Matches | Operator::NotMatches => " SIMILAR TO ",
    }
}

/// `column operator text` for texts.
fn text_comparison(column: impl Fn(&mut Sql), operator: Operator, text: &str, sql: &mut Sql) {
    let value = Value::Text(text.to_owned());
    match operator {
        Operator::Matches | Operator::NotMatches => {
            if operator == Operator::NotMatches {
                sql.push("NOT ");
            }
            sql.push("regexp_matches(");
            column(sql);
            sql.push(", ");
            sql.bind(value);
            sql.push(")");
        }
        _ => {
            column(sql);
            sql.push(sign(operator));
            sql.bind(value);
        }
    }
}

/// How a person wrote it, for comparisons with text.
fn text_of(value: &Literal) -> String {
    match value {
        Literal::Text(text) | Literal::Number(text) => text.clone(),
        Literal::Bool(value) => value.to_string(),
    }
}
