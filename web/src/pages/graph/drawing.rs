//! A graph as a drawing: boxes in layers, flows between them, labels where there is room.

use leptos::prelude::*;
use tripline_storage::model::{EdgeBreaker, Graph, GraphEdge, GraphNode, NodeKind};

use super::lettering::{NAME, SMALL};
use super::table::scopes_told;
use super::{Flow, labels, zoom};
use crate::address::name_segment;
use crate::frame::Frame;
use crate::layout::{NODE_HEIGHT, NODE_WIDTH, Node, Picture, Place, layered};
use crate::pages::breaker_marks::{named as breaker_name, path_of};
use crate::pages::ejection::{glyph_of_edge, is_ejection, severity_of_edge, words_of_edge};
use crate::parts::{ScopeParts, metrics_named, severity_of_share};
use crate::units;

/// Edges above which labels stand only where something is wrong; the rest say theirs on hover.
const LABELLED_EDGES_MAX: usize = 40;

/// The drawing alone; the service page uses it too.
pub(in crate::pages) fn picture(graph: &Graph, frame: &Frame) -> AnyView {
    picture_over(graph, frame.seconds(), frame)
}

/// The drawing of another time than the page's, so many seconds long.
pub(in crate::pages) fn picture_over(graph: &Graph, seconds: f64, frame: &Frame) -> AnyView {
    drawing(graph, Some(seconds), frame)
}

/// The drawing of one trace: calls, not rates.
pub(in crate::pages) fn trace_picture(graph: &Graph, frame: &Frame) -> AnyView {
    drawing(graph, None, frame)
}

/// The same graph in an order of its own, whichever it came in: what is busiest changes, and nothing moves for it.
fn in_order(graph: &Graph) -> Graph {
    let key = |at: usize| {
        let node = graph.nodes.get(at);
        node.map(|node| (&node.name, &node.scope, node.kind))
    };
    let mut order: Vec<usize> = (0..graph.nodes.len()).collect();
    order.sort_by_key(|at| key(*at));
    let mut places = vec![0; order.len()];
    for (place, at) in order.iter().enumerate() {
        places[*at] = place;
    }
    let place_of = |at: usize| places.get(at).copied();
    let mut edges: Vec<GraphEdge> = graph
        .edges
        .iter()
        .filter_map(|edge| {
            Some(GraphEdge {
                caller: place_of(edge.caller)?,
                callee: place_of(edge.callee)?,
                ..edge.clone()
            })
        })
        .collect();
    edges.sort_by_key(|edge| (edge.caller, edge.callee, edge.kind, edge.is_async));
    Graph {
        nodes: order.iter().map(|at| graph.nodes[*at].clone()).collect(),
        edges,
        ..*graph
    }
}

