//! Small batches of every signal, and ways to look at a store.

use std::path::Path;
use std::time::{Duration, Instant};

use crate::fixture::small;
use crate::ingest::{
    Batch, ExemplarRow, HistogramPointRow, LogColumns, LogRow, MetricColumns, NumberPointRow,
    NumberValue, ResourceRow, Rows, ScopeRow, SeriesRow, SpanColumns, SpanRow,
};
use crate::store::{AppendError, Store, StoreConfig, now_ns};

/// A configuration that keeps everything small and quick.
pub(super) fn config(dir: &Path) -> StoreConfig {
    StoreConfig {
        maintenance_interval: Duration::from_millis(50),
        ..small(dir)
    }
}

/// Blocks on an append.
pub(super) fn append(store: &Store, batch: Batch) -> Result<(), AppendError> {
    futures::executor::block_on(store.append(batch))
}

pub(super) fn resource(service: &str) -> ResourceRow {
    ResourceRow {
        service_name: Some(service.to_owned()),
        environment: Some("test".to_owned()),
        attributes: format!(r#"{{"service.name":"{service}","host.id":7}}"#),
        ..ResourceRow::default()
    }
}

pub(super) fn scope() -> ScopeRow {
    ScopeRow {
        name: "lib".to_owned(),
        version: "1".to_owned(),
        attributes: "{}".to_owned(),
        ..ScopeRow::default()
    }
}

fn batch(service: &str, rows: Rows) -> Batch {
    Batch {
        resources: vec![resource(service)],
        scopes: vec![scope()],
        rows,
        bytes: 10_000,
    }
}

/// Attributes of every kind.
pub(super) const EIGHT_KINDS: &str = r#"{"string":"x\"y","bool":true,"int":5,"double":5.0,"zero":-0.0,"nan":{"$double":"NaN"},"bytes":{"$bytes":"00ff"},"array":[1,2.0,"z"],"map":{"a":{"b":1}},"empty":null,"big":9223372036854775807,"small":-9223372036854775808}"#;

/// Trace id of a number.
pub(super) fn trace(number: u64) -> [u8; 16] {
    let mut id = [0xa5; 16];
    // Spread, as random ids are.
    id[..8].copy_from_slice(&number.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_be_bytes());
    id[8..].copy_from_slice(&number.to_be_bytes());
    id
}

pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Spans numbered `from..to`, eight to a trace; the number is the span id.
pub(super) fn spans(service: &str, from: u64, to: u64) -> Batch {
    spans_at(
        service,
        from,
        to,
        u64::try_from(now_ns()).expect("after 1970"),
    )
}

pub(super) fn spans_at(service: &str, from: u64, to: u64, start_unix_nano: u64) -> Batch {
    let mut columns = SpanColumns::default();
    for number in from..to {
        let attributes = format!(
            r#"{{"http.route":"/r/{}","n":{number},"s":"abc"}}"#,
            number % 10
        );
        columns.push(&SpanRow {
            trace_id: trace(number / 8),
            span_id: (number + 1).to_be_bytes(),
            parent_span_id: (!number.is_multiple_of(8)).then(|| number.to_be_bytes()),
            name: "GET /",
            kind: "server",
            start_unix_nano,
            end_unix_nano: start_unix_nano + 1_000,
            status_code: "ok",
            attributes: &attributes,
            events: number
                .is_multiple_of(4)
                .then_some(r#"[{"time_unix_nano":1,"name":"e","attributes":{}}]"#),
            ..SpanRow::default()
        });
    }
    batch(service, Rows::Spans(columns))
}

/// A log record with the attributes of every kind.
pub(super) fn log(service: &str, body: &str) -> Batch {
    log_with(service, body, EIGHT_KINDS)
}

pub(super) fn log_with(service: &str, body: &str, attributes: &str) -> Batch {
    let mut columns = LogColumns::default();
    let now = u64::try_from(now_ns()).expect("after 1970");
    columns.push(&LogRow {
        time_unix_nano: now,
        arrival_unix_nano: now,
        body: Some(body),
        body_type: Some("string"),
        trace_id: Some(trace(1)),
        attributes,
        ..LogRow::default()
    });
    batch(service, Rows::Logs(columns))
}

/// Log records numbered `from..to`; the number is the body.
pub(super) fn logs(service: &str, from: u64, to: u64) -> Batch {
    let mut columns = LogColumns::default();
    let now = u64::try_from(now_ns()).expect("after 1970");
    for number in from..to {
        columns.push(&LogRow {
            time_unix_nano: now,
            arrival_unix_nano: now,
            body: Some(&number.to_string()),
            body_type: Some("string"),
            attributes: r#"{"a":1}"#,
            ..LogRow::default()
        });
    }
    batch(service, Rows::Logs(columns))
}

/// Data points numbered `from..to`: an even number is the value of a sum and of an exemplar, an odd one the count of a
/// histogram.
pub(super) fn points(service: &str, from: u64, to: u64) -> Batch {
    let mut columns = MetricColumns::default();
    columns.series = vec![series("requests", "sum"), series("latency", "histogram")];
    let time_unix_nano = u64::try_from(now_ns()).expect("after 1970");
    for number in from..to {
        if !number.is_multiple_of(2) {
            columns.push_histogram(&HistogramPointRow {
                series: 1,
                time_unix_nano,
                count: number,
                bucket_counts: Some(&[number]),
                explicit_bounds: Some(&[]),
                ..HistogramPointRow::default()
            });
            continue;
        }
        let value = Some(NumberValue::Int(i64::try_from(number).expect("small")));
        columns.push_number(&NumberPointRow {
            series: 0,
            time_unix_nano,
            start_unix_nano: 0,
            flags: 0,
            value,
        });
        columns.push_exemplar(&ExemplarRow {
            series: 0,
            point_unix_nano: time_unix_nano,
            time_unix_nano,
            value,
            trace_id: None,
            span_id: None,
            filtered_attributes: "{}",
        });
    }
    batch(service, Rows::Metrics(columns))
}

fn series(name: &str, kind: &'static str) -> SeriesRow {
    SeriesRow {
        name: name.to_owned(),
        unit: "1".to_owned(),
        kind,
        attributes: r#"{"a":1}"#.to_owned(),
        ..SeriesRow::default()
    }
}

/// One stream of each shape with a point, an exemplar beside the first.
pub(super) fn metrics(service: &str, time_unix_nano: u64) -> Batch {
    let mut columns = MetricColumns::default();
    columns.series = vec![series("requests", "sum"), series("latency", "histogram")];
    columns.push_number(&NumberPointRow {
        series: 0,
        time_unix_nano,
        start_unix_nano: 0,
        flags: 0,
        value: Some(NumberValue::Int(3)),
    });
    columns.push_histogram(&HistogramPointRow {
        series: 1,
        time_unix_nano,
        count: 2,
        sum: Some(1.5),
        bucket_counts: Some(&[1, 1]),
        explicit_bounds: Some(&[0.5]),
        ..HistogramPointRow::default()
    });
    columns.push_exemplar(&ExemplarRow {
        series: 0,
        point_unix_nano: time_unix_nano,
        time_unix_nano,
        value: Some(NumberValue::Double(0.25)),
        trace_id: Some(trace(1)),
        span_id: None,
        filtered_attributes: "{}",
    });
    batch(service, Rows::Metrics(columns))
}

/// One number from a query over the public views.
pub(super) fn number(store: &Store, sql: &str) -> i64 {
    let reader = store.reader().expect("a reader");
    reader
        .views()
        .expect("views")
        .query_row(sql, [], |row| row.get(0))
        .unwrap_or_else(|error| panic!("{sql}: {error}"))
}

/// One text from a query over the public views.
pub(super) fn text(store: &Store, sql: &str) -> String {
    let reader = store.reader().expect("a reader");
    reader
        .views()
        .expect("views")
        .query_row(sql, [], |row| row.get(0))
        .unwrap_or_else(|error| panic!("{sql}: {error}"))
}

/// Polls until it holds, at most thirty seconds.
pub(super) fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(30);
    while !holds() {
        assert!(Instant::now() < deadline, "never: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}
