//! A row is the same whatever file it lies in: hot, sealed, or merged with others.
//!
//! Everything OTLP can say of each signal is stored once, and every column of every relation of telemetry is read after each
//! change of its file, over the real API.

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};

use crate::harness::{Start, Tripline, now, text};

/// Relations of which each row is something that was sent, with how many rows one [`send_everything`] makes.
const SENT: [(&str, usize); 6] = [
    ("spans", 8),
    ("logs", 12),
    ("metrics", 11),
    ("metric_points", 19),
    ("exemplars", 5),
    ("resources", 1),
];
/// Sums over relations that may split a bucket into several rows.
const SUMS: [(&str, &str); 2] = [
    (
        "red",
        "SELECT bucket_start_unix_nano, environment, service_name, name, kind, sidecar, sum(calls), sum(errors), sum(weight), \
         sum(error_weight), sum(duration_sum_ns), min(duration_min_ns), max(duration_max_ns) FROM red GROUP BY ALL",
    ),
    (
        "service_edges",
        "SELECT bucket_start_unix_nano, environment, caller, callee, kind, is_async, inferred, sum(calls), sum(errors), \
         sum(weight), sum(error_weight), sum(duration_sum_ns), min(duration_min_ns), max(duration_max_ns) \
         FROM service_edges GROUP BY ALL",
    ),
];

const MICROSECOND: u64 = 1_000;

/// An attribute of each kind of value.
fn every_kind() -> Value {
    let of = |key: &str, value: Value| json!({"key": key, "value": value});
    json!([
        text("string", "a \"b\" \\ \n\u{1f600}"),
        text("none", ""),
        of("true", json!({"boolValue": true})),
        of("int", json!({"intValue": "5"})),
        of("least", json!({"intValue": i64::MIN.to_string()})),
        of("greatest", json!({"intValue": i64::MAX.to_string()})),
        of("double", json!({"doubleValue": 5.0})),
        of("negative.zero", json!({"doubleValue": -0.0})),
        of("tiny", json!({"doubleValue": 5e-324})),
        of("huge", json!({"doubleValue": f64::MAX})),
        of("nan", json!({"doubleValue": "NaN"})),
        of("infinite", json!({"doubleValue": "-Infinity"})),
        of("bytes", json!({"bytesValue": "AP8="})),
        of("nothing", json!({})),
        of(
            "array",
            json!({"arrayValue": {"values": [{"intValue": "1"}, {"doubleValue": 1.0}, {"stringValue": "1"}, {},
                {"arrayValue": {"values": []}}]}})
        ),
        of(
            "map",
            json!({"kvlistValue": {"values": [of("z", json!({"intValue": "1"})), of("a", json!({"kvlistValue": {"values": []}}))]}})
        ),
    ])
}

fn resource(service: &str) -> Value {
    let mut attributes = every_kind();
    let names = [
        text("service.name", service),
        text("service.namespace", "shop"),
        text("service.version", "1.2"),
        text("service.instance.id", "pod-1"),
        text("deployment.environment.name", "test"),
        text("k8s.cluster.name", "blue"),
    ];
    attributes.as_array_mut().expect("an array").extend(names);
    json!({"attributes": attributes, "droppedAttributesCount": 3})
}

fn scope() -> Value {
    json!({"name": "lib", "version": "2", "attributes": every_kind(), "droppedAttributesCount": 4})
}

/// Hex of an id: `digits` of them, which differ by service.
fn id(service: &str, number: usize, digits: usize) -> String {
    let first = service.len() * 1000 + number + 1;
    format!("{first:0digits$x}")
}

