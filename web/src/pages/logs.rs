//! `/logs`: newest first, each with the way to its trace.

use leptos::prelude::*;
use tripline_storage::model::{LogRecord, Page};

use super::traces::{choice, kept_range};
use crate::parts::{
    Frame, attribute_table, failure, list_note, moment, nothing, positive, segment, service_link,
};

/// The page. `problem` is what is wrong with the question, if anything.
pub fn logs(page: &Page<LogRecord>, problem: Option<&str>, frame: &Frame) -> AnyView {
    view! {
        <h1 class="visually-hidden">"Logs"</h1>
        {form(frame)}
        <section class="panel">
            {match problem {
                Some(problem) => failure("This search cannot be run", problem, None),
                None => results(page, frame),
            }}
        </section>
    }
    .into_any()
}

/// The word for a record's severity, and its class.
pub(super) fn severity(log: &LogRecord) -> (String, &'static str) {
    let (word, class) = match log.severity_number {
        1..=4 => ("trace", "quiet"),
        5..=8 => ("debug", "quiet"),
        9..=12 => ("info", "info"),
        13..=16 => ("warn", "warn"),
        17..=20 => ("error", "bad"),
        21..=24 => ("fatal", "bad"),
        _ => ("", "quiet"),
    };
    let text = match log.severity_text.as_deref() {
        Some(text) if !text.is_empty() && word.is_empty() => text.to_owned(),
        _ => word.to_owned(),
    };
    (text, class)
}

fn form(frame: &Frame) -> AnyView {
    let value = |name: &str| frame.param(name).unwrap_or_default().to_owned();
    view! {
        <form class="filters" method="get" action="/logs" role="search">
            {kept_range(frame)}
            <label class="long">"Text" <input type="search" name="text" value=value("text") placeholder="part of the message" autocomplete="off"/></label>
            <label>"Service" <input name="service" value=value("service") autocomplete="off"/></label>
            {choice("severity", "At least", &["", "trace", "debug", "info", "warn", "error", "fatal"], frame)}
            <label>"Attribute" <input name="attr" value=value("attr") placeholder="order.id=17" autocomplete="off"/></label>
            <label>"Trace id" <input name="trace" value=value("trace") autocomplete="off"/></label>
            <button class="button">"Search"</button>
        </form>
    }
    .into_any()
}

fn results(page: &Page<LogRecord>, frame: &Frame) -> AnyView {
    if page.items.is_empty() {
        return nothing(
            "No log record fits.",
            "Widen the time range or take a condition away.",
        );
    }
    let rows = page.items.iter().map(|log| row(log, frame)).collect_view();
    view! { <div class="log-list">{rows}</div> {list_note(page, "log records, newest first", frame)} }.into_any()
}

fn row(log: &LogRecord, frame: &Frame) -> AnyView {
    let (word, class) = severity(log);
    let text = log
        .body
        .clone()
        .or_else(|| log.event_name.clone())
        .unwrap_or_else(|| "(no body)".to_owned());
    let trace = log.trace_id.as_deref().map(|id| {
        let path = format!("/traces/{}", segment(id));
        let link = match log.span_id.as_deref() {
            Some(span) => frame.link(&path, &[("span", span)]),
            None => frame.link(&path, &[]),
        };
        view! { <a class="log-trace" href=link title="Open its trace">"trace →"</a> }
    });
    view! {
        <details class=format!("log {class}")>
            <summary data-row>
                <span class="log-time">{moment(positive(log.time_unix_nano), frame)}</span>
                <span class=format!("severity {class}")>{word}</span>
                <span class="log-service">{service_link(frame, log.service_name.as_deref())}</span>
                <span class="log-body">{text.clone()}</span>
                {trace}
            </summary>
            <div class="log-detail">
                <pre>{text}</pre>
                <h3>"Attributes"</h3> {attribute_table(&log.attributes, frame)}
                <h3>"Resource"</h3> {attribute_table(&log.resource_attributes, frame)}
            </div>
        </details>
    }
    .into_any()
}
