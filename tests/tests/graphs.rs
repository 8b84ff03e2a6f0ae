//! A graph of sixty services and two hundred edges over real ports: drawn, ranked, focused, searched.

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};

use crate::harness::{Tripline, cells, now, tags, text, words};
use crate::pages::says;

/// Name of a service: as long as people name them.
pub(crate) fn name_of(number: u64) -> String {
    format!("recommendation-engine-{number:02}")
}

/// Fifty services call four of the next ten each, the busier the lower their number; one call fails. The last ones send
/// messages: one that is taken by a service, one that nobody takes.
pub(crate) async fn large(server: &Tripline) -> Result<()> {
    let start = now() - 60_000_000_000;
    let mut by_service: Vec<Vec<Value>> = vec![Vec::new(); 60];
    let mut put = |number: u64, trace: u64, kind: u8, status: u8, more: Value| {
        let mut span = json!({"traceId": format!("{trace:032x}"), "name": "call", "kind": kind,
            "startTimeUnixNano": start.to_string(), "endTimeUnixNano": (start + 5_000_000).to_string(), "status": {"code": status}});
        if let (Value::Object(span), Value::Object(more)) = (&mut span, more) {
            span.extend(more);
        }
        by_service[usize::try_from(number).expect("sixty")].push(span);
    };
    let mut trace = 0;
    for caller in 0..50_u64 {
        for step in 0..4 {
            let callee = (caller / 10 + 1) * 10 + (caller * 7 + step * 3) % 10;
            let calls = if (caller, step) == (49, 3) {
                1
            } else {
                2 + (49 - caller) / 10
            };
            for _ in 0..calls {
                trace += 1;
                let (asks, answers) = (
                    format!("{:016x}", 2 * trace),
                    format!("{:016x}", 2 * trace + 1),
                );
                let status = if (caller, step) == (49, 3) { 2 } else { 0 };
                put(caller, trace, 3, status, json!({"spanId": asks}));
                put(
                    callee,
                    trace,
                    2,
                    status,
                    json!({"spanId": answers, "parentSpanId": asks}),
                );
            }
        }
    }
    let to = [
        text("messaging.system", "in_process"),
        text("messaging.destination.name", "parcels"),
    ];
    let sent = format!("{:016x}", 900_000);
    put(50, 900_000, 4, 0, json!({"spanId": sent, "attributes": to}));
    put(
        59,
        900_000,
        5,
        0,
        json!({"spanId": format!("{:016x}", 900_001), "parentSpanId": sent, "attributes": to}),
    );
    put(
        51,
        900_002,
        4,
        0,
        json!({"spanId": format!("{:016x}", 900_002), "attributes": to}),
    );
    let resources: Vec<Value> = (0_u64..)
        .zip(by_service)
        .map(|(number, spans)| {
            let sender = json!({"attributes": [text("service.name", &name_of(number))]});
            json!({"resource": sender, "scopeSpans": [{"spans": spans}]})
        })
        .collect();
    server
        .send("traces", &json!({"resourceSpans": resources}))
        .await
}

/// Boxes of a graph, and arrows between them: 60 services and a queue, 200 calls, a message taken and one that is not.
pub(crate) const BOXES: usize = 61;
const ARROWS: usize = 202;

/// How many boxes and arrows a page draws: calls of an edge that all went well, or all failed, are one arrow.
fn drawn(html: &str) -> (usize, usize) {
    (tags(html, "node").len(), tags(html, "edge").len())
}

#[tokio::test]
async fn a_large_graph_is_drawn_whole_ranked_focused_and_searched() -> Result<()> {
    let server = Tripline::start().await?;
    large(&server).await?;
    let html = says(
        &server,
        "/graph",
        &[name_of(59).as_str(), "in_process:parcels"],
    )
    .await?;
    assert_eq!(drawn(&html), (BOXES, ARROWS));
    // Peers and messages are told apart; what was not taken says so.
    assert_eq!(tags(&html, "peer").len(), 1);
    assert_eq!(tags(&html, "async").len(), 2);
    let waiting = "no span says who took these messages";
    assert_eq!(html.matches(waiting).count(), 1);
    ensure!(
        html.contains(&format!(
            "<title>{} → {}: 1 passed",
            name_of(50),
            name_of(59)
        )),
        "{html}"
    );

    // The busiest alone: those of the first ten services, and the one that fails.
    let html = says(&server, "/graph?top=40", &["161 quieter edges hidden"]).await?;
    let (boxes, arrows) = drawn(&html);
    assert_eq!((boxes, arrows), (22, 41));
    assert_eq!(
        tags(&html, "failed")
            .iter()
            .filter(|tag| tag.starts_with("path"))
            .count(),
        1
    );

    // Around one service: it, who calls it, whom it calls.
    let around = name_of(25);
    let html = says(
        &server,
        &format!("/graph?service={around}"),
        &["around", "Show everything"],
    )
    .await?;
    let graph = server
        .get(&format!("/api/v1/graph?service={around}"))
        .await?;
    let edges = graph["edges"].as_array().context("edges")?;
    // Each service of a layer is called by four of the one before, and calls four of the one after.
    assert_eq!(edges.len(), 8, "{graph}");
    assert_eq!(drawn(&html), (9, 8));
    ensure!(words(&html).contains(&format!("around {around}")), "{html}");

    // Found by part of a name: marked, and everything else stays.
    for (wanted, found) in [
        (name_of(25), 1),
        ("ENGINE-1".to_owned(), 10),
        ("parcels".to_owned(), 1),
        ("nobody".to_owned(), 0),
    ] {
        let html = says(&server, &format!("/graph?find={wanted}"), &[]).await?;
        assert_eq!(drawn(&html), (BOXES, ARROWS), "{wanted}");
        assert_eq!(tags(&html, "found").len(), found, "{wanted}");
    }
    Ok(())
}

#[tokio::test]
async fn a_queue_that_nobody_is_seen_to_fill_tells_what_was_taken_from_it() -> Result<()> {
    let server = Tripline::start().await?;
    let start = now() - 60_000_000_000;
    let of_queue = [
        text("messaging.system", "rabbitmq"),
        text("messaging.destination.name", "audit"),
    ];
    let spans: Vec<Value> = (1..=5_u64)
        .map(|number| {
            json!({"traceId": format!("{number:032x}"), "spanId": format!("{number:016x}"), "name": "take", "kind": 5,
                "startTimeUnixNano": start.to_string(), "endTimeUnixNano": (start + 5_000_000).to_string(),
                "status": {"code": if number == 1 { 2 } else { 0 }}, "attributes": of_queue})
        })
        .collect();
    let worker = json!({"attributes": [text("service.name", "worker")]});
    let body = json!({"resourceSpans": [{"resource": worker, "scopeSpans": [{"spans": spans}]}]});
    server.send("traces", &body).await?;
    let drawn = "<title>rabbitmq:audit: 5 calls, 1 failed";
    let html = says(&server, "/graph", &[drawn]).await?;
    let rows = cells(&html);
    let mut callers = rows.iter().filter_map(|row| row.first());
    let queue = callers
        .find(|cell| cell.contains("rabbitmq:audit"))
        .context("the queue in the table")?;
    ensure!(queue.contains("inferred"), "{queue}");
    Ok(())
}
