//! SQL as people ask it: over HTTP in every format, and from a shell, with a server running, stopped or killed;
//! `tripline assert` as a CI job uses it.

mod ready;

use std::path::Path;
use std::process::{Command, Output};

use anyhow::{Result, ensure};
use opentelemetry_proto::tonic::collector::trace::v1::trace_service_client::TraceServiceClient;
use serde_json::{Value, json};

use crate::harness::{SpanShape, Tripline, now, spans_request};

/// Spans of service `shop` in the store.
const SPANS: u64 = 5;

async fn filled() -> Result<Tripline> {
    let server = Tripline::start().await?;
    let mut client = TraceServiceClient::connect(format!("http://{}", server.otlp_grpc())).await?;
    let shape = SpanShape {
        service: "shop",
        first: 0,
        count: SPANS,
        start_unix_nano: now(),
    };
    client.export(spans_request(shape)).await?;
    Ok(server)
}

fn tripline(data_dir: &Path, arguments: &[&str]) -> Result<Output> {
    Ok(Command::new(env!("CARGO_BIN_EXE_tripline-under-test"))
        .args(arguments)
        .arg("--data-dir")
        .arg(data_dir)
        .output()?)
}

fn out(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn err(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

const QUESTION: &str = "SELECT service_name, count(*) AS spans FROM spans GROUP BY ALL";

#[tokio::test]
async fn a_shell_gets_the_same_answer_from_a_server_and_from_its_directory() -> Result<()> {
    let server = filled().await?;
    let ask = |dir: &Path, format: &str| tripline(dir, &["sql", QUESTION, "--format", format]);
    let dir = server.data_dir().to_owned();
    for (format, wanted) in [
        ("table", "service_name  spans"),
        ("csv", "service_name,spans\r\nshop,5"),
        ("ndjson", r#"{"service_name":"shop","spans":5}"#),
        ("json", r#""rows":[["shop",5]]"#),
    ] {
        let answer = ask(&dir, format)?;
        ensure!(answer.status.success(), "{format}: {}", err(&answer));
        ensure!(out(&answer).contains(wanted), "{format}: {}", out(&answer));
    }
    // Killed: the next reader takes the lock and replays what was acknowledged.
    let remains = server.kill()?;
    for format in ["csv", "ndjson"] {
        let answer = ask(&remains.data_dir, format)?;
        ensure!(answer.status.success(), "{format}: {}", err(&answer));
        ensure!(out(&answer).contains("shop"), "{format}: {}", out(&answer));
    }
    let nowhere = ask(&remains.data_dir.join("nowhere"), "csv")?;
    ensure!(!nowhere.status.success() && err(&nowhere).contains("no data directory"));
    Ok(())
}

#[tokio::test]
async fn a_query_may_begin_with_a_comment_and_an_option_that_is_none_is_no_query() -> Result<()> {
    let server = filled().await?;
    let commented = format!("-- who sends, as README.md has it\n{QUESTION}");
    let answer = tripline(server.data_dir(), &["sql", &commented, "--format", "csv"])?;
    ensure!(answer.status.success(), "{}", err(&answer));
    ensure!(out(&answer).contains("shop,5"), "{}", out(&answer));
    let holds = format!("{commented} HAVING count(*) > {SPANS}");
    let answer = tripline(server.data_dir(), &["assert", &holds])?;
    ensure!(answer.status.success(), "{}", err(&answer));
    for option in ["--fromat", "-x"] {
        let answer = tripline(server.data_dir(), &["sql", option])?;
        ensure!(answer.status.code() == Some(2), "{option}");
        ensure!(err(&answer).contains(option), "{}", err(&answer));
    }
    Ok(())
}

#[tokio::test]
async fn a_wrong_query_is_told_where_it_is_wrong() -> Result<()> {
    let server = filled().await?;
    let answer = tripline(server.data_dir(), &["sql", "SELECT *\nFROM nowhere"])?;
    ensure!(!answer.status.success());
    ensure!(err(&answer).contains("nowhere"), "{}", err(&answer));
    let answer = tripline(server.data_dir(), &["sql", "DROP TABLE spans"])?;
    ensure!(!answer.status.success());
    ensure!(out(&answer).is_empty(), "{}", out(&answer));
    Ok(())
}

#[tokio::test]
async fn the_endpoint_speaks_every_format_and_keeps_its_bounds() -> Result<()> {
    let server = filled().await?;
    let ask = async |body: Value, accept: &'static str| {
        let url = format!("http://{}/api/v1/sql", server.http());
        let answer = server
            .client
            .post(url)
            .header("accept", accept)
            .json(&body)
            .send()
            .await?;
        let media = answer
            .headers()
            .get("content-type")
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default()
            .to_owned();
        anyhow::Ok((answer.status().as_u16(), media, answer.bytes().await?))
    };
    for (accept, start) in [
        ("application/json", &b"{"[..]),
        ("text/csv", b"service_name,spans"),
        ("application/x-ndjson", b"{\"service_name\""),
        ("application/vnd.apache.parquet", b"PAR1"),
        ("application/vnd.apache.arrow.stream", b"\xff\xff\xff\xff"),
        ("text/plain", b"service_name  spans"),
    ] {
        let (status, media, body) = ask(json!({"query": QUESTION}), accept).await?;
        ensure!(
            status == 200 && media.starts_with(accept),
            "{accept}: {status} {media}"
        );
        ensure!(
            body.starts_with(start),
            "{accept}: {:?}",
            &body[..body.len().min(40)]
        );
    }
    let (_, _, body) = ask(
        json!({"query": "SELECT span_id FROM spans", "limit": 2}),
        "application/json",
    )
    .await?;
    let cut: Value = serde_json::from_slice(&body)?;
    assert_eq!(
        (cut["rows"].as_array().map(Vec::len), &cut["truncated"]),
        (Some(2), &json!(true))
    );
    for (body, wanted) in [
        (json!({"query": "SELECT 1 FROM"}), 400),
        (json!({"query": "SELECT * FROM duckdb_settings()"}), 422),
        (json!({"query": "COPY spans TO '/tmp/x'"}), 422),
        (json!({"query": "SELECT 1; SELECT 2"}), 422),
        (json!({"query": ";; SELECT 1; SELECT 2"}), 422),
        (json!({"query": ";;"}), 422),
        (json!({"query": "SELECT 1", "surprise": 1}), 400),
        (json!({}), 400),
        (
            json!({"query": "SELECT count(*) FROM range(100000000) a, range(100000) b WHERE hash(a.range, b.range) = 1", "timeout_ms": 300}),
            504,
        ),
    ] {
        let (status, media, text) = ask(body.clone(), "application/json").await?;
        ensure!(
            media.starts_with("application/problem+json"),
            "{body}: {status} {media}"
        );
        ensure!(
            status == wanted,
            "{body}: {status}, not {wanted}: {}",
            String::from_utf8_lossy(&text)
        );
    }
    Ok(())
}

#[tokio::test]
async fn an_assertion_fails_a_job_exactly_when_rows_are_found() -> Result<()> {
    let server = filled().await?;
    let dir = server.data_dir().to_owned();
    let holds = tripline(
        &dir,
        &[
            "assert",
            "SELECT 1 FROM spans WHERE service_name = 'nobody'",
        ],
    )?;
    ensure!(holds.status.success(), "{}", err(&holds));
    ensure!(out(&holds).starts_with("ok "), "{}", out(&holds));
    let fails = tripline(&dir, &["assert", QUESTION])?;
    ensure!(!fails.status.success());
    ensure!(
        out(&fails).contains("1 found") && out(&fails).contains("service_name=shop spans=5"),
        "{}",
        out(&fails)
    );
    let checks = server.data_dir().with_extension("sql");
    std::fs::write(
        &checks,
        "-- nobody calls nobody\nSELECT 1 FROM spans WHERE false;\n-- no shop\nSELECT 1 AS shop FROM spans WHERE service_name = 'shop';\n",
    )?;
    let file = tripline(
        &dir,
        &["assert", "--file", checks.to_str().unwrap_or_default()],
    )?;
    ensure!(!file.status.success());
    ensure!(
        out(&file).contains("ok      nobody calls nobody")
            && out(&file).contains("FAILED  no shop: 5 found"),
        "{}",
        out(&file)
    );
    // Every ready-made one runs on an empty history of breakers, and a wrong query is no success.
    let ready = tripline(&dir, &["assert", "--ready", "breaker"])?;
    ensure!(ready.status.success(), "{}{}", out(&ready), err(&ready));
    ensure!(out(&ready).lines().count() >= 4, "{}", out(&ready));
    for wrong in [
        &["assert", "SELECT nothing"][..],
        &["assert", "--ready", "no such thing"],
        &["assert", "--ready", "opened within"],
        &["assert", "--ready", "opened within", "--set", "braker=x"],
        &["assert"],
    ] {
        let told = tripline(&dir, wrong)?;
        ensure!(told.status.code() == Some(2), "{wrong:?}: {}", err(&told));
    }
    ensure!(fails.status.code() == Some(1) && file.status.code() == Some(1));
    Ok(())
}

#[tokio::test]
async fn an_assertion_that_cannot_be_checked_does_not_hide_the_others() -> Result<()> {
    let server = filled().await?;
    let dir = server.data_dir().to_owned();
    let checks = server.data_dir().with_extension("broken.sql");
    std::fs::write(
        &checks,
        "-- first holds\nSELECT 1 FROM spans WHERE false;\n-- second is wrong\nSELECT nothing FROM nowhere;\n\
         -- third finds\nSELECT 1 AS shop FROM spans;\n-- fourth wants more\n-- set breaker =\n\
         SELECT 1 FROM breakers WHERE name = {breaker};\n-- fifth holds\nSELECT 1 WHERE false;\n",
    )?;
    let told = tripline(
        &dir,
        &["assert", "--file", checks.to_str().unwrap_or_default()],
    )?;
    let lines: Vec<String> = out(&told).lines().map(str::to_owned).collect();
    let begins = |words: &str| lines.iter().any(|line| line.starts_with(words));
    ensure!(
        told.status.code() == Some(2)
            && begins("ok      first holds")
            && begins("ERROR   second is wrong: could not be checked")
            && begins("FAILED  third finds: 5 found")
            && begins("ERROR   fourth wants more: could not be checked")
            && begins("ok      fifth holds"),
        "{:?} {lines:?}",
        told.status.code()
    );
    for words in [
        "nowhere",
        "it needs --set breaker=…",
        "1 of 3 assertions failed",
        "2 of 5 assertions could not be checked",
    ] {
        ensure!(err(&told).contains(words), "{words}: {}", err(&told));
    }
    Ok(())
}

#[tokio::test]
async fn a_parameter_without_sense_is_refused_by_name() -> Result<()> {
    let server = filled().await?;
    let opened = &["opened within", "--set", "breaker=x"][..];
    let retries = &["no retry factor above"][..];
    for (ready, value, name) in [
        (retries, "minutes=-3", "minutes is a whole number"),
        (retries, "minutes=0", "minutes is a whole number"),
        (retries, "minutes=an hour", "minutes is a whole number"),
        (retries, "factor=much", "factor is a number"),
        (retries, "factor=NaN", "factor is a number"),
        (retries, "least_attempts=-1", "least_attempts is a whole"),
        (retries, "minuets=5", "has a parameter minuets"),
        (opened, "seconds=-1", "seconds is a number"),
        (opened, "seconds=soon", "seconds is a number"),
        (opened, "minutes=1.5", "minutes is a whole number"),
    ] {
        let arguments = [&["assert", "--ready"][..], ready, &["--set", value]].concat();
        let told = tripline(server.data_dir(), &arguments)?;
        ensure!(
            told.status.code() == Some(2) && out(&told).is_empty() && err(&told).contains(name),
            "{value}: {:?} {}{}",
            told.status.code(),
            out(&told),
            err(&told)
        );
    }
    let fits = [
        "assert",
        "--ready",
        "no retry factor above",
        "--set",
        "factor=2.5",
    ];
    let told = tripline(server.data_dir(), &fits)?;
    ensure!(told.status.success(), "{}", err(&told));
    Ok(())
}

/// A drill: stock fails from second 20 on, the fault is told at 20, cart's breaker opens at 23; cart tries thrice.
async fn drill(server: &Tripline) -> Result<()> {
    const SECOND: u64 = 1_000_000_000;
    let begin = now() - 60 * SECOND;
    let text = |key: &str, value: &str| json!({"key": key, "value": {"stringValue": value}});
    let resource = |name: &str| json!({"attributes": [text("service.name", name)]});
    let mut spans = Vec::new();
    for number in 0..24_u64 {
        let at = begin + number * SECOND;
        let fails = number >= 20;
        let mut span = |id: u64, parent: Option<u64>, kind: u8, from_ms: u64, failed: bool| {
            let start = at + from_ms * 1_000_000;
            spans.push(json!({"traceId": format!("{:032x}", number + 1), "spanId": format!("{:016x}", number * 16 + id + 1),
                "parentSpanId": parent.map_or_else(String::new, |parent| format!("{:016x}", number * 16 + parent + 1)),
                "name": "GET /stock", "kind": kind, "startTimeUnixNano": start.to_string(),
                "endTimeUnixNano": (start + 10_000_000).to_string(), "status": {"code": if failed { 2 } else { 1 }},
                "attributes": if kind == 3 { vec![text("service.peer.name", "stock")] } else { Vec::new() }}));
        };
        span(0, None, 2, 0, fails);
        let tries = if fails { 3 } else { 1 };
        for attempt in 0..tries {
            span(1 + attempt, Some(0), 3, 1 + attempt * 20, fails);
        }
    }
    let log = |second: u64, event: &str, attributes: Vec<Value>| json!({"timeUnixNano": (begin + second * SECOND).to_string(), "eventName": event, "attributes": attributes});
    let opened = log(
        23,
        "circuit_breaker.state_changed",
        vec![
            text("circuit_breaker.name", "stock"),
            text("circuit_breaker.from_state", "closed"),
            text("circuit_breaker.to_state", "open"),
        ],
    );
    let fault = log(
        20,
        "tripline.change",
        vec![
            text("change.kind", "fault"),
            text("change.service", "stock"),
        ],
    );
    let traces = json!({"resourceSpans": [{"resource": resource("cart"), "scopeSpans": [{"spans": spans}]}]});
    let logs = json!({"resourceLogs": [
        {"resource": resource("cart"), "scopeLogs": [{"logRecords": [opened]}]},
        {"resource": resource("drill"), "scopeLogs": [{"logRecords": [fault]}]}]});
    for (path, body) in [("traces", traces), ("logs", logs)] {
        server.send(path, &body).await?;
    }
    Ok(())
}

#[tokio::test]
async fn a_resilience_test_asserts_how_fast_a_breaker_opened() -> Result<()> {
    let server = Tripline::start().await?;
    drill(&server).await?;
    let dir = server.data_dir().to_owned();
    let check = |arguments: &[&str]| -> Result<(Option<i32>, String)> {
        let told = tripline(&dir, &[&["assert", "--ready"][..], arguments].concat())?;
        Ok((told.status.code(), out(&told) + &err(&told)))
    };
    let cases: [(&[&str], i32, &str); 6] = [
        (
            &["opened within", "--set", "breaker=stock"],
            0,
            "ok      breaker stock opened within 5 s of the fault",
        ),
        (
            &[
                "opened within",
                "--set",
                "breaker=stock",
                "--set",
                "seconds=2",
            ],
            1,
            "problem=it opened late",
        ),
        (
            &["opened within", "--set", "breaker=stocks"],
            1,
            "no breaker of this name is known",
        ),
        (&["opened within"], 2, "--set breaker=…"),
        // 20 calls of one attempt and 4 of three: 32 attempts for 24 calls.
        (
            &["no retry factor above"],
            0,
            "ok      no retry factor above 1.5",
        ),
        (
            &["no retry factor above", "--set", "factor=1.3"],
            1,
            "attempts=32 callee=stock caller=cart calls=24",
        ),
    ];
    for (arguments, code, words) in cases {
        let (exit, told) = check(arguments)?;
        ensure!(
            exit == Some(code) && told.contains(words),
            "{arguments:?}: {exit:?} {told}"
        );
    }
    let listed = tripline(&dir, &["assert", "--list"])?;
    ensure!(
        out(&listed).contains("(--set breaker=…, seconds=5, minutes=60)"),
        "{}",
        out(&listed)
    );
    Ok(())
}
