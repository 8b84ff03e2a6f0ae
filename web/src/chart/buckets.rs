//! A histogram's buckets over time as cells, each with its values on hover.

use leptos::prelude::*;
use tripline_storage::model::{MetricHeatmap, MetricHeatmapRow};

use super::{time_label, utc_words};
use crate::units;

/// The cells, lowest values at the bottom; `None` without any.
pub fn buckets(map: &MetricHeatmap) -> Option<AnyView> {
    let most = map
        .cells
        .iter()
        .map(|cell| cell.values)
        .reduce(f64::max)?
        .max(2.0);
    let rows = u32::try_from(map.rows.len()).ok()?;
    let start = u64::try_from(map.from_unix_nano).unwrap_or(0);
    let step = u64::try_from(map.column_ns).unwrap_or(0);
    let length = step * u64::from(map.columns);
    let cells = map
        .cells
        .iter()
        .filter_map(|cell| {
            let row = map.rows.get(usize::try_from(cell.row).ok()?)?;
            // Five shades on a logarithmic scale, as in the heatmap of spans.
            let shade = 1 + (cell.values.max(1.0).ln() / most.ln() * 4.0).round() as u32;
            let title = format!(
                "{} × {}, {}",
                units::compact(cell.values),
                bounds(row, &map.unit),
                utc_words(start + step * u64::from(cell.column), length)
            );
            let y = rows.checked_sub(cell.row + 1)?;
            Some(view! { <g><title>{title}</title><rect class=format!("heat h{shade}") x=cell.column y=y width="1" height="1"></rect></g> })
        })
        .collect_view();
    let last = map.rows.len().saturating_sub(1);
    let labels = (0..=last.min(4))
        .rev()
        .filter_map(|n| map.rows.get(last * n / last.clamp(1, 4)))
        .map(|row| view! { <span>{edge(row, &map.unit)}</span> })
        .collect_view();
    let times = (0..=4)
        .map(|n| view! { <span>{time_label(start + length / 4 * n, length)}</span> })
        .collect_view();
    let view_box = format!("0 0 {} {rows}", map.columns);
    Some(
        view! {
            <figure class="chart heatmap">
                <div class="chart-y">{labels}</div>
                <div class="chart-area">
                    <svg viewBox=view_box preserveAspectRatio="none" role="img" aria-label="Values of the histogram over time; the table below has their number by bucket">
                        {cells}
                    </svg>
                </div>
                <div class="chart-x">{times}</div>
            </figure>
        }
        .into_any(),
    )
}

/// What lies in a row, in words.
pub fn bounds(row: &MetricHeatmapRow, unit: &str) -> String {
    let text = |value: f64| units::with_unit(value, unit);
    match (row.low, row.high) {
        (Some(low), Some(high)) => format!("{} to {}", text(low), text(high)),
        (None, Some(high)) => format!("up to {}", text(high)),
        (Some(low), None) => format!("above {}", text(low)),
        (None, None) => "any value".to_owned(),
    }
}

/// The bound that names a row on the axis.
fn edge(row: &MetricHeatmapRow, unit: &str) -> String {
    let text = |value: f64| units::with_unit(value, unit);
    match (row.low, row.high) {
        (_, Some(high)) => format!("≤ {}", text(high)),
        (Some(low), None) => format!("> {}", text(low)),
        (None, None) => String::new(),
    }
}
