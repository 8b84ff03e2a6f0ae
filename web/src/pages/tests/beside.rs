//! What stands beside the numbers when it is asked for: last week's, and the sidecars'.

use tripline_storage::model::{EarlierCalls, Graph, LiveCounts, ServiceSummary};

use super::*;
use crate::range::WEEK;

fn service_of(more: Value) -> ServiceSummary {
    let mut all = json!({"service_name": "cart", "calls": 3_600, "errors": 36, "weight": 3_600.0, "basis": "all",
        "rate_per_second": 1.0, "error_ratio": 0.01, "latency": {"p95_ns": 2e7}, "spans": 3_600, "versions": [],
        "instances": 1, "last_seen_unix_nano": (NOW - 3_000_000_000).to_string()});
    if let (Value::Object(all), Value::Object(more)) = (&mut all, more) {
        all.extend(more);
    }
    read(all)
}

fn stored() -> LiveCounts {
    LiveCounts {
        spans: 600,
        services: 1,
        ..LiveCounts::default()
    }
}

fn overview_of(services: Vec<ServiceSummary>, then: Option<Vec<ServiceSummary>>) -> Overview {
    Overview {
        counts: stored(),
        services: Page::whole(services),
        last_week: then,
        ..Overview::default()
    }
}

fn assert_says(html: &str, words: &[&str]) {
    for word in words {
        assert!(html.contains(word), "{word}\n{html}");
    }
}

#[test]
fn the_overview_tells_the_change_since_last_week() {
    let compared = frame("/", &[("compare", "week")]);
    let then = service_of(
        json!({"rate_per_second": 0.8, "error_ratio": 0.031, "errors": 90, "latency": {"p95_ns": 2.5e7}}),
    );
    let gone = service_of(json!({"service_name": "old-shop"}));
    let data = overview_of(vec![service_of(json!({}))], Some(vec![then, gone]));
    let html = render(&compared, "Overview", |f| overview(&data, f));
    assert_says(
        &html,
        &[
            "+25 %, was 0.8/s",
            "was 3.1 %",
            "−20 %, was 25 ms",
            "Compared with the same time last week",
            "Called last week, but not now:",
            "old-shop",
            "Stop comparing with last week",
            "/graph?compare=week",
            "1 service, most failures first",
        ],
    );
    // A service that is new, and a week of which nothing is stored.
    let other = service_of(json!({"service_name": "other"}));
    let data = overview_of(vec![service_of(json!({}))], Some(vec![other]));
    let html = render(&compared, "Overview", |f| overview(&data, f));
    assert_says(&html, &["no calls last week"]);
    let data = overview_of(vec![service_of(json!({}))], Some(Vec::new()));
    let html = render(&compared, "Overview", |f| overview(&data, f));
    assert_says(&html, &["No data last week: no call of"]);
    assert!(!html.contains("class=\"was\""), "{html}");
    // Nothing of it unless it is asked for.
    let plain = frame("/", &[]);
    let data = overview_of(vec![service_of(json!({}))], None);
    let html = render(&plain, "Overview", |f| overview(&data, f));
    assert_says(
        &html,
        &["Compare with the same time last week", "/?compare=week"],
    );
    assert!(!html.contains("last-week"), "{html}");
}

