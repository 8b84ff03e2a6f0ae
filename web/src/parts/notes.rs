//! What stands below a list: how long it is, what its counts stand on, and the list as a file.

use leptos::prelude::*;
use tripline_storage::model::{Basis, Page, RequestCounts, ServiceSummary};

use crate::address::href;
use crate::frame::Frame;
use crate::units;

/// What a list of such things says about its length and order: `200 of 12,431 traces, newest first`.
pub fn list_note<T>(page: &Page<T>, word: &str, order: &str, frame: &Frame) -> AnyView {
    let shown = page.items.len() as u64;
    let counted = units::counted(shown, word);
    let text = match (page.truncated, page.total) {
        (false, _) => format!("{counted}, {order}"),
        (true, Some(total)) => {
            // What the next page has is not cut.
            let end = if page.next.is_some() {
                ""
            } else {
                ", the rest was cut"
            };
            let all = units::counted(total, word);
            format!("{} of {all}, {order}{end}", units::count(shown))
        }
        (true, None) => format!("the first {counted}, {order}, there are more"),
    };
    let more = page.next.as_deref().map(|cursor| {
        let link = frame.with(&[("cursor", cursor)]);
        view! { <a class="more" href=link rel="next">"older →"</a> }
    });
    view! { <p class="note">{text} " " {more}</p> }.into_any()
}

/// The same of a list that is there whole, of which only the first are shown; nothing when these are all.
pub fn cut_note(shown: u64, total: u64, word: &str, order: &str) -> Option<AnyView> {
    (shown < total).then(|| {
        let all = units::counted(total, word);
        let text = format!(
            "{} of {all}, {order}, the rest was cut",
            units::count(shown)
        );
        view! { <p class="note">{text}</p> }.into_any()
    })
}

/// What a count of spans stands on, where it is not every call: a sample, each of which stands for several.
pub fn basis_tag(basis: Basis, calls: u64, weight: f64) -> Option<AnyView> {
    if calls == 0 || basis != Basis::Sampled {
        return None;
    }
    let share = units::percent(calls as f64 / weight.max(calls as f64));
    let each = units::compact(weight / calls as f64);
    let title = format!(
        "{} recorded; each stands for {each} on average, by the weight its sampler wrote (W3C tracestate or sampling attributes)",
        units::count(calls)
    );
    Some(view! { <span class="tag basis" title=title>"sampled " {share}</span> }.into_any())
}

/// The same of a service: the metrics that count its requests, where they are preferred to spans.
pub fn service_basis(service: &ServiceSummary) -> Option<AnyView> {
    let Some(requests) = &service.requests else {
        return basis_tag(service.basis, service.calls, service.weight);
    };
    let title = format!(
        "every request, as its metrics count them; {} recorded as spans",
        units::count(service.calls)
    );
    Some(view! { <span class="tag basis" title=title>{metrics_named(requests)}</span> }.into_any())
}

/// `metrics: http.server.request.duration`.
pub fn metrics_named(requests: &RequestCounts) -> String {
    format!("metrics: {}", requests.metrics.join(", "))
}

/// Below numbers of which some are of metrics: whose, what else is not, and the SQL of them.
pub fn requests_note<'a>(
    counted: impl Iterator<Item = Option<&'a RequestCounts>>,
    rest: &str,
    sql: &str,
    frame: &Frame,
) -> Option<AnyView> {
    let count = counted.flatten().count() as u64;
    if count == 0 {
        return None;
    }
    let whose = units::counted(count, "service");
    let text = format!(
        "Requests of {whose} are counted by metrics, which have every one of them; spans are a sample there, or may be. {rest}"
    );
    Some(view! { <p class="note">{text} " " {frame.how(sql)}</p> }.into_any())
}

/// Below a list with counts of which nobody knows how they were sampled.
pub fn basis_note(bases: impl Iterator<Item = Basis>) -> Option<AnyView> {
    let mut bases = bases;
    bases
        .any(|basis| basis == Basis::Unknown)
        .then(|| view! { <p class="note">"Counted from the spans that arrived; where no sampler wrote a weight, how they were sampled is not known."</p> }.into_any())
}

/// Below rates that are not over the whole range: what they are over.
pub fn rates_note(frame: &Frame) -> Option<AnyView> {
    let (from, to) = frame.bounds();
    let covered = frame.covered_seconds?;
    // What differs by less than a second is told alike.
    if covered + 1.0 >= to.saturating_sub(from) as f64 / 1e9 {
        return None;
    }
    let length = units::duration((covered * 1e9) as u64);
    let text = format!(
        "Rates are over {length} of this range: from the oldest span stored to now at the latest."
    );
    Some(view! { <p class="note">{text}</p> }.into_any())
}

/// Below durations of calls of which some are a sample: what a quantile is of.
pub fn durations_note(bases: impl Iterator<Item = Basis>) -> Option<AnyView> {
    let mut bases = bases;
    bases
        .any(|basis| basis == Basis::Sampled)
        .then(|| view! { <p class="note">"Where calls are sampled, durations are of the spans that were recorded, each counted once; counts, rates and failed shares are of the calls these stand for."</p> }.into_any())
}

/// The list of this page as a file: the same question, as many rows as a file may have.
pub fn export_links(frame: &Frame, list: &str) -> AnyView {
    let link = |format: &str| {
        let pairs: Vec<(&str, &str)> = frame
            .params
            .iter()
            .filter(|(key, _)| key != "cursor" && key != "limit")
            .map(|(key, value)| (key.as_str(), value.as_str()))
            .collect();
        href(&format!("/export/{list}.{format}"), &pairs)
    };
    view! { <p class="note">"Export " <a href=link("csv") download>"CSV"</a> " · " <a href=link("json") download>"JSON"</a></p> }.into_any()
}
