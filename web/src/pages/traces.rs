//! `/traces`: find a trace by what is known of one of its spans. Newest first unless asked; no service needed.

use leptos::prelude::*;
use tripline_storage::filter::{Expression, Filter, Signal};
use tripline_storage::model::{Differences, Heatmap, Page, Selection, TraceOrder, TraceSummary};

use super::filter::bar;
use crate::chart::heatmap;
use crate::frame::Frame;
use crate::parts::{
    Complaint, complaint, cut_note, export_links, filter_links, list_note, moment, nothing,
    nothing_of, positive, service_link_in, sort_head,
};
use crate::units;

/// What the page shows.
#[derive(Debug, Clone, Default)]
pub struct TracesPage {
    /// Traces that fit, newest first.
    pub found: Page<TraceSummary>,
    /// Names to choose from.
    pub services: Vec<String>,
    /// Durations of the spans that fit.
    pub heatmap: Heatmap,
    /// The box in it, and what tells its spans from the others.
    pub selected: Option<(Selection, Differences)>,
    /// What is wrong with the question, if anything; then there is nothing else.
    pub complaint: Option<Complaint>,
    /// Which traces come first.
    pub order: TraceOrder,
    /// SQL of its numbers.
    pub how: TracesHow,
}

/// SQL of the numbers of the search.
#[derive(Debug, Clone, Default)]
pub struct TracesHow {
    /// Of the heatmap.
    pub durations: String,
    /// Of the list.
    pub traces: String,
}

/// The page.
pub fn traces(data: &TracesPage, frame: &Frame) -> AnyView {
    let results = match &data.complaint {
        Some(why) => complaint(why, frame),
        None => view! {
            <div id="results" data-live>
                <section class="panel">{durations(data, frame)}</section>
                {data.selected.as_ref().map(|(selection, found)| differences(*selection, found, frame))}
                <section class="panel">{results(data, frame)}</section>
            </div>
        }
        .into_any(),
    };
    view! {
        <h1 class="visually-hidden">"Traces"</h1>
        {bar(Signal::Spans, &EXAMPLES, form(&data.services, frame), frame)}
        {results}
    }
    .into_any()
}

const EXAMPLES: [&str; 4] = [
    "status = error AND kind = server",
    "duration > 500ms",
    "http.response.status_code >= 500",
    "root(name ~ checkout) AND NOT any(status = error)",
];

/// `from,to,min,max` in nanoseconds, as the URL has a box.
pub fn box_param(selection: Selection) -> String {
    format!(
        "{},{},{},{}",
        selection.from_unix_nano, selection.to_unix_nano, selection.min_ns, selection.max_ns
    )
}

/// Reads [`box_param`].
pub fn box_of(text: &str) -> Option<Selection> {
    let mut numbers = text.split(',').map(|part| part.parse::<i64>().ok());
    let mut next = || numbers.next().flatten();
    let selection = Selection {
        from_unix_nano: next()?,
        to_unix_nano: next()?,
        min_ns: next()?,
        max_ns: next()?,
    };
    (numbers.next().is_none()
        && selection.from_unix_nano < selection.to_unix_nano
        // The greatest number is infinity to the engine.
        && selection.to_unix_nano < i64::MAX
        && selection.min_ns < selection.max_ns)
        .then_some(selection)
}

fn durations(data: &TracesPage, frame: &Frame) -> AnyView {
    let selection = data.selected.as_ref().map(|(selection, _)| *selection);
    let link = |selection: Selection| frame.with(&[("box", &box_param(selection)), ("cursor", "")]);
    let Some(chart) = heatmap(&data.heatmap, selection, link) else {
        return nothing_of(
            "traces",
            "No span fits in this range.",
            "Widen the time range or take a condition away.",
            frame,
        );
    };
    let advice = match selection {
        Some(_) => view! { <a class="button plain" href=frame.with(&[("box", ""), ("cursor", "")])>"Clear the box"</a> }.into_any(),
        None => view! { <span class="quiet">"Drag a box over slow or failed spans to see what they have in common."</span> }.into_any(),
    };
    view! {
        <div class="panel-head"><h2>"Durations"</h2>
            <p class="quiet">{units::counted(data.heatmap.spans, "span")} "; darker = more, red = some failed"</p>{advice}
            {frame.how(&data.how.durations)}</div>
        {chart}
    }
    .into_any()
}

/// Differences shown; the API has more.
const DIFFERENCES_MAX: usize = 12;