/// `seconds` is what rates are over; `None` draws counts.
fn drawing(graph: &Graph, seconds: Option<f64>, frame: &Frame) -> AnyView {
    let graph = &in_order(graph);
    let told = scopes_told(graph, frame);
    let names: Vec<String> = graph.nodes.iter().map(|node| named(node, told)).collect();
    let nodes: Vec<Node<'_>> = graph
        .nodes
        .iter()
        .zip(&names)
        .map(|(node, name)| Node {
            name,
            is_peer: node.inferred,
        })
        .collect();
    let pairs: Vec<(usize, usize)> = graph
        .edges
        .iter()
        .map(|edge| (edge.caller, edge.callee))
        .collect();
    let Picture {
        places,
        width,
        height,
    } = layered(&nodes, &pairs);
    let lines = graph
        .edges
        .iter()
        .map(|edge| edge_line(edge, graph, &places, told))
        .collect_view();
    let is_dense = graph.edges.len() > LABELLED_EDGES_MAX;
    let (asked, labelled): (Vec<labels::Asked>, Vec<Label<'_>>) = graph
        .edges
        .iter()
        .enumerate()
        .filter(|(_, edge)| {
            !is_dense || Flow::of(edge).lost_share() > 0.0 || worst_breaker(edge).is_some()
        })
        .map(|(at, edge)| {
            let label = Label::of(edge, graph, seconds);
            (label.asked(at), label)
        })
        .unzip();
    let strokes: Vec<labels::Stroke> = graph
        .edges
        .iter()
        .map(|edge| labels::Stroke {
            curve: curve(edge, &places),
            thickness: Flow::of(edge).width(),
        })
        .collect();
    let labels = labelled
        .iter()
        .zip(labels::place(&asked, &strokes, &places))
        .map(|(label, (x, y))| label.draw(x, y, frame))
        .collect_view();
    let nodes = places
        .iter()
        .enumerate()
        .map(|(at, place)| node_box((graph, at), *place, seconds, told, frame))
        .collect_view();
    let (class, shown_width, shown_height) = zoom::sized(width, height, frame);
    view! {
        <svg class=class width=shown_width height=shown_height viewBox=format!("0 0 {width} {height}") role="group" aria-label="Call graph; the table below has the same numbers">
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

fn edge_line(edge: &GraphEdge, graph: &Graph, places: &[Place], told: ScopeParts) -> AnyView {
    let flow = Flow::of(edge);
    let class = format!(
        "{}{}",
        if edge.is_async { " async" } else { "" },
        worst_breaker(edge)
            .map(|breaker| format!(" breaker-{}", severity_of_edge(breaker)))
            .unwrap_or_default()
    );
    let name = |node: usize| {
        let node = graph.nodes.get(node);
        node.map_or_else(String::new, |node| named(node, told))
    };
    let sample = if edge.counts().is_sample() {
        format!(" (sampled: {} recorded)", units::count(edge.calls))
    } else {
        String::new()
    };
    let title = format!(
        "{} → {}: {} passed, {} failed, {} refused{sample}",
        name(edge.caller),
        name(edge.callee),
        units::count(flow.passed.round() as u64),
        units::count(flow.failed.round() as u64),
        units::count(flow.refused)
    );
    view! { <g><title>{title}</title>{flow.draw(curve(edge, places), &class)}</g> }.into_any()
}

/// A node's name, with what of its scope tells it from others: `cart (prod)`.
fn named(node: &GraphNode, told: ScopeParts) -> String {
    match told.place(&node.scope) {
        place if place.is_empty() => node.name.clone(),
        place => format!("{} ({place})", node.name),
    }
}

/// The breaker of an edge that is shown: the worst of them, and all hosts before one of them.
fn worst_breaker(edge: &GraphEdge) -> Option<&EdgeBreaker> {
    let rank = |breaker: &&EdgeBreaker| {
        let worst = match severity_of_edge(breaker) {
            "bad" => 0,
            "warn" => 1,
            "fine" => 2,
            _ => 3,
        };
        (
            worst,
            is_ejection(&breaker.pattern) && breaker.key.is_some(),
        )
    };
    edge.breakers.iter().min_by_key(rank)
}

/// What stands at an edge.
struct Label<'a> {
    edge: &'a GraphEdge,
    caller: Option<&'a GraphNode>,
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
            caller: graph.nodes.get(edge.caller),
            rate: amount(edge.counts().all(), edge.calls, seconds),
            lost: (lost > 0.0).then(|| format!(" · {}", units::percent(lost))),
            p95: edge
                .latency
                .p95_ns
                .map(|ns| format!(" · {}", units::duration(ns as u64)))
                .unwrap_or_default(),
            breaker,
        }
    }

    /// How much room it needs; `at` says along which edge.
    fn asked(&self, at: usize) -> labels::Asked {
        let width = |text: &str| SMALL.width(text);
        let first = width(&self.rate) + self.lost.as_deref().map_or(0.0, width) + width(&self.p95);
        let second = self.breaker.as_ref().map(|(_, text)| width(text));
        labels::Asked {
            edge: at,
            width: first.max(second.unwrap_or(0.0)),
            lines: if second.is_some() { 2 } else { 1 },
        }
    }

    fn draw(&self, x: f64, y: f64, frame: &Frame) -> AnyView {
        let class = severity_of_share(Flow::of(self.edge).lost_share());
        let lost = self
            .lost
            .clone()
            .map(|text| view! { <tspan class=class>{text}</tspan> });
        let breaker = self.breaker.as_ref().map(|(breaker, text)| {
            let instances = units::counted(u64::from(breaker.instances), "instance");
            let does = if is_ejection(&breaker.pattern) { "ejecting" } else { "open" };
            let title = format!("{}: {} of {instances} {does}", named_breaker(breaker), breaker.instances_open);
            let class = format!("edge-label breaker-state {}", severity_of_edge(breaker));
            let below = y + labels::LINE;
            let link = self.caller.map(|caller| {
                let path = path_of(&caller.name, &breaker.name, breaker.key.as_deref());
                frame.link_in(&caller.scope, &path, &[])
            });
            view! { <a href=link class="edge-breaker"><title>{title}</title><text class=class x=x y=below text-anchor="middle">{text.clone()}</text></a> }
        });
        view! { <text class="edge-label" x=x y=y text-anchor="middle"><tspan>{self.rate.clone()}</tspan>{lost}<tspan class="quiet">{self.p95.clone()}</tspan></text>{breaker} }.into_any()
    }
}

fn named_breaker(breaker: &EdgeBreaker) -> String {
    breaker_name(&breaker.name, breaker.key.as_deref())
}

