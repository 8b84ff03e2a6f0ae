//! Log records over time, stacked by severity.

use leptos::prelude::*;
use tripline_storage::model::LogHistogram;

use super::{time_label, utc_words};
use crate::frame::Frame;
use crate::islands::Lens;
use crate::units;

/// One bar a step, the most severe at the bottom; dragging zooms.
pub fn bars(data: &LogHistogram, frame: &Frame) -> AnyView {
    let tallest = data
        .steps
        .iter()
        .map(|step| step.counts.iter().sum::<u64>())
        .max()
        .unwrap_or(0)
        .max(1);
    let steps = data.steps.len().max(1);
    let width = 1000.0 / steps as f64;
    let stacks = data
        .steps
        .iter()
        .enumerate()
        .map(|(at, step)| {
            let mut below = 0;
            step.counts
                .iter()
                .enumerate()
                .rev()
                .filter(|(_, count)| **count > 0)
                .map(|(severity, count)| {
                    let height = *count as f64 / tallest as f64 * 100.0;
                    below += count;
                    let y = 100.0 - below as f64 / tallest as f64 * 100.0;
                    view! { <rect class=format!("s{severity}") x=at as f64 * width + width * 0.08 y=y width=width * 0.84 height=height></rect> }
                })
                .collect_view()
        })
        .collect_view();
    let (from, to) = frame.bounds();
    let times = (0..=4)
        .map(|n| view! { <span>{time_label(from + (to - from) / 4 * n, to - from)}</span> })
        .collect_view();
    let step_ns = (to - from) / steps as u64;
    let readings = data
        .steps
        .iter()
        .enumerate()
        .map(|(at, step)| {
            let failed: u64 = step.counts[5..].iter().sum();
            format!(
                "{} · {}, {}",
                utc_words(from + step_ns * at as u64, to - from),
                units::counted(step.counts.iter().sum(), "record"),
                units::counted(failed, "error")
            )
        })
        .collect();
    view! {
        <figure class="chart bars">
            <div class="chart-y"><span>{units::count(tallest)}</span><span>"0"</span></div>
            <div class="chart-area">
                <svg viewBox="0 0 1000 100" preserveAspectRatio="none" role="img" aria-label="Log records over time by severity; the counts are below">{stacks}</svg>
                <Lens times=readings series=Vec::new() from_ms=from as f64 / 1e6 to_ms=to as f64 / 1e6/>
            </div>
            <div class="chart-x">{times}</div>
        </figure>
    }
    .into_any()
}
