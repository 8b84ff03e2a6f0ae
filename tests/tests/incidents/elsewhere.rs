//! What goes on by another clock, or elsewhere, is told apart from the trouble of a call and of an incident.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};

use super::story::{SECOND, resource, span_id, trace_id};
use crate::harness::{Tripline, now, text};

const MS: u64 = 1_000_000;

/// Spans by the service that sends them.
#[derive(Default)]
struct Sent(BTreeMap<&'static str, Vec<Value>>);

impl Sent {
    /// A request of its own trace that `caller` answers within 100 ms and that may fail.
    fn request(&mut self, number: u64, caller: &'static str, at: u64, failed: bool) {
        self.span(number, (caller, 0, 2), [at, at + 100 * MS], failed, None);
    }

    /// The call to `callee` under it, by the clock of who calls, then of who answers.
    fn call(
        &mut self,
        number: u64,
        [caller, callee]: [&'static str; 2],
        (waited, client_failed): ([u64; 2], bool),
        (worked, server_failed): ([u64; 2], bool),
    ) {
        self.span(number, (caller, 1, 3), waited, client_failed, Some(callee));
        self.span(number, (callee, 2, 2), worked, server_failed, None);
    }

    fn span(
        &mut self,
        number: u64,
        (service, span, kind): (&'static str, u64, u8),
        [start, end]: [u64; 2],
        failed: bool,
        callee: Option<&str>,
    ) {
        let parent = match span {
            0 => String::new(),
            _ => span_id(number, span - 1),
        };
        let attributes: Vec<Value> = callee
            .map(|callee| text("service.peer.name", callee))
            .into_iter()
            .collect();
        self.0.entry(service).or_default().push(json!({"traceId": trace_id(number), "spanId": span_id(number, span),
            "parentSpanId": parent, "name": "GET /work", "kind": kind, "startTimeUnixNano": start.to_string(),
            "endTimeUnixNano": end.to_string(), "status": {"code": if failed { 2 } else { 0 }}, "attributes": attributes}));
    }

    async fn send(self, server: &Tripline) -> Result<()> {
        let sent: Vec<Value> = self
            .0
            .into_iter()
            .map(|(service, spans)| json!({"resource": resource(service, "1"), "scopeSpans": [{"spans": spans}]}))
            .collect();
        server.send("traces", &json!({"resourceSpans": sent})).await
    }
}

#[tokio::test]
async fn clocks_seconds_apart_neither_make_nor_hide_a_timeout_that_is_too_short() -> Result<()> {
    let server = Tripline::start().await?;
    let begin = now() - 100 * SECOND;
    let mut sent = Sent::default();
    for number in 0..10 {
        let at = begin + number * SECOND;
        let waited = [at + 10 * MS, at + 30 * MS];
        // It failed in time; its clock is three seconds ahead.
        let ahead = at + 3 * SECOND;
        let worked = [ahead + 11 * MS, ahead + 26 * MS];
        sent.request(number, "search", at, false);
        sent.call(number, ["search", "quick"], (waited, true), (worked, true));
        // It worked on for 71 ms; its clock is three seconds behind.
        let behind = at - 3 * SECOND;
        let worked = [behind + 11 * MS, behind + 101 * MS];
        sent.request(100 + number, "search", at, false);
        sent.call(
            100 + number,
            ["search", "slow"],
            (waited, true),
            (worked, false),
        );
    }
    sent.send(&server).await?;
    let findings = server.get("/api/v1/findings").await?;
    let found: Vec<(&Value, &Value, &Value)> = findings["items"]
        .as_array()
        .context("items")?
        .iter()
        .filter(|finding| finding["kind"] == "timeout_inversion")
        .map(|finding| (&finding["service"], &finding["subject"], &finding["value"]))
        .collect();
    ensure!(
        found == [(&json!("search"), &json!("slow"), &json!(10.0))],
        "{findings}"
    );
    Ok(())
}

#[tokio::test]
async fn requests_that_fail_elsewhere_make_an_incident_no_worse() -> Result<()> {
    let server = Tripline::start().await?;
    let end = now();
    let mut sent = Sent::default();
    for number in 2..56 {
        let at = end - number * 10 * SECOND;
        let (waited, worked) = ([at + 10 * MS, at + 30 * MS], [at + 11 * MS, at + 29 * MS]);
        sent.request(number, "bill", at, false);
        sent.call(number, ["bill", "ledger"], (waited, false), (worked, false));
        // Its requests have failed for five minutes, and never call the ledger.
        sent.request(100 + number, "web", at, number < 29);
    }
    sent.send(&server).await?;
    let opened = json!({"timeUnixNano": (end - 400 * SECOND).to_string(), "eventName": "circuit_breaker.state_changed",
        "attributes": [text("circuit_breaker.name", "ledger"), text("circuit_breaker.from_state", "closed"),
            text("circuit_breaker.to_state", "open")]});
    let logs = json!({"resourceLogs": [
        {"resource": resource("bill", "1"), "scopeLogs": [{"logRecords": [opened]}]}]});
    server.send("logs", &logs).await?;
    let listed = server.get("/api/v1/incidents?service=bill").await?;
    let id = listed["items"][0]["incident_id"]
        .as_str()
        .with_context(|| format!("an id: {listed}"))?;
    let whole = server.get(&format!("/api/v1/incidents/{id}")).await?;
    let crossing: Vec<(&Value, bool)> = whole["blast"]["entry_points"]
        .as_array()
        .context("entry points")?
        .iter()
        .map(|entry| (&entry["service"], entry["crossing"].as_f64() > Some(0.0)))
        .collect();
    let (bill, web) = (json!("bill"), json!("web"));
    ensure!(
        crossing.contains(&(&bill, true)) && crossing.contains(&(&web, false)),
        "{whole}"
    );
    let recovery = &whole["recovery"];
    ensure!(
        recovery["verdict"] == "flat" && recovery["entry_error_share"] == 0.0,
        "{recovery}"
    );
    Ok(())
}
