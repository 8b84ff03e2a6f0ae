//! What tells things of one name apart: the scope of services, the keys of metric streams.

use tripline_storage::model::Graph;

use super::*;

fn assert_says(html: &str, words: &[&str]) {
    for word in words {
        assert!(html.contains(word), "{word}\n{html}");
    }
}

/// `cart` calls `pay` in each of these places, environment and cluster.
fn in_each(places: [(&str, &str); 2]) -> Graph {
    let node = |name: &str, (environment, cluster): (&str, &str)| {
        json!({"name": name, "environment": environment, "cluster": cluster, "kind": "service", "inferred": false,
            "calls": 10, "errors": 0, "latency": {}})
    };
    let edge = |caller: usize| {
        json!({"caller": caller, "callee": caller + 1, "kind": "service", "is_async": false, "calls": 10, "errors": 0,
            "weight": 10.0, "basis": "all", "latency": {}})
    };
    let nodes: Vec<Value> = places
        .into_iter()
        .flat_map(|place| [node("cart", place), node("pay", place)])
        .collect();
    read(json!({"nodes": nodes, "edges": [edge(0), edge(2)], "truncated": false, "total_edges": 2}))
}

fn html_of(graph_data: Graph) -> String {
    let data = GraphPage {
        graph: graph_data,
        ..GraphPage::default()
    };
    render(&frame("/graph", &[]), "Graph", |f| graph(&data, f))
}

/// Where the numbers of calls in the table lead.
fn calls_of(html: &str) -> Vec<String> {
    html.split("<a ")
        .filter_map(|rest| rest.split('>').next())
        .filter(|tag| tag.contains("title=\"Traces with these calls\""))
        .filter_map(|tag| tag.split("href=\"").nth(1)?.split('"').next())
        .map(|link| link.replace("&amp;", "&"))
        .collect()
}

#[test]
fn calls_of_one_name_in_two_environments_are_told_apart_and_found_apart() {
    let html = html_of(in_each([("canary", "eu-1"), ("prod", "eu-1")]));
    assert_says(
        &html,
        &[
            "cart (canary) → pay (canary): 10 passed",
            "cart (prod): 10 calls",
            "<span class=\"quiet\">canary</span>",
            "<span class=\"quiet\">prod</span>",
        ],
    );
    let links = calls_of(&html);
    assert_eq!(links.len(), 2, "{links:?}");
    for (link, environment) in links.iter().zip(["canary", "prod"]) {
        for part in [
            // The caller's end, which the address cannot name.
            &format!("environment%20%3D%20{environment}%29"),
            &format!("&environment={environment}&cluster=eu-1"),
        ] {
            assert!(link.contains(part), "{part}: {link}");
        }
        // All are of one cluster: nothing to tell.
        assert!(!link.contains("cluster%20"), "{link}");
    }
}

#[test]
fn boxes_of_one_name_in_two_clusters_do_not_look_alike() {
    let html = html_of(in_each([("prod", "eu-1"), ("prod", "eu-2")]));
    assert_says(
        &html,
        &["cart (eu-1): 10 calls", ">eu-1</text>", ">eu-2</text>"],
    );
    assert!(!html.contains(">prod</text>"), "{html}");
    let alike = html_of(in_each([("prod", "eu-1"), ("prod", "eu-1")]));
    assert!(!alike.contains(">eu-1<"), "{alike}");
}

/// The page of a metric with these streams: their route, their instance and where they are from.
fn streams(all: &[(&str, Option<&str>, Value)]) -> String {
    let series: Vec<Value> = all
        .iter()
        .enumerate()
        .map(|(at, (route, instance, place))| {
            let mut one = json!({"series_id": format!("{at:016x}"), "service_name": "cart", "service_instance_id": instance,
                "kind": "gauge", "unit": "", "temporality": null, "is_monotonic": null, "exemplars": [],
                "attributes": [{"key": "http.route", "value": {"string": route}}],
                "points": [{"time_unix_nano": (NOW - 60_000_000_000).to_string(), "start_time_unix_nano": 0, "value": 4.5,
                    "value_int": null, "rate": null, "count": null, "sum": null, "min": null, "max": null, "p50": null,
                    "p95": null, "p99": null}]});
            if let (Value::Object(one), Value::Object(place)) = (&mut one, place) {
                one.extend(place.clone());
            }
            one
        })
        .collect();
    let total = series.len();
    let points = json!({"series": series, "truncated": false, "total_series": total, "keys": [], "grouping": null});
    let data = Explore {
        chosen: Some(("open".to_owned(), read(points))),
        ..Explore::default()
    };
    let asked = frame("/explore", &[("metric", "open")]);
    render(&asked, "Metrics", |f| explore(&data, f))
}

fn assert_named(html: &str, names: &[&str]) {
    for name in names {
        let cell = format!("{name}</td>");
        assert_eq!(html.matches(&cell).count(), 1, "{name}\n{html}");
    }
}

#[test]
fn streams_of_one_route_are_told_apart_by_their_instances() {
    let of = |route, instance| (route, Some(instance), json!({}));
    let html = streams(&[
        of("/a", "cart-1"),
        of("/a", "cart-2"),
        of("/b", "cart-1"),
        of("/b", "cart-2"),
        // Alone with its route.
        of("/c", "cart-1"),
    ]);
    assert_named(
        &html,
        &[
            "http.route=/a cart-1",
            "http.route=/a cart-2",
            "http.route=/b cart-1",
            "http.route=/b cart-2",
            "http.route=/c",
        ],
    );
}

#[test]
fn streams_of_two_places_are_told_apart_by_them() {
    let of = |environment: &str, cluster: &str| {
        let place = json!({"environment": environment, "cluster": cluster});
        ("/a", Some("cart-1"), place)
    };
    let html = streams(&[of("prod", "eu-1"), of("prod", "eu-2"), of("canary", "eu-1")]);
    assert_named(&html, &["prod / eu-1", "prod / eu-2", "canary / eu-1"]);
    // Nothing but the stream's own number tells these apart.
    let html = streams(&[("/a", None, json!({})), ("/a", None, json!({}))]);
    assert_named(&html, &["0000000000000000", "0000000000000001"]);
}
