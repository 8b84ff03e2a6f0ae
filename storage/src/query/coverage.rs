//! Which signals each service sends.

use duckdb::params;

use super::{QueryError, Session};
use crate::model::{Page, Scope, ServiceCoverage, TimeRange};

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
