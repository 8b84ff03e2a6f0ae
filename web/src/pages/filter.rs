//! The bar with the filter that spans, logs and metrics share.

use leptos::prelude::*;
use tripline_storage::filter::Signal;

use crate::frame::Frame;
use crate::islands::FilterBox;
use crate::parts::other_fields;

/// The bar: the filter in one line, `more` for the fields of the page behind a fold.
pub(super) fn bar(signal: Signal, examples: &[&str], more: AnyView, frame: &Frame) -> AnyView {
    let (action, word) = match signal {
        Signal::Spans => ("/traces", "spans"),
        Signal::Logs => ("/logs", "logs"),
        Signal::Metrics => ("/explore", "metrics"),
    };
    let value = frame.param("q").unwrap_or_default().to_owned();
    let shown = examples
        .iter()
        .map(|example| view! { <a href=frame.link(action, &[("q", example)])><code>{(*example).to_owned()}</code></a> })
        .collect_view();
    // A page of a list, a box in a drawing and the record others stand around are of the question asked before.
    let own: Vec<&str> = [
        FIELDS.as_slice(),
        &["q", "cursor", "box", "around", "record"],
    ]
    .concat();
    let is_open = FIELDS.iter().any(|name| frame.param(name).is_some());
    view! {
        <form class="filter-bar" method="get" action=action role="search">
            {other_fields(frame, &own)}
            <div class="filter-line">
                <FilterBox signal=word.to_owned() value=value placeholder=examples.first().map(|e| (*e).to_owned()).unwrap_or_default()/>
                <button class="button">"Search"</button>
            </div>
            <div class="filter-under">
                <details class="filter-help"><summary>"How to write a filter"</summary>{help(signal, shown.into_any())}</details>
                <details class="filter-more" open=is_open><summary>"Fields"</summary><div class="filters">{more}</div></details>
            </div>
        </form>
    }
    .into_any()
}

/// Parameters behind the fold: it is open when one is set.
const FIELDS: [&str; 11] = [
    "service", "name", "attr", "status", "kind", "min", "max", "text", "severity", "trace", "span",
];

/// How to write one, with what the signal can be asked: what has no trace has no other spans, and only spans have events and links.
fn help(signal: Signal, examples: AnyView) -> AnyView {
    let of_parts = (signal == Signal::Spans).then(|| view! {
        <li><code>"event.name"</code>", "<code>"event.exception.type"</code>", "<code>"link.trace_id"</code>" look at the events and links of a span: one of them must fit"</li>
    });
    let of_trace = (signal != Signal::Metrics).then(|| view! {
        <li><code>"any(…)"</code>" holds when any span of the trace fits, "<code>"root(…)"</code>" when its root does"</li>
    });
    view! {
        <div class="filter-examples">{examples}</div>
        <ul>
            <li><code>"AND"</code>", "<code>"OR"</code>", "<code>"NOT"</code>", brackets; conditions side by side mean AND"</li>
            <li><code>"= != < <= > >="</code>" compare; "<code>"~ !~"</code>" look for a regular expression; "<code>"exists"</code>", "<code>"absent"</code></li>
            <li>"durations "<code>"100ms 1.5s 2m"</code>", sizes "<code>"10kB 4MiB"</code>", text with blanks in double quotes"</li>
            <li><code>"attr.x"</code>" looks at the item alone, "<code>"resource.x"</code>" at its resource alone, "<code>"x"</code>" at both"</li>
            <li>"an attribute that is a list or a map is found by "<code>"exists"</code>" alone; what is in it is asked in SQL"</li>
            {of_parts}
            {of_trace}
            <li>"a word alone is looked for in the text; a trace id finds its trace"</li>
        </ul>
    }
    .into_any()
}
