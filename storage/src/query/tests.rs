//! Each question against what was sent, over hot and sealed segments.

mod among;
mod earlier;
mod expired;
mod filters;
mod grouped;
mod heatmaps;
mod hows;
mod instances;
mod large_traces;
mod log_shapes;
mod odd_maps;
mod one_span;
mod operations;
mod orders;
mod proxies;
mod pulses;
mod requests;
mod runs;
mod versions;
mod weights;

use std::time::{Duration, Instant};

use super::{
    QueryError, Session, graph, graph_in_step, live_counts, logs, metric_points, metrics, services,
    spans, trace, traces,
};
use crate::fixture::{self, open};
use crate::ingest::{
    LogColumns, LogRow, MetricColumns, NumberPointRow, NumberValue, ResourceRow, Rows, SeriesRow,
    SpanColumns, SpanRow,
};
use crate::model::{
    AttributeFilter, AttributeValue, EdgeKind, Graph, GraphQuery, LogQuery, MetricPointsQuery,
    MetricsQuery, NodeKind, Scope, ServiceOrder, ServicesQuery, TimeRange, TraceOrder, TraceQuery,
};
use crate::store::{Store, StoreConfig};

const BASE: u64 = 1_700_000_000_000_000_000;
const RANGE: TimeRange = TimeRange {
    from_unix_nano: BASE as i64 - 60_000_000_000,
    to_unix_nano: BASE as i64 + 600_000_000_000,
};

fn append(store: &Store, service: &str, rows: Rows) {
    let resource = ResourceRow {
        service_name: Some(service.to_owned()),
        service_version: Some("1.2".to_owned()),
        environment: Some("prod".to_owned()),
        attributes: r#"{"region":"north"}"#.to_owned(),
        ..ResourceRow::default()
    };
    append_from(store, resource, rows);
}

fn append_from(store: &Store, resource: ResourceRow, rows: Rows) {
    fixture::append(store, fixture::batch(vec![resource], rows));
}

/// Trace `number`: a call from `shop` to `pay` that asks a database; every tenth fails.
fn call(store: &Store, number: u64) {
    let trace_id = u128::from(number + 1).to_be_bytes();
    let id = |span: u64| (number * 10 + span + 1).to_be_bytes();
    let start = BASE + number * 1_000_000_000;
    let status = if number.is_multiple_of(10) {
        "error"
    } else {
        "ok"
    };
    let attributes = format!(
        r#"{{"http.route":"/r/{}","n":{number},"half":{:?},"empty":null}}"#,
        number % 4,
        number as f64 / 2.0
    );
    let span = |columns: &mut SpanColumns,
                at: u64,
                kind: &'static str,
                peer: Option<(&'static str, &'static str)>| {
        columns.push(&SpanRow {
            trace_id,
            span_id: id(at),
            parent_span_id: (at > 0).then(|| id(at - 1)),
            name: "work",
            kind,
            start_unix_nano: start + at,
            end_unix_nano: start + at + 1_000_000 * (number + 1),
            status_code: status,
            attributes: &attributes,
            peer: peer.map(|(_, name)| name),
            peer_kind: peer.map(|(kind, _)| kind),
            ..SpanRow::default()
        });
    };
    let mut shop = SpanColumns::default();
    span(&mut shop, 0, "server", None);
    span(&mut shop, 1, "client", None);
    append(store, "shop", Rows::Spans(shop));
    let mut pay = SpanColumns::default();
    span(&mut pay, 2, "server", None);
    span(
        &mut pay,
        3,
        "client",
        Some(("database", "postgresql:ledger")),
    );
    append(store, "pay", Rows::Spans(pay));
    let mut logs = LogColumns::default();
    logs.push(&LogRow {
        time_unix_nano: start,
        severity_number: if number.is_multiple_of(10) { 17 } else { 9 },
        body: Some(&format!("Paid order {number}")),
        body_type: Some("string"),
        trace_id: Some(trace_id),
        attributes: r#"{"k":"v"}"#,
        ..LogRow::default()
    });
    append(store, "pay", Rows::Logs(logs));
}

/// Forty calls: thirty sealed, ten hot.
fn filled(dir: &std::path::Path) -> Store {
    let store = open(dir);
    for number in 0..30 {
        call(&store, number);
    }
    store.seal_now().expect("sealed");
    for number in 30..40 {
        call(&store, number);
    }
    store
}

