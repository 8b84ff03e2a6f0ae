//! A service in one scope over time: rate, errors and duration, with what changed and traces to open.

use leptos::prelude::*;
use tripline_storage::model::{Page, RedPoint, TraceSummary};

use super::{ServicePage, ServicePart};
use crate::address::segment;
use crate::chart::{Beside, Line, Mark, Note, noted_series};
use crate::frame::Frame;
use crate::pages::last_week;
use crate::parts::{moment, positive};
use crate::units;

/// Rate, errors and duration with the moments of change marked on each.
pub(super) fn over_time(
    data: &ServicePage,
    part: &ServicePart,
    id: &dyn Fn(&str) -> String,
    frame: &Frame,
) -> AnyView {
    let detail = &part.detail;
    let time = |point: &RedPoint| u64::try_from(point.time_unix_nano).unwrap_or(0);
    let line = |name: &str, value: &dyn Fn(&RedPoint) -> Option<f64>| Line {
        name: name.to_owned(),
        points: detail
            .points
            .iter()
            .map(|point| (time(point), value(point)))
            .collect(),
    };
    let per_second = |p: &RedPoint| Some(p.weight / p.seconds.max(1.0));
    let failed = |p: &RedPoint| (p.calls > 0).then(|| p.counts().share() * 100.0);
    let seconds = |ns: Option<f64>| ns.map(|ns| ns / 1e9);
    let share_then = |at: u64| {
        let before = detail.points.iter().rfind(|point| time(point) <= at);
        before.and_then(failed)
    };
    // Where it lives in several scopes, each chart has the traces of its own.
    let its = |page: &Page<TraceSummary>| -> Vec<TraceSummary> {
        let is_its =
            |trace: &&TraceSummary| data.parts.len() < 2 || trace.matched.scope == part.scope;
        page.items.iter().filter(is_its).cloned().collect()
    };
    let (failed_traces, slow_traces) = (its(&data.failed), its(&data.slow));
    let failed_marks = marks(&failed_traces, "failed", frame, |start, _| {
        share_then(start)
    });
    let took = |_: u64, duration: u64| Some(duration as f64 / 1e9);
    let mut duration_marks = marks(&slow_traces, "slow", frame, took);
    duration_marks.extend(marks(&failed_traces, "failed", frame, took));
    let rate = line("", &per_second);
    let errors = line("", &failed);
    let latency = [
        line("p50", &|p| seconds(p.latency.p50_ns)),
        line("p95", &|p| seconds(p.latency.p95_ns)),
        line("p99", &|p| seconds(p.latency.p99_ns)),
    ];
    let notes: Vec<Note> = detail
        .changes
        .iter()
        .filter_map(|change| {
            Some(Note {
                time_ns: positive(Some(change.time_unix_nano))?,
                text: format!("{}: {}", change.kind, change.description),
            })
        })
        .collect();
    let chart = |lines: &[Line], marks: &[Mark], older: &[Line], unit: &str| {
        let beside = Beside {
            marks,
            notes: &notes,
            older,
        };
        noted_series(lines, beside, frame.bounds(), unit)
    };
    let then = part
        .then
        .as_deref()
        .filter(|points| points.iter().any(|point| point.calls > 0));
    let older = |name: &str, value: &dyn Fn(&RedPoint) -> Option<f64>| -> Vec<Line> {
        then.map(|points| last_week::line(name, points, value))
            .into_iter()
            .collect()
    };
    let old_rate = older("last week", &per_second);
    let old_errors = older("last week", &failed);
    let old_latency = older("p95 last week", &|p| seconds(p.latency.p95_ns));
    let key =
        |word: &'static str| then.map(|_| view! { <span class="quiet key-older">{word}</span> });
    let changes = detail
        .changes
        .iter()
        .map(|change| {
            view! { <li>{moment(positive(Some(change.time_unix_nano)), frame)} " " <span class="tag">{change.kind.clone()}</span> " " {change.description.clone()}
                {inferred(&change.evidence).map(|from| view! { " " <span class="quiet">{from}</span> })}</li> }
        })
        .collect_view();
    view! {
        <div class="thirds" id=id("red") data-live>
            <section class="panel"><div class="panel-head"><h2>"Rate " {key("last week")}</h2>{frame.how(&part.how.over_time)}</div>{chart(&[rate], &[], &old_rate, "/s")}</section>
            <section class="panel"><div class="panel-head"><h2>"Errors " {key("last week")}</h2>{frame.how(&part.how.over_time)}</div>{chart(&[errors], &failed_marks, &old_errors, "%")}</section>
            <section class="panel"><div class="panel-head"><h2>"Duration " <span class="quiet">"p50 p95 p99"</span> " " {key("p95 last week")}</h2>{frame.how(&part.how.over_time)}</div>{chart(&latency, &duration_marks, &old_latency, "s")}</section>
        </div>
        {(!detail.changes.is_empty()).then(|| view! { <section class="panel" id=id("changes") data-live><h2>"What changed"</h2><ul class="changes">{changes}</ul></section> })}
    }
    .into_any()
}

/// What a change that nobody reported is known by.
fn inferred(evidence: &str) -> Option<&'static str> {
    match evidence {
        "reported" => None,
        "evaluated" => Some("inferred from evaluations"),
        _ => Some("inferred from spans"),
    }
}

/// Traces as dots that lead to them; `value` places one by the start and duration (nanoseconds) of its span.
fn marks(
    traces: &[TraceSummary],
    word: &str,
    frame: &Frame,
    value: impl Fn(u64, u64) -> Option<f64>,
) -> Vec<Mark> {
    let (from, to) = frame.bounds();
    traces
        .iter()
        .filter_map(|trace| {
            let span = &trace.matched;
            let start = positive(span.start_time_unix_nano).filter(|ns| (from..to).contains(ns))?;
            let duration = positive(span.duration_ns)?;
            let path = format!("/traces/{}", segment(&trace.trace_id));
            Some(Mark {
                time_ns: start,
                value: value(start, duration)?,
                href: frame.link(&path, &[("span", &span.span_id)]),
                title: format!(
                    "{}: {word}, {}; open its trace",
                    span.name,
                    units::duration(duration)
                ),
            })
        })
        .collect()
}
