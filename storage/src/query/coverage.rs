//! Which signals each service sends.

use duckdb::params;

use super::{QueryError, Session};
use crate::model::{NearMiss, Page, Scope, ServiceCoverage, TimeRange};
use crate::resilience::Recognisers;

const NEAR_MISSES: &str = include_str!("near_misses.sql");
const COVERAGE: &str = include_str!("coverage.sql");

/// One row a service that sent anything in `range`, by scope and name.
pub fn coverage(
    session: &Session<'_>,
    range: TimeRange,
) -> Result<Page<ServiceCoverage>, QueryError> {
    session.run(|conn| {
        let mut statement = conn.prepare(COVERAGE)?;
        let rows =
            statement.query_map(params![range.from_unix_nano, range.to_unix_nano], |row| {
                Ok(ServiceCoverage {
                    scope: Scope {
                        environment: row.get(0)?,
                        service_namespace: row.get(1)?,
                        cluster: row.get(2)?,
                    },
                    service_name: row.get(3)?,
                    newest_span_unix_nano: row.get(4)?,
                    newest_log_unix_nano: row.get(5)?,
                    newest_traced_log_unix_nano: row.get(6)?,
                    newest_metric_unix_nano: row.get(7)?,
                    has_version: row.get(8)?,
                    has_instance_id: row.get(9)?,
                })
            })?;
        Ok(Page::whole(rows.collect::<Result<_, _>>()?))
    })
}

/// Breakers of which only refused calls are known, with what would make them report themselves.
pub fn near_misses(session: &Session<'_>, range: TimeRange) -> Result<Vec<NearMiss>, QueryError> {
    session.run(|conn| {
        let has_any: bool =
            conn.query_row(&session.set().has_breakers_sql(), [], |row| row.get(0))?;
        if !has_any {
            return Ok(Vec::new());
        }
        let mut statement = conn.prepare(NEAR_MISSES)?;
        let rows = statement
            .query_map(params![range.from_unix_nano, range.to_unix_nano], |row| {
                Ok((row.get(0)?, row.get(1)?, row.get(2)?))
            })?;
        let mut found = Vec::new();
        for row in rows {
            let (service_name, name, origin): (String, String, String) = row?;
            if let Some(fix) = Recognisers::shipped().enable(&origin) {
                found.push(NearMiss {
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
