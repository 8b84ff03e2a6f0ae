//! `/traces/{id}`: one trace in several views, the waterfall first, and one span in full beside it.
//!
//! Its parts are marked so that islands can put in their place what a link on the page asks for.

mod find;
mod heading;
mod listing;
mod minimap;
mod row;
mod rows;

use leptos::prelude::*;
use tripline_storage::model::{BesideSpan, SpanDetail, TraceDetail};

use self::heading::heading;
use self::listing::listing;
use super::span_panel::{Shown, panel};
use super::trace_tabs;
use super::waterfall::Waterfall;
use crate::frame::Frame;

/// What the page shows.
#[derive(Debug, Clone, Default)]
pub struct TracePage {
    /// The trace.
    pub trace: TraceDetail,
    /// The one it is compared with, or why it cannot be.
    pub other: Option<Result<TraceDetail, String>>,
    /// Spans of it that proxies beside applications wrote, shown or not.
    pub proxies: u64,
    /// What there is beside the span that is open.
    pub beside: Option<BesideSpan>,
}

const TABS: [(&str, &str); 6] = [
    ("", "Waterfall"),
    (TRACE_VIEWS[0], "Critical path"),
    (TRACE_VIEWS[1], "Flame graph"),
    (TRACE_VIEWS[2], "Statistics"),
    (TRACE_VIEWS[3], "Graph"),
    (TRACE_VIEWS[4], "Compare"),
];

/// What `view` of a trace says, where it is not the waterfall.
pub const TRACE_VIEWS: [&str; 5] = ["critical", "flame", "statistics", "graph", "compare"];

/// The page.
pub fn trace(page: &TracePage, frame: &Frame) -> AnyView {
    let trace = &page.trace;
    let waterfall = Waterfall::of(trace);
    let view_name = frame.param("view").unwrap_or_default();
    // The other views have no panel.
    let wanted = frame.param("span").filter(|_| view_name.is_empty());
    let chosen = wanted.and_then(|id| trace.spans.iter().find(|span| span.span_id == id));
    let body = match view_name {
        "critical" => trace_tabs::critical(trace, frame),
        "flame" => trace_tabs::flame_graph(trace, frame),
        "statistics" => trace_tabs::statistics_table(trace, frame),
        "graph" => trace_tabs::trace_graph(trace, frame),
        "compare" => trace_tabs::comparison(trace, page.other.as_ref(), frame),
        _ => listing(page, &waterfall, chosen, frame),
    };
    let shown = chosen.map(|span| Shown::of(span, &waterfall, page.beside.as_ref()));
    view! {
        <div id="trace-about" data-live="frame">{heading(trace, &waterfall, frame)}</div>
        <div class="split">
            <div id="trace-view" data-live="frame">
                <section class="panel" data-in-place data-of=frame.with(&[])>{tabs(frame)}{body}</section>
            </div>
            <div id="span-place" data-live="frame">{shown.map(|shown| panel(&shown, frame))}</div>
        </div>
    }
    .into_any()
}

/// The panel of one span by itself: what is put into the page of its trace when the span is chosen there.
pub fn span(detail: &SpanDetail, frame: &Frame) -> AnyView {
    let name = format!("A span of trace {}", detail.span.trace_id);
    view! {
        <h1><a href=frame.with(&[])>{name}</a></h1>
        <div class="split"><div id="span-place" data-live="frame">{panel(&Shown::of_detail(detail), frame)}</div></div>
    }
    .into_any()
}

fn tabs(frame: &Frame) -> AnyView {
    let here = frame.param("view").unwrap_or_default();
    let links = TABS
        .iter()
        .map(|(view_name, word)| {
            let link = frame.with(&[("view", view_name), ("row", "")]);
            view! { <a href=link aria-current=(*view_name == here).then_some("page")>{*word}</a> }
        })
        .collect_view();
    view! { <nav class="tabs" aria-label="Views of this trace">{links}</nav> }.into_any()
}
