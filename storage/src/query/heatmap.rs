//! Durations over time: counts of the spans that fit, in cells.

use std::collections::BTreeMap;

use super::newest::{Narrowed, tables, tables_in};
use super::plain::{is_asked, plain};
use super::search::conditions;
use super::sent::each_sent_by;
use super::{QueryError, Session};
use crate::ask::Ask;
use crate::model::{Heatmap, HeatmapCell, HeatmapQuery, TimeRange, TraceQuery};
use crate::rollup::{BUCKET_NS, first_bucket};
use crate::segment::origins::Resource;

const HEATMAP: &str = include_str!("heatmap.sql");
const COLUMNS_MAX: u32 = 240;
/// What was sent again counts once, as in the roll-ups.
pub(super) const ONCE: &str = "NOT coalesce(f.resent, false)";

/// Columns are at least so wide where whole buckets are counted: with less, rounding up to buckets would make them coarse.
const WIDTH_MIN: i64 = 4 * BUCKET_NS;

/// How a heatmap is divided.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Grid {
    /// Whose spans are counted.
    pub range: TimeRange,
    /// Start of the first column, nanoseconds.
    pub from: i64,
    /// Width of a column.
    pub width: i64,
    pub columns: u32,
    /// It counts whole buckets of the roll-ups: all of each that touches the range, as everywhere.
    is_of_buckets: bool,
}

impl Grid {
    /// Of a question about the spans of a range.
    pub(super) fn of(query: &HeatmapQuery, range: TimeRange) -> Self {
        let columns = query.columns.clamp(1, COLUMNS_MAX);
        let from = range.from_unix_nano;
        let length = range.to_unix_nano.saturating_sub(from).max(1);
        let width = (length - 1) / i64::from(columns) + 1;
        if width < WIDTH_MIN || plain(&query.spans).is_none() {
            return Self {
                range,
                from,
                width,
                columns,
                is_of_buckets: false,
            };
        }
        let from = first_bucket(range);
        let last = range.to_unix_nano.saturating_add(BUCKET_NS - 1);
        let to = last.div_euclid(BUCKET_NS) * BUCKET_NS;
        let length = to.saturating_sub(from);
        let width = (length - 1) / i64::from(columns) + 1;
        let width = ((width - 1) / BUCKET_NS + 1) * BUCKET_NS;
        Self {
            range: TimeRange {
                from_unix_nano: from,
                to_unix_nano: to,
            },
            from,
            width,
            columns: u32::try_from((length - 1) / width + 1).unwrap_or(columns),
            is_of_buckets: true,
        }
    }
}

/// Spans and failed ones of a cell, by column and row.
type Cells = BTreeMap<(u32, u32), (u64, u64)>;

/// Counts of the spans that fit, by start and duration.
pub fn heatmap(session: &Session<'_>, query: &HeatmapQuery) -> Result<Heatmap, QueryError> {
    let Some(range) = query.spans.range else {
        return Err(QueryError::Invalid("a heatmap needs a time range"));
    };
    let grid = Grid::of(query, range);
    let cells = match plain(&query.spans).filter(|_| grid.is_of_buckets) {
        Some(plain) => of_senders(session, &plain, grid)?,
        None => of_spans(session, &query.spans, grid)?,
    };
    Ok(Heatmap {
        from_unix_nano: grid.from,
        column_ns: grid.width,
        columns: grid.columns,
        spans: cells.values().map(|(spans, _)| spans).sum(),
        cells: cells
            .into_iter()
            .map(|((column, row), (spans, errors))| HeatmapCell {
                column,
                row,
                spans,
                errors,
            })
            .collect(),
    })
}

/// Counted from the sums that are kept of each segment.
fn of_senders(session: &Session<'_>, query: &TraceQuery, grid: Grid) -> Result<Cells, QueryError> {
    let mut cells = Cells::new();
    let picks = |resource: &Resource| is_asked(query, resource);
    session.run(|conn| {
        Ok(each_sent_by(
            session.set(),
            conn,
            grid.range,
            picks,
            |sent| {
                if query.status.is_some() && !sent.failed {
                    return;
                }
                let column =
                    u32::try_from((sent.bucket_start - grid.from) / grid.width).unwrap_or(0);
                for (duration, spans) in sent.durations {
                    let cell = cells
                        .entry((column, row(*duration, sent.is_round)))
                        .or_default();
                    let spans = u64::from(*spans);
                    cell.0 += spans;
                    cell.1 += if sent.failed { spans } else { 0 };
                }
            },
        )?)
    })?;
    Ok(cells)
}

/// The row of a duration's bucket in the roll-ups. Bucket `b` ends with 2^(b/8) ns, where row `b/4` begins.
fn row(duration: u16, is_round: bool) -> u32 {
    let below = if is_round {
        duration
    } else {
        duration.saturating_sub(1)
    };
    u32::from(below / 4)
}

/// Counted span by span.
fn of_spans(session: &Session<'_>, query: &TraceQuery, grid: Grid) -> Result<Cells, QueryError> {
    let asked = TraceQuery {
        range: Some(grid.range),
        ..query.clone()
    };
    let mut conditions = conditions(&asked, None);
    conditions.add(ONCE, []);
    let spans = tables(session, "spans");
    let mut cells = Cells::new();
    session.run(|conn| {
        for table in tables_in(session, "spans", grid.range) {
            let narrowed = Narrowed::new(conn, &table, &spans, &conditions, &asked)?;
            // Both are numbers of ours.
            let sql = narrowed
                .sql(HEATMAP)
                .replace("{from}", &grid.from.to_string())
                .replace("{width}", &grid.width.to_string());
            let mut statement = conn.ask(&sql)?;
            let mut rows = statement.query(narrowed.values())?;
            while let Some(row) = rows.next()? {
                let cell = cells.entry((row.get(0)?, row.get(1)?)).or_default();
                cell.0 += row.get::<_, u64>(2)?;
                cell.1 += row.get::<_, u64>(3)?;
            }
        }
        Ok(())
    })?;
    Ok(cells)
}
