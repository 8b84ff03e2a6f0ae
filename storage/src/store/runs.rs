//! The runs that a compaction of many rows leaves as they are.

use std::sync::Arc;

use duckdb::Connection;

use super::StoreError;
use super::catalog::ROW_GROUP;
use crate::segment::meta::{Digits, Meta};
use crate::segment::runs::{Run, Runs, TRACED};
use crate::segment::tables::{self, Table};
use crate::segment::{Keys, Segment, TraceFilter};

/// Rows of a run that happened before its begin, at most: late ones must not make it begin with the day.
const EARLY: f64 = 0.02;
/// Runs have so many rows on average: DuckDB 2.0.0 does not shred the VARIANTs of row groups half as large.
const RUN_ROWS_MIN: u64 = ROW_GROUP as u64 / 2;
/// The relations whose rows may lie in runs.
const RELATIONS: [Table; TRACED] = [tables::SPANS, tables::LOGS];

/// What becomes of the runs of several segments when they are one.
pub(super) struct Kept {
    /// Of each signal; none where its rows are sorted anew.
    runs: [Runs; TRACED],
    /// Attribute keys of each run of spans.
    keys: Vec<Keys>,
    traces: Vec<Arc<TraceFilter>>,
}

/// The runs that stay; `None` where all rows are sorted anew, because they are few or the traces of a segment are not
/// known.
pub(super) fn kept(
    conn: &Connection,
    group: &[Arc<Segment>],
    sorted_rows_max: u64,
) -> Result<Option<Kept>, StoreError> {
    if group.iter().any(|segment| segment.traces.is_empty()) {
        return Ok(None);
    }
    let mut kept = Kept {
        runs: Default::default(),
        keys: Vec::new(),
        traces: Vec::new(),
    };
    for segment in group {
        let first = kept.traces.len();
        kept.traces.extend(segment.traces.iter().cloned());
        for (signal, table) in RELATIONS.iter().enumerate() {
            let own = of_segment(conn, segment, signal, table)?;
            if !are_places(conn, segment, table, &own)? {
                return Ok(None);
            }
            if signal == 0 {
                kept.keys.extend(segment.keys_of_runs(own.len()));
            }
            kept.runs[signal].extend(own.into_iter().map(|run| Run {
                filters: run.filters.start + first..run.filters.end + first,
                ..run
            }));
        }
    }
    for runs in &mut kept.runs {
        let rows: u64 = runs.iter().map(|run| run.rows).sum();
        let are_small = sorted_rows_max >= RUN_ROWS_MIN && rows < runs.len() as u64 * RUN_ROWS_MIN;
        if rows <= sorted_rows_max || are_small {
            runs.clear();
        }
    }
    if kept.runs[0].is_empty() {
        kept.keys.clear();
    }
    Ok(kept
        .runs
        .iter()
        .any(|runs| !runs.is_empty())
        .then_some(kept))
}

impl Kept {
    /// Whether the rows of a table stay in their runs.
    pub(super) fn has(&self, table: &Table) -> bool {
        let mut relations = RELATIONS.iter().zip(&self.runs);
        relations.any(|(relation, runs)| relation.name == table.name && !runs.is_empty())
    }

    /// Writes into `meta` what is known of the runs; the filters of their traces.
    pub(super) fn describe(self, group: &[Arc<Segment>], meta: &mut Meta) -> Vec<Arc<TraceFilter>> {
        let digits = group.iter().map(|segment| segment.meta.trace_digits);
        meta.trace_digits = digits
            .collect::<Option<Vec<Digits>>>()
            .map(|all| std::array::from_fn(|digit| all.iter().map(|digits| digits[digit]).sum()));
        meta.run_keys = self.keys;
        meta.runs = self.runs;
        self.traces
    }
}

/// Whether the places of a table's rows are the numbers from 0 to the end of its runs: a row that was ever moved would be
/// left behind.
fn are_places(
    conn: &Connection,
    segment: &Segment,
    table: &Table,
    runs: &Runs,
) -> duckdb::Result<bool> {
    let from = segment.schema();
    let sql = format!(
        "SELECT count(*), coalesce(max(rowid) + 1, 0)::UBIGINT FROM {from}.{}",
        table.name
    );
    let (rows, end): (u64, u64) = conn.query_row(&sql, [], |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(rows == end && rows == runs.iter().map(|run| run.rows).sum::<u64>())
}

/// The runs of a table of one segment; its rows are one where it has none.
pub(super) fn of_segment(
    conn: &Connection,
    segment: &Segment,
    signal: usize,
    table: &Table,
) -> duckdb::Result<Runs> {
    let runs = &segment.meta.runs[signal];
    if !runs.is_empty() {
        return Ok(runs.clone());
    }
    let (from, time) = (
        segment.schema(),
        table.event_time.unwrap_or("NULL::TIMESTAMP_NS"),
    );
    let sql = format!(
        "SELECT count(*), count({time}), epoch_ns(quantile_disc({time}, {EARLY})) FROM {from}.{}",
        table.name
    );
    let (rows, timed, begin): (u64, u64, Option<i64>) =
        conn.query_row(&sql, [], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
    Ok(vec![Run {
        rows,
        begin: begin.filter(|_| rows == timed),
        filters: 0..segment.traces.len(),
    }])
}
