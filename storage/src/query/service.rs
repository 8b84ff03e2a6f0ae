//! One service over time: rate, errors, duration; its versions side by side; what changed.

use std::collections::BTreeMap;

use duckdb::Connection;
use duckdb::types::Value;

use super::changes::newest_changes;
use super::conditions::Conditions;
use super::sent::{each_sent_by, service_name};
use super::services::red;
use super::{QueryError, Session};
use crate::ask::Ask;
use crate::model::{
    Change, ChangesQuery, OperationSummary, RedPoint, Scope, ServiceDetail, ServiceQuery,
    VersionSummary,
};
use crate::rollup::{BUCKET_NS, Operation, Totals};
use crate::segment::kept::is_in;
use crate::segment::origins::Resource;
use crate::store::SegmentSet;

const OPERATIONS: &str = include_str!("service_operations.sql");
/// Operations listed, busiest first.
const OPERATIONS_MAX: usize = 50;
const STEPS_MAX: u32 = 500;
/// Reported changes listed; the newest are kept.
const CHANGES_MAX: usize = 200;

/// How one service did over time.
pub fn service(session: &Session<'_>, query: &ServiceQuery) -> Result<ServiceDetail, QueryError> {
    let (points, (operations, operations_total)) = session.run(|conn| {
        let set = session.set();
        Ok((points(set, conn, query)?, operations(set, conn, query)?))
    })?;
    let versions = versions(session, query)?;
    let scope = query.own.as_ref().unwrap_or(&query.scope);
    let reported = ChangesQuery {
        range: query.range,
        scope: scope.clone(),
        service: Some(query.service.clone()),
        limit: CHANGES_MAX,
    };
    let mut found = newest_changes(session, &reported)?.items;
    // A version seen from the start may be as old as the data; one that came later was deployed.
    let settled = query.range.from_unix_nano.saturating_add(60_000_000_000);
    let first = versions.iter().map(|version| version.first_unix_nano).min();
    for version in &versions {
        let is_new = version.first_unix_nano > settled && Some(version.first_unix_nano) != first;
        if let (Some(name), true) = (&version.version, is_new) {
            found.push(Change {
                time_unix_nano: version.first_unix_nano,
                service_name: Some(query.service.clone()),
                kind: "deploy".to_owned(),
                description: format!("version {name} appeared"),
                evidence: "version".to_owned(),
            });
        }
    }
    found.sort_by_key(|change| change.time_unix_nano);
    Ok(ServiceDetail {
        points,
        operations,
        operations_total,
        versions,
        changes: found,
    })
}

/// Rate, errors and duration of one service by step of time, oldest first: what is drawn of [`service`], for little.
pub fn red_points(
    session: &Session<'_>,
    query: &ServiceQuery,
) -> Result<Vec<RedPoint>, QueryError> {
    session.run(|conn| points(session.set(), conn, query))
}

/// Its name and scope.
pub(super) fn of_service(query: &ServiceQuery, conditions: &mut Conditions) {
    conditions.scope(&query.scope);
    if let Some(own) = &query.own {
        conditions.own_scope(own);
    }
    conditions.add("service_name = ?", [Value::Text(query.service.clone())]);
}

/// Whether a name and scope are its.
fn is_of_service(query: &ServiceQuery, scope: &Scope, name: &str) -> bool {
    name == query.service
        && is_in(scope, &query.scope)
        && query.own.as_ref().is_none_or(|own| own == scope)
}

/// Start of the first step and the length of each, nanoseconds: whole buckets, or steps would share them unevenly.
pub(super) fn steps_of(query: &ServiceQuery) -> (i64, i64) {
    let steps = i64::from(query.steps.clamp(1, STEPS_MAX));
    let from = query.range.from_unix_nano.div_euclid(BUCKET_NS) * BUCKET_NS;
    let length = query.range.to_unix_nano.saturating_sub(from).max(1);
    let width = ((length - 1) / steps + 1).div_euclid(BUCKET_NS).max(1) * BUCKET_NS;
    if width * steps < length {
        (from, width + BUCKET_NS)
    } else {
        (from, width)
    }
}

fn points(
    set: &SegmentSet,
    conn: &Connection,
    query: &ServiceQuery,
) -> Result<Vec<RedPoint>, QueryError> {
    let (from, width) = steps_of(query);
    let length = query.range.to_unix_nano.saturating_sub(from).max(1);
    let mut by_rank: BTreeMap<u8, BTreeMap<i64, Totals>> = BTreeMap::new();
    set.each_service_bucket(conn, query.range, |sum| {
        if is_of_service(query, &sum.of.scope, &sum.of.service_name) {
            let steps = by_rank.entry(sum.of.rank).or_default();
            let step = (sum.bucket_start - from) / width;
            steps.entry(step).or_default().add(sum);
        }
    })?;
    let best = by_rank.into_values().next().unwrap_or_default();
    let count = (length - 1) / width + 1;
    Ok((0..count)
        .map(|step| {
            let totals = best.get(&step).cloned().unwrap_or_default();
            RedPoint {
                time_unix_nano: from + step * width,
                seconds: width as f64 / 1e9,
                calls: totals.calls,
                errors: totals.errors,
                weight: totals.weight,
                error_weight: totals.error_weight,
                latency: totals.latency(),
            }
        })
        .collect())
}

