//! Every page with made-up data: what a person would read is there, and hostile text stays text.

use leptos::serde_json::{Value, from_value, json};
use tripline_storage::model::{
    Attribute, AttributeValue, Breaker, EarlierCalls, EdgeBreaker, EjectedHosts, Graph, LiveCounts,
    LogRecord, MeshCalls, MetricPoints, MetricSummary, Page, PulsePoint, Scope, ServiceSummary,
    TraceDetail, TraceSummary, WhatIf,
};

use super::*;
use crate::document::render;
use crate::links::LinkTemplate;
use incident_data::{
    breaker_of, breaker_page, encodings_of, incident_of, lane_of, review_of, what_if_of,
};

mod address;
mod beside;
mod forms;
mod incident_data;
mod metrics;
mod operating;
mod records;
use crate::parts::Complaint;

const HOSTILE: [&str; 6] = [
    "<script>alert(1)</script>",
    "\"><img src=x onerror=alert(1)>",
    "javascript:alert(1)",
    "' onmouseover='alert(1)",
    "</title></textarea></style><svg onload=alert(1)>",
    "{{constructor.constructor('alert(1)')()}}\u{202e}<!--",
];

const NOW: u64 = 1_795_230_134_000_000_000;

fn frame(path: &str, params: &[(&str, &str)]) -> Frame {
    let params = params
        .iter()
        .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
        .collect();
    Frame {
        path: path.to_owned(),
        params,
        now_ns: NOW,
        links: vec![
            LinkTemplate {
                name: "Grafana".to_owned(),
                url: "https://grafana.example/?s={service}".to_owned(),
            },
            LinkTemplate {
                name: "Jaeger".to_owned(),
                url: "https://jaeger.example/{trace_id}".to_owned(),
            },
        ],
        ..Frame::default()
    }
}

fn attributes(text: &str) -> Value {
    json!([{"key": text, "value": {"string": text}}, {"key": "http.response.status_code", "value": {"int": 500}}])
}

fn span(id: &str, parent: Option<&str>, text: &str, start: u64, end: u64) -> Value {
    json!({"trace_id": "5b8aa5a2d2c872e8321cf37308d69df2", "span_id": id, "parent_span_id": parent, "trace_state": null,
        "flags": 1, "service_name": text, "service_version": text, "service_instance_id": null, "name": text,
        "kind": "server", "start_time_unix_nano": (NOW + start).to_string(), "end_time_unix_nano": (NOW + end).to_string(),
        "duration_ns": end - start, "status_code": "error", "status_message": text, "attributes": attributes(text),
        "resource_attributes": attributes(text), "scope_name": text, "scope_version": text,
        "events": [{"time_unix_nano": (NOW + start + 5).to_string(), "name": "exception", "attributes": attributes(text), "dropped_attributes_count": 0}],
        "links": [{"trace_id": text, "span_id": text, "trace_state": null, "flags": 0, "attributes": [], "dropped_attributes_count": 0}],
        "dropped_attributes_count": 2, "dropped_events_count": 0, "dropped_links_count": 0, "sidecar": false, "copies": 1})
}

fn log(text: &str) -> Value {
    json!({"time_unix_nano": (NOW + 7).to_string(), "observed_time_unix_nano": 0, "severity_number": 17, "severity_text": text,
        "event_name": text, "body": text, "body_type": "string", "trace_id": "5b8aa5a2d2c872e8321cf37308d69df2",
        "span_id": "051581bf3cb55c13", "service_name": text, "service_version": null, "service_instance_id": null,
        "scope_name": null, "attributes": attributes(text), "resource_attributes": attributes(text),
        "flags": 0, "dropped_attributes_count": 0})
}

fn summary(text: &str) -> Value {
    let short = json!({"trace_id": "5b8aa5a2d2c872e8321cf37308d69df2", "span_id": "051581bf3cb55c13", "parent_span_id": null,
        "service_name": text, "name": text, "kind": "server", "status_code": "error",
        "start_time_unix_nano": NOW.to_string(), "duration_ns": 1_200_000});
    json!({"trace_id": "5b8aa5a2d2c872e8321cf37308d69df2", "root": short, "has_root": true, "start_time_unix_nano": NOW.to_string(),
        "duration_ns": 1_200_000, "spans": 12_431, "errors": 3, "services": [text, "cart"], "matched": short})
}

