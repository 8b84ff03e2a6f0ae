//! `/traces/{id}`: the waterfall, with logs and events in place and one span in full beside it.

use std::collections::BTreeMap;

use leptos::prelude::*;
use tripline_storage::model::{LogRecord, SpanRecord, TraceDetail};

use super::logs::severity;
use super::waterfall::{Row, Waterfall};
use crate::parts::{
    Frame, attribute_table, colour, figure, moment, nothing, positive, segment, service_link,
};
use crate::units;

/// Rows of one page: what a browser lays out without a pause.
const ROWS_MAX: usize = 2_000;
/// Logs shown in place under one span; the panel has the rest.
const LOGS_IN_PLACE_MAX: usize = 12;

/// The page.
pub fn trace(trace: &TraceDetail, frame: &Frame) -> AnyView {
    let waterfall = Waterfall::of(trace);
    let chosen = frame
        .param("span")
        .and_then(|id| trace.spans.iter().find(|span| span.span_id == id));
    let class = if chosen.is_some() { "split" } else { "whole" };
    view! {
        {heading(trace, &waterfall, frame)}
        <div class=class>
            <section class="panel waterfall-panel">
                {legend(trace, frame)}
                {ruler(&waterfall)}
                {body(&waterfall, chosen, frame)}
                {loose(&waterfall, frame)}
            </section>
            {chosen.map(|span| panel(span, &waterfall, frame))}
        </div>
    }
    .into_any()
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
    let download = format!("/api/v1/traces/{}", segment(&trace.trace_id));
    view! {
        <div class="trace-head">
            <div class="trace-title">
                <h1>{service_link(frame, root.and_then(|span| span.service_name.as_deref()))} " " {name}</h1>
                <p class="quiet"><code class="id">{trace.trace_id.clone()}</code> " · " <a href=download>"JSON"</a> " · " {how}</p>
            </div>
            <div class="figures small">
                {figure("Duration", units::duration(waterfall.length_ns), moment(Some(waterfall.start_ns), frame))}
                {figure("Spans", units::count(trace.total_spans.max(trace.spans.len() as u64)), view! { {units::count(trace.logs.len() as u64)} " logs" }.into_any())}
                {figure("Errors", units::count(errors), view! { <span class=error_class>{if errors > 0 { "failed spans" } else { "none" }}</span> }.into_any())}
            </div>
        </div>
        {trace.truncated.then(|| view! { <p class="note amber">{format!("Only {} of {} spans are shown; this trace is larger than a page may be.", units::count(trace.spans.len() as u64), units::count(trace.total_spans))}</p> })}
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
    let entries = by_service
        .into_iter()
        .map(|(name, (spans, errors))| {
            let failed = (errors > 0).then(|| view! { " " <span class="share bad">{units::count(errors)} " failed"</span> });
            view! { <li>{service_link(frame, Some(name))} " " <span class="quiet">{units::count(spans)}</span>{failed}</li> }
        })
        .collect_view();
    view! { <ul class="legend">{entries}</ul> }.into_any()
}

fn ruler(waterfall: &Waterfall<'_>) -> AnyView {
    let labels = (0..=4)
        .map(|n| view! { <span>{units::duration(waterfall.length_ns / 4 * n)}</span> })
        .collect_view();
    view! { <div class="wf-row wf-ruler" aria-hidden="true"><span></span><span class="wf-ticks">{labels}</span><span></span></div> }.into_any()
}

fn body(waterfall: &Waterfall<'_>, chosen: Option<&SpanRecord>, frame: &Frame) -> AnyView {
    if waterfall.rows.is_empty() {
        return nothing("No span of this trace is stored.", "Its logs are below.");
    }
    let skip = frame
        .param("row")
        .and_then(|row| row.parse::<usize>().ok())
        .unwrap_or(0)
        .min(waterfall.rows.len());
    let rows = waterfall
        .rows
        .iter()
        .skip(skip)
        .take(ROWS_MAX)
        .map(|row| span_row(row, waterfall, chosen, frame))
        .collect_view();
    let end = (skip + ROWS_MAX).min(waterfall.rows.len());
    let more = (end < waterfall.rows.len() || skip > 0).then(|| {
        let next = (end < waterfall.rows.len())
            .then(|| view! { <a class="more" href=frame.with(&[("row", &end.to_string())])>"next rows →"</a> });
        view! { <p class="note">{format!("rows {} to {} of {}", units::count(skip as u64 + 1), units::count(end as u64), units::count(waterfall.rows.len() as u64))} " " {next}</p> }
    });
    view! { <div class="waterfall" role="list">{rows}</div> {more} }.into_any()
}

fn span_row(
    row: &Row<'_>,
    waterfall: &Waterfall<'_>,
    chosen: Option<&SpanRecord>,
    frame: &Frame,
) -> AnyView {
    let span = row.span;
    let is_error = span.status_code == "error";
    let is_chosen = chosen.is_some_and(|other| other.span_id == span.span_id);
    let class = match (is_chosen, is_error) {
        (true, true) => "wf-row chosen failed",
        (true, false) => "wf-row chosen",
        (false, true) => "wf-row failed",
        (false, false) => "wf-row",
    };
    let link = format!(
        "{}#s-{}",
        frame.with(&[("span", &span.span_id)]),
        segment(&span.span_id)
    );
    let duration = positive(span.duration_ns).map_or_else(|| "–".to_owned(), units::duration);
    view! {
        <a class=class role="listitem" data-row id=format!("s-{}", span.span_id) href=link aria-current=is_chosen.then_some("true")>
            <span class=format!("wf-name i{}", row.depth.min(20))>
                <i class=format!("dot {}", colour(span.service_name.as_deref().unwrap_or("")))></i>
                <span class="wf-service">{span.service_name.clone().unwrap_or_else(|| "unnamed".to_owned())}</span>
                <span class="wf-op">{span.name.clone()}</span>
                {is_error.then(|| view! { <span class="tag bad">"error"</span> })}
                {row.is_orphan.then(|| view! { <span class="tag">"parent missing"</span> })}
                {(span.copies > 1).then(|| view! { <span class="tag">{format!("stored {} times", span.copies)}</span> })}
                {(row.descendants > 0).then(|| view! { <span class="quiet wf-below">{units::count(row.descendants as u64)}</span> })}
            </span>
            {bar(row, waterfall)}
            <span class="num">{duration}</span>
        </a>
        {logs_in_place(row, waterfall, frame)}
    }
    .into_any()
}

fn bar(row: &Row<'_>, waterfall: &Waterfall<'_>) -> AnyView {
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
    view! {
        <svg class="wf-track" viewBox="0 0 1000 18" preserveAspectRatio="none" aria-hidden="true">
            <line class="wf-grid" x1="250" x2="250" y1="0" y2="18"></line><line class="wf-grid" x1="500" x2="500" y1="0" y2="18"></line>
            <line class="wf-grid" x1="750" x2="750" y1="0" y2="18"></line>
            <rect class=class x=x y="4" width=width height="10"></rect>
            {(span.status_code == "error").then(|| view! { <rect class="wf-bar bad" x=x y="12" width=width height="3"></rect> })}
            {events}
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
    let rest = (left > 0).then(
        || view! { <div class=class>{format!("{left} more log records: open the span")}</div> },
    );
    Some(view! { {lines}{rest} }.into_any())
}

fn log_line(log: &LogRecord, start_ns: u64) -> AnyView {
    let (word, class) = severity(log);
    let at = positive(log.time_unix_nano).map_or_else(String::new, |ns| {
        format!("+{}", units::duration(ns.saturating_sub(start_ns)))
    });
    let text = log
        .body
        .clone()
        .or_else(|| log.event_name.clone())
        .unwrap_or_default();
    view! { <span class="wf-at num">{at}</span> <span class=format!("severity {class}")>{word}</span> <span class="wf-body">{text}</span> }.into_any()
}

fn loose(waterfall: &Waterfall<'_>, _frame: &Frame) -> Option<AnyView> {
    if waterfall.loose_logs.is_empty() {
        return None;
    }
    let lines = waterfall
        .loose_logs
        .iter()
        .take(200)
        .map(|log| view! { <div class="wf-log i0">{log_line(log, waterfall.start_ns)}</div> })
        .collect_view();
    Some(view! { <h2>"Logs of this trace without a span"</h2> {lines} }.into_any())
}

fn panel(span: &SpanRecord, waterfall: &Waterfall<'_>, frame: &Frame) -> AnyView {
    let start = span.start_time_unix_nano;
    let offset = units::duration(start.saturating_sub(waterfall.start_ns));
    let links = span
        .links
        .iter()
        .map(|link| {
            let to = frame.link(
                &format!("/traces/{}", segment(&link.trace_id)),
                &[("span", &link.span_id)],
            );
            view! { <li><a href=to><code class="id">{link.trace_id.clone()}</code></a></li> }
        })
        .collect_view();
    let around = frame.link(
        "/logs",
        &[("trace", &span.trace_id), ("span", &span.span_id)],
    );
    let dropped =
        span.dropped_attributes_count + span.dropped_events_count + span.dropped_links_count;
    let status_class = if span.status_code == "error" {
        "share bad"
    } else {
        "quiet"
    };
    view! {
        <aside class="panel span-panel" aria-label="Span">
            <div class="panel-head"><h2>{span.name.clone()}</h2><a class="close" href=frame.with(&[("span", "")]) aria-label="Close the span">"✕"</a></div>
            <dl class="facts">
                <dt>"Service"</dt><dd>{service_link(frame, span.service_name.as_deref())} " " <span class="quiet">{span.service_version.clone()}</span></dd>
                <dt>"Kind"</dt><dd>{span.kind.clone()}</dd>
                <dt>"Status"</dt><dd><span class=status_class>{span.status_code.clone()}</span> " " {span.status_message.clone()}</dd>
                <dt>"Start"</dt><dd>{moment(Some(start), frame)} " " <span class="quiet">{format!("+{offset}")}</span></dd>
                <dt>"Duration"</dt><dd>{positive(span.duration_ns).map_or_else(|| "unknown".to_owned(), units::duration)}</dd>
                <dt>"Span id"</dt><dd><code class="id">{span.span_id.clone()}</code></dd>
                {span.parent_span_id.clone().map(|parent| {
                    let link = frame.with(&[("span", &parent)]);
                    view! { <dt>"Parent"</dt><dd><a href=link><code class="id">{parent}</code></a></dd> }
                })}
                <dt>"Scope"</dt><dd>{span.scope_name.clone().unwrap_or_else(|| "not reported".to_owned())} " " {span.scope_version.clone()}</dd>
            </dl>
            {(dropped > 0).then(|| view! { <p class="note amber">{format!("The sender dropped {dropped} attributes, events or links of this span.")}</p> })}
            <h3>"Attributes"</h3> {attribute_table(&span.attributes, frame)}
            {events(span, waterfall, frame)}
            {span_logs(span, waterfall)}
            {(!span.links.is_empty()).then(|| view! { <h3>"Links"</h3><ul>{links}</ul> })}
            <p><a href=around>"Logs of this span →"</a></p>
            <h3>"Resource"</h3> {attribute_table(&span.resource_attributes, frame)}
        </aside>
    }
    .into_any()
}

fn events(span: &SpanRecord, waterfall: &Waterfall<'_>, frame: &Frame) -> Option<AnyView> {
    if span.events.is_empty() {
        return None;
    }
    let events = span
        .events
        .iter()
        .map(|event| {
            let at = units::duration(event.time_unix_nano.saturating_sub(waterfall.start_ns));
            view! {
                <details class="event" open=event.name == "exception">
                    <summary>{event.name.clone()} " " <span class="quiet">{format!("+{at}")}</span></summary>
                    {attribute_table(&event.attributes, frame)}
                </details>
            }
        })
        .collect_view();
    Some(view! { <h3>"Events"</h3> {events} }.into_any())
}

fn span_logs(span: &SpanRecord, waterfall: &Waterfall<'_>) -> Option<AnyView> {
    let logs = waterfall.logs.get(span.span_id.as_str())?;
    let lines = logs
        .iter()
        .take(100)
        .map(|log| view! { <div class="wf-log i0">{log_line(log, waterfall.start_ns)}</div> })
        .collect_view();
    Some(view! { <h3>"Logs"</h3> {lines} }.into_any())
}
