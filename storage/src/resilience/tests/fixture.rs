//! Telemetry of breakers as a decoder would hand it over, and ways to look at the relations.

pub(super) use crate::fixture::{append, open, small};
use crate::ingest::{
    Batch, LogColumns, LogRow, MetricColumns, NumberPointRow, NumberValue, ResourceRow, Rows,
    ScopeRow, SeriesRow, SpanColumns, SpanRow,
};
use crate::store::Store;

/// Now, in nanoseconds since the epoch.
pub(super) fn now() -> u64 {
    u64::try_from(crate::store::now_ns()).expect("after 1970")
}

pub(super) fn resource(service: &str, instance: &str) -> ResourceRow {
    ResourceRow {
        service_name: Some(service.to_owned()),
        service_instance_id: Some(instance.to_owned()),
        service_version: Some("1.2".to_owned()),
        environment: Some("test".to_owned()),
        attributes: format!(r#"{{"service.name":"{service}"}}"#),
        ..ResourceRow::default()
    }
}

pub(super) fn batch(resource: ResourceRow, scope: &str, rows: Rows) -> Batch {
    Batch {
        resources: vec![resource],
        scopes: vec![ScopeRow {
            name: scope.to_owned(),
            attributes: "{}".to_owned(),
            ..ScopeRow::default()
        }],
        rows,
        bytes: 1_000,
    }
}

/// A log record.
#[derive(Clone, Default)]
pub(super) struct Log<'a> {
    pub time: u64,
    pub event: &'a str,
    pub body: Option<&'a str>,
    pub attributes: &'a str,
    pub trace: Option<u8>,
}

pub(super) fn logs(service: &str, instance: &str, records: &[Log<'_>]) -> Batch {
    let mut columns = LogColumns::default();
    for record in records {
        columns.push(&LogRow {
            time_unix_nano: record.time,
            arrival_unix_nano: record.time,
            event_name: record.event,
            body: record.body,
            body_type: record.body.map(|_| "string"),
            attributes: if record.attributes.is_empty() {
                "{}"
            } else {
                record.attributes
            },
            trace_id: record.trace.map(|byte| [byte; 16]),
            span_id: record.trace.map(|byte| [byte; 8]),
            ..LogRow::default()
        });
    }
    batch(resource(service, instance), "lib", Rows::Logs(columns))
}

/// One point of one stream: name, kind (`delta` is a sum of what was counted since the point before), sorted
/// attributes, time, value.
pub(super) type Point<'a> = (&'a str, &'static str, String, u64, f64);

pub(super) fn metrics(service: &str, instance: &str, points: &[Point<'_>]) -> Batch {
    metrics_since(service, instance, 0, points)
}

/// The same of streams that say when they began; 0 is none that is said.
pub(super) fn metrics_since(
    service: &str,
    instance: &str,
    start: u64,
    points: &[Point<'_>],
) -> Batch {
    let mut columns = MetricColumns::default();
    for (name, kind, attributes, time, value) in points {
        let (kind, temporality) = match *kind {
            "delta" => ("sum", Some("delta")),
            "sum" => ("sum", Some("cumulative")),
            other => (other, None),
        };
        columns.series.push(SeriesRow {
            name: (*name).to_owned(),
            kind,
            temporality: temporality.map(str::to_owned),
            attributes: attributes.clone(),
            ..SeriesRow::default()
        });
        columns.push_number(&NumberPointRow {
            series: u32::try_from(columns.series.len() - 1).expect("few"),
            time_unix_nano: *time,
            start_unix_nano: start,
            flags: 0,
            value: Some(NumberValue::Double(*value)),
        });
    }
    batch(resource(service, instance), "lib", Rows::Metrics(columns))
}

/// A span.
#[derive(Clone, Default)]
pub(super) struct Span<'a> {
    pub time: u64,
    pub attributes: &'a str,
    pub events: Option<&'a str>,
    pub status_message: &'a str,
    pub peer: Option<&'a str>,
    pub number: u8,
}

pub(super) fn spans(service: &str, instance: &str, spans: &[Span<'_>]) -> Batch {
    let mut columns = SpanColumns::default();
    for span in spans {
        columns.push(&SpanRow {
            trace_id: [span.number; 16],
            span_id: [span.number; 8],
            name: "call",
            kind: "client",
            start_unix_nano: span.time,
            end_unix_nano: span.time + 1_000,
            status_code: "unset",
            status_message: span.status_message,
            attributes: if span.attributes.is_empty() {
                "{}"
            } else {
                span.attributes
            },
            events: span.events,
            peer: span.peer,
            peer_kind: span.peer.map(|_| "service"),
            ..SpanRow::default()
        });
    }
    batch(resource(service, instance), "lib", Rows::Spans(columns))
}

/// The rows of a query, each as its values joined by spaces; NULL is `-`.
pub(super) fn rows(store: &Store, sql: &str) -> Vec<String> {
    let reader = store.reader().expect("a reader");
    let sql = format!(
        "SELECT concat_ws(' ', COLUMNS(*)) FROM (SELECT coalesce(COLUMNS(*)::VARCHAR, '-') FROM ({sql}))"
    );
    let sql = sql.replace("concat_ws(' ', COLUMNS(*))", "concat_ws(' ', *COLUMNS(*))");
    let mut statement = reader
        .views()
        .expect("views")
        .prepare(&sql)
        .unwrap_or_else(|error| panic!("{sql}: {error}"));
    statement
        .query_map([], |row| row.get(0))
        .unwrap_or_else(|error| panic!("{sql}: {error}"))
        .collect::<Result<_, _>>()
        .unwrap_or_else(|error| panic!("{sql}: {error}"))
}

/// Runs the check on hot rows, on sealed ones, and after a restart.
pub(super) fn hot_and_sealed(fill: impl Fn(&Store), check: impl Fn(&Store)) {
    let dir = tempfile::tempdir().expect("a directory");
    let store = open(dir.path());
    fill(&store);
    check(&store);
    store.seal_now().expect("sealed");
    assert_eq!(rows(&store, "SELECT count(*) > 0 FROM resources"), ["true"]);
    check(&store);
    drop(store);
    check(&open(dir.path()));
}
