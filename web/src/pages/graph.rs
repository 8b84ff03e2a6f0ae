//! `/graph`: who calls whom, how often, how well. Layers from callers to callees.

mod flow;
mod gone;
mod labels;
mod scrubber;
mod table;

use leptos::prelude::*;
use tripline_storage::model::{EdgeBreaker, Graph, GraphEdge, GraphNode, NodeKind};

use self::flow::Flow;
pub use self::scrubber::Scrubber;
pub(super) use self::table::edge_table;
use super::breakers::{glyph, page_of, severity};
use super::last_week::{self, GraphThen};
use super::proxies;
use crate::layout::{NODE_HEIGHT, NODE_WIDTH, Picture, Place, layered};
use crate::parts::{Frame, nothing, other_fields, segment, severity_of_share};
use crate::units;

/// Edges above which labels stand only where something is wrong; the rest say theirs on hover.
const LABELLED_EDGES_MAX: usize = 40;

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
        return view! { <h1 class="visually-hidden">"Graph"</h1><section class="panel">{nothing("No calls in this range.", "Edges come from client and server spans that share a trace.")}{compared}{gone}</section> }.into_any();
    }
    view! {
        <h1 class="visually-hidden">"Graph"</h1>
        <section class="panel">
            <div class="panel-head">
                <p class="quiet key"><span class="key-service">"service"</span><span class="key-peer">"inferred peer"</span><span class="key-async">"message"</span>
                <span class="key-flow passed">"passed"</span><span class="key-flow failed">"failed"</span><span class="key-flow refused">"refused"</span></p>
                {focus(frame)}
                {find(graph, *hidden, frame)}
                {frame.how(&data.how)}
            </div>
            {scrubber::slider(&data.scrubber)}
            <div id="graph" data-live>
                {scrubber::strip(&data.scrubber, frame)}
                <div class="scroll">{picture(graph, frame)}</div>
            </div>
            {sidecars(&data.graph, frame)}
            {graph.truncated.then(|| view! { <p class="note amber">{format!("The {} busiest of {} edges are shown.", graph.edges.len(), graph.total_edges)}</p> })}
        </section>
        <section class="panel"><h2>"Calls"</h2><div id="calls" data-live>{compared}{edge_table(graph, data.last_week.as_ref(), frame)}{gone}</div></section>
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
                .any(|breaker| severity(&breaker.state) != "fine")
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
    let line = proxies::line(&proxies::beside_nodes(graph), frame)?;
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
        ("", "all"),
        ("100", "100 busiest"),
        ("50", "50 busiest"),
        ("20", "20 busiest"),
    ]
    .iter()
    .map(|(value, word)| {
        let is_here = frame.param("top").unwrap_or_default() == *value;
        view! { <option value=*value selected=is_here>{*word}</option> }
    })
    .collect_view();
    let note =
        (hidden > 0).then(|| format!("{} hidden", units::counted(hidden as u64, "quieter edge")));
    view! {
        <form class="filters inline graph-find" method="get" action=frame.path.clone() role="search">
            {other_fields(frame, &["find", "top"])}
            <input type="search" name="find" list="nodes" value=frame.param("find").unwrap_or_default().to_owned() placeholder="Find a service" aria-label="Find a service" autocomplete="off"/>
            <datalist id="nodes">{options}</datalist>
            <select name="top" aria-label="Edges shown">{tops}</select>
            <button class="button plain">"Show"</button>
            <span class="quiet">{note}</span>
        </form>
    }
    .into_any()
}

fn focus(frame: &Frame) -> Option<AnyView> {
    let service = frame.param("service")?.to_owned();
    let all = frame.with(&[("service", "")]);
    Some(view! { <span class="tag">"around " {service} " " <a href=all aria-label="Show everything">"✕"</a></span> }.into_any())
}

/// The drawing alone; the service page uses it too.
pub(super) fn picture(graph: &Graph, frame: &Frame) -> AnyView {
    drawing(graph, Some(frame.seconds()), frame)
}

