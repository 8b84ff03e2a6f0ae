//! `/traces`: find a trace by what is known of one of its spans. Newest first; no service needed.

use leptos::prelude::*;
use tripline_storage::model::{Page, TraceSummary};

use crate::chart::{Dot, scatter};
use crate::parts::{Frame, list_note, moment, nothing, positive, service_link};
use crate::units;

/// The page. `problem` is what is wrong with the question, if anything.
pub fn traces(
    page: &Page<TraceSummary>,
    services: &[String],
    problem: Option<&str>,
    frame: &Frame,
) -> AnyView {
    view! {
        <h1 class="visually-hidden">"Traces"</h1>
        {form(services, frame)}
        <section class="panel">
            {match problem {
                Some(problem) => crate::parts::failure("This search cannot be run", problem, None),
                None => results(page, frame),
            }}
        </section>
    }
    .into_any()
}

fn form(services: &[String], frame: &Frame) -> AnyView {
    let value = |name: &str| frame.param(name).unwrap_or_default().to_owned();
    let options = services
        .iter()
        .map(|name| view! { <option value=name.clone()></option> })
        .collect_view();
    view! {
        <form class="filters" method="get" action="/traces" role="search">
            {kept_range(frame)}
            <label>"Service" <input name="service" value=value("service") list="services" autocomplete="off"/></label>
            <datalist id="services">{options}</datalist>
            <label>"Span name" <input name="name" value=value("name") autocomplete="off"/></label>
            <label>"Attribute" <input name="attr" value=value("attr") placeholder="http.route=/cart" autocomplete="off"/></label>
            {choice("status", "Status", &["", "error", "ok", "unset"], frame)}
            {choice("kind", "Kind", &["", "server", "client", "producer", "consumer", "internal"], frame)}
            <label class="short">"Longer than" <input name="min" value=value("min") placeholder="100ms" autocomplete="off"/></label>
            <label class="short">"Shorter than" <input name="max" value=value("max") placeholder="2s" autocomplete="off"/></label>
            <button class="button">"Search"</button>
        </form>
    }
    .into_any()
}

/// Hidden fields that keep the range when a form is sent.
pub(super) fn kept_range(frame: &Frame) -> AnyView {
    ["from", "to"]
        .into_iter()
        .filter_map(|name| {
            let value = frame.param(name)?.to_owned();
            Some(view! { <input type="hidden" name=name value=value/> })
        })
        .collect_view()
        .into_any()
}

/// A list of words to choose from; the empty one means any.
pub(super) fn choice(
    name: &'static str,
    label: &'static str,
    words: &[&'static str],
    frame: &Frame,
) -> AnyView {
    let chosen = frame.param(name).unwrap_or_default();
    let options = words
        .iter()
        .map(|word| {
            let text = if word.is_empty() { "any" } else { word };
            view! { <option value=*word selected=*word == chosen>{text}</option> }
        })
        .collect_view();
    view! { <label class="short">{label} <select name=name>{options}</select></label> }.into_any()
}

fn results(page: &Page<TraceSummary>, frame: &Frame) -> AnyView {
    if page.items.is_empty() {
        return nothing(
            "No trace fits.",
            "Widen the time range or take a condition away.",
        );
    }
    let dots: Vec<Dot> = page
        .items
        .iter()
        .filter_map(|trace| {
            let (time_ns, duration_ns) = (
                positive(trace.start_time_unix_nano)?,
                positive(trace.duration_ns)?,
            );
            Some(Dot {
                time_ns,
                duration_ns,
                is_error: trace.errors > 0,
                href: trace_href(trace, frame),
                title: format!("{} · {}", trace.root.name, units::duration(duration_ns)),
            })
        })
        .collect();
    let longest = page
        .items
        .iter()
        .filter_map(|trace| positive(trace.duration_ns))
        .max()
        .unwrap_or(1)
        .max(1);
    let rows = page
        .items
        .iter()
        .map(|trace| row(trace, longest, frame))
        .collect_view();
    view! {
        {scatter(&dots)}
        <div class="scroll"><table class="list">
            <thead><tr><th>"Start"</th><th>"Root"</th><th>"Name"</th><th class="num">"Duration"</th><th class="bar-head"></th>
                <th class="num">"Spans"</th><th class="num">"Errors"</th><th>"Services"</th></tr></thead>
            <tbody>{rows}</tbody>
        </table></div>
        {list_note(page, "traces, newest first", frame)}
    }
    .into_any()
}

fn trace_href(trace: &TraceSummary, frame: &Frame) -> String {
    let path = format!("/traces/{}", crate::parts::segment(&trace.trace_id));
    if trace.matched.span_id == trace.root.span_id {
        frame.link(&path, &[])
    } else {
        frame.link(&path, &[("span", &trace.matched.span_id)])
    }
}

fn row(trace: &TraceSummary, longest: u64, frame: &Frame) -> AnyView {
    let duration = positive(trace.duration_ns);
    let width = duration.map_or(0.0, |ns| ns as f64 / longest as f64 * 100.0);
    let class = if trace.errors > 0 { "bar bad" } else { "bar" };
    let errors = if trace.errors > 0 {
        view! { <span class="share bad">{units::count(trace.errors)}</span> }.into_any()
    } else {
        view! { <span class="quiet">"0"</span> }.into_any()
    };
    let others: Vec<&str> = trace
        .services
        .iter()
        .map(String::as_str)
        .filter(|name| Some(*name) != trace.root.service_name.as_deref())
        .collect();
    view! {
        <tr>
            <td class="nowrap">{moment(positive(trace.start_time_unix_nano), frame)}</td>
            <td>{service_link(frame, trace.root.service_name.as_deref())}</td>
            <td class="wide"><a data-row href=trace_href(trace, frame)>{trace.root.name.clone()}</a>
                {(!trace.has_root).then(|| view! { " " <span class="tag">"root missing"</span> })}</td>
            <td class="num">{duration.map_or_else(|| "–".to_owned(), units::duration)}</td>
            <td class="bar-cell"><svg viewBox="0 0 100 8" preserveAspectRatio="none" aria-hidden="true"><rect class=class width=width height="8"></rect></svg></td>
            <td class="num">{units::count(trace.spans)}</td>
            <td class="num">{errors}</td>
            <td class="quiet">{others.join(", ")}</td>
        </tr>
    }
    .into_any()
}
