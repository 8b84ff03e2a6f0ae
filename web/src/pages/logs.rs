//! `/logs`: newest first, each with the way to its trace and to the records around it.

mod patterns;

use std::hash::{DefaultHasher, Hash, Hasher};

use leptos::prelude::*;
use tripline_storage::filter::{Expression, Filter, KeyScope, Literal, Signal};
use tripline_storage::model::{LogHistogram, LogPatterns, LogRecord, Page};

use self::patterns::pattern_table;
use super::filter::bar;
use super::traces::choice;
use crate::address::{href, segment};
use crate::chart::bars;
use crate::frame::Frame;
use crate::parts::{
    Complaint, attribute_table_with, beginning, colour, complaint, cut_note, export_links,
    field_links, line, list_note, log_text, moment, nothing_of, positive, service_link_in,
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
    /// How far the records around the one in the address reach, if there is one.
    pub around: Option<Around>,
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

/// Records around one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Around {
    /// Time of the one, nanoseconds since the epoch.
    pub time_ns: u64,
    /// How far before and after.
    pub half_ns: u64,
}

/// How far the records around one reach, unless there are too many.
pub const AROUND_NS: u64 = 5_000_000_000;

/// What tells a record from others of the same time.
pub fn record_mark(log: &LogRecord) -> String {
    let mut hasher = DefaultHasher::new();
    (log.time_unix_nano, log.observed_time_unix_nano).hash(&mut hasher);
    (log.severity_number, &log.event_name, &log.body).hash(&mut hasher);
    (&log.trace_id, &log.span_id).hash(&mut hasher);
    (&log.service_name, &log.service_instance_id).hash(&mut hasher);
    format!("{:016x}", hasher.finish())
}

