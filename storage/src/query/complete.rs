//! Completion of a filter from what is stored.

use std::collections::HashMap;

use duckdb::Connection;

use super::filter::{Documents, Parts, Sql, Table};
use super::newest::{tables, tables_in};
use super::{QueryError, Session};
use crate::ask::Ask;
use crate::filter::{
    Expected, Field, FieldKind, Key, KeyScope, Literal, PART_FIELDS, Place, Quantity, Signal, Slot,
    field_named, fields, part_field,
};
use crate::model::{Completion, CompletionItem, TimeRange};
use crate::segment::sampled::Bearer;
use crate::segment::{Segment, signal_of};

/// Rows looked at in one segment, any of them: runs of sealed ones are sorted by trace id, so these are a sample of one.
const SAMPLE_ROWS: &str = "4000";
/// The same where events and links are looked for, which few spans have.
const PART_ROWS: &str = "40000";
/// Rows of one segment that count as all that is looked at in it: [`SAMPLE_ROWS`].
const SEGMENT_ROWS: u64 = 4_000;
/// Rows after which no further segment is looked at: four segments, or more where they are small.
const ROWS_MAX: u64 = 4 * SEGMENT_ROWS;
/// Segments looked at, however small: each costs a plan.
const SEGMENTS_MAX: usize = 16;
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
        Slot::Key => keys(session, expected.signal, &expected.prefix)?,
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
    let kind = match key.scope {
        KeyScope::Anywhere => field_named(signal, &key.name).map(|field| field.kind),
        scope => part_field(scope, &key.name).map(|field| field.kind),
    };
    let signs: &[&str] = match kind {
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

/// Fields first, then attributes by how often they were seen; with the scope that `prefix` asks for.
fn keys(
    session: &Session<'_>,
    signal: Signal,
    prefix: &str,
) -> Result<Vec<CompletionItem>, QueryError> {
    let asked = KeyScope::asked(prefix, signal);
    let mut items: Vec<CompletionItem> = fields(signal)
        .enumerate()
        .map(|(at, field)| item(field.names[0], "field", field.help, u64::MAX - at as u64))
        .collect();
    if signal == Signal::Spans {
        items.extend(PART_FIELDS.iter().map(|field| {
            let (scope, name) = (field.scope, field.name.to_owned());
            item(Key { scope, name }.to_string(), "field", field.help, 0)
        }));
    }
    // A field of that name hides the attribute: then its scope is said.
    let said = |scope: KeyScope, name: &str| match scope {
        KeyScope::Item | KeyScope::Resource
            if asked != Some(scope) && field_named(signal, name).is_none() =>
        {
            KeyScope::Anywhere
        }
        scope => scope,
    };
    let mut seen: HashMap<(KeyScope, String), (u64, &'static str)> = HashMap::new();
    for question in key_questions(session, signal) {
        session.run(|conn| {
            let segment = question.segment;
            let found = segment.sampled_keys(conn, question.bearer, &question.sql)?;
            for (name, count) in found.iter() {
                let scope = said(question.scope, name);
                let entry = seen
                    .entry((scope, name.clone()))
                    .or_insert((0, question.of));
                entry.0 += count;
            }
            Ok(())
        })?;
    }
    // Few rows were looked at; which keys there are in sealed segments is known.
    let of = of_item(signal);
    for segment in session.set().segments() {
        for name in segment.keys(relation_of(signal)).all() {
            let scope = said(KeyScope::Item, name);
            seen.entry((scope, name.to_owned())).or_insert((0, of));
        }
    }
    // Nobody asks for an attribute of an event that is called as a field of it.
    seen.retain(|(scope, name), _| part_field(*scope, name).is_none());
    items.extend(seen.into_iter().map(|((scope, name), (count, of))| {
        item(Key { scope, name }.to_string(), "attribute", of, count)
    }));
    if signal != Signal::Metrics {
        items.push(item("any(", "word", "any span of the trace", 0));
        items.push(item("root(", "word", "the root span of the trace", 0));
    }
    items.push(item("NOT", "word", "", 0));
    Ok(items)
}

fn relation_of(signal: Signal) -> &'static str {
    match signal {
        Signal::Spans => "spans",
        Signal::Logs => "logs",
        Signal::Metrics => "metric_points",
    }
}

/// Whose the attributes of its rows are, in words.
fn of_item(signal: Signal) -> &'static str {
    match signal {
        Signal::Spans => "of the span",
        Signal::Logs => "of the record",
        Signal::Metrics => "of the stream",
    }
}