fn spans(service: &str, start: u64) -> Value {
    let trace = id(service, 0, 32);
    let at = |microseconds: u64| (start + microseconds * MICROSECOND).to_string();
    let event = json!({"timeUnixNano": at(5), "name": "retry", "attributes": every_kind(), "droppedAttributesCount": 1});
    let link = json!({"traceId": "ab".repeat(16), "spanId": "cd".repeat(8), "traceState": "a=b", "flags": 1,
        "attributes": every_kind(), "droppedAttributesCount": 2});
    let mut spans = vec![
        json!({"traceId": trace, "spanId": id(service, 0, 16), "name": "POST /pay", "kind": 2,
        "traceState": "ot=th:8", "flags": 257, "startTimeUnixNano": at(0), "endTimeUnixNano": at(900),
        "attributes": every_kind(), "events": [event, {"name": "bare"}], "links": [link, {"traceId": "ef".repeat(16),
        "spanId": "01".repeat(8)}], "status": {"code": 2, "message": "no \u{20ac}"}, "droppedAttributesCount": 5,
        "droppedEventsCount": 6, "droppedLinksCount": 7}),
    ];
    // A call and its answer within the same service, what messages look like, and a call that nobody answers.
    for (number, kind) in [(1, 3), (2, 2), (3, 4), (4, 5), (5, 3)] {
        spans.push(json!({"traceId": trace, "spanId": id(service, number, 16), "parentSpanId": id(service, number - 1, 16),
            "name": format!("step {number}"), "kind": kind, "startTimeUnixNano": at(10 * number as u64),
            "endTimeUnixNano": at(800 - 10 * number as u64), "status": {"code": 1},
            "attributes": [text("http.request.method", "GET"), text("service.peer.name", "bank")]}));
    }
    // Nothing but ids; and times that are none.
    spans.push(json!({"traceId": trace, "spanId": id(service, 6, 16)}));
    spans.push(
        json!({"traceId": trace, "spanId": id(service, 7, 16), "kind": 1,
        "startTimeUnixNano": u64::MAX.to_string(), "endTimeUnixNano": "1"}),
    );
    json!({"resourceSpans": [{"resource": resource(service), "schemaUrl": "https://schema/1",
        "scopeSpans": [{"scope": scope(), "schemaUrl": "https://schema/2", "spans": spans}]}]})
}

fn logs(service: &str, start: u64) -> Value {
    let bodies = every_kind();
    let bodies = bodies.as_array().expect("an array").iter();
    let of = |keys: &[&str]| -> Vec<Value> {
        bodies
            .clone()
            .filter(|attribute| {
                attribute["key"]
                    .as_str()
                    .is_some_and(|key| keys.contains(&key))
            })
            .map(|attribute| attribute["value"].clone())
            .collect()
    };
    let bodies = of(&[
        "string", "none", "true", "int", "double", "nan", "bytes", "nothing", "array", "map",
    ]);
    let mut records: Vec<Value> = bodies
        .into_iter()
        .zip(1_u64..)
        .map(|(body, number)| {
            json!({"timeUnixNano": (start + number * MICROSECOND).to_string(), "body": body,
                "observedTimeUnixNano": (start + number * MICROSECOND + 1).to_string(), "severityNumber": number * 2,
                "severityText": "Info", "eventName": "order.placed", "attributes": every_kind(), "flags": 1,
                "traceId": id(service, 0, 32), "spanId": id(service, 0, 16), "droppedAttributesCount": number})
        })
        .collect();
    records.push(json!({"observedTimeUnixNano": start.to_string()}));
    records.push(json!({"timeUnixNano": "1", "body": {"stringValue": "long ago"}}));
    json!({"resourceLogs": [{"resource": resource(service), "schemaUrl": "https://schema/1",
        "scopeLogs": [{"scope": scope(), "schemaUrl": "https://schema/2", "logRecords": records}]}]})
}

/// Number points of these values, one after the other; the first has exemplars of each kind.
fn numbers(service: &str, start: u64, values: &[Value]) -> Vec<Value> {
    let exemplar = |value: Value| {
        let mut exemplar = json!({"timeUnixNano": start.to_string(), "traceId": id(service, 0, 32),
            "spanId": id(service, 0, 16), "filteredAttributes": every_kind()});
        let value = value.as_object().expect("an object").clone();
        exemplar.as_object_mut().expect("an object").extend(value);
        exemplar
    };
    let point = |(value, number): (&Value, u64)| {
        let mut point = json!({"startTimeUnixNano": (start - 1).to_string(), "attributes": every_kind(),
            "timeUnixNano": (start + number * MICROSECOND).to_string()});
        if number == 0 {
            point["exemplars"] = json!([exemplar(json!({"asInt": i64::MAX.to_string()})),
                exemplar(json!({"asDouble": "NaN"})), {"timeUnixNano": "0"}]);
        }
        let value = value.as_object().expect("an object").clone();
        point.as_object_mut().expect("an object").extend(value);
        point
    };
    values.iter().zip(0..).map(point).collect()
}