/// Its entry spans by name, busiest first, and how many names there are.
fn operations(
    set: &SegmentSet,
    conn: &Connection,
    query: &ServiceQuery,
) -> Result<(Vec<OperationSummary>, u64), QueryError> {
    match operations_in_memory(set, conn, query)? {
        Some(found) => Ok(found),
        None => operations_by_engine(set, conn, query),
    }
}

/// The same, from sums that are kept of sealed segments and made of the others; `None` if there are too many.
pub(super) fn operations_in_memory(
    set: &SegmentSet,
    conn: &Connection,
    query: &ServiceQuery,
) -> Result<Option<(Vec<OperationSummary>, u64)>, QueryError> {
    let mut by_rank: BTreeMap<u8, BTreeMap<String, Totals>> = BTreeMap::new();
    let are_all = set.each_operation(conn, query.range, &query.service, |sum| {
        let Operation { spans, name } = sum.of;
        if is_of_service(query, &spans.scope, &spans.service_name) {
            let names = by_rank.entry(spans.rank).or_default();
            match names.get_mut(name) {
                Some(totals) => totals.add(sum),
                None => names.entry(name.clone()).or_default().add(sum),
            }
        }
    })?;
    let best = by_rank.into_values().next().unwrap_or_default();
    let names = best.len() as u64;
    Ok(are_all.then(|| (busiest(best), names)))
}

/// The same, where there may be any number of names.
pub(super) fn operations_by_engine(
    set: &SegmentSet,
    conn: &Connection,
    query: &ServiceQuery,
) -> Result<(Vec<OperationSummary>, u64), QueryError> {
    let mut conditions = Conditions::default();
    conditions.buckets(query.range);
    of_service(query, &mut conditions);
    let sql = OPERATIONS
        .replace("{red}", &red(set, query.range))
        .replace("{where}", &conditions.filter_clause())
        .replace("{limit}", &OPERATIONS_MAX.to_string());
    let mut statement = conn.ask(&sql)?;
    let mut rows = statement.query(conditions.values())?;
    let mut found: BTreeMap<String, Totals> = BTreeMap::new();
    let mut names = 0;
    while let Some(row) = rows.next()? {
        let totals = found.entry(row.get(0)?).or_default();
        match row.get::<_, Option<u16>>(1)? {
            Some(bucket) => totals.add_bucket(bucket, row.get(2)?),
            None => {
                let (weight, error_weight) = (row.get(4)?, row.get(5)?);
                totals.add_counts(row.get(2)?, row.get(3)?, weight, error_weight, "all");
                names = row.get(6)?;
            }
        }
    }
    Ok((busiest(found), names))
}

/// The busiest operations first, as many as are listed.
fn busiest(found: BTreeMap<String, Totals>) -> Vec<OperationSummary> {
    let mut all: Vec<(String, Totals)> = found.into_iter().collect();
    all.sort_by_key(|(_, totals)| std::cmp::Reverse(totals.calls));
    all.truncate(OPERATIONS_MAX);
    all.into_iter()
        .map(|(name, totals)| OperationSummary {
            name,
            calls: totals.calls,
            errors: totals.errors,
            weight: totals.weight,
            error_weight: totals.error_weight,
            latency: totals.latency(),
        })
        .collect()
}

fn versions(
    session: &Session<'_>,
    query: &ServiceQuery,
) -> Result<Vec<VersionSummary>, QueryError> {
    let mut found: BTreeMap<Option<String>, (Totals, i64, i64)> = BTreeMap::new();
    let is_of_it =
        |resource: &Resource| is_of_service(query, &resource.scope, service_name(resource));
    session.run(|conn| {
        Ok(each_sent_by(
            session.set(),
            conn,
            query.range,
            is_of_it,
            |sent| {
                if sent.rank != 1 {
                    return;
                }
                let (totals, first, last) = found
                    .entry(sent.resource.service_version.clone())
                    .or_insert_with(|| (Totals::default(), i64::MAX, i64::MIN));
                sent.add_to(totals);
                *first = (*first).min(sent.first);
                *last = (*last).max(sent.last);
            },
        )?)
    })?;
    let mut versions: Vec<VersionSummary> = found
        .into_iter()
        .map(|(version, (totals, first, last))| VersionSummary {
            version,
            calls: totals.calls,
            errors: totals.errors,
            weight: totals.weight,
            error_weight: totals.error_weight,
            latency: totals.latency(),
            first_unix_nano: first,
            last_unix_nano: last,
        })
        .collect();
    versions.sort_by_key(|version| std::cmp::Reverse(version.first_unix_nano));
    Ok(versions)
}
