//! Attribute keys that occur in a sealed segment.
//!
//! DuckDB 2.0.0 reads a key of a VARIANT in 0.05 µs a row where the row group has it in a column of its own, and in
//! 7 µs where no row of the group has it, for then every document is put together first (2026-11-22, 14 attributes). A
//! question that asks for keys which few services send, such as `circuit_breaker.name`, must not ask segments without, nor
//! runs without: of 10 million spans, an incident's page took ten seconds where one run in six had that key (2026-11-23).

use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::Arc;

use duckdb::Connection;

/// A segment with more keys does not list them: somebody writes data into keys.
const KEYS_MAX: usize = 2_000;
/// Parts that the rows of a segment are asked in, at most.
const STRETCHES_MAX: usize = 8;

/// Keys of one fact table's `attributes`; nobody looked, or there are too many, where there is no list.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Keys(Option<Arc<Listed>>);

#[derive(Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
struct Listed {
    all: BTreeSet<String>,
    /// Those with a map or an array in some row, at least; `None` where nobody looked.
    deep: Option<BTreeSet<String>>,
}

/// Maps and arrays as the hot encoding writes them, without spaces. Quotes inside a text are escaped, so no text passes
/// for a key; a key of the same name further in does, which costs time only. Rows without any cost 0.3 µs of CPU each, half
/// as much as the list of all keys: a needle that begins with a quote finds one at every word (0.6 µs), so what follows it
/// is looked for first (2026-11-23, 61,440 rows, 14 keys).
const DEEP: &str = "SELECT DISTINCT key FROM (SELECT attributes, unnest(json_keys(attributes)) AS key FROM {table} \
                    WHERE contains(attributes, ':{') AND contains(attributes, '\":{') \
                    OR contains(attributes, ':[') AND contains(attributes, '\":[')) \
                    WHERE contains(attributes, json_quote(key)::VARCHAR || ':{') \
                    OR contains(attributes, json_quote(key)::VARCHAR || ':[')";

impl Keys {
    /// Of the documents of a hot table, which are text.
    pub(crate) fn of_texts(conn: &Connection, table: &str) -> Self {
        let all = format!(
            "SELECT DISTINCT unnest(json_keys(attributes)) FROM {table} LIMIT {}",
            KEYS_MAX + 1
        );
        let read = |sql: &str| -> duckdb::Result<BTreeSet<String>> {
            let mut statement = conn.prepare(sql)?;
            statement.query_map([], |row| row.get(0))?.collect()
        };
        let both = || -> duckdb::Result<Self> {
            let all = read(&all)?;
            if all.len() > KEYS_MAX {
                return Ok(Self(None));
            }
            let deep = read(&DEEP.replace("{table}", table))?;
            Ok(Self::of(all, Some(deep)))
        };
        match both() {
            Ok(keys) => keys,
            // A text that is no JSON goes to the quarantine; its table has no list.
            Err(error) => {
                tracing::debug!(%error, table, "attribute keys are not known");
                Self(None)
            }
        }
    }

    fn of(all: BTreeSet<String>, deep: Option<BTreeSet<String>>) -> Self {
        Self((all.len() <= KEYS_MAX).then(|| Arc::new(Listed { all, deep })))
    }