/// The drawing of one trace: calls, not rates.
pub(super) fn trace_picture(graph: &Graph, frame: &Frame) -> AnyView {
    drawing(graph, None, frame)
}

/// `seconds` is what rates are over; `None` draws counts.
fn drawing(graph: &Graph, seconds: Option<f64>, frame: &Frame) -> AnyView {
    // Inferred peers sort after services of the same layer: drawn apart.
    let names: Vec<String> = graph
        .nodes
        .iter()
        .map(|n| format!("{}{}", if n.inferred { "~" } else { "" }, n.name))
        .collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let pairs: Vec<(usize, usize)> = graph
        .edges
        .iter()
        .map(|edge| (edge.caller, edge.callee))
        .collect();
    let Picture {
        places,
        width,
        height,
    } = layered(&names, &pairs);
    let lines = graph
        .edges
        .iter()
        .map(|edge| edge_line(edge, graph, &places))
        .collect_view();
    let is_dense = graph.edges.len() > LABELLED_EDGES_MAX;
    let labelled: Vec<Label<'_>> = graph
        .edges
        .iter()
        .filter(|edge| {
            !is_dense || Flow::of(edge).lost_share() > 0.0 || worst_breaker(edge).is_some()
        })
        .map(|edge| Label::of(edge, graph, seconds))
        .collect();
    let asked: Vec<labels::Asked> = labelled.iter().map(|label| label.asked(&places)).collect();
    let labels = labelled
        .iter()
        .zip(labels::place(&asked, &places))
        .map(|(label, (x, y))| label.draw(x, y, frame))
        .collect_view();
    let nodes = graph
        .nodes
        .iter()
        .zip(&places)
        .map(|(node, place)| node_box(node, *place, seconds, frame))
        .collect_view();
    view! {
        <svg class="graph" width=width height=height viewBox=format!("0 0 {width} {height}") role="group" aria-label="Call graph; the table below has the same numbers">
            <defs><marker id="arrow" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="9" markerHeight="9" markerUnits="userSpaceOnUse" orient="auto"><path d="M0 0L8 4L0 8z" class="arrow"></path></marker></defs>
            {lines}{nodes}{labels}
        </svg>
    }
    .into_any()
}

/// The four points of an edge's curve.
fn curve(edge: &GraphEdge, places: &[Place]) -> [(f64, f64); 4] {
    let place = |node: usize| {
        places
            .get(node)
            .copied()
            .unwrap_or(Place { x: 0.0, y: 0.0 })
    };
    let (from, to) = (place(edge.caller), place(edge.callee));
    let (x1, y1) = (from.x + NODE_WIDTH, from.y + NODE_HEIGHT / 2.0);
    let (x2, y2) = (to.x, to.y + NODE_HEIGHT / 2.0);
    if x2 > x1 {
        let bend = ((x2 - x1) / 2.0).max(40.0);
        [(x1, y1), (x1 + bend, y1), (x2 - bend, y2), (x2, y2)]
    } else {
        // Back to an earlier layer, or to itself: around underneath.
        let low = y1.max(y2) + NODE_HEIGHT;
        [(x1, y1), (x1 + 60.0, low), (x2 - 60.0, low), (x2, y2)]
    }
}

fn edge_line(edge: &GraphEdge, graph: &Graph, places: &[Place]) -> AnyView {
    let flow = Flow::of(edge);
    let class = format!(
        "{}{}",
        if edge.is_async { " async" } else { "" },
        worst_breaker(edge)
            .map(|breaker| format!(" breaker-{}", severity(&breaker.state)))
            .unwrap_or_default()
    );
    let name = |node: usize| graph.nodes.get(node).map_or("", |node| node.name.as_str());
    let title = format!(
        "{} → {}: {} passed, {} failed, {} refused",
        name(edge.caller),
        name(edge.callee),
        units::count(flow.passed),
        units::count(flow.failed),
        units::count(flow.refused)
    );
    view! { <g><title>{title}</title>{flow.draw(curve(edge, places), &class)}</g> }.into_any()
}