fn read<T: for<'de> serde::Deserialize<'de>>(value: Value) -> T {
    from_value(value).expect("the shape of the model")
}

fn cut<T: for<'de> serde::Deserialize<'de>>(item: &Value) -> Page<T> {
    read(json!({"items": [item], "truncated": true, "total": 12_431, "next": "c&u\"r"}))
}

/// Every page, with `text` wherever telemetry or a URL can put text.
fn gallery(text: &str) -> Vec<(&'static str, String)> {
    let service: ServiceSummary = read(
        json!({"service_name": text, "environment": text, "calls": 200, "errors": 20, "weight": 200.0,
        "basis": "all", "rate_per_second": 12.4, "error_ratio": 0.1, "latency": {"p50_ns": 1e6, "p95_ns": 2e7, "p99_ns": 3e8},
        "spans": 400, "versions": [text], "instances": 2, "last_seen_unix_nano": (NOW - 3_000_000_000).to_string()}),
    );
    let graph_data: Graph = read(json!({"nodes": [
            {"name": text, "kind": "service", "inferred": false, "calls": 10, "errors": 1, "latency": {}},
            {"name": "orders-db", "kind": "database", "inferred": true, "calls": 10, "errors": 0, "latency": {"p95_ns": 2e6}}],
        "edges": [{"caller": 0, "callee": 1, "kind": "database", "is_async": false, "calls": 3600, "errors": 36, "weight": 3600.0, "basis": "all", "latency": {"p95_ns": 2e6}}],
        "truncated": true, "total_edges": 9}));
    let mut guarded = graph_data.clone();
    guarded.edges[0].breakers = vec![read(
        json!({"breaker_id": "b", "name": text, "key": null, "state": "open",
        "instances": 2, "instances_open": 1, "peer_evidence": "name", "rejected": 400}),
    )];
    let point = |calls| PulsePoint {
        calls,
        errors: calls / 4,
    };
    let graph_page = GraphPage {
        graph: guarded,
        scrubber: Scrubber {
            from_ns: NOW - 60_000_000_000,
            width_ns: 10_000_000_000,
            steps: vec![point(40), point(0), point(80)],
            chosen: Some(2),
        },
        how: text.to_owned(),
        how_requests: text.to_owned(),
        last_week: Some(GraphThen {
            calls: EarlierCalls {
                same: graph_data.clone(),
                gone: graph_data.clone(),
                total_edges: 2,
            },
            seconds: 3600.0,
            bounds: (
                NOW - crate::range::WEEK - 3_600_000_000_000,
                NOW - crate::range::WEEK,
            ),
        }),
        mesh: vec![MeshCalls {
            caller: text.to_owned(),
            callee: text.to_owned(),
            calls: 1,
            ..MeshCalls::default()
        }],
    };
    let mut trace_data = TraceDetail {
        trace_id: "5b8aa5a2d2c872e8321cf37308d69df2".to_owned(),
        ..TraceDetail::default()
    };
    trace_data.spans = vec![
        read(span("051581bf3cb55c13", None, text, 0, 50_000_000)),
        read(span(
            "051581bf3cb55c14",
            Some("051581bf3cb55c13"),
            text,
            10_000_000,
            40_000_000,
        )),
    ];
    trace_data.logs = vec![read(log(text))];
    trace_data.spans[1].attributes.push(Attribute {
        key: "retry.attempt".to_owned(),
        value: AttributeValue::Int(3),
    });
    trace_data.refusals = vec![
        read(
            json!({"span_id": "051581bf3cb55c14", "pattern": "breaker", "service_name": text,
            "name": text, "key": text, "origin": "tripline-sdk", "confidence": 85,
            "trip": {"time_unix_nano": (NOW - 1_000_000_000).to_string(), "trace_id": "0af7651916cd43dd8448eb211c80319c"}}),
        ),
        read(
            json!({"span_id": "051581bf3cb55c13", "pattern": "breaker", "service_name": text,
            "name": "", "key": null, "origin": "gobreaker", "confidence": 80, "trip": null}),
        ),
    ];
    let metric: MetricSummary = read(
        json!({"name": text, "kind": "histogram", "unit": "s", "temporality": "cumulative", "is_monotonic": null,
        "description": text, "streams": 2, "services": [text]}),
    );
    let series = vec![read(
        json!({"series_id": "00", "service_name": text, "service_instance_id": null, "kind": "histogram", "unit": "s",
        "temporality": "cumulative", "is_monotonic": null, "attributes": attributes(text),
        "points": [{"time_unix_nano": (NOW - 60_000_000_000).to_string(), "start_time_unix_nano": 0, "value": null, "value_int": null, "rate": 2.0,
            "count": 5, "sum": 1.0, "min": 0.1, "max": 0.4, "p50": 0.2, "p95": 0.3, "p99": 0.4}],
        "exemplars": [{"metric_name": text, "unit": "s", "service_name": text, "time_unix_nano": (NOW - 60_000_000_000).to_string(), "value": 0.25,
            "value_int": null, "trace_id": "5b8aa5a2d2c872e8321cf37308d69df2", "span_id": "051581bf3cb55c13", "filtered_attributes": []}]}),
    )];
    let points = MetricPoints {
        series,
        ..MetricPoints::default()
    };
    let counts = LiveCounts {
        spans: 1_234_567,
        logs: 42,
        metric_streams: 7,
        services: 3,
        ..LiveCounts::default()
    };
    let overview_data = Overview {
        counts,
        services: Page::whole(vec![service.clone()]),
        last_week: Some(vec![service.clone()]),
        incidents: Page::whole(vec![incident_of(text).incident]),
        ..Overview::default()
    };
    let explore_data = Explore {
        metrics: Page::whole(vec![metric]),
        chosen: Some((text.to_owned(), points)),
        how: ExploreHow {
            metrics: text.to_owned(),
            points: text.to_owned(),
        },
        ..Explore::default()
    };
    let complaint = Complaint {
        detail: text.to_owned(),
        at: Some((text.to_owned(), 3)),
    };
    let traces_data = TracesPage {
        found: cut::<TraceSummary>(&summary(text)),
        services: vec![text.to_owned()],
        heatmap: read(
            json!({"from_unix_nano": (NOW - 3_600_000_000_000).to_string(), "column_ns": "60000000000", "columns": 60, "spans": 7,
            "cells": [{"column": 3, "row": 40, "spans": 5, "errors": 1}, {"column": 4, "row": 44, "spans": 2, "errors": 0}]}),
        ),
        order: Default::default(),
        how: TracesHow {
            durations: text.to_owned(),
            traces: text.to_owned(),
        },
        selected: Some((
            box_of("10,20,30,40").expect("a box"),
            read(
                json!({"selected": 10, "others": 90, "is_sampled": true, "items": [
                {"key": "tenant", "value": text, "selected": 9, "others": 3, "difference": 0.8,
                 "filter": format!("tenant = {text:?}")}]}),
            ),
        )),
        complaint: None,
    };
    let logs_data = LogsPage {
        found: cut::<LogRecord>(&log(text)),
        histogram: read(
            json!({"steps": [{"counts": [0, 0, 0, 5, 0, 1, 0]}], "services": [[text, 6]]}),
        ),
        ..LogsPage::default()
    };
    let patterns_data = LogsPage {
        patterns: Some(read(
            json!({"records": 6, "truncated": true, "items": [{"pattern": text, "count": 6, "severity_number": 17,
            "services": [text], "newest_unix_nano": NOW.to_string(), "example": text, "filter": "body ~ x"}]}),
        )),
        ..logs_data.clone()
    };
    let wrong = LogsPage {
        complaint: Some(complaint),
        ..LogsPage::default()
    };
    let trace_page = TracePage {
        trace: trace_data.clone(),
        other: Some(Ok(trace_data)),
        proxies: 3,
    };
    let service_data = ServicePage {
        name: text.to_owned(),
        summaries: vec![service.clone()],
        instances: cut(
            &json!({"instance_id": text, "environment": text, "versions": [text], "pod": text, "host": text,
            "calls": 20, "errors": 1, "latency": {}, "last_unix_nano": (NOW - 3_000_000_000).to_string()}),
        ),
        last_week: Some(vec![service]),
        graph: graph_data.clone(),
        breakers: vec![Breaker {
            scope: Scope {
                environment: Some(text.to_owned()),
                ..Scope::default()
            },
            ..breaker_of(text)
        }],
        failed: cut(&summary(text)),
        slow: cut(&summary(text)),
        logs: cut(&log(text)),
        how: ServiceHow {
            figures: text.to_owned(),
            ..ServiceHow::default()
        },
        parts: vec![ServicePart {
            scope: Scope {
                environment: Some(text.to_owned()),
                ..Scope::default()
            },
            then: Some(Vec::new()),
            how: PartHow::default(),
            detail: read(json!({
            "points": [{"time_unix_nano": (NOW - 60_000_000_000).to_string(), "seconds": 60.0, "calls": 10, "errors": 1, "weight": 10.0, "latency": {"p50_ns": 1e6, "p95_ns": 2e6, "p99_ns": 3e6}}],
            "versions": [{"version": text, "calls": 60, "errors": 20, "latency": {}, "first_unix_nano": 2, "last_unix_nano": 3},
                {"version": null, "calls": 100, "errors": 0, "latency": {}, "first_unix_nano": 1, "last_unix_nano": 2}],
            "changes": [{"time_unix_nano": (NOW - 30_000_000_000).to_string(), "service_name": text, "kind": text, "description": text, "evidence": "reported"}],
            "operations": [{"name": text, "calls": 60, "errors": 20, "weight": 60.0, "latency": {}}], "operations_total": 312})),
        }],
    };
    let incident_data = incident_of(text);
    let table = SqlTable {
        columns: vec![(text.to_owned(), "VARCHAR".to_owned())],
        rows: vec![vec![Some(text.to_owned())], vec![None]],
        truncated: true,
        elapsed_ms: 3,
    };
    let sql_data = SqlPage {
        query: text.to_owned(),
        outcome: Some(SqlOutcome::Table(table)),
        relations: vec![(text.to_owned(), vec![(text.to_owned(), text.to_owned())])],
        ..SqlPage::default()
    };
    let with = |path: &str| {
        frame(
            path,
            &[
                ("service", text),
                ("attr", text),
                ("text", text),
                ("q", text),
                ("name", text),
            ],
        )
    };
    let tab = |name: &str| frame("/traces/x", &[("view", name), ("with", text)]);
    let chosen = frame("/traces/x", &[("span", "051581bf3cb55c14"), ("x", text)]);
    vec![
        (
            "overview",
            render(&with("/"), text, |f| overview(&overview_data, f)),
        ),
        (
            "traces",
            render(&with("/traces"), text, |f| traces(&traces_data, f)),
        ),
        ("trace", render(&chosen, text, |f| trace(&trace_page, f))),
        (
            "critical",
            render(&tab("critical"), text, |f| trace(&trace_page, f)),
        ),
        (
            "flame",
            render(&tab("flame"), text, |f| trace(&trace_page, f)),
        ),
        (
            "statistics",
            render(&tab("statistics"), text, |f| trace(&trace_page, f)),
        ),
        (
            "trace-graph",
            render(&tab("graph"), text, |f| trace(&trace_page, f)),
        ),
        (
            "compare",
            render(&tab("compare"), text, |f| trace(&trace_page, f)),
        ),
        (
            "patterns",
            render(
                &frame("/logs", &[("view", "patterns"), ("q", text)]),
                text,
                |f| logs(&patterns_data, f),
            ),
        ),
        (
            "logs",
            render(&with("/logs"), text, |f| logs(&logs_data, f)),
        ),
        (
            "explore",
            render(&with("/explore"), text, |f| explore(&explore_data, f)),
        ),
        (
            "graph",
            render(&with("/graph"), text, |f| graph(&graph_page, f)),
        ),
        (
            "service",
            render(&with("/services/x"), text, |f| {
                super::service(&service_data, f)
            }),
        ),
        (
            "breakers",
            render(&with("/breakers"), text, |f| {
                let data = BreakersPage {
                    breakers: Page::whole(vec![breaker_of(text)]),
                    lanes: Page::whole(vec![lane_of(text)]),
                    encodings: encodings_of(text),
                    review: None,
                    how: BreakersHow {
                        states: text.to_owned(),
                        ..BreakersHow::default()
                    },
                };
                breakers(&data, f)
            }),
        ),
        (
            "review",
            render(
                &frame("/breakers", &[("tab", "review"), ("q", text)]),
                text,
                |f| {
                    let data = BreakersPage {
                        review: Some(Page::whole(vec![review_of(text)])),
                        how: BreakersHow {
                            review: text.to_owned(),
                            ..BreakersHow::default()
                        },
                        ..BreakersPage::default()
                    };
                    breakers(&data, f)
                },
            ),
        ),
        (
            "breaker",
            render(&with("/breakers/x/y"), text, |f| {
                breaker(&breaker_page(text), f)
            }),
        ),
        (
            "incidents",
            render(&with("/incidents"), text, |f| {
                incidents(&Page::whole(vec![incident_data.incident.clone()]), f)
            }),
        ),
        (
            "incident",
            render(&with("/incidents/x"), text, |f| incident(&incident_data, f)),
        ),
        (
            "whatif",
            render(&with("/breakers/x/y/whatif"), text, |f| {
                what_if(&what_if_of(text), f)
            }),
        ),
        ("sql", render(&with("/sql"), text, |f| sql(&sql_data, f))),
        ("problem", render(&with("/logs"), text, |f| logs(&wrong, f))),
        (
            "failed",
            render(&with("/"), text, |f| failed(f, text, text)),
        ),
        (
            "login",
            render(&with("/"), text, |_| login(text, Some(text))),
        ),
    ]
}

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
        hosts_ejected: Some(2),
        hosts_total: Some(12),
    };
    let drawn = |edge: &EdgeBreaker| {
        let graph: Graph = read(json!({"nodes": [
                {"name": "shop", "kind": "service", "inferred": false, "calls": 10, "errors": 0, "latency": {}},
                {"name": "payment", "kind": "service", "inferred": false, "calls": 10, "errors": 0, "latency": {}}],
            "edges": [{"caller": 0, "callee": 1, "kind": "service", "is_async": false, "calls": 100, "errors": 0, "weight": 100.0,
                "basis": "all", "latency": {}, "breakers": [edge]}],
            "truncated": false, "total_edges": 1}));
        let page = GraphPage {
            graph,
            ..GraphPage::default()
        };
        render(&frame("/graph", &[]), "payment", |f| {
            crate::pages::graph(&page, f)
        })
    };
    let html = drawn(&edge);
    assert!(html.contains("◔ 2 of 12 hosts out"), "{html}");
    assert!(html.contains("2 of 3 instances ejecting"), "{html}");
    assert!(
        html.contains("breaker-warn") && !html.contains("breaker-bad"),
        "{html}"
    );
    edge.hosts_ejected = Some(12);
    assert!(drawn(&edge).contains("breaker-bad"));
}

