//! `tripline import` and `tripline export`: what goes out comes in again as the same rows.

use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Output};

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

use crate::harness::Start;

/// One line a signal, with everything that is hard to keep.
const LINES: [(&str, &str); 3] = [
    (
        "traces",
        r#"{"resourceSpans":[{"schemaUrl":"https://r","resource":{"attributes":[{"key":"service.name","value":{"stringValue":"shop"}},{"key":"k8s.pod","value":{"stringValue":"p\"\\\u0000é"}}],"droppedAttributesCount":3,"entityRefs":[{"type":"service","idKeys":["service.name"]}]},"scopeSpans":[{"schemaUrl":"https://s","scope":{"name":"lib","version":"1","attributes":[{"key":"x","value":{"intValue":"1"}}],"droppedAttributesCount":2},"spans":[{"traceId":"5b8efff798038103d269b633813fc60c","spanId":"eee19b7ec3c1b174","traceState":"a=b","flags":257,"name":"GET /","kind":2,"startTimeUnixNano":"1700000000000000001","endTimeUnixNano":"1700000000000000100","attributes":[{"key":"z","value":{"doubleValue":1.0}},{"key":"a","value":{"intValue":"-9223372036854775808"}},{"key":"n","value":{"doubleValue":"NaN"}},{"key":"m","value":{"doubleValue":-0.0}},{"key":"b","value":{"bytesValue":"AP8="}},{"key":"e","value":{}},{"key":"s","value":{"stringValue":""}},{"key":"t","value":{"boolValue":false}},{"key":"k","value":{"kvlistValue":{"values":[{"key":"$bytes","value":{"stringValue":"00"}}]}}},{"key":"l","value":{"arrayValue":{"values":[{"intValue":1},{"doubleValue":2.0},{},{"arrayValue":{}}]}}}],"droppedAttributesCount":1,"droppedEventsCount":2,"droppedLinksCount":3,"events":[{"timeUnixNano":"18446744073709551615","name":"e","attributes":[{"key":"q","value":{"stringValue":"r"}}],"droppedAttributesCount":4}],"links":[{"traceId":"5b8e","spanId":"ff","traceState":"c=d","flags":1,"droppedAttributesCount":5}],"status":{"code":2,"message":"no"}},{"traceId":"5b8efff798038103d269b633813fc60c","spanId":"aaa19b7ec3c1b174","parentSpanId":"eee19b7ec3c1b174","kind":9,"startTimeUnixNano":"9223372036854775808","status":{"code":7}}]}]}]}"#,
    ),
    (
        "logs",
        r#"{"resourceLogs":[{"scopeLogs":[{"logRecords":[{"timeUnixNano":"1700000000000000002","observedTimeUnixNano":"1700000000000000003","severityNumber":17,"severityText":"ERR","body":{"stringValue":"boom"},"traceId":"5b8efff798038103d269b633813fc60c","spanId":"eee19b7ec3c1b174","eventName":"e","flags":1,"droppedAttributesCount":1},{"timeUnixNano":"1700000000000000004","body":{"kvlistValue":{"values":[{"key":"a","value":{"doubleValue":2}}]}}},{"timeUnixNano":"1700000000000000005","body":{}},{"timeUnixNano":"1700000000000000006"}]}]}]}"#,
    ),
    (
        "metrics",
        r#"{"resourceMetrics":[{"resource":{"droppedAttributesCount":1},"scopeMetrics":[{"scope":{"name":"m","droppedAttributesCount":6},"metrics":[{"name":"g","unit":"1","description":"d","metadata":[{"key":"p","value":{"stringValue":"t"}}],"gauge":{"dataPoints":[{"timeUnixNano":"1700000000000000001","asDouble":"NaN","attributes":[{"key":"a","value":{"intValue":"1"}}]},{"timeUnixNano":"1700000000000000001","asInt":"9007199254740993"},{"timeUnixNano":"1700000000000000002","flags":1}]}},{"name":"s","sum":{"aggregationTemporality":1,"isMonotonic":true,"dataPoints":[{"timeUnixNano":"1700000000000000001","startTimeUnixNano":"5","asInt":"3","exemplars":[{"timeUnixNano":"4","asDouble":2.5,"traceId":"5b8efff798038103d269b633813fc60c","spanId":"eee19b7ec3c1b174","filteredAttributes":[{"key":"u","value":{"stringValue":"v"}}]},{"timeUnixNano":"5","asInt":"7"}]}]}},{"name":"h","histogram":{"aggregationTemporality":2,"dataPoints":[{"timeUnixNano":"1700000000000000001","count":"3","sum":"Infinity","min":-1.5,"bucketCounts":["1","2"],"explicitBounds":[0.1]}]}},{"name":"x","exponentialHistogram":{"aggregationTemporality":2,"dataPoints":[{"timeUnixNano":"1700000000000000001","count":"6","scale":-3,"zeroCount":"1","zeroThreshold":0.5,"positive":{"offset":-2,"bucketCounts":["2","3"]},"max":9}]}},{"name":"q","summary":{"dataPoints":[{"timeUnixNano":"1700000000000000001","count":"2","sum":3.5,"quantileValues":[{"quantile":0.5,"value":"NaN"},{"quantile":1,"value":2}]}]}}]}]}]}"#,
    ),
];

