//! One span as a row of the waterfall: what it is, its bar in time, and its log records in place.

use leptos::prelude::*;
use tripline_storage::analysis::Section;
use tripline_storage::model::SpanRecord;

use super::rows::{Rows, mentions};
use crate::address::segment;
use crate::frame::Frame;
use crate::pages::span_marks;
use crate::pages::span_panel::log_line;
use crate::pages::waterfall::{Row, Waterfall};
use crate::parts::{colour, positive};
use crate::units;

/// Logs shown in place under one span; the panel has the rest.
const LOGS_IN_PLACE_MAX: usize = 12;

/// The row, `sections` of the critical path in it.
pub(super) fn span_row(
    row: &Row<'_>,
    rows: &Rows<'_, '_>,
    waterfall: &Waterfall<'_>,
    sections: &[Section],
    chosen: Option<&SpanRecord>,
    frame: &Frame,
) -> AnyView {
    let span = row.span;
    let is_error = span.status_code == "error";
    let is_chosen = chosen.is_some_and(|other| other.span_id == span.span_id);
    let refusal = waterfall.refusals.get(span.span_id.as_str()).copied();
    let is_found = rows
        .wanted
        .as_deref()
        .is_some_and(|wanted| mentions(span, wanted));
    let mut class = "wf-row".to_owned();
    for (word, holds) in [
        (" chosen", is_chosen),
        (" failed", is_error),
        (" refused", refusal.is_some()),
        (" found", is_found),
    ] {
        class.push_str(if holds { word } else { "" });
    }
    let link = format!(
        "{}#s-{}",
        frame.with(&[("span", &span.span_id)]),
        segment(&span.span_id)
    );
    let duration = positive(span.duration_ns).map_or_else(|| "–".to_owned(), units::duration);
    view! {
        <div class=class role="listitem" id=format!("s-{}", span.span_id) data-depth=row.depth>
            <span class=format!("wf-name i{}", row.depth.min(20))>
                {toggle(row, rows, frame)}
                <i class=format!("dot {}", colour(span.service_name.as_deref().unwrap_or("")))></i>
                <span class="wf-service">{span.service_name.clone().unwrap_or_else(|| "unnamed".to_owned())}</span>
                <a class="wf-op" data-row href=link aria-current=is_chosen.then_some("true")>{span.name.clone()}</a>
                {is_error.then(|| view! { <span class="tag bad">"error"</span> })}
                {span_marks::tags(span, refusal, frame)}
                {span.sidecar.then(|| view! { <span class="tag">"proxy"</span> })}
                {row.is_orphan.then(|| view! { <span class="tag">"parent missing"</span> })}
                {(span.copies > 1).then(|| view! { <span class="tag">{format!("stored {} times", span.copies)}</span> })}
            </span>
            {bar(row, waterfall, sections)}
            <span class="num">{duration}</span>
        </div>
        {logs_in_place(row, waterfall, frame)}
    }
    .into_any()
}

/// Folds and unfolds what is below a row.
fn toggle(row: &Row<'_>, rows: &Rows<'_, '_>, frame: &Frame) -> AnyView {
    if row.descendants == 0 {
        return view! { <span class="wf-toggle"></span> }.into_any();
    }
    let id = &row.span.span_id;
    let is_folded = rows.folded.contains(id);
    let mut folded: Vec<&str> = rows
        .folded
        .iter()
        .map(String::as_str)
        .filter(|other| *other != id)
        .collect();
    if !is_folded {
        folded.push(id);
    }
    let link = frame.with(&[("fold", &folded.join(","))]);
    let below = row.descendants as u64;
    let spans = units::counted(below, "span");
    // Both, so that the browser can turn one into the other.
    let folded = (
        format!("▸{}", units::count(below)),
        format!("Show {spans} below"),
    );
    let unfolded = ("▾".to_owned(), format!("Fold {spans} below"));
    let ((sign, label), (other_sign, other_label)) = if is_folded {
        (folded, unfolded)
    } else {
        (unfolded, folded)
    };
    view! {
        <a class="wf-toggle" href=format!("{link}#s-{}", segment(id)) aria-label=label.clone() title=label
            data-folds=id.clone() data-other-sign=other_sign data-other-label=other_label>{sign}</a>
    }
    .into_any()
}

fn bar(row: &Row<'_>, waterfall: &Waterfall<'_>, sections: &[Section]) -> AnyView {
    let span = row.span;
    let x = waterfall.share(span.start_time_unix_nano) * 1000.0;
    let end = waterfall.share(span.end_time_unix_nano.max(span.start_time_unix_nano)) * 1000.0;
    let width = (end - x).max(2.5);
    let x = x.min(1000.0 - width);
    let class = format!(
        "wf-bar {}",
        colour(span.service_name.as_deref().unwrap_or(""))
    );
    let events = span
        .events
        .iter()
        .take(50)
        .map(|event| {
            let at = waterfall.share(event.time_unix_nano) * 1000.0;
            let class = if event.name == "exception" { "wf-event bad" } else { "wf-event" };
            view! { <line class=class x1=at x2=at y1="1" y2="17"><title>{event.name.clone()}</title></line> }
        })
        .collect_view();
    let critical = sections
        .iter()
        .take(50)
        .map(|section| {
            let (x, end) = (waterfall.share(section.from_unix_nano), waterfall.share(section.to_unix_nano));
            view! { <rect class="wf-critical" x=x * 1000.0 y="1" width=((end - x) * 1000.0).max(1.0) height="2"></rect> }
        })
        .collect_view();
    view! {
        <svg class="wf-track" viewBox="0 0 1000 18" preserveAspectRatio="none" aria-hidden="true">
            <line class="wf-grid" x1="250" x2="250" y1="0" y2="18"></line><line class="wf-grid" x1="500" x2="500" y1="0" y2="18"></line>
            <line class="wf-grid" x1="750" x2="750" y1="0" y2="18"></line>
            <rect class=class x=x y="4" width=width height="10"></rect>
            {(span.status_code == "error").then(|| view! { <rect class="wf-bar bad" x=x y="12" width=width height="3"></rect> })}
            {critical}{events}
        </svg>
    }
    .into_any()
}

fn logs_in_place(row: &Row<'_>, waterfall: &Waterfall<'_>, frame: &Frame) -> Option<AnyView> {
    if frame.param("logs") == Some("0") {
        return None;
    }
    let logs = waterfall.logs.get(row.span.span_id.as_str())?;
    let class = format!("wf-log i{}", (row.depth + 1).min(20));
    let lines = logs
        .iter()
        .take(LOGS_IN_PLACE_MAX)
        .map(|log| view! { <div class=class.clone()>{log_line(log, waterfall.start_ns)}</div> })
        .collect_view();
    let left = logs.len().saturating_sub(LOGS_IN_PLACE_MAX);
    let rest = (left > 0).then(|| {
        let more = units::counted(left as u64, "more log record");
        view! { <div class=class>{format!("{more}: open the span")}</div> }
    });
    Some(view! { {lines}{rest} }.into_any())
}
