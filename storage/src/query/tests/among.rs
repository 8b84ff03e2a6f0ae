//! The graph of some services, and of those between them.

use std::collections::BTreeSet;

use super::*;
use crate::query::graph::graph_among;

/// One request that goes from each of these services to the next.
fn request(store: &Store, number: u64, services: &[&'static str]) {
    let id = |at: usize| (number * 100 + at as u64 + 1).to_be_bytes();
    for (at, service) in services.iter().enumerate() {
        let span = |columns: &mut SpanColumns,
                    at: usize,
                    kind: &'static str,
                    peer: Option<&'static str>| {
            columns.push(&SpanRow {
                trace_id: u128::from(number + 1).to_be_bytes(),
                span_id: id(at),
                parent_span_id: at.checked_sub(1).map(id),
                name: "work",
                kind,
                start_unix_nano: BASE + at as u64,
                end_unix_nano: BASE + 1_000_000,
                status_code: "unset",
                attributes: "{}",
                peer,
                peer_kind: peer.map(|_| "service"),
                ..SpanRow::default()
            });
        };
        let mut columns = SpanColumns::default();
        span(&mut columns, 2 * at, "server", None);
        if let Some(next) = services.get(at + 1) {
            span(&mut columns, 2 * at + 1, "client", Some(*next));
        }
        append(store, service, Rows::Spans(columns));
    }
}

#[test]
fn services_that_calls_pass_through_are_drawn_and_others_are_not() {
    let dir = tempfile::tempdir().expect("a directory");
    let store = open(dir.path());
    request(&store, 0, &["gateway", "cart", "price", "tax"]);
    request(&store, 1, &["gateway", "cart", "mail"]);
    request(&store, 2, &["desk", "tax"]);
    let drawn = |among: &[&str]| {
        let scope = Scope {
            environment: Some("prod".to_owned()),
            ..Scope::default()
        };
        let among = among.iter();
        let among: BTreeSet<(Scope, String)> = among
            .map(|service| (scope.clone(), (*service).to_owned()))
            .collect();
        let reader = store.reader().expect("a reader");
        let graph = graph_among(&Session::new(&reader), RANGE, &among, 10).expect("a graph");
        let name = |at: usize| graph.nodes[at].name.as_str();
        let mut edges: Vec<String> = graph
            .edges
            .iter()
            .map(|edge| format!("{} > {}", name(edge.caller), name(edge.callee)))
            .collect();
        edges.sort();
        assert_eq!(graph.nodes.len(), 1 + edges.len(), "{edges:?}");
        edges
    };
    let check = || {
        let all = ["cart > price", "gateway > cart", "price > tax"];
        assert_eq!(drawn(&["gateway", "tax"]), all);
        assert_eq!(drawn(&["gateway", "price"]), &all[..2]);
        assert_eq!(drawn(&["desk", "tax"]), ["desk > tax"]);
    };
    check();
    store.seal_now().expect("sealed");
    check();
}
