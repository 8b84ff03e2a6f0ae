//! Spans of a hot segment that are added up ahead of its seal.
//!
//! Questions about services would otherwise count every hot span each time. Whoever asks when there are [`MORE_ROWS`] more
//! counts those once; what is asked for then is made of these sums and of the few rows after them, which are counted again
//! when more came. Spans are counted one by one, so no sum depends on where the rows were parted. Calls are not: their
//! two ends must be looked at together.

use std::sync::{Arc, Mutex, PoisonError, TryLockError};

use duckdb::Connection;

use super::Segment;
use super::grown::Grown;
use crate::rollup::sums::hot_services;
use crate::rollup::{ByBucket, Part, ServiceSpans};
use crate::sync::locked;

/// Spans that are worth it: to count so many takes about as long as to ask the question.
const MORE_ROWS: u64 = if cfg!(test) { 32 } else { 16_384 };

/// What was added up of one hot segment.
#[derive(Debug, Default)]
pub(crate) struct Ahead {
    /// Held by who adds up more; nobody waits for it.
    adding: Mutex<()>,
    known: Mutex<Known>,
}

/// Of some rows each, oldest first.
type Sums = Vec<Arc<ByBucket<ServiceSpans>>>;

#[derive(Debug, Clone, Default)]
struct Known {
    sums: Sums,
    /// The last row that is in them.
    last_row: Option<i64>,
    /// Rows that were committed before the last were added up: at least they are in them.
    rows: u64,
    /// Of the rows after the last.
    rest: Arc<Grown<ByBucket<ServiceSpans>>>,
}

impl Segment {
    /// Its spans added up by service, in parts.
    pub(crate) fn added_up(&self, conn: &Connection) -> duckdb::Result<Sums> {
        let all = self.calls();
        let Some(live) = &self.live else {
            // This process did not make it.
            return Ok(vec![Arc::new(hot_services(conn, &all)?)]);
        };
        self.add_up(conn)?;
        let mut known = locked(&live.ahead.known).clone();
        let rows = live.rows(0);
        if rows != known.rows {
            let rest = Part {
                after_row: known.last_row,
                ..all
            };
            let rest = known.rest.of(rows, || hot_services(conn, &rest))?;
            known.sums.push(rest);
        }
        Ok(known.sums)
    }

    /// Adds up the spans that came since the last time, if they are enough and nobody else is at it.
    fn add_up(&self, conn: &Connection) -> duckdb::Result<()> {
        let Some(live) = &self.live else {
            return Ok(());
        };
        let _adding = match live.ahead.adding.try_lock() {
            Ok(adding) => adding,
            Err(TryLockError::Poisoned(poisoned)) => PoisonError::into_inner(poisoned),
            Err(TryLockError::WouldBlock) => return Ok(()),
        };
        let known = locked(&live.ahead.known).clone();
        let rows = live.rows(0);
        if rows.saturating_sub(known.rows) < MORE_ROWS {
            return Ok(());
        }
        let sql = format!("SELECT max(rowid) FROM {}.spans", self.schema());
        let last_row: Option<i64> = conn.query_row(&sql, [], |row| row.get(0))?;
        if last_row <= known.last_row {
            return Ok(());
        }
        let more = Part {
            after_row: known.last_row,
            to_row: last_row,
            ..self.calls()
        };
        let more = Arc::new(hot_services(conn, &more)?);
        let mut known = locked(&live.ahead.known);
        known.sums.push(more);
        (known.last_row, known.rows) = (last_row, rows);
        known.rest = Arc::default();
        Ok(())
    }

    /// How often its spans were added up.
    #[cfg(test)]
    pub(crate) fn times_added_up(&self) -> usize {
        let live = self.live.as_ref();
        live.map_or(0, |live| locked(&live.ahead.known).sums.len())
    }
}