#[test]
fn what_if_says_why_it_refuses_and_shows_no_number() {
    let refused = WhatIf {
        refused: Some("About 10 % of this breaker's calls are stored".to_owned()),
        ..what_if_of("cart")
    };
    let html = render(&frame("/breakers/cart/x/whatif", &[]), "cart", |f| {
        what_if(&refused, f)
    });
    assert!(
        html.contains("Not replayed") && html.contains("About 10 %"),
        "{html}"
    );
    assert!(
        !html.contains("Against what happened") && !html.contains("reproduces"),
        "{html}"
    );
}

#[test]
fn hostile_telemetry_stays_text_on_every_page() {
    for text in HOSTILE {
        for (page, html) in gallery(text) {
            for forbidden in [
                "<script>",
                "<img",
                "<svg onload",
                "<!--",
                "href=\"javascript",
                "\"><",
            ] {
                let found = html.match_indices(forbidden).any(|(at, _)| {
                    // Elements of our own may follow an attribute's end; ours are never empty values of text.
                    forbidden != "\"><" || html[at..].starts_with("\"><img")
                });
                assert!(!found, "{page}: {forbidden} from {text}\n{html}");
            }
            assert!(
                !html.contains(" style=\""),
                "{page}: the policy forbids inline styles"
            );
            assert!(
                !html.contains("onclick"),
                "{page}: the policy forbids inline script"
            );
        }
    }
}

