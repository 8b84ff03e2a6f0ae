//! Durations over time: counts of the spans that fit, in cells.

use std::collections::BTreeMap;

use super::newest::{Narrowed, tables, tables_in};
use super::search::conditions;
use super::{QueryError, Session};
use crate::ask::Ask;
use crate::model::{Heatmap, HeatmapCell, HeatmapQuery};

const HEATMAP: &str = include_str!("heatmap.sql");
const COLUMNS_MAX: u32 = 240;
/// What was sent again counts once, as in the roll-ups.
pub(super) const ONCE: &str = "NOT coalesce(f.resent, false)";

/// Counts of the spans that fit, by start and duration.
pub fn heatmap(session: &Session<'_>, query: &HeatmapQuery) -> Result<Heatmap, QueryError> {
    let Some(range) = query.spans.range else {
        return Err(QueryError::Invalid("a heatmap needs a time range"));
    };
    let columns = query.columns.clamp(1, COLUMNS_MAX);
    let length = range
        .to_unix_nano
        .saturating_sub(range.from_unix_nano)
        .max(1);
    let width = (length - 1) / i64::from(columns) + 1;
    let mut conditions = conditions(&query.spans, None);
    conditions.add(ONCE, []);
    let spans = tables(session, "spans");
    let mut cells: BTreeMap<(u32, u32), (u64, u64)> = BTreeMap::new();
    session.run(|conn| {
        for table in tables_in(session, "spans", range) {
            let narrowed = Narrowed::new(conn, &table, &spans, &conditions, &query.spans)?;
            // Both are numbers of ours.
            let sql = narrowed
                .sql(HEATMAP)
                .replace("{from}", &range.from_unix_nano.to_string())
                .replace("{width}", &width.to_string());
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
    Ok(Heatmap {
        from_unix_nano: range.from_unix_nano,
        column_ns: width,
        columns,
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
