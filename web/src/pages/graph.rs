//! `/graph`: who calls whom, how often, how well. Layers from callers to callees.

mod calls;
mod drawing;
mod flow;
mod gone;
mod labels;
mod lettering;
mod mesh;
mod scrubber;
mod table;
mod zoom;

use leptos::prelude::*;
use tripline_storage::model::{Graph, GraphEdge, GraphNode, MeshCalls};

pub(super) use self::drawing::{picture, picture_over, trace_picture};
use self::flow::Flow;
pub use self::scrubber::Scrubber;
pub(super) use self::table::edge_table;
use super::ejection::severity_of_edge;
use super::last_week::{self, GraphThen};
use super::proxies;
use crate::frame::Frame;
use crate::parts::{nothing_of, other_fields, rates_note, requests_note, severity_of_share};
use crate::units;

/// What the page shows.
#[derive(Debug, Clone, Default)]
pub struct GraphPage {
    /// The graph of the range, with the numbers of the chosen step if there is one.
    pub graph: Graph,
    /// The steps of the range.
    pub scrubber: Scrubber,
    /// The same time last week, if it is compared with.
    pub last_week: Option<GraphThen>,
    /// SQL of the calls.
    pub how: String,
    /// SQL of the requests in the boxes, as metrics count.
    pub how_requests: String,
    /// The calls as sidecars count them, if they are asked for.
    pub mesh: Vec<MeshCalls>,
}

/// The page.
pub fn graph(data: &GraphPage, frame: &Frame) -> AnyView {
    let asked = frame.param("top").and_then(|top| top.parse::<usize>().ok());
    let all = if frame.shows_proxies() {
        data.graph.clone()
    } else {
        proxies::folded(&data.graph)
    };
    let (graph, hidden) = &ranked(&all, asked);
    let compared = data
        .last_week
        .as_ref()
        .map(|then| last_week::note_of(then.has_calls(), then.bounds));
    let gone = data
        .last_week
        .as_ref()
        .and_then(|then| gone::table(then, frame));
    if graph.nodes.is_empty() {
        return view! { <h1 class="visually-hidden">"Graph"</h1><section class="panel" id="no-graph" data-live>{nothing_of("traces", "No calls in this range.", "Edges come from client and server spans that share a trace.", frame)}{compared}{gone}</section> }.into_any();
    }
    view! {
        <h1 class="visually-hidden">"Graph"</h1>
        <section class="panel" id="graph-panel" data-live>
            <div class="panel-head">
                <p class="quiet key"><span class="key-service">"service"</span><span class="key-peer">"inferred peer"</span><span class="key-async">"message"</span>
                <span class="key-flow passed">"passed"</span><span class="key-flow failed">"failed"</span><span class="key-flow refused">"refused"</span></p>
                {focus(frame)}
                {find(graph, *hidden, frame)}
                {zoom::links(frame)}
                <span id="graph-how" data-live>{frame.how(&data.how)}</span>
            </div>
            {scrubber::slider(&data.scrubber)}
            <div id="graph" data-live>
                {scrubber::strip(&data.scrubber, frame)}
                <div class="scroll" data-in-place>{picture(graph, frame)}</div>
            </div>
            <div id="graph-notes" data-live>
                {sidecars(&data.graph, frame)}
                {requests_note(graph.nodes.iter().map(|node| node.requests.as_ref()), "They are in the boxes; arrows and durations are of spans.", &data.how_requests, frame)}
                {data.scrubber.chosen.is_none().then(|| rates_note(frame))}
                {graph.truncated.then(|| view! { <p class="note amber">{format!("The {} busiest of {} edges are shown.", graph.edges.len(), graph.total_edges)}</p> })}
            </div>
        </section>
        <section class="panel" id="calls" data-live><h2>"Calls"</h2>{compared}{edge_table(graph, data.last_week.as_ref(), frame)}{gone}</section>
        {mesh::table(&data.mesh, frame)}
    }
    .into_any()
}

/// The `top` busiest edges, and every edge that fails or whose breaker is not closed; nodes without an edge go.
/// How many edges were left out.
fn ranked(graph: &Graph, top: Option<usize>) -> (Graph, usize) {
    let Some(top) = top.filter(|top| *top < graph.edges.len()) else {
        return (graph.clone(), 0);
    };
    let mut order: Vec<usize> = (0..graph.edges.len()).collect();
    order.sort_by_key(|at| std::cmp::Reverse((graph.edges[*at].calls, std::cmp::Reverse(*at))));
    let mut is_kept = vec![false; graph.edges.len()];
    for at in order.into_iter().take(top) {
        is_kept[at] = true;
    }
    let is_wrong = |edge: &GraphEdge| {
        severity_of_share(Flow::of(edge).lost_share()) == "bad"
            || edge
                .breakers
                .iter()
                .any(|breaker| severity_of_edge(breaker) != "fine")
    };
    let kept: Vec<&GraphEdge> = graph
        .edges
        .iter()
        .zip(is_kept)
        .filter(|(edge, is_kept)| *is_kept || is_wrong(edge))
        .map(|(edge, _)| edge)
        .collect();
    let mut places = vec![None; graph.nodes.len()];
    let mut nodes = Vec::new();
    for (at, node) in graph.nodes.iter().enumerate() {
        if kept
            .iter()
            .any(|edge| edge.caller == at || edge.callee == at)
        {
            places[at] = Some(nodes.len());
            nodes.push(node.clone());
        }
    }
    let edges: Vec<GraphEdge> = kept
        .into_iter()
        .filter_map(|edge| {
            Some(GraphEdge {
                caller: places[edge.caller]?,
                callee: places[edge.callee]?,
                ..edge.clone()
            })
        })
        .collect();
    let hidden = graph.edges.len() - edges.len();
    let shown = Graph {
        nodes,
        edges,
        ..graph.clone()
    };
    (shown, hidden)
}