fn metrics(service: &str, start: u64) -> Value {
    let time = start.to_string();
    let values = [
        json!({"asInt": i64::MIN.to_string()}),
        json!({"asInt": i64::MAX.to_string()}),
        json!({"asDouble": -0.0}),
        json!({"asDouble": "NaN"}),
        json!({"asDouble": "Infinity"}),
        json!({"asDouble": "-Infinity"}),
        json!({"asDouble": f64::MAX}),
        json!({"asDouble": 5e-324}),
        json!({"flags": 1}),
    ];
    let one = |value: Value| {
        let mut point = json!({"timeUnixNano": time});
        let value = value.as_object().expect("an object").clone();
        point.as_object_mut().expect("an object").extend(value);
        json!([point])
    };
    let sum = |temporality: u8, is_monotonic: bool| json!({"dataPoints": one(json!({"asInt": "7"})), "aggregationTemporality": temporality, "isMonotonic": is_monotonic});
    let histogram = one(
        json!({"startTimeUnixNano": "1", "count": "6", "sum": 1.5, "min": -0.0, "max": "Infinity",
        "bucketCounts": ["1", "2", "3"], "explicitBounds": [-1.0, 0.25], "attributes": every_kind(),
        "exemplars": [{"timeUnixNano": time, "asDouble": 0.25, "traceId": id(service, 0, 32)},
            {"timeUnixNano": time, "asInt": "-1", "spanId": id(service, 0, 16)}]}),
    );
    let exponential = one(
        json!({"count": "7", "sum": "NaN", "scale": -3, "zeroCount": "1", "zeroThreshold": 1e-9,
        "positive": {"offset": -2, "bucketCounts": ["1", "0", "2"]}, "negative": {"offset": 3, "bucketCounts": ["3"]}}),
    );
    let summary = one(
        json!({"count": "3", "sum": 4.5, "quantileValues": [{"quantile": 0.0, "value": 0.0},
        {"quantile": 0.5, "value": "NaN"}, {"quantile": 1.0, "value": "Infinity"}]}),
    );
    let metrics = json!([
        {"name": "gauge", "unit": "1", "description": "d", "metadata": every_kind(), "gauge": {"dataPoints": numbers(service, start, &values)}},
        {"name": "cumulative", "unit": "By", "sum": sum(2, true)},
        {"name": "delta", "sum": sum(1, true)},
        {"name": "up.and.down", "sum": sum(2, false)},
        {"name": "histogram", "histogram": {"aggregationTemporality": 1, "dataPoints": histogram}},
        {"name": "no.buckets", "histogram": {"aggregationTemporality": 2, "dataPoints": one(json!({"count": "2", "sum": 1.0}))}},
        {"name": "histogram.ended", "histogram": {"aggregationTemporality": 2, "dataPoints": one(json!({"flags": 1}))}},
        {"name": "exponential", "exponentialHistogram": {"aggregationTemporality": 2, "dataPoints": exponential}},
        {"name": "exponential.empty", "exponentialHistogram": {"aggregationTemporality": 1, "dataPoints": one(json!({"scale": 20}))}},
        {"name": "summary", "summary": {"dataPoints": summary}},
        {"name": "summary.ended", "summary": {"dataPoints": one(json!({"flags": 1}))}},
    ]);
    json!({"resourceMetrics": [{"resource": resource(service), "schemaUrl": "https://schema/1",
        "scopeMetrics": [{"scope": scope(), "schemaUrl": "https://schema/2", "metrics": metrics}]}]})
}

/// One request of each signal; nothing of them may be left out.
async fn send_everything(server: &Tripline, service: &str) -> Result<()> {
    let start = now();
    let requests = [
        ("traces", spans(service, start)),
        ("logs", logs(service, start)),
        ("metrics", metrics(service, start)),
    ];
    for (signal, request) in requests {
        let address = format!("http://{}/v1/{signal}", server.otlp_http());
        let answer = server.client.post(address).json(&request).send().await?;
        let (status, said) = (answer.status().as_u16(), answer.text().await?);
        ensure!(
            status == 200 && !said.contains("partialSuccess"),
            "{signal}: {status} {said}"
        );
    }
    Ok(())
}

/// Rows of a relation as text, in an order of their own.
struct Table {
    relation: &'static str,
    columns: Vec<String>,
    rows: Vec<Vec<String>>,
}

