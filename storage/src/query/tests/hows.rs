//! The SQL behind numbers, run: it gives the same numbers.

use super::*;
use crate::filter::{Filter, Signal};
use crate::model::{InstancesQuery, Latency, ScopeFilter, ServiceQuery};
use crate::query::{how, instances, service};

/// The rows of a query, each a text of its columns.
pub(super) fn rows(session: &Session<'_>, sql: &str, columns: &str) -> Vec<String> {
    let asked = format!("SELECT concat_ws(' ', {columns}) FROM ({sql})");
    session
        .run_over_all(|conn| {
            let mut statement = conn.prepare(&asked)?;
            let rows = statement.query_map([], |row| row.get(0))?;
            Ok(rows.collect::<Result<_, _>>()?)
        })
        .unwrap_or_else(|e| panic!("{e:?}\n{asked}"))
}

#[test]
fn the_numbers_of_services_and_edges_are_those_of_their_sql() {
    let dir = tempfile::tempdir().expect("a directory");
    let store = filled(dir.path());
    let reader = store.reader().expect("a reader");
    let session = Session::new(&reader);
    let of_services = ServicesQuery {
        range: RANGE,
        scope: ScopeFilter {
            environment: Some("prod".to_owned()),
            ..ScopeFilter::default()
        },
        order: ServiceOrder::Name,
        limit: 100,
    };
    let found = services(&session, &of_services).expect("services").items;
    let told: Vec<String> = found
        .iter()
        .map(|service| {
            format!(
                "{} {} {} {:.3}",
                service.service_name,
                service.calls,
                service.errors,
                service.latency.p95_ns.expect("calls") / 1e6
            )
        })
        .collect();
    // Each has a client span for every server span: those are not its calls.
    let sql = how::services(&of_services, None, 60.0);
    let columns = "service_name, calls, errors, format('{:.3f}', p95_ms)";
    assert_eq!(rows(&session, &sql, columns), told);
    let sql = how::services(&of_services, Some("pay"), 60.0);
    assert_eq!(rows(&session, &sql, columns), told[..1]);

    let elsewhere = ServicesQuery {
        scope: ScopeFilter {
            environment: Some("it's elsewhere".to_owned()),
            ..ScopeFilter::default()
        },
        ..of_services
    };
    let none: [String; 0] = [];
    assert_eq!(
        rows(&session, &how::services(&elsewhere, None, 60.0), "calls"),
        none
    );

    let of_graph = GraphQuery {
        range: RANGE,
        scope: ScopeFilter::default(),
        service: Some("shop".to_owned()),
        edges_max: 100,
    };
    assert_eq!(
        rows(
            &session,
            &how::edges(&of_graph, 60.0),
            "caller, callee, calls, errors"
        ),
        ["shop pay 40 4"]
    );
}

#[test]
fn the_numbers_of_one_service_are_those_of_their_sql() {
    let dir = tempfile::tempdir().expect("a directory");
    let store = filled(dir.path());
    let reader = store.reader().expect("a reader");
    let session = Session::new(&reader);
    let question = ServiceQuery {
        service: "shop".to_owned(),
        range: RANGE,
        scope: ScopeFilter::default(),
        own: Some(Scope {
            environment: Some("prod".to_owned()),
            ..Scope::default()
        }),
        steps: 360,
    };
    let found = service(&session, &question).expect("a service");
    assert_eq!((found.operations.len(), found.operations_total), (1, 1));
    let steps: Vec<String> = found
        .points
        .iter()
        .filter(|point| point.calls > 0)
        .map(|point| format!("{} {} {}", point.time_unix_nano, point.calls, point.errors))
        .collect();
    assert!(steps.len() > 1, "{steps:?}");
    assert_eq!(
        rows(
            &session,
            &how::over_time(&question),
            "epoch_ns(step), calls, errors"
        ),
        steps
    );
    assert_eq!(
        rows(
            &session,
            &how::operations(&question, 60.0),
            "name, calls, errors"
        ),
        ["work 40 4"]
    );
    assert_eq!(
        rows(
            &session,
            &how::versions(&question, 60.0),
            "service_version, calls, errors"
        ),
        ["1.2 40 4"]
    );
    // The same name in another scope is another service.
    let other = ServiceQuery {
        own: Some(Scope::default()),
        ..question
    };
    let found = service(&session, &other).expect("a service");
    assert!(found.points.iter().all(|point| point.calls == 0));
    assert!(found.operations.is_empty() && found.versions.is_empty());
    let none: [String; 0] = [];
    assert_eq!(rows(&session, &how::over_time(&other), "calls"), none);
    assert_eq!(rows(&session, &how::versions(&other, 60.0), "calls"), none);
}

/// `45.3 60.1 60.1`: milliseconds, as the SQL has them.
fn quantiles(latency: Latency) -> String {
    [latency.p50_ns, latency.p95_ns, latency.p99_ns]
        .map(|ns| format!("{:.3}", ns.expect("calls") / 1e6))
        .join(" ")
}

