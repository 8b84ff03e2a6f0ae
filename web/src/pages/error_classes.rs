//! How calls failed around a trip: a row a class, with the trace that stands for it.

use leptos::prelude::*;
use tripline_storage::model::{ErrorClass, Incident};

use super::incidents::edge_of;
use crate::address::segment;
use crate::frame::Frame;
use crate::parts::{nothing, service_link};
use crate::units;

/// The classes of an incident's failed calls.
pub(super) fn class_table(classes: &[ErrorClass], incident: &Incident, frame: &Frame) -> AnyView {
    if classes.is_empty() {
        return nothing(
            "No failed call around the trip was kept.",
            "Sampling may have dropped them, or they have expired.",
        );
    }
    let rows = classes
        .iter()
        .map(|class| {
            let link = frame.link(
                &format!("/traces/{}", segment(&class.trace_id)),
                &[("span", &class.span_id)],
            );
            let edge = incident
                .breakers
                .iter()
                .find(|breaker| breaker.breaker_id == class.breaker_id)
                .map(edge_of);
            let label = if class.label == "similar" {
                "similar, inferred"
            } else {
                &class.label
            };
            view! {
                <tr>
                    <td class="folds-main"><a data-row href=link>{class.class.clone()}</a></td>
                    <td class="num" data-head="calls">{units::count(class.count)}</td>
                    <td class="nowrap">{edge}</td>
                    <td data-head="its trace"><span class="tag">{label.to_owned()}</span></td>
                    <td data-head="deepest failure">{service_link(frame, Some(&class.span_service))}</td>
                </tr>
            }
        })
        .collect_view();
    view! { <div class="scroll"><table class="list folds"><thead><tr><th>"Error"</th><th class="num">"Calls"</th><th>"Breaker"</th><th>"Its trace"</th><th>"Deepest failure"</th></tr></thead><tbody>{rows}</tbody></table></div> }.into_any()
}
