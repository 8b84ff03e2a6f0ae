//! The newest rows that fit, found by walking segments newest first and stopping when no older one can add.

use duckdb::types::Value;
use duckdb::{Connection, Row};

use super::conditions::AttributeCondition;
use super::filter::{Table, Target, check_regexes, condition};
use super::{QueryError, Session};
use crate::ask::Ask;
use crate::filter::Filter;
use crate::model::{AttributeFilter, LogQuery, TimeRange, TraceQuery};
use crate::segment::{Segment, views};

/// A question about rows of one fact table, newest first.
pub(super) struct Newest<'a> {
    /// The fact relation whose rows they are: `spans` or `logs`.
    pub relation: &'a str,
    /// SELECT of the columns wanted, the first of which is the time as BIGINT (0 when unknown) and the second
    /// a tie-breaker; `{facts}`, `{dictionaries}`, `{where}`, `{limit}` and `{{column}}` are filled in.
    pub template: &'a str,
    /// Conditions joined by AND, with their values.
    pub conditions: &'a super::conditions::Conditions,
    /// Each must hold on the row's attributes or on its resource's.
    pub attributes: &'a [AttributeFilter],
    /// What a person wrote.
    pub filter: Option<&'a Filter>,
    /// Prunes segments.
    pub range: Option<TimeRange>,
    /// Rows wanted.
    pub limit: usize,
}

/// One place rows are read from.
struct Source {
    table: Table,
    /// No row is newer.
    newest: i64,
    /// No row is older.
    oldest: i64,
}

impl Source {
    /// Whether it may have a row of the range. One without a time is not in any.
    fn may_hold(&self, range: TimeRange) -> bool {
        self.newest >= range.from_unix_nano && self.oldest < range.to_unix_nano
    }
}

impl Newest<'_> {
    /// At most `limit` rows, newest first (ties by the second column), and whether there are more.
    pub(super) fn read<T>(
        &self,
        session: &Session<'_>,
        read: impl Fn(&Row<'_>) -> duckdb::Result<T>,
    ) -> Result<(Vec<T>, bool), QueryError> {
        let mut sources = sources(session, self.relation);
        let spans = tables(session, "spans");
        sources.retain(|source| self.wants(source));
        sources.sort_by_key(|source| std::cmp::Reverse(source.newest));
        session.run(|conn| {
            if let Some(filter) = self.filter {
                check_regexes(conn, filter)?;
            }
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
                self.read_source(conn, &source.table, &spans, &read, &mut found)?;
                found.sort_by_key(|((time, tie), _)| (std::cmp::Reverse(*time), *tie));
                more |= found.len() > self.limit;
                found.truncate(self.limit);
            }
            Ok((found.into_iter().map(|(_, item)| item).collect(), more))
        })
    }

    fn wants(&self, source: &Source) -> bool {
        self.range.is_none_or(|range| source.may_hold(range))
    }

    fn read_source<T>(
        &self,
        conn: &Connection,
        source: &Table,
        spans: &[Table],
        read: &impl Fn(&Row<'_>) -> duckdb::Result<T>,
        found: &mut Vec<((i64, u64), T)>,
    ) -> Result<(), QueryError> {
        let narrowed = narrow(
            source,
            spans,
            self.conditions,
            (self.attributes, self.filter, self.range),
        )?;
        let sql = narrowed
            .sql(self.template)
            .replace("{limit}", &(self.limit + 1).to_string());
        let mut statement = conn.ask(&sql)?;
        let mut rows = statement.query(narrowed.values())?;
        while let Some(row) = rows.next()? {
            found.push(((row.get(0)?, row.get(1)?), read(row)?));
        }
        Ok(())
    }
}

/// The rows of one table that fit: a WHERE clause and its values.
pub(super) struct Narrowed<'a> {
    table: &'a Table,
    clause: String,
    values: Vec<Value>,
}

impl<'a> Narrowed<'a> {
    /// The spans of `table` that fit `query`; `spans` is where those of their traces may be.
    pub(super) fn new(
        conn: &Connection,
        table: &'a Table,
        spans: &[Table],
        conditions: &super::conditions::Conditions,
        query: &TraceQuery,
    ) -> Result<Self, QueryError> {
        let asked = (
            query.attributes.as_slice(),
            query.filter.as_ref(),
            query.range,
        );
        Self::checked(conn, table, spans, conditions, asked)
    }

    /// The log records of `table` that fit `query`.
    pub(super) fn logs(
        conn: &Connection,
        table: &'a Table,
        spans: &[Table],
        conditions: &super::conditions::Conditions,
        query: &LogQuery,
    ) -> Result<Self, QueryError> {
        let asked = (
            query.attributes.as_slice(),
            query.filter.as_ref(),
            query.range,
        );
        Self::checked(conn, table, spans, conditions, asked)
    }