/// Runs the binary and waits for it.
fn tripline(arguments: &[&str]) -> Result<Output> {
    Ok(Command::new(env!("CARGO_BIN_EXE_tripline-under-test"))
        .args(arguments)
        .output()?)
}

/// Runs the binary, expecting success; the last line of its output as JSON.
fn succeed(arguments: &[&str]) -> Result<Value> {
    let output = tripline(arguments)?;
    let (out, err) = (
        String::from_utf8(output.stdout)?,
        String::from_utf8_lossy(&output.stderr),
    );
    ensure!(output.status.success(), "{arguments:?}: {err}");
    Ok(serde_json::from_str(
        out.lines().last().context("no output")?,
    )?)
}

fn path(path: &Path) -> &str {
    path.to_str().expect("a temporary path is UTF-8")
}

/// The three lines as files: plain, gzip, zstd.
fn write_lines(dir: &Path) -> Result<()> {
    fs::create_dir_all(dir)?;
    for (name, line) in LINES {
        let text = format!("{line}\n\n");
        match name {
            "traces" => fs::write(dir.join("traces.jsonl"), text)?,
            "logs" => {
                let file = fs::File::create(dir.join("logs.jsonl.gz"))?;
                let mut gzip = flate2::write::GzEncoder::new(file, flate2::Compression::fast());
                gzip.write_all(text.as_bytes())?;
                gzip.finish()?;
            }
            _ => fs::write(
                dir.join("metrics.jsonl.zst"),
                zstd::encode_all(text.as_bytes(), 1)?,
            )?,
        }
    }
    Ok(())
}

/// Exports everything as JSON lines and gives the three files' texts.
fn exported(data: &Path, to: &Path) -> Result<Vec<String>> {
    succeed(&["export", "--data-dir", path(data), path(to)])?;
    LINES
        .iter()
        .map(|(name, _)| Ok(fs::read_to_string(to.join(format!("{name}.jsonl")))?))
        .collect()
}

