//! The spans of a segment that calls may still be made of, kept in memory: of a hot one all, read as they come; of a
//! sealed one the halves it left open.

use std::sync::{Arc, Mutex};

use duckdb::Connection;

use super::Segment;
use super::kept::keep;
use crate::rollup::{Hops, Part, cause_hops, hot_hops, open_hops, plain_hops};
use crate::sync::locked;

/// The spans of a hot segment, as far as they were read.
#[derive(Debug, Default)]
pub(crate) struct HotHops(Mutex<Known>);

#[derive(Debug, Default)]
struct Known {
    /// In the parts they were read in, oldest first.
    read: Vec<Arc<Hops>>,
    last_row: Option<i64>,
    /// Rows that were committed before the last were read: at least they are among them.
    rows: u64,
}

impl Segment {
    /// Its spans, of a hot one. A part once read stays what it is, and more come after it.
    pub(crate) fn hops(&self, conn: &Connection) -> duckdb::Result<Vec<Arc<Hops>>> {
        let all = self.calls();
        let Some(live) = &self.live else {
            // Left behind by a process before this one: nothing comes after it.
            let read = || Ok(vec![Arc::new(hot_hops(conn, &all)?)]);
            return Ok(keep(Some(&self.kept.open_hops), read)?.into_owned());
        };
        // Who asks for the same meanwhile waits until it is there.
        let mut known = locked(&live.hops.0);
        let rows = live.rows(0);
        if rows > known.rows {
            let sql = format!("SELECT max(rowid) FROM {}.spans", self.schema());
            let last_row: Option<i64> = conn.query_row(&sql, [], |row| row.get(0))?;
            if last_row > known.last_row {
                let more = Part {
                    after_row: known.last_row,
                    to_row: last_row,
                    ..all
                };
                known.read.push(Arc::new(hot_hops(conn, &more)?));
                known.last_row = last_row;
            }
            known.rows = rows;
        }
        Ok(known.read.clone())
    }

    /// How many spans it has; of one that was left behind they are counted, once.
    pub(crate) fn count_spans(&self, conn: &Connection) -> duckdb::Result<u64> {
        if let Some([spans, ..]) = self.known_rows() {
            return Ok(spans);
        }
        let sql = format!("SELECT count(*)::UBIGINT FROM {}.spans", self.schema());
        let read = || Ok(vec![conn.query_row(&sql, [], |row| row.get(0))?]);
        let counted = keep(Some(&self.kept.spans), read)?;
        Ok(counted.first().copied().unwrap_or_default())
    }

    /// Its halves that other segments may complete, calls nobody answered apart; of a sealed one.
    pub(crate) fn open_hops(&self, conn: &Connection) -> duckdb::Result<Arc<Hops>> {
        let read = || Ok(vec![Arc::new(open_hops(conn, &self.schema())?)]);
        let kept = keep(Some(&self.kept.open_hops), read)?;
        Ok(kept.first().cloned().unwrap_or_default())
    }

    /// Its calls of these traces that nobody answered in it; of a sealed one.
    pub(crate) fn plain_hops(&self, conn: &Connection, traces: &[&str]) -> duckdb::Result<Hops> {
        plain_hops(conn, &self.schema(), traces)
    }

    /// Its spans, of these traces and with these identities, that entries elsewhere name as their cause and that are no
    /// halves of it; of a sealed one.
    pub(crate) fn cause_hops(
        &self,
        conn: &Connection,
        traces: &[&str],
        ids: &[u64],
    ) -> duckdb::Result<Hops> {
        let (main, held) = (self.schema(), self.held(0, traces).condition("f.rowid"));
        cause_hops(conn, &self.calls(), (traces, ids), |place| {
            if place == main {
                held.clone()
            } else {
                "true".to_owned()
            }
        })
    }
}
