//! A histogram's buckets over time: all streams together, as cells.

use super::grouped::{increase, points_of_each};
use super::mixture::Mixture;
use super::steps::Steps;
use super::{
    Nature, RELATIONS, RawPoint, SERIES_MAX, each_stream, ids_text, is_reset, since, streams,
};
use crate::model::{
    MetricHeatmap, MetricHeatmapCell, MetricHeatmapRow, MetricPointsQuery, MetricSeries,
};
use crate::query::{QueryError, Session};

/// Columns at most.
const COLUMNS_MAX: u32 = 240;
/// Rows at most: finer buckets are joined.
const ROWS_MAX: usize = 48;

/// The values of a histogram or exponential histogram over time, in at most `columns` steps; of anything else none.
pub fn metric_heatmap(
    session: &Session<'_>,
    query: &MetricPointsQuery,
    columns: u32,
) -> Result<MetricHeatmap, QueryError> {
    let steps = Steps::over(query.range, columns.clamp(1, COLUMNS_MAX));
    session.run_over(&RELATIONS, |conn| {
        let mut found = streams(conn, query)?;
        found.retain(|_, stream| stream.series.kind.ends_with("histogram"));
        let total_streams = found.len() as u64;
        let kept: Vec<u64> = found.keys().copied().take(SERIES_MAX).collect();
        let mut buckets = Mixture::new(steps.count);
        let ids = ids_text(kept.iter());
        each_stream(conn, query, &ids, points_of_each(kept.len()), |id, raw| {
            if let Some(stream) = found.get(&id) {
                add(&mut buckets, &stream.series, raw, steps);
            }
        })?;
        let rows = rows_of(&edges_of(&buckets), &buckets);
        let cells = cells_of(&buckets, &rows, steps.count);
        let first = found.values().next();
        Ok(MetricHeatmap {
            from_unix_nano: steps.from,
            column_ns: steps.step_ns,
            columns: u32::try_from(steps.count).unwrap_or(COLUMNS_MAX),
            unit: first.map_or_else(String::new, |stream| stream.series.unit.clone()),
            rows: rows.into_iter().map(shown).collect(),
            values: cells.iter().map(|cell| cell.values).sum(),
            cells,
            streams: kept.len() as u64,
            total_streams,
        })
    })
}

/// Adds a stream's points, oldest first.
fn add(buckets: &mut Mixture, series: &MetricSeries, raw: &[RawPoint], steps: Steps) {
    let is_cumulative = Nature::of(series).is_cumulative;
    for (at, now) in raw.iter().enumerate() {
        let before = at.checked_sub(1).and_then(|at| raw.get(at));
        let Some(since) = since(&now.point, before.map(|raw| &raw.point), is_cumulative) else {
            continue;
        };
        let going_on =
            before.filter(|before| is_cumulative && !is_reset(&now.point, &before.point));
        let Some(new) = increase(now, going_on) else {
            continue;
        };
        let (new, end) = (new.buckets(), now.point.time_unix_nano);
        for (step, ns) in steps.touched(end.saturating_sub(since.length_ns), end) {
            let share = ns as f64 / since.length_ns as f64;
            for (low, high, count) in &new {
                buckets.add((*low, *high), step, *count as f64 * share);
            }
        }
    }
}

/// The bounds of all buckets, thinned where there are too many.
fn edges_of(buckets: &Mixture) -> Vec<f64> {
    let mut edges: Vec<f64> = buckets
        .buckets()
        .flat_map(|(low, high, _)| [low, high])
        .filter(|edge| edge.is_finite())
        .collect();
    edges.sort_by(f64::total_cmp);
    edges.dedup();
    let every = edges.len().div_ceil(ROWS_MAX - 2).max(1);
    let last = edges.len().saturating_sub(1);
    let mut at = 0;
    edges.retain(|_| {
        let is_kept = at % every == 0 || at == last;
        at += 1;
        is_kept
    });
    edges
}

/// A row: above its first bound, up to its second.
type Bounds = (f64, f64);

/// Rows between the bounds, and open ones where a bucket is.
fn rows_of(edges: &[f64], buckets: &Mixture) -> Vec<Bounds> {
    let is_open =
        |test: fn(Bounds) -> bool| buckets.buckets().any(|(low, high, _)| test((low, high)));
    let mut rows: Vec<Bounds> = edges.windows(2).map(|pair| (pair[0], pair[1])).collect();
    let (first, last) = (edges.first().copied(), edges.last().copied());
    if is_open(|(low, _)| low == f64::NEG_INFINITY) {
        rows.insert(0, (f64::NEG_INFINITY, first.unwrap_or(f64::INFINITY)));
    }
    // A bucket without width at the only bound there is needs a row too.
    let is_point_alone = edges.len() == 1 && rows.is_empty();
    if let Some(last) =
        last.filter(|_| is_open(|(_, high)| high == f64::INFINITY) || is_point_alone)
    {
        rows.push((last, f64::INFINITY));
    }
    rows
}

