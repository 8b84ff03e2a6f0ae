//! Values and times that other systems stumble over: not finite, or beyond what a timestamp holds. Nothing is lost, and
//! filters and SQL take them for what they are.

use std::process::Command;

use anyhow::{Result, ensure};
use serde_json::{Value, json};

use crate::harness::{Tripline, now, text};
use crate::incidents::story::{SECOND, story};

/// Spans named by their `queue.wait`; what a double of JSON cannot say is said by its OTLP word.
const WAITS: [(&str, &str); 7] = [
    ("five", r#"{"doubleValue":5.5}"#),
    ("whole", r#"{"intValue":"7"}"#),
    ("infinity", r#"{"doubleValue":"Infinity"}"#),
    ("negative", r#"{"doubleValue":"-Infinity"}"#),
    ("nan", r#"{"doubleValue":"NaN"}"#),
    ("text", r#"{"stringValue":"9"}"#),
    (
        "map",
        r#"{"kvlistValue":{"values":[{"key":"a","value":{"intValue":"1"}},{"key":"A","value":{"intValue":"2"}}]}}"#,
    ),
];

async fn send(server: &Tripline) -> Result<()> {
    let spans = WAITS
        .iter()
        .enumerate()
        .map(|(number, (name, wait))| {
            let wait: Value = serde_json::from_str(wait)?;
            let start = now() - 1_000_000_000;
            Ok(json!({
                "traceId": format!("{:032x}", number + 1), "spanId": format!("{:016x}", number + 1), "name": name,
                "kind": 2, "startTimeUnixNano": start.to_string(), "endTimeUnixNano": (start + 1).to_string(),
                "attributes": [{"key": "queue.wait", "value": wait}]
            }))
        })
        .collect::<Result<Vec<Value>>>()?;
    let resource = json!({"attributes": [text("service.name", "odd")]});
    let request =
        json!({"resourceSpans": [{"resource": resource, "scopeSpans": [{"spans": spans}]}]});
    server.send("traces", &request).await
}

/// The one text a query answers.
async fn answer(server: &Tripline, query: &str) -> Result<String> {
    let rows = server.sql(query).await?;
    Ok(rows[0][0].as_str().unwrap_or_default().to_owned())
}

#[tokio::test]
async fn numbers_that_are_not_finite_can_be_filtered_and_added_up() -> Result<()> {
    let server = Tripline::start().await?;
    send(&server).await?;
    for (filter, expected) in [
        ("queue.wait > 6", "infinity whole"),
        ("queue.wait < 0", "negative"),
        ("queue.wait <= 7", "five negative whole"),
        ("queue.wait != 7", "five infinity nan negative"),
        ("queue.wait = 7", "whole"),
    ] {
        let encoded: String = filter.bytes().map(|byte| format!("%{byte:02x}")).collect();
        let found = server
            .get(&format!("/api/v1/traces?filter={encoded}"))
            .await?
            .to_string();
        let mut names: Vec<&str> = WAITS
            .iter()
            .map(|(name, _)| *name)
            .filter(|name| found.contains(&format!("\"{name}\"")))
            .collect();
        names.sort_unstable();
        ensure!(names.join(" ") == expected, "{filter}: {found}");
    }
    // A cast has no answer for a map; number() reads each value.
    let cast = server
        .sql("SELECT avg(attributes.\"queue.wait\"::DOUBLE) FROM spans")
        .await;
    ensure!(cast.is_err(), "a cast reads maps now: correct SCHEMA.md");
    let read = "SELECT string_agg(name || '=' || coalesce(number(attributes.\"queue.wait\")::VARCHAR, 'none'), ' ' ORDER BY name) \
                FROM spans";
    ensure!(
        answer(&server, read).await?
            == "five=5.5 infinity=inf map=none nan=nan negative=-inf text=9.0 whole=7.0",
        "{}",
        answer(&server, read).await?
    );
    let sum = "SELECT sum(number(attributes.\"queue.wait\")) FILTER (isfinite(number(attributes.\"queue.wait\")))::VARCHAR \
               FROM spans";
    ensure!(answer(&server, sum).await? == "21.5");
    Ok(())
}

#[tokio::test]
async fn a_log_record_from_beyond_the_year_2262_is_listed_when_it_came_and_goes_out_as_it_was_sent()
-> Result<()> {
    let server = Tripline::start().await?;
    let sent = ["9223372036854775808", "18446744073709551615"];
    let records: Vec<Value> = sent
        .iter()
        .map(|time| json!({"timeUnixNano": time, "severityNumber": 9, "body": {"stringValue": format!("at {time}")}}))
        .collect();
    let resource = json!({"attributes": [text("service.name", "odd")]});
    let request =
        json!({"resourceLogs": [{"resource": resource, "scopeLogs": [{"logRecords": records}]}]});
    server.send("logs", &request).await?;
    let listed = server.get("/api/v1/logs?service=odd").await?.to_string();
    for time in sent {
        ensure!(listed.contains(&format!("at {time}")), "{time}: {listed}");
        let exact = format!(
            "SELECT count(*) FROM logs WHERE time_unix_nano = {time} AND body = 'at {time}' \
             AND time BETWEEN now() - INTERVAL 1 MINUTE AND now()"
        );
        ensure!(server.number(&exact).await? == 1, "{time}");
    }
    let (_, remains) = server.stop()?;
    let out = tempfile::tempdir()?;
    let status = Command::new(env!("CARGO_BIN_EXE_tripline-under-test"))
        .args(["export", "--data-dir"])
        .args([remains.data_dir.as_path(), out.path()])
        .status()?;
    ensure!(status.success(), "{status}");
    let exported = std::fs::read_to_string(out.path().join("logs.jsonl"))?;
    for time in sent {
        let kept = format!("\"timeUnixNano\":\"{time}\"");
        ensure!(exported.contains(&kept), "{kept} is not in {exported}");
    }
    Ok(())
}

#[tokio::test]
async fn what_is_looked_for_around_a_range_ends_where_time_does() -> Result<()> {
    let server = Tripline::start().await?;
    story(&server, (now() - 300 * SECOND) / SECOND * SECOND).await?;
    for (path, expected) in [
        ("/api/v1/incidents?from=0&to=9223372036854775807", 200),
        ("/api/v1/graph?from=0&to=9223372036854775807", 200),
        (
            "/api/v1/traces?filter=any(status%3Derror)&from=0&to=9223372036854775807",
            200,
        ),
        (
            "/api/v1/incidents/9223372036854775807-00112233445566aa",
            404,
        ),
    ] {
        let (status, body) = server.get_text(path).await?;
        ensure!(status == expected, "{path}: {status} {body}");
    }
    Ok(())
}
