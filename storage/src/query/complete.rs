//! Completion of a filter from what is stored.

use std::collections::HashMap;

use duckdb::Connection;

use super::filter::{Documents, Sql, Table};
use super::newest::{tables, tables_in};
use super::{QueryError, Session};
use crate::ask::{Ask, NONE};
use crate::filter::{
    Expected, Field, FieldKind, Key, KeyScope, Literal, Place, Quantity, Signal, Slot, field_named,
    fields,
};
use crate::model::{Completion, CompletionItem, TimeRange};

/// Rows looked at in one segment, any of them: a sealed one is sorted by trace id, so these are a fair sample.
const SAMPLE_ROWS: &str = "4000";
/// Segments looked at, newest first.
const SEGMENTS_MAX: usize = 4;
/// Suggestions at most.
const ITEMS_MAX: usize = 30;

/// What may come at character `at` (from 0) of `text`, the most frequent first.
pub fn complete(
    session: &Session<'_>,
    signal: Signal,
    text: &str,
    at: usize,
) -> Result<Completion, QueryError> {
    let expected = Expected::at(text, at, signal);
    let mut items = match &expected.slot {
        Slot::Key => keys(session, expected.signal)?,
        Slot::Operator(key) => operators(key, expected.signal),
        Slot::Value(key) => values(session, key, expected.signal)?,
        Slot::Join => words(&["AND", "OR"], "word"),
    };
    let prefix = expected.prefix.to_lowercase();
    items.retain(|item| item.text.to_lowercase().contains(&prefix));
    items.sort_by_key(|item| {
        let plain = item.text.trim_start_matches('"').to_lowercase();
        (!plain.starts_with(&prefix), std::cmp::Reverse(item.count))
    });
    items.truncate(ITEMS_MAX);
    Ok(Completion {
        from: expected.from,
        to: at.min(text.chars().count()).max(expected.from),
        items,
    })
}

fn item(text: impl Into<String>, kind: &str, detail: &str, count: u64) -> CompletionItem {
    CompletionItem {
        text: text.into(),
        kind: kind.to_owned(),
        detail: detail.to_owned(),
        count,
    }
}

fn words(words: &[&str], kind: &str) -> Vec<CompletionItem> {
    words.iter().map(|word| item(*word, kind, "", 0)).collect()
}

fn operators(key: &Key, signal: Signal) -> Vec<CompletionItem> {
    let field = (key.scope == KeyScope::Anywhere)
        .then(|| field_named(signal, &key.name))
        .flatten();
    let signs: &[&str] = match field.map(|field| field.kind) {
        Some(FieldKind::Word(_)) => &["=", "!=", "~", "!~"],
        Some(FieldKind::Bool) => &["=", "!="],
        Some(FieldKind::Duration | FieldKind::Severity) => &[">=", "<=", ">", "<", "=", "!="],
        Some(_) => &["=", "!=", "~", "!~"],
        None => &["=", "!=", ">", ">=", "<", "<=", "~", "!~"],
    };
    let mut items = words(signs, "operator");
    items.extend(words(&["exists", "absent"], "operator"));
    items
}

