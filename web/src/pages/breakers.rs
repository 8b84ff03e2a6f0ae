//! `/breakers`: what is known of circuit breakers. Transitions with the trace that tripped each.

use leptos::prelude::*;
use tripline_storage::model::{BreakerTransition, Page};

use crate::parts::{Frame, list_note, moment, nothing, positive, service_link};

/// The page.
pub fn breakers(page: &Page<BreakerTransition>, frame: &Frame) -> AnyView {
    let body = if page.items.is_empty() {
        nothing(
            "No evidence of a circuit breaker has arrived in this range.",
            "Breakers are known by the telemetry they or their libraries send: state changes as spans, logs or metrics.",
        )
    } else {
        let rows = page
            .items
            .iter()
            .map(|transition| row(transition, frame))
            .collect_view();
        view! {
            <div class="scroll"><table class="list">
                <thead><tr><th>"Time"</th><th>"Service"</th><th>"Breaker"</th><th>"From"</th><th>"To"</th><th>"Why"</th></tr></thead>
                <tbody>{rows}</tbody>
            </table></div>
            {list_note(page, "transitions, newest first", frame)}
        }
        .into_any()
    };
    view! { <h1 class="visually-hidden">"Breakers"</h1><section class="panel"><div class="panel-head"><h2>"Breakers"</h2>{frame.how("SELECT * FROM breakers ORDER BY since DESC")}</div>{body}</section> }.into_any()
}

fn row(transition: &BreakerTransition, frame: &Frame) -> AnyView {
    view! {
        <tr>
            <td class="nowrap">{moment(positive(Some(transition.time_unix_nano)), frame)}</td>
            <td>{service_link(frame, Some(&transition.service_name))}</td>
            <td>{transition.name.clone()}</td>
            <td class="quiet">{transition.from_state.clone().unwrap_or_else(|| "unknown".to_owned())}</td>
            <td><b>{transition.to_state.clone()}</b></td>
            <td>{transition.reason.clone().unwrap_or_else(|| "not reported".to_owned())}</td>
        </tr>
    }
    .into_any()
}
