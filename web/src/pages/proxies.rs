//! Proxies beside applications: folded into the services they stand beside, or shown.

use std::collections::BTreeSet;

use leptos::prelude::*;
use tripline_storage::model::{Graph, GraphEdge, NodeKind, Scope, ServiceSummary};

use crate::frame::Frame;
use crate::parts::{place, service_link};
use crate::units;

/// Names a line has room for.
const NAMES_MAX: usize = 8;

/// A service: the same name in two scopes is two of them.
type Key<'a> = (&'a Scope, &'a str);

/// Services beside which proxies sent spans, in the service's name or in one of their own.
pub(super) fn beside(services: &[ServiceSummary]) -> BTreeSet<Key<'_>> {
    let known: Vec<Key<'_>> = services
        .iter()
        .filter(|service| service.proxy_of.is_none())
        .map(key_of)
        .collect();
    let with_names = services.iter().filter_map(|service| {
        let application = service.proxy_of.as_deref()?;
        Some(application_of(&service.scope, application, &known))
    });
    with_names.chain(folded_in(services)).collect()
}

/// Services whose proxies sent spans in the service's name.
pub(super) fn folded_in(services: &[ServiceSummary]) -> BTreeSet<Key<'_>> {
    services
        .iter()
        .filter(|service| service.proxy.is_some())
        .map(key_of)
        .collect()
}

fn key_of(service: &ServiceSummary) -> Key<'_> {
    (&service.scope, service.service_name.as_str())
}

/// The same of a graph. A proxy with a box that calls touch is drawn, whoever asks: it is not folded.
pub(super) fn beside_nodes<'a>(graph: &'a Graph, frame: &Frame) -> BTreeSet<Key<'a>> {
    let known: Vec<Key<'_>> = graph
        .nodes
        .iter()
        .filter(|node| node.proxy_of.is_none() && node.kind == NodeKind::Service)
        .map(|node| (&node.scope, node.name.as_str()))
        .collect();
    let nodes = graph.nodes.iter().enumerate();
    nodes
        .filter_map(|(at, node)| match &node.proxy_of {
            None => node.has_proxy.then_some((&node.scope, node.name.as_str())),
            Some(_) if !frame.shows_proxies() && is_touched(graph, at) => None,
            Some(application) => Some(application_of(&node.scope, application, &known)),
        })
        .collect()
}

/// The application that a proxy stands beside: the one of its own scope if there is one, else one of its name.
fn application_of<'a>(scope: &'a Scope, name: &'a str, known: &[Key<'a>]) -> Key<'a> {
    let named = || known.iter().filter(move |(_, other)| *other == name);
    named()
        .find(|(other, _)| *other == scope)
        .or_else(|| named().next())
        .copied()
        .unwrap_or((scope, name))
}

/// Whether an edge begins or ends at a node.
fn is_touched(graph: &Graph, node: usize) -> bool {
    let mut edges = graph.edges.iter();
    edges.any(|edge| edge.caller == node || edge.callee == node)
}

/// How many proxies there are, what became of them, and the way to the other choice.
pub(super) fn line(services: &BTreeSet<Key<'_>>, frame: &Frame) -> Option<AnyView> {
    if services.is_empty() {
        return None;
    }
    let names = services
        .iter()
        .take(NAMES_MAX)
        .enumerate()
        .map(|(at, (scope, name))| {
            let is_twice = services.iter().filter(|(_, other)| other == name).count() > 1;
            let lives_in =
                is_twice.then(|| view! { " " <span class="quiet">{place(scope)}</span> });
            view! { {(at > 0).then_some(", ")}{service_link(frame, Some(*name))}{lives_in} }
        })
        .collect_view();
    let left = services.len().saturating_sub(NAMES_MAX);
    let more = (left > 0).then(|| format!(" and {left} more"));
    let (whose, them) = if services.len() == 1 {
        ("its service", "it")
    } else {
        ("their services", "them")
    };
    let (fate, word, choice) = if frame.shows_proxies() {
        ("shown beside", "fold", "")
    } else {
        ("folded into", "show", "show")
    };
    let sidecars = units::counted_are(services.len() as u64, "sidecar");
    let text = format!("{sidecars} {fate} {whose}: ");
    let link = frame.with(&[("proxies", choice)]);
    let word = format!("{word} {them}");
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
        if node.proxy_of.is_none() || is_touched(graph, at) {
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