/// Fields first, then attributes by how often they were seen.
fn keys(session: &Session<'_>, signal: Signal) -> Result<Vec<CompletionItem>, QueryError> {
    let mut items: Vec<CompletionItem> = fields(signal)
        .enumerate()
        .map(|(at, field)| item(field.names[0], "field", field.help, u64::MAX - at as u64))
        .collect();
    let mut seen: HashMap<String, (u64, &'static str)> = HashMap::new();
    for (sql, what) in key_questions(session, signal) {
        session.run(|conn| {
            let mut statement = conn.ask(&sql)?;
            let mut rows = statement.query(NONE)?;
            while let Some(row) = rows.next()? {
                let entry = seen.entry(row.get(0)?).or_insert((0, what));
                entry.0 += row.get::<_, u64>(1)?;
            }
            Ok(())
        })?;
    }
    items.extend(seen.into_iter().map(|(name, (count, what))| {
        // A field of that name hides the attribute: then its scope is said.
        let scope = match (field_named(signal, &name).is_some(), what) {
            (true, "of the resource") => KeyScope::Resource,
            (true, _) => KeyScope::Item,
            (false, _) => KeyScope::Anywhere,
        };
        item(Key { scope, name }.to_string(), "attribute", what, count)
    }));
    if signal != Signal::Metrics {
        items.push(item("any(", "word", "any span of the trace", 0));
        items.push(item("root(", "word", "the root span of the trace", 0));
    }
    items.push(item("NOT", "word", "", 0));
    Ok(items)
}

fn key_questions(session: &Session<'_>, signal: Signal) -> Vec<(String, &'static str)> {
    let mut questions = Vec::new();
    for table in newest_tables(session, signal) {
        let keys = if table.is_text {
            "json_keys"
        } else {
            "variant_keys"
        };
        let mut ask = |schema: &str, name: &str, what| {
            questions.push((
                format!(
                    "SELECT key, count(*)::UBIGINT FROM (SELECT unnest({keys}(attributes)) AS key FROM \
                     (SELECT attributes FROM {schema}.{name} LIMIT {SAMPLE_ROWS})) GROUP BY key"
                ),
                what,
            ));
        };
        match signal {
            Signal::Spans => ask(&table.facts, "spans", "of the span"),
            Signal::Logs => ask(&table.facts, "logs", "of the record"),
            Signal::Metrics => ask(&table.dictionaries, "series", "of the stream"),
        }
        ask(&table.dictionaries, "resources", "of the resource");
    }
    questions
}

/// The segments looked at: those of the last day, or any when nothing is so young.
fn newest_tables(session: &Session<'_>, signal: Signal) -> Vec<Table> {
    let relation = match signal {
        Signal::Spans => "spans",
        Signal::Logs => "logs",
        Signal::Metrics => "metric_points",
    };
    let everything = TimeRange {
        from_unix_nano: i64::MIN,
        to_unix_nano: i64::MAX,
    };
    let mut found = tables_in(session, relation, everything);
    if found.is_empty() {
        found = tables(session, relation);
    }
    found.retain(|table| table.facts == table.dictionaries);
    found.truncate(SEGMENTS_MAX);
    found
}

fn values(
    session: &Session<'_>,
    key: &Key,
    signal: Signal,
) -> Result<Vec<CompletionItem>, QueryError> {
    let field = (key.scope == KeyScope::Anywhere)
        .then(|| field_named(signal, &key.name))
        .flatten();
    if let Some(field) = field {
        if !field.kind.words().is_empty() {
            return Ok(words(field.kind.words(), "value"));
        }
        if field.kind == FieldKind::Duration {
            return Ok(words(&["10ms", "100ms", "500ms", "1s", "5s"], "value"));
        }
    }
    let mut seen: HashMap<String, u64> = HashMap::new();
    for table in newest_tables(session, signal) {
        for sql in value_questions(&table, key, field, signal) {
            session.run(|conn| count_values(conn, &sql, &mut seen))?;
        }
    }
    Ok(seen
        .into_iter()
        .map(|(text, count)| item(text, "value", "", count))
        .collect())
}

fn value_questions(
    table: &Table,
    key: &Key,
    field: Option<&'static Field>,
    signal: Signal,
) -> Vec<Sql> {
    let rows: (&str, &'static str) = match signal {
        Signal::Spans => (&table.facts, ".spans f"),
        Signal::Logs => (&table.facts, ".logs f"),
        Signal::Metrics => (&table.dictionaries, ".series f"),
    };
    if let Some(field) = field {
        let (schema, name) = match field.place {
            Place::Row => rows,
            Place::Resource => (table.dictionaries.as_str(), ".resources f"),
            Place::InstrumentationScope => (table.dictionaries.as_str(), ".scopes f"),
        };
        let mut sql = Sql::default();
        sql.push("SELECT v, 'VARCHAR', count(*)::UBIGINT FROM (SELECT ");
        // The view of metrics calls the kind `type`; the table calls it `kind`.
        sql.push(if field.column == "f.type" {
            "f.kind"
        } else {
            field.column
        });
        sql.push(" AS v FROM ");
        sample(schema, name, &mut sql);
        return vec![sql];
    }
    let mut places = Vec::new();
    if key.scope != KeyScope::Resource && !table.keys.lack(&key.name) {
        places.push(rows);
    }
    if key.scope != KeyScope::Item {
        places.push((table.dictionaries.as_str(), ".resources f"));
    }
    let documents = Documents {
        column: "f.attributes",
        is_text: table.is_text,
    };
    places
        .into_iter()
        .map(|(schema, name)| {
            let mut sql = Sql::default();
            sql.push("SELECT v, any_value(k), count(*)::UBIGINT FROM (SELECT ");
            documents.text(&key.name, &mut sql);
            sql.push(" AS v, ");
            documents.kind(&key.name, &mut sql);
            sql.push(" AS k FROM ");
            sample(schema, name, &mut sql);
            sql
        })
        .collect()
}

fn sample(schema: &str, name: &'static str, sql: &mut Sql) {
    sql.name(schema);
    sql.push(name);
    sql.push(" LIMIT ");
    sql.push(SAMPLE_ROWS);
    sql.push(") WHERE v IS NOT NULL AND length(v) BETWEEN 1 AND 200 GROUP BY v ORDER BY 3 DESC LIMIT 100");
}

fn count_values(
    conn: &Connection,
    sql: &Sql,
    seen: &mut HashMap<String, u64>,
) -> Result<(), QueryError> {
    let mut statement = conn.ask(sql.text())?;
    let mut rows = statement.query(sql.values())?;
    while let Some(row) = rows.next()? {
        let (text, kind, count): (String, String, u64) = (row.get(0)?, row.get(1)?, row.get(2)?);
        let literal = match kind.as_str() {
            "VARCHAR" => Literal::Text(text),
            kind if kind.starts_with("BOOL") => Literal::Bool(text == "true"),
            _ if Quantity::parse(&text).is_some() => Literal::Number(text),
            _ => continue,
        };
        *seen.entry(literal.to_string()).or_default() += count;
    }
    Ok(())
}
