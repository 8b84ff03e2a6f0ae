//! The calls of a graph as a table: what the drawing says, for those who cannot see it or want it exact.

use leptos::prelude::*;
use tripline_storage::model::{Graph, GraphEdge, GraphNode};

use super::Flow;
use super::calls::{counted_note, kind_word, traces_of};
use crate::frame::Frame;
use crate::pages::breaker_marks::{named, path_of};
use crate::pages::ejection::mark_of_edge;
use crate::pages::last_week::{self, GraphThen};
use crate::parts::{
    ScopeParts, basis_note, basis_tag, durations_note, service_link_in, severity_of_share,
};
use crate::units;

/// The same numbers as a table, beside those of last week if there are any.
pub(in crate::pages) fn edge_table(
    graph: &Graph,
    then: Option<&GraphThen>,
    frame: &Frame,
) -> AnyView {
    let seconds = frame.seconds();
    let then = then.filter(|then| then.has_calls());
    let told = scopes_told(graph, frame);
    let rows = graph
        .edges
        .iter()
        .filter_map(|edge| {
            let (caller, callee) = (graph.nodes.get(edge.caller)?, graph.nodes.get(edge.callee)?);
            let flow = Flow::of(edge);
            let refused = edge.breakers.iter().any(|breaker| breaker.rejected.is_some()).then(|| units::count(flow.refused));
            let by_spans = edge.breakers.iter().any(|breaker| breaker.rejected_basis.as_deref() == Some("spans"));
            let by_spans = by_spans.then(|| view! { " " <span class="tag" title="Its breaker counts none: these are spans that say they were refused, sampling undone">"spans"</span> });
            let lost = flow.lost_share();
            let lost = view! { <span class=format!("share {}", severity_of_share(lost))>{units::percent(lost)}</span> };
            let rate = per_second(edge, seconds);
            let traces = traces_of(edge, (caller, callee), told, frame);
            let was = then.map(|then| (then, last_week::same_edge(edge, graph, &then.calls.same)));
            let was_rate = was.map(|(then, edge)| last_week::rate(rate, edge.map(|edge| per_second(edge, then.seconds))));
            let was = was.and_then(|(_, edge)| edge);
            let was_lost = was.map(|edge| last_week::share(Some(Flow::of(edge).lost_share())));
            let was_p95 = was.and_then(|was| last_week::latency(edge.latency.p95_ns, was.latency.p95_ns));
            Some(view! {
                <tr>
                    {ends(edge, (caller, callee), told, frame)}
                    <td class="num" data-head="calls"><a data-row href=traces title="Traces with these calls">{units::count(edge.calls)}</a></td><td class="num" data-head="rate">{units::rate(rate)} {basis_tag(edge.basis, edge.calls, edge.weight)}{was_rate}</td>
                    <td class="num" data-head="refused">{refused.unwrap_or_else(|| "–".to_owned())}{by_spans}</td><td class="num" data-head="failed or refused">{lost}{was_lost}</td>
                    <td class="num" data-head="p50">{units::duration_or_dash(edge.latency.p50_ns)}</td><td class="num" data-head="p95">{units::duration_or_dash(edge.latency.p95_ns)}{was_p95}</td>
                    <td class="num" data-head="p99">{units::duration_or_dash(edge.latency.p99_ns)}</td>
                    <td>{breakers_on(edge, caller, frame)}</td>
                </tr>
            })
        })
        .collect_view();
    view! {
        <div class="scroll"><table class="list folds">
            <thead><tr><th>"Caller"</th><th>"Callee"</th><th>"Kind"</th><th class="num">"Calls"</th><th class="num">"Rate"</th><th class="num">"Refused"</th><th class="num">"Failed or refused"</th>
            <th class="num">"p50"</th><th class="num">"p95"</th><th class="num">"p99"</th><th>"Breakers"</th></tr></thead>
            <tbody>{rows}</tbody>
        </table></div>
        {counted_note()}
        {basis_note(graph.edges.iter().map(|edge| edge.basis))}
        {durations_note(graph.edges.iter().map(|edge| edge.basis))}
    }
    .into_any()
}

/// What of their scopes tells the nodes of a graph apart.
pub(super) fn scopes_told(graph: &Graph, frame: &Frame) -> ScopeParts {
    ScopeParts::differing(graph.nodes.iter().map(|node| &node.scope)).or_stored(frame)
}

/// Who calls whom, and how: the first three cells of a row.
pub(super) fn ends(
    edge: &GraphEdge,
    (caller, callee): (&GraphNode, &GraphNode),
    told: ScopeParts,
    frame: &Frame,
) -> AnyView {
    let kind = kind_word(edge);
    let name = |node: &GraphNode| {
        let place = told.place(&node.scope);
        let place = (!place.is_empty()).then(|| view! { " " <span class="quiet">{place}</span> });
        let name = if node.inferred {
            node.name.clone().into_any()
        } else {
            service_link_in(frame, &node.scope, Some(&node.name))
        };
        let inferred = node
            .inferred
            .then(|| view! { " " <span class="tag">"inferred"</span> });
        view! { {name}{place}{inferred} }
    };
    view! { <td data-head="caller">{name(caller)}</td><td data-head="callee">{name(callee)}</td><td class="quiet">{kind}</td> }
        .into_any()
}

/// The breakers on an edge, each with its key and its state.
pub(super) fn breakers_on(edge: &GraphEdge, caller: &GraphNode, frame: &Frame) -> AnyView {
    edge.breakers
        .iter()
        .map(|breaker| {
            let path = path_of(&caller.name, &breaker.name, breaker.key.as_deref());
            let link = frame.link_in(&caller.scope, &path, &[]);
            view! { <span class="on-edge"><a href=link>{named(&breaker.name, breaker.key.as_deref())}</a> " " {mark_of_edge(breaker)}</span> " " }
        })
        .collect_view()
        .into_any()
}

/// Calls an edge stands for, a second.
pub(super) fn per_second(edge: &GraphEdge, seconds: f64) -> f64 {
    edge.counts().all() / seconds.max(1.0)
}
