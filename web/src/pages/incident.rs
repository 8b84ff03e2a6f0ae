//! `/incidents/{id}`: where it began and why that is likely, who is hurt, what changed, whether it gets better.

mod calls;
mod markdown;

use leptos::prelude::*;
use tripline_storage::model::{
    ChangeEvent, Incident, IncidentBreaker, IncidentDetail, LaneSegment,
};

pub use self::markdown::markdown;
use super::blast::blast;
use super::breaker_marks::path_of;
use super::error_classes::class_table;
use super::incidents::{chain, edge_of, length, verdict_word};
use crate::address::segment;
use crate::chart::{Line, lanes, time_series};
use crate::frame::Frame;
use crate::parts::{copied_id, cut_note, moment, nothing, positive, service_link};
use crate::units;

/// What comes after it is told of five minutes in whole buckets of ten seconds.
const AFTER_NS: u64 = 310_000_000_000;

/// The page.
pub fn incident(data: &IncidentDetail, frame: &Frame) -> AnyView {
    let incident = &data.incident;
    let bundle = format!(
        "tripline export --incident {} incident",
        incident.incident_id
    );
    view! {
        <div class="trace-head"><div class="trace-title">
            <h1>{chain(incident)}</h1>
            <p class="lead">{sentence(data, frame)}</p>
            <p class="quiet">"began " {moment(positive(Some(incident.start_unix_nano)), frame)} " · " {length(incident, frame)} " · " {copied_id(&incident.incident_id)}</p>
        </div></div>
        {verdict(data, frame)}
        {root(incident, frame)}
        {cascade(data, frame)}
        {calls::worst(&data.worst, frame)}
        {windows(incident, frame)}
        {classes(data, frame)}
        {changes(data, frame)}
        {blast(&data.blast, frame)}
        {calls::before_after(&data.before_after, frame)}
        {recovery(data, frame)}
        {findings(data)}
        <section class="panel"><h2>"Hand it on"</h2>
            <details><summary>"As Markdown"</summary><pre class="copy">{markdown(data)}</pre></details>
            <p>"The whole of it as files another copy of Tripline opens: " <code>{bundle}</code></p>
        </section>
    }
    .into_any()
}

/// What happened, in one sentence.
fn sentence(data: &IncidentDetail, frame: &Frame) -> String {
    let incident = &data.incident;
    let Some(first) = incident.breakers.first() else {
        return String::new();
    };
    let others = match incident.breakers.len() - 1 {
        0 => String::new(),
        more => format!(", {} followed", units::counted(more as u64, "more breaker")),
    };
    let root = incident.root.as_ref().map_or_else(
        || "; the root is not known".to_owned(),
        |root| {
            format!(
                "; likely root: {} ({:.0} % sure)",
                root.service,
                100.0 * root.score
            )
        },
    );
    let hurt: f64 = data
        .blast
        .entry_points
        .iter()
        .map(|entry| entry.failed)
        .sum();
    let degraded: f64 = data
        .blast
        .entry_points
        .iter()
        .map(|entry| entry.degraded)
        .sum();
    let end = match incident.end_unix_nano {
        Some(_) if incident.state == "silent" => {
            format!("stale after {}", length(incident, frame))
        }
        Some(_) => format!("over after {}", length(incident, frame)),
        None => format!(
            "{}, {}",
            length(incident, frame),
            verdict_word(&data.recovery)
        ),
    };
    format!(
        "{} opened first{others}{root}; {} requests failed and {} were degraded; {end}.",
        edge_of(first),
        units::compact(hurt),
        units::compact(degraded)
    )
}