/// The breaker of an edge that is shown: the worst of them.
fn worst_breaker(edge: &GraphEdge) -> Option<&EdgeBreaker> {
    let rank = |breaker: &&EdgeBreaker| match severity(&breaker.state) {
        "bad" => 0,
        "warn" => 1,
        "fine" => 2,
        _ => 3,
    };
    edge.breakers.iter().min_by_key(rank)
}

/// What stands at an edge.
struct Label<'a> {
    edge: &'a GraphEdge,
    caller: &'a str,
    rate: String,
    lost: Option<String>,
    p95: String,
    breaker: Option<(&'a EdgeBreaker, String)>,
}

impl<'a> Label<'a> {
    fn of(edge: &'a GraphEdge, graph: &'a Graph, seconds: Option<f64>) -> Self {
        let name = |node: usize| graph.nodes.get(node).map_or("", |node| node.name.as_str());
        let lost = Flow::of(edge).lost_share();
        let breaker = worst_breaker(edge)
            .map(|breaker| (breaker, breaker_words(edge, breaker, name(edge.callee))));
        Self {
            edge,
            caller: name(edge.caller),
            rate: amount(edge.weight.max(edge.calls as f64), edge.calls, seconds),
            lost: (lost > 0.0).then(|| format!(" · {}", units::percent(lost))),
            p95: edge
                .latency
                .p95_ns
                .map(|ns| format!(" · {}", units::duration(ns as u64)))
                .unwrap_or_default(),
            breaker,
        }
    }

    /// How much room it needs, and along which edge.
    fn asked(&self, places: &[Place]) -> labels::Asked {
        let length = |text: &str| text.chars().count();
        let first = length(&self.rate) + self.lost.as_deref().map_or(0, length) + length(&self.p95);
        let second = self.breaker.as_ref().map_or(0, |(_, text)| length(text));
        labels::Asked {
            curve: curve(self.edge, places),
            characters: first.max(second),
            lines: if second > 0 { 2 } else { 1 },
        }
    }

    fn draw(&self, x: f64, y: f64, frame: &Frame) -> AnyView {
        let class = severity_of_share(Flow::of(self.edge).lost_share());
        let lost = self
            .lost
            .clone()
            .map(|text| view! { <tspan class=class>{text}</tspan> });
        let breaker = self.breaker.as_ref().map(|(breaker, text)| {
            let title = format!("{} of {} instances open", breaker.instances_open, breaker.instances);
            let class = format!("edge-label breaker-state {}", severity(&breaker.state));
            let below = y + labels::LINE;
            let link = page_of(self.caller, &breaker.name, breaker.key.as_deref(), frame);
            view! { <a href=link class="edge-breaker"><title>{title}</title><text class=class x=x y=below text-anchor="middle">{text.clone()}</text></a> }
        });
        view! { <text class="edge-label" x=x y=y text-anchor="middle"><tspan>{self.rate.clone()}</tspan>{lost}<tspan class="quiet">{self.p95.clone()}</tspan></text>{breaker} }.into_any()
    }
}

/// The worst breaker of an edge in few words. The arrow ends at the callee: a breaker named after it needs no second
/// name.
fn breaker_words(edge: &GraphEdge, worst: &EdgeBreaker, callee: &str) -> String {
    let more = match edge.breakers.len() {
        1 => String::new(),
        all => format!(" (1 of {all})"),
    };
    let state = format!("{} {}", glyph(&worst.state), worst.state.replace('_', " "));
    let text = if worst.name == callee {
        format!("{state}{more}")
    } else {
        format!("{}: {state}{more}", worst.name)
    };
    let refused = match Flow::of(edge).refused {
        0 => String::new(),
        refused => format!(" · {} refused", units::count(refused)),
    };
    shortened(&text, 26) + &refused
}

