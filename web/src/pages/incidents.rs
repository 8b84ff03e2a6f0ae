//! `/incidents`: trips that belong together, newest first; and the strip of them on the overview.

use leptos::prelude::*;
use tripline_storage::model::{Incident, IncidentBreaker, Page, Recovery};

use super::breaker_marks::state_mark;
use crate::address::segment;
use crate::frame::Frame;
use crate::parts::{list_note, moment, narrowed, nothing, positive, service_link};
use crate::units;

/// The page.
pub fn incidents(page: &Page<Incident>, frame: &Frame) -> AnyView {
    let body = if page.items.is_empty() {
        let none = nothing(
            "No breaker tripped in this range.",
            "An incident is made of trips linked in time and call path; widen the range to see older ones.",
        );
        view! { {none}{narrowed(frame)} }.into_any()
    } else {
        view! { {table(&page.items, frame)} {list_note(page, "incident", "newest first", frame)} }
            .into_any()
    };
    view! {
        <h1 class="visually-hidden">"Incidents"</h1>
        <section class="panel" id="incidents" data-live><div class="panel-head"><h2>"Incidents"</h2>{frame.how(SQL)}</div>{body}</section>
    }
    .into_any()
}

const SQL: &str = "SELECT time, service_name, name, key, reason, trace_id\nFROM breaker_transitions\nWHERE to_state = 'open' AND from_state = 'closed'\nORDER BY time DESC";

fn table(items: &[Incident], frame: &Frame) -> AnyView {
    let rows = items
        .iter()
        .map(|incident| {
            let link = link(incident, frame);
            let root = incident.root.as_ref().map(|root| root.service.clone());
            view! {
                <tr>
                    <td class="nowrap">{moment(positive(Some(incident.start_unix_nano)), frame)}</td>
                    <td class="nowrap">{state_of(incident)}</td>
                    <td class="wide folds-main"><a data-row href=link>{chain(incident)}</a></td>
                    <td data-head="likely root">{service_link(frame, root.as_deref())}</td>
                    <td class="num" data-head="trips">{units::count(u64::from(incident.trips))}</td>
                    <td class="num" data-head="lasted">{length(incident, frame)}</td>
                </tr>
            }
        })
        .collect_view();
    view! {
        <div class="scroll"><table class="list folds">
            <thead><tr><th>"Began"</th><th>"State"</th><th>"Breakers in order"</th><th>"Likely root"</th><th class="num">"Trips"</th><th class="num">"Lasted"</th></tr></thead>
            <tbody>{rows}</tbody>
        </table></div>
    }
    .into_any()
}

/// The strip on the overview: what refuses now, and what did lately. Nothing when nothing did.
pub(super) fn strip(page: &Page<Incident>, frame: &Frame) -> Option<AnyView> {
    const SHOWN: usize = 5;
    if page.items.is_empty() {
        return None;
    }
    let mut items: Vec<&Incident> = page.items.iter().collect();
    items.sort_by_key(|incident| incident.end_unix_nano.is_some());
    let going_on = items
        .iter()
        .filter(|incident| incident.end_unix_nano.is_none())
        .count();
    let cards = items
        .iter()
        .take(SHOWN)
        .map(|incident| {
            let class = if incident.end_unix_nano.is_none() { "incident bad" } else { "incident" };
            let root = incident
                .root
                .as_ref()
                .map(|root| format!("likely root: {}", root.service));
            view! {
                <a class=class href=link(incident, frame)>
                    <span>{state_of(incident)} " " {moment(positive(Some(incident.start_unix_nano)), frame)}</span>
                    <strong>{chain(incident)}</strong>
                    <span class="quiet">{root.unwrap_or_else(|| "root not known".to_owned())} " · " <span class="nowrap">{units::counted(u64::from(incident.trips), "trip")}</span> " · " <span class="nowrap">{length(incident, frame)}</span></span>
                </a>
            }
        })
        .collect_view();
    let all = frame.link("/incidents", &[]);
    let title = match going_on {
        0 => "Incidents: none going on".to_owned(),
        more => format!("Incidents: {more} going on"),
    };
    Some(
        view! {
            <section class="panel" id="incident-strip" data-live aria-label="Incidents">
                <div class="panel-head"><h2>{title}</h2><a href=all>{format!("all {}", page.total.unwrap_or(page.items.len() as u64))}</a></div>
                <div class="incidents">{cards}</div>
            </section>
        }
        .into_any(),
    )
}

/// Where an incident's page is.
pub(super) fn link(incident: &Incident, frame: &Frame) -> String {
    frame.link(
        &format!("/incidents/{}", segment(&incident.incident_id)),
        &[],
    )
}

/// `payment → psp, checkout → payment and 3 more`.
pub(super) fn chain(incident: &Incident) -> String {
    const NAMED: usize = 3;
    let named: Vec<String> = incident.breakers.iter().take(NAMED).map(edge_of).collect();
    let rest = incident.breakers.len().saturating_sub(NAMED);
    match rest {
        0 => named.join(", "),
        rest => format!("{} and {rest} more", named.join(", ")),
    }
}

/// `checkout → payment`, or the breaker's name where its callee is not known.
pub(super) fn edge_of(breaker: &IncidentBreaker) -> String {
    let key = breaker
        .key
        .as_ref()
        .map(|key| format!(" / {key}"))
        .unwrap_or_default();
    let callee = breaker.peer.as_ref().unwrap_or(&breaker.name);
    format!("{} → {callee}{key}", breaker.service_name)
}

fn state_of(incident: &Incident) -> AnyView {
    match incident.state.as_str() {
        "recovered" => view! { <span class="breaker-state fine"><span aria-hidden="true">"●"</span>" recovered"</span> }.into_any(),
        "probing" => state_mark("half_open"),
        // It ended with a breaker of which nothing is heard any more.
        "silent" => state_mark("stale"),
        _ => state_mark("open"),
    }
}

/// A verdict in the words of pages: what is heard of no more is stale, of a breaker as of an incident.
pub(super) fn verdict_word(recovery: &Recovery) -> &str {
    match recovery.verdict.as_str() {
        "silent" => "stale",
        word => word,
    }
}

/// How long it lasted, or lasts.
pub(super) fn length(incident: &Incident, frame: &Frame) -> String {
    let start = u64::try_from(incident.start_unix_nano).unwrap_or(0);
    match positive(incident.end_unix_nano) {
        Some(end) => units::duration(end.saturating_sub(start)),
        None => format!(
            "{} so far",
            units::duration(frame.now_ns.saturating_sub(start))
        ),
    }
}