/// The page.
pub fn logs(data: &LogsPage, frame: &Frame) -> AnyView {
    let results = match &data.complaint {
        Some(why) => complaint(why, frame),
        None => view! {
            <div id="results" data-live>
                <section class="panel">{histogram(data, frame)}</section>
                <section class="panel">
                    {tabs(data, frame)}
                    {data.around.map(|around| around_note(around, frame))}
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
            let other = Expression::Not(Box::new(condition.clone()));
            let (link, without) = (frame.narrowed(Signal::Logs, condition), frame.narrowed(Signal::Logs, other));
            (count > 0).then(|| view! { <li><a href=link><i class=format!("dot s{at}")></i>{word}</a> " " <span class="quiet">{units::count(count)}</span> " " {without_link(without, word)}</li> })
        })
        .collect_view();
    let services = data
        .services
        .iter()
        .map(|(name, count)| {
            let same = Expression::equal(KeyScope::Anywhere, "service", Literal::Text(name.clone()));
            let other = Expression::Not(Box::new(same.clone()));
            let (link, without) = (frame.narrowed(Signal::Logs, same), frame.narrowed(Signal::Logs, other));
            view! { <li><a href=link><i class=format!("dot {}", colour(name))></i>{name.clone()}</a> " " <span class="quiet">{units::count(*count)}</span> " " {without_link(without, name)}</li> }
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

fn without_link(link: String, word: &str) -> AnyView {
    let label = format!("Without {word}");
    view! { <a href=link title=label.clone() aria-label=label>"−"</a> }.into_any()
}

/// The word for a record's severity, and its class: without a number its own word, and what that means.
pub(super) fn severity(log: &LogRecord) -> (String, &'static str) {
    match (
        severity_word(log.severity_number),
        log.severity_text.as_deref(),
    ) {
        (("", _), Some(text)) => (text.to_owned(), severity_word(number_named(text)).1),
        ((word, class), _) => (word.to_owned(), class),
    }
}

/// The number of a severity that is told by its name, as OTLP's data model has those of other formats; 0 for no such name.
fn number_named(text: &str) -> i32 {
    match text.to_ascii_lowercase().as_str() {
        "trace" | "finest" | "verbose" => 1,
        "debug" | "finer" | "fine" | "config" => 5,
        "info" | "information" | "informational" | "notice" => 9,
        "warn" | "warning" => 13,
        "error" | "err" | "severe" | "critical" | "crit" | "alert" | "panic" | "dpanic" => 17,
        "fatal" | "emergency" | "emerg" => 21,
        _ => 0,
    }
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
        return nothing_fits(frame);
    }
    let mut columns = columns_of(frame);
    let cut = cut_note(
        COLUMNS_MAX as u64,
        columns.len() as u64,
        "column",
        "in the order of the address",
    );
    columns.truncate(COLUMNS_MAX);
    let rows = page
        .items
        .iter()
        .map(|log| row(log, &columns, frame))
        .collect_view();
    view! { {column_heads(&columns, frame)} {cut} <div class="log-list">{rows}</div> {list_note(page, "log record", "newest first", frame)} {export_links(frame, "logs")} }.into_any()
}

fn nothing_fits(frame: &Frame) -> AnyView {
    nothing_of(
        "logs",
        "No log record fits.",
        "Widen the time range or take a condition away.",
        frame,
    )
}

/// Columns shown at most.
const COLUMNS_MAX: usize = 8;

/// The keys in the address whose values stand in each row.
fn columns_of(frame: &Frame) -> Vec<String> {
    let keys = frame.param("cols").unwrap_or_default().split(',');
    let mut columns: Vec<String> = Vec::new();
    for key in keys.map(str::trim).filter(|key| !key.is_empty()) {
        if !columns.iter().any(|there| there == key) {
            columns.push(key.to_owned());
        }
    }
    columns
}

/// This page with a column more, or without it.
fn column_link(key: &str, columns: &[String], frame: &Frame) -> AnyView {
    let is_shown = columns.iter().any(|column| column == key);
    // The list in the address is divided by commas.
    if key.contains(',') || (!is_shown && columns.len() == COLUMNS_MAX) {
        return "".into_any();
    }
    let others = columns
        .iter()
        .map(String::as_str)
        .filter(|column| *column != key);
    let list: Vec<&str> = others.chain((!is_shown).then_some(key)).collect();
    let link = frame.with(&[("cols", &list.join(","))]);
    let (sign, label) = if is_shown {
        ("✕", format!("Take the column {key} away"))
    } else {
        ("▥", format!("Show {key} as a column"))
    };
    view! { <a href=link title=label.clone() aria-label=label>{sign}</a> }.into_any()
}

fn column_heads(columns: &[String], frame: &Frame) -> Option<AnyView> {
    let heads = columns
        .iter()
        .map(|key| view! { <li><code>{key.clone()}</code> " " {column_link(key, columns, frame)}</li> })
        .collect_view();
    (!columns.is_empty())
        .then(|| view! { <ul class="legend" aria-label="Columns">{heads}</ul> }.into_any())
}

/// A record's value of a key, its resource's if it has none.
fn column_value(log: &LogRecord, key: &str) -> String {
    log.attributes
        .iter()
        .chain(&log.resource_attributes)
        .find(|attribute| attribute.key == key)
        .map(|attribute| attribute.value.to_string())
        .unwrap_or_default()
}

/// What the same instance wrote just before and after a record; the range is absolute.
fn around_link(log: &LogRecord, frame: &Frame) -> Option<String> {
    let time = positive(log.time_unix_nano)?;
    let service = log.service_name.as_deref().filter(|name| !name.is_empty());
    let same = |field: &str, value: &str| {
        let value = Literal::Text(value.to_owned());
        Expression::equal(KeyScope::Anywhere, field, value)
    };
    let instance = log.service_instance_id.as_deref();
    let conditions: Vec<Expression> = [
        service.map(|name| same("service", name)),
        instance
            .filter(|id| !id.is_empty())
            .map(|id| same("instance", id)),
    ]
    .into_iter()
    .flatten()
    .collect();
    let filter = if conditions.is_empty() {
        String::new()
    } else {
        Expression::and(conditions).to_string()
    };
    let (from, to) = (
        units::timestamp(time.saturating_sub(AROUND_NS), 9),
        units::timestamp(time.saturating_add(AROUND_NS), 9),
    );
    let (around, mark) = (time.to_string(), record_mark(log));
    let pairs: [(&str, &str); 9] = [
        ("q", filter.as_str()),
        ("cols", frame.param("cols").unwrap_or_default()),
        (
            "environment",
            log.scope.environment.as_deref().unwrap_or_default(),
        ),
        (
            "service_namespace",
            log.scope.service_namespace.as_deref().unwrap_or_default(),
        ),
        ("cluster", log.scope.cluster.as_deref().unwrap_or_default()),
        ("around", &around),
        ("record", &mark),
        ("from", &from),
        ("to", &to),
    ];
    let pairs: Vec<(&str, &str)> = pairs
        .into_iter()
        .filter(|(_, value)| !value.is_empty())
        .collect();
    Some(format!("{}#record", href("/logs", &pairs)))
}

/// What a page of records around one shows, and the way back.
fn around_note(around: Around, frame: &Frame) -> AnyView {
    let text = format!(
        "The records within {} before and after the marked one, {}",
        units::duration(around.half_ns),
        units::timestamp(around.time_ns, 3)
    );
    let narrowed = (around.half_ns < AROUND_NS).then(|| {
        format!(
            " (nearer than {}: there are too many to show)",
            units::duration(AROUND_NS)
        )
    });
    let wider = frame.with(&[("around", ""), ("record", "")]);
    view! { <p class="note">{text}{narrowed}". "<a href=wider>"Search in this range"</a></p> }
        .into_any()
}

/// Where a record is whole: the API, asked for its very moment.
fn whole_link(log: &LogRecord) -> Option<AnyView> {
    let time = positive(log.time_unix_nano)?;
    let (from, to) = (time.to_string(), time.saturating_add(1).to_string());
    let service = log.service_name.as_deref().unwrap_or_default();
    let mut pairs = vec![("from", from.as_str()), ("to", to.as_str())];
    if !service.is_empty() {
        pairs.push(("service", service));
    }
    let link = href("/api/v1/logs", &pairs);
    Some(view! { <a href=link>"the whole as JSON"</a> }.into_any())
}

fn row(log: &LogRecord, columns: &[String], frame: &Frame) -> AnyView {
    let (word, class) = severity(log);
    let text = log_text(log).unwrap_or("(no body)");
    let (shown, rest) = beginning(text);
    let rest = rest.map(|rest| view! { <p class="note">{rest} " " {whole_link(log)}</p> });
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
    let is_marked = frame
        .param("record")
        .is_some_and(|mark| mark == record_mark(log));
    let class_of_row = format!("log {class}{}", if is_marked { " marked" } else { "" });
    let cells = columns
        .iter()
        .map(|key| view! { <span class="log-column" title=key.clone()>{line(&column_value(log, key))}</span> })
        .collect_view();
    let around = around_link(log, frame)
        .map(|link| view! { <p><a href=link>"Records around this one →"</a></p> });
    let same = |field: &str, value: &str| field_links(frame, Signal::Logs, field, value);
    let of_service = same("service", service.unwrap_or_default());
    let severity_name = severity_word(log.severity_number).0;
    let of_severity = (!severity_name.is_empty()).then(
        || view! { <p>"Severity " {severity_name} " " {same("severity", severity_name)}</p> },
    );
    let event = log.event_name.as_deref().filter(|name| !name.is_empty());
    let of_event = event.map(
        |name| view! { <p>"Event " <code>{name.to_owned()}</code> " " {same("event", name)}</p> },
    );
    let column = |key: &str| Some(column_link(key, columns, frame));
    // Links stand beside what unfolds, not in it: a control holds no other control.
    view! {
        <div class=class_of_row id=is_marked.then_some("record") aria-current=is_marked.then_some("true")>
            <details open=is_marked>
                <summary data-row>
                    <span class="log-time">{moment(positive(log.time_unix_nano), frame)}</span>
                    <span class=format!("severity {class}")>{word}</span>
                    <span class="log-service"><i class=dot></i>{name}</span>
                    {cells}
                    <span class="log-body">{line(text)}</span>
                </summary>
                <div class="log-detail">
                    <pre>{shown}</pre>
                    {rest}{around}
                    <p>"Service " {service_link_in(frame, &log.scope, service)} " " {of_service}</p>
                    {of_severity}{of_event}
                    <h3>"Attributes"</h3> {attribute_table_with(&log.attributes, KeyScope::Anywhere, Signal::Logs, frame, &column)}
                    <h3>"Resource"</h3> {attribute_table_with(&log.resource_attributes, KeyScope::Resource, Signal::Logs, frame, &column)}
                </div>
            </details>
            {trace}
        </div>
    }
    .into_any()
}
