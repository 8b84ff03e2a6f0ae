//! What Tripline says of itself over real ports: the foot of a page, status, the editor's limits.

use anyhow::{Result, ensure};
use serde_json::json;

use crate::harness::{Start, Tripline, now};
use crate::pages::{says, seed};

const MINUTE: u64 = 60 * 1_000_000_000;

/// One span of a service, so many minutes old; `trace_state` says how it was sampled.
async fn span(server: &Tripline, service: &str, minutes: u64, trace_state: &str) -> Result<()> {
    let start = now() - minutes * MINUTE;
    let id = format!("{:016x}", start ^ service.len() as u64);
    let body = json!({"resourceSpans": [{"resource": {"attributes": [
            {"key": "service.name", "value": {"stringValue": service}}]},
        "scopeSpans": [{"spans": [{"traceId": format!("{id}{id}"), "spanId": id, "name": "GET /", "kind": 2,
            "traceState": trace_state, "startTimeUnixNano": start.to_string(),
            "endTimeUnixNano": (start + 1_000_000).to_string()}]}]}]});
    server.send("traces", &body).await
}

/// Sends what no receiver takes.
async fn refused(server: &Tripline, times: usize) -> Result<()> {
    for _ in 0..times {
        let request = server
            .client
            .post(format!("http://{}/v1/logs", server.otlp_http()))
            .header("content-type", "text/plain");
        let status = request.body("hello").send().await?.status();
        ensure!(status == 415, "{status}");
    }
    Ok(())
}

#[tokio::test]
async fn the_foot_tells_of_refusals_at_the_doors_of_samples_and_of_silent_services() -> Result<()> {
    let server = Tripline::start().await?;
    span(&server, "awake", 0, "ot=th:c").await?;
    span(&server, "asleep", 40, "ot=th:c").await?;
    says(
        &server,
        "/traces",
        &["accepted and refused since the server started"],
    )
    .await?;
    let (_, html) = server.get_text("/traces").await?;
    assert!(!html.contains("requests refused"), "{html}");
    refused(&server, 3).await?;
    says(
        &server,
        "/traces",
        &[
            "3 of 5 requests refused, the last: unsupported content-type",
            // Each stands for four.
            "25 % of the calls of the last hour recorded",
            "for 15 min or longer: asleep (40 min ago)",
        ],
    )
    .await?;
    // Before the server counted there is nothing to tell.
    let past = "/traces?from=2020-01-01T00:00:00Z&to=2020-01-02T00:00:00Z";
    let html = says(
        &server,
        past,
        &["the range ended before the server counted"],
    )
    .await?;
    assert!(!html.contains("requests refused"), "{html}");
    Ok(())
}

#[tokio::test]
async fn status_tells_what_came_by_which_port_why_it_was_refused_and_what_took_long() -> Result<()>
{
    let server = Start::default()
        .env("TRIPLINE_STORE__RETENTION_AGE", "3d")
        .env("TRIPLINE_STORE__RETENTION_BYTES", "0")
        .start()
        .await?;
    says(
        &server,
        "/status",
        &[
            "No request was refused since the start.",
            "Nothing was dropped since the start.",
            "Nobody ran a query of their own in the last hour.",
        ],
    )
    .await?;
    seed(&server).await?;
    refused(&server, 2).await?;
    server
        .number("SELECT count(*) FROM spans WHERE name <> '<b>slow</b>'")
        .await?;
    let html = says(
        &server,
        "/status",
        &[
            "Ingest since start",
            "OTLP/gRPC",
            "OTLP/HTTP",
            "unknown media",
            "the last: unsupported content-type",
            "after 3d",
            "after 90d",
            "&lt;b&gt;slow&lt;/b&gt;",
            "DuckDB",
            "id=\"status-7\"",
        ],
    )
    .await?;
    assert!(!html.contains("<b>slow"), "{html}");
    Ok(())
}

#[tokio::test]
async fn the_editor_prints_the_limits_that_are_configured() -> Result<()> {
    let server = Start::default()
        .env("TRIPLINE_SQL__TIMEOUT_DEFAULT", "7s")
        .env("TRIPLINE_SQL__ROWS_MAX", "1234")
        .env("TRIPLINE_SQL__CONCURRENCY_MAX", "3")
        .start()
        .await?;
    says(
        &server,
        "/sql",
        &[
            "Limits: 7 s (the API may ask for 1 min)",
            "1,234 by the API",
            "64 MiB of result; 3 at once",
        ],
    )
    .await?;
    Ok(())
}

#[tokio::test]
async fn an_empty_list_says_when_its_signal_was_last_seen() -> Result<()> {
    let server = Tripline::start().await?;
    span(&server, "alone", 30, "").await?;
    says(
        &server,
        "/traces?from=now-5m",
        &[
            "No trace fits.",
            "Last seen 30 min ago: the newest span stored.",
        ],
    )
    .await?;
    says(&server, "/logs", &["No log record is stored at all."]).await?;
    let (status, html) = server.get_text("/traces?q=status+%3D").await?;
    assert!(
        status == 400 && html.contains(">Without the filter</a>") && !html.contains("Try again"),
        "{status} {html}"
    );
    Ok(())
}
