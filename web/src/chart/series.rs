//! Lines over time with a lens on top.

use std::fmt::Write as _;

use leptos::prelude::*;

use super::{ticks_between, time_label, utc_words};
use crate::islands::{Lens, LensSeries};
use crate::units;

/// One line.
#[derive(Debug, Clone, Default)]
pub struct Line {
    /// Name in the legend.
    pub name: String,
    /// Time in nanoseconds since the epoch and value, oldest first; `None` is a gap.
    pub points: Vec<(u64, Option<f64>)>,
}

/// A dot that leads to a trace: an exemplar.
#[derive(Debug, Clone)]
pub struct Mark {
    /// When.
    pub time_ns: u64,
    /// Where on the value axis.
    pub value: f64,
    /// Where it leads.
    pub href: String,
    /// What it says on hover.
    pub title: String,
}

const WIDTH: f64 = 1000.0;
const HEIGHT: f64 = 200.0;
/// Steps of the lens; as many as a pointer can tell apart.
const STEPS: u64 = 160;

/// A moment worth a line across the chart.
#[derive(Debug, Clone)]
pub struct Note {
    /// When.
    pub time_ns: u64,
    /// What it says on hover.
    pub text: String,
}

/// What is drawn beside the lines of a chart.
#[derive(Debug, Clone, Copy, Default)]
pub struct Beside<'a> {
    /// Dots that lead to traces.
    pub marks: &'a [Mark],
    /// Moments.
    pub notes: &'a [Note],
    /// What the lines are compared with, on the same axis: thin and grey, behind them.
    pub older: &'a [Line],
}

/// A chart of `lines` over `[from, to)`, values in `unit` (UCUM).
pub fn time_series(lines: &[Line], marks: &[Mark], range: (u64, u64), unit: &str) -> AnyView {
    let beside = Beside {
        marks,
        ..Beside::default()
    };
    noted_series(lines, beside, range, unit)
}

/// The same with more beside the lines.
pub fn noted_series(
    lines: &[Line],
    beside: Beside<'_>,
    (from, to): (u64, u64),
    unit: &str,
) -> AnyView {
    let Beside {
        marks,
        notes,
        older,
    } = beside;
    let values = || {
        let all = lines.iter().chain(older);
        all.flat_map(|line| line.points.iter().filter_map(|(_, value)| *value))
            .chain(marks.iter().map(|mark| mark.value))
            .filter(|value| value.is_finite())
    };
    let steps = ticks_between(values().fold(0.0, f64::min), values().fold(0.0, f64::max));
    let (bottom, top) = (steps[0], steps[steps.len() - 1]);
    let x = |time: u64| (time.saturating_sub(from)) as f64 / (to - from).max(1) as f64 * WIDTH;
    let y = |value: f64| HEIGHT - (value - bottom) / (top - bottom) * HEIGHT;

    let grid = steps
        .iter()
        .map(|tick| view! { <line x1="0" x2="1000" y1=y(*tick) y2=y(*tick)></line> })
        .collect_view();
    let paths = lines
        .iter()
        .enumerate()
        .map(|(at, line)| view! { <path class=format!("line c{}", at % 10) d=path_of(line, x, y)></path> })
        .collect_view();
    let behind = older
        .iter()
        .map(|line| view! { <path class="line older" d=path_of(line, x, y)></path> })
        .collect_view();
    let dots = marks
        .iter()
        .map(|mark| {
            let d = format!("M{:.1} {:.1}h0.01", x(mark.time_ns), y(mark.value));
            view! { <a href=mark.href.clone()><path class="exemplar" d=d><title>{mark.title.clone()}</title></path></a> }
        })
        .collect_view();
    let moments = notes
        .iter()
        .filter(|note| (from..to).contains(&note.time_ns))
        .map(|note| {
            let d = format!("M{0:.1} 0V{HEIGHT}", x(note.time_ns));
            view! { <path class="note-line" d=d><title>{note.text.clone()}</title></path> }
        })
        .collect_view();
    let labels = steps
        .iter()
        .rev()
        .map(|tick| view! { <span>{units::with_unit(*tick, unit)}</span> })
        .collect_view();
    let times = (0..=4)
        .map(|n| view! { <span>{time_label(from + (to - from) / 4 * n, to - from)}</span> })
        .collect_view();
    view! {
        <figure class="chart">
            <div class="chart-y">{labels}</div>
            <div class="chart-area">
                <svg viewBox="0 0 1000 200" preserveAspectRatio="none" role="img" aria-label="Chart; the table below has its values">
                    <g class="grid">{grid}</g>{moments}{behind}{paths}
                </svg>
                {lens(lines.iter().chain(older), (from, to), unit)}
                <svg class="dots" viewBox="0 0 1000 200" preserveAspectRatio="none">{dots}</svg>
            </div>
            <div class="chart-x">{times}</div>
        </figure>
        {read_note(lines.len() + older.len())}
    }
    .into_any()
}