#[test]
fn services_and_graph_count_every_call() {
    let dir = tempfile::tempdir().expect("a directory");
    let store = filled(dir.path());
    let reader = store.reader().expect("a reader");
    let session = Session::new(&reader);
    let question = ServicesQuery {
        range: RANGE,
        scope: Scope::default(),
        order: ServiceOrder::default(),
        limit: 100,
    };
    let page = services(&session, &question).expect("services");
    let names: Vec<&str> = page
        .items
        .iter()
        .map(|service| service.service_name.as_str())
        .collect();
    assert_eq!(names, ["pay", "shop"]);
    for service in &page.items {
        assert_eq!(
            (service.calls, service.errors, service.spans),
            (40, 4, 80),
            "{}",
            service.service_name
        );
        assert_eq!(service.versions, ["1.2"]);
        let p50 = service.latency.p50_ns.expect("durations") / 20e6;
        assert!((0.955..1.046).contains(&p50), "{p50}");
    }
    let question = GraphQuery {
        range: RANGE,
        scope: Scope::default(),
        service: None,
        edges_max: 100,
    };
    let graph = graph(&session, &question).expect("graph");
    let edges: Vec<(&str, &str, EdgeKind, u64, u64)> = graph
        .edges
        .iter()
        .map(|edge| {
            let name = |at: usize| graph.nodes[at].name.as_str();
            (
                name(edge.caller),
                name(edge.callee),
                edge.kind,
                edge.calls,
                edge.errors,
            )
        })
        .collect();
    assert!(
        edges.contains(&("shop", "pay", EdgeKind::Service, 40, 4)),
        "{edges:?}"
    );
    assert!(
        edges.contains(&("pay", "postgresql:ledger", EdgeKind::Database, 40, 4)),
        "{edges:?}"
    );
    assert_eq!(edges.len(), 2);
    let database = graph
        .nodes
        .iter()
        .find(|node| node.kind == NodeKind::Database)
        .expect("a node");
    assert_eq!((database.calls, database.inferred), (40, true));
}

#[test]
fn around_a_service_its_callers_have_their_own_numbers() {
    let dir = tempfile::tempdir().expect("a directory");
    let store = filled(dir.path());
    let reader = store.reader().expect("a reader");
    let session = Session::new(&reader);
    let ask = |service: Option<&str>| {
        let question = GraphQuery {
            range: RANGE,
            scope: Scope::default(),
            service: service.map(str::to_owned),
            edges_max: 100,
        };
        graph(&session, &question).expect("graph")
    };
    let (whole, around) = (ask(None), ask(Some("pay")));
    let names: Vec<&str> = around.nodes.iter().map(|node| node.name.as_str()).collect();
    assert_eq!(names, ["pay", "postgresql:ledger", "shop"]);
    for node in &around.nodes {
        assert_eq!(node.calls, 40, "{}", node.name);
        assert!(whole.nodes.contains(node), "{}", node.name);
    }
    let alone = ask(Some("shop"));
    let names: Vec<&str> = alone.nodes.iter().map(|node| node.name.as_str()).collect();
    assert_eq!(names, ["pay", "shop"]);
}

#[test]
fn a_step_of_the_graph_keeps_every_place_and_counts_its_own_calls() {
    let dir = tempfile::tempdir().expect("a directory");
    let store = filled(dir.path());
    let reader = store.reader().expect("a reader");
    let session = Session::new(&reader);
    let question = GraphQuery {
        range: RANGE,
        scope: Scope::default(),
        service: None,
        edges_max: 100,
    };
    let whole = graph(&session, &question).expect("graph");
    let step = |second: i64| {
        let from_unix_nano = BASE as i64 + second * 1_000_000_000;
        let to_unix_nano = from_unix_nano + 10_000_000_000;
        let step = TimeRange {
            from_unix_nano,
            to_unix_nano,
        };
        graph_in_step(&session, &question, step).expect("graph")
    };
    for (second, calls, errors) in [(10, 10, 1), (30, 10, 1), (100, 0, 0)] {
        let then = step(second);
        let names = |graph: &Graph| -> Vec<String> {
            graph.nodes.iter().map(|node| node.name.clone()).collect()
        };
        assert_eq!(names(&then), names(&whole), "at {second}");
        assert_eq!(then.edges.len(), whole.edges.len(), "at {second}");
        for (edge, of_whole) in then.edges.iter().zip(&whole.edges) {
            assert_eq!(
                (edge.caller, edge.callee),
                (of_whole.caller, of_whole.callee)
            );
            assert_eq!((edge.calls, edge.errors), (calls, errors), "at {second}");
        }
        for node in &then.nodes {
            assert_eq!(
                (node.calls, node.errors),
                (calls, errors),
                "{} at {second}",
                node.name
            );
        }
    }
}