/// The worst breaker of an edge in few words, as many as there is room for. The arrow ends at the callee: a breaker named
/// after it needs no second name.
fn breaker_words(edge: &GraphEdge, worst: &EdgeBreaker, callee: &str) -> String {
    let words = words_of_edge(worst);
    let alike = |breaker: &&EdgeBreaker| words_of_edge(breaker) == words;
    let alike = edge.breakers.iter().filter(alike).count();
    let all = edge.breakers.len();
    let are_well = || {
        edge.breakers
            .iter()
            .all(|one| severity_of_edge(one) == "fine")
    };
    let (state, is_of_all) = match all {
        0 | 1 => (words.clone(), false),
        _ if alike == all => (format!("{words} (all {all})"), true),
        // Of several kinds, each with a word of its own for it.
        _ if are_well() => (format!("none of {all} refuses"), true),
        _ => (format!("{words} ({alike} of {all})"), false),
    };
    let glyph = glyph_of_edge(worst);
    let (refused, shortly) = match Flow::of(edge).refused {
        0 => (String::new(), String::new()),
        count => (
            format!(" · {} refused", units::count(count)),
            format!(" · {} refused", units::compact(count as f64)),
        ),
    };
    let whole = format!("{glyph} {state}{refused}");
    let needs_name = worst.name != callee && !is_of_all;
    let room = labels::ROOM - SMALL.width(&format!(": {whole}"));
    let name = SMALL.cut(&worst.name, room);
    // Of one letter nobody knows which it is.
    let is_told = name == worst.name || name.chars().count() > 2;
    let named = (needs_name && is_told).then(|| format!("{name}: {whole}"));
    named
        .into_iter()
        .chain([
            whole,
            format!("{glyph} {state}{shortly}"),
            format!("{glyph} {words}{shortly}"),
        ])
        .find(|text| SMALL.width(text) <= labels::ROOM)
        .unwrap_or_else(|| SMALL.cut(&format!("{glyph} {words}"), labels::ROOM))
}

/// Where the text of a box begins, from its left edge.
const TEXT_LEFT: f64 = 23.0;
/// Width of the text of a box: it ends before the box does.
const TEXT_ROOM: f64 = NODE_WIDTH - TEXT_LEFT - 6.0;

fn node_box(
    (graph, at): (&Graph, usize),
    place: Place,
    seconds: Option<f64>,
    told: ScopeParts,
    frame: &Frame,
) -> AnyView {
    let node = &graph.nodes[at];
    let counts = node.counts();
    let calls = counts.calls;
    let wanted = frame.param("find").map(str::to_lowercase);
    let is_found = wanted.is_some_and(|wanted| node.name.to_lowercase().contains(&wanted));
    let class = format!(
        "node {}{}{}",
        severity_of_share(counts.share()),
        if node.inferred { " peer" } else { "" },
        if is_found { " found" } else { "" }
    );
    let link = if node.inferred {
        let mut asked = told.parameters(&node.scope);
        asked.push(("service", &node.name));
        frame.with(&asked)
    } else {
        let path = format!("/services/{}", name_segment(&node.name));
        frame.link_in(&node.scope, &path, &[])
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
    // Metrics count every request; spans may be a sample.
    let amount = amount(counts.all(), calls, seconds);
    let detail = [format!("{kind}{amount}{p95}"), format!("{kind}{amount}")];
    let detail = detail.iter().find(|text| SMALL.width(text) <= TEXT_ROOM);
    let detail = detail.cloned().unwrap_or(amount);
    let beside = match &node.proxy_of {
        Some(application) => format!("; the sidecar of {application}"),
        None if node.has_proxy => "; its sidecar's spans are folded into it".to_owned(),
        None if is_waiting(graph, at) => {
            "; no span says who took these messages: nobody yet, or somebody who sends none"
                .to_owned()
        }
        None => String::new(),
    };
    let basis = match &node.requests {
        Some(requests) => format!(" ({})", metrics_named(requests)),
        None if counts.is_sample() => {
            let all = units::count(counts.all().round() as u64);
            format!(" (sampled: they stand for {all})")
        }
        None => String::new(),
    };
    let title = format!(
        "{}: {}, {} failed{basis}{p95}{beside}",
        named(node, told),
        units::counted(calls, if seconds.is_some() { "call" } else { "span" }),
        units::count(counts.errors)
    );
    // Where services live in several scopes, boxes of one name are told apart by a line of their own.
    let lives_in = told.place(&node.scope);
    let (name_y, detail_y) = if lives_in.is_empty() {
        (22.0, 38.0)
    } else {
        (17.0, 31.0)
    };
    let lives_in = (!lives_in.is_empty()).then(|| {
        let text = SMALL.cut_inside(&lives_in, TEXT_ROOM);
        view! { <text x=place.x + TEXT_LEFT y=place.y + 44.0 class="node-detail">{text}</text> }
    });
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
            <text x=place.x + TEXT_LEFT y=place.y + name_y class="node-name">{NAME.cut(&node.name, TEXT_ROOM)}</text>
            <text x=place.x + TEXT_LEFT y=place.y + detail_y class="node-detail">{SMALL.cut(&detail, TEXT_ROOM)}</text>
            {lives_in}
        </a>
    }
    .into_any()
}

/// Whether a node is a queue that messages go into and, as far as spans tell, none comes out of: a message that is taken
/// is drawn from its sender to who took it.
fn is_waiting(graph: &Graph, at: usize) -> bool {
    let node = &graph.nodes[at];
    let is_queue = node.kind == NodeKind::Messaging && node.inferred;
    is_queue && graph.edges.iter().all(|edge| edge.caller != at)
}

/// A rate, or how many.
fn amount(weight: f64, calls: u64, seconds: Option<f64>) -> String {
    match seconds {
        Some(seconds) => units::rate(weight / seconds.max(1.0)),
        None => units::counted(calls, "span"),
    }
}

#[cfg(test)]
mod tests;