#[test]
fn json_lines_go_out_and_in_again_as_the_same_rows() -> Result<()> {
    let scratch = tempfile::tempdir()?;
    let at = |name: &str| scratch.path().join(name);
    write_lines(&at("in"))?;
    let told = succeed(&["import", "--data-dir", path(&at("a")), path(&at("in"))])?;
    assert_eq!(
        (told["items"].as_u64(), told["rejected"].as_u64()),
        (Some(13), Some(0)),
        "{told}"
    );
    let first = exported(&at("a"), &at("out-a"))?;
    assert!(first.iter().all(|text| !text.is_empty()));
    let told = succeed(&["import", "--data-dir", path(&at("b")), path(&at("out-a"))])?;
    assert_eq!(told["items"].as_u64(), Some(13), "{told}");
    let second = exported(&at("b"), &at("out-b"))?;
    assert_eq!(first, second);
    // Nothing was lost on the first way in either: every value that is hard to keep is in the text.
    for kept in [
        r#"{"key":"z","value":{"doubleValue":1.0}}"#,
        r#"{"key":"a","value":{"intValue":"-9223372036854775808"}}"#,
        r#"{"key":"n","value":{"doubleValue":"NaN"}}"#,
        r#"{"key":"m","value":{"doubleValue":-0.0}}"#,
        r#"{"key":"b","value":{"bytesValue":"AP8="}}"#,
        r#"{"key":"e","value":{}}"#,
        r#"{"key":"k","value":{"kvlistValue":{"values":[{"key":"$bytes","value":{"stringValue":"00"}}]}}}"#,
        r#""startTimeUnixNano":"9223372036854775808""#,
        r#""timeUnixNano":"18446744073709551615""#,
        r#""links":[{"traceId":"5b8e","spanId":"ff""#,
        r#""entityRefs":[{"type":"service","idKeys":["service.name"]}]"#,
        r#""kind":9"#,
        r#""status":{"code":7}"#,
    ] {
        assert!(first[0].contains(kept), "{kept} is not in {}", first[0]);
    }
    for kept in [
        r#""body":{}"#,
        r#""body":{"stringValue":"boom"}"#,
        r#"{"doubleValue":2.0}"#,
    ] {
        assert!(first[1].contains(kept), "{kept} is not in {}", first[1]);
    }
    for kept in [
        r#""asDouble":"NaN""#,
        r#""asInt":"9007199254740993""#,
        r#""sum":"Infinity""#,
        r#""scale":-3"#,
        r#""exemplars":[{"filteredAttributes":[{"key":"u""#,
        r#""metadata":[{"key":"p""#,
    ] {
        assert!(first[2].contains(kept), "{kept} is not in {}", first[2]);
    }
    Ok(())
}

#[test]
fn a_json_document_of_many_lines_and_signals_is_imported_whole() -> Result<()> {
    let scratch = tempfile::tempdir()?;
    let at = |name: &str| scratch.path().join(name);
    let mut members = serde_json::Map::new();
    for (_, line) in LINES {
        members.extend(serde_json::from_str::<serde_json::Map<String, Value>>(
            line,
        )?);
    }
    let whole = serde_json::to_string_pretty(&members)?;
    fs::write(at("all.json"), format!("\n{whole}\n{}\n", LINES[0].1))?;
    let told = succeed(&[
        "import",
        "--data-dir",
        path(&at("a")),
        path(&at("all.json")),
    ])?;
    let counts = ["requests", "items", "rejected"].map(|name| told[name].as_u64());
    assert_eq!(counts, [Some(2), Some(15), Some(0)], "{told}");
    let texts = exported(&at("a"), &at("out"))?;
    assert!(texts.iter().all(|text| !text.is_empty()), "{texts:?}");
    // What is wrong is told where its document begins.
    fs::write(at("bad.json"), "{}\n{\n \"resourceSpans\": 7\n}\n")?;
    let output = tripline(&[
        "import",
        "--data-dir",
        path(&at("a")),
        path(&at("bad.json")),
    ])?;
    assert!(!output.status.success());
    let told = String::from_utf8(output.stderr)?;
    assert!(told.contains("bad.json: line 2: resourceSpans"), "{told}");
    Ok(())
}

#[test]
fn parquet_goes_out_and_in_again_as_the_same_rows() -> Result<()> {
    let scratch = tempfile::tempdir()?;
    let at = |name: &str| scratch.path().join(name);
    write_lines(&at("in"))?;
    succeed(&["import", "--data-dir", path(&at("a")), path(&at("in"))])?;
    succeed(&[
        "export",
        "--format",
        "parquet",
        "--data-dir",
        path(&at("a")),
        path(&at("parquet")),
    ])?;
    assert_eq!(fs::read_dir(at("parquet"))?.count(), 3);
    let told = succeed(&["import", "--data-dir", path(&at("b")), path(&at("parquet"))])?;
    assert_eq!(told["items"].as_u64(), Some(13), "{told}");
    assert_eq!(
        exported(&at("a"), &at("out-a"))?,
        exported(&at("b"), &at("out-b"))?
    );
    Ok(())
}

