//! `/traces/{id}`: the waterfall, with logs and events in place and one span in full beside it.

use std::collections::{BTreeMap, HashMap};

use leptos::prelude::*;
use tripline_storage::analysis::{CriticalPath, Section, critical_path};
use tripline_storage::model::{SpanRecord, TraceDetail};

use super::span_beside::BesideSpan;
use super::span_marks;
use super::span_panel::{log_line, panel};
use super::trace_clocks;
use super::trace_scopes::TraceScopes;
use super::trace_tabs;
use super::waterfall::{Row, Waterfall};
use crate::address::segment;
use crate::frame::Frame;
use crate::parts::{
    colour, copied_id, cut_note, figure, moment, other_fields, positive, service_link_in,
};
use crate::units;

/// Rows of one page: what a browser lays out without a pause.
const ROWS_MAX: usize = 1_000;
/// Logs shown in place under one span; the panel has the rest.
const LOGS_IN_PLACE_MAX: usize = 12;
/// Logs without a span shown below the waterfall.
const LOOSE_LOGS_MAX: usize = 200;

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
    let body = match frame.param("view").unwrap_or_default() {
        "critical" => trace_tabs::critical(trace, frame),
        "flame" => trace_tabs::flame_graph(trace, frame),
        "statistics" => trace_tabs::statistics_table(trace, frame),
        "graph" => trace_tabs::trace_graph(trace, frame),
        "compare" => trace_tabs::comparison(trace, page.other.as_ref(), frame),
        _ => return with_panel(page, &waterfall, frame),
    };
    view! { {heading(trace, &waterfall, frame)}<section class="panel">{tabs(frame)}{body}</section> }.into_any()
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

