//! Calls that never arrived, beside those that did.
//!
//! A refused call has no span at its callee, so that its edge ends at the address the caller has for it. Where the same
//! caller's calls to a service of that name did arrive, they are calls to that service: one edge, with what arrived and
//! what did not.

use std::collections::BTreeMap;

use super::{Edge, EdgeKey, NodeKey};
use crate::model::{EdgeKind, NodeKind};

/// Edges to services that answered, by caller, name, and whether it waited; `None` where one name is of several.
pub(super) type Answered = BTreeMap<(NodeKey, String, bool), Option<EdgeKey>>;

/// Those among these.
pub(super) fn answered(edges: &BTreeMap<EdgeKey, Edge>) -> Answered {
    let mut answered = Answered::new();
    for (key, edge) in edges {
        let (caller, (_, name, node), kind, is_async) = key;
        if edge.callee_seen && *kind == EdgeKind::Service && *node == NodeKind::Service {
            answered
                .entry((caller.clone(), name.clone(), *is_async))
                .and_modify(|known| *known = None)
                .or_insert_with(|| Some(key.clone()));
        }
    }
    answered
}

/// Adds calls to an address, `payment` or `payment:8080`, to the edge to the service of that name.
pub(super) fn join(edges: &mut BTreeMap<EdgeKey, Edge>, answered: &Answered) {
    let service_of = |(caller, callee, _, is_async): &EdgeKey| {
        let host = callee.1.split(':').next().unwrap_or_default();
        let service = (caller.clone(), host.to_owned(), *is_async);
        answered.get(&service).cloned().flatten()
    };
    let found: Vec<(EdgeKey, EdgeKey)> = edges
        .keys()
        .filter(|(_, callee, ..)| callee.2 == NodeKind::External)
        .filter_map(|key| Some((key.clone(), service_of(key)?)))
        .collect();
    for (address, service) in found {
        if let Some(calls) = edges.remove(&address) {
            let edge = edges.entry(service).or_default();
            edge.rank += calls.rank;
            edge.caller_seen |= calls.caller_seen;
            edge.callee_seen |= calls.callee_seen;
            edge.totals.merge(&calls.totals);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Scope;

    fn node(name: &str, kind: NodeKind) -> NodeKey {
        (Scope::default(), name.to_owned(), kind)
    }

    fn key(caller: &str, callee: &str, is_service: bool) -> EdgeKey {
        let (kind, peer) = match is_service {
            true => (EdgeKind::Service, NodeKind::Service),
            false => (EdgeKind::External, NodeKind::External),
        };
        let caller = node(caller, NodeKind::Service);
        (caller, node(callee, peer), kind, false)
    }

    fn calls(rank: u64, callee_seen: bool) -> Edge {
        Edge {
            rank,
            callee_seen,
            caller_seen: true,
            ..Edge::default()
        }
    }

    #[test]
    fn calls_to_an_address_are_the_services_that_the_caller_reached_by_that_name() {
        let mut edges = BTreeMap::from([
            (key("web", "orders", true), calls(5, true)),
            (key("web", "orders", false), calls(3, false)),
            (key("web", "orders:8080", false), calls(2, false)),
            // Nobody of that name ever answered this caller.
            (key("web", "bank", false), calls(7, false)),
            (key("shop", "orders", false), calls(1, false)),
            (key("shop", "stock", true), calls(4, false)),
            (key("shop", "stock", false), calls(6, false)),
        ]);
        let known = answered(&edges);
        join(&mut edges, &known);
        let left: Vec<(&str, &str, NodeKind, u64)> = edges
            .iter()
            .map(|((caller, callee, ..), edge)| {
                (caller.1.as_str(), callee.1.as_str(), callee.2, edge.rank)
            })
            .collect();
        let mut wanted = [
            ("shop", "orders", NodeKind::External, 1),
            ("shop", "stock", NodeKind::Service, 4),
            ("shop", "stock", NodeKind::External, 6),
            ("web", "bank", NodeKind::External, 7),
            ("web", "orders", NodeKind::Service, 10),
        ];
        wanted.sort_unstable();
        assert_eq!(left, wanted);
    }

    #[test]
    fn a_name_of_two_services_is_neithers() {
        let elsewhere = Scope {
            environment: Some("test".to_owned()),
            ..Scope::default()
        };
        let mut other = key("web", "orders", true);
        other.1.0 = elsewhere;
        let mut edges = BTreeMap::from([
            (key("web", "orders", true), calls(5, true)),
            (other, calls(4, true)),
            (key("web", "orders", false), calls(3, false)),
        ]);
        let known = answered(&edges);
        join(&mut edges, &known);
        assert_eq!(edges.len(), 3);
    }
}