#[test]
fn the_numbers_of_versions_and_instances_are_those_of_their_sql_in_a_range_that_cuts_them() {
    let dir = tempfile::tempdir().expect("a directory");
    let store = filled(dir.path());
    let reader = store.reader().expect("a reader");
    let session = Session::new(&reader);
    let quantile_columns =
        "format('{:.3f}', p50_ms), format('{:.3f}', p95_ms), format('{:.3f}', p99_ms)";
    // The second begins and ends within a bucket.
    let cut = TimeRange {
        from_unix_nano: BASE as i64 + 4_000_000_000,
        to_unix_nano: BASE as i64 + 23_000_000_000,
    };
    for (range, calls) in [(RANGE, 40), (cut, 30)] {
        let question = ServiceQuery {
            service: "shop".to_owned(),
            range,
            scope: ScopeFilter::default(),
            own: None,
            steps: 60,
        };
        let found = service(&session, &question).expect("a service").versions;
        assert_eq!(found.iter().map(|one| one.calls).sum::<u64>(), calls);
        let told: Vec<String> = found
            .iter()
            .map(|one| {
                let version = one.version.as_deref().expect("a version");
                let numbers = quantiles(one.latency);
                format!("{version} {} {} {numbers}", one.calls, one.errors)
            })
            .collect();
        let columns = format!("service_version, calls, errors, {quantile_columns}");
        let sql = how::versions(&question, 60.0);
        assert_eq!(rows(&session, &sql, &columns), told, "{sql}");

        let asked = InstancesQuery {
            service: "shop".to_owned(),
            range,
            scope: ScopeFilter::default(),
            limit: 10,
        };
        let found = instances(&session, &asked).expect("instances").items;
        let told: Vec<String> = found
            .iter()
            .map(|one| {
                let id = one.instance_id.as_deref().unwrap_or("-");
                let numbers = quantiles(one.latency);
                format!("{id} {} {} {numbers}", one.calls, one.errors)
            })
            .collect();
        assert_eq!(told.len(), 1, "{told:?}");
        let columns =
            format!("coalesce(service_instance_id, '-'), calls, errors, {quantile_columns}");
        let sql = how::instances(&asked, 60.0);
        assert_eq!(rows(&session, &sql, &columns), told, "{sql}");
    }
}

#[test]
fn lists_are_those_of_their_sql_in_every_order() {
    let dir = tempfile::tempdir().expect("a directory");
    let store = filled(dir.path());
    let reader = store.reader().expect("a reader");
    let session = Session::new(&reader);
    for (_, order) in TraceOrder::WORDS {
        let question = TraceQuery {
            range: Some(RANGE),
            attributes: vec![AttributeFilter {
                key: "http.route".to_owned(),
                value: AttributeValue::String("/r/1".to_owned()),
            }],
            filter: Some(Filter::parse("any(peer exists) AND n > 3", Signal::Spans).expect("one")),
            order,
            limit: 4,
            ..TraceQuery::default()
        };
        let found: Vec<String> = traces(&session, &question)
            .expect("traces")
            .items
            .into_iter()
            .map(|trace| trace.trace_id)
            .collect();
        let sql = how::traces(&question).expect("SQL");
        assert_eq!(rows(&session, &sql, "trace_id"), found, "{order:?}");
    }
    let question = LogQuery {
        range: Some(RANGE),
        severity_min: Some(17),
        service: Some("pay".to_owned()),
        text: Some("Order".to_owned()),
        limit: 3,
        ..LogQuery::default()
    };
    let found: Vec<String> = logs(&session, &question)
        .expect("logs")
        .items
        .into_iter()
        .map(|log| log.body.expect("a body"))
        .collect();
    let sql = how::log_records(&question).expect("SQL");
    assert_eq!(rows(&session, &sql, "body"), found);
    let sql = how::log_histogram(&question, 10).expect("SQL");
    let sum = format!("SELECT sum(records) AS records FROM ({sql})");
    assert_eq!(rows(&session, &sum, "records"), ["4"]);
}

#[test]
fn the_points_of_a_metric_are_those_of_its_sql() {
    let dir = tempfile::tempdir().expect("a directory");
    let store = open(dir.path());
    let mut columns = MetricColumns::default();
    columns.series.push(SeriesRow {
        name: "orders".to_owned(),
        kind: "sum",
        attributes: r#"{"queue":"a"}"#.to_owned(),
        ..SeriesRow::default()
    });
    for second in 0..3_u64 {
        columns.push_number(&NumberPointRow {
            series: 0,
            time_unix_nano: BASE + second * 1_000_000_000,
            start_unix_nano: 0,
            flags: 0,
            value: Some(NumberValue::Int(second as i64)),
        });
    }
    append(&store, "shop", Rows::Metrics(columns));
    let reader = store.reader().expect("a reader");
    let session = Session::new(&reader);
    let filter = || Some(Filter::parse("queue = a", Signal::Metrics).expect("a filter"));
    let list = MetricsQuery {
        range: Some(RANGE),
        filter: filter(),
        limit: 10,
        ..MetricsQuery::default()
    };
    assert_eq!(
        rows(&session, &how::metrics(&list), "name, streams"),
        ["orders 1"]
    );
    let points = MetricPointsQuery {
        name: "orders".to_owned(),
        range: RANGE,
        scope: Scope::default(),
        service: None,
        filter: filter(),
        by: None,
        series_max: 10,
        points_max: 10,
    };
    assert_eq!(
        rows(&session, &how::metric_points(&points), "\"value\"::BIGINT"),
        ["0", "1", "2"]
    );
}