/// How it goes on; of one that is over for five minutes, how these were.
fn verdict(data: &IncidentDetail, frame: &Frame) -> AnyView {
    let recovery = &data.recovery;
    let end = positive(data.incident.end_unix_nano);
    let since_end = end.map_or(0, |end| frame.now_ns.saturating_sub(end));
    let when = if since_end > AFTER_NS {
        "in the 5 min after it"
    } else {
        "in the last 5 min"
    };
    let class = match recovery.verdict.as_str() {
        "recovered" | "recovering" => "verdict fine",
        "worsening" => "verdict bad",
        _ => "verdict warn",
    };
    let share = recovery.entry_error_share.map(|share| {
        let before = recovery
            .entry_error_share_before
            .map(|before| format!(" (before: {})", units::percent(before)))
            .unwrap_or_default();
        format!(
            " Entry points: {} failed {when}{before}.",
            units::percent(share)
        )
    });
    view! { <p class=class role="status"><strong>{verdict_word(recovery).to_owned()}</strong>": "{recovery.reason.clone()}"."{share}</p> }.into_any()
}

fn root(incident: &Incident, frame: &Frame) -> AnyView {
    let body = match &incident.root {
        None => nothing(
            "The likely root is not known.",
            "No breaker of this incident says whom it guards, and no span shows it.",
        ),
        Some(root) => {
            let clues = root
                .evidence
                .iter()
                .map(|clue| view! { <li><span class="tag">{clue.kind.replace('_', " ")}</span>" "{clue.sentence.clone()}</li> })
                .collect_view();
            view! { <p class="lead">{service_link(frame, Some(&root.service))}" "<span class="quiet">{format!("≈ {:.0} % sure, inferred", 100.0 * root.score)}</span></p><ul class="clues">{clues}</ul> }.into_any()
        }
    };
    view! { <section class="panel"><h2>"Likely root"</h2>{body}</section> }.into_any()
}

/// The range of the pictures: the incident with a margin.
fn bounds(incident: &Incident, frame: &Frame) -> (u64, u64) {
    let start = u64::try_from(incident.start_unix_nano).unwrap_or(0);
    let end = positive(incident.end_unix_nano)
        .unwrap_or(frame.now_ns)
        .max(start);
    let margin = ((end - start) / 10).max(5_000_000_000);
    (start.saturating_sub(margin), end + margin)
}

fn cascade(data: &IncidentDetail, frame: &Frame) -> AnyView {
    let incident = &data.incident;
    let range = bounds(incident, frame);
    let rows = incident
        .breakers
        .iter()
        .enumerate()
        .map(|(at, breaker)| {
            // What lies below it and tripped later is no reason of its trip.
            let below = breaker.downstream.iter().filter(|below| **below < at);
            let below: Vec<String> = below.map(|below| (below + 1).to_string()).collect();
            let below = if below.is_empty() { String::new() } else { format!(" after {}", below.join(", ")) };
            view! {
                <tr>
                    <td class="num">{at + 1}</td>
                    <td class="nowrap"><a href=breaker_link(breaker, frame)>{edge_of(breaker)}</a><span class="quiet">{below}</span></td>
                    <td class="nowrap" data-head="tripped">{moment(positive(Some(breaker.trip.time_unix_nano)), frame)}{doubt(breaker)}</td>
                    <td class="lane-cell">{lanes::lane(&segments(data, breaker, range.1), range)}</td>
                </tr>
            }
        })
        .collect_view();
    view! {
        <section class="panel"><h2>"The cascade, in order"</h2>
        <div class="scroll"><table class="list folds"><thead><tr><th class="num">"#"</th><th>"Breaker"</th><th>"Tripped"</th><th>"State"</th></tr></thead><tbody>{rows}</tbody></table></div></section>
    }
    .into_any()
}

/// ` ± 60 s` when the moment of the trip was inferred.
fn doubt(breaker: &IncidentBreaker) -> Option<AnyView> {
    let trip = &breaker.trip;
    let width = u64::try_from(trip.time_unix_nano - trip.time_lo_unix_nano).unwrap_or(0);
    (width > 0).then(|| view! { <span class="tag" title=format!("inferred from: {}", trip.evidence)>{format!("up to {} earlier", units::duration(width))}</span> }.into_any())
}