/// Keys of some documents with how often each was seen.
struct KeyQuestion<'a> {
    segment: &'a Segment,
    /// Whose they are.
    bearer: Bearer,
    sql: String,
    /// The scope that its keys are in.
    scope: KeyScope,
    /// The bearer, in words.
    of: &'static str,
}

fn key_questions<'a>(session: &Session<'a>, signal: Signal) -> Vec<KeyQuestion<'a>> {
    let segments = session.set().segments();
    let mut questions = Vec::new();
    for table in newest_tables(session, signal, None) {
        let of_table = segments.iter().find(|one| one.schema() == table.facts);
        let Some(segment) = of_table else {
            continue;
        };
        let segment: &Segment = segment;
        let keys = if table.is_text {
            "json_keys"
        } else {
            "variant_keys"
        };
        let mut ask = |schema: &str, name: &str, bearer, scope, of| {
            let sql = format!(
                "SELECT key, count(*)::UBIGINT FROM (SELECT unnest({keys}(attributes)) AS key FROM \
                 (SELECT attributes FROM {schema}.{name} LIMIT {SAMPLE_ROWS})) GROUP BY key"
            );
            questions.push(KeyQuestion {
                segment,
                bearer,
                sql,
                scope,
                of,
            });
        };
        let (schema, name, bearer) = match signal {
            Signal::Spans => (&table.facts, "spans", Bearer::Span),
            Signal::Logs => (&table.facts, "logs", Bearer::Record),
            Signal::Metrics => (&table.dictionaries, "series", Bearer::Stream),
        };
        ask(schema, name, bearer, KeyScope::Item, of_item(signal));
        ask(
            &table.dictionaries,
            "resources",
            Bearer::Resource,
            KeyScope::Resource,
            "of the resource",
        );
        if signal == Signal::Spans {
            questions.push(part_keys(
                segment,
                &table,
                KeyScope::Event,
                "of an event of the span",
            ));
            questions.push(part_keys(
                segment,
                &table,
                KeyScope::Link,
                "of a link of the span",
            ));
        }
    }
    questions
}

/// The keys of attributes of events or links.
fn part_keys<'a>(
    segment: &'a Segment,
    table: &Table,
    scope: KeyScope,
    of: &'static str,
) -> KeyQuestion<'a> {
    let facts = &table.facts;
    let (column, bearer) = if scope == KeyScope::Event {
        ("events", Bearer::Event)
    } else {
        ("links", Bearer::Link)
    };
    let (list, keys) = if table.is_text {
        ("JSON[]", "json_keys(part, '/attributes')")
    } else {
        (
            "VARIANT[]",
            "variant_keys(variant_extract(part, 'attributes'))",
        )
    };
    let sql = format!(
        "SELECT key, count(*)::UBIGINT FROM (SELECT unnest(flatten(list_transform(\
         TRY_CAST({column} AS {list}), lambda part: {keys}))) AS key FROM \
         (SELECT {column} FROM {facts}.spans LIMIT {PART_ROWS}) WHERE {column} IS NOT NULL) GROUP BY key"
    );
    KeyQuestion {
        segment,
        bearer,
        sql,
        scope,
        of,
    }
}

