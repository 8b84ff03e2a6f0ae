//! A graph as a drawing: boxes in layers, flows between them, labels where there is room.

use leptos::prelude::*;
use tripline_storage::model::{EdgeBreaker, Graph, GraphEdge, GraphNode, NodeKind};

use super::table::scopes_told;
use super::{Flow, labels};
use crate::address::name_segment;
use crate::frame::Frame;
use crate::layout::{NODE_HEIGHT, NODE_WIDTH, Picture, Place, layered};
use crate::pages::breaker_marks::path_of;
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

/// `seconds` is what rates are over; `None` draws counts.
fn drawing(graph: &Graph, seconds: Option<f64>, frame: &Frame) -> AnyView {
    let told = scopes_told(graph, frame);
    // Inferred peers sort after services of the same layer: drawn apart.
    let names: Vec<String> = graph
        .nodes
        .iter()
        .map(|n| {
            let kind = if n.inferred { "~" } else { "" };
            format!("{kind}{} {}", n.name, told.place(&n.scope))
        })
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
        .map(|edge| edge_line(edge, graph, &places, told))
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
        .map(|(node, place)| node_box(node, *place, seconds, told, frame))
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
            let instances = units::counted(u64::from(breaker.instances), "instance");
            let does = if is_ejection(&breaker.pattern) { "ejecting" } else { "open" };
            let title = format!("{} of {instances} {does}", breaker.instances_open);
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

/// The worst breaker of an edge in few words. The arrow ends at the callee: a breaker named after it needs no second
/// name.
fn breaker_words(edge: &GraphEdge, worst: &EdgeBreaker, callee: &str) -> String {
    let words = words_of_edge(worst);
    let alike = edge
        .breakers
        .iter()
        .filter(|breaker| words_of_edge(breaker) == words);
    let (alike, all) = (alike.count(), edge.breakers.len());
    let more = match all {
        1 => String::new(),
        _ if alike == all => format!(" (all {all})"),
        _ => format!(" ({alike} of {all})"),
    };
    let state = format!("{} {words}", glyph_of_edge(worst));
    let text = if worst.name == callee || (alike == all && all > 1) {
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

/// Characters of a box's second line, and of its third.
const DETAIL_MAX: usize = 25;

fn node_box(
    node: &GraphNode,
    place: Place,
    seconds: Option<f64>,
    told: ScopeParts,
    frame: &Frame,
) -> AnyView {
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
    let detail = detail
        .iter()
        .find(|text| text.chars().count() <= DETAIL_MAX);
    let detail = detail.cloned().unwrap_or(amount);
    let beside = match &node.proxy_of {
        Some(application) => format!("; the sidecar of {application}"),
        None if node.has_proxy => "; its sidecar's spans are folded into it".to_owned(),
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
        let text = shortened_inside(&lives_in, DETAIL_MAX);
        view! { <text x=place.x + 23.0 y=place.y + 44.0 class="node-detail">{text}</text> }
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
            <text x=place.x + 23.0 y=place.y + name_y class="node-name">{shortened(&node.name, 20)}</text>
            <text x=place.x + 23.0 y=place.y + detail_y class="node-detail">{shortened(&detail, DETAIL_MAX)}</text>
            {lives_in}
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

/// The same in the middle: of `prod / eu-west-1` and `prod / eu-west-2` either end may be what differs.
fn shortened_inside(text: &str, max: usize) -> String {
    let characters: Vec<char> = text.chars().collect();
    if characters.len() <= max {
        return text.to_owned();
    }
    let before = (max - 1) / 2;
    let after = max - 1 - before;
    let (start, end) = (
        &characters[..before],
        &characters[characters.len() - after..],
    );
    start.iter().chain(&['…']).chain(end).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_that_is_too_long_keeps_both_ends() {
        let told = |number: u32| {
            shortened_inside(
                &format!("production / payments / eu-west-{number}"),
                DETAIL_MAX,
            )
        };
        assert_eq!(told(1), "production /… / eu-west-1");
        assert_ne!(told(1), told(2));
        assert_eq!(shortened_inside("prod / eu-1", DETAIL_MAX), "prod / eu-1");
    }
}