/// Spreads each bucket over the rows it covers: an even share of its width, a bucket without width whole.
fn cells_of(buckets: &Mixture, rows: &[Bounds], columns: usize) -> Vec<MetricHeatmapCell> {
    let mut cells = vec![0.0; rows.len() * columns];
    for (low, high, values) in buckets.buckets() {
        for (row, share) in shares(rows, low, high) {
            for (column, values) in values.iter().enumerate() {
                cells[column * rows.len() + row] += values * share;
            }
        }
    }
    let number = |at: usize| u32::try_from(at).unwrap_or(u32::MAX);
    cells
        .into_iter()
        .enumerate()
        .filter(|(_, values)| *values > 0.0)
        .map(|(at, values)| MetricHeatmapCell {
            column: number(at / rows.len()),
            row: number(at % rows.len()),
            values,
        })
        .collect()
}

/// The rows a bucket covers with its share in each; together 1.
fn shares(rows: &[Bounds], low: f64, high: f64) -> Vec<(usize, f64)> {
    let width = high - low;
    if width > 0.0 && width.is_finite() {
        return rows
            .iter()
            .enumerate()
            .map(|(at, (from, to))| (at, (high.min(*to) - low.max(*from)) / width))
            .filter(|(_, share)| *share > 0.0)
            .collect();
    }
    let row = match (low.is_finite(), high.is_finite()) {
        // Above the last bound.
        (true, false) => rows.len().checked_sub(1),
        // Up to the first.
        (false, _) => (!rows.is_empty()).then_some(0),
        (true, true) => rows
            .iter()
            .position(|(from, to)| *from <= low && low < *to)
            .or(rows.len().checked_sub(1)),
    };
    row.map(|row| (row, 1.0)).into_iter().collect()
}

fn shown((low, high): Bounds) -> MetricHeatmapRow {
    let finite = |bound: f64| Some(bound).filter(|bound| bound.is_finite());
    MetricHeatmapRow {
        low: finite(low),
        high: finite(high),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cells(buckets: &[(f64, f64, f64)]) -> (Vec<Bounds>, Vec<(u32, f64)>) {
        let mut mixture = Mixture::new(1);
        for (low, high, values) in buckets {
            mixture.add((*low, *high), 0, *values);
        }
        let rows = rows_of(&edges_of(&mixture), &mixture);
        let cells = cells_of(&mixture, &rows, 1);
        (
            rows,
            cells.iter().map(|cell| (cell.row, cell.values)).collect(),
        )
    }

    #[test]
    fn explicit_buckets_are_rows_with_open_ends() {
        let (rows, cells) = cells(&[
            (f64::NEG_INFINITY, 1.0, 3.0),
            (1.0, 5.0, 2.0),
            (5.0, f64::INFINITY, 1.0),
        ]);
        assert_eq!(
            rows,
            [(f64::NEG_INFINITY, 1.0), (1.0, 5.0), (5.0, f64::INFINITY)]
        );
        assert_eq!(cells, [(0, 3.0), (1, 2.0), (2, 1.0)]);
    }

    #[test]
    fn a_wide_bucket_is_spread_over_the_rows_of_narrow_ones() {
        let (rows, cells) = cells(&[(0.0, 4.0, 8.0), (1.0, 2.0, 1.0), (0.0, 0.0, 5.0)]);
        assert_eq!(rows, [(0.0, 1.0), (1.0, 2.0), (2.0, 4.0)]);
        assert_eq!(cells, [(0, 7.0), (1, 3.0), (2, 4.0)]);
    }

    #[test]
    fn fine_buckets_are_joined_and_none_of_their_values_is_lost() {
        let fine: Vec<(f64, f64, f64)> = (0..160)
            .map(|at| (f64::from(at), f64::from(at + 1), 1.0))
            .collect();
        let (rows, cells) = cells(&fine);
        assert!(rows.len() <= ROWS_MAX, "{}", rows.len());
        let sum: f64 = cells.iter().map(|(_, values)| values).sum();
        assert!((sum - 160.0).abs() < 1e-6, "{sum}");
    }
}
