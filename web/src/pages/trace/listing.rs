//! The waterfall with what stands around it: who is in it, where one finds a span, logs that have none.

use std::collections::{BTreeMap, HashMap};

use leptos::prelude::*;
use tripline_storage::analysis::{CriticalPath, Section, critical_path};
use tripline_storage::model::{SpanRecord, TraceDetail};

use super::TracePage;
use super::find::find;
use super::minimap::minimap;
use super::row::span_row;
use super::rows::{ROWS_MAX, Rows};
use crate::frame::Frame;
use crate::pages::span_panel::log_line;
use crate::pages::trace_scopes::TraceScopes;
use crate::pages::trace_tabs;
use crate::pages::waterfall::Waterfall;
use crate::parts::cut_note;
use crate::units;

/// Logs without a span shown below the waterfall.
const LOOSE_LOGS_MAX: usize = 200;

/// All of it, with the row of the span that is open marked.
pub(super) fn listing(
    data: &TracePage,
    waterfall: &Waterfall<'_>,
    chosen: Option<&SpanRecord>,
    frame: &Frame,
) -> AnyView {
    let trace = &data.trace;
    let critical = critical_path(&trace.spans);
    let rows = Rows::of(waterfall, chosen, frame);
    view! {
        {legend(trace, frame)}
        {proxies(data.proxies, frame)}
        {missing(trace, frame)}
        {(!waterfall.rows.is_empty()).then(|| view! { {find(&rows, frame)}{minimap(waterfall, &rows, frame)}{ruler(waterfall)} })}
        {body(waterfall, &rows, &critical, chosen, frame)}
        {loose(waterfall)}
    }
    .into_any()
}

fn legend(trace: &TraceDetail, frame: &Frame) -> AnyView {
    let mut by_service: BTreeMap<&str, (u64, u64)> = BTreeMap::new();
    for span in &trace.spans {
        let entry = by_service
            .entry(span.service_name.as_deref().unwrap_or(""))
            .or_default();
        entry.0 += 1;
        entry.1 += u64::from(span.status_code == "error");
    }
    let scopes = TraceScopes::of(&trace.spans);
    let entries = by_service
        .into_iter()
        .map(|(name, (spans, errors))| {
            let failed = (errors > 0).then(|| view! { " " <span class="share bad">{units::count(errors)} " failed"</span> });
            view! { <li>{scopes.link(frame, name)} " " <span class="quiet">{units::count(spans)}</span>{failed}</li> }
        })
        .collect_view();
    view! { <ul class="legend">{entries}</ul> }.into_any()
}

/// Spans of proxies beside applications: shown, or folded into what they stand beside.
fn proxies(count: u64, frame: &Frame) -> Option<AnyView> {
    (count > 0).then(|| {
        let them = if count == 1 { "it" } else { "them" };
        let (word, choice) = if frame.hides_sidecars() {
            (format!("hidden: show {them}"), "")
        } else {
            (format!("shown: hide {them}"), "hide")
        };
        let link = frame.with(&[("sidecars", choice), ("row", "")]);
        view! { <p class="note">{format!("{} ", units::counted_are(count, "proxy span"))} <a href=link>{word}</a></p> }.into_any()
    })
}

/// A link may lead to a span that was not kept: then there is no panel, and this says why.
fn missing(trace: &TraceDetail, frame: &Frame) -> Option<AnyView> {
    let id = frame.param("span")?;
    if trace.spans.iter().any(|span| span.span_id == id) {
        return None;
    }
    let why = if frame.hides_sidecars() {
        "is not among the spans shown: a proxy's, or not stored."
    } else {
        "is not stored: it was not sampled, has not arrived, or has expired."
    };
    Some(view! { <p class="note amber">"Span " <code class="id">{id.to_owned()}</code> " " {why}</p> }.into_any())
}

fn ruler(waterfall: &Waterfall<'_>) -> AnyView {
    let labels = (0..=4)
        .map(|n| view! { <span>{units::duration(waterfall.length_ns / 4 * n)}</span> })
        .collect_view();
    view! { <div class="wf-row wf-ruler" aria-hidden="true"><span></span><span class="wf-ticks">{labels}</span><span></span></div> }.into_any()
}

fn body(
    waterfall: &Waterfall<'_>,
    rows: &Rows<'_, '_>,
    critical: &CriticalPath,
    chosen: Option<&SpanRecord>,
    frame: &Frame,
) -> AnyView {
    if waterfall.rows.is_empty() {
        return trace_tabs::without_spans(!waterfall.loose_logs.is_empty());
    }
    let mut on_path: HashMap<usize, Vec<Section>> = HashMap::new();
    for section in &critical.sections {
        on_path.entry(section.span).or_default().push(*section);
    }
    let window = rows.window();
    let shown = window
        .iter()
        .map(|row| {
            let sections = on_path.get(&row.index);
            span_row(
                row,
                rows,
                waterfall,
                sections.map(Vec::as_slice).unwrap_or_default(),
                chosen,
                frame,
            )
        })
        .collect_view();
    let (skip, end, all) = (rows.skip, rows.skip + window.len(), rows.open.len());
    let more = (end < all || skip > 0).then(|| {
        let before = (skip > 0).then(|| {
            let row = skip.saturating_sub(ROWS_MAX).to_string();
            view! { <a class="more" href=frame.with(&[("row", &row), ("span", "")]) rel="prev">"← rows before"</a> " " }
        });
        let next = (end < all)
            .then(|| view! { <a class="more" href=frame.with(&[("row", &end.to_string()), ("span", "")]) rel="next">"next rows →"</a> });
        view! { <p class="note">{format!("rows {} to {} of {}", units::count(skip as u64 + 1), units::count(end as u64), units::count(all as u64))} " " {before}{next}</p> }
    });
    view! { <div class="waterfall" role="list">{shown}</div> {more} }.into_any()
}

fn loose(waterfall: &Waterfall<'_>) -> Option<AnyView> {
    if waterfall.loose_logs.is_empty() {
        return None;
    }
    let lines = waterfall
        .loose_logs
        .iter()
        .take(LOOSE_LOGS_MAX)
        .map(|log| view! { <div class="wf-log i0">{log_line(log, waterfall.start_ns)}</div> })
        .collect_view();
    let all = waterfall.loose_logs.len() as u64;
    let cut = cut_note(LOOSE_LOGS_MAX as u64, all, "log record", "oldest first");
    Some(view! { <h2>"Logs of this trace without a span"</h2> {lines}{cut} }.into_any())
}