fn with_panel(data: &TracePage, waterfall: &Waterfall<'_>, frame: &Frame) -> AnyView {
    let trace = &data.trace;
    let chosen = frame
        .param("span")
        .and_then(|id| trace.spans.iter().find(|span| span.span_id == id));
    let class = if chosen.is_some() { "split" } else { "whole" };
    let critical = critical_path(&trace.spans);
    let rows = Rows::of(waterfall, chosen, frame);
    view! {
        {heading(trace, waterfall, frame)}
        <div class=class>
            <section class="panel waterfall-panel">
                {tabs(frame)}
                {legend(trace, frame)}
                {proxies(data.proxies, frame)}
                {missing(trace, frame)}
                {(!waterfall.rows.is_empty()).then(|| view! { {find(&rows, frame)}{minimap(waterfall, &rows, frame)}{ruler(waterfall)} })}
                {body(waterfall, &rows, &critical, chosen, frame)}
                {loose(waterfall, frame)}
            </section>
            {chosen.map(|span| panel(span, waterfall, data.beside.as_ref(), frame))}
        </div>
    }
    .into_any()
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

/// Which rows are shown: those not folded away, and of these a window.
struct Rows<'w, 'a> {
    /// Not folded away, with their own index.
    open: Vec<&'w Row<'a>>,
    /// Span ids whose rows below are folded away.
    folded: Vec<String>,
    /// First row of the window.
    skip: usize,
    /// What is looked for, in lower case.
    wanted: Option<String>,
    /// Rows that have it, by index into `open`.
    found: Vec<usize>,
}

impl<'w, 'a> Rows<'w, 'a> {
    fn of(waterfall: &'w Waterfall<'a>, chosen: Option<&SpanRecord>, frame: &Frame) -> Self {
        let folded: Vec<String> = frame
            .param("fold")
            .map(|ids| ids.split(',').map(str::to_owned).collect())
            .unwrap_or_default();
        let mut open = Vec::with_capacity(waterfall.rows.len());
        let mut hidden_below = None;
        for row in &waterfall.rows {
            if hidden_below.is_some_and(|depth| row.depth > depth) {
                continue;
            }
            hidden_below = folded.contains(&row.span.span_id).then_some(row.depth);
            open.push(row);
        }
        let wanted = frame.param("find").map(str::to_lowercase);
        let found: Vec<usize> = wanted.as_deref().map_or_else(Vec::new, |wanted| {
            let has = |(_, row): &(usize, &&Row<'_>)| mentions(row.span, wanted);
            open.iter()
                .enumerate()
                .filter(has)
                .map(|(at, _)| at)
                .collect()
        });
        let asked = frame.param("row").and_then(|row| row.parse::<usize>().ok());
        let of_chosen = || {
            let id = &chosen?.span_id;
            open.iter().position(|row| row.span.span_id == *id)
        };
        // The span that is open, else the first one found, is in the window whatever its number.
        let target = of_chosen()
            .or(found.first().copied())
            .filter(|at| *at >= ROWS_MAX);
        let skip = asked
            .or(target.map(|at| at.saturating_sub(20)))
            .unwrap_or(0);
        Self {
            skip: skip.min(open.len().saturating_sub(1)),
            open,
            folded,
            wanted,
            found,
        }
    }

    fn window(&self) -> &[&'w Row<'a>] {
        let end = (self.skip + ROWS_MAX).min(self.open.len());
        &self.open[self.skip.min(end)..end]
    }
}

/// Whether a person who looks for this text means this span.
fn mentions(span: &SpanRecord, wanted: &str) -> bool {
    let has = |text: &str| text.to_lowercase().contains(wanted);
    has(&span.name)
        || span.service_name.as_deref().is_some_and(has)
        || span.span_id == wanted
        || span.status_message.as_deref().is_some_and(has)
        || span
            .attributes
            .iter()
            .any(|a| has(&a.key) || has(&a.value.to_string()))
}

fn find(rows: &Rows<'_, '_>, frame: &Frame) -> AnyView {
    let found = rows.wanted.is_some().then(|| {
        let links = rows
            .found
            .iter()
            .take(FOUND_LINKS_MAX)
            .enumerate()
            .map(|(at, row)| {
                let span = rows.open[*row].span;
                let link = format!("{}#s-{}", frame.with(&[("row", &row.saturating_sub(5).to_string()), ("span", &span.span_id)]), segment(&span.span_id));
                view! { <a href=link>{at + 1}</a> " " }
            })
            .collect_view();
        let more = rows.found.len().saturating_sub(FOUND_LINKS_MAX);
        view! {
            <span class="quiet">{format!("{} found ", units::count(rows.found.len() as u64))}</span>
            <span class="found">{links}{(more > 0).then(|| format!("and {} more", units::count(more as u64)))}</span>
            " "<a href=frame.with(&[("find", ""), ("row", "")])>"clear"</a>
        }
    });
    view! {
        <form method="get" action=frame.path.clone() class="find-span" role="search">
            {other_fields(frame, &["find", "row", "span"])}
            <input type="search" name="find" value=frame.param("find").unwrap_or_default().to_owned() placeholder="Find in this trace" aria-label="Find in this trace"/>
            <button class="button plain">"Find"</button>
            {found}
        </form>
    }
    .into_any()
}

/// Hits that get a link of their own.
const FOUND_LINKS_MAX: usize = 12;
/// Lines of the mini-map: more than a screen has pixels for would cost without showing anything.
const MINIMAP_LINES_MAX: usize = 400;

/// The whole trace small, with the window of rows in it; each tenth leads there.
fn minimap(waterfall: &Waterfall<'_>, rows: &Rows<'_, '_>, frame: &Frame) -> Option<AnyView> {
    let count = rows.open.len();
    if count < 12 {
        return None;
    }
    let step = count.div_ceil(MINIMAP_LINES_MAX);
    let lines = rows
        .open
        .iter()
        .enumerate()
        .step_by(step)
        .map(|(at, row)| {
            let (x, end) = (waterfall.share(row.span.start_time_unix_nano), waterfall.share(row.span.end_time_unix_nano));
            let class = if row.span.status_code == "error" { "bad".to_owned() } else { colour(row.span.service_name.as_deref().unwrap_or("")) };
            let y = at as f64 / count as f64 * 60.0;
            view! { <rect class=class x=x * 1000.0 y=y width=((end - x) * 1000.0).max(2.0) height=(60.0 / count as f64 * step as f64).clamp(0.3, 3.0)></rect> }
        })
        .collect_view();
    let window = (count > ROWS_MAX).then(|| {
        let y = rows.skip as f64 / count as f64 * 60.0;
        let height = rows.window().len() as f64 / count as f64 * 60.0;
        view! { <rect class="minimap-window" x="0" y=y width="1000" height=height></rect> }
    });
    let places = (count > ROWS_MAX).then(|| {
        (0..10)
            .map(|n| {
                let row = count * n / 10;
                let label = format!("Rows from {}", units::count(row as u64 + 1));
                view! { <a href=frame.with(&[("row", &row.to_string()), ("span", "")]) aria-label=label.clone()><title>{label.clone()}</title><rect class="minimap-place" x="0" y=n as f64 * 6.0 width="1000" height="6"></rect></a> }
            })
            .collect_view()
    });
    Some(
        view! {
            <svg class="minimap" viewBox="0 0 1000 60" preserveAspectRatio="none" role="group" aria-label="The whole trace">
                {lines}{window}{places}
            </svg>
        }
        .into_any(),
    )
}

fn heading(trace: &TraceDetail, waterfall: &Waterfall<'_>, frame: &Frame) -> AnyView {
    let root = waterfall.rows.first().map(|row| row.span);
    let name = root.map_or_else(|| "Trace".to_owned(), |span| span.name.clone());
    let errors = trace
        .spans
        .iter()
        .filter(|span| span.status_code == "error")
        .count() as u64;
    let error_class = if errors > 0 { "share bad" } else { "quiet" };
    let how = format!(
        "SELECT start_time, duration_ns, service_name, name, kind, status_code\nFROM spans\nWHERE trace_id = '{}'\nORDER BY start_time",
        trace.trace_id
    );
    let how = trace
        .trace_id
        .bytes()
        .all(|b| b.is_ascii_hexdigit())
        .then(|| frame.how(&how));
    let service = root
        .and_then(|span| span.service_name.as_deref())
        .unwrap_or_default();
    let linked = root.map(|span| service_link_in(frame, &span.scope, span.service_name.as_deref()));
    let duration = match root {
        Some(_) => units::duration(waterfall.length_ns),
        None => "–".to_owned(),
    };
    let failed = match errors {
        0 => "none",
        1 => "failed span",
        _ => "failed spans",
    };
    let elsewhere = frame.elsewhere(
        &["trace_id"],
        &[("trace_id", &trace.trace_id), ("service", service)],
    );
    let download = format!("/api/v1/traces/{}", segment(&trace.trace_id));
    // Of log records alone there is no request of spans.
    let otlp = (!trace.spans.is_empty()).then(|| {
        let otlp = format!("{download}/otlp");
        view! { " · " <a href=otlp download>"OTLP JSON"</a> }
    });
    view! {
        <div class="trace-head">
            <div class="trace-title">
                <h1>{linked} " " {name}</h1>
                <p class="quiet">{copied_id(&trace.trace_id)} " · " <a href=download>"JSON"</a> {otlp} " · " {how} " " {elsewhere}</p>
            </div>
            <div class="figures small">
                {figure("Duration", duration, moment(Some(waterfall.start_ns), frame))}
                {figure("Spans", units::count(trace.total_spans.max(trace.spans.len() as u64)), view! { {units::counted(trace.total_logs.max(trace.logs.len() as u64), "log record")} }.into_any())}
                {figure("Errors", units::count(errors), view! { <span class=error_class>{failed}</span> }.into_any())}
            </div>
        </div>
        {cut(trace)}
        {trace_clocks::note(&trace.spans)}
    }
    .into_any()
}

/// That the trace is larger than a page may be, and what is missing of it.
fn cut(trace: &TraceDetail) -> Option<AnyView> {
    let of = |shown: usize, total: u64, word: &str| {
        let shown = shown as u64;
        let all = units::counted(total, word);
        (shown < total).then(|| format!("{} of {all}", units::count(shown)))
    };
    let spans = of(trace.spans.len(), trace.total_spans, "span");
    let logs = of(trace.logs.len(), trace.total_logs, "log record");
    let files = spans
        .is_some()
        .then_some(" The downloads have no more spans than that.");
    let missing: Vec<String> = spans.into_iter().chain(logs).collect();
    let missing = (!missing.is_empty()).then(|| missing.join(" and "))?;
    let text =
        format!("Only {missing} are shown, the earliest; this trace is larger than a page may be.");
    Some(view! { <p class="note amber">{text}{files}</p> }.into_any())
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
        let (word, choice) = if frame.hides_sidecars() {
            ("hidden: show them", "")
        } else {
            ("shown: hide them", "hide")
        };
        let link = frame.with(&[("sidecars", choice), ("row", "")]);
        view! { <p class="note">{format!("{} ", units::counted_are(count, "proxy span"))} <a href=link>{word}</a></p> }.into_any()
    })
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

fn span_row(
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
        <div class=class role="listitem" id=format!("s-{}", span.span_id)>
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
    let (sign, label) = if is_folded {
        let sign = format!("▸{}", units::count(below));
        (sign, format!("Show {spans} below"))
    } else {
        ("▾".to_owned(), format!("Fold {spans} below"))
    };
    view! { <a class="wf-toggle" href=format!("{link}#s-{}", segment(id)) aria-label=label.clone() title=label>{sign}</a> }.into_any()
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

fn loose(waterfall: &Waterfall<'_>, _frame: &Frame) -> Option<AnyView> {
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
