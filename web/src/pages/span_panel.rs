//! One span in full: what it says of itself, its events, its logs, what was beside it, and the ways on from it.

use leptos::prelude::*;
use tripline_storage::filter::{KeyScope, Signal};
use tripline_storage::model::{LogRecord, SpanRecord};

use super::logs::severity;
use super::span_beside::{self, BesideSpan};
use super::span_marks;
use super::waterfall::Waterfall;
use crate::address::segment;
use crate::frame::Frame;
use crate::parts::{
    attribute_table, copied_id, cut_note, field_links, moment, positive, service_link_in,
};
use crate::units;

/// Logs shown in the panel; the link below leads to all.
const LOGS_MAX: usize = 100;

/// The panel beside the waterfall.
pub(super) fn panel(
    span: &SpanRecord,
    waterfall: &Waterfall<'_>,
    beside: Option<&BesideSpan>,
    frame: &Frame,
) -> AnyView {
    let start = span.start_time_unix_nano;
    let offset = (start > 0).then(|| units::offset(start, waterfall.start_ns));
    let links = span
        .links
        .iter()
        .map(|link| {
            let to = frame.link(
                &format!("/traces/{}", segment(&link.trace_id)),
                &[("span", &link.span_id)],
            );
            let more = (!link.attributes.is_empty())
                .then(|| attribute_table(&link.attributes, KeyScope::Link, Signal::Spans, frame));
            view! { <li><a href=to><code class="id">{link.trace_id.clone()}</code></a>{more}</li> }
        })
        .collect_view();
    let around = frame.timeless_link(
        "/logs",
        &[("trace", &span.trace_id), ("span", &span.span_id)],
    );
    let known =
        |value: &'static str, text: &Option<String>| (value, text.clone().unwrap_or_default());
    let known = [
        ("trace_id", span.trace_id.clone()),
        ("span_id", span.span_id.clone()),
        known("service", &span.service_name),
        known("instance", &span.service_instance_id),
        known("namespace", &span.scope.service_namespace),
        known("environment", &span.scope.environment),
        known("cluster", &span.scope.cluster),
    ];
    let known: Vec<(&str, &str)> = known
        .iter()
        .map(|(name, value)| (*name, value.as_str()))
        .collect();
    let elsewhere = frame.elsewhere(&["span_id", "instance", "service"], &known);
    let dropped: Vec<String> = [
        (span.dropped_attributes_count, "attribute"),
        (span.dropped_events_count, "event"),
        (span.dropped_links_count, "link"),
    ]
    .into_iter()
    .filter(|(count, _)| *count > 0)
    .map(|(count, word)| units::counted(u64::from(count), word))
    .collect();
    let same = |field: &str, value: &str| field_links(frame, Signal::Spans, field, value);
    let status_class = if span.status_code == "error" {
        "share bad"
    } else {
        "quiet"
    };
    view! {
        <aside class="panel span-panel" aria-label="Span">
            <div class="panel-head"><h2>{span.name.clone()}</h2><a class="close" href=frame.with(&[("span", "")]) aria-label="Close the span">"✕"</a></div>
            <dl class="facts">
                <dt>"Service"</dt><dd>{service_link_in(frame, &span.scope, span.service_name.as_deref())} " " <span class="quiet">{span.service_version.clone()}</span> " " {same("service", span.service_name.as_deref().unwrap_or_default())}</dd>
                <dt>"Name"</dt><dd>{span.name.clone()} " " {same("name", &span.name)}</dd>
                <dt>"Kind"</dt><dd>{span.kind.clone()} " " {same("kind", &span.kind)}</dd>
                <dt>"Status"</dt><dd><span class=status_class>{span.status_code.clone()}</span> " " {span.status_message.clone()} " " {same("status", &span.status_code)}</dd>
                {span_marks::facts(span, waterfall.refusals.get(span.span_id.as_str()).copied(), frame)}
                <dt>"Start"</dt><dd>{moment(Some(start), frame)} " " <span class="quiet">{offset}</span></dd>
                <dt>"Duration"</dt><dd>{positive(span.duration_ns).map_or_else(|| "unknown".to_owned(), units::duration)}</dd>
                <dt>"Span id"</dt><dd>{copied_id(&span.span_id)}</dd>
                {span.parent_span_id.clone().map(|parent| {
                    let link = frame.with(&[("span", &parent)]);
                    view! { <dt>"Parent"</dt><dd><a href=link><code class="id">{parent}</code></a></dd> }
                })}
                {elsewhere.map(|links| view! { <dt>"Elsewhere"</dt><dd>{links}</dd> })}
                <dt>"Scope"</dt><dd>{span.scope_name.clone().filter(|name| !name.is_empty()).unwrap_or_else(|| "not reported".to_owned())} " " {span.scope_version.clone()}</dd>
            </dl>
            {(!dropped.is_empty()).then(|| view! { <p class="note amber">{format!("The sender dropped {} of this span.", dropped.join(", "))}</p> })}
            <h3>"Attributes"</h3> {attribute_table(&span.attributes, KeyScope::Anywhere, Signal::Spans, frame)}
            {events(span, waterfall, frame)}
            {span_logs(span, waterfall)}
            {(!span.links.is_empty()).then(|| view! { <h3>"Links"</h3><ul>{links}</ul> })}
            <p><a href=around>"Logs of this span →"</a></p>
            {beside.map(|data| span_beside::beside(data, span, frame))}
            <h3>"Resource"</h3> {attribute_table(&span.resource_attributes, KeyScope::Resource, Signal::Spans, frame)}
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
            let at = units::offset(event.time_unix_nano, waterfall.start_ns);
            view! {
                <details class="event" open=event.name == "exception">
                    <summary>{event.name.clone()} " " <span class="quiet">{at}</span></summary>
                    {attribute_table(&event.attributes, KeyScope::Event, Signal::Spans, frame)}
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
        .take(LOGS_MAX)
        .map(|log| view! { <div class="wf-log i0">{log_line(log, waterfall.start_ns)}</div> })
        .collect_view();
    let all = logs.len() as u64;
    let cut = cut_note(LOGS_MAX as u64, all, "log record", "oldest first");
    Some(view! { <h3>"Logs"</h3> {lines}{cut} }.into_any())
}

/// A log record by its time since the trace began.
pub(super) fn log_line(log: &LogRecord, start_ns: u64) -> AnyView {
    let (word, class) = severity(log);
    let at =
        positive(log.time_unix_nano).map_or_else(String::new, |ns| units::offset(ns, start_ns));
    let text = log
        .body
        .clone()
        .or_else(|| log.event_name.clone())
        .unwrap_or_default();
    view! { <span class="wf-at num">{at}</span> <span class=format!("severity {class}")>{word}</span> <span class="wf-body">{text}</span> }.into_any()
}
