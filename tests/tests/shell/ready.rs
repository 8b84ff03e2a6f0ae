//! The ready-made assertions, each in a store in which what it forbids has happened.

use anyhow::{Result, ensure};
use serde_json::{Value, json};

use super::{err, out, tripline};
use crate::harness::{Tripline, now};

/// What each ready-made assertion forbids, ten to twenty minutes ago, but for a breaker of shelf, which was heard of two
/// hours ago, and one of attic, which reports a number that nobody knows: cart's breaker opens on pod-2 and stays open, opens
/// and closes on pod-1, and flaps in another environment; nobody says which traces tripped it. One call in five of till
/// fails after three tries, and one was sent five times.
async fn trouble(server: &Tripline) -> Result<()> {
    const SECOND: u64 = 1_000_000_000;
    const BUCKET: u64 = 600 * SECOND;
    let begin = now() / BUCKET * BUCKET - BUCKET;
    let text = |key: &str, value: &str| json!({"key": key, "value": {"stringValue": value}});
    let log = |second: i64, event: &str, attributes: Vec<Value>| json!({"timeUnixNano": begin.saturating_add_signed(second * 1_000_000_000).to_string(), "eventName": event, "attributes": attributes});
    let change = |second: i64, from: &str, to: &str| {
        let states = vec![
            text("circuit_breaker.name", "stock"),
            text("circuit_breaker.from_state", from),
            text("circuit_breaker.to_state", to),
        ];
        log(second, "circuit_breaker.state_changed", states)
    };
    let from_pod = |pod: &str, environment: &str, records: Vec<Value>| {
        let attributes = [
            text("service.name", "cart"),
            text("service.instance.id", pod),
            text("deployment.environment.name", environment),
        ];
        json!({"resource": {"attributes": attributes}, "scopeLogs": [{"logRecords": records}]})
    };
    let stays_open = vec![change(0, "closed", "open")];
    let recovers = vec![
        change(60, "closed", "open"),
        change(110, "open", "half_open"),
        change(120, "half_open", "closed"),
    ];
    let flaps: Vec<Value> = (0..5)
        .flat_map(|time| {
            let at = 200 + 20 * time;
            [
                change(at, "closed", "open"),
                change(at + 10, "open", "closed"),
            ]
        })
        .collect();
    // Their pods are alive, so what they told last still holds.
    let alive = || json!({"timeUnixNano": now().to_string(), "body": {"stringValue": "alive"}});
    let long_ago = log(
        -7_200,
        "circuit_breaker.state_changed",
        vec![
            text("circuit_breaker.name", "boards"),
            text("circuit_breaker.from_state", "half_open"),
            text("circuit_breaker.to_state", "closed"),
        ],
    );
    // Who only ever reports is never missed.
    let time = (begin - 7_190 * SECOND).to_string();
    let bye = json!({"timeUnixNano": time, "body": {"stringValue": "good night"}});
    let numbers: Vec<Value> = (1..=6)
        .map(|ago: u64| {
            let time = (now() - ago * 10 * SECOND).to_string();
            json!({"timeUnixNano": time, "asInt": "7", "attributes": [text("circuit_breaker.name", "ladder")]})
        })
        .collect();
    let metrics = json!({"resourceMetrics": [{"resource": {"attributes": [text("service.name", "attic")]},
        "scopeMetrics": [{"metrics": [{"name": "my.circuit_breaker.state", "gauge": {"dataPoints": numbers}}]}]}]});
    let fault = vec![
        text("change.kind", "fault"),
        text("change.service", "stock"),
    ];
    let logs = json!({"resourceLogs": [
        from_pod("pod-1", "prod", recovers),
        from_pod("pod-2", "prod", stays_open),
        from_pod("pod-3", "staging", flaps),
        from_pod("pod-1", "prod", vec![alive()]),
        from_pod("pod-2", "prod", vec![alive()]),
        from_pod("pod-3", "staging", vec![alive()]),
        {"resource": {"attributes": [text("service.name", "shelf")]}, "scopeLogs": [{"logRecords": [long_ago, bye]}]},
        {"resource": {"attributes": [text("service.name", "drill")]},
            "scopeLogs": [{"logRecords": [log(-10, "tripline.change", fault)]}]}]});
    let mut spans = Vec::new();
    for number in 0..20_u64 {
        let fails = number < 4;
        let mut span = |id: u64, kind: u8, attributes: Vec<Value>| {
            let start = begin + number * SECOND + id * 20_000_000;
            let parent = if id > 0 {
                format!("{:016x}", number * 16 + 1)
            } else {
                String::new()
            };
            spans.push(json!({"traceId": format!("{:032x}", number + 1), "spanId": format!("{:016x}", number * 16 + id + 1),
                "parentSpanId": parent, "name": "POST /pay", "kind": kind, "startTimeUnixNano": start.to_string(),
                "endTimeUnixNano": (start + 10_000_000).to_string(), "status": {"code": if fails { 2 } else { 1 }},
                "attributes": attributes}));
        };
        span(0, 2, Vec::new());
        for attempt in 1..=3 {
            if fails {
                span(attempt, 3, vec![text("service.peer.name", "bank")]);
            }
        }
        if number == 19 {
            let sent_again =
                json!({"key": "http.request.resend_count", "value": {"intValue": "4"}});
            span(1, 3, vec![text("service.peer.name", "mail"), sent_again]);
        }
    }
    let till = json!({"attributes": [text("service.name", "till")]});
    let traces = json!({"resourceSpans": [{"resource": till, "scopeSpans": [{"spans": spans}]}]});
    for (path, body) in [("traces", traces), ("logs", logs), ("metrics", metrics)] {
        server.send(path, &body).await?;
    }
    Ok(())
}

