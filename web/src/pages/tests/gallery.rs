//! The pages, each once, with `text` wherever telemetry or a URL can put text.

use tripline_storage::model::{
    Attribute, AttributeValue, BesideSpan, Breaker, Callee, Change, EarlierCalls, Graph,
    LiveCounts, LogRecord, MeshCalls, MetricPoints, MetricSummary, PulsePoint, Scope,
    ServiceCoverage, ServiceSummary, SpanSummary, TimeRange, TraceDetail, TraceSummary,
};

use super::incident_data::{
    breaker_of, breaker_page, encodings_of, incident_of, lane_of, review_of, what_if_of,
};
use super::*;
use crate::parts::{Complaint, WayOn};

fn service_of(text: &str) -> ServiceSummary {
    read(
        json!({"service_name": text, "environment": text, "calls": 200, "errors": 20, "weight": 200.0,
        "basis": "all", "rate_per_second": 12.4, "error_ratio": 0.1, "latency": {"p50_ns": 1e6, "p95_ns": 2e7, "p99_ns": 3e8},
        "spans": 400, "versions": [text], "instances": 2, "last_seen_unix_nano": (NOW - 3_000_000_000).to_string()}),
    )
}

fn graph_of(text: &str) -> Graph {
    read(json!({"nodes": [
            {"name": text, "kind": "service", "inferred": false, "calls": 10, "errors": 1, "latency": {}},
            {"name": "orders-db", "kind": "database", "inferred": true, "calls": 10, "errors": 0, "latency": {"p95_ns": 2e6}}],
        "edges": [{"caller": 0, "callee": 1, "kind": "database", "is_async": false, "calls": 3600, "errors": 36, "weight": 3600.0, "basis": "all", "latency": {"p95_ns": 2e6}}],
        "truncated": true, "total_edges": 9}))
}

fn coverage_of(text: &str) -> ServiceCoverage {
    ServiceCoverage {
        service_name: text.to_owned(),
        spans: 1_234_567,
        logs: 42,
        metric_points: 7,
        ..ServiceCoverage::default()
    }
}

fn overview_page(text: &str) -> Overview {
    let service = service_of(text);
    Overview {
        counts: LiveCounts {
            spans: 2_234_567,
            ..LiveCounts::default()
        },
        coverage: Page::whole(vec![coverage_of(text)]),
        services: Page::whole(vec![service.clone()]),
        last_week: Some(vec![service.clone()]),
        incidents: Page::whole(vec![incident_of(text).incident]),
        ..Overview::default()
    }
}

fn graph_page(text: &str) -> GraphPage {
    let graph_data = graph_of(text);
    let mut guarded = graph_data.clone();
    guarded.edges[0].breakers = vec![read(
        json!({"breaker_id": "b", "name": text, "key": null, "state": "open",
        "instances": 2, "instances_open": 1, "peer_evidence": "name", "rejected": 400}),
    )];
    let point = |calls| PulsePoint {
        calls,
        errors: calls / 4,
        ..PulsePoint::default()
    };
    GraphPage {
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
    }
}

/// Beside the span that is open: the callee failed before in another trace, logged it, and had been changed.
fn beside_span(text: &str) -> BesideSpan {
    let now = i64::try_from(NOW).expect("this century");
    let second = 1_000_000_000;
    let other: SpanSummary = read(
        json!({"trace_id": "0af7651916cd43dd8448eb211c80319c", "span_id": "00f067aa0ba902b7", "parent_span_id": null,
            "service_name": text, "name": text, "kind": "server", "status_code": "error",
            "start_time_unix_nano": (NOW - 2_000_000_000).to_string(), "duration_ns": 777_000_000}),
    );
    BesideSpan {
        callee: Callee {
            scope: Scope::default(),
            service: text.to_owned(),
        },
        range: TimeRange {
            from_unix_nano: now - 5 * second,
            to_unix_nano: now + 5 * second,
        },
        spans: vec![other],
        logs: Page::whole(vec![read(log(text))]),
        changes: vec![Change {
            time_unix_nano: now - 60 * second,
            service_name: Some(text.to_owned()),
            kind: "flag".to_owned(),
            description: text.to_owned(),
            evidence: "reported".to_owned(),
        }],
        has_no_version: true,
    }
}

fn trace_page(text: &str) -> TracePage {
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
    TracePage {
        trace: trace_data.clone(),
        other: Some(Ok(trace_data)),
        proxies: 3,
        beside: Some(beside_span(text)),
    }
}

fn explore_page(text: &str) -> Explore {
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
    Explore {
        metrics: Page::whole(vec![metric]),
        chosen: Some((text.to_owned(), points)),
        how: ExploreHow {
            metrics: text.to_owned(),
            points: text.to_owned(),
        },
        ..Explore::default()
    }
}