/// A breaker's states, folded over its instances, from the incident's transitions.
fn segments(data: &IncidentDetail, breaker: &IncidentBreaker, until: u64) -> Vec<LaneSegment> {
    let mut held: std::collections::BTreeMap<&str, &str> = Default::default();
    let mut segments: Vec<LaneSegment> = Vec::new();
    for change in data
        .transitions
        .iter()
        .filter(|change| change.breaker_id == breaker.breaker_id)
    {
        held.insert(
            change.service_instance_id.as_deref().unwrap_or_default(),
            &change.to_state,
        );
        let open = held
            .values()
            .filter(|state| matches!(**state, "open" | "forced_open"))
            .count();
        let state = if open > 0 {
            "open"
        } else if held.values().any(|state| *state == "half_open") {
            "half_open"
        } else if held.values().all(|state| *state == "stale") {
            "stale"
        } else {
            "closed"
        };
        if let Some(last) = segments.last_mut() {
            last.to_unix_nano = change.time_unix_nano;
        }
        segments.push(LaneSegment {
            from_unix_nano: change.time_unix_nano,
            from_lo_unix_nano: change.time_lo_unix_nano,
            to_unix_nano: i64::try_from(until).unwrap_or(i64::MAX),
            state: state.to_owned(),
            open: u32::try_from(open).unwrap_or(u32::MAX),
            of: breaker.instances,
        });
    }
    segments
}

/// A breaker's page at the time it tripped.
fn breaker_link(breaker: &IncidentBreaker, frame: &Frame) -> String {
    let path = path_of(&breaker.service_name, &breaker.name, breaker.key.as_deref());
    let at = units::timestamp(u64::try_from(breaker.trip.time_unix_nano).unwrap_or(0), 3);
    frame.link(&path, &[("at", &at)])
}

fn windows(incident: &Incident, frame: &Frame) -> AnyView {
    let rows = incident
        .breakers
        .iter()
        .map(|breaker| {
            let trip = &breaker.trip;
            let share = |value: Option<f64>| value.map_or_else(|| "not reported".to_owned(), units::percent);
            let trace = trip.trace_id.as_ref().map(|id| {
                let span = trip.span_id.clone().unwrap_or_default();
                let params: &[(&str, &str)] = if span.is_empty() { &[] } else { &[("span", &span)] };
                let link = frame.link(&format!("/traces/{}", segment(id)), params);
                let evidence = trip.trace_evidence.clone().unwrap_or_else(|| "inferred".to_owned());
                view! { <a href=link>"tripping trace"</a>" "<span class="tag">{evidence}</span> }
            });
            view! {
                <tr>
                    <td class="nowrap folds-main">{edge_of(breaker)}</td>
                    <td data-head="reason">{trip.reason.clone().map_or_else(|| "not reported".to_owned(), |reason| reason.replace('_', " "))}</td>
                    <td class="num" data-head="failed">{share(trip.failure_rate)}</td><td class="num" data-head="slow">{share(trip.slow_rate)}</td>
                    <td class="num" data-head="limit">{share(trip.threshold)}</td>
                    <td class="num" data-head="calls">{trip.window_calls.map_or_else(|| "not reported".to_owned(), |calls| units::count(u64::from(calls)))}</td>
                    <td class="num" data-head="open now">{format!("{} of {}", breaker.instances_open, breaker.instances)}</td>
                    <td class="nowrap">{trace.map_or_else(|| view! { <span class="quiet">"no trace was kept"</span> }.into_any(), IntoAny::into_any)}</td>
                </tr>
            }
        })
        .collect_view();
    view! {
        <section class="panel"><h2>"The windows when they tripped"</h2>
        <div class="scroll"><table class="list folds"><thead><tr><th>"Breaker"</th><th>"Reason"</th><th class="num">"Failed"</th><th class="num">"Slow"</th><th class="num">"Limit"</th><th class="num">"Calls"</th><th class="num">"Open now"</th><th>"Trace"</th></tr></thead><tbody>{rows}</tbody></table></div></section>
    }
    .into_any()
}

fn classes(data: &IncidentDetail, frame: &Frame) -> AnyView {
    view! { <section class="panel"><h2>"How calls failed"</h2>{class_table(&data.error_classes, &data.incident, frame)}</section> }.into_any()
}

