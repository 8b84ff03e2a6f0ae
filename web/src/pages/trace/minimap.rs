//! A whole trace on a hand's breadth.

use leptos::prelude::*;

use super::rows::{ROWS_MAX, Rows};
use crate::frame::Frame;
use crate::pages::waterfall::Waterfall;
use crate::parts::colour;
use crate::units;

/// Lines of the mini-map: more than a screen has pixels for would cost without showing anything.
const MINIMAP_LINES_MAX: usize = 400;

/// The whole trace small, with the window of rows in it; each tenth leads there.
pub(super) fn minimap(
    waterfall: &Waterfall<'_>,
    rows: &Rows<'_, '_>,
    frame: &Frame,
) -> Option<AnyView> {
    let count = rows.open.len();
    if count < 12 {
        return None;
    }
    let step = count.div_ceil(MINIMAP_LINES_MAX);
    let lines = rows
        .open
        .iter()
        .enumerate()
        .step_by(step)
        .map(|(at, row)| {
            let (x, end) = (waterfall.share(row.span.start_time_unix_nano), waterfall.share(row.span.end_time_unix_nano));
            let class = if row.span.status_code == "error" { "bad".to_owned() } else { colour(row.span.service_name.as_deref().unwrap_or("")) };
            let y = at as f64 / count as f64 * 60.0;
            view! { <rect class=class x=x * 1000.0 y=y width=((end - x) * 1000.0).max(2.0) height=(60.0 / count as f64 * step as f64).clamp(0.3, 3.0)></rect> }
        })
        .collect_view();
    let window = (count > ROWS_MAX).then(|| {
        let y = rows.skip as f64 / count as f64 * 60.0;
        let height = rows.window().len() as f64 / count as f64 * 60.0;
        view! { <rect class="minimap-window" x="0" y=y width="1000" height=height></rect> }
    });
    let places = (count > ROWS_MAX).then(|| {
        (0..10)
            .map(|n| {
                let row = count * n / 10;
                let label = format!("Rows from {}", units::count(row as u64 + 1));
                view! { <a href=frame.with(&[("row", &row.to_string()), ("span", "")]) aria-label=label.clone()><title>{label.clone()}</title><rect class="minimap-place" x="0" y=n as f64 * 6.0 width="1000" height="6"></rect></a> }
            })
            .collect_view()
    });
    Some(
        view! {
            <svg class="minimap" viewBox="0 0 1000 60" preserveAspectRatio="none" role="group" aria-label="The whole trace">
                {lines}{window}{places}
            </svg>
        }
        .into_any(),
    )
}