    /// Of the rows of all of these; at least theirs, where some rows are left out.
    pub(crate) fn union<'a>(keys: impl IntoIterator<Item = &'a Self>) -> Self {
        let mut union = BTreeSet::new();
        let mut deep = Some(BTreeSet::new());
        for Self(listed) in keys {
            let Some(listed) = listed else {
                return Self(None);
            };
            union.extend(listed.all.iter().cloned());
            deep = deep.zip(listed.deep.clone()).map(|(mut one, other)| {
                one.extend(other);
                one
            });
        }
        Self::of(union, deep)
    }

    /// Every key; none where there is no list.
    pub(crate) fn all(&self) -> impl Iterator<Item = &str> {
        let listed = self.0.iter().flat_map(|listed| &listed.all);
        listed.map(String::as_str)
    }

    /// Whether no row has the key: `true` is certain.
    pub(crate) fn lack(&self, key: &str) -> bool {
        self.0
            .as_ref()
            .is_some_and(|listed| !listed.all.contains(key))
    }

    /// Whether no row has a map or an array under the key: `true` is certain.
    pub(crate) fn is_flat(&self, key: &str) -> bool {
        let deep = self.0.as_ref().and_then(|listed| listed.deep.as_ref());
        deep.is_some_and(|deep| !deep.contains(key))
    }

    /// Which of these no row has.
    fn lacking(&self, keys: &[&str]) -> Vec<bool> {
        keys.iter().map(|key| self.lack(key)).collect()
    }

    /// As it is kept in a segment's `meta`; empty where there is no list.
    pub(crate) fn to_text(&self) -> String {
        self.0
            .as_ref()
            .and_then(|listed| serde_json::to_string(listed.as_ref()).ok())
            .unwrap_or_default()
    }

    /// Reads [`Self::to_text`], and the plain list of keys that former versions wrote.
    pub(crate) fn from_text(text: &str) -> Self {
        let plain = || serde_json::from_str(text).map(|all| Listed { all, deep: None });
        let listed = serde_json::from_str(text).or_else(|_| plain());
        Self(listed.ok().map(Arc::new))
    }
}

/// Rows of one relation that follow each other, and the keys that occur in them.
pub(crate) type Stretch = (Range<u64>, Keys);

/// The rows of runs (how many, and their keys) in as few stretches as differ in which of `keys` they lack. None where all
/// lack the same, or where there are more than [`STRETCHES_MAX`]: each is a plan of its own, or a condition.
pub(crate) fn stretches(runs: &[(u64, Keys)], keys: &[&str]) -> Vec<Stretch> {
    let mut found: Vec<(Vec<bool>, Stretch)> = Vec::new();
    let mut at = 0;
    for (rows, of_run) in runs.iter().filter(|(rows, _)| *rows > 0) {
        let lacking = of_run.lacking(keys);
        match found.last_mut() {
            Some((same, (range, known))) if *same == lacking => {
                range.end += *rows;
                *known = Keys::union([&*known, of_run]);
            }
            _ => found.push((lacking, (at..at + *rows, of_run.clone()))),
        }
        at += *rows;
    }
    match found.len() {
        2..=STRETCHES_MAX => found.into_iter().map(|(_, stretch)| stretch).collect(),
        _ => Vec::new(),
    }
}

/// The keys of several runs as `meta` has them: which list each has, then each list once, a line each.
pub(super) fn runs_to_text(runs: &[Keys]) -> String {
    let mut lists: Vec<&Keys> = Vec::new();
    let of_runs: Vec<String> = runs
        .iter()
        .map(|keys| {
            let known = lists.iter().position(|list| *list == keys);
            let at = known.unwrap_or_else(|| {
                lists.push(keys);
                lists.len() - 1
            });
            at.to_string()
        })
        .collect();
    let lists = lists.into_iter().map(Keys::to_text);
    let lines: Vec<String> = std::iter::once(of_runs.join(" ")).chain(lists).collect();
    lines.join("\n")
}

