//! The call graph of a time range, alone or beside the calls of an earlier time.

mod between;
mod joined;

use std::collections::{BTreeMap, BTreeSet};

use duckdb::Connection;

use self::between::between;
use self::joined::{answered, join};
use super::breakers::{Guard, counted_guards, guards};
use super::requests::{Thinned, requests, thinned};
use super::{QueryError, Session, services};
use crate::model::{
    EarlierCalls, EdgeBreaker, EdgeKind, Graph, GraphEdge, GraphNode, GraphQuery, NodeKind,
    RequestCounts, Scope, ServiceOrder, ServicesQuery, TimeRange,
};
use crate::rollup::{EdgeCalls, Summed, Totals};
use crate::segment::kept::is_in;
use crate::store::SegmentSet;

/// Services drawn at most that calls between others pass through.
const BETWEEN_MAX: usize = 40;

/// Names a node: inferred peers stand apart from services by their kind.
type NodeKey = (Scope, String, NodeKind);
type EdgeKey = (NodeKey, NodeKey, EdgeKind, bool);

/// Nodes and edges of the range, from `service_edges` and `red`.
pub fn graph(session: &Session<'_>, query: &GraphQuery) -> Result<Graph, QueryError> {
    alone(session, query, None)
}

/// The graph of the range with the numbers and breaker states of a part of it: what was quiet then keeps its place.
pub fn graph_in_step(
    session: &Session<'_>,
    query: &GraphQuery,
    step: TimeRange,
) -> Result<Graph, QueryError> {
    alone(session, query, Some(step))
}

fn alone(
    session: &Session<'_>,
    query: &GraphQuery,
    step: Option<TimeRange>,
) -> Result<Graph, QueryError> {
    let (found, guards) = read(session, query, step)?;
    let shown = busiest(found.edges, query.edges_max);
    Ok(assemble(found.nodes, shown, &guards))
}

/// The graph of the range, or of a step of it, and the calls of an earlier time: of each edge that is shown, however
/// quiet it was, and of those that are called no more.
pub fn graph_beside(
    session: &Session<'_>,
    query: &GraphQuery,
    step: Option<TimeRange>,
    earlier: TimeRange,
) -> Result<(Graph, EarlierCalls), QueryError> {
    let (now, guards_now) = read(session, query, step)?;
    let asked = GraphQuery {
        range: earlier,
        ..query.clone()
    };
    let (mut then, guards_then) = session.run_concluded(|conn| {
        let set = session.set();
        Ok((edges(set, conn, &asked)?, guards(set, conn, earlier)?))
    })?;
    join(&mut then, &answered(&now.edges));
    then.retain(|_, edge| edge.totals.calls > 0);
    let total_edges = then.len() as u64;
    let called: BTreeSet<EdgeKey> = now
        .edges
        .iter()
        .filter(|(_, edge)| edge.totals.calls > 0)
        .map(|(key, _)| key.clone())
        .collect();
    let shown = busiest(now.edges, query.edges_max);
    let keys = shown.edges.iter().map(|(key, _)| key);
    // A step shows edges that it has no call of: these are compared, not gone.
    let same: BTreeMap<EdgeKey, Edge> = keys.filter_map(|key| then.remove_entry(key)).collect();
    then.retain(|key, _| !called.contains(key));
    let gone = busiest(then, query.edges_max);
    let calls = EarlierCalls {
        same: assemble(BTreeMap::new(), busiest(same, usize::MAX), &guards_then),
        gone: assemble(BTreeMap::new(), gone, &guards_now),
        total_edges,
    };
    Ok((assemble(now.nodes, shown, &guards_now), calls))
}

/// The calls of a range between some services, and those they pass through from one to another, at most so many edges, and
/// their breakers as they were at its end. A service without such a call is left out.
pub(super) fn graph_among(
    session: &Session<'_>,
    range: TimeRange,
    among: &BTreeSet<(Scope, String)>,
    edges_max: usize,
) -> Result<Graph, QueryError> {
    let query = GraphQuery {
        range,
        scope: Scope::default(),
        service: None,
        edges_max,
    };
    let (mut found, guards) = read(session, &query, None)?;
    let node = |(scope, name, _): &NodeKey| (scope.clone(), name.clone());
    let edges = found.edges.keys();
    let edges: Vec<_> = edges
        .map(|(caller, callee, ..)| (node(caller), node(callee)))
        .collect();
    let passed = between(&edges, among, BETWEEN_MAX);
    let is_among = |key: &NodeKey| {
        let node = node(key);
        among.contains(&node) || passed.contains(&node)
    };
    found
        .edges
        .retain(|(caller, callee, ..), _| is_among(caller) && is_among(callee));
    let shown = busiest(found.edges, edges_max);
    let ends: BTreeSet<&NodeKey> = shown
        .edges
        .iter()
        .flat_map(|((caller, callee, ..), _)| [caller, callee])
        .collect();
    found.nodes.retain(|key, _| ends.contains(key));
    Ok(assemble(found.nodes, shown, &guards))
}

