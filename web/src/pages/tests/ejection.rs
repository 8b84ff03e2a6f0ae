//! Ejections, wherever they are shown: fractions of hosts, and which.

use tripline_storage::model::{EdgeBreaker, EjectedHosts, Graph};

use super::incident_data::breaker_page;
use super::*;

#[test]
fn an_ejection_says_how_many_hosts_are_out_and_which_wherever_it_is_shown() {
    let mut page = breaker_page("payment");
    page.incident = None;
    page.detail.breaker.pattern = "ejection".to_owned();
    page.detail.breaker.hosts = Some(EjectedHosts {
        ejected: Some(2),
        healthy: Some(10),
        total: Some(12),
        named: vec!["10.0.0.7:8080".to_owned()],
    });
    page.detail.instances[0].hosts_ejected = Some(1);
    page.detail.instances[0].hosts_total = Some(12);
    let html = render(&frame("/breakers/payment/payment", &[]), "payment", |f| {
        breaker(&page, f)
    });
    for text in [
        "payment → payment: 2 of 12 hosts out, by 9 of 12 instances, since",
        "; 10 healthy",
        "/breakers/payment/payment/10.0.0.7%3A8080",
        "1 more, which no log names.",
        "1 of 12 hosts out",
        "lane-ejecting",
    ] {
        assert!(html.contains(text), "{text}\n{html}");
    }
    for text in ["OPEN", "Next probe", "lane-open"] {
        assert!(!html.contains(text), "{text}\n{html}");
    }
    let list = BreakersPage {
        breakers: Page::whole(vec![page.detail.breaker.clone()]),
        ..BreakersPage::default()
    };
    let html = render(&frame("/breakers", &[]), "payment", |f| breakers(&list, f));
    assert!(html.contains("2 of 12 hosts out"), "{html}");
    assert!(html.contains("10.0.0.7:8080"), "{html}");
    assert!(
        html.contains("9 of 12 ejecting") && !html.contains("of 12 open"),
        "{html}"
    );

    let mut edge = EdgeBreaker {
        breaker_id: "b".to_owned(),
        name: "payment".to_owned(),
        key: None,
        pattern: "ejection".to_owned(),
        state: "open".to_owned(),
        instances: 3,
        instances_open: 2,
        peer_evidence: "name".to_owned(),
        rejected: None,
        rejected_basis: None,
        rejected_as_failed: 0,
        hosts_ejected: Some(2),
        hosts_total: Some(12),
    };
    let html = drawn(std::slice::from_ref(&edge));
    assert!(html.contains("◔ 2 of 12 hosts out"), "{html}");
    assert!(html.contains("2 of 3 instances ejecting"), "{html}");
    assert!(
        html.contains("breaker-warn") && !html.contains("breaker-bad"),
        "{html}"
    );
    edge.hosts_ejected = Some(12);
    assert!(drawn(std::slice::from_ref(&edge)).contains("breaker-bad"));
}

/// A graph of one edge with these breakers, as it is drawn.
fn drawn(edge: &[EdgeBreaker]) -> String {
    let graph: Graph = read(json!({"nodes": [
            {"name": "shop", "kind": "service", "inferred": false, "calls": 10, "errors": 0, "latency": {}},
            {"name": "payment", "kind": "service", "inferred": false, "calls": 10, "errors": 0, "latency": {}}],
        "edges": [{"caller": 0, "callee": 1, "kind": "service", "is_async": false, "calls": 100, "errors": 0, "weight": 100.0,
            "basis": "all", "latency": {}, "breakers": edge}],
        "truncated": false, "total_edges": 1}));
    let page = GraphPage {
        graph,
        ..GraphPage::default()
    };
    render(&frame("/graph", &[]), "payment", |f| {
        crate::pages::graph(&page, f)
    })
}

#[test]
fn an_edge_with_several_breakers_counts_those_alike() {
    let of = |name: &str, state: &str| EdgeBreaker {
        breaker_id: name.to_owned(),
        name: name.to_owned(),
        key: None,
        pattern: "breaker".to_owned(),
        state: state.to_owned(),
        instances: 1,
        instances_open: u32::from(state == "open"),
        peer_evidence: "name".to_owned(),
        rejected: None,
        rejected_basis: None,
        rejected_as_failed: 0,
        hosts_ejected: None,
        hosts_total: None,
    };
    for (states, says) in [
        (["closed", "closed", "closed"], "closed (all 3)<"),
        (["open", "closed", "open"], "a: ○ open (2 of 3)<"),
        (
            ["closed", "half_open", "closed"],
            "b: ◐ half open (1 of 3)<",
        ),
    ] {
        let breakers: Vec<EdgeBreaker> = ["a", "b", "c"]
            .into_iter()
            .zip(states)
            .map(|(name, state)| of(name, state))
            .collect();
        let html = drawn(&breakers);
        assert!(html.contains(says), "{says}\n{html}");
    }
    // Of one name, the table tells them by their keys.
    let of_shard = |key: &str| EdgeBreaker {
        key: Some(key.to_owned()),
        ..of("stock", "closed")
    };
    let html = drawn(&["shard-0", "shard-1"].map(of_shard));
    let (_, table) = html.split_once("id=\"calls\"").expect("a table");
    for said in ["stock / shard-0<", "stock / shard-1<", "/services/shop"] {
        assert!(table.contains(said), "{said}\n{table}");
    }
}
