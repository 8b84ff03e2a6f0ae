//! What else the callee of a span was doing at that time, and what changed near it: the end of the span panel.

use leptos::prelude::*;
use tripline_storage::model::{
    AttributeValue, Change, LogRecord, Page, Scope, SpanRecord, SpanSummary, TimeRange, TraceDetail,
};

use super::logs::severity;
use crate::address::segment;
use crate::frame::Frame;
use crate::parts::{moment, positive, service_link_in};
use crate::range::{Edge, Range};
use crate::units;

/// Attributes by which a caller names the service it calls.
const PEERS: [&str; 2] = ["service.peer.name", "peer.service"];
/// Other spans shown, and other log records.
const SHOWN_MAX: usize = 12;

/// What is known beside a span.
#[derive(Debug, Clone)]
pub struct BesideSpan {
    /// The service that answered; the span's own, where it calls nobody.
    pub callee: Callee,
    /// From five seconds before the span to five seconds after it.
    pub range: TimeRange,
    /// Spans of the callee in it, of other traces: those that failed, then those begun last before the span ended.
    pub spans: Vec<SpanSummary>,
    /// Log records of the callee in it, of other traces or of none, newest first.
    pub logs: Page<LogRecord>,
    /// What changed of it near the span, oldest first.
    pub changes: Vec<Change>,
    /// None of its spans near it says which version it is.
    pub has_no_version: bool,
}

/// A service in its scope.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Callee {
    /// Where it lives, as far as that is known.
    pub scope: Scope,
    /// Its name.
    pub service: String,
}

/// The service that a span's call went to: that of the span below it, else whom its attributes name. Of one that calls
/// nobody the service itself. `None` of a span that is not there or says of no service.
pub fn callee_of(trace: &TraceDetail, span_id: &str) -> Option<Callee> {
    let span = trace.spans.iter().find(|span| span.span_id == span_id)?;
    let of = |span: &SpanRecord| {
        Some(Callee {
            scope: span.scope.clone(),
            service: span.service_name.clone()?,
        })
    };
    if !matches!(span.kind.as_str(), "client" | "producer") {
        return of(span);
    }
    let is_below = |other: &&SpanRecord| {
        other.parent_span_id.as_deref() == Some(span_id)
            && (&other.service_name, &other.scope) != (&span.service_name, &span.scope)
    };
    let below = trace.spans.iter().find(is_below).and_then(of);
    below.or_else(|| named_by(span)).or_else(|| of(span))
}

/// Whom a caller names; taken to be of its own scope.
fn named_by(span: &SpanRecord) -> Option<Callee> {
    let named = |key: &&str| {
        let attributes = span.attributes.iter();
        attributes
            .filter(|attribute| attribute.key == **key)
            .find_map(|attribute| match &attribute.value {
                AttributeValue::String(name) if !name.is_empty() => Some(name.clone()),
                _ => None,
            })
    };
    Some(Callee {
        scope: span.scope.clone(),
        service: PEERS.iter().find_map(named)?,
    })
}

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
            let text = log.body.clone().or_else(|| log.event_name.clone()).unwrap_or_default();
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

#[cfg(test)]
mod tests {
    use tripline_storage::model::Attribute;

    use super::*;

    fn span(id: &str, parent: Option<&str>, service: &str, kind: &str) -> SpanRecord {
        SpanRecord {
            span_id: id.to_owned(),
            parent_span_id: parent.map(str::to_owned),
            service_name: Some(service.to_owned()),
            kind: kind.to_owned(),
            ..SpanRecord::default()
        }
    }

    #[test]
    fn the_callee_is_who_answered_else_who_is_named_else_the_service_itself() {
        let mut named = span("c", None, "orders", "client");
        named.attributes.push(Attribute {
            key: "service.peer.name".to_owned(),
            value: AttributeValue::String("psp".to_owned()),
        });
        let trace = TraceDetail {
            spans: vec![
                span("a", None, "orders", "client"),
                span("a1", Some("a"), "orders", "internal"),
                span("a2", Some("a"), "payment", "server"),
                span("b", None, "orders", "client"),
                named,
            ],
            ..TraceDetail::default()
        };
        let of = |id: &str| callee_of(&trace, id).map(|callee| callee.service);
        assert_eq!(of("a").as_deref(), Some("payment"));
        assert_eq!(of("a2").as_deref(), Some("payment"));
        assert_eq!(of("b").as_deref(), Some("orders"));
        assert_eq!(of("c").as_deref(), Some("psp"));
        assert_eq!(of("x"), None);
    }
}
