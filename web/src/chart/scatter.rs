//! Dots over time: the shape of a search before its table. Durations stand on a logarithmic axis.

use leptos::prelude::*;

use crate::units;

/// One dot.
#[derive(Debug, Clone)]
pub struct Dot {
    /// When.
    pub time_ns: u64,
    /// How long.
    pub duration_ns: u64,
    /// It failed.
    pub is_error: bool,
    /// Where it leads.
    pub href: String,
    /// What it says on hover.
    pub title: String,
}

/// Durations over the range the dots span.
pub fn scatter(dots: &[Dot]) -> Option<AnyView> {
    let (first, last) = (
        dots.iter().map(|d| d.time_ns).min()?,
        dots.iter().map(|d| d.time_ns).max()?,
    );
    let span = (last - first).max(1);
    let log = |ns: u64| (ns.max(1) as f64).log10();
    let low = log(dots.iter().map(|d| d.duration_ns).min()?).floor();
    let high = log(dots.iter().map(|d| d.duration_ns).max()?)
        .ceil()
        .max(low + 1.0);
    let y = |value: f64| 110.0 - (value - low) / (high - low) * 100.0;
    let decades: Vec<f64> = (0..=(high - low) as u32)
        .map(|n| low + f64::from(n))
        .collect();
    let grid = decades
        .iter()
        .map(|d| view! { <line x1="0" x2="1000" y1=y(*d) y2=y(*d)></line> })
        .collect_view();
    let labels = decades
        .iter()
        .rev()
        .map(|decade| view! { <span>{units::duration(10_f64.powf(*decade) as u64)}</span> })
        .collect_view();
    let marks = dots
        .iter()
        .map(|dot| {
            let x = 8.0 + (dot.time_ns - first) as f64 / span as f64 * 984.0;
            let class = if dot.is_error { "spot bad" } else { "spot" };
            let d = format!("M{x:.1} {:.1}h0.01", y(log(dot.duration_ns)));
            view! { <a href=dot.href.clone()><path class=class d=d><title>{dot.title.clone()}</title></path></a> }
        })
        .collect_view();
    let times = (0..=4)
        .map(|n| view! { <span>{units::axis_time(first + span / 4 * n, span)}</span> })
        .collect_view();
    Some(
        view! {
            <figure class="chart scatter">
                <div class="chart-y">{labels}</div>
                <div class="chart-area">
                    <svg viewBox="0 0 1000 120" preserveAspectRatio="none" role="img" aria-label="Duration of each trace over time; the table below lists them">
                        <g class="grid">{grid}</g>{marks}
                    </svg>
                </div>
                <div class="chart-x">{times}</div>
            </figure>
        }
        .into_any(),
    )
}
