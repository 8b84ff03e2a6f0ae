//! The shape of a log search: how many over time by severity, and the patterns of the newest.

use std::collections::{BTreeMap, BTreeSet};

use super::logs::{conditions, logs};
use super::newest::{Narrowed, tables, tables_in};
use super::{QueryError, Session};
use crate::analysis::{pattern, pattern_regex};
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
    let mut found: BTreeMap<String, (LogPattern, BTreeSet<String>)> = BTreeMap::new();
    for record in &newest.items {
        let message = record
            .body
            .as_deref()
            .or(record.event_name.as_deref())
            .unwrap_or("");
        let (entry, services) = found.entry(pattern(message)).or_insert_with_key(|pattern| {
            let first = LogPattern {
                pattern: pattern.clone(),
                example: message.to_owned(),
                newest_unix_nano: record.time_unix_nano,
                filter: filter_of(pattern, record.body.is_some()),
                ..LogPattern::default()
            };
            (first, BTreeSet::new())
        });
        entry.count += 1;
        entry.severity_number = entry.severity_number.max(record.severity_number);
        services.extend(record.service_name.clone());
    }
    let mut items: Vec<LogPattern> = found
        .into_values()
        .map(|(pattern, services)| LogPattern {
            services: services.into_iter().collect(),
            ..pattern
        })
        .collect();
    items.sort_by_key(|item| std::cmp::Reverse((item.count, item.severity_number)));
    let truncated = newest.truncated || items.len() > PATTERNS_MAX;
    items.truncate(PATTERNS_MAX);
    Ok(LogPatterns {
        items,
        records: newest.items.len() as u64,
        truncated,
    })
}

fn filter_of(pattern: &str, is_body: bool) -> String {
    let key = Key {
        scope: KeyScope::Anywhere,
        name: if is_body { "body" } else { "event" }.to_owned(),
    };
    let regex: String = pattern_regex(pattern).chars().take(480).collect();
    // Cut inside an escape it would not be one any more.
    let regex = regex.trim_end_matches('\\').to_owned();
    Expression::Compare(key, Operator::Matches, Literal::Text(regex)).to_string()
}
