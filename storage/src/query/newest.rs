//! The newest rows that fit, found by walking segments newest first and stopping when no older one can add.

use std::sync::Arc;

use duckdb::types::Value;
use duckdb::{Connection, Row};

use super::conditions::AttributeCondition;
use super::filter::{Table, Target, check_regexes, condition, is_of_resource, needed};
use super::{QueryError, Session};
use crate::ask::Ask;
use crate::filter::{Filter, KeyScope};
use crate::model::{AttributeFilter, LogQuery, TimeRange, TraceQuery};
use crate::segment::runs::Held;
use crate::segment::{Segment, signal_of, views};

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
#[derive(Clone)]
struct Source {
    table: Table,
    /// No row is newer.
    newest: i64,
    /// No row is older.
    oldest: i64,
    /// Times between which its rows lie apart, oldest first.
    cuts: Vec<i64>,
}

impl Source {
    /// Whether it may have a row of the range. One without a time is not in any.
    fn may_hold(&self, range: TimeRange) -> bool {
        self.newest >= range.from_unix_nano && self.oldest < range.to_unix_nano
    }

    /// It in parts that are read apart, each with the times it has rows of.
    fn parts(self) -> Vec<(Self, Part)> {
        if self.cuts.is_empty() {
            return vec![(self, Part::default())];
        }
        let bounds: Vec<Option<i64>> = std::iter::once(None)
            .chain(self.cuts.iter().copied().map(Some))
            .chain([None])
            .collect();
        let part = |bounds: &[Option<i64>]| {
            let (from, to) = (bounds[0], bounds[1]);
            let source = Self {
                oldest: from.map_or(self.oldest, |from| self.oldest.max(from)),
                newest: to.map_or(self.newest, |to| self.newest.min(to.saturating_sub(1))),
                ..self.clone()
            };
            (source, Part { from, to })
        };
        bounds.windows(2).map(part).collect()
    }
}

/// The rows of a source from a time on and up to another, nanoseconds.
#[derive(Debug, Clone, Copy, Default)]
struct Part {
    from: Option<i64>,
    to: Option<i64>,
}

impl Part {
    /// SQL of "the time is in it".
    fn conditions(self, time: &str) -> impl Iterator<Item = String> {
        let from = self
            .from
            .map(|ns| format!("f.{time} >= make_timestamp_ns({ns})"));
        let to = self
            .to
            .map(|ns| format!("f.{time} < make_timestamp_ns({ns})"));
        from.into_iter().chain(to)
    }
}

