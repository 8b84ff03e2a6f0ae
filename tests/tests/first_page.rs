//! What the first page explains over real ports: gaps of coverage, breakers that nearly show, a refused first request,
//! what moved.

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};

use crate::harness::{Tripline, now, text, words};
use crate::pages::{says, seed};

/// The block of a page that has these words, as somebody copies it.
fn block(html: &str, words: &str) -> Result<String> {
    let blocks = html.split("<code").skip(1);
    let texts = blocks.filter_map(|rest| rest.split_once('>')?.1.split("</code>").next());
    let shown = [
        ("&lt;", "<"),
        ("&gt;", ">"),
        ("&quot;", "\""),
        ("&#x27;", "'"),
        ("&#39;", "'"),
        ("&amp;", "&"),
    ];
    let copied = |text: &str| {
        let copy = |text: String, (written, shown): (&str, &str)| text.replace(written, shown);
        shown.into_iter().fold(text.to_owned(), copy)
    };
    let mut copies = texts.map(copied);
    copies
        .find(|text| text.contains(words))
        .with_context(|| format!("no block with {words}\n{html}"))
}

#[tokio::test]
async fn the_first_span_that_the_page_offers_is_sent_as_it_is_printed() -> Result<()> {
    let server = Tripline::start().await?;
    let html = says(&server, "/", &["Send your first span"]).await?;
    let script = block(&html, "/v1/traces")?;
    ensure!(script.contains(server.otlp_http()), "{script}");
    let output = std::process::Command::new("sh")
        .args(["-c", &script])
        // A proxy of this machine is none for this machine.
        .env("no_proxy", "*")
        .output()?;
    ensure!(output.status.success(), "{script}\n{output:?}");
    let html = says(&server, "/", &["href=\"/services/hello\""]).await?;
    ensure!(!html.contains("Waiting for telemetry"), "{html}");
    says(&server, "/services/hello", &["1 call", "first span"]).await?;
    Ok(())
}

#[tokio::test]
async fn gaps_of_coverage_are_named_with_their_fix() -> Result<()> {
    let server = Tripline::start().await?;
    seed(&server).await?;
    says(
        &server,
        "/",
        &[
            "Coverage: 3 gaps",
            "Logs with trace id",
            "OTEL_LOGS_EXPORTER=otlp",
        ],
    )
    .await?;
    Ok(())
}

#[tokio::test]
async fn a_breaker_that_only_refuses_is_a_near_miss_and_named_where_it_refused() -> Result<()> {
    let server = Tripline::start().await?;
    let start = now() - 30_000_000_000;
    let refused = json!({"traceId": "7".repeat(32), "spanId": "7".repeat(16), "name": "charge", "kind": 1,
        "startTimeUnixNano": start.to_string(), "endTimeUnixNano": (start + 1_000_000).to_string(), "status": {"code": 2},
        "events": [{"name": "exception", "timeUnixNano": start.to_string(), "attributes": [
            text("exception.type", "io.github.resilience4j.circuitbreaker.CallNotPermittedException"),
            text("exception.message", "CircuitBreaker 'psp' is OPEN and does not permit further calls")]}]});
    let body = json!({"resourceSpans": [{"resource": {"attributes": [text("service.name", "billing")]},
        "scopeSpans": [{"spans": [refused]}]}]});
    server.send("traces", &body).await?;
    says(
        &server,
        "/",
        &[
            "Breakers that nearly show",
            "billing",
            "psp",
            "resilience4j-micrometer",
            "– errors alone",
        ],
    )
    .await?;
    let trace = format!("/traces/{}", "7".repeat(32));
    says(
        &server,
        &trace,
        &["refused by breaker psp", "/breakers/billing/psp"],
    )
    .await?;
    Ok(())
}

