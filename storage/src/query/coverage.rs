//! Which signals each service sends and how much, and which breakers nearly show.

use std::collections::BTreeMap;

use duckdb::params;

use super::{QueryError, Session, breakers};
use crate::ask::Ask;
use crate::model::{NearMiss, Page, Scope, ScopeFilter, ServiceCoverage, TimeRange};
use crate::resilience::Recognisers;
use crate::segment::kept::is_in;

const NEAR_MISSES: &str = include_str!("near_misses.sql");
const BREAKER_EVIDENCE: &str = include_str!("breaker_evidence.sql");

/// One row a service of these scopes that sent anything in `range`, by scope and name.
pub fn coverage(
    session: &Session<'_>,
    range: TimeRange,
    scope: &ScopeFilter,
) -> Result<Page<ServiceCoverage>, QueryError> {
    let mut services: BTreeMap<(Scope, String), ServiceCoverage> = BTreeMap::new();
    session.run(|conn| {
        for segment in session.set().segments() {
            let all = segment.newest(conn, range)?;
            for newest in all.iter().filter(|newest| is_in(&newest.scope, scope)) {
                let key = (newest.scope.clone(), newest.service_name.clone());
                let service = services.entry(key).or_insert_with(|| ServiceCoverage {
                    scope: newest.scope.clone(),
                    service_name: newest.service_name.clone(),
                    ..ServiceCoverage::default()
                });
                let later = |time: &mut Option<i64>, other| *time = (*time).max(other);
                later(&mut service.newest_span_unix_nano, newest.span);
                later(&mut service.newest_log_unix_nano, newest.log);
                later(&mut service.newest_traced_log_unix_nano, newest.traced_log);
                later(&mut service.newest_metric_unix_nano, newest.metric);
                service.has_version |= newest.has_version;
                service.has_instance_id |= newest.has_instance_id;
                service.spans += newest.spans;
                service.logs += newest.logs;
                service.metric_points += newest.metric_points;
            }
        }
        Ok(())
    })?;
    for (key, kinds) in breaker_evidence(session, range)? {
        if let Some(service) = services.get_mut(&key) {
            service.breaker_evidence = kinds;
        }
    }
    Ok(Page::whole(services.into_values().collect()))
}

/// A service in its scope, and by what its breakers are known.
type OfService = ((Scope, String), Vec<String>);

fn breaker_evidence(session: &Session<'_>, range: TimeRange) -> Result<Vec<OfService>, QueryError> {
    session.run_concluded(|conn| {
        if !breakers::has_any(session.set(), conn)? {
            return Ok(Vec::new());
        }
        let mut statement = conn.ask(BREAKER_EVIDENCE)?;
        let rows =
            statement.query_map(params![range.from_unix_nano, range.to_unix_nano], |row| {
                let kinds: Option<String> = row.get(4)?;
                let kinds = kinds.unwrap_or_default();
                let key = (breakers::scope(row, 0)?, row.get(3)?);
                Ok((key, kinds.split(',').map(str::to_owned).collect()))
            })?;
        Ok(rows.collect::<Result<_, _>>()?)
    })
}

/// Breakers of these scopes of which only refused calls are known, with what would make them report themselves.
pub fn near_misses(
    session: &Session<'_>,
    range: TimeRange,
    scope: &ScopeFilter,
) -> Result<Vec<NearMiss>, QueryError> {
    session.run_concluded(|conn| {
        if !breakers::has_any(session.set(), conn)? {
            return Ok(Vec::new());
        }
        let mut statement = conn.ask(NEAR_MISSES)?;
        let asked = params![
            range.from_unix_nano,
            range.to_unix_nano,
            scope.environment,
            scope.service_namespace,
            scope.cluster
        ];
        let rows = statement.query_map(asked, |row| {
            Ok((
                breakers::scope(row, 0)?,
                row.get(3)?,
                row.get(4)?,
                row.get(5)?,
            ))
        })?;
        let mut found = Vec::new();
        for row in rows {
            let (scope, service_name, name, origin): (Scope, String, String, String) = row?;
            if let Some(fix) = Recognisers::shipped().enable(&origin) {
                found.push(NearMiss {
                    scope,
                    service_name,
                    name,
                    fix: fix.to_owned(),
                    origin,
                });
            }
        }
        Ok(found)
    })
}