fn differences(selection: Selection, found: &Differences, frame: &Frame) -> AnyView {
    let share = |count: u64, of: u64| count as f64 / of.max(1) as f64;
    let rows = found
        .items
        .iter()
        .take(DIFFERENCES_MAX)
        .map(|item| {
            let (inside, outside) = (share(item.selected, found.selected), share(item.others, found.others));
            let links = Filter::parse(&item.filter, Signal::Spans).ok().map(|filter| {
                let same = filter.expression().clone();
                filter_links(frame, Signal::Spans, same.clone(), Expression::Not(Box::new(same)))
            });
            view! {
                <tr>
                    <th scope="row">{item.key.clone()}</th>
                    <td class="wide"><code>{item.value.clone()}</code></td>
                    <td class="bar-cell"><svg viewBox="0 0 100 14" preserveAspectRatio="none" aria-hidden="true">
                        <rect class="bar" width=inside * 100.0 height="6"></rect><rect class="bar others" y="8" width=outside * 100.0 height="6"></rect></svg></td>
                    <td class="num"><b>{units::percent(inside)}</b></td><td class="num quiet">{units::percent(outside)}</td>
                    <td class="num nowrap">{links}</td>
                </tr>
            }
        })
        .collect_view();
    let inside = units::counted(found.selected, "span");
    let others = units::counted(found.others, "other");
    let basis = if found.is_sampled {
        format!("samples of {inside} in the box and {others}")
    } else {
        format!("{inside} in the box, {others}")
    };
    let longest = u64::try_from(selection.max_ns)
        .ok()
        .filter(|ns| *ns < 1 << 60);
    let place = format!(
        "{} to {}",
        units::duration(u64::try_from(selection.min_ns).unwrap_or(0)),
        longest.map_or_else(|| "any length".to_owned(), units::duration)
    );
    let table = if found.items.is_empty() {
        nothing(
            "Nothing tells these spans from the others.",
            "Choose another box.",
        )
    } else {
        view! {
            <div class="scroll"><table class="list">
                <thead><tr><th>"Attribute"</th><th>"Value"</th><th class="bar-head"></th><th class="num">"In the box"</th><th class="num">"Others"</th><th></th></tr></thead>
                <tbody>{rows}</tbody>
            </table></div>
        }
        .into_any()
    };
    let listed = found.items.len() as u64;
    let cut = cut_note(
        listed.min(DIFFERENCES_MAX as u64),
        found.total.max(listed),
        "difference",
        "greatest first",
    );
    view! {
        <section class="panel" id="differences">
            <div class="panel-head"><h2>"What the box has in common"</h2><p class="quiet">{place} " · " {basis}</p></div>
            {table}
            {cut}
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
        <label>"Service" <input name="service" value=value("service") list="services" autocomplete="off"/></label>
        <datalist id="services">{options}</datalist>
        <label>"Span name" <input name="name" value=value("name") autocomplete="off"/></label>
        <label>"Attribute" <input name="attr" value=value("attr") placeholder="http.route=/cart" autocomplete="off"/></label>
        {choice("status", "Status", &["", "error", "ok", "unset"], frame)}
        {choice("kind", "Kind", &["", "server", "client", "producer", "consumer", "internal"], frame)}
        <label class="short">"Longer than" <input name="min" value=value("min") placeholder="100ms" autocomplete="off"/></label>
        <label class="short">"Shorter than" <input name="max" value=value("max") placeholder="2s" autocomplete="off"/></label>
    }
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

/// What `sort` says for the default order.
const START: &str = "start";

fn results(data: &TracesPage, frame: &Frame) -> AnyView {
    let page = &data.found;
    if page.items.is_empty() && page.next.is_none() {
        return nothing_of(
            "traces",
            "No trace fits.",
            "Widen the time range or take a condition away.",
            frame,
        );
    }
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
    let head = |name, word| sort_head(name, word, START, word != START, frame);
    let order = match data.order {
        TraceOrder::Start => "newest first",
        TraceOrder::Duration => "longest first",
        TraceOrder::Errors => "most failed spans first",
        TraceOrder::Spans => "most spans first",
    };
    // Where their traces take too long to count, the spans are counted all the same.
    let of_spans = (page.truncated && page.total.is_none() && data.heatmap.spans > 0).then(|| {
        let spans = units::counted(data.heatmap.spans, "span");
        view! { <p class="note">{format!("{spans} of the range fit; the traces they are of were not counted.")}</p> }
    });
    view! {
        <div class="panel-head"><h2 class="visually-hidden">"Found"</h2>{frame.how(&data.how.traces)}</div>
        <div class="scroll"><table class="list folds">
            <thead><tr>{head("Start", START)}<th>"Root"</th><th>"Name"</th>{head("Duration", "duration")}<th class="bar-head"></th>
                {head("Spans", "spans")}{head("Errors", "errors")}<th>"Services"</th></tr></thead>
            <tbody>{rows}</tbody>
        </table></div>
        {list_note(page, "trace", order, frame)}
        {of_spans}
        {export_links(frame, "traces")}
    }
    .into_any()
}

fn trace_href(trace: &TraceSummary, frame: &Frame) -> String {
    let path = format!("/traces/{}", crate::address::segment(&trace.trace_id));
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
            <td>{service_link_in(frame, &trace.root.scope, trace.root.service_name.as_deref())}</td>
            <td class="wide folds-main"><a data-row href=trace_href(trace, frame)>{trace.root.name.clone()}</a>
                {(!trace.has_root).then(|| view! { " " <span class="tag">"root missing"</span> })}</td>
            <td class="num" data-head="duration">{duration.map_or_else(|| "–".to_owned(), units::duration)}</td>
            <td class="bar-cell"><svg viewBox="0 0 100 8" preserveAspectRatio="none" aria-hidden="true"><rect class=class width=width height="8"></rect></svg></td>
            <td class="num" data-head="spans">{units::count(trace.spans)}</td>
            <td class="num" data-head="errors">{errors}</td>
            <td class="quiet names">{others.join(", ")}</td>
        </tr>
    }
    .into_any()
}