#[test]
fn a_search_pages_from_the_newest_to_the_oldest_without_gap_or_repeat() {
    let dir = tempfile::tempdir().expect("a directory");
    let store = filled(dir.path());
    let reader = store.reader().expect("a reader");
    let session = Session::new(&reader);
    let mut question = TraceQuery {
        service: Some("shop".to_owned()),
        limit: 7,
        ..TraceQuery::default()
    };
    let mut starts = Vec::new();
    loop {
        let page = spans(&session, &question).expect("spans");
        starts.extend(
            page.items
                .iter()
                .map(|span| span.start_time_unix_nano.expect("a time") as u64 - BASE),
        );
        assert_eq!(page.truncated, page.next.is_some());
        let Some(next) = page.next else { break };
        question.cursor = Some(next);
    }
    let mut all: Vec<u64> = (0..40)
        .flat_map(|number| [number * 1_000_000_000, number * 1_000_000_000 + 1])
        .collect();
    all.reverse();
    assert_eq!(starts, all);
}

#[test]
fn attribute_filters_are_typed_and_agree_between_hot_and_sealed() {
    let dir = tempfile::tempdir().expect("a directory");
    let store = filled(dir.path());
    let reader = store.reader().expect("a reader");
    let session = Session::new(&reader);
    let count = |key: &str, value: AttributeValue| {
        let attributes = vec![AttributeFilter {
            key: key.to_owned(),
            value,
        }];
        spans(
            &session,
            &TraceQuery {
                attributes,
                limit: 1_000,
                ..TraceQuery::default()
            },
        )
        .expect("spans")
        .items
        .len()
    };
    assert_eq!(
        count("http.route", AttributeValue::String("/r/1".to_owned())),
        40
    );
    assert_eq!(count("n", AttributeValue::Int(7)), 4, "sealed");
    assert_eq!(count("n", AttributeValue::Int(33)), 4, "hot");
    assert_eq!(count("n", AttributeValue::String("7".to_owned())), 0);
    assert_eq!(count("half", AttributeValue::Double(3.5)), 4, "sealed");
    assert_eq!(count("half", AttributeValue::Double(16.5)), 4, "hot");
    assert_eq!(
        count("region", AttributeValue::String("north".to_owned())),
        160,
        "of the resource"
    );
}

#[test]
fn traces_are_found_newest_first_and_shown_whole() {
    let dir = tempfile::tempdir().expect("a directory");
    let store = filled(dir.path());
    let reader = store.reader().expect("a reader");
    let session = Session::new(&reader);
    let question = TraceQuery {
        status: Some("error".to_owned()),
        service: Some("pay".to_owned()),
        limit: 3,
        ..TraceQuery::default()
    };
    let page = traces(&session, &question).expect("traces");
    let ids: Vec<String> = [31_u128, 21, 11].map(|id| format!("{id:032x}")).to_vec();
    assert_eq!(
        page.items
            .iter()
            .map(|trace| trace.trace_id.clone())
            .collect::<Vec<_>>(),
        ids
    );
    assert!(page.truncated);
    for summary in &page.items {
        assert_eq!(
            (summary.spans, summary.errors, summary.has_root),
            (4, 4, true)
        );
        assert_eq!(
            (summary.root.service_name.as_deref(), summary.services.len()),
            (Some("shop"), 2)
        );
    }
    for id in [3_u128, 33] {
        let detail = trace(&session, &format!("{id:032X}"))
            .expect("an answer")
            .expect("a trace");
        assert_eq!(
            (detail.spans.len(), detail.logs.len(), detail.truncated),
            (4, 1, false)
        );
        assert!(
            detail
                .spans
                .iter()
                .all(|span| span.resource_attributes.len() == 1 && span.attributes.len() == 4)
        );
    }
    assert!(
        trace(&session, &"f".repeat(32))
            .expect("an answer")
            .is_none()
    );
    assert!(matches!(
        trace(&session, "'; DROP"),
        Err(QueryError::Invalid(_))
    ));
}

#[test]
fn logs_are_searched_by_text_and_severity_and_paged() {
    let dir = tempfile::tempdir().expect("a directory");
    let store = filled(dir.path());
    let reader = store.reader().expect("a reader");
    let session = Session::new(&reader);
    let errors = LogQuery {
        severity_min: Some(17),
        text: Some("paid ORDER".to_owned()),
        limit: 10,
        ..LogQuery::default()
    };
    let page = logs(&session, &errors).expect("logs");
    let bodies: Vec<&str> = page
        .items
        .iter()
        .filter_map(|log| log.body.as_deref())
        .collect();
    assert_eq!(
        bodies,
        [
            "Paid order 30",
            "Paid order 20",
            "Paid order 10",
            "Paid order 0"
        ]
    );
    assert_eq!(page.total, Some(4));
    let mut question = LogQuery {
        limit: 9,
        ..LogQuery::default()
    };
    let mut seen = Vec::new();
    loop {
        let page = logs(&session, &question).expect("logs");
        seen.extend(page.items.into_iter().filter_map(|log| log.body));
        let Some(next) = page.next else { break };
        question.cursor = Some(next);
    }
    assert_eq!(
        seen,
        (0..40)
            .rev()
            .map(|number| format!("Paid order {number}"))
            .collect::<Vec<_>>()
    );
    let wrong = LogQuery {
        cursor: Some("1 OR 1".to_owned()),
        limit: 1,
        ..LogQuery::default()
    };
    assert!(matches!(
        logs(&session, &wrong),
        Err(QueryError::Invalid(_))
    ));
}

