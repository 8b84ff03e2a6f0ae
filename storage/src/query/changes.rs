//! Changes that were reported: log events named `tripline.change`, sent through OTLP or by a POST.
//!
//! `change.service` says which service it is about; without it the sender's own name does, and an event with
//! neither is about every service. `change.description` says what changed; without it the body does.

use duckdb::params;

use super::{QueryError, Session};
use crate::ask::Ask;
use crate::model::{Change, ScopeFilter, TimeRange};

const CHANGES: &str = include_str!("changes.sql");
/// Changes of a list; the newest are kept.
const CHANGES_MAX: usize = 200;
/// Name of the log event that tells of a change; `change.kind`, `change.service` and `change.description` say which.
pub const CHANGE_EVENT: &str = "tripline.change";

/// Changes reported in `range`, of one service and of none or of all, oldest first. An event sent from another scope
/// than the one asked for is left out; one that names no scope is about all.
pub fn changes(
    session: &Session<'_>,
    range: TimeRange,
    scope: &ScopeFilter,
    service: Option<&str>,
) -> Result<Vec<Change>, QueryError> {
    let logs = session
        .set()
        .relation_sql("logs", |segment| {
            segment.may_hold_time(range.from_unix_nano, range.to_unix_nano)
        })
        .expect("logs is a relation");
    let sql = CHANGES
        .replace("{logs}", &logs)
        .replace("{limit}", &CHANGES_MAX.to_string());
    session.run(|conn| {
        let mut statement = conn.ask(&sql)?;
        let asked = params![
            range.from_unix_nano,
            range.to_unix_nano,
            service,
            scope.environment,
            scope.service_namespace,
            scope.cluster
        ];
        let rows = statement.query_map(asked, |row| {
            Ok(Change {
                time_unix_nano: row.get(0)?,
                service_name: row.get(1)?,
                kind: row.get(2)?,
                description: row.get(3)?,
                evidence: "reported".to_owned(),
            })
        })?;
        let mut found: Vec<Change> = rows.collect::<Result<_, _>>()?;
        found.reverse();
        Ok(found)
    })
}