/// Which services have proxies beside them, and what the drawing does with those.
fn sidecars(graph: &Graph, frame: &Frame) -> Option<AnyView> {
    let line = proxies::line(&proxies::beside_nodes(graph, frame), frame)?;
    let drawn = frame.shows_proxies().then(|| view! { <p class="note">"A call through sidecars is one call and drawn between the applications. A sidecar has a box of its own where it sends under a name of its own."</p> });
    Some(view! { {line}{drawn} }.into_any())
}

/// Find a service, and hide all but the busiest edges.
fn find(graph: &Graph, hidden: usize, frame: &Frame) -> AnyView {
    let options = graph
        .nodes
        .iter()
        .map(|node| view! { <option value=node.name.clone()></option> })
        .collect_view();
    let tops = [
        ("", "all edges"),
        ("100", "100 busiest edges"),
        ("50", "50 busiest edges"),
        ("20", "20 busiest edges"),
    ]
    .iter()
    .map(|(value, word)| {
        let is_here = frame.param("top").unwrap_or_default() == *value;
        view! { <option value=*value selected=is_here>{*word}</option> }
    })
    .collect_view();
    let hidden =
        (hidden > 0).then(|| format!("{} hidden", units::counted(hidden as u64, "quieter edge")));
    let missed = frame.param("find").filter(|wanted| {
        let wanted = wanted.to_lowercase();
        let is_wanted = |node: &GraphNode| node.name.to_lowercase().contains(&wanted);
        !graph.nodes.iter().any(is_wanted)
    });
    let missed = missed.map(|wanted| {
        let back = frame.with(&[("find", "")]);
        view! { {format!("Nothing here is named {wanted}. ")}<a href=back>"Find no name"</a>" " }
    });
    view! {
        <form class="filters inline graph-find" id="graph-find" method="get" action=frame.path.clone() role="search" data-in-place>
            <span id="graph-fields" data-live hidden>{other_fields(frame, &["find", "top"])}</span>
            <input type="search" name="find" list="nodes" value=frame.param("find").unwrap_or_default().to_owned() placeholder="Find a service" aria-label="Find a service" autocomplete="off"/>
            <datalist id="nodes" data-live>{options}</datalist>
            <select name="top" aria-label="Edges shown">{tops}</select>
            <button class="button plain">"Show"</button>
            <span class="quiet" id="graph-hidden" data-live>{missed}{hidden}</span>
        </form>
    }
    .into_any()
}

fn focus(frame: &Frame) -> Option<AnyView> {
    let service = frame.param("service")?.to_owned();
    let all = frame.with(&[("service", "")]);
    Some(view! { <span class="tag" id="graph-around" data-live data-in-place>"around " {service} " " <a href=all aria-label="Show everything">"✕"</a></span> }.into_any())
}

#[cfg(test)]
mod tests {
    use tripline_storage::model::{Basis, EdgeKind, NodeKind};

    use super::*;

    fn sixty() -> Graph {
        let node = |n: usize| GraphNode {
            scope: Default::default(),
            name: format!("service-{n:02}"),
            kind: NodeKind::Service,
            inferred: false,
            calls: 10,
            errors: 0,
            weight: 10.0,
            error_weight: 0.0,
            requests: None,
            latency: Default::default(),
            has_proxy: false,
            proxy_of: None,
        };
        let edge = |n: usize| GraphEdge {
            caller: n * 7 % 60,
            callee: n * 13 % 60,
            kind: EdgeKind::Service,
            is_async: false,
            calls: 200 - n as u64,
            errors: if n == 199 { 1 } else { 0 },
            weight: 0.0,
            error_weight: 0.0,
            basis: Basis::All,
            latency: Default::default(),
            breakers: Vec::new(),
        };
        Graph {
            nodes: (0..60).map(node).collect(),
            edges: (0..200).map(edge).collect(),
            truncated: false,
            total_edges: 200,
        }
    }

    #[test]
    fn hiding_quiet_edges_never_hides_a_failing_one() {
        let (shown, hidden) = ranked(&sixty(), Some(20));
        assert_eq!((shown.edges.len(), hidden), (21, 179));
        assert!(
            shown.edges.iter().any(|edge| edge.errors == 1),
            "the quietest edge fails and stays"
        );
        assert!(
            shown
                .edges
                .iter()
                .all(|edge| edge.caller < shown.nodes.len() && edge.callee < shown.nodes.len())
        );
        assert_eq!(ranked(&sixty(), Some(500)).1, 0);
        assert_eq!(ranked(&sixty(), None).0, sixty());
    }
}