fn path_of(line: &Line, x: impl Fn(u64) -> f64, y: impl Fn(f64) -> f64) -> String {
    let mut d = String::new();
    let mut pen_down = false;
    for (at, (time, value)) in line.points.iter().enumerate() {
        match value {
            Some(value) if value.is_finite() => {
                let _ = write!(
                    d,
                    "{}{:.1} {:.1}",
                    if pen_down { 'L' } else { 'M' },
                    x(*time),
                    y(*value)
                );
                // A point without neighbours would be a line of no length.
                let is_alone = !pen_down
                    && !matches!(line.points.get(at + 1), Some((_, Some(next))) if next.is_finite());
                d.push_str(if is_alone { "h0.01" } else { "" });
                pen_down = true;
            }
            _ => pen_down = false,
        }
    }
    d
}

/// Lines whose values are read under the pointer.
const LINES_READ_MAX: usize = 8;

/// That the lens does not read all lines.
fn read_note(lines: usize) -> Option<AnyView> {
    (lines > LINES_READ_MAX).then(|| {
        let text =
            format!("Values under the pointer are of the first {LINES_READ_MAX} of {lines} lines.");
        view! { <p class="note needs-wasm">{text}</p> }.into_any()
    })
}

fn lens<'a>(lines: impl Iterator<Item = &'a Line>, (from, to): (u64, u64), unit: &str) -> AnyView {
    let step = ((to - from) / STEPS).max(1);
    let times = (0..STEPS)
        .map(|n| utc_words(from + n * step, to - from))
        .collect();
    let series = lines
        .take(LINES_READ_MAX)
        .map(|line| LensSeries {
            name: line.name.clone(),
            values: sampled(line, from, step, unit),
        })
        .collect();
    view! { <Lens times=times series=series from_ms=from as f64 / 1e6 to_ms=to as f64 / 1e6/> }
        .into_any()
}

/// The newest value of each step, formatted. Between two points it is the earlier one's; after a gap there is none.
fn sampled(line: &Line, from: u64, step: u64, unit: &str) -> Vec<String> {
    let mut values: Vec<Option<String>> = vec![None; STEPS as usize];
    let mut last = 0;
    for (time, value) in &line.points {
        let at = (time.saturating_sub(from) / step) as usize;
        if let Some(slot) = values.get_mut(at) {
            *slot = Some(value.map_or_else(String::new, |value| units::with_unit(value, unit)));
            last = last.max(at);
        }
    }
    let mut before = String::new();
    let each = values.into_iter().enumerate().map(|(at, value)| {
        if let Some(value) = value {
            before = value;
        }
        // The line ends at its last point.
        if at <= last {
            before.clone()
        } else {
            String::new()
        }
    });
    each.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gap_lifts_the_pen() {
        let line = Line {
            name: String::new(),
            points: vec![
                (0, Some(1.0)),
                (1, None),
                (2, Some(2.0)),
                (3, Some(f64::NAN)),
            ],
        };
        assert_eq!(
            path_of(&line, |t| t as f64, |v| v),
            "M0.0 1.0h0.01M2.0 2.0h0.01"
        );
    }

    #[test]
    fn the_lens_reads_what_is_drawn() {
        let second = 1_000_000_000;
        let line = Line {
            name: String::new(),
            points: vec![
                (2 * second, Some(1.0)),
                (4 * second, Some(2.0)),
                (6 * second, None),
                (8 * second, Some(3.0)),
            ],
        };
        let read = sampled(&line, 0, second, "");
        assert_eq!(read[..10], ["", "", "1", "1", "2", "2", "", "", "3", ""]);
        assert_eq!(read.len() as u64, STEPS);
    }

    #[test]
    fn the_axis_of_values_below_zero_is_that_of_the_lines() {
        let line = Line {
            name: "kitchen".to_owned(),
            points: vec![(0, Some(-3.5)), (1, Some(22.0)), (2, Some(f64::INFINITY))],
        };
        let html = time_series(&[line], &[], (0, 2), "Cel").to_html();
        let at = |text: &str| html.find(text).unwrap_or_else(|| panic!("{text}: {html}"));
        let labels =
            ["30 °C", "20 °C", "10 °C", "0 °C", "-10 °C"].map(|text| at(&format!(">{text}<")));
        assert!(labels.is_sorted(), "from above: {html}");
        assert!(html.contains("M0.0 167.5L500.0 40.0"), "{html}");
    }
}
