//! Proxies beside applications: told apart in the list of services and in the graph, never counted twice.

use super::*;
use crate::model::ServiceSummary;

/// `count` spans of one sender; those of `shop` and of its proxy are calls it got, or calls it made.
fn sent(store: &Store, service: &str, kind: &'static str, sidecar: bool, first: u64, count: u64) {
    let mut columns = SpanColumns::default();
    for number in first..first + count {
        let start = BASE + number * 1_000_000_000;
        columns.push(&SpanRow {
            trace_id: u128::from(number + 1).to_be_bytes(),
            span_id: (number + 1).to_be_bytes(),
            name: "work",
            kind,
            start_unix_nano: start,
            end_unix_nano: start + 1_000_000,
            status_code: "unset",
            attributes: "{}",
            sidecar,
            ..SpanRow::default()
        });
    }
    append(store, service, Rows::Spans(columns));
}

#[test]
fn proxies_are_told_from_the_applications_they_stand_beside() {
    let dir = tempfile::tempdir().expect("a directory");
    let store = open(dir.path());
    // A proxy that sends as the service itself, one with a name of its own, one of a service that only calls.
    sent(&store, "shop", "server", false, 0, 10);
    sent(&store, "shop", "server", true, 20, 12);
    sent(&store, "shop", "client", true, 40, 5);
    sent(&store, "pay", "server", false, 60, 3);
    sent(&store, "pay.mesh", "server", true, 70, 4);
    sent(&store, "cron", "client", false, 80, 6);
    sent(&store, "cron", "client", true, 90, 7);
    // Nobody knows what it stands beside.
    sent(&store, "edge-proxy", "server", true, 100, 2);
    let reader = store.reader().expect("a reader");
    let session = Session::new(&reader);
    let asked = ServicesQuery {
        range: RANGE,
        scope: Scope::default(),
        order: ServiceOrder::default(),
        limit: 100,
    };
    let found = services(&session, &asked).expect("services").items;
    let told: Vec<_> = found
        .iter()
        .map(|one: &ServiceSummary| {
            let proxy = one.proxy.map(|proxy| (proxy.calls, proxy.is_outgoing));
            (
                one.service_name.as_str(),
                one.calls,
                proxy,
                one.proxy_of.as_deref(),
            )
        })
        .collect();
    assert_eq!(
        told,
        [
            ("cron", 6, Some((7, true)), None),
            ("edge-proxy", 2, None, None),
            ("pay", 3, None, None),
            ("pay.mesh", 4, None, Some("pay")),
            ("shop", 10, Some((12, false)), None),
        ]
    );
    let asked = GraphQuery {
        range: RANGE,
        scope: Scope::default(),
        service: None,
        edges_max: 100,
    };
    let found = graph(&session, &asked).expect("a graph");
    let told: Vec<_> = found
        .nodes
        .iter()
        .map(|node| (node.name.as_str(), node.has_proxy, node.proxy_of.as_deref()))
        .collect();
    assert_eq!(
        told,
        [
            ("cron", true, None),
            ("edge-proxy", false, None),
            ("pay", false, None),
            ("pay.mesh", false, Some("pay")),
            ("shop", true, None),
        ]
    );
}
