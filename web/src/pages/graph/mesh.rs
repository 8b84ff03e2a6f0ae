//! The same calls as the sidecars of a mesh count them.

use leptos::prelude::*;
use tripline_storage::model::MeshCalls;

use crate::frame::Frame;
use crate::parts::{place, severity_of_share};
use crate::units;

/// A table of its own: applications and sidecars see one hop differently, and nobody may add the two up.
pub(super) fn table(calls: &[MeshCalls], frame: &Frame) -> Option<AnyView> {
    if calls.is_empty() || !frame.shows_proxies() {
        return None;
    }
    let seconds = frame.seconds().max(1.0);
    let rows = calls
        .iter()
        .map(|calls| {
            let failed = calls.counts().share();
            let by = if calls.by_caller {
                "the caller's sidecar"
            } else {
                "the callee's sidecar"
            };
            view! {
                <tr><td>{calls.caller.clone()}</td><td>{calls.callee.clone()}</td><td class="quiet">{by}</td><td class="quiet">{place(&calls.scope)}</td>
                <td class="num">{units::count(calls.calls)}</td><td class="num">{units::rate(calls.weight.max(calls.calls as f64) / seconds)}</td>
                <td class="num"><span class=format!("share {}", severity_of_share(failed))>{units::percent(failed)}</span></td>
                <td class="num">{units::duration_or_dash(calls.p95_ns)}</td></tr>
            }
        })
        .collect_view();
    Some(
        view! {
            <section class="panel" id="mesh" data-live><h2>"Calls as sidecars count them"</h2>
            <p class="note">"Above, a hop is counted by the applications' spans where they sent any. Here it is counted by the sidecar that sent it on, else by the one that let it in: retries of the mesh are calls here and no calls there."</p>
            <div class="scroll"><table class="list"><thead><tr><th>"Caller"</th><th>"Callee"</th><th>"Counted by"</th><th>"Scope"</th><th class="num">"Calls"</th><th class="num">"Rate"</th><th class="num">"Failed"</th><th class="num">"p95"</th></tr></thead><tbody>{rows}</tbody></table></div></section>
        }
        .into_any(),
    )
}
