//! The address is the whole state of a page: its range, scope and order hold for every number on it, for the SQL behind
//! each, and for where its links lead; what names an id needs no range.

pub(crate) mod how;
mod lists;
mod refused;
mod shown;

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};

use crate::dashboard::plant;
use crate::harness::{Tripline, cells, now, text};
use crate::pages::{TRACE, says, seed};
use how::{how_after, sum};

const SECOND: u64 = 1_000_000_000;

/// Spans of one sender.
async fn send_spans(server: &Tripline, attributes: &[(&str, &str)], spans: &[Value]) -> Result<()> {
    let attributes: Vec<Value> = attributes
        .iter()
        .map(|(key, value)| text(key, value))
        .collect();
    let body = json!({"resourceSpans": [{"resource": {"attributes": attributes}, "scopeSpans": [{"spans": spans}]}]});
    server.send("traces", &body).await
}

/// An entry span, the only one of its trace.
fn call(number: u64, name: &str, start: u64, length_ms: u64, is_failed: bool) -> Value {
    json!({"traceId": format!("{:032x}", number + 1), "spanId": format!("{:016x}", number + 1), "name": name, "kind": 2,
        "startTimeUnixNano": start.to_string(), "endTimeUnixNano": (start + length_ms * 1_000_000).to_string(),
        "status": {"code": if is_failed { 2 } else { 0 }}})
}

#[tokio::test]
async fn the_same_name_in_two_scopes_is_two_services_on_every_page() -> Result<()> {
    let server = Tripline::start().await?;
    plant(&server).await?;
    let html = says(
        &server,
        "/",
        &[
            "/services/cart?environment=prod",
            "/services/cart?environment=canary",
        ],
    )
    .await?;
    let list = html.split("id=\"services\"").nth(1).context("a list")?;
    let list = list.split("</table>").next().unwrap_or(list);
    ensure!(!list.contains("href=\"/services/cart\""), "{list}");
    let coverage = html.split("id=\"coverage\"").nth(1).context("coverage")?;
    let mut told = cells(coverage);
    told.retain(|row| row.first().is_some_and(|cell| cell.starts_with("cart")));
    assert_eq!(told.len(), 2, "{told:?}");
    for (row, expected) in told.iter().zip(["cart canary", "cart prod"]) {
        assert_eq!(row[0], expected, "{told:?}");
    }
    let both = says(
        &server,
        "/services/cart",
        &[
            "id=\"red-prod//\"",
            "id=\"red-canary//\"",
            "40 calls",
            "20 calls",
        ],
    )
    .await?;
    // Neither has the calls of the other.
    for (mark, expected) in [
        ("id=\"operations-prod//\"", 40.0),
        ("id=\"operations-canary//\"", 20.0),
    ] {
        let sql = how_after(&both, mark)?;
        assert_eq!(sum(&server, &sql, 1).await?, expected, "{sql}");
    }
    let one = says(&server, "/services/cart?environment=canary", &["20 calls"]).await?;
    ensure!(
        !one.contains("id=\"red-") && !one.contains("40 calls"),
        "{one}"
    );

    // A near miss and the coverage of one environment are none of the other's.
    let start = now() - 30 * SECOND;
    let refused = json!({"traceId": "7".repeat(32), "spanId": "7".repeat(16), "name": "charge", "kind": 1,
        "startTimeUnixNano": start.to_string(), "endTimeUnixNano": (start + 1_000_000).to_string(), "status": {"code": 2},
        "events": [{"name": "exception", "timeUnixNano": start.to_string(), "attributes": [
            text("exception.type", "io.github.resilience4j.circuitbreaker.CallNotPermittedException"),
            text("exception.message", "CircuitBreaker 'psp' is OPEN and does not permit further calls")]}]});
    let billing = [
        ("service.name", "billing"),
        ("deployment.environment.name", "prod"),
    ];
    send_spans(&server, &billing, &[refused]).await?;
    says(
        &server,
        "/?environment=prod",
        &["Breakers that nearly show", "billing"],
    )
    .await?;
    let (status, canary) = server.get_text("/?environment=canary").await?;
    ensure!(status == 200 && !canary.contains("billing"), "{canary}");
    ensure!(!canary.contains("Breakers that nearly show"), "{canary}");
    Ok(())
}

#[tokio::test]
async fn what_has_an_id_is_found_without_a_range() -> Result<()> {
    let server = Tripline::start().await?;
    let start = now() - 2 * 3_600 * SECOND;
    let mut old = call(6, "GET /old", start, 20, false);
    old["traceId"] = json!(TRACE);
    send_spans(&server, &[("service.name", "cart")], &[old]).await?;
    let record = json!({"timeUnixNano": (start + 1_000_000).to_string(), "severityNumber": 9,
        "body": {"stringValue": "two hours ago"}, "traceId": TRACE, "spanId": format!("{:016x}", 7)});
    server
        .send(
            "logs",
            &json!({"resourceLogs": [{"scopeLogs": [{"logRecords": [record]}]}]}),
        )
        .await?;
    let span = format!("{:016x}", 7);
    for page in [
        format!("/traces?q=trace_id+%3D+{TRACE}"),
        format!("/traces?q=span_id+%3D+{span}+AND+service+%3D+cart"),
    ] {
        says(
            &server,
            &page,
            &["GET /old", "1 trace, newest first", ">1 span<"],
        )
        .await?;
        // A range that is asked for holds.
        says(&server, &format!("{page}&from=now-1h"), &["No trace fits."]).await?;
    }
    for page in [
        format!("/logs?trace={TRACE}"),
        format!("/logs?q=trace_id+%3D+{TRACE}"),
    ] {
        says(&server, &page, &["two hours ago", "1 record"]).await?;
        says(
            &server,
            &format!("{page}&from=now-1h"),
            &["No log record fits."],
        )
        .await?;
    }
    // The panel's own link, whatever the range of the page.
    let trace = says(
        &server,
        &format!("/traces/{TRACE}?span={span}&from=now-15m"),
        &["Logs of this span"],
    )
    .await?;
    let (before, _) = trace.split_once("Logs of this span").context("a link")?;
    let (_, link) = before.rsplit_once("href=\"").context("an address")?;
    let link = link.split('"').next().unwrap_or_default();
    says(&server, &link.replace("&amp;", "&"), &["two hours ago"]).await?;
    // Pasted into any box.
    for page in [
        "/explore?q=",
        "/explore?text=",
        "/sql?q=",
        "/traces?q=",
        "/logs?q=",
    ] {
        says(&server, &format!("{page}{TRACE}"), &["wf-row", "GET /old"]).await?;
    }
    Ok(())
}

