//! Durations over time as cells; each cell, or a box dragged over them, is a link.

use leptos::prelude::*;
use tripline_storage::model::{Heatmap, Selection};

use super::time_label;
use crate::islands::BoxSelect;
use crate::units;

/// The heatmap. `link` makes the address of a box.
pub fn heatmap(
    map: &Heatmap,
    selection: Option<Selection>,
    link: impl Fn(Selection) -> String,
) -> Option<AnyView> {
    let low = map
        .cells
        .iter()
        .map(|cell| cell.row)
        .min()?
        .saturating_sub(1);
    let high = map.cells.iter().map(|cell| cell.row).max()? + 2;
    let rows = high - low;
    let most = map
        .cells
        .iter()
        .map(|cell| cell.spans)
        .max()
        .unwrap_or(1)
        .max(2);
    let y = |row: u32| f64::from(high - row);
    let cells = map
        .cells
        .iter()
        .map(|cell| {
            let box_of_cell = cell_box(map, cell.column, cell.row);
            // Five shades on a logarithmic scale: a lone slow span must not vanish beside thousands.
            let shade = 1 + ((cell.spans as f64).ln() / (most as f64).ln() * 4.0).round() as u32;
            let class = if cell.errors > 0 { format!("heat h{shade} bad") } else { format!("heat h{shade}") };
            let title = format!(
                "{} from {}, {} failed",
                units::counted(cell.spans, "span"),
                units::duration(Heatmap::row_from_ns(cell.row)),
                units::count(cell.errors)
            );
            view! { <a href=link(box_of_cell) tabindex="-1"><title>{title}</title><rect class=class x=cell.column y=y(cell.row + 1) width="1" height="1"></rect></a> }
        })
        .collect_view();
    let chosen = selection.map(|selection| {
        let since = |ns: i64| ns.saturating_sub(map.from_unix_nano) as f64;
        let x = |ns: i64| since(ns) / map.column_ns.max(1) as f64;
        let row = |ns: i64| ((ns.max(1) as f64).log2() * 2.0).clamp(f64::from(low), f64::from(high));
        let (left, right) = (x(selection.from_unix_nano), x(selection.to_unix_nano));
        let (bottom, top) = (row(selection.min_ns), row(selection.max_ns));
        view! { <rect class="heat-box" x=left y=f64::from(high) - top width=(right - left).max(0.1) height=(top - bottom).max(0.1)></rect> }
    });
    let labels = (0..=4_u32)
        .rev()
        .map(|n| view! { <span>{units::duration(Heatmap::row_from_ns(low + rows * n / 4))}</span> })
        .collect_view();
    let start = u64::try_from(map.from_unix_nano).unwrap_or(0);
    let length = u64::try_from(map.column_ns).unwrap_or(0) * u64::from(map.columns);
    let times = (0..=4)
        .map(|n| view! { <span>{time_label(start + length / 4 * n, length)}</span> })
        .collect_view();
    let view_box = format!("0 0 {} {rows}", map.columns);
    Some(
        view! {
            <figure class="chart heatmap">
                <div class="chart-y">{labels}</div>
                <div class="chart-area">
                    <svg viewBox=view_box preserveAspectRatio="none" role="group" aria-label="Durations of spans over time; the table below lists their traces">
                        {cells}{chosen}
                    </svg>
                    <BoxSelect from_ns=map.from_unix_nano as f64 length_ns=length as f64 low=low rows=rows columns=map.columns/>
                </div>
                <div class="chart-x">{times}</div>
            </figure>
        }
        .into_any(),
    )
}

fn cell_box(map: &Heatmap, column: u32, row: u32) -> Selection {
    // The last column may reach beyond what a number holds.
    let offset = map.column_ns.saturating_mul(i64::from(column));
    let from = map.from_unix_nano.saturating_add(offset);
    let edge = |row: u32| i64::try_from(Heatmap::row_from_ns(row)).unwrap_or(i64::MAX);
    Selection {
        from_unix_nano: from,
        to_unix_nano: from.saturating_add(map.column_ns),
        min_ns: if row == 0 { 0 } else { edge(row) },
        max_ns: edge(row + 1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_cell_of_the_longest_range_has_a_box() {
        let map = Heatmap {
            from_unix_nano: 0,
            column_ns: i64::MAX / 3 + 2,
            columns: 3,
            ..Heatmap::default()
        };
        let last = cell_box(&map, 2, 0);
        assert_eq!(
            (last.from_unix_nano, last.to_unix_nano),
            (2 * map.column_ns, i64::MAX)
        );
    }
}