fn changes(data: &IncidentDetail, frame: &Frame) -> AnyView {
    let silent = (!data.services_without_version.is_empty()).then(|| view! { <p class="note amber">{format!("No version is reported by {}: deploys of it cannot be seen.", data.services_without_version.join(", "))}</p> });
    let body = if data.changes.is_empty() {
        nothing(
            "Nothing is known to have changed within 30 minutes.",
            "Versions and the variants of evaluated flags (feature_flag.evaluation) are compared; other deploys, flags and settings are known by log events named tripline.change.",
        )
    } else {
        let start = data.incident.start_unix_nano;
        let rows = data
            .changes
            .iter()
            .map(|change| change_row(change, start, frame))
            .collect_view();
        view! { <div class="scroll"><table class="list folds"><thead><tr><th>"When"</th><th class="num">"Before the trip"</th><th>"Kind"</th><th>"Service"</th><th>"What"</th></tr></thead><tbody>{rows}</tbody></table></div> }.into_any()
    };
    view! { <section class="panel"><h2>"What changed"</h2>{body}{silent}</section> }.into_any()
}

fn change_row(change: &ChangeEvent, start: i64, frame: &Frame) -> AnyView {
    let distance = units::duration((start - change.time_unix_nano).unsigned_abs());
    let (side, head) = if change.time_unix_nano <= start {
        (distance, Some("before the trip"))
    } else {
        (format!("{distance} after"), None)
    };
    view! {
        <tr><td class="nowrap">{moment(positive(Some(change.time_unix_nano)), frame)}</td><td class="num" data-head=head>{side}</td>
        <td><span class="tag">{change.kind.clone()}</span></td><td>{service_link(frame, Some(&change.service))}</td><td class="wide folds-main">{change.description.clone()}</td></tr>
    }
    .into_any()
}

fn recovery(data: &IncidentDetail, frame: &Frame) -> AnyView {
    let range = bounds(&data.incident, frame);
    let time = |ns: i64| u64::try_from(ns).unwrap_or(0);
    let mut open: Vec<(u64, Option<f64>)> = vec![(range.0, Some(0.0))];
    for step in &data.recovery.open {
        let at = time(step.time_unix_nano);
        let before = open.last().and_then(|(_, value)| *value);
        open.extend([(at, before), (at, Some(f64::from(step.open)))]);
    }
    let last = open.last().and_then(|(_, value)| *value);
    open.push((range.1, last));
    let pods = Line {
        name: "instances that refuse".to_owned(),
        points: open,
    };
    let rejected: u64 = data
        .recovery
        .rejected
        .iter()
        .map(|minute| minute.rejected)
        .sum();
    let rejected = if data.recovery.rejected.is_empty() {
        "Refused calls are not reported by these breakers.".to_owned()
    } else {
        let most = data.recovery.rejected_max();
        let basis = match data.recovery.rejected_basis.as_deref() {
            Some("spans") => ", counted from spans",
            _ => "",
        };
        format!(
            "{} refused, at most {} a minute{basis}.",
            units::counted(rejected, "call"),
            units::count(most)
        )
    };
    let probes = format!(
        "{} ended, {} of them closed the breaker.",
        units::counted(u64::from(data.recovery.probes), "probe"),
        data.recovery.probes_passed
    );
    view! {
        <section class="panel"><h2>"Is it getting better?"</h2>
        <p class="quiet">"Instances that refuse calls, over time."</p>
        {time_series(&[pods], &[], range, "1")}
        <p>{rejected}" "{probes}</p></section>
    }
    .into_any()
}

fn findings(data: &IncidentDetail) -> Option<AnyView> {
    if data.findings.is_empty() {
        return None;
    }
    let cut = cut_note(
        data.findings.len() as u64,
        data.findings_total,
        "finding",
        "the strongest of each kind first",
    );
    let items = data
        .findings
        .iter()
        .map(|finding| view! { <li><span class="tag">{finding.kind.replace('_', " ")}</span>" "{finding.sentence.clone()}</li> })
        .collect_view();
    Some(view! { <section class="panel"><h2>"Also worth a look"</h2><ul class="clues">{items}</ul>{cut}</section> }.into_any())
}
