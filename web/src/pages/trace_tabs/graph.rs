//! The services of one trace, and how often one called the other in it.

use std::collections::BTreeMap;

use leptos::prelude::*;
use tripline_storage::model::{
    Basis, EdgeKind, Graph, GraphEdge, GraphNode, NodeKind, Scope, SpanRecord, TraceDetail,
};

use super::without_spans;
use crate::frame::Frame;
use crate::pages::graph::trace_picture;

/// Who called whom in this trace.
pub(in crate::pages) fn trace_graph(trace: &TraceDetail, frame: &Frame) -> AnyView {
    let graph = graph_of(&trace.spans);
    if graph.nodes.is_empty() {
        return without_spans(false);
    }
    view! {
        <p class="quiet">"Services of this trace; an edge says how often one called the other here."</p>
        <div class="scroll">{trace_picture(&graph, frame)}</div>
    }
    .into_any()
}

/// A service of a trace: the same name in another scope is another one.
type Service<'a> = (&'a str, &'a Scope);

fn service_of(span: &SpanRecord) -> Service<'_> {
    (span.service_name.as_deref().unwrap_or(""), &span.scope)
}

fn graph_of(spans: &[SpanRecord]) -> Graph {
    let mut by_id: BTreeMap<&str, Vec<&SpanRecord>> = BTreeMap::new();
    for span in spans {
        by_id.entry(&span.span_id).or_default().push(span);
    }
    let mut nodes: BTreeMap<Service<'_>, (u64, u64)> = BTreeMap::new();
    let mut edges: BTreeMap<(Service<'_>, Service<'_>, bool), (u64, u64)> = BTreeMap::new();
    for span in spans {
        let failed = u64::from(span.status_code == "error");
        let service = service_of(span);
        let node = nodes.entry(service).or_default();
        *node = (node.0 + 1, node.1 + failed);
        let parent = parent_of(span, &by_id);
        if let Some(parent) = parent.filter(|parent| service_of(parent) != service) {
            let is_async = span.kind == "consumer" || parent.kind == "producer";
            let edge = edges
                .entry((service_of(parent), service, is_async))
                .or_default();
            *edge = (edge.0 + 1, edge.1 + failed);
        }
    }
    let places: BTreeMap<Service<'_>, usize> = nodes
        .keys()
        .enumerate()
        .map(|(at, service)| (*service, at))
        .collect();
    let edges = edges
        .iter()
        .map(|((caller, callee, is_async), (calls, errors))| GraphEdge {
            caller: places[caller],
            callee: places[callee],
            kind: EdgeKind::Service,
            is_async: *is_async,
            calls: *calls,
            errors: *errors,
            weight: *calls as f64,
            error_weight: *errors as f64,
            basis: Basis::All,
            latency: Default::default(),
            breakers: Vec::new(),
        })
        .collect::<Vec<_>>();
    Graph {
        total_edges: edges.len() as u64,
        edges,
        nodes: nodes
            .iter()
            .map(|((name, scope), (calls, errors))| GraphNode {
                scope: (*scope).clone(),
                name: if name.is_empty() {
                    "unnamed".to_owned()
                } else {
                    (*name).to_owned()
                },
                kind: NodeKind::Service,
                inferred: false,
                calls: *calls,
                errors: *errors,
                weight: *calls as f64,
                error_weight: *errors as f64,
                requests: None,
                latency: Default::default(),
                has_proxy: false,
                proxy_of: None,
            })
            .collect(),
        truncated: false,
    }
}

/// The span that caused this one. In Zipkin's manner both ends of a call share an id, so that an id may be that of
/// several: the server's end is then a child of the client's, and other spans are children of the end in their service.
fn parent_of<'a>(
    span: &SpanRecord,
    by_id: &BTreeMap<&str, Vec<&'a SpanRecord>>,
) -> Option<&'a SpanRecord> {
    let of_id = |id: &str| by_id.get(id).into_iter().flatten().copied();
    if span.kind == "server"
        && let Some(client) = of_id(&span.span_id).find(|other| other.kind == "client")
    {
        return Some(client);
    }
    let id = span.parent_span_id.as_deref()?;
    let parents = || of_id(id).filter(|parent| !std::ptr::eq(*parent, span));
    parents()
        .find(|parent| service_of(parent) == service_of(span))
        .or_else(|| parents().find(|parent| parent.kind == "server"))
        .or_else(|| parents().next())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_whose_ends_share_an_id_is_drawn_once() {
        let span = |service: &str, id: &str, parent: &str, kind: &str| SpanRecord {
            service_name: Some(service.to_owned()),
            span_id: id.to_owned(),
            parent_span_id: (!parent.is_empty()).then(|| parent.to_owned()),
            kind: kind.to_owned(),
            ..SpanRecord::default()
        };
        let mut spans = vec![
            span("shop", "1", "", "server"),
            span("shop", "2", "1", "client"),
            span("pay", "2", "1", "server"),
            span("pay", "3", "2", "internal"),
            span("pay", "4", "2", "client"),
            span("bank", "4", "2", "server"),
            // Its own parent, as some translations have it.
            span("bank", "5", "5", "internal"),
            // Each end has an id of its own.
            span("bank", "6", "4", "client"),
            span("vault", "7", "6", "server"),
        ];
        for order in ["as sent", "the other way"] {
            let graph = graph_of(&spans);
            let edges: Vec<(&str, &str, u64)> = graph
                .edges
                .iter()
                .map(|edge| {
                    let name = |at: usize| graph.nodes[at].name.as_str();
                    (name(edge.caller), name(edge.callee), edge.calls)
                })
                .collect();
            assert_eq!(
                edges,
                [("bank", "vault", 1), ("pay", "bank", 1), ("shop", "pay", 1)],
                "{order}"
            );
            spans.reverse();
        }
    }

    #[test]
    fn a_call_to_the_same_name_in_another_scope_is_an_edge_between_two_boxes() {
        let span = |environment: &str, id: &str, parent: Option<&str>, kind: &str| SpanRecord {
            service_name: Some("cart".to_owned()),
            scope: Scope {
                environment: Some(environment.to_owned()),
                ..Scope::default()
            },
            span_id: id.to_owned(),
            parent_span_id: parent.map(str::to_owned),
            kind: kind.to_owned(),
            ..SpanRecord::default()
        };
        let spans = [
            span("prod", "1", None, "client"),
            // Both ends of the call share an id, and what follows is of one of them.
            span("canary", "1", None, "server"),
            span("canary", "2", Some("1"), "internal"),
        ];
        let graph = graph_of(&spans);
        let places: Vec<&Scope> = graph.nodes.iter().map(|node| &node.scope).collect();
        assert_eq!(places, [&spans[1].scope, &spans[0].scope]);
        let edges: Vec<(usize, usize, u64)> = graph
            .edges
            .iter()
            .map(|edge| (edge.caller, edge.callee, edge.calls))
            .collect();
        assert_eq!(edges, [(1, 0, 1)]);
        let html = trace_picture(&graph, &Frame::default()).to_html();
        for words in [
            "cart (canary): 2 spans",
            "cart (prod) → cart (canary): 1 passed",
        ] {
            assert!(html.contains(words), "{words}\n{html}");
        }
    }
}
