//! Charts: data in, SVG out. Nothing here fetches, and nothing is laid out by script.
//!
//! Lines stretch with the page (`preserveAspectRatio="none"` and strokes that do not scale); all text is
//! HTML around them, so it stays readable at any width.

mod bars;
mod buckets;
mod heatmap;
pub mod lanes;
mod series;

use leptos::prelude::*;

pub use bars::bars;
pub use buckets::{bounds, buckets};
pub use heatmap::heatmap;
pub use series::{Beside, Line, Mark, Note, noted_series, time_series};

use crate::units;

/// A time on an axis that spans so many nanoseconds; UTC until the browser knows better, and on hover.
pub(crate) fn time_label(unix_nano: u64, span_ns: u64) -> AnyView {
    let text = units::axis_time(unix_nano, span_ns);
    let form = match text.len() {
        5 => "m",
        8 => "s",
        _ => "d",
    };
    let exact = units::timestamp(unix_nano, 0);
    view! { <time datetime=exact.clone() title=exact data-clock=form>{text}</time> }.into_any()
}

/// Round numbers from 0 or below up to at least `max`, three to five of them.
pub(crate) fn ticks(max: f64) -> Vec<f64> {
    if !max.is_finite() || max <= 0.0 {
        return vec![0.0, 1.0];
    }
    let rough = max / 4.0;
    let magnitude = 10_f64.powf(rough.log10().floor());
    let step = [1.0, 2.0, 2.5, 5.0, 10.0]
        .iter()
        .map(|factor| factor * magnitude)
        .find(|step| *step >= rough)
        .unwrap_or(10.0 * magnitude);
    let steps = (max / step).ceil().max(1.0) as usize;
    (0..=steps).map(|n| n as f64 * step).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round_few_and_cover_the_data() {
        for max in [0.000_3, 0.7, 1.0, 7.3, 99.0, 12_345.0] {
            let ticks = ticks(max);
            assert!(ticks.len() >= 3 && ticks.len() <= 6, "{max}: {ticks:?}");
            assert!(*ticks.last().expect("never empty") >= max);
        }
        assert_eq!(ticks(f64::NAN), [0.0, 1.0]);
        assert_eq!(ticks(7.3), [0.0, 2.0, 4.0, 6.0, 8.0]);
    }
}
