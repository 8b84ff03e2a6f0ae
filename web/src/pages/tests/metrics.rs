//! Metrics: groups of streams, and buckets over time.

use super::*;

fn of(points: &Value) -> Explore {
    let metric = json!({"name": "latency", "kind": "histogram", "unit": "s", "temporality": "delta", "is_monotonic": null,
        "description": "", "streams": 3, "services": ["checkout"]});
    Explore {
        metrics: Page::whole(vec![read(metric)]),
        chosen: Some(("latency".to_owned(), read(points.clone()))),
        ..Explore::default()
    }
}

fn group(kind: &str, attributes: &Value) -> Value {
    json!({"series_id": "", "service_name": null, "service_instance_id": null, "kind": kind, "unit": "s",
        "temporality": "delta", "is_monotonic": null, "attributes": attributes, "exemplars": [],
        "points": [{"time_unix_nano": (NOW - 60_000_000_000).to_string(), "start_time_unix_nano": 0, "value": 4.5,
            "value_int": null, "rate": 2.0, "count": 5, "sum": 9.0, "min": 0.1, "max": 0.4, "p50": 0.2, "p95": 0.3,
            "p99": 0.4}]})
}

fn grouped(kind: &str) -> Value {
    json!({"series": [group(kind, &json!([{"key": "http.route", "value": {"string": "/cart"}}])), group(kind, &json!([]))],
        "truncated": true, "total_series": 7, "keys": ["http.route", "resource.k8s.pod.name"],
        "grouping": {"by": "http.route", "step_ns": "30000000000", "streams": 3, "total_streams": 1200}})
}

#[test]
fn groups_are_named_by_their_value_and_say_what_was_merged() {
    let params = [
        ("metric", "latency"),
        ("by", "http.route"),
        ("q", "unit = s"),
    ];
    let html = render(&frame("/explore", &params), "Metrics", |f| {
        explore(&of(&grouped("histogram")), f)
    });
    for words in [
        "/cart",
        "(none)",
        "3 streams in 2 groups by http.route, a point every 30 s",
        "2 of 7 groups are shown, 3 of 1,200 streams",
        "name=\"by\"",
        "value=\"resource.k8s.pod.name\"",
        // The form keeps the rest of the address.
        "name=\"q\" value=\"unit = s\"",
        "/export/metrics.csv?metric=latency",
        "view=heatmap",
    ] {
        assert!(html.contains(words), "{words}\n{html}");
    }
    let html = render(&frame("/explore", &params), "Metrics", |f| {
        explore(&of(&grouped("gauge")), f)
    });
    assert!(
        html.contains(">mean<") && !html.contains("view=heatmap"),
        "{html}"
    );
}

#[test]
fn buckets_over_time_have_their_bounds_and_values() {
    let mut data = of(&grouped("histogram"));
    data.heatmap = Some(read(
        json!({"from_unix_nano": (NOW - 3_600_000_000_000).to_string(), "column_ns": "60000000000",
        "columns": 60, "unit": "s", "rows": [{"low": null, "high": 0.1}, {"low": 0.1, "high": 0.5}, {"low": 0.5, "high": null}],
        "cells": [{"column": 3, "row": 0, "values": 30_000.0}, {"column": 4, "row": 2, "values": 10_000.0}],
        "values": 40_000.0, "streams": 3, "total_streams": 3}),
    ));
    let at = frame("/explore", &[("metric", "latency"), ("view", "heatmap")]);
    let html = render(&at, "Metrics", |f| explore(&data, f));
    for words in [
        "up to 100 ms",
        "above 500 ms",
        ">30,000<",
        "75 %",
        "class=\"heat h",
        "viewBox=\"0 0 60 3\"",
    ] {
        assert!(html.contains(words), "{words}\n{html}");
    }
    data.heatmap = Some(tripline_storage::model::MetricHeatmap::default());
    let html = render(&at, "Metrics", |f| explore(&data, f));
    assert!(
        html.contains("No value was counted in this range."),
        "{html}"
    );
}

#[test]
fn a_sum_grows_in_its_unit() {
    let mut sum = group("sum", &json!([]));
    (sum["unit"], sum["is_monotonic"]) = (json!("By"), json!(true));
    sum["points"][0]["rate"] = json!(2048.0);
    let points = json!({"series": [sum], "truncated": false, "total_series": 1, "keys": [], "grouping": null});
    let at = frame("/explore", &[("metric", "latency")]);
    let html = render(&at, "Metrics", |f| explore(&of(&points), f));
    assert!(html.contains(">2 KiB/s<"), "{html}");
    // The values of a histogram are counted, whatever they are of.
    let at = frame("/explore", &[("metric", "latency"), ("show", "rate")]);
    let html = render(&at, "Metrics", |f| explore(&of(&grouped("histogram")), f));
    assert!(html.contains(">2/s<"), "{html}");
}

#[test]
fn what_is_drawn_first_is_there() {
    let mut summary = group("summary", &json!([]));
    summary["points"][0]["p95"] = json!(null);
    let points = json!({"series": [summary], "truncated": false, "total_series": 1, "keys": [], "grouping": null});
    let chosen = |show: &str| {
        let at = frame("/explore", &[("metric", "latency"), ("show", show)]);
        let html = render(&at, "Metrics", |f| explore(&of(&points), f));
        let tabs = html.split("aria-label=\"What is drawn\"").nth(1);
        let here = tabs.and_then(|tabs| tabs.split("aria-current=\"true\">").nth(1));
        let word = here.and_then(|here| here.split('<').next());
        word.unwrap_or_default().to_owned()
    };
    assert_eq!(chosen(""), "p50", "this summary has no p95");
    assert_eq!(chosen("p95"), "p95", "unless it is asked for");
}
