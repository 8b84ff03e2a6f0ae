//! What a breaker does: its window against its limits, calls by outcome, half-open probes one by one, settings before.

use leptos::prelude::*;
use tripline_storage::model::{
    BreakerActivity, BreakerDetail, BreakerWindow, OutcomeCalls, SettingsChange, Trial,
};

use super::BreakerHow;
use crate::address::segment;
use crate::frame::Frame;
use crate::pages::breaker_marks::state_mark;
use crate::pages::ejection::is_ejection;
use crate::parts::{moment, nothing, positive};
use crate::units;

/// When the next call is let through to try, of an instance that refuses and said so.
pub(super) fn next_probe(
    activity: &BreakerActivity,
    detail: &BreakerDetail,
    frame: &Frame,
) -> Option<AnyView> {
    // A host comes back after a time; no call is let through to try.
    if detail.breaker.instances_open == 0 || is_ejection(&detail.breaker.pattern) {
        return None;
    }
    let of = |window: &BreakerWindow| positive(window.next_probe_unix_nano);
    let Some(next) = activity.windows.iter().filter_map(of).min() else {
        return Some(view! { <p class="quiet">"Next probe: not reported."</p> }.into_any());
    };
    let when = match next.checked_sub(frame.now_ns) {
        Some(left) if left > 0 => format!("in {}", units::duration(left)),
        _ => "due: the next call is a probe".to_owned(),
    };
    Some(view! { <p>"Next probe: "{moment(Some(next), frame)}" "<span class="quiet">{when}</span></p> }.into_any())
}

/// The latest window of each instance against its limits, and the calls of the range by outcome.
pub(super) fn windows(activity: &BreakerActivity, how: &BreakerHow, frame: &Frame) -> AnyView {
    let known: Vec<&BreakerWindow> = activity
        .windows
        .iter()
        .filter(|window| {
            window.failure_rate.is_some()
                || window.slow_rate.is_some()
                || window.window_calls.is_some()
        })
        .collect();
    let table = if known.is_empty() {
        nothing(
            "Its window is not reported.",
            "Gauges of its failure ratio show it; our SDK, resilience4j and Hystrix have them.",
        )
    } else {
        let rows = known
            .into_iter()
            .map(|window| row(window, frame))
            .collect_view();
        view! {
            <div class="scroll" tabindex="0"><table class="list"><thead><tr><th>"Instance"</th><th class="num">"Failed"</th><th>"Limit"</th><th class="num">"Slow"</th><th>"Limit"</th><th class="num">"Calls"</th><th>"As of"</th></tr></thead><tbody>{rows}</tbody></table></div>
        }
        .into_any()
    };
    view! {
        <section class="panel"><div class="panel-head"><h2>"Against its limits"</h2>{frame.how(&how.windows)}</div>{table}{outcomes(&activity.calls, &how.calls, frame)}</section>
    }
    .into_any()
}

fn row(window: &BreakerWindow, frame: &Frame) -> AnyView {
    let share = |value: Option<f64>| value.map_or_else(|| "–".to_owned(), units::percent);
    let limit =
        |value: Option<f64>| value.map_or_else(|| "not reported".to_owned(), units::percent);
    let class = |value: Option<f64>, limit: Option<f64>| match (value, limit) {
        (Some(value), Some(limit)) if value >= limit => "num share bad",
        _ => "num",
    };
    let calls = match (window.window_calls, window.limits.minimum_calls) {
        (Some(calls), Some(least)) => format!(
            "{} of {} it takes",
            units::count(u64::from(calls)),
            units::count(u64::from(least))
        ),
        (Some(calls), None) => units::count(u64::from(calls)),
        (None, Some(least)) => format!("– of {} it takes", units::count(u64::from(least))),
        (None, None) => "–".to_owned(),
    };
    let id = window
        .service_instance_id
        .clone()
        .unwrap_or_else(|| "no instance id".to_owned());
    view! {
        <tr>
            <td class="nowrap"><code class="id">{id}</code></td>
            <td class=class(window.failure_rate, window.limits.failure_rate)>{share(window.failure_rate)}</td><td>{limit(window.limits.failure_rate)}</td>
            <td class=class(window.slow_rate, window.limits.slow_rate)>{share(window.slow_rate)}</td><td>{limit(window.limits.slow_rate)}</td>
            <td class="num nowrap">{calls}</td>
            <td class="nowrap">{moment(positive(Some(window.time_unix_nano)), frame)}</td>
        </tr>
    }
    .into_any()
}

