//! Silences: instances that refused or probed and then were heard of no more (R5).
//!
//! A pod that is killed reports no change. That it does not refuse any longer is known all the same, and of what it
//! would have done nobody knows: in an incident that is a change to `stale`, at the time it was last heard of.

use duckdb::{Connection, params};

use super::QueryError;
use crate::ask::{Ask, scope};
use crate::model::{BreakerTransition, TimeRange};

const SILENCES: &str = include_str!("silences.sql");

/// The state of an instance that fell silent.
pub(super) const STALE: &str = "stale";

/// Those that begin in a range, as changes of state, oldest first.
pub(super) fn silences(
    conn: &Connection,
    range: TimeRange,
) -> Result<Vec<BreakerTransition>, QueryError> {
    let mut statement = conn.ask(SILENCES)?;
    let rows = statement.query_map(params![range.from_unix_nano, range.to_unix_nano], |row| {
        let time: i64 = row.get(0)?;
        let text = |at: usize| {
            row.get::<_, Option<String>>(at)
                .map(Option::unwrap_or_default)
        };
        Ok(BreakerTransition {
            time_unix_nano: time,
            time_lo_unix_nano: time,
            breaker_id: row.get(1)?,
            scope: scope(row, 2)?,
            service_name: text(5)?,
            service_instance_id: row.get(6)?,
            name: text(7)?,
            key: row.get(8)?,
            from_state: row.get(9)?,
            to_state: STALE.to_owned(),
            evidence: "silence".to_owned(),
            confidence: 100,
            ..BreakerTransition::default()
        })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}
