//! `/logs`: newest first, each with the way to its trace.

use leptos::prelude::*;
use tripline_storage::filter::{Expression, Filter, KeyScope, Literal, Signal};
use tripline_storage::model::{LogHistogram, LogPatterns, LogRecord, Page};

use super::filter::bar;
use super::traces::choice;
use crate::chart::bars;
use crate::parts::{
    Complaint, Frame, attribute_table, colour, complaint, cut_note, export_links, list_note,
    moment, nothing_of, positive, segment, service_link_in,
};
use crate::units;

/// What the page shows.
#[derive(Debug, Clone, Default)]
pub struct LogsPage {
    /// Records that fit, newest first.
    pub found: Page<LogRecord>,
    /// How many there were over time, by severity.
    pub histogram: LogHistogram,
    /// The newest records by what they have in common.
    pub patterns: Option<LogPatterns>,
    /// What is wrong with the question, if anything; then there is nothing else.
    pub complaint: Option<Complaint>,
    /// SQL of its numbers.
    pub how: LogsHow,
}

/// SQL of the numbers of the log search.
#[derive(Debug, Clone, Default)]
pub struct LogsHow {
    /// Of the histogram, its severities and services.
    pub histogram: String,
    /// Of the records.
    pub records: String,
}

/// The page.
pub fn logs(data: &LogsPage, frame: &Frame) -> AnyView {
    let results = match &data.complaint {
        Some(why) => view! { <section class="panel">{complaint(why, frame)}</section> }.into_any(),
        None => view! {
            <div id="results" data-live>
                <section class="panel">{histogram(data, frame)}</section>
                <section class="panel">
                    {tabs(data, frame)}
                    {match &data.patterns {
                        Some(patterns) => pattern_table(patterns, frame),
                        None => results(&data.found, frame),
                    }}
                </section>
            </div>
        }
        .into_any(),
    };
    view! {
        <h1 class="visually-hidden">"Logs"</h1>
        {bar(Signal::Logs, &EXAMPLES, form(frame), frame)}
        {results}
    }
    .into_any()
}

const EXAMPLES: [&str; 4] = [
    "severity >= warn",
    "\"connection refused\"",
    "service = payment AND body ~ \"declined|timeout\"",
    "root(name ~ checkout)",
];

fn tabs(data: &LogsPage, frame: &Frame) -> AnyView {
    let current = |name: &str| (frame.param("view").unwrap_or_default() == name).then_some("page");
    view! {
        <div class="panel-head">
            <nav class="tabs" aria-label="View">
                <a href=frame.with(&[("view", ""), ("cursor", "")]) aria-current=current("")>"Records"</a>
                <a href=frame.with(&[("view", "patterns"), ("cursor", "")]) aria-current=current("patterns")>"Patterns"</a>
            </nav>
            {frame.how(&data.how.records)}
        </div>
    }
    .into_any()
}

fn histogram(page: &LogsPage, frame: &Frame) -> AnyView {
    let data = &page.histogram;
    let total = data.records();
    if total == 0 {
        return view! { <p class="quiet">"No log record fits in this range."</p> }.into_any();
    }
    let facets = ["no severity", "trace", "debug", "info", "warn", "error", "fatal"]
        .into_iter()
        .enumerate()
        .filter_map(|(at, word)| {
            let count: u64 = data.steps.iter().map(|step| step.counts[at]).sum();
            let condition = if at == 0 { "severity absent".to_owned() } else { format!("severity = {word}") };
            let condition = Filter::parse(&condition, Signal::Logs).ok()?.expression().clone();
            let link = frame.narrowed(Signal::Logs, condition);
            (count > 0).then(|| view! { <li><a href=link><i class=format!("dot s{at}")></i>{word}</a> " " <span class="quiet">{units::count(count)}</span></li> })
        })
        .collect_view();
    let services = data
        .services
        .iter()
        .map(|(name, count)| {
            let same = Expression::equal(KeyScope::Anywhere, "service", Literal::Text(name.clone()));
            let link = frame.narrowed(Signal::Logs, same);
            view! { <li><a href=link><i class=format!("dot {}", colour(name))></i>{name.clone()}</a> " " <span class="quiet">{units::count(*count)}</span></li> }
        })
        .collect_view();
    view! {
        <div class="panel-head"><h2>{units::counted(total, "record")}</h2>{frame.how(&page.how.histogram)}</div>
        {bars(data, frame)}
        <ul class="legend">{facets}</ul>
        <ul class="legend">{services}</ul>
        {cut_note(data.services.len() as u64, data.services_total, "service", "most records first")}
    }
    .into_any()
}

