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

/// A time in words that no browser turns into its own: to the second and in UTC, with its day where the range, so many
/// nanoseconds long, has several.
pub(crate) fn utc_words(unix_nano: u64, span_ns: u64) -> String {
    let time = units::time_of_day(unix_nano, 0);
    if span_ns > 24 * 3_600_000_000_000 {
        let day = units::timestamp(unix_nano, 0);
        format!("{} {time} UTC", day.get(5..10).unwrap_or_default())
    } else {
        format!("{time} UTC")
    }
}

/// Round numbers from `lowest` or below, which is at most 0, up to at least `highest`; 0 is one of them.
pub(crate) fn ticks_between(lowest: f64, highest: f64) -> Vec<f64> {
    let length = highest - lowest;
    if !length.is_finite() || lowest >= 0.0 {
        return ticks(highest);
    }
    let step = ticks(length)[1];
    let (first, last) = (
        (lowest / step).floor() as i64,
        (highest / step).ceil() as i64,
    );
    (first..=last).map(|n| n as f64 * step).collect()
}

/// Round numbers from 0 up to at least `max`, three to five of them.
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
    fn words_of_a_time_say_their_zone_and_the_day_where_there_are_several() {
        let (second, at) = (1_000_000_000, 1_795_229_999_000_000_000);
        assert_eq!(utc_words(at, 3_600 * second), "02:59:59 UTC");
        assert_eq!(utc_words(at, 7 * 86_400 * second), "11-21 02:59:59 UTC");
    }

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

    #[test]
    fn ticks_below_zero_are_as_far_apart_as_those_above() {
        assert_eq!(ticks_between(-3.5, 22.0), [-10.0, 0.0, 10.0, 20.0, 30.0]);
        assert_eq!(ticks_between(-8.0, 0.0), [-8.0, -6.0, -4.0, -2.0, 0.0]);
        assert_eq!(ticks_between(0.0, 7.3), ticks(7.3));
        assert_eq!(ticks_between(f64::NEG_INFINITY, 1.0), ticks(1.0));
        for (lowest, highest) in [(-0.002, 0.1), (-1.0, 1.0), (-999.0, 3.0), (-5e12, 1e3)] {
            let ticks = ticks_between(lowest, highest);
            assert!(
                (3..=7).contains(&ticks.len()),
                "{lowest} {highest}: {ticks:?}"
            );
            assert!(
                ticks[0] <= lowest && ticks[ticks.len() - 1] >= highest,
                "{ticks:?}"
            );
            assert!(ticks.contains(&0.0), "{ticks:?}");
        }
    }
}