fn node_box(node: &GraphNode, place: Place, seconds: Option<f64>, frame: &Frame) -> AnyView {
    let share = if node.calls == 0 {
        0.0
    } else {
        node.errors as f64 / node.calls as f64
    };
    let wanted = frame.param("find").map(str::to_lowercase);
    let is_found = wanted.is_some_and(|wanted| node.name.to_lowercase().contains(&wanted));
    let class = format!(
        "node {}{}{}",
        severity_of_share(share),
        if node.inferred { " peer" } else { "" },
        if is_found { " found" } else { "" }
    );
    let link = if node.inferred {
        frame.with(&[("service", &node.name)])
    } else {
        frame.link_in(
            &node.scope,
            &format!("/services/{}", segment(&node.name)),
            &[],
        )
    };
    let kind = match node.kind {
        NodeKind::Service if node.proxy_of.is_some() => "sidecar · ",
        NodeKind::Service => "",
        NodeKind::Database => "database · ",
        NodeKind::Messaging => "queue · ",
        NodeKind::External => "external · ",
    };
    let p95 = node
        .latency
        .p95_ns
        .map(|ns| format!(" · p95 {}", units::duration(ns as u64)))
        .unwrap_or_default();
    let detail = format!(
        "{kind}{}{p95}",
        amount(node.calls as f64, node.calls, seconds)
    );
    let beside = match &node.proxy_of {
        Some(application) => format!("; the sidecar of {application}"),
        None if node.has_proxy => "; its sidecar's spans are folded into it".to_owned(),
        None => String::new(),
    };
    let title = format!(
        "{}: {}, {} failed{beside}",
        node.name,
        units::counted(node.calls, "call"),
        units::count(node.errors)
    );
    // Where several environments send, boxes of one name are told apart.
    let environment = node
        .scope
        .environment
        .as_deref()
        .filter(|_| frame.scopes[0].len() > 1)
        .map(|name| view! { <tspan class="node-detail">{format!(" {}", shortened(name, 10))}</tspan> });
    let radius = if node.kind == NodeKind::Database {
        24
    } else {
        8
    };
    view! {
        <a href=link class=class>
            <title>{title}</title>
            <rect x=place.x y=place.y width=NODE_WIDTH height=NODE_HEIGHT rx=radius></rect>
            <rect class="node-mark" x=place.x + 10.0 y=place.y + 13.0 width="4" height=NODE_HEIGHT - 26.0 rx="2"></rect>
            <text x=place.x + 23.0 y=place.y + 22.0 class="node-name">{shortened(&node.name, 20)}{environment}</text>
            <text x=place.x + 23.0 y=place.y + 38.0 class="node-detail">{shortened(&detail, 27)}</text>
        </a>
    }
    .into_any()
}

/// A rate, or how many.
fn amount(weight: f64, calls: u64, seconds: Option<f64>) -> String {
    match seconds {
        Some(seconds) => units::rate(weight / seconds.max(1.0)),
        None => units::counted(calls, "span"),
    }
}

fn shortened(text: &str, max: usize) -> String {
    if text.chars().count() <= max {
        return text.to_owned();
    }
    let mut short: String = text.chars().take(max - 1).collect();
    short.push('…');
    short
}

#[cfg(test)]
mod tests {
    use tripline_storage::model::{Basis, EdgeKind};

    use super::*;

    fn sixty() -> Graph {
        let node = |n: usize| GraphNode {
            scope: Default::default(),
            name: format!("service-{n:02}"),
            kind: NodeKind::Service,
            inferred: false,
            calls: 10,
            errors: 0,
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

    #[test]
    fn the_same_graph_is_the_same_picture_whatever_its_order() {
        let graph = sixty();
        let names: Vec<&str> = graph.nodes.iter().map(|node| node.name.as_str()).collect();
        let pairs: Vec<(usize, usize)> = graph
            .edges
            .iter()
            .map(|edge| (edge.caller, edge.callee))
            .collect();
        let picture = layered(&names, &pairs);
        let mut shuffled = pairs.clone();
        shuffled.reverse();
        shuffled.rotate_left(17);
        assert_eq!(layered(&names, &shuffled), picture);
    }
}
