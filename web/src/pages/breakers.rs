//! `/breakers`: every breaker that is known, those that refuse first, with the trace that tripped each.

use leptos::prelude::*;
use tripline_storage::model::{Breaker, Page};

use crate::parts::{Frame, list_note, nothing, positive, segment, service_link, since};

const SQL: &str = "SELECT service_name, name, key, peer_service, state, instances_open, instances, since, evidence\nFROM breakers\nORDER BY since DESC";

/// The page.
pub fn breakers(page: &Page<Breaker>, frame: &Frame) -> AnyView {
    let body = if page.items.is_empty() {
        nothing(
            "No evidence of a circuit breaker is stored.",
            "Breakers are known by the telemetry they or their libraries send: state changes as events or logs, states and outcomes on spans, gauges and counters.",
        )
    } else {
        let rows = page
            .items
            .iter()
            .map(|breaker| row(breaker, frame))
            .collect_view();
        view! {
            <div class="scroll"><table class="list">
                <thead><tr><th>"State"</th><th>"Service"</th><th>"Breaker"</th><th>"Guards"</th><th>"Since"</th><th>"Instances"</th><th>"Evidence"</th><th>"Tripped by"</th></tr></thead>
                <tbody>{rows}</tbody>
            </table></div>
            {list_note(page, "breakers, refusing first", frame)}
        }
        .into_any()
    };
    view! { <h1 class="visually-hidden">"Breakers"</h1><section class="panel"><div class="panel-head"><h2>"Breakers"</h2>{frame.how(SQL)}</div>{body}</section> }.into_any()
}

fn row(breaker: &Breaker, frame: &Frame) -> AnyView {
    let name = match &breaker.key {
        Some(key) => format!("{} / {key}", breaker.name),
        None => breaker.name.clone(),
    };
    let other = (breaker.pattern != "breaker")
        .then(|| view! { " " <span class="tag">{breaker.pattern.replace('_', " ")}</span> });
    let peer = breaker
        .peer_service
        .as_ref()
        .or(breaker.peer_address.as_ref())
        .cloned();
    let moment = since(positive(breaker.since_unix_nano), frame);
    let inferred = (!breaker.since_exact && breaker.since_unix_nano.is_some())
        .then(|| view! { <span class="quiet" title="Inferred, not reported">"≈ "</span> });
    let title = format!("{} % sure, by {}", breaker.confidence, breaker.origin);
    view! {
        <tr>
            <td class="nowrap">{state_mark(&breaker.state)}</td>
            <td>{service_link(frame, Some(&breaker.service_name))}</td>
            <td>{name}{other}</td>
            <td>{peer.map_or_else(|| view! { <span class="quiet">"not known"</span> }.into_any(), |peer| view! { {peer} }.into_any())}</td>
            <td class="nowrap">{inferred}{moment}</td>
            <td class="num">{format!("{} of {} open", breaker.instances_open, breaker.instances)}</td>
            <td class="quiet" title=title>{breaker.evidence.replace('_', " ")}</td>
            <td>{trip_link(breaker, frame)}</td>
        </tr>
    }
    .into_any()
}

fn trip_link(breaker: &Breaker, frame: &Frame) -> AnyView {
    let Some(trip) = &breaker.last_trip else {
        return view! { <span class="quiet">"no trace"</span> }.into_any();
    };
    let span = trip.span_id.as_deref().unwrap_or_default();
    let params: &[(&str, &str)] = if span.is_empty() {
        &[]
    } else {
        &[("span", span)]
    };
    let link = frame.link(&format!("/traces/{}", segment(&trip.trace_id)), params);
    let short: String = trip.trace_id.chars().take(8).collect();
    let inferred = (trip.trace_evidence.as_deref() != Some("exact"))
        .then(|| view! { " " <span class="tag">{trip.trace_evidence.clone().unwrap_or_else(|| "inferred".to_owned())}</span> });
    view! { <a href=link><code class="id">{short}</code></a>{inferred} }.into_any()
}

/// A state as a word with its shape: told apart without colour.
pub(super) fn state_mark(state: &str) -> AnyView {
    let glyph = match state {
        "closed" => "●",
        "open" => "○",
        "half_open" => "◐",
        "forced_open" => "⊗",
        "disabled" => "⊘",
        "metrics_only" => "◌",
        "saturated" => "◆",
        "throttling" => "◇",
        "stale" => "…",
        _ => "?",
    };
    let class = format!("breaker-state {}", severity(state));
    view! { <span class=class><span aria-hidden="true">{glyph}</span>" "{state.replace('_', " ")}</span> }.into_any()
}

/// `bad` while it refuses, `warn` while it doubts or nobody knows, else `fine`.
pub(super) fn severity(state: &str) -> &'static str {
    match state {
        "open" | "forced_open" => "bad",
        "half_open" | "saturated" | "throttling" | "unknown" => "warn",
        "stale" | "disabled" | "metrics_only" => "quiet",
        _ => "fine",
    }
}

#[cfg(test)]
mod tests {
    use tripline_storage::model::TripTrace;

    use super::*;

    #[test]
    fn hostile_names_are_escaped_and_the_trip_is_linked() {
        let breaker = Breaker {
            service_name: "<script>".to_owned(),
            name: "\"><img src=x>".to_owned(),
            pattern: "breaker".to_owned(),
            state: "open".to_owned(),
            instances: 3,
            instances_open: 2,
            last_trip: Some(TripTrace {
                trace_id: "ab".repeat(16),
                span_id: Some("cd".repeat(8)),
                trace_evidence: Some("exact".to_owned()),
                time_unix_nano: 1,
            }),
            ..Breaker::default()
        };
        let html = breakers(&Page::whole(vec![breaker]), &Frame::default()).to_html();
        assert!(
            !html.contains("<script>") && !html.contains("<img"),
            "{html}"
        );
        assert!(html.contains(&format!(
            "/traces/{}?span={}",
            "ab".repeat(16),
            "cd".repeat(8)
        )));
        assert!(html.contains("2 of 3 open"));
    }

    #[test]
    fn without_breakers_the_page_says_what_would_show_them() {
        let html = breakers(&Page::default(), &Frame::default()).to_html();
        assert!(html.contains("No evidence of a circuit breaker is stored."));
    }
}