#[test]
fn the_graph_names_the_edges_that_are_called_no_more() {
    let node = |name: String| json!({"name": name, "kind": "service", "inferred": false, "calls": 10, "errors": 0, "latency": {}});
    let edge = |callee: usize, calls: u64| {
        json!({"caller": 0, "callee": callee, "kind": "service", "is_async": false, "calls": calls, "errors": calls / 10,
            "weight": calls, "basis": "all", "latency": {"p95_ns": 2e6}})
    };
    let of_two = |calls: u64| -> Graph {
        read(
            json!({"nodes": [node("cart".to_owned()), node("pay".to_owned())], "edges": [edge(1, calls)],
            "truncated": false, "total_edges": 1}),
        )
    };
    let mut nodes = vec![node("cart".to_owned())];
    nodes.extend((1..=25).map(|at| node(format!("old-{at:02}"))));
    let edges: Vec<Value> = (1..=25).map(|at| edge(at, 1_000 - at as u64)).collect();
    let gone: Graph =
        read(json!({"nodes": nodes, "edges": edges, "truncated": true, "total_edges": 57}));
    let then = GraphThen {
        calls: EarlierCalls {
            same: of_two(7_200),
            gone,
            total_edges: 58,
        },
        seconds: 3_600.0,
        bounds: (NOW - WEEK - 3_600_000_000_000, NOW - WEEK),
    };
    let asked = frame("/graph", &[("compare", "week")]);
    let compared = GraphPage {
        graph: of_two(3_600),
        last_week: Some(then.clone()),
        ..GraphPage::default()
    };
    let html = render(&asked, "Graph", |f| graph(&compared, f));
    let said = [
        "−50 %, was 2/s",
        "Called last week, but not now",
        "20 of 57 edges, busiest then first, the rest was cut",
        "old-01",
        "old-20",
        "999",
        "9.91 %",
    ];
    assert_says(&html, &said);
    assert!(!html.contains("old-21"), "{html}");
    // Nothing is called now: what is gone is named all the same.
    let silent = GraphPage {
        last_week: Some(then),
        ..GraphPage::default()
    };
    let html = render(&asked, "Graph", |f| graph(&silent, f));
    assert_says(
        &html,
        &[
            "No calls in this range.",
            "Compared with the same time last week",
            "old-20",
        ],
    );
    // Nobody asked.
    let plain = GraphPage {
        graph: of_two(3_600),
        ..GraphPage::default()
    };
    let html = render(&frame("/graph", &[]), "Graph", |f| graph(&plain, f));
    assert!(!html.contains("but not now"), "{html}");
}

#[test]
fn the_charts_of_a_service_draw_last_week_behind() {
    let point = |time: u64, calls: u64| {
        json!({"time_unix_nano": time.to_string(), "seconds": 60.0, "calls": calls, "errors": 1, "weight": calls,
            "latency": {"p95_ns": 2e6}})
    };
    let data = ServicePage {
        name: "cart".to_owned(),
        summaries: vec![service_of(json!({}))],
        parts: vec![ServicePart {
            detail: read(
                json!({"points": [point(NOW - 120_000_000_000, 60), point(NOW - 60_000_000_000, 60)], "versions": [], "changes": []}),
            ),
            then: Some(vec![
                read(point(NOW - WEEK - 120_000_000_000, 120)),
                read(point(NOW - WEEK - 60_000_000_000, 120)),
            ]),
            ..ServicePart::default()
        }],
        last_week: Some(vec![service_of(json!({"rate_per_second": 2.0}))]),
        ..ServicePage::default()
    };
    let asked = frame("/services/cart", &[("compare", "week")]);
    let html = render(&asked, "cart", |f| super::super::service(&data, f));
    assert_eq!(html.matches("class=\"line older\"").count(), 3, "{html}");
    assert_says(&html, &["−50 %, was 2/s", "p95 last week"]);
    // On the axis of now: two minutes before the end of the hour.
    let paths = html
        .split("<path ")
        .filter_map(|rest| rest.split('>').next());
    let older = paths
        .filter(|path| path.contains("line older"))
        .find_map(|path| path.split("d=\"M").nth(1)?.split(' ').next());
    assert_eq!(older, Some("966.7"), "{html}");
}

#[test]
fn sidecars_are_folded_or_shown_beside_their_services() {
    let services = || {
        vec![
            service_of(
                json!({"proxy": {"is_outgoing": false, "calls": 7_200, "errors": 0, "rate_per_second": 2.0, "latency": {}}}),
            ),
            service_of(json!({"service_name": "pay"})),
            service_of(json!({"service_name": "pay.mesh", "proxy_of": "pay"})),
        ]
    };
    let data = overview_of(services(), None);
    let folded = render(&frame("/", &[]), "Overview", |f| overview(&data, f));
    assert_says(
        &folded,
        &[
            "2 sidecars are folded into their services: ",
            "/?proxies=show",
            "2 services, most failures first",
        ],
    );
    assert!(!folded.contains("/services/pay.mesh"), "{folded}");
    let shown = frame("/", &[("proxies", "show")]);
    let shown = render(&shown, "Overview", |f| overview(&data, f));
    assert_says(
        &shown,
        &[
            "2 sidecars are shown beside their services: ",
            "its sidecar, calls let in",
            "7,200 calls in range",
            "sidecar of pay",
            "/services/pay.mesh?proxies=show",
            "3 services, most failures first",
        ],
    );
    let node = |name: &str, more: Value| {
        let mut all = json!({"name": name, "kind": "service", "inferred": false, "calls": 10, "errors": 0, "latency": {}});
        if let (Value::Object(all), Value::Object(more)) = (&mut all, more) {
            all.extend(more);
        }
        all
    };
    let graph_data = GraphPage {
        graph: read(
            json!({"nodes": [node("cart", json!({"has_proxy": true})), node("pay", json!({})), node("pay.mesh", json!({"proxy_of": "pay"}))],
            "edges": [{"caller": 0, "callee": 1, "kind": "service", "is_async": false, "calls": 10, "errors": 0, "weight": 10.0, "basis": "all", "latency": {}}],
            "truncated": false, "total_edges": 1}),
        ),
        ..GraphPage::default()
    };
    let folded = render(&frame("/graph", &[]), "Graph", |f| graph(&graph_data, f));
    assert_says(&folded, &["2 sidecars are folded into their services: "]);
    assert!(!folded.contains("pay.mesh"), "{folded}");
    let asked = frame("/graph", &[("proxies", "show")]);
    let shown = render(&asked, "Graph", |f| graph(&graph_data, f));
    assert_says(&shown, &["pay.mesh", "the sidecar of pay", "one call"]);
    // A proxy that a call touches keeps its box: it is not folded.
    let mut touched = graph_data;
    touched.graph.edges[0].callee = 2;
    let folded = render(&frame("/graph", &[]), "Graph", |f| graph(&touched, f));
    assert_says(
        &folded,
        &["1 sidecar is folded into its service: ", "pay.mesh"],
    );
    let shown = render(&asked, "Graph", |f| graph(&touched, f));
    assert_says(&shown, &["2 sidecars are shown beside their services: "]);
}

