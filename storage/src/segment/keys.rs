//! Attribute keys that occur in a sealed segment.
//!
//! DuckDB 2.0.0 reads a key of a VARIANT in 0.05 µs a row where the row group has it in a column of its own, and in
//! 7 µs where no row of the group has it, for then every document is put together first (2026-11-22, 14 attributes). A
//! question that asks for keys which few services send, such as `circuit_breaker.name`, must not ask segments without.

use std::collections::BTreeSet;
use std::sync::Arc;

use duckdb::Connection;

/// A segment with more keys does not list them: somebody writes data into keys.
const KEYS_MAX: usize = 2_000;

/// Keys of one fact table's `attributes`; nobody looked, or there are too many, where there is no list.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Keys(Option<Arc<BTreeSet<String>>>);

impl Keys {
    /// Of the documents of a hot table, which are text.
    pub(crate) fn of_texts(conn: &Connection, table: &str) -> Self {
        let sql = format!(
            "SELECT DISTINCT unnest(json_keys(attributes)) FROM {table} LIMIT {}",
            KEYS_MAX + 1
        );
        let read = || -> duckdb::Result<BTreeSet<String>> {
            let mut statement = conn.prepare(&sql)?;
            statement.query_map([], |row| row.get(0))?.collect()
        };
        match read() {
            Ok(keys) => Self::of(keys),
            // A text that is no JSON goes to the quarantine; its table has no list.
            Err(error) => {
                tracing::debug!(%error, table, "attribute keys are not known");
                Self(None)
            }
        }
    }

    fn of(keys: BTreeSet<String>) -> Self {
        Self((keys.len() <= KEYS_MAX).then(|| Arc::new(keys)))
    }

    /// Of the rows of all of these; at least theirs, where some rows are left out.
    pub(crate) fn union<'a>(all: impl IntoIterator<Item = &'a Self>) -> Self {
        let mut union = BTreeSet::new();
        for Self(keys) in all {
            let Some(keys) = keys else { return Self(None) };
            union.extend(keys.iter().cloned());
        }
        Self::of(union)
    }

    /// Whether no row has the key: `true` is certain.
    pub(crate) fn lack(&self, key: &str) -> bool {
        self.0.as_ref().is_some_and(|keys| !keys.contains(key))
    }

    /// As it is kept in a segment's `meta`; empty where there is no list.
    pub(crate) fn to_text(&self) -> String {
        self.0
            .as_ref()
            .and_then(|keys| serde_json::to_string(keys.as_ref()).ok())
            .unwrap_or_default()
    }

    /// Reads [`Self::to_text`].
    pub(crate) fn from_text(text: &str) -> Self {
        Self(serde_json::from_str(text).ok().map(Arc::new))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(keys: &[&str]) -> Keys {
        Keys::of(keys.iter().map(|key| (*key).to_owned()).collect())
    }

    #[test]
    fn keys_of_texts_are_told_and_what_cannot_be_read_lacks_nothing() {
        let conn = Connection::open_in_memory().expect("DuckDB");
        conn.execute_batch(
            r#"CREATE TABLE few AS FROM (VALUES ('{"a":1,"b.c":{"d":2}}'), ('{}'), (NULL), ('{"e\"f":null}')) t(attributes);
               CREATE TABLE none AS FROM few LIMIT 0;
               CREATE TABLE broken AS FROM (VALUES ('{"a":')) t(attributes);
               CREATE TABLE many AS SELECT '{"k' || i || '":1}' AS attributes FROM range(2001) t(i);"#,
        )
        .expect("tables");
        let some = Keys::of_texts(&conn, "few");
        assert_eq!(some, of(&["a", "b.c", "e\"f"]));
        assert!(some.lack("d") && some.lack("b") && !some.lack("b.c"));
        assert!(Keys::of_texts(&conn, "none").lack("a"));
        assert!(!Keys::of_texts(&conn, "broken").lack("x"));
        assert!(!Keys::of_texts(&conn, "many").lack("x"));
    }

    #[test]
    fn a_union_lacks_what_all_lack_and_an_unknown_one_lacks_nothing() {
        let union = Keys::union(&[of(&["a"]), of(&["b"])]);
        assert!(!union.lack("a") && !union.lack("b") && union.lack("c"));
        assert!(!Keys::union(&[of(&["a"]), Keys::default()]).lack("c"));
    }

    #[test]
    fn they_are_read_as_they_were_written() {
        for keys in [of(&["a", "q\"ö\n"]), of(&[]), Keys::default()] {
            assert_eq!(Keys::from_text(&keys.to_text()), keys);
        }
    }
}