#[tokio::test]
async fn errors_of_a_breaker_in_logs_are_a_near_miss_until_it_reports_itself() -> Result<()> {
    let server = Tripline::start().await?;
    let start = now() - 30_000_000_000;
    let records = |attributes: Value, at: u64| {
        json!({"resourceLogs": [{"resource": {"attributes": [text("service.name", "billing")]},
            "scopeLogs": [{"logRecords": [{"timeUnixNano": at.to_string(), "severityNumber": 17,
                "body": {"stringValue": "charge failed"}, "attributes": attributes}]}]}]})
    };
    let thrown = json!([
        text(
            "exception.type",
            "io.github.resilience4j.circuitbreaker.CallNotPermittedException"
        ),
        text(
            "exception.message",
            "CircuitBreaker 'psp' is OPEN and does not permit further calls"
        ),
    ]);
    server.send("logs", &records(thrown, start)).await?;
    says(
        &server,
        "/",
        &["Breakers that nearly show", "psp", "– errors alone"],
    )
    .await?;
    // The gauge says what the errors could not.
    let states = ["closed", "open", "half_open"].map(|state| {
        json!({"timeUnixNano": start.to_string(), "asDouble": f64::from(u8::from(state == "open")),
            "attributes": [text("name", "psp"), text("state", state)]})
    });
    let gauge = json!({"resourceMetrics": [{"resource": {"attributes": [text("service.name", "billing")]},
        "scopeMetrics": [{"metrics": [{"name": "resilience4j.circuitbreaker.state", "gauge": {"dataPoints": states}}]}]}]});
    server.send("metrics", &gauge).await?;
    let html = says(&server, "/", &["✓ errors, metrics"]).await?;
    ensure!(!html.contains("Breakers that nearly show"), "{html}");
    Ok(())
}

#[tokio::test]
async fn a_refused_first_request_is_explained_on_the_first_page() -> Result<()> {
    let server = Tripline::start().await?;
    says(
        &server,
        "/",
        &[
            "Waiting for telemetry",
            "Requests seen",
            "cargo add opentelemetry",
            "extensionProviders",
        ],
    )
    .await?;
    let response = server
        .client
        .post(format!("http://{}/v1/traces", server.otlp_http()))
        .header("content-type", "application/grpc")
        .body("hello")
        .send()
        .await?;
    assert!(!response.status().is_success(), "{}", response.status());
    says(
        &server,
        "/",
        &["Waiting for telemetry", "unsupported content-type"],
    )
    .await?;
    Ok(())
}

#[tokio::test]
async fn the_overview_names_what_moved() -> Result<()> {
    let server = Tripline::start().await?;
    // A minute and a half of calls, two a second; from the middle on every third fails and all are slower.
    let start = now() - 110_000_000_000;
    let spans: Vec<Value> = (0..200_u64)
        .map(|number| {
            let is_late = number >= 100;
            let from = start + number * 500_000_000;
            let length = if is_late { 90_000_000 } else { 10_000_000 };
            json!({"traceId": format!("{:032x}", number + 1), "spanId": format!("{:016x}", number + 1), "name": "GET /", "kind": 2,
                "startTimeUnixNano": from.to_string(), "endTimeUnixNano": (from + length).to_string(),
                "status": {"code": if is_late && number % 3 == 0 { 2 } else { 0 }}})
        })
        .collect();
    let cart = [
        text("service.name", "cart"),
        text("deployment.environment.name", "prod"),
    ];
    let body = json!({"resourceSpans": [{"resource": {"attributes": cart}, "scopeSpans": [{"spans": spans}]}]});
    server.send("traces", &body).await?;
    let (from, to) = (
        start - start % 10_000_000_000,
        start - start % 10_000_000_000 + 110_000_000_000,
    );
    let html = says(
        &server,
        &format!("/?from={from}&to={to}"),
        &[
            "Movers",
            "id=\"movers\"",
            "errors 0 % →",
            "p95 ",
            "class=\"spark\"",
            "none known",
        ],
    )
    .await?;
    // It says which cart: there may be one in another environment.
    let told = words(html.split("id=\"movers\"").nth(1).context("movers")?);
    assert!(told.contains("cart prod ▲ errors 0 % →"), "{told}");
    // Over one half of it nothing moves.
    let calm = format!("/?from={from}&to={}", from + 40_000_000_000);
    let (status, html) = server.get_text(&calm).await?;
    assert!(status == 200 && !html.contains("Movers"), "{html}");
    Ok(())
}