#[test]
fn a_time_range_and_a_signal_choose_what_is_exported() -> Result<()> {
    let scratch = tempfile::tempdir()?;
    let at = |name: &str| scratch.path().join(name);
    write_lines(&at("in"))?;
    succeed(&["import", "--data-dir", path(&at("a")), path(&at("in"))])?;
    let told = succeed(&[
        "export",
        "--signal",
        "logs",
        "--from",
        "1700000000000000004",
        "--to",
        "1700000000000000006",
        "--data-dir",
        path(&at("a")),
        path(&at("out")),
    ])?;
    assert_eq!(told["rows"].as_u64(), Some(2), "{told}");
    assert_eq!(fs::read_dir(at("out"))?.count(), 1);
    Ok(())
}

#[test]
fn a_line_that_cannot_be_read_is_named_and_what_came_before_is_stored() -> Result<()> {
    let scratch = tempfile::tempdir()?;
    let at = |name: &str| scratch.path().join(name);
    fs::write(
        at("bad.jsonl"),
        format!(
            "{}\n{{\"resourceSpans\":[{{\"scopeSpans\":7}}]}}\n",
            LINES[0].1
        ),
    )?;
    let output = tripline(&[
        "import",
        "--data-dir",
        path(&at("a")),
        path(&at("bad.jsonl")),
    ])?;
    assert!(!output.status.success());
    let told = String::from_utf8(output.stderr)?;
    assert!(
        told.contains("bad.jsonl: line 2: resourceSpans[0].scopeSpans: expected an array"),
        "{told}"
    );
    assert!(!exported(&at("a"), &at("out"))?[0].is_empty());
    Ok(())
}

/// A request of one span, with a name of so many bytes.
fn request(number: u64, bytes: usize) -> String {
    let (id, name) = (number + 1, "x".repeat(bytes));
    format!(
        r#"{{"resourceSpans":[{{"scopeSpans":[{{"spans":[{{"traceId":"{id:032x}","spanId":"{id:016x}","name":"{name}","startTimeUnixNano":"1700000000000000001"}}]}}]}}]}}"#
    )
}

/// How many spans are stored.
fn stored_spans(data: &Path, to: &Path) -> Result<usize> {
    Ok(exported(data, to)?[0].matches("\"spanId\":").count())
}

#[test]
fn more_than_the_queue_takes_at_once_is_imported_in_turn() -> Result<()> {
    let scratch = tempfile::tempdir()?;
    let at = |name: &str| scratch.path().join(name);
    fs::write(
        at("tripline.toml"),
        "[store]\nqueue_bytes_max = \"16KiB\"\n",
    )?;
    let import = |file: &str, data: &str| {
        tripline(&[
            "import",
            "--config",
            path(&at("tripline.toml")),
            "--data-dir",
            path(&at(data)),
            path(&at(file)),
        ])
    };
    let lines: Vec<String> = (0..80).map(|number| request(number, 2_000)).collect();
    fs::write(at("in.jsonl"), lines.join("\n"))?;
    let output = import("in.jsonl", "a")?;
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    ensure!(output.status.success(), "{told}");
    assert_eq!(stored_spans(&at("a"), &at("out-a"))?, 80);

    // One that alone is larger ends the import: what comes before it is stored, what comes after is not.
    let lines = [request(0, 10), request(1, 20_000), request(2, 10)];
    fs::write(at("large.jsonl"), lines.join("\n"))?;
    let output = import("large.jsonl", "b")?;
    assert!(!output.status.success());
    let told = String::from_utf8(output.stderr)?;
    assert!(
        told.contains("large.jsonl, line 2 was not stored, nor was what comes after it"),
        "{told}"
    );
    let out = String::from_utf8(output.stdout)?;
    assert!(out.contains("\"items\":1,"), "{out}");
    assert_eq!(stored_spans(&at("b"), &at("out-b"))?, 1);
    Ok(())
}

