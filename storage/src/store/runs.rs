//! The runs that a compaction of many rows leaves as they are.

use std::sync::Arc;

use duckdb::Connection;

use super::StoreError;
use crate::segment::meta::{Digits, Meta};
use crate::segment::runs::{NEVER, Run, TRACED};
use crate::segment::{Segment, TraceFilter, tables};

/// Rows of a run that happened before its begin, at most: late ones must not make it begin with the day.
const EARLY: f64 = 0.02;

/// The runs of several segments.
pub(super) struct Runs {
    runs: Vec<Run>,
    traces: Vec<Arc<TraceFilter>>,
}

/// The runs of all of them, oldest first; `None` where their rows are to be sorted anew, because they are few or because
/// the traces of one are not known.
pub(super) fn of_all(
    conn: &Connection,
    group: &[Arc<Segment>],
    sorted_rows_max: u64,
) -> Result<Option<Runs>, StoreError> {
    let rows: u64 = group
        .iter()
        .map(|segment| segment.meta.spans + segment.meta.logs)
        .sum();
    if rows <= sorted_rows_max {
        return Ok(None);
    }
    let mut all = Runs {
        runs: Vec::new(),
        traces: Vec::new(),
    };
    for segment in group {
        if segment.traces.len() != segment.meta.runs.len().max(1) {
            return Ok(None);
        }
        all.traces.extend(segment.traces.iter().cloned());
        if segment.meta.runs.is_empty() {
            all.runs.push(run(conn, segment)?);
        } else {
            all.runs.extend_from_slice(&segment.meta.runs);
        }
    }
    Ok(Some(all))
}

impl Runs {
    /// Writes into `meta` what is known of the runs; the traces of each.
    pub(super) fn describe(self, group: &[Arc<Segment>], meta: &mut Meta) -> Vec<Arc<TraceFilter>> {
        let digits: Option<Vec<Digits>> = group
            .iter()
            .map(|segment| segment.meta.trace_digits)
            .collect();
        meta.trace_digits = digits
            .map(|all| std::array::from_fn(|digit| all.iter().map(|digits| digits[digit]).sum()));
        meta.runs = self.runs;
        self.traces
    }
}

/// The one run of a segment.
fn run(conn: &Connection, segment: &Segment) -> duckdb::Result<Run> {
    let mut run = Run::default();
    for (signal, table) in [tables::SPANS, tables::LOGS]
        .into_iter()
        .enumerate()
        .take(TRACED)
    {
        let Some(time) = table.event_time else {
            continue;
        };
        let sql = format!(
            "SELECT count(*), count({time}), epoch_ns(min({time})), epoch_ns(max({time})), \
             epoch_ns(quantile_disc({time}, {EARLY})) FROM {}.{}",
            segment.schema(),
            table.name
        );
        let (rows, timed, first, last, begin): (u64, u64, Option<i64>, Option<i64>, Option<i64>) =
            conn.query_row(&sql, [], |row| {
                Ok((
                    row.get(0)?,
                    row.get(1)?,
                    row.get(2)?,
                    row.get(3)?,
                    row.get(4)?,
                ))
            })?;
        if rows == timed {
            run.times[signal] = Some(first.zip(last).unwrap_or(NEVER));
            run.begin[signal] = begin;
        }
    }
    Ok(run)
}