fn pattern_table(patterns: &LogPatterns, frame: &Frame) -> AnyView {
    if patterns.items.is_empty() {
        return nothing_of(
            "logs",
            "No log record fits.",
            "Widen the time range or take a condition away.",
            frame,
        );
    }
    let rows = patterns
        .items
        .iter()
        .map(|pattern| {
            let word = severity_word(pattern.severity_number);
            let link = Filter::parse(&pattern.filter, Signal::Logs)
                .ok()
                .map(|filter| frame.with(&[("view", ""), ("q", &Filter::narrowed(frame.param("q").unwrap_or_default(), Signal::Logs, filter.expression().clone()))]));
            view! {
                <tr>
                    <td class="num">{units::count(pattern.count)}</td>
                    <td class="num quiet">{units::percent(pattern.count as f64 / patterns.records.max(1) as f64)}</td>
                    <td><span class=format!("severity {}", word.1)>{word.0}</span></td>
                    <td class="wide"><a href=link title=pattern.example.clone()><code>{pattern.pattern.clone()}</code></a></td>
                    <td class="quiet">{pattern.services.join(", ")}</td>
                    <td class="nowrap">{moment(positive(pattern.newest_unix_nano), frame)}</td>
                </tr>
            }
        })
        .collect_view();
    view! {
        <div class="scroll"><table class="list">
            <thead><tr><th class="num">"Records"</th><th class="num">"Share"</th><th>"Severity"</th><th>"Pattern"</th><th>"Services"</th><th>"Newest"</th></tr></thead>
            <tbody>{rows}</tbody>
        </table></div>
        <p class="note">{format!("{} among the newest {}{}", units::counted(patterns.items.len() as u64, "pattern"), units::counted(patterns.records, "record"), if patterns.truncated { "; older ones were not looked at" } else { "" })}</p>
    }
    .into_any()
}

/// The word for a record's severity, and its class.
pub(super) fn severity(log: &LogRecord) -> (String, &'static str) {
    let (word, class) = severity_word(log.severity_number);
    let text = match log.severity_text.as_deref() {
        Some(text) if !text.is_empty() && word.is_empty() => text.to_owned(),
        _ => word.to_owned(),
    };
    (text, class)
}

fn severity_word(number: i32) -> (&'static str, &'static str) {
    match number {
        1..=4 => ("trace", "quiet"),
        5..=8 => ("debug", "quiet"),
        9..=12 => ("info", "info"),
        13..=16 => ("warn", "warn"),
        17..=20 => ("error", "bad"),
        21..=24 => ("fatal", "bad"),
        _ => ("", "quiet"),
    }
}

fn form(frame: &Frame) -> AnyView {
    let value = |name: &str| frame.param(name).unwrap_or_default().to_owned();
    view! {
        <label class="long">"Text" <input type="search" name="text" value=value("text") placeholder="part of the message" autocomplete="off"/></label>
        <label>"Service" <input name="service" value=value("service") autocomplete="off"/></label>
        {choice("severity", "At least", &["", "trace", "debug", "info", "warn", "error", "fatal"], frame)}
        <label>"Attribute" <input name="attr" value=value("attr") placeholder="order.id=17" autocomplete="off"/></label>
        <label>"Trace id" <input name="trace" value=value("trace") autocomplete="off"/></label>
    }
    .into_any()
}

fn results(page: &Page<LogRecord>, frame: &Frame) -> AnyView {
    if page.items.is_empty() {
        return nothing_of(
            "logs",
            "No log record fits.",
            "Widen the time range or take a condition away.",
            frame,
        );
    }
    let rows = page.items.iter().map(|log| row(log, frame)).collect_view();
    view! { <div class="log-list">{rows}</div> {list_note(page, "log record", "newest first", frame)} {export_links(frame, "logs")} }.into_any()
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
    let service = log.service_name.as_deref().filter(|name| !name.is_empty());
    let dot = format!("dot {}", service.map(colour).unwrap_or_default());
    let name = service.unwrap_or("unnamed").to_owned();
    // Links stand beside what unfolds, not in it: a control holds no other control.
    view! {
        <div class=format!("log {class}")>
            <details>
                <summary data-row>
                    <span class="log-time">{moment(positive(log.time_unix_nano), frame)}</span>
                    <span class=format!("severity {class}")>{word}</span>
                    <span class="log-service"><i class=dot></i>{name}</span>
                    <span class="log-body">{text.clone()}</span>
                </summary>
                <div class="log-detail">
                    <pre>{text}</pre>
                    <p>"Service " {service_link_in(frame, &log.scope, service)}</p>
                    <h3>"Attributes"</h3> {attribute_table(&log.attributes, KeyScope::Anywhere, Signal::Logs, frame)}
                    <h3>"Resource"</h3> {attribute_table(&log.resource_attributes, KeyScope::Resource, Signal::Logs, frame)}
                </div>
            </details>
            {trace}
        </div>
    }
    .into_any()
}