#[test]
fn an_empty_request_is_skipped_and_counted_and_a_missing_file_imports_nothing() -> Result<()> {
    let scratch = tempfile::tempdir()?;
    let at = |name: &str| scratch.path().join(name);
    fs::write(at("in.jsonl"), format!("{{}}\n{}\n {{ }}\n", LINES[0].1))?;
    let told = succeed(&[
        "import",
        "--data-dir",
        path(&at("a")),
        path(&at("in.jsonl")),
    ])?;
    let counts = ["files", "requests", "empty", "items"].map(|name| told[name].as_u64());
    assert_eq!(counts, [Some(1), Some(3), Some(2), Some(2)], "{told}");
    fs::write(at("other.jsonl"), "{\"resource\":[]}\n")?;
    for (file, why, is_told) in [
        ("other.jsonl", "line 1: no resourceSpans", true),
        ("missing.jsonl", "missing.jsonl", false),
    ] {
        let output = tripline(&["import", "--data-dir", path(&at("a")), path(&at(file))])?;
        assert!(!output.status.success(), "{file}");
        let told = String::from_utf8(output.stderr)?;
        assert!(told.contains(why), "{told}");
        let out = String::from_utf8(output.stdout)?;
        assert_eq!(out.contains("\"imported\""), is_told, "{out}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_import_beside_a_running_server_goes_through_it() -> Result<()> {
    let scratch = tempfile::tempdir()?;
    let at = |name: &str| scratch.path().join(name);
    write_lines(&at("in"))?;
    let server = Start::default().data_dir(&at("a")).start().await?;
    let told = succeed(&["import", "--data-dir", path(&at("a")), path(&at("in"))])?;
    assert!(
        told["to"]
            .as_str()
            .is_some_and(|to| to.starts_with("http://127.0.0.1:")),
        "{told}"
    );
    assert_eq!(told["items"].as_u64(), Some(13), "{told}");
    let refused = tripline(&["export", "--data-dir", path(&at("a")), path(&at("out"))])?;
    assert!(String::from_utf8(refused.stderr)?.contains("is held by process"));
    drop(server);
    assert_eq!(
        exported(&at("a"), &at("out"))?
            .concat()
            .matches("\"spanId\":\"aaa19b7ec3c1b174\"")
            .count(),
        1
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_import_reaches_a_server_on_a_unix_socket_and_one_with_grpc_alone_at_its_own_paths()
-> Result<()> {
    let scratch = tempfile::tempdir()?;
    let at = |name: &str| scratch.path().join(name);
    write_lines(&at("in"))?;
    let settings = at("tripline.toml");
    fs::write(
        &settings,
        "[receive.http]\ntraces_path = '/otlp/t'\nmetrics_path = 'otlp/m'\nlogs_path = '/otlp/l'\n",
    )?;
    let socket = format!("unix:{}", path(&at("otlp.sock")));
    for (data, otlp_http, to) in [
        ("a", socket.as_str(), socket.as_str()),
        ("b", "", "http://127.0.0.1:"),
    ] {
        let server = Start::default()
            .data_dir(&at(data))
            .otlp_http(otlp_http)
            .env("TRIPLINE_CONFIG", path(&settings))
            .start()
            .await?;
        let told = succeed(&[
            "import",
            "--data-dir",
            path(&at(data)),
            "--config",
            path(&settings),
            path(&at("in")),
        ])?;
        assert!(
            told["to"].as_str().is_some_and(|name| name.starts_with(to)),
            "{told}"
        );
        assert_eq!(told["items"].as_u64(), Some(13), "{told}");
        assert_eq!(server.number("SELECT count(*) FROM spans").await?, 2);
    }
    Ok(())
}
