//! The newest rows that fit, found by walking segments newest first and stopping when no older one can add.

use duckdb::types::Value;
use duckdb::{Connection, Row, params_from_iter};

use super::conditions::AttributeCondition;
use super::{QueryError, Session};
use crate::model::{AttributeFilter, TimeRange};
use crate::segment::Segment;

/// A question about rows of one fact table, newest first.
pub(super) struct Newest<'a> {
    /// SELECT of the columns wanted, the first of which is the time as BIGINT (0 when unknown) and the second
    /// a tie-breaker; `{facts}`, `{dictionaries}`, `{where}`, `{limit}` and `{{column}}` are filled in.
    pub template: &'a str,
    /// Conditions joined by AND, with their values.
    pub conditions: &'a super::conditions::Conditions,
    /// Each must hold on the row's attributes or on its resource's.
    pub attributes: &'a [AttributeFilter],
    /// Prunes segments.
    pub range: Option<TimeRange>,
    /// Rows wanted.
    pub limit: usize,
}

/// One place rows are read from.
struct Source {
    facts: String,
    dictionaries: String,
    is_text: bool,
    /// No row is newer.
    newest: i64,
}

impl Newest<'_> {
    /// At most `limit` rows, newest first (ties by the second column), and whether there are more.
    pub(super) fn read<T>(
        &self,
        session: &Session<'_>,
        read: impl Fn(&Row<'_>) -> duckdb::Result<T>,
    ) -> Result<(Vec<T>, bool), QueryError> {
        let mut sources: Vec<Source> = session
            .set()
            .segments()
            .iter()
            .flat_map(|segment| sources(segment))
            .filter(|s| self.wants(s))
            .collect();
        sources.sort_by_key(|source| std::cmp::Reverse(source.newest));
        session.run(|conn| {
            let mut found: Vec<((i64, u64), T)> = Vec::new();
            let mut more = false;
            for source in sources {
                let is_full = found.len() >= self.limit;
                if is_full
                    && found
                        .last()
                        .is_some_and(|((time, _), _)| *time > source.newest)
                {
                    // Everything in it is older than the last row shown; whether it has any does not matter.
                    more = true;
                    break;
                }
                self.read_source(conn, &source, &read, &mut found)?;
                found.sort_by_key(|((time, tie), _)| (std::cmp::Reverse(*time), *tie));
                more |= found.len() > self.limit;
                found.truncate(self.limit);
            }
            Ok((found.into_iter().map(|(_, item)| item).collect(), more))
        })
    }

    fn wants(&self, source: &Source) -> bool {
        // A row without a time is not in any range, so pruning by the newest loses nothing.
        self.range
            .is_none_or(|range| source.newest >= range.from_unix_nano)
    }

    fn read_source<T>(
        &self,
        conn: &Connection,
        source: &Source,
        read: &impl Fn(&Row<'_>) -> duckdb::Result<T>,
        found: &mut Vec<((i64, u64), T)>,
    ) -> Result<(), QueryError> {
        let mut filter = self.conditions.filter_clause();
        let mut values: Vec<Value> = self.conditions.values().to_vec();
        let mut also = |sql: &str, more: &[Value]| {
            filter.push_str(if filter.is_empty() { "WHERE " } else { " AND " });
            filter.push_str(sql);
            values.extend_from_slice(more);
        };
        for attribute in self.attributes {
            let condition = AttributeCondition::new(attribute, source.is_text)?;
            let sql = format!(
                "({} OR f.resource_ix IN (SELECT resource_ix FROM {}.resources WHERE {}))",
                condition.sql("f.attributes"),
                source.dictionaries,
                condition.sql("attributes"),
            );
            also(&sql, &[condition.values(), condition.values()].concat());
        }
        let sql = self
            .template
            .replace("{facts}", &source.facts)
            .replace("{dictionaries}", &source.dictionaries)
            .replace("{where}", &filter)
            .replace("{limit}", &(self.limit + 1).to_string());
        let sql = documents(&sql, source.is_text);
        let mut statement = conn.prepare(&sql)?;
        let mut rows = statement.query(params_from_iter(&values))?;
        while let Some(row) = rows.next()? {
            found.push(((row.get(0)?, row.get(1)?), read(row)?));
        }
        Ok(())
    }
}

fn sources(segment: &Segment) -> Vec<Source> {
    if !segment.has_rows() {
        return Vec::new();
    }
    let newest = match (segment.is_text(), segment.meta.event_range) {
        (false, Some((_, last))) => last,
        (false, None) => i64::MIN,
        (true, _) => i64::MAX,
    };
    let main = Source {
        facts: segment.schema(),
        dictionaries: segment.schema(),
        is_text: segment.is_text(),
        newest,
    };
    let outliers = Source {
        facts: format!("\"{}\".outliers", segment.alias()),
        dictionaries: segment.schema(),
        is_text: segment.is_text(),
        newest: i64::MAX,
    };
    if segment.meta.outliers > 0 {
        vec![main, outliers]
    } else {
        vec![main]
    }
}

/// Replaces `{{column}}` by the column's document as JSON text.
fn documents(sql: &str, is_text: bool) -> String {
    sql.replace("{{", "")
        .replace("}}", if is_text { "" } else { "::JSON::VARCHAR" })
}

/// Where a page ended: rows that come after it are older, or as old with a greater tie-breaker; of those
/// equal in both, `skip` were shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Position {
    pub time: i64,
    pub tie: u64,
    pub skip: usize,
}

impl Position {
    /// Reads a cursor.
    pub(super) fn parse(cursor: &str) -> Result<Self, QueryError> {
        let wrong = || QueryError::Invalid("this cursor is not one of ours");
        let mut parts = cursor.split('.');
        let mut next = || parts.next().ok_or_else(wrong);
        let (time, tie, skip) = (next()?, next()?, next()?);
        Ok(Self {
            time: time.parse().map_err(|_| wrong())?,
            tie: tie.parse().map_err(|_| wrong())?,
            skip: skip.parse::<u16>().map_err(|_| wrong())?.into(),
        })
    }

    /// Writes a cursor.
    pub(super) fn cursor(self) -> String {
        format!("{}.{}.{}", self.time, self.tie, self.skip)
    }

    /// The position after `keys` (in order), which followed `before`.
    pub(super) fn after(before: Option<Self>, keys: &[(i64, u64)]) -> Option<Self> {
        let &(time, tie) = keys.last()?;
        let equal = keys
            .iter()
            .rev()
            .take_while(|key| **key == (time, tie))
            .count();
        let carried = before
            .filter(|p| equal == keys.len() && (p.time, p.tie) == (time, tie))
            .map_or(0, |p| p.skip);
        Some(Self {
            time,
            tie,
            skip: equal + carried,
        })
    }
}
