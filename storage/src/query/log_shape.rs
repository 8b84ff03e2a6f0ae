//! The shape of a log search: how many over time by severity, and the patterns of the newest.

use std::collections::{BTreeMap, BTreeSet};

use super::logs::{conditions, logs};
use super::newest::{Narrowed, tables, tables_in};
use super::{QueryError, Session};
use crate::analysis::{pattern, pattern_is_whole, pattern_regex};
use crate::ask::Ask;
use crate::filter::{Expression, Key, KeyScope, Literal, Operator};
use crate::model::{LogHistogram, LogHistogramStep, LogPattern, LogPatterns, LogQuery};

const HISTOGRAM: &str = include_str!("log_histogram.sql");
const STEPS_MAX: u32 = 240;
const SERVICES_MAX: usize = 12;
/// Records whose patterns are looked at.
const RECORDS_MAX: usize = 5_000;
const PATTERNS_MAX: usize = 100;

/// Records that fit, over time and by severity; `query.range` must be given.
pub fn log_histogram(
    session: &Session<'_>,
    query: &LogQuery,
    steps: u32,
) -> Result<LogHistogram, QueryError> {
    let Some(range) = query.range else {
        return Err(QueryError::Invalid("a histogram needs a time range"));
    };
    let steps = steps.clamp(1, STEPS_MAX);
    let length = range
        .to_unix_nano
        .saturating_sub(range.from_unix_nano)
        .max(1);
    let width = (length - 1) / i64::from(steps) + 1;
    let whole = LogQuery {
        cursor: None,
        ..query.clone()
    };
    let conditions = conditions(&whole, None);
    let spans = tables(session, "spans");
    let mut histogram = vec![LogHistogramStep::default(); steps as usize];
    let mut services: BTreeMap<String, u64> = BTreeMap::new();
    session.run(|conn| {
        for table in tables_in(session, "logs", range) {
            let narrowed = Narrowed::logs(conn, &table, &spans, &conditions, &whole)?;
            // All three are numbers of ours.
            let sql = narrowed
                .sql(HISTOGRAM)
                .replace("{from}", &range.from_unix_nano.to_string())
                .replace("{to}", &range.to_unix_nano.to_string())
                .replace("{width}", &width.to_string());
            let mut statement = conn.ask(&sql)?;
            let mut rows = statement.query(narrowed.values())?;
            while let Some(row) = rows.next()? {
                let (step, severity): (u32, u8) = (row.get(0)?, row.get(1)?);
                let count: u64 = row.get(3)?;
                if let Some(step) = histogram.get_mut(step as usize) {
                    step.counts[usize::from(severity.min(6))] += count;
                }
                *services.entry(row.get(2)?).or_default() += count;
            }
        }
        Ok(())
    })?;
    let mut services: Vec<(String, u64)> = services
        .into_iter()
        .filter(|(name, _)| !name.is_empty())
        .collect();
    services.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    let services_total = services.len() as u64;
    services.truncate(SERVICES_MAX);
    Ok(LogHistogram {
        steps: histogram,
        services,
        services_total,
    })
}

/// The newest records that fit, gathered by pattern.
pub fn log_patterns(session: &Session<'_>, query: &LogQuery) -> Result<LogPatterns, QueryError> {
    let newest = logs(
        session,
        &LogQuery {
            limit: RECORDS_MAX,
            cursor: None,
            ..query.clone()
        },
    )?;
    let mut found: BTreeMap<String, Found> = BTreeMap::new();
    for record in &newest.items {
        let message = record
            .body
            .as_deref()
            .or(record.event_name.as_deref())
            .unwrap_or("");
        let entry = found.entry(pattern(message)).or_insert_with(|| Found {
            shown: LogPattern {
                example: message.to_owned(),
                newest_unix_nano: record.time_unix_nano,
                ..LogPattern::default()
            },
            services: BTreeSet::new(),
            is_body: record.body.is_some(),
            is_whole: true,
        });
        entry.shown.count += 1;
        entry.shown.severity_number = entry.shown.severity_number.max(record.severity_number);
        entry.services.extend(record.service_name.clone());
        entry.is_whole &= pattern_is_whole(message);
    }
    let mut items: Vec<LogPattern> = found
        .into_iter()
        .map(|(pattern, found)| LogPattern {
            filter: filter_of(&pattern, &found),
            services: found.services.into_iter().collect(),
            pattern,
            ..found.shown
        })
        .collect();
    items.sort_by_key(|item| std::cmp::Reverse((item.count, item.severity_number)));
    let total = items.len() as u64;
    items.truncate(PATTERNS_MAX);
    Ok(LogPatterns {
        items,
        total,
        records: newest.items.len() as u64,
        truncated: newest.truncated,
    })
}

/// A pattern while its records are gathered.
struct Found {
    shown: LogPattern,
    services: BTreeSet<String>,
    /// It is one of bodies; else of names of events.
    is_body: bool,
    /// All of its messages were looked at to their ends.
    is_whole: bool,
}

fn filter_of(pattern: &str, found: &Found) -> String {
    let matches = |name: &str| {
        let regex = pattern_regex(pattern, found.is_whole);
        Expression::Compare(key(name), Operator::Matches, Literal::Text(regex))
    };
    let filter = if pattern.is_empty() {
        let nothing = vec![
            Expression::Absent(key("body")),
            Expression::Absent(key("event")),
        ];
        Expression::or(vec![matches("body"), Expression::and(nothing)])
    } else if found.is_body {
        matches("body")
    } else {
        Expression::and(vec![Expression::Absent(key("body")), matches("event")])
    };
    filter.to_string()
}

fn key(name: &str) -> Key {
    Key {
        scope: KeyScope::Anywhere,
        name: name.to_owned(),
    }
}