#[tokio::test]
async fn every_ready_made_assertion_fails_where_what_it_forbids_has_happened() -> Result<()> {
    let server = Tripline::start().await?;
    trouble(&server).await?;
    let dir = server.data_dir().to_owned();
    // Name, how many rows, and what is in them.
    let cases: [(&str, usize, &[&str]); 11] = [
        ("no breaker is open now", 1, &["state=open"]),
        (
            "no breaker's state is unknown",
            1,
            &["service_name=attic", "name=ladder"],
        ),
        (
            "no breaker fell silent",
            1,
            &["service_name=shelf", "name=boards"],
        ),
        (
            "no breaker opened in the last hour",
            7,
            &["service_name=cart"],
        ),
        (
            "no breaker flapped: more than four openings in ten minutes",
            1,
            &["openings=5", "service_instance_id=pod-3"],
        ),
        (
            "every breaker that opened in the last hour closed again",
            1,
            &["environment=prod", "service_instance_id=pod-2"],
        ),
        (
            "every trip names the trace that tripped it",
            7,
            &["name=stock"],
        ),
        (
            "no service failed more than one call in twenty in the last hour",
            1,
            &["calls=20", "errors=4", "service_name=till"],
        ),
        (
            "no request was retried more than three times",
            1,
            &["resends=4"],
        ),
        (
            "no retry factor above 1.5",
            1,
            &["callee=bank", "retry_factor=3"],
        ),
        (
            "breaker stock opened within 5 s of the fault",
            2,
            &["problem=it opened late", "seconds=10"],
        ),
    ];
    let listed = tripline(&dir, &["assert", "--list"])?;
    ensure!(
        out(&listed).lines().count() == cases.len(),
        "one has no case here: {}",
        out(&listed)
    );
    for (name, found, words) in cases {
        // Of a name with parameters, the part that has none.
        let part = match name {
            _ if name.starts_with("no retry factor") => "no retry factor above",
            _ if name.starts_with("breaker stock") => "opened within",
            name => name,
        };
        let mut arguments = vec!["assert", "--ready", part];
        if part == "opened within" {
            arguments.extend(["--set", "breaker=stock"]);
        }
        let told = tripline(&dir, &arguments)?;
        let report = out(&told);
        ensure!(
            told.status.code() == Some(1)
                && report.contains(&format!("FAILED  {name}: {found} found"))
                && words.iter().all(|words| report.contains(words)),
            "{name}: {:?} {report}{}",
            told.status.code(),
            err(&told)
        );
    }
    Ok(())
}
