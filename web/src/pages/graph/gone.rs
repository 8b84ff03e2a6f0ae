//! Edges that had calls the same time last week and have none now: what a drawing of now cannot show.

use leptos::prelude::*;
use tripline_storage::model::{GraphEdge, Page};

use super::table::{breakers_on, ends, per_second, scopes_told};
use crate::frame::Frame;
use crate::pages::last_week::GraphThen;
use crate::parts::{error_share, list_note};
use crate::units;

/// Edges named.
const GONE_MAX: usize = 20;

/// The edges with their numbers of last week and their breakers of now: one that is open may be why.
pub(super) fn table(then: &GraphThen, frame: &Frame) -> Option<AnyView> {
    let graph = &then.calls.gone;
    if graph.edges.is_empty() {
        return None;
    }
    let told = scopes_told(graph, frame);
    let edges: Vec<&GraphEdge> = graph.edges.iter().take(GONE_MAX).collect();
    let rows = edges
        .iter()
        .filter_map(|edge| {
            let (caller, callee) = (graph.nodes.get(edge.caller)?, graph.nodes.get(edge.callee)?);
            Some(view! {
                <tr>
                    {ends(edge, (caller, callee), told, frame)}
                    <td class="num">{units::count(edge.calls)}</td><td class="num">{units::rate(per_second(edge, then.seconds))}</td>
                    <td class="num">{error_share(edge.counts())}</td>
                    <td class="num">{units::duration_or_dash(edge.latency.p95_ns)}</td>
                    <td>{breakers_on(edge, caller, frame)}</td>
                </tr>
            })
        })
        .collect_view();
    let listed = Page {
        truncated: (edges.len() as u64) < graph.total_edges,
        total: Some(graph.total_edges),
        items: edges,
        next: None,
    };
    Some(
        view! {
            <h3>"Called last week, but not now"</h3>
            <div class="scroll"><table class="list gone">
                <thead><tr><th>"Caller"</th><th>"Callee"</th><th>"Kind"</th><th class="num">"Calls then"</th><th class="num">"Rate then"</th>
                <th class="num">"Failed then"</th><th class="num">"p95 then"</th><th>"Breakers now"</th></tr></thead>
                <tbody>{rows}</tbody>
            </table></div>
            {list_note(&listed, "edge", "busiest then first", frame)}
        }
        .into_any(),
    )
}