    fn checked(
        conn: &Connection,
        table: &'a Table,
        spans: &[Table],
        conditions: &super::conditions::Conditions,
        asked: Asked<'_>,
    ) -> Result<Self, QueryError> {
        if let (_, Some(filter), _) = asked {
            check_regexes(conn, filter)?;
        }
        narrow(table, spans, conditions, asked)
    }

    /// The template with everything but `{limit}` filled in.
    pub(super) fn sql(&self, template: &str) -> String {
        let sql = template
            .replace("{facts}", &self.table.facts)
            .replace("{dictionaries}", &self.table.dictionaries)
            .replace("{where}", &self.clause);
        documents(&sql, self.table.is_text)
    }

    /// The values, in the order of their holes.
    pub(super) fn values(&self) -> &[Value] {
        &self.values
    }
}

type Asked<'a> = (&'a [AttributeFilter], Option<&'a Filter>, Option<TimeRange>);

fn narrow<'a>(
    table: &'a Table,
    spans: &[Table],
    conditions: &super::conditions::Conditions,
    (attributes, filter, range): Asked<'_>,
) -> Result<Narrowed<'a>, QueryError> {
    let mut clause = conditions.filter_clause();
    let mut values: Vec<Value> = conditions.values().to_vec();
    let mut also = |sql: &str, more: &[Value]| {
        clause.push_str(if clause.is_empty() { "WHERE " } else { " AND " });
        clause.push_str(sql);
        values.extend_from_slice(more);
    };
    for wanted in attributes {
        let attribute = AttributeCondition::new(wanted, table.is_text)?;
        let of_resource = format!(
            "f.resource_ix IN (SELECT resource_ix FROM {}.resources WHERE {})",
            table.dictionaries,
            attribute.sql("attributes"),
        );
        if table.keys.lack(&wanted.key) {
            also(&of_resource, attribute.values());
        } else {
            let sql = format!("({} OR {of_resource})", attribute.sql("f.attributes"));
            also(&sql, &[attribute.values(), attribute.values()].concat());
        }
    }
    if let Some(wanted) = filter {
        let target = Target {
            table: Some(table),
            spans,
            range,
        };
        let sql = condition(wanted, &target);
        also(sql.text(), sql.values());
    }
    Ok(Narrowed {
        table,
        clause,
        values,
    })
}

/// Every place where a fact relation may have rows.
fn sources(session: &Session<'_>, relation: &str) -> Vec<Source> {
    let segments = session.set().segments().iter();
    segments
        .filter(|segment| segment.may_have(relation))
        .flat_map(|segment| sources_of(segment, relation))
        .collect()
}

/// Every place where a fact relation may have rows, in no order.
pub(super) fn tables(session: &Session<'_>, relation: &str) -> Vec<Table> {
    sources(session, relation)
        .into_iter()
        .map(|source| source.table)
        .collect()
}

/// Places where a fact relation may have rows of one of these traces.
pub(super) fn tables_with_traces(
    session: &Session<'_>,
    relation: &str,
    trace_ids: &[&str],
) -> Vec<Table> {
    let segments = session.set().segments().iter();
    segments
        .filter(|segment| segment.may_have(relation))
        .filter(|segment| trace_ids.iter().any(|id| segment.may_hold_trace(id)))
        .flat_map(|segment| sources_of(segment, relation))
        .map(|source| source.table)
        .collect()
}

/// Places where a fact relation may have rows of the range, newest first.
pub(super) fn tables_in(session: &Session<'_>, relation: &str, range: TimeRange) -> Vec<Table> {
    let mut sources = sources(session, relation);
    sources.retain(|source| source.may_hold(range));
    sources.sort_by_key(|source| std::cmp::Reverse(source.newest));
    sources.into_iter().map(|source| source.table).collect()
}

fn sources_of(segment: &Segment, relation: &str) -> Vec<Source> {
    let (oldest, newest) = match (segment.is_text(), segment.meta.event_range) {
        (false, Some(times)) => times,
        (false, None) => (i64::MAX, i64::MIN),
        (true, _) => (i64::MIN, i64::MAX),
    };
    let places = views::places(segment).into_iter().enumerate();
    places
        .map(|(at, facts)| {
            let (oldest, newest) = match at {
                0 => (oldest, newest),
                // Outliers are of any time.
                _ => (i64::MIN, i64::MAX),
            };
            Source {
                table: Table {
                    facts,
                    dictionaries: segment.schema(),
                    is_text: segment.is_text(),
                    keys: segment.keys(relation),
                },
                newest,
                oldest,
            }
        })
        .collect()
}

/// Replaces `{{column}}` by the column's document as JSON text.
pub(super) fn documents(sql: &str, is_text: bool) -> String {
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
