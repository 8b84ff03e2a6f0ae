//! The calls of an incident: drawn as they were when most of its instances refused, and how long they took before, during
//! and after it.

use leptos::prelude::*;
use tripline_storage::model::{BeforeAfter, Course, Phase, TimeRange, WorstMoment};

use crate::frame::Frame;
use crate::pages::graph::picture_over;
use crate::parts::{cut_note, error_share, moment, nothing, positive, service_link_in};
use crate::units;

/// Rows shown.
const COURSES_MAX: usize = 30;

/// The graph of its calls with the states of its breakers at that moment.
pub(super) fn worst(worst: &WorstMoment, frame: &Frame) -> AnyView {
    let body = if worst.graph.edges.is_empty() {
        nothing(
            "No call between its services is stored for this time.",
            "Edges come from client and server spans that share a trace.",
        )
    } else {
        let seconds = worst.range.map_or(1.0, |range| range.seconds());
        let instances = units::counted(u64::from(worst.instances_open), "instance");
        let refused = format!("{instances} refused at ");
        let meaning = format!(
            ": states are those of that moment, calls those of the {} before it. Shares are of failed and refused calls, of all attempted.",
            units::duration((seconds * 1e9) as u64)
        );
        let cut = cut_note(
            worst.graph.edges.len() as u64,
            worst.graph.total_edges,
            "edge",
            "busiest first",
        );
        view! {
            <p class="note">{refused}{moment(positive(Some(worst.time_unix_nano)), frame)}{meaning}</p>
            <div class="scroll">{picture_over(&worst.graph, seconds, frame)}</div>
            {cut}
        }
        .into_any()
    };
    view! { <section class="panel" id="incident-graph"><h2>"Its calls when most refused"</h2>{body}</section> }.into_any()
}

/// How long calls took before, during and after, and how many failed.
pub(super) fn before_after(data: &BeforeAfter, frame: &Frame) -> AnyView {
    let body = if data.courses.is_empty() {
        nothing(
            "No call of it is stored for the time around it.",
            "They are added up from spans between its services and at its entry points.",
        )
    } else {
        let rows = data
            .courses
            .iter()
            .take(COURSES_MAX)
            .map(|course| row(course, frame))
            .collect_view();
        let cut = cut_note(
            COURSES_MAX as u64,
            data.courses.len() as u64,
            "row",
            "busiest first",
        );
        view! {
            <div class="scroll"><table class="list folds phases"><thead>
                <tr><th rowspan="2">"Calls"</th><th colspan="3" class="num">{head("Before", data.before)}</th><th colspan="3" class="num">{head("During", data.during)}</th><th colspan="3" class="num">{head("After", data.after)}</th></tr>
                <tr>{quantiles()}{quantiles()}{quantiles()}</tr>
            </thead><tbody>{rows}</tbody></table></div>
            <p class="note">"Failed is the failed share of what spans tell of, over the time of its column; the graph tells failed and refused calls of all attempted, over its own."</p>
            {cut}
        }
        .into_any()
    };
    view! { <section class="panel" id="before-after"><h2>"Latency before, during and after"</h2>{body}</section> }.into_any()
}

/// `Before (5 min)`.
fn head(word: &str, range: Option<TimeRange>) -> String {
    match range {
        Some(range) => format!(
            "{word} ({})",
            units::duration((range.seconds() * 1e9) as u64)
        ),
        None => format!("{word} (not yet)"),
    }
}

fn quantiles() -> AnyView {
    view! { <th class="num">"p50"</th><th class="num">"p95"</th><th class="num">"Failed"</th> }
        .into_any()
}

fn row(course: &Course, frame: &Frame) -> AnyView {
    let service = service_link_in(frame, &course.scope, Some(&course.service));
    let what = match (&course.peer, &course.operation) {
        (Some(peer), _) => format!(" → {peer}"),
        (None, Some(operation)) => format!(" {operation}"),
        (None, None) => String::new(),
    };
    let phases = [
        ("before p50", Some(course.before)),
        ("during p50", Some(course.during)),
        ("after p50", course.after),
    ];
    let cells = phases
        .into_iter()
        .map(|(head, phase)| cells(head, phase))
        .collect_view();
    view! { <tr><td class="nowrap folds-main">{service}{what}</td>{cells}</tr> }.into_any()
}

/// The three cells of a phase; `head` stands before the first where the row is folded.
fn cells(head: &'static str, phase: Option<Phase>) -> AnyView {
    let Some(phase) = phase.filter(|phase| phase.calls > 0) else {
        return view! { <td class="num" data-head=head>"–"</td><td class="num" data-head="p95">"–"</td><td class="num quiet">"no calls"</td> }.into_any();
    };
    let latency = phase.latency;
    view! { <td class="num" data-head=head>{units::duration_or_dash(latency.p50_ns)}</td><td class="num" data-head="p95">{units::duration_or_dash(latency.p95_ns)}</td><td class="num" data-head="failed">{error_share(phase.counts())}</td> }.into_any()
}
