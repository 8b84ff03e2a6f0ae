//! One span in full: what it says of itself, its events, its logs, what was beside it, and the ways on from it.

use leptos::prelude::*;
use tripline_storage::filter::{KeyScope, Signal};
use tripline_storage::model::{BesideSpan, LogRecord, Refusal, SpanDetail, SpanRecord};

use super::logs::severity;
use super::span_beside;
use super::span_marks;
use super::waterfall::Waterfall;
use crate::address::segment;
use crate::frame::Frame;
use crate::parts::{
    attribute_table, copied_id, cut_note, field_links, log_line_text, moment, positive,
    service_link_in,
};
use crate::units;

/// Logs shown in the panel; the link below leads to all.
const LOGS_MAX: usize = 100;

/// What the panel of a span is made of.
pub(super) struct Shown<'a> {
    span: &'a SpanRecord,
    /// Start of its trace.
    start_ns: u64,
    /// Oldest first.
    logs: Vec<&'a LogRecord>,
    /// How many it has in all.
    total_logs: u64,
    refusal: Option<&'a Refusal>,
    beside: Option<&'a BesideSpan>,
}

impl<'a> Shown<'a> {
    /// A span of a whole trace.
    pub(super) fn of(
        span: &'a SpanRecord,
        waterfall: &Waterfall<'a>,
        beside: Option<&'a BesideSpan>,
    ) -> Self {
        let id = span.span_id.as_str();
        let logs = waterfall.logs.get(id).cloned().unwrap_or_default();
        Self {
            span,
            start_ns: waterfall.start_ns,
            total_logs: logs.len() as u64,
            logs,
            refusal: waterfall.refusals.get(id).copied(),
            beside,
        }
    }

    /// A span that was asked for by itself.
    pub(super) fn of_detail(detail: &'a SpanDetail) -> Self {
        Self {
            span: &detail.span,
            start_ns: detail.trace_start_unix_nano,
            logs: detail.logs.iter().collect(),
            total_logs: detail.total_logs,
            refusal: detail.refusal.as_ref(),
            beside: detail.beside.as_ref(),
        }
    }
}

/// The panel beside the waterfall.
pub(super) fn panel(shown: &Shown<'_>, frame: &Frame) -> AnyView {
    let span = shown.span;
    let start = span.start_time_unix_nano;
    let offset = (start > 0).then(|| units::offset(start, shown.start_ns));
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
        <aside class="panel span-panel" aria-label="Span" data-in-place data-of=frame.with(&[])>
            <div class="panel-head"><h2>{span.name.clone()}</h2><a class="close" href=frame.with(&[("span", "")]) aria-label="Close the span">"✕"</a></div>
            <dl class="facts">
                <dt>"Service"</dt><dd>{service_link_in(frame, &span.scope, span.service_name.as_deref())} " " <span class="quiet">{span.service_version.clone()}</span> " " {same("service", span.service_name.as_deref().unwrap_or_default())}</dd>
                <dt>"Name"</dt><dd>{span.name.clone()} " " {same("name", &span.name)}</dd>
                <dt>"Kind"</dt><dd>{span.kind.clone()} " " {same("kind", &span.kind)}</dd>
                <dt>"Status"</dt><dd><span class=status_class>{span.status_code.clone()}</span> " " {span.status_message.clone()} " " {same("status", &span.status_code)}</dd>
                {span_marks::facts(span, shown.refusal, frame)}
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
            {events(shown, frame)}
            {span_logs(shown)}
            {(!span.links.is_empty()).then(|| view! { <h3>"Links"</h3><ul>{links}</ul> })}
            <p><a href=around>"Logs of this span →"</a></p>
            {shown.beside.map(|data| span_beside::beside(data, span, frame))}
            <h3>"Resource"</h3> {attribute_table(&span.resource_attributes, KeyScope::Resource, Signal::Spans, frame)}
        </aside>
    }
    .into_any()
}

fn events(shown: &Shown<'_>, frame: &Frame) -> Option<AnyView> {
    let events = &shown.span.events;
    if events.is_empty() {
        return None;
    }
    let events = events
        .iter()
        .map(|event| {
            let at = units::offset(event.time_unix_nano, shown.start_ns);
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

fn span_logs(shown: &Shown<'_>) -> Option<AnyView> {
    if shown.logs.is_empty() {
        return None;
    }
    let lines = shown
        .logs
        .iter()
        .take(LOGS_MAX)
        .map(|log| view! { <div class="wf-log i0">{log_line(log, shown.start_ns)}</div> })
        .collect_view();
    let cut = cut_note(
        LOGS_MAX as u64,
        shown.total_logs,
        "log record",
        "oldest first",
    );
    Some(view! { <h3>"Logs"</h3> {lines}{cut} }.into_any())
}

/// A log record by its time since the trace began.
pub(super) fn log_line(log: &LogRecord, start_ns: u64) -> AnyView {
    let (word, class) = severity(log);
    let at =
        positive(log.time_unix_nano).map_or_else(String::new, |ns| units::offset(ns, start_ns));
    let text = log_line_text(log);
    view! { <span class="wf-at num">{at}</span> <span class=format!("severity {class}")>{word}</span> <span class="wf-body">{text}</span> }.into_any()
}