#[tokio::test]
async fn a_range_that_cannot_be_read_is_an_error_on_every_page() -> Result<()> {
    let server = Tripline::start().await?;
    seed(&server).await?;
    let trace = format!("/traces/{TRACE}");
    for page in [
        "/",
        "/graph",
        "/traces",
        trace.as_str(),
        "/logs",
        "/explore",
        "/services/checkout",
        "/breakers",
        "/breakers/checkout/payment",
        "/breakers/checkout/payment/whatif",
        "/incidents",
        "/sql",
        "/status",
        "/export/traces.csv",
    ] {
        for range in ["from=yesterday", "from=now-1h&to=tomorrow"] {
            let (status, html) = server.get_text(&format!("{page}?{range}")).await?;
            ensure!(
                status == 400 && html.contains("is not a time: write now-15m"),
                "{page}: {status}\n{html}"
            );
            ensure!(
                !html.contains("yesterday") && !html.contains("tomorrow"),
                "its links lead on\n{html}"
            );
        }
        let (status, html) = server
            .get_text(&format!("{page}?from=now-1h&to=now-2h"))
            .await?;
        ensure!(
            status == 400 && html.contains("a range begins before it ends"),
            "{page}: {status}\n{html}"
        );
    }
    let backwards = "from=2026-11-21T03:00:00Z&to=2026-11-21T02:00:00Z";
    for api in [
        "traces",
        "logs",
        "services",
        "graph",
        "findings",
        "incidents",
    ] {
        let (status, problem) = server
            .get_text(&format!("/api/v1/{api}?{backwards}"))
            .await?;
        ensure!(
            status == 400 && problem.contains("`from` is after `to`"),
            "{api}: {status}\n{problem}"
        );
    }
    Ok(())
}

#[tokio::test]
async fn a_breaker_called_like_a_step_of_a_path_has_an_address() -> Result<()> {
    let server = Tripline::start().await?;
    let change = |key: &str, state: &str| {
        json!({"timeUnixNano": (now() - 30 * SECOND).to_string(), "eventName": "circuit_breaker.state_changed", "attributes": [
            text("circuit_breaker.name", "."), text("circuit_breaker.key", key), text("circuit_breaker.to_state", state)]})
    };
    let records = [change("..", "open"), change("eu", "half_open")];
    let logs = json!({"resourceLogs": [{"resource": {"attributes": [text("service.name", "..")]},
        "scopeLogs": [{"logRecords": records}]}]});
    server.send("logs", &logs).await?;
    let address = "/breakers/%252E%252E/%252E/%252E%252E";
    let link = format!("href=\"{address}");
    says(&server, "/breakers", &[link.as_str()]).await?;
    // The client of these tests takes `..` and `%2E%2E` for steps, as browsers do.
    says(&server, address, &[". / .."]).await?;
    let found = server.get(&format!("/api/v1{address}")).await?;
    let breaker = &found["breaker"];
    ensure!(
        breaker["service_name"] == ".." && breaker["key"] == ".." && breaker["state"] == "open",
        "{found}"
    );
    let changes = server
        .get(&format!("/api/v1{address}/transitions?from=now-1h"))
        .await?;
    ensure!(changes["items"][0]["name"] == ".", "{changes}");
    Ok(())
}

#[tokio::test]
async fn a_moment_that_cannot_be_read_is_an_error_wherever_one_is_asked_for() -> Result<()> {
    let server = Tripline::start().await?;
    seed(&server).await?;
    for (page, says) in [
        ("/graph?at=bad", "`at` is not a time"),
        ("/breakers/checkout/payment?at=bad", "`at` is not a time"),
        ("/logs?around=bad", "`around` is a time in nanoseconds"),
    ] {
        let (status, html) = server.get_text(page).await?;
        ensure!(
            status == 400 && html.contains(says),
            "{page}: {status}\n{html}"
        );
    }
    // One that lies outside of the range chooses no step of it.
    let (status, html) = server.get_text("/graph?at=2020-01-01").await?;
    ensure!(status == 200, "{status}\n{html}");
    Ok(())
}

#[tokio::test]
async fn a_service_called_like_a_step_of_a_path_has_its_page() -> Result<()> {
    let server = Tripline::start().await?;
    let one = call(0, "GET /", now() - 30 * SECOND, 5, false);
    send_spans(&server, &[("service.name", "..")], &[one]).await?;
    let page = "/services/%252E%252E";
    let link = format!("href=\"{page}\"");
    says(&server, "/", &[link.as_str()]).await?;
    says(&server, page, &["id=\"figures\"", "1 call"]).await?;
    Ok(())
}