/// Reads [`runs_to_text`]; none where anything of it cannot be read.
pub(super) fn runs_from_text(text: &str) -> Vec<Keys> {
    let mut lines = text.split('\n');
    let of_runs = lines.next().unwrap_or_default();
    let lists: Vec<Keys> = lines.map(Keys::from_text).collect();
    let list = |at: &str| lists.get(at.parse::<usize>().ok()?).cloned();
    let runs: Option<Vec<Keys>> = of_runs.split(' ').map(list).collect();
    runs.unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_told_apart_where_runs_lack_other_keys() {
        let (a, ab, c) = (of(&["a", "z"]), of(&["a", "b"]), of(&["c"]));
        let runs = [(10, &a), (0, &c), (5, &a), (20, &ab), (7, &c), (1, &a)];
        let runs = runs.map(|(rows, keys)| (rows, keys.clone()));
        let ranges = |keys: &[&str]| -> Vec<Range<u64>> {
            let found = stretches(&runs, keys);
            found.into_iter().map(|(range, _)| range).collect()
        };
        assert_eq!(ranges(&["b"]), [0..15, 15..35, 35..43]);
        assert_eq!(ranges(&["a", "z"]), [0..15, 15..35, 35..42, 42..43]);
        // All lack it, or all may have it.
        assert_eq!(ranges(&["d"]), [0..0; 0]);
        assert_eq!(ranges(&[]), [0..0; 0]);
        let unknown = Keys::default();
        let found = stretches(&[(10, a.clone()), (20, unknown)], &["b"]);
        let [(first, keys), (rest, others)] = found.as_slice() else {
            panic!("{found:?}");
        };
        assert_eq!((first, rest), (&(0..10), &(10..30)));
        assert!(keys.lack("b") && !others.lack("b"));
        let keys = [a, c].into_iter().cycle().take(STRETCHES_MAX + 1);
        let runs: Vec<(u64, Keys)> = keys.map(|keys| (1, keys)).collect();
        assert_eq!(stretches(&runs, &["a"]), []);
    }

    #[test]
    fn keys_of_runs_are_read_as_they_were_written() {
        let some = with_deep(&["a", "n\nl"], &["a"]);
        let runs = vec![some.clone(), Keys::default(), some, of(&[])];
        assert_eq!(runs_from_text(&runs_to_text(&runs)), runs);
        for broken in ["", "0 1", "x\n{}", "1\n"] {
            assert_eq!(runs_from_text(broken), [], "{broken:?}");
        }
    }

    fn of(keys: &[&str]) -> Keys {
        with_deep(keys, &[])
    }

    fn with_deep(keys: &[&str], deep: &[&str]) -> Keys {
        let set = |keys: &[&str]| keys.iter().map(|key| (*key).to_owned()).collect();
        Keys::of(set(keys), Some(set(deep)))
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
        assert_eq!(some, with_deep(&["a", "b.c", "e\"f"], &["b.c"]));
        assert!(some.all().eq(["a", "b.c", "e\"f"]));
        assert!(some.is_flat("a") && !some.is_flat("b.c"));
        assert!(some.lack("d") && some.lack("b") && !some.lack("b.c"));
        assert!(Keys::of_texts(&conn, "none").lack("a"));
        for unknown in ["broken", "many"] {
            let keys = Keys::of_texts(&conn, unknown);
            assert!(!keys.lack("x") && !keys.is_flat("x"), "{unknown}");
        }
    }

    #[test]
    fn a_union_lacks_what_all_lack_and_an_unknown_one_lacks_nothing() {
        let union = Keys::union(&[of(&["a"]), of(&["b"])]);
        assert!(!union.lack("a") && !union.lack("b") && union.lack("c"));
        assert!(!Keys::union(&[of(&["a"]), Keys::default()]).lack("c"));
    }

    #[test]
    fn a_key_is_deep_where_any_row_has_a_map_or_an_array_under_it() {
        let conn = Connection::open_in_memory().expect("DuckDB");
        conn.execute_batch(
            r#"CREATE TABLE t AS FROM (VALUES
                ('{"map":{"A":1,"a":2},"flat":1}'), ('{"map":"x","list":[{"q":1}]}'),
                ('{"flat":"{[","text":"\"flat\":{","q\"ö":[]}')) t(attributes);"#,
        )
        .expect("a table");
        let keys = Keys::of_texts(&conn, "t");
        assert_eq!(
            keys,
            with_deep(
                &["map", "flat", "list", "text", "q\"ö"],
                &["map", "list", "q\"ö"]
            )
        );
        let union = Keys::union(&[keys, with_deep(&["flat"], &["flat"])]);
        assert!(union.is_flat("text") && !union.is_flat("flat") && !union.is_flat("map"));
        assert!(!Keys::union(&[union, Keys::from_text(r#"["flat"]"#)]).is_flat("text"));
    }

    #[test]
    fn they_are_read_as_they_were_written() {
        let deep = with_deep(&["a", "b"], &["b"]);
        for keys in [of(&["a", "q\"ö\n"]), deep, of(&[]), Keys::default()] {
            assert_eq!(Keys::from_text(&keys.to_text()), keys);
        }
        let former = Keys::from_text(r#"["a"]"#);
        assert!(!former.lack("a") && former.lack("b") && !former.is_flat("a"));
    }
}