/// Text keeps its apostrophes, which is safe as long as no attribute is quoted with them.
#[test]
fn attributes_stand_in_double_quotes() {
    for (page, html) in gallery("checkout") {
        assert!(!html.contains("='"), "{page}\n{html}");
    }
}

#[test]
fn pages_say_what_they_know() {
    let pages: std::collections::HashMap<_, _> = gallery("checkout").into_iter().collect();
    let says = |page: &str, words: &[&str]| {
        for word in words {
            assert!(
                pages[page].contains(word),
                "{page} does not say {word}\n{}",
                pages[page]
            );
        }
    };
    says(
        "overview",
        &[
            "1,234,567",
            "checkout",
            "12.4/s",
            "10 %",
            "20 ms",
            "3 s ago",
            "Last 1 hour",
        ],
    );
    says(
        "traces",
        &[
            "1 of 12,431 traces, newest first",
            "older →",
            "/traces?service=checkout&amp;attr=checkout&amp;text=checkout&amp;q=checkout&amp;name=checkout&amp;sort=duration",
            "aria-sort=\"descending\"",
            "cursor=c%26u%22r",
            "1.2 ms",
        ],
    );
    says(
        "trace",
        &[
            "50 ms",
            "051581bf3cb55c14",
            "exception",
            "The sender dropped 2",
            "+7 ns",
            "aria-label=\"Span\"",
        ],
    );
    says(
        "logs",
        &[
            "error",
            "trace →",
            "/traces/5b8aa5a2d2c872e8321cf37308d69df2?span=051581bf3cb55c13",
        ],
    );
    says(
        "explore",
        &["histogram", "250 ms: open its trace", "p95", "300 ms"],
    );
    says(
        "graph",
        &[
            "orders-db",
            "1/s",
            // 36 failed and 400 refused of 4,000 attempts.
            "10.9 %",
            "400 refused",
            "○ open",
            "key-flow refused",
            "80 calls, 20 failed",
            "aria-current=\"step\"",
            "whole range",
            "2 ms",
            "inferred",
            "The 1 busiest of 9",
        ],
    );
    says(
        "traces",
        &[
            "What the box has in common",
            "tenant",
            "90 %",
            "samples of 10",
            "q=%22checkout%22%20AND%20tenant%20%3D%20checkout",
            "q=%22checkout%22%20AND%20NOT%20tenant%20%3D%20checkout",
        ],
    );
    says(
        "service",
        &[
            "Versions side by side",
            "fails more often",
            "What changed",
            "note-line",
            "1 of 312 operations, busiest first, the rest was cut",
            "1 of 12,431 failed traces, newest first, the rest was cut",
            "All failed traces →",
        ],
    );
    says("critical", &["On the path", "60 %", "path of 50 ms"]);
    says("flame", &["flame-block", "2 blocks"]);
    says("statistics", &["Own time", "80 ms", "40 ms"]);
    says(
        "trace",
        &[
            "retry 2",
            "refused by breaker ",
            "refused by a breaker of gobreaker",
            "/traces/0af7651916cd43dd8448eb211c80319c",
            "3 proxy spans are",
            "shown: hide them",
            "https://jaeger.example/5b8aa5a2d2c872e8321cf37308d69df2",
        ],
    );
    says("trace-graph", &["2 spans"]);
    says("compare", &["Swap"]);
    says(
        "patterns",
        &["among the newest 6 records; older ones were not looked at"],
    );
    says("problem", &["checkout\n  \u{25b2}"]);
    says("sql", &["2 rows in 3 ms, cut here", "NULL"]);
    says("login", &["name=\"next\" value=\"checkout\""]);
}

