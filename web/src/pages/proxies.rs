//! Proxies beside applications: folded into the services they stand beside, or shown.

use std::collections::BTreeSet;

use leptos::prelude::*;
use tripline_storage::model::{Graph, GraphEdge, ServiceSummary};

use crate::parts::{Frame, service_link};

/// Names a line has room for.
const NAMES_MAX: usize = 8;

/// Names of the services whose proxies sent spans.
pub(super) fn beside(services: &[ServiceSummary]) -> BTreeSet<&str> {
    services
        .iter()
        .filter_map(|service| match &service.proxy {
            Some(_) => Some(service.service_name.as_str()),
            None => service.proxy_of.as_deref(),
        })
        .collect()
}

/// The same of a graph.
pub(super) fn beside_nodes(graph: &Graph) -> BTreeSet<&str> {
    graph
        .nodes
        .iter()
        .filter_map(|node| {
            if node.has_proxy {
                Some(node.name.as_str())
            } else {
                node.proxy_of.as_deref()
            }
        })
        .collect()
}

/// How many proxies there are, what became of them, and the way to the other choice.
pub(super) fn line(services: &BTreeSet<&str>, frame: &Frame) -> Option<AnyView> {
    if services.is_empty() {
        return None;
    }
    let names = services
        .iter()
        .take(NAMES_MAX)
        .enumerate()
        .map(|(at, name)| view! { {(at > 0).then_some(", ")}{service_link(frame, Some(*name))} })
        .collect_view();
    let left = services.len().saturating_sub(NAMES_MAX);
    let more = (left > 0).then(|| format!(" and {left} more"));
    let (text, word, link) = match (frame.shows_proxies(), services.len()) {
        (false, 1) => (
            "1 sidecar is folded into its service: ".to_owned(),
            "show it",
            frame.with(&[("proxies", "show")]),
        ),
        (false, count) => (
            format!("{count} sidecars are folded into their services: "),
            "show them",
            frame.with(&[("proxies", "show")]),
        ),
        (true, 1) => (
            "1 sidecar is shown beside its service: ".to_owned(),
            "fold it",
            frame.with(&[("proxies", "")]),
        ),
        (true, count) => (
            format!("{count} sidecars are shown beside their services: "),
            "fold them",
            frame.with(&[("proxies", "")]),
        ),
    };
    Some(
        view! { <p class="note proxies">{text} {names} {more} ". " <a href=link>{word}</a></p> }
            .into_any(),
    )
}

/// The graph without the nodes of proxies that stand beside an application and that no call touches: their calls are
/// counted as the application's.
pub(super) fn folded(graph: &Graph) -> Graph {
    let mut places = vec![None; graph.nodes.len()];
    let mut nodes = Vec::with_capacity(graph.nodes.len());
    for (at, node) in graph.nodes.iter().enumerate() {
        let mut edges = graph.edges.iter();
        let is_touched = edges.any(|edge| edge.caller == at || edge.callee == at);
        if node.proxy_of.is_none() || is_touched {
            places[at] = Some(nodes.len());
            nodes.push(node.clone());
        }
    }
    let edges = graph
        .edges
        .iter()
        .filter_map(|edge| {
            Some(GraphEdge {
                caller: places[edge.caller]?,
                callee: places[edge.callee]?,
                ..edge.clone()
            })
        })
        .collect();
    Graph {
        nodes,
        edges,
        ..graph.clone()
    }
}