impl Newest<'_> {
    /// At most `limit` rows, newest first (ties by the second column), and whether there are more.
    pub(super) fn read<T>(
        &self,
        session: &Session<'_>,
        read: impl Fn(&Row<'_>) -> duckdb::Result<T>,
    ) -> Result<(Vec<T>, bool), QueryError> {
        let spans = tables(session, "spans");
        let mut sources: Vec<(Source, Part)> = sources(session, self.relation)
            .into_iter()
            .flat_map(Source::parts)
            .filter(|(source, _)| self.wants(source))
            .collect();
        sources.sort_by_key(|(source, _)| std::cmp::Reverse(source.newest));
        session.run(|conn| {
            if let Some(filter) = self.filter {
                check_regexes(conn, filter)?;
            }
            let mut found: Vec<((i64, u64), T)> = Vec::new();
            let mut more = false;
            for (source, part) in sources {
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
                self.read_source(conn, (&source.table, part), &spans, &read, &mut found)?;
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
        (source, part): (&Table, Part),
        spans: &[Table],
        read: &impl Fn(&Row<'_>) -> duckdb::Result<T>,
        found: &mut Vec<((i64, u64), T)>,
    ) -> Result<(), QueryError> {
        let mut narrowed = narrow(
            conn,
            source,
            spans,
            self.conditions,
            (self.attributes, self.filter, self.range),
        )?;
        let time = match self.relation {
            "logs" => "time",
            _ => "start_time",
        };
        part.conditions(time).for_each(|sql| narrowed.also(&sql));
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
        narrow(conn, table, spans, conditions, asked)
    }

    /// The template with everything but `{limit}` filled in.
    pub(super) fn sql(&self, template: &str) -> String {
        let sql = template
            .replace("{facts}", &self.table.facts)
            .replace("{dictionaries}", &self.table.dictionaries)
            .replace("{where}", &self.clause);
        documents(&sql, self.table.is_text)
    }

    /// A condition more, without holes.
    pub(super) fn also(&mut self, sql: &str) {
        let joined = if self.clause.is_empty() {
            "WHERE "
        } else {
            " AND "
        };
        self.clause.push_str(joined);
        self.clause.push_str(sql);
    }

    /// The values, in the order of their holes.
    pub(super) fn values(&self) -> &[Value] {
        &self.values
    }
}

type Asked<'a> = (&'a [AttributeFilter], Option<&'a Filter>, Option<TimeRange>);

/// Where the rows lie that have all that fitting ones need, in the runs of a table: SQL, none where that is everywhere.
fn within(
    conn: &Connection,
    table: &Table,
    (attributes, filter, _): Asked<'_>,
) -> duckdb::Result<Vec<String>> {
    let of_attributes = attributes.iter().map(|wanted| (wanted.key.as_str(), true));
    let of_filter = filter.into_iter().flat_map(needed);
    let of_filter = of_filter.map(|key| (key.name.as_str(), key.scope == KeyScope::Anywhere));
    let mut conditions = Vec::new();
    for (key, or_of_resource) in of_attributes.chain(of_filter) {
        let Some(rows) = table.rows_with(key) else {
            continue;
        };
        if !or_of_resource || !is_of_resource(conn, table, key)? {
            conditions.push(rows.condition("f.rowid"));
        }
    }
    Ok(conditions)
}

fn narrow<'a>(
    conn: &Connection,
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
    for rows in within(conn, table, (attributes, filter, range))? {
        also(&rows, &[]);
    }
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

/// A place where spans of some traces may be.
pub(super) struct Holding<'a> {
    pub segment: &'a Segment,
    pub table: Table,
    /// Those that may be there.
    pub traces: Vec<&'a str>,
    /// SQL of where their rows `f` may lie.
    pub within: String,
}

/// Every place where spans of one of these traces may be.
pub(super) fn holding<'a>(session: &Session<'a>, trace_ids: &[&'a str]) -> Vec<Holding<'a>> {
    let mut places = Vec::new();
    for segment in session.set().segments() {
        if !segment.may_have("spans") {
            continue;
        }
        let mut traces = trace_ids.to_vec();
        traces.retain(|id| segment.may_hold_trace(id));
        if traces.is_empty() {
            continue;
        }
        for (at, source) in sources_of(segment, "spans").into_iter().enumerate() {
            let held = match at {
                0 => segment.held(0, &traces),
                // Outliers are of any time.
                _ => Held::Anywhere,
            };
            places.push(Holding {
                segment,
                table: source.table,
                traces: traces.clone(),
                within: held.condition("f.rowid"),
            });
        }
    }
    places
}

/// Places where a fact relation may have rows of the range, newest first.
pub(super) fn tables_in(session: &Session<'_>, relation: &str, range: TimeRange) -> Vec<Table> {
    let mut sources = sources(session, relation);
    sources.retain(|source| source.may_hold(range));
    sources.sort_by_key(|source| std::cmp::Reverse(source.newest));
    sources.into_iter().map(|source| source.table).collect()
}

/// First and last event time of a relation's rows in a segment's main table, as far as that is known. Rows without a time
/// come last of all.
fn times_of(segment: &Segment, relation: &str) -> (i64, i64) {
    let unknown = (i64::MIN, i64::MAX);
    let known = match signal_of(relation).and_then(|signal| segment.known_times(signal)) {
        Some(times) => times,
        None if segment.is_text() => return unknown,
        None => segment.meta.event_range,
    };
    known.unwrap_or((i64::MAX, 0))
}

fn sources_of(segment: &Segment, relation: &str) -> Vec<Source> {
    let (oldest, newest) = times_of(segment, relation);
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
                    runs: match (at, relation) {
                        (0, "spans") => segment.keyed_runs().into(),
                        // Outliers lie in no runs.
                        _ => Arc::default(),
                    },
                },
                newest,
                oldest,
                cuts: match (at, signal_of(relation)) {
                    (0, Some(signal)) => segment.cuts(signal),
                    _ => Vec::new(),
                },
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