/// The segments looked at, newest first; those whose rows may have the key before those that lack it.
fn newest_tables(session: &Session<'_>, signal: Signal, key: Option<&Key>) -> Vec<Table> {
    let relation = relation_of(signal);
    let everything = TimeRange {
        from_unix_nano: i64::MIN,
        to_unix_nano: i64::MAX,
    };
    let mut found = tables_in(session, relation, everything);
    if found.is_empty() {
        found = tables(session, relation);
    }
    found.retain(|table| table.facts == table.dictionaries);
    if let Some(key) = key
        && matches!(key.scope, KeyScope::Anywhere | KeyScope::Item)
    {
        // A resource's keys are in no list: those that lack it come after, and are not left out.
        found.sort_by_key(|table| table.keys.lack(&key.name));
    }
    let rows: HashMap<String, u64> = session
        .set()
        .segments()
        .iter()
        .filter_map(|segment| {
            let rows = segment.known_rows()?[signal_of(relation)?];
            Some((segment.schema(), rows))
        })
        .collect();
    let rows = found
        .iter()
        .map(|table| rows.get(&table.facts).copied().unwrap_or(SEGMENT_ROWS));
    let taken = enough(rows);
    found.truncate(taken);
    found
}

/// How many segments of so many rows are looked at.
fn enough(rows: impl Iterator<Item = u64>) -> usize {
    let mut left = ROWS_MAX;
    rows.take(SEGMENTS_MAX)
        .take_while(|rows| {
            let is_wanted = left > 0;
            left = left.saturating_sub(SEGMENT_ROWS.min(*rows));
            is_wanted
        })
        .count()
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
    for table in newest_tables(session, signal, field.is_none().then_some(key)) {
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
    if let Some(parts) = Parts::of(key, table.is_text) {
        return vec![part_values(parts, table, key)];
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
        inside: "",
        is_text: table.is_text,
    };
    places
        .into_iter()
        .map(|(schema, name)| {
            let mut sql = Sql::default();
            sql.push("SELECT v, any_value(k), count(*)::UBIGINT FROM (SELECT ");
            documents.plain_text(&key.name, &mut sql);
            sql.push(" AS v, ");
            documents.kind(&key.name, &mut sql);
            sql.push(" AS k FROM ");
            sample(schema, name, &mut sql);
            sql
        })
        .collect()
}

/// Values that events or links have of a key.
fn part_values(parts: Parts, table: &Table, key: &Key) -> Sql {
    let mut sql = Sql::default();
    sql.push("SELECT v, any_value(k), count(*)::UBIGINT FROM (SELECT unnest(");
    match part_field(key.scope, &key.name) {
        Some(field) => {
            parts.list("list_transform", &mut sql, |sql| parts.field(field, sql));
            sql.push(") AS v, 'VARCHAR' AS k FROM ");
        }
        None => {
            let documents = parts.documents();
            parts.list("list_transform", &mut sql, |sql| {
                documents.plain_text(&key.name, sql);
            });
            sql.push(") AS v, unnest(");
            parts.list("list_transform", &mut sql, |sql| {
                documents.kind(&key.name, sql);
            });
            sql.push(") AS k FROM ");
        }
    }
    // So many rows, whatever is in them, and not so many values.
    sql.push("(SELECT events, links FROM ");
    sql.name(&table.facts);
    sql.push(".spans LIMIT ");
    sql.push(PART_ROWS);
    sql.push(") f");
    sql.push(MOST_FREQUENT);
    sql
}

/// The end of a question for values `v`.
const MOST_FREQUENT: &str =
    ") WHERE v IS NOT NULL AND length(v) BETWEEN 1 AND 200 GROUP BY v ORDER BY 3 DESC LIMIT 100";

fn sample(schema: &str, name: &'static str, sql: &mut Sql) {
    sql.name(schema);
    sql.push(name);
    sql.push(" LIMIT ");
    sql.push(SAMPLE_ROWS);
    sql.push(MOST_FREQUENT);
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn four_large_segments_are_enough_and_small_ones_count_by_their_rows() {
        let cases: [(&[u64], usize); 5] = [
            (&[], 0),
            (&[1_000_000; 9], 4),
            (&[10; 9], 9),
            (&[0; 40], SEGMENTS_MAX),
            (&[3_000, 3_000, 1_000_000, 5_000, 1_999, 1, 1], 6),
        ];
        for (rows, expected) in cases {
            assert_eq!(enough(rows.iter().copied()), expected, "{rows:?}");
        }
    }
}