/// The graph of the range as spans and the breakers' own counters have it: nobody looks for refused calls among the spans,
/// or for requests in metrics.
pub(super) fn graph_as_counted(
    session: &Session<'_>,
    query: &GraphQuery,
) -> Result<Graph, QueryError> {
    session.run_concluded(|conn| {
        let set = session.set();
        let found = Found::read(set, conn, query)?;
        let shown = busiest(found.edges, query.edges_max);
        let guards = counted_guards(set, conn, query.range)?;
        Ok(assemble(found.nodes, shown, &guards))
    })
}

/// What there is in the range, with the numbers of a step of it if one is asked for, and the breakers at its end.
fn read(
    session: &Session<'_>,
    query: &GraphQuery,
    step: Option<TimeRange>,
) -> Result<(Found, Vec<Guard>), QueryError> {
    session.run_concluded(|conn| {
        let set = session.set();
        let mut whole = Found::read(set, conn, query)?;
        if let Some(range) = step {
            let query = GraphQuery {
                range,
                ..query.clone()
            };
            // A step is too short for metrics, which are reported once a minute.
            whole.take_numbers(Found::read(set, conn, &query)?);
        } else {
            whole.prefer_metrics(set, conn, query.range)?;
        }
        let guards = guards(set, conn, step.unwrap_or(query.range))?;
        Ok((whole, guards))
    })
}

/// Nodes and edges.
struct Found {
    nodes: BTreeMap<NodeKey, Node>,
    edges: BTreeMap<EdgeKey, Edge>,
}

#[derive(Default)]
struct Node {
    /// No span of it is known.
    is_inferred: bool,
    totals: Totals,
    requests: Option<RequestCounts>,
    has_proxy: bool,
    proxy_of: Option<String>,
}

impl Node {
    fn inferred() -> Self {
        Self {
            is_inferred: true,
            ..Self::default()
        }
    }
}

impl Found {
    fn read(set: &SegmentSet, conn: &Connection, query: &GraphQuery) -> Result<Self, QueryError> {
        let range = ServicesQuery {
            range: query.range,
            scope: query.scope.clone(),
            order: ServiceOrder::Name,
            limit: usize::MAX,
        };
        let edges = edges(set, conn, query)?;
        let services = services::calls(set, conn, &range)?;
        let mut applications = services::applications(&services);
        // Around one service also those it calls and that call it: with their own numbers, as everywhere.
        let beside: BTreeSet<(Scope, String)> = edges
            .keys()
            .flat_map(|(caller, callee, ..)| [caller, callee])
            .filter(|(.., kind)| *kind == NodeKind::Service)
            .map(|(scope, name, _)| (scope.clone(), name.clone()))
            .collect();
        let nodes = services
            .into_iter()
            .filter(|(key, _)| {
                let is_asked = |name: &String| *name == key.1;
                query.service.as_ref().is_none_or(is_asked) || beside.contains(key)
            })
            .map(|(key, calls)| {
                let node = Node {
                    is_inferred: false,
                    totals: calls.totals,
                    requests: None,
                    has_proxy: calls.proxy.is_some(),
                    proxy_of: applications.remove(&key),
                };
                ((key.0, key.1, NodeKind::Service), node)
            })
            .collect();
        Ok(Self { nodes, edges })
    }

    /// Counts the requests of services by their metrics where spans may be a sample.
    fn prefer_metrics(
        &mut self,
        set: &SegmentSet,
        conn: &Connection,
        range: TimeRange,
    ) -> Result<(), QueryError> {
        let uncertain: Thinned = self
            .nodes
            .iter()
            .filter_map(|((scope, name, _), node)| {
                Some(((scope.clone(), name.clone()), thinned(&node.totals)?))
            })
            .collect();
        for ((scope, name), counts) in requests(set, conn, range, &uncertain)? {
            if let Some(node) = self.nodes.get_mut(&(scope, name, NodeKind::Service)) {
                node.requests = Some(counts);
            }
        }
        Ok(())
    }

    /// The same nodes and edges with the numbers of a part of the range.
    fn take_numbers(&mut self, mut part: Self) {
        join(&mut part.edges, &answered(&self.edges));
        for (key, node) in &mut self.nodes {
            node.totals = part
                .nodes
                .remove(key)
                .map(|node| node.totals)
                .unwrap_or_default();
        }
        for (key, edge) in &mut self.edges {
            edge.totals = part
                .edges
                .remove(key)
                .map(|edge| edge.totals)
                .unwrap_or_default();
        }
    }
}