fn traces_page(text: &str) -> TracesPage {
    TracesPage {
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
    }
}

fn logs_page(text: &str) -> LogsPage {
    LogsPage {
        found: cut::<LogRecord>(&log(text)),
        histogram: read(
            json!({"steps": [{"counts": [0, 0, 0, 5, 0, 1, 0]}], "services": [[text, 6]]}),
        ),
        ..LogsPage::default()
    }
}

fn patterns_page(text: &str) -> LogsPage {
    LogsPage {
        patterns: Some(read(
            json!({"records": 6, "truncated": true, "items": [{"pattern": text, "count": 6, "severity_number": 17,
            "services": [text], "newest_unix_nano": NOW.to_string(), "example": text, "filter": "body ~ x"}]}),
        )),
        ..logs_page(text)
    }
}

/// A page whose question cannot be asked.
fn wrong_page(text: &str) -> LogsPage {
    let complaint = Complaint {
        detail: text.to_owned(),
        at: Some((text.to_owned(), 3)),
        parameter: Some(text.to_owned()),
    };
    LogsPage {
        complaint: Some(complaint),
        ..LogsPage::default()
    }
}

fn service_page(text: &str) -> ServicePage {
    let service = service_of(text);
    ServicePage {
        name: text.to_owned(),
        seen: vec![coverage_of(text)],
        heard: Vec::new(),
        summaries: vec![service.clone()],
        instances: cut(
            &json!({"instance_id": text, "environment": text, "versions": [text], "pod": text, "host": text,
            "calls": 20, "errors": 1, "latency": {}, "last_unix_nano": (NOW - 3_000_000_000).to_string()}),
        ),
        last_week: Some(vec![service]),
        graph: graph_of(text),
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
    }
}

fn breakers_page(text: &str) -> BreakersPage {
    BreakersPage {
        breakers: Page::whole(vec![breaker_of(text)]),
        lanes: Page::whole(vec![lane_of(text)]),
        encodings: encodings_of(text),
        review: None,
        how: BreakersHow {
            states: text.to_owned(),
            ..BreakersHow::default()
        },
    }
}

fn reviewed_page(text: &str) -> BreakersPage {
    BreakersPage {
        review: Some(Page::whole(vec![review_of(text)])),
        how: BreakersHow {
            review: text.to_owned(),
            ..BreakersHow::default()
        },
        ..BreakersPage::default()
    }
}

fn sql_page(text: &str) -> SqlPage {
    let table = SqlTable {
        columns: vec![(text.to_owned(), "VARCHAR".to_owned())],
        rows: vec![vec![Some(text.to_owned())], vec![None]],
        truncated: true,
        elapsed_ms: 3,
    };
    SqlPage {
        query: text.to_owned(),
        outcome: Some(SqlOutcome::Table(table)),
        relations: vec![(text.to_owned(), vec![(text.to_owned(), text.to_owned())])],
        ..SqlPage::default()
    }
}

/// Every page: what it is called here, and its document.
pub(super) fn gallery(text: &str) -> Vec<(&'static str, String)> {
    let trace_page = trace_page(text);
    let incident_data = incident_of(text);
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
            render(&with("/"), text, |f| overview(&overview_page(text), f)),
        ),
        (
            "traces",
            render(&with("/traces"), text, |f| traces(&traces_page(text), f)),
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
                |f| logs(&patterns_page(text), f),
            ),
        ),
        (
            "logs",
            render(&with("/logs"), text, |f| logs(&logs_page(text), f)),
        ),
        (
            "explore",
            render(&with("/explore"), text, |f| explore(&explore_page(text), f)),
        ),
        (
            "graph",
            render(&with("/graph"), text, |f| graph(&graph_page(text), f)),
        ),
        (
            "service",
            render(&with("/services/x"), text, |f| {
                crate::pages::service(&service_page(text), f)
            }),
        ),
        (
            "breakers",
            render(&with("/breakers"), text, |f| {
                breakers(&breakers_page(text), f)
            }),
        ),
        (
            "review",
            render(
                &frame("/breakers", &[("tab", "review"), ("q", text)]),
                text,
                |f| breakers(&reviewed_page(text), f),
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
        (
            "sql",
            render(&with("/sql"), text, |f| sql(&sql_page(text), f)),
        ),
        (
            "problem",
            render(&with("/logs"), text, |f| logs(&wrong_page(text), f)),
        ),
        (
            "failed",
            render(&with("/"), text, |f| {
                failed(text, text, WayOn::without(text, f))
            }),
        ),
        (
            "login",
            render(&with("/"), text, |_| login(text, Some(text))),
        ),
    ]
}
