//! What else the callee of a span was doing at that time, and what changed near it: the end of the span panel.

use leptos::prelude::*;
use tripline_storage::model::{BesideSpan, SpanRecord};

use super::logs::severity;
use crate::address::segment;
use crate::frame::Frame;
use crate::parts::{log_line_text, moment, positive, service_link_in};
use crate::range::{Edge, Range};
use crate::units;

/// Other spans shown, and other log records.
const SHOWN_MAX: usize = 12;

/// What stands in the panel of the span.
pub(super) fn beside(data: &BesideSpan, span: &SpanRecord, frame: &Frame) -> AnyView {
    let service = &data.callee.service;
    let there = around(data, frame);
    let asked = [("service", service.as_str())];
    let spans = there.link_in(&data.callee.scope, "/traces", &asked);
    let logs = there.link_in(&data.callee.scope, "/logs", &asked);
    view! {
        <section id="span-beside">
            <h3>{format!("What else {service} was doing (± 5 s)")}</h3>
            <p>{service_link_in(frame, &data.callee.scope, Some(service))}</p>
            {span_list(data, span, frame)}
            {log_list(data, span)}
            <p><a href=spans>"All its traces then →"</a>" "<a href=logs>"All its logs then →"</a></p>
            <h3>"What changed"</h3>
            {changes(data, span, frame)}
        </section>
    }
    .into_any()
}

/// A page of the seconds around the span.
fn around(data: &BesideSpan, frame: &Frame) -> Frame {
    let edge = |ns: i64| Edge::At(u64::try_from(ns).unwrap_or(0));
    Frame {
        range: Range {
            from: edge(data.range.from_unix_nano),
            to: edge(data.range.to_unix_nano),
        },
        ..frame.clone()
    }
}

fn span_list(data: &BesideSpan, span: &SpanRecord, frame: &Frame) -> AnyView {
    if data.spans.is_empty() {
        return view! { <p class="quiet">"No span of it in other traces is stored for this time."</p> }
            .into_any();
    }
    let rows = data
        .spans
        .iter()
        .take(SHOWN_MAX)
        .map(|other| {
            let link = frame.link(
                &format!("/traces/{}", segment(&other.trace_id)),
                &[("span", &other.span_id)],
            );
            let at = positive(other.start_time_unix_nano)
                .map_or_else(String::new, |ns| units::offset(ns, span.start_time_unix_nano));
            let took = positive(other.duration_ns).map_or_else(|| "–".to_owned(), units::duration);
            let failed = (other.status_code == "error")
                .then(|| view! { <span class="tag bad">"error"</span> });
            view! { <tr><td class="num">{at}</td><td class="wide"><a href=link>{other.name.clone()}</a>" "{failed}</td><td class="num">{took}</td></tr> }
        })
        .collect_view();
    view! { <div class="scroll"><table class="list"><thead><tr><th class="num">"Begun"</th><th>"Span"</th><th class="num">"Took"</th></tr></thead><tbody>{rows}</tbody></table></div> }.into_any()
}

fn log_list(data: &BesideSpan, span: &SpanRecord) -> AnyView {
    if data.logs.items.is_empty() {
        return view! { <p class="quiet">"It logged nothing else then."</p> }.into_any();
    }
    data.logs
        .items
        .iter()
        .take(SHOWN_MAX)
        .map(|log| {
            let (word, class) = severity(log);
            let at = positive(log.time_unix_nano)
                .map_or_else(String::new, |ns| units::offset(ns, span.start_time_unix_nano));
            let text = log_line_text(log);
            view! { <div class="wf-log i0"><span class="wf-at num">{at}</span>" "<span class=format!("severity {class}")>{word}</span>" "<span class="wf-body">{text}</span></div> }
        })
        .collect_view()
        .into_any()
}

fn changes(data: &BesideSpan, span: &SpanRecord, frame: &Frame) -> AnyView {
    let service = &data.callee.service;
    let silent = data.has_no_version.then(|| {
        let text = format!("{service} reports no version: deploys of it cannot be seen.");
        view! { <p class="note amber">{text}</p> }
    });
    if data.changes.is_empty() {
        let text = format!("Nothing of {service} is known to have changed within 30 minutes.");
        return view! { <p class="quiet">{text}</p>{silent} }.into_any();
    }
    let rows = data
        .changes
        .iter()
        .map(|change| {
            let at = positive(Some(change.time_unix_nano));
            let offset = at.map(|ns| units::offset(ns, span.start_time_unix_nano));
            view! { <li>{moment(at, frame)}" "<span class="quiet">{offset}</span>" "<span class="tag">{change.kind.clone()}</span>" "{change.description.clone()}</li> }
        })
        .collect_view();
    view! { <ul class="clues">{rows}</ul>{silent} }.into_any()
}