#[test]
fn a_counter_has_rates_and_a_reset_starts_anew() {
    let dir = tempfile::tempdir().expect("a directory");
    let store = open(dir.path());
    let mut columns = MetricColumns::default();
    columns.series.push(SeriesRow {
        name: "requests".to_owned(),
        unit: "1".to_owned(),
        kind: "sum",
        temporality: Some("cumulative".to_owned()),
        is_monotonic: Some(true),
        attributes: r#"{"a":1}"#.to_owned(),
        ..SeriesRow::default()
    });
    for (second, value) in [(0_u64, 10_i64), (10, 30), (20, 5)] {
        columns.push_number(&NumberPointRow {
            series: 0,
            time_unix_nano: BASE + second * 1_000_000_000,
            start_unix_nano: if second == 20 {
                BASE + 15_000_000_000
            } else {
                BASE - 1_000_000_000
            },
            flags: 0,
            value: Some(NumberValue::Int(value)),
        });
    }
    append(&store, "shop", Rows::Metrics(columns));
    for state in ["hot", "sealed"] {
        let reader = store.reader().expect("a reader");
        let session = Session::new(&reader);
        let list = metrics(
            &session,
            &MetricsQuery {
                limit: 10,
                ..MetricsQuery::default()
            },
        )
        .expect("metrics");
        assert_eq!(
            (list.items[0].name.as_str(), list.items[0].streams),
            ("requests", 1)
        );
        let before = TimeRange {
            from_unix_nano: 0,
            to_unix_nano: RANGE.from_unix_nano,
        };
        for (range, found) in [(RANGE, 1), (before, 0)] {
            let question = MetricsQuery {
                range: Some(range),
                limit: 10,
                ..MetricsQuery::default()
            };
            let list = metrics(&session, &question).expect("metrics");
            assert_eq!(list.items.len(), found, "{range:?}");
        }
        let question = MetricPointsQuery {
            name: "requests".to_owned(),
            range: RANGE,
            scope: Scope::default(),
            service: None,
            filter: None,
            by: None,
            series_max: 10,
            points_max: 100,
        };
        let points = metric_points(&session, &question).expect("points");
        let rates: Vec<Option<f64>> = points.series[0]
            .points
            .iter()
            .map(|point| point.rate)
            .collect();
        assert_eq!(rates, [None, Some(2.0), Some(1.0)], "{state}");
        drop(reader);
        store.seal_now().expect("sealed");
    }
}

#[test]
fn live_counts_count_hot_and_sealed() {
    let dir = tempfile::tempdir().expect("a directory");
    let store = filled(dir.path());
    let reader = store.reader().expect("a reader");
    let counts = live_counts(&Session::new(&reader)).expect("counts");
    assert_eq!((counts.spans, counts.logs, counts.services), (160, 40, 2));
    assert_eq!(
        counts.ages[1].newest_unix_nano,
        Some((BASE + 39_000_000_000) as i64)
    );
    // The sealed thirty lie years before they came in: outliers, whose clock says nothing about age.
    assert_eq!(
        counts.ages[1].oldest_unix_nano,
        Some((BASE + 30_000_000_000) as i64)
    );
}

#[test]
fn a_question_past_its_deadline_is_not_answered() {
    let dir = tempfile::tempdir().expect("a directory");
    let store = open(dir.path());
    let reader = store.reader().expect("a reader");
    let past = Session::new(&reader).until(Instant::now());
    assert!(matches!(live_counts(&past), Err(QueryError::Deadline)));
    let slow = Session::new(&reader).until(Instant::now() + Duration::from_millis(50));
    let answer = slow.run(|conn| {
        let sql = "SELECT count(*) FROM range(100000000) a, range(1000) b WHERE hash(a.range + b.range) = 1";
        Ok(conn.query_row(sql, [], |row| row.get::<_, i64>(0))?)
    });
    assert!(matches!(answer, Err(QueryError::Deadline)));
    let counts = live_counts(&Session::new(&reader)).expect("the connection still answers");
    assert_eq!(counts.spans, 0);
}