/// "In this range: 812 passed, 40 failed, …"; what nobody counts is named.
fn outcomes(calls: &OutcomeCalls, how: &str, frame: &Frame) -> AnyView {
    let all = [
        ("succeeded", calls.ok),
        ("failed", calls.failed),
        ("slow", calls.slow),
        ("refused", calls.rejected),
        ("ignored", calls.ignored),
        ("cancelled", calls.cancelled),
    ];
    if all.iter().all(|(_, count)| count.is_none()) {
        return view! { <p class="note">"Calls by outcome are not reported by its counters."</p> }
            .into_any();
    }
    let counted = all
        .iter()
        .filter_map(|(word, count)| {
            let count = (*count)?;
            Some(view! { <span class="outcome">{format!("{} {word}", units::count(count))}</span>" " })
        })
        .collect_view();
    let missing: Vec<&str> = all
        .iter()
        .filter(|(_, count)| count.is_none())
        .map(|(word, _)| *word)
        .collect();
    let missing = (!missing.is_empty()).then(
        || view! { <span class="quiet">{format!("not counted: {}", missing.join(", "))}</span> },
    );
    view! { <p class="outcomes">"Calls in this range, as it counts them: "{counted}{missing}" "{frame.how(how)}</p> }
        .into_any()
}

/// Half-open states, each with its probes one by one.
pub(super) fn trials(activity: &BreakerActivity, frame: &Frame) -> Option<AnyView> {
    if activity.trials.is_empty() {
        return None;
    }
    let rows = activity
        .trials
        .iter()
        .map(|trial| trial_row(trial, frame))
        .collect_view();
    let shown = activity.trials.len() as u64;
    let cut = (shown < activity.total_trials).then(|| {
        let (shown, total) = (units::count(shown), units::count(activity.total_trials));
        view! { <p class="note amber">{format!("{shown} of {total} are shown, newest first.")}</p> }
    });
    Some(
        view! {
            <section class="panel"><h2>"Half-open"</h2>
            <div class="scroll"><table class="list folds"><thead><tr><th>"Began"</th><th>"Instance"</th><th class="num">"Lasted"</th><th>"Ended in"</th><th>"Probes"</th></tr></thead><tbody>{rows}</tbody></table></div>{cut}</section>
        }
        .into_any(),
    )
}

fn trial_row(trial: &Trial, frame: &Frame) -> AnyView {
    let lasted = trial
        .to_unix_nano
        .and_then(|to| u64::try_from(to - trial.from_unix_nano).ok())
        .map_or_else(|| "still".to_owned(), units::duration);
    let ended = trial.ended_in.as_deref().map(state_mark);
    let probes = if trial.probes.is_empty() {
        view! { <span class="quiet">"no span says it was one"</span> }.into_any()
    } else {
        trial
            .probes
            .iter()
            .map(|probe| {
                let class = match probe.outcome.as_str() {
                    "success" | "slow_success" => "probe passed",
                    "failure" | "slow_failure" => "probe bad",
                    _ => "probe",
                };
                let took = probe
                    .duration_ns
                    .and_then(|ns| u64::try_from(ns).ok())
                    .map(|ns| format!(" {}", units::duration(ns)));
                let word = probe.outcome.replace('_', " ");
                let text = format!("{word}{}", took.unwrap_or_default());
                match &probe.trace_id {
                    Some(id) => {
                        let span = probe.span_id.clone().unwrap_or_default();
                        let link =
                            frame.link(&format!("/traces/{}", segment(id)), &[("span", &span)]);
                        view! { <a class=class href=link>{text}</a>" " }.into_any()
                    }
                    None => view! { <span class=class>{text}</span>" " }.into_any(),
                }
            })
            .collect_view()
            .into_any()
    };
    view! {
        <tr><td class="nowrap">{moment(positive(Some(trial.from_unix_nano)), frame)}</td><td><code class="id">{trial.service_instance_id.clone()}</code></td>
        <td class="num" data-head="lasted">{lasted}</td><td class="nowrap" data-head="ended in">{ended}</td><td data-head="probes">{probes}</td></tr>
    }
    .into_any()
}

/// Settings it ran under before, newest first; nothing while each instance reported one.
pub(super) fn settings_history(activity: &BreakerActivity, frame: &Frame) -> Option<AnyView> {
    if activity.settings.iter().all(|change| change.is_first) {
        return None;
    }
    let rows = activity
        .settings
        .iter()
        .map(|change| {
            view! {
                <tr><td class="nowrap">{moment(positive(Some(change.time_unix_nano)), frame)}</td><td><code class="id">{change.service_instance_id.clone()}</code></td>
                <td class="wide">{what_changed(change)}</td><td><code class="id">{change.config_hash.clone()}</code></td></tr>
            }
        })
        .collect_view();
    Some(
        view! {
            <section class="panel"><h2>"Settings over time"</h2>
            <div class="scroll" tabindex="0"><table class="list"><thead><tr><th>"Since"</th><th>"Instance"</th><th>"What changed"</th><th>"Hash"</th></tr></thead><tbody>{rows}</tbody></table></div></section>
        }
        .into_any(),
    )
}

/// "failure_ratio_threshold 0.5 → 0.6, minimum_calls 10 → 20".
fn what_changed(change: &SettingsChange) -> String {
    if change.is_first {
        return "first report".to_owned();
    }
    let none = || "–".to_owned();
    let texts: Vec<String> = change
        .changed
        .iter()
        .map(|setting| {
            let (before, after) = (setting.before.clone(), setting.after.clone());
            format!(
                "{} {} → {}",
                setting.name,
                before.unwrap_or_else(none),
                after.unwrap_or_else(none)
            )
        })
        .collect();
    texts.join(", ")
}