#[test]
fn sidecars_are_counted_by_service_and_scope() {
    let proxy = json!({"is_outgoing": false, "calls": 1, "errors": 0, "rate_per_second": 1.0, "latency": {}});
    let services = vec![
        service_of(json!({"environment": "prod", "proxy": proxy})),
        service_of(json!({"environment": "test", "proxy": proxy})),
        // Another of the first, under a name of its own.
        service_of(json!({"environment": "prod", "service_name": "cart.mesh", "proxy_of": "cart"})),
    ];
    let data = overview_of(services, None);
    let html = render(&frame("/", &[]), "Overview", |f| overview(&data, f));
    let (_, line) = html.split_once("note proxies").expect("a line");
    let (line, _) = line.split_once("</p>").expect("a line");
    assert_says(
        line,
        &[
            "2 sidecars are folded into their services: ",
            "prod",
            "test",
            "show them",
        ],
    );
}

#[test]
fn the_page_of_a_sidecar_is_not_folded_into_itself() {
    let page = |summary: ServiceSummary| {
        let data = ServicePage {
            name: summary.service_name.clone(),
            summaries: vec![summary],
            ..ServicePage::default()
        };
        render(&frame("/services/x", &[]), "x", |f| {
            super::super::service(&data, f)
        })
    };
    let own = page(service_of(
        json!({"service_name": "pay.mesh", "proxy_of": "pay"}),
    ));
    assert_says(&own, &["All of these spans are a sidecar"]);
    assert!(!own.contains("note proxies"), "{own}");
    let beside = page(service_of(
        json!({"proxy": {"is_outgoing": false, "calls": 1, "errors": 0, "rate_per_second": 1.0, "latency": {}}}),
    ));
    assert_says(&beside, &["1 sidecar is folded into its service: "]);
}

#[test]
fn requests_that_metrics_count_come_before_the_spans_of_a_sample() {
    let counted = service_of(
        json!({"calls": 12, "errors": 0, "weight": 120.0, "basis": "sampled",
        "requests": {"metrics": ["http.server.request.duration"], "calls": 693, "errors": 7}}),
    );
    let mut data = overview_of(vec![counted.clone()], None);
    data.how.requests = "SELECT 693".to_owned();
    let html = render(&frame("/", &[]), "Overview", |f| overview(&data, f));
    assert_says(
        &html,
        &[
            "693 calls in range",
            ">metrics: http.server.request.duration<",
            "12 recorded as spans",
            "Requests of 1 service are counted by metrics",
            "/sql?q=SELECT%20693",
        ],
    );
    let data = ServicePage {
        name: "cart".to_owned(),
        summaries: vec![counted],
        ..ServicePage::default()
    };
    let html = render(&frame("/services/cart", &[]), "cart", |f| {
        super::super::service(&data, f)
    });
    assert_says(
        &html,
        &["693 calls", "By spans: 12 calls recorded, 0 failed"],
    );
    let plain = overview_of(vec![service_of(json!({"basis": "unknown"}))], None);
    let html = render(&frame("/", &[]), "Overview", |f| overview(&plain, f));
    assert_says(&html, &["3,600 calls in range", "is not known"]);
    assert!(!html.contains("counted by metrics"), "{html}");
}