#[test]
fn the_sixty_seconds_are_answered_in_words() {
    let pages: std::collections::HashMap<_, _> = gallery("checkout").into_iter().collect();
    let says = |page: &str, words: &[&str]| {
        for word in words {
            assert!(
                pages[page].contains(word),
                "{page} does not say {word}\n{}",
                pages[page]
            );
        }
    };
    says(
        "overview",
        &["1 going on", "likely root: psp", "/incidents/"],
    );
    says(
        "service",
        &[
            "Its breakers",
            "9 of 12 open",
            "/breakers/checkout/checkout",
        ],
    );
    says(
        "whatif",
        &[
            "reproduces 7 of 9 recorded trips",
            "Under 90 %",
            "Interval clears its counts",
            "would have succeeded (lost)",
            "minimum_calls = 40",
            "A call that was refused has no outcome",
        ],
    );
    says("breakers", &["Through time", "lane-open", "9 of 12 open"]);
    says(
        "breakers",
        &[
            "Numbers of unknown meaning",
            "held while 95 % of 200 calls were refused",
            "<option value=\"open\" selected>",
            "action=\"/breakers/encodings\"",
            "Forget what 0 means",
            "not seen in this range",
        ],
    );
    says(
        "review",
        &[
            "≈ 12.5", "2.5", "≈ 15 s", "≈ 26 s", "≈ 511", "1,200", "how?",
        ],
    );
    says(
        "breaker",
        &[
            "checkout → psp is OPEN on 9 of 12 instances since",
            "62 of 100 calls failed (limit 50 %)",
            "58 of the failures near it DEADLINE_EXCEEDED",
            "up to 340 calls/min rejected",
            "71 % of the requests hurt were answered all the same",
            "part of 4 trips",
            "2 different settings",
            "Next probe: ",
            "in 30 s",
            "8 of 10 it takes",
            "812 succeeded",
            "340 refused",
            "not counted: slow, ignored, cancelled",
            "/traces/5b8aa5a2d2c872e8321cf37308d69df2?span=051581bf3cb55c13",
            "failure 12 ms",
            "1 of 7 are shown",
            "minimum_calls 10 →",
        ],
    );
    says(
        "incident",
        &[
            "likely root: psp (93 % sure)",
            "worsening",
            "DEADLINE_EXCEEDED",
            "tripped it",
            "/traces/5b8aa5a2d2c872e8321cf37308d69df2?span=051581bf3cb55c13",
            "No version is reported by checkout",
            "Copy as Markdown",
            "tripline export --incident",
            "9 of 12",
            "/breakers/checkout/checkout?at=",
            "4 probes ended, 1 of them closed",
            "1 of 21 findings, the strongest of each kind first, the rest was cut",
        ],
    );
}

