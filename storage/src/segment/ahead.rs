//! Pieces of a hot segment that are rolled up ahead of its seal.
//!
//! Questions about calls would otherwise roll up every hot row each time. Whoever asks when there are [`PIECE_ROWS`] more
//! rolls those up once, into tables of a schema in memory; what is asked for then is made of the pieces and of the few
//! rows after them, as that of several sealed segments is. The seal rolls all of it up again, as one.

use std::sync::{Arc, Mutex, OnceLock};

use duckdb::Connection;

use super::Segment;
use crate::retirement::Retirement;
use crate::rollup::sums::{alone, stored_edges, stored_services};
use crate::rollup::{self, ByBucket, EdgeCalls, Part, ServiceSpans};
use crate::sync::locked;

/// Spans that are worth a piece: rolling up so many costs about as much as asking a question of them.
const PIECE_ROWS: u64 = if cfg!(test) { 32 } else { 16_384 };

/// The pieces of one hot segment, oldest first.
#[derive(Debug, Default)]
pub(crate) struct Ahead(Mutex<Vec<Arc<Piece>>>);

/// Rows of a hot segment, rolled up; the tables go when the last holder does.
#[derive(Debug)]
pub(crate) struct Piece {
    number: u64,
    /// The last row that is in it; the first is the one after the last of the piece before.
    last_row: i64,
    /// Rows that were committed before it was made, those of the pieces before too: at least they are in it.
    rows: u64,
    sums: OnceLock<Arc<PieceSums>>,
    retirement: Retirement,
}

/// What questions about calls read of a piece.
#[derive(Debug)]
pub(crate) struct PieceSums {
    pub services: ByBucket<ServiceSpans>,
    pub edges: ByBucket<EdgeCalls>,
    pub alone: ByBucket<EdgeCalls>,
    pub has_open_halves: bool,
}

impl Drop for Piece {
    fn drop(&mut self) {
        self.retirement.retire_piece(self.number);
    }
}

/// Name of the schema of a piece.
pub(crate) fn schema_of(number: u64) -> String {
    format!("memory.a{number}")
}

impl Piece {
    /// The qualified schema its roll-ups are in, ready for SQL text.
    pub(crate) fn schema(&self) -> String {
        schema_of(self.number)
    }

    /// Its sums, read once.
    pub(crate) fn sums(&self, conn: &Connection) -> duckdb::Result<Arc<PieceSums>> {
        if let Some(known) = self.sums.get() {
            return Ok(Arc::clone(known));
        }
        let schema = self.schema();
        let sums = Arc::new(PieceSums {
            services: stored_services(conn, &schema)?,
            edges: stored_edges(conn, &schema)?,
            alone: alone(conn, &schema)?,
            has_open_halves: rollup::has_open_halves(conn, &schema)?,
        });
        Ok(Arc::clone(self.sums.get_or_init(|| sums)))
    }
}

impl Segment {
    /// Rolls up the hot rows that came since the last piece, if they are enough; who comes meanwhile waits.
    pub(crate) fn roll_ahead(&self, conn: &Connection) -> duckdb::Result<()> {
        let Some(live) = &self.live else {
            return Ok(());
        };
        let mut pieces = locked(&live.ahead.0);
        let rolled = pieces.last().map_or(0, |piece| piece.rows);
        let rows = live.rows(0);
        if rows.saturating_sub(rolled) < PIECE_ROWS {
            return Ok(());
        }
        let sql = format!("SELECT max(rowid) FROM {}.spans", self.schema());
        let Some(last_row) = conn.query_row(&sql, [], |row| row.get::<_, Option<i64>>(0))? else {
            return Ok(());
        };
        let after_row = pieces.last().map(|piece| piece.last_row);
        if after_row.is_some_and(|after| after >= last_row) {
            return Ok(());
        }
        let retirement = &self.attachment.retirement;
        let piece = Piece {
            number: retirement.number(),
            last_row,
            rows,
            sums: OnceLock::new(),
            retirement: retirement.clone(),
        };
        let schema = piece.schema();
        conn.execute_batch(&format!("CREATE SCHEMA {schema}"))?;
        rollup::create(conn, &schema)?;
        let rows = Part {
            after_row,
            to_row: Some(last_row),
            ..self.raw_calls()
        };
        rollup::write_part(conn, &rows, &schema)?;
        pieces.push(Arc::new(piece));
        Ok(())
    }

    /// Its pieces by now, and the rows after them if there may be any; of a segment that this process did not make, all
    /// of its rows.
    pub(crate) fn rolled_ahead(&self) -> (Vec<Arc<Piece>>, Option<Part>) {
        let rows = self.raw_calls();
        let Some(live) = &self.live else {
            return (Vec::new(), Some(rows));
        };
        let pieces = locked(&live.ahead.0).clone();
        let (after_row, rolled) = pieces
            .last()
            .map_or((None, 0), |piece| (Some(piece.last_row), piece.rows));
        let rest = (live.rows(0) != rolled).then_some(Part { after_row, ..rows });
        (pieces, rest)
    }
}