/// The sums of each edge.
fn edges(
    set: &SegmentSet,
    conn: &Connection,
    query: &GraphQuery,
) -> Result<BTreeMap<EdgeKey, Edge>, QueryError> {
    let pick = |of: &EdgeCalls| {
        let touches = |name: &String| *name == of.caller.1 || *name == of.callee.1;
        is_in(&of.caller.0, &query.scope) && query.service.as_ref().is_none_or(touches)
    };
    let sums = set.edge_sums(conn, query.range, pick)?;
    let mut edges: BTreeMap<EdgeKey, Edge> = BTreeMap::new();
    for Summed { of, totals } in sums {
        let inferred = of.inferred.as_deref();
        let (kind, peer) = kinds(&of.kind);
        let node = |end: &str| match inferred {
            Some(known) if known == end => peer,
            _ => NodeKind::Service,
        };
        let (caller, callee) = (of.caller, of.callee);
        let key = (
            (caller.0, caller.1, node("caller")),
            (callee.0, callee.1, node("callee")),
            kind,
            of.is_async,
        );
        let edge = edges.entry(key).or_default();
        edge.rank += totals.calls;
        edge.caller_seen |= inferred != Some("caller");
        edge.callee_seen |= inferred != Some("callee");
        edge.totals.merge(&totals);
    }
    let answered = answered(&edges);
    join(&mut edges, &answered);
    Ok(edges)
}

#[derive(Default)]
struct Edge {
    totals: Totals,
    /// Calls of the whole range: which edges are shown.
    rank: u64,
    /// Whether a span of this end ever met the other's: one call without its callee's span does not
    /// make a service a guess.
    caller_seen: bool,
    callee_seen: bool,
}

fn kinds(word: &str) -> (EdgeKind, NodeKind) {
    match word {
        "database" => (EdgeKind::Database, NodeKind::Database),
        "messaging" => (EdgeKind::Messaging, NodeKind::Messaging),
        "external" => (EdgeKind::External, NodeKind::External),
        _ => (EdgeKind::Service, NodeKind::Service),
    }
}

/// Edges that are shown, busiest first, of so many in all.
struct Busiest {
    edges: Vec<(EdgeKey, Edge)>,
    total: u64,
}

fn busiest(edges: BTreeMap<EdgeKey, Edge>, edges_max: usize) -> Busiest {
    let total = edges.len() as u64;
    let mut edges: Vec<(EdgeKey, Edge)> = edges.into_iter().collect();
    edges.sort_by_key(|(_, edge)| std::cmp::Reverse(edge.rank));
    edges.truncate(edges_max);
    Busiest { edges, total }
}

/// The graph of edges, with these nodes and those that the edges name, and the breakers on each edge.
fn assemble(mut nodes: BTreeMap<NodeKey, Node>, shown: Busiest, guards: &[Guard]) -> Graph {
    let Busiest { edges, total } = shown;
    let own: BTreeSet<NodeKey> = nodes.keys().cloned().collect();
    let called: BTreeSet<NodeKey> = edges
        .iter()
        .map(|((_, callee, ..), _)| callee.clone())
        .collect();
    for ((caller, callee, ..), edge) in &edges {
        let node = nodes.entry(caller.clone()).or_insert_with(Node::inferred);
        node.is_inferred &= !edge.caller_seen;
        // Of a queue that nobody is seen to fill, the messages taken from it are known.
        if caller.2 == NodeKind::Messaging && !called.contains(caller) {
            node.totals.merge(&edge.totals);
        }
        let node = nodes.entry(callee.clone()).or_insert_with(Node::inferred);
        node.is_inferred &= !edge.callee_seen;
        // A service counts its own entry spans; a peer without spans, the calls made to it.
        if !own.contains(callee) {
            node.totals.merge(&edge.totals);
        }
    }
    let index: BTreeMap<NodeKey, usize> = nodes
        .keys()
        .cloned()
        .enumerate()
        .map(|(at, key)| (key, at))
        .collect();
    let edges: Vec<GraphEdge> = edges
        .into_iter()
        .map(|((caller, callee, kind, is_async), edge)| GraphEdge {
            caller: index[&caller],
            callee: index[&callee],
            kind,
            is_async,
            calls: edge.totals.calls,
            errors: edge.totals.errors,
            weight: edge.totals.weight,
            error_weight: edge.totals.error_weight,
            basis: edge.totals.basis(),
            latency: edge.totals.latency(),
            breakers: on_edge(&caller, &callee, guards),
        })
        .collect();
    let nodes = nodes
        .into_iter()
        .map(|((scope, name, kind), node)| GraphNode {
            scope,
            name,
            kind,
            inferred: node.is_inferred,
            calls: node.totals.calls,
            errors: node.totals.errors,
            weight: node.totals.weight,
            error_weight: node.totals.error_weight,
            requests: node.requests,
            latency: node.totals.latency(),
            has_proxy: node.has_proxy,
            proxy_of: node.proxy_of,
        })
        .collect();
    Graph {
        nodes,
        truncated: (edges.len() as u64) < total,
        edges,
        total_edges: total,
    }
}

/// The breakers of a caller that guard its calls to a callee.
fn on_edge(caller: &NodeKey, callee: &NodeKey, guards: &[Guard]) -> Vec<EdgeBreaker> {
    guards
        .iter()
        .filter(|guard| guard.service == caller.1 && guard.scope == caller.0)
        .filter_map(|guard| guard.on_edge_to(&callee.1))
        .collect()
}