#[test]
fn instances_lead_to_their_traces() {
    let data = ServicePage {
        name: "cart".to_owned(),
        instances: read(json!({"items": [
            {"instance_id": "cart-1", "environment": "prod", "cluster": "eu-1", "counted": "outgoing", "versions": ["1.0", "1.1"], "pod": "cart-abc", "host": null, "calls": 1_200, "errors": 12,
             "latency": {"p95_ns": 2e6}, "last_unix_nano": (NOW - 3_000_000_000).to_string()},
            {"instance_id": null, "versions": [], "pod": null, "host": null, "calls": 1, "errors": 0, "latency": {},
             "last_unix_nano": (NOW - 600_000_000_000).to_string()}], "truncated": false, "total": 1, "next": null})),
        ..ServicePage::default()
    };
    let html = render(&frame("/services/cart", &[]), "cart", |f| {
        super::super::service(&data, f)
    });
    assert_says(
        &html,
        &[
            "/traces?service=cart",
            "q=instance%20%3D%20cart-1&amp;environment=prod&amp;cluster=eu-1",
            "q=instance%20absent",
            "counted from its client and producer spans that are stored",
            "1.0, 1.1",
            "cart-abc",
            "1,200",
            "1 %",
            "10 min ago",
            "1 instance, busiest first",
        ],
    );
    let nameless = ServicePage {
        instances: read(
            json!({"items": [{"instance_id": null, "versions": [], "pod": null, "host": null, "calls": 1, "errors": 0,
            "latency": {}, "last_unix_nano": (NOW - 600_000_000_000).to_string()}], "truncated": false, "total": 0, "next": null}),
        ),
        ..data
    };
    let html = render(&frame("/services/cart", &[]), "cart", |f| {
        super::super::service(&nameless, f)
    });
    assert_says(&html, &["To tell instances apart, set service.instance.id"]);
    assert!(!html.contains("busiest first"), "{html}");
}

#[test]
fn a_sidecar_is_no_instance_in_the_figures_of_its_service() {
    let instance = |id: Option<&str>, environment: &str| {
        json!({"instance_id": id, "environment": environment, "versions": [], "pod": null, "host": null, "calls": 20,
            "errors": 1, "latency": {}, "last_unix_nano": (NOW - 3_000_000_000).to_string()})
    };
    // Four resources are stored of it in each place; a sidecar's is one of them.
    let mut data = ServicePage {
        name: "cart".to_owned(),
        summaries: ["canary", "prod"]
            .map(|place| service_of(json!({"environment": place, "instances": 4})))
            .into(),
        instances: read(json!({"items": [
            instance(Some("cart-1"), "prod"), instance(Some("cart-2"), "prod"), instance(Some("cart-3"), "prod"),
            instance(Some("cart-1"), "canary"), instance(None, "canary")],
            "truncated": false, "total": 4, "next": null})),
        ..ServicePage::default()
    };
    let told = |data: &ServicePage| {
        let html = render(&frame("/services/cart", &[]), "cart", |f| {
            super::super::service(data, f)
        });
        let figures = html.split(">Instances</span>").skip(1);
        figures
            .map(|rest| {
                let value = rest.split('>').nth(1).unwrap_or_default();
                value.split('<').next().unwrap_or_default().to_owned()
            })
            .collect::<Vec<String>>()
    };
    assert_eq!(told(&data), ["1", "3"]);
    // The same id in two places is two instances, each with where it is.
    let html = render(&frame("/services/cart", &[]), "cart", |f| {
        super::super::service(&data, f)
    });
    let (_, panel) = html.split_once("id=\"instances\"").expect("a panel");
    let (panel, _) = panel.split_once("</section>").expect("its end");
    for (place, instances) in [(">prod", 3), (">canary", 2)] {
        assert_eq!(panel.matches(place).count(), instances, "{panel}");
    }
    let rows = |data: &ServicePage| {
        let text = service_markdown(data, &frame("/services/cart", &[]));
        let rows = text.lines().filter(|line| line.contains("36 of 3,600"));
        rows.map(|row| row.rsplit('|').nth(1).unwrap_or_default().trim().to_owned())
            .collect::<Vec<String>>()
    };
    assert_eq!(rows(&data), ["1", "3"]);
    // Of a list that was cut nobody knows.
    data.instances.truncated = true;
    assert_eq!(told(&data), ["4", "4"]);
}