/// Every relation, every column.
async fn everything(server: &Tripline) -> Result<Vec<Table>> {
    let mut tables = Vec::new();
    for (relation, _) in SENT {
        tables.push(table(server, relation, relation).await?);
    }
    for (relation, sums) in SUMS {
        tables.push(table(server, relation, &format!("({sums})")).await?);
    }
    Ok(tables)
}

async fn table(server: &Tripline, relation: &'static str, from: &str) -> Result<Table> {
    let of = |row: &[Value], at: usize| -> Result<String> {
        let cell = row.get(at).and_then(Value::as_str);
        Ok(cell.context("no text")?.to_owned())
    };
    let described = server
        .sql(&format!("DESCRIBE SELECT * FROM {from}"))
        .await?;
    let mut columns = Vec::new();
    let mut cells = Vec::new();
    for row in &described {
        let (name, sql_type) = (of(row, 0)?, of(row, 1)?);
        let json = if sql_type.contains("VARIANT") {
            "::JSON"
        } else {
            ""
        };
        cells.push(format!("coalesce(\"{name}\"{json}::VARCHAR, '(null)')"));
        columns.push(name);
    }
    let sql = format!("SELECT {} FROM {from}", cells.join(", "));
    let mut rows = Vec::new();
    for row in server.sql(&sql).await? {
        let cells: Result<Vec<String>> = (0..columns.len()).map(|at| of(&row, at)).collect();
        rows.push(cells.with_context(|| format!("{relation}: {row:?}"))?);
    }
    rows.sort();
    Ok(Table {
        relation,
        columns,
        rows,
    })
}

/// Fails with each cell that is another one now.
fn alike(before: &[Table], now: &[Table], what: &str) -> Result<()> {
    let mut differences = Vec::new();
    for (before, now) in before.iter().zip(now) {
        let relation = before.relation;
        ensure!(
            before.columns == now.columns && before.rows.len() == now.rows.len(),
            "{what}: {relation} has {} rows instead of {}",
            now.rows.len(),
            before.rows.len()
        );
        for (before_row, now_row) in before.rows.iter().zip(&now.rows) {
            let cells = before.columns.iter().zip(before_row.iter().zip(now_row));
            differences.extend(
                cells
                    .filter(|(_, (was, is))| was != is)
                    .map(|(column, (was, is))| format!("{relation}.{column}: {was} is {is}")),
            );
        }
    }
    ensure!(differences.is_empty(), "{what}: {}", differences.join("\n"));
    Ok(())
}

/// Whether everything that was sent so many times is there, and roll-ups have something.
fn complete(tables: &[Table], times: usize) -> Result<()> {
    for (table, (relation, rows)) in tables.iter().zip(SENT) {
        ensure!(
            table.rows.len() == rows * times,
            "{relation} has {} rows, not {rows} × {times}",
            table.rows.len()
        );
    }
    ensure!(
        tables.iter().all(|table| !table.rows.is_empty()),
        "a relation is empty"
    );
    Ok(())
}

#[tokio::test]
async fn every_column_of_every_row_is_the_same_hot_sealed_and_merged() -> Result<()> {
    let scratch = tempfile::tempdir()?;
    let data_dir = scratch.path().join("data");
    let start = |fan_in: &str| {
        Start::default()
            .data_dir(&data_dir)
            .env("TRIPLINE_STORE__HOT_AGE_MAX", "1h")
            .env("TRIPLINE_STORE__COMPACTION_FAN_IN", fan_in)
    };
    let sealed = "tripline_store_segments{state=\"sealed\"}";
    let mut server = start("100").start().await?;
    // Each start seals what was hot before.
    for (times, service) in [(1, "one"), (2, "number.two")] {
        send_everything(&server, service).await?;
        let hot = everything(&server).await?;
        complete(&hot, times)?;
        server.kill()?;
        server = start("100").start().await?;
        server
            .wait_for_metric("tripline_store_segments{state=\"rotated\"}", 0..=0)
            .await?;
        ensure!(server.metric(sealed).await? == times as u64, "not sealed");
        alike(&hot, &everything(&server).await?, "sealed")?;
    }
    let before = everything(&server).await?;
    server.kill()?;
    let server = start("2").start().await?;
    server.wait_for_metric(sealed, 1..=1).await?;
    alike(&before, &everything(&server).await?, "merged")
}