#[test]
fn empty_is_a_sentence() {
    let frame = frame("/", &[]);
    let first = Overview {
        otlp_grpc: "127.0.0.1:4317".to_owned(),
        otlp_http: "127.0.0.1:4318".to_owned(),
        ..Overview::default()
    };
    let html = render(&frame, "Overview", |f| overview(&first, f));
    for words in [
        "Waiting for telemetry",
        "127.0.0.1:4317",
        "Loopback only",
        "curl http://127.0.0.1:4318/v1/traces",
    ] {
        assert!(html.contains(words), "{words}");
    }
    assert!(render(&frame, "x", |f| traces(&TracesPage::default(), f)).contains("No trace fits."));
    assert!(render(&frame, "x", |f| logs(&LogsPage::default(), f)).contains("No log record fits."));
    assert!(
        render(&frame, "x", |f| graph(&GraphPage::default(), f))
            .contains("No calls in this range.")
    );
    assert!(
        render(&frame, "x", |f| trace(&TracePage::default(), f))
            .contains("No span of this trace is stored.")
    );
    assert!(
        render(&frame, "x", |f| breakers(&BreakersPage::default(), f))
            .contains("No evidence of a circuit breaker")
    );
    assert!(
        render(&frame, "x", |f| incidents(&Page::default(), f))
            .contains("No breaker tripped in this range.")
    );
}

/// Writes every page into the directory of `TRIPLINE_GALLERY`, to be looked at.
#[test]
fn every_page_renders_as_a_whole_document() {
    let directory = std::env::var_os("TRIPLINE_GALLERY").map(std::path::PathBuf::from);
    for (page, html) in gallery("checkout") {
        assert!(
            html.starts_with("<!DOCTYPE html><html") && html.ends_with("</html>"),
            "{page}"
        );
        if let Some(directory) = &directory {
            let html = html.replace(
                "<link rel=\"stylesheet\" href=\"\">",
                &format!("<style>{}</style>", crate::STYLE),
            );
            std::fs::write(directory.join(format!("{page}.html")), html)
                .expect("a writable directory");
        }
    }
}
