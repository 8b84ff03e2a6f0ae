//! A cascade of three services, told second by second: psp fails, payment's breaker opens, then checkout's.

use anyhow::Result;
use serde_json::{Value, json};
use tripline_storage::calendar::date_of;

use crate::harness::{Tripline, text};

pub(crate) const SECOND: u64 = 1_000_000_000;

pub(super) fn resource(service: &str, version: &str) -> Value {
    json!({"attributes": [text("service.name", service), text("service.version", version), text("service.instance.id", &format!("{service}-1"))]})
}

pub(crate) fn trace_id(number: u64) -> String {
    format!("{:032x}", 0xabcd_0000_0000_u64 + number)
}

pub(crate) fn span_id(number: u64, span: u64) -> String {
    format!("{:016x}", (number + 1) * 16 + span)
}

struct Span<'a> {
    number: u64,
    span: u64,
    parent: Option<u64>,
    name: &'a str,
    kind: u8,
    at: u64,
    ms: u64,
    failed: bool,
    attributes: Vec<Value>,
}

impl Span<'_> {
    fn json(&self) -> Value {
        let start = self.at + self.span * 1_000_000;
        json!({"traceId": trace_id(self.number), "spanId": span_id(self.number, self.span),
            "parentSpanId": self.parent.map_or_else(String::new, |parent| span_id(self.number, parent)),
            "name": self.name, "kind": self.kind, "startTimeUnixNano": start.to_string(),
            "endTimeUnixNano": (start + self.ms * 1_000_000).to_string(),
            "status": {"code": if self.failed { 2 } else { 0 }}, "attributes": self.attributes})
    }
}

/// Ninety seconds of checkout → payment → psp, two requests a second; psp fails from second 40 on, payment's breaker
/// opens at 46 and checkout's at 50, after which checkout answers with a default. Both close at 70.
pub(crate) async fn story(server: &Tripline, begin: u64) -> Result<()> {
    story_until(server, begin, 90).await
}

/// Its first seconds alone.
pub(super) async fn story_until(server: &Tripline, begin: u64, seconds: u64) -> Result<()> {
    let mut spans: [Vec<Value>; 3] = Default::default();
    for number in 0..2 * seconds {
        let second = number / 2;
        let at = begin + number * SECOND / 2;
        let fails = (40..68).contains(&second);
        let refused = (50..68).contains(&second);
        let breaker = |name: &str, is_refused: bool| {
            let outcome = if is_refused {
                "rejected"
            } else if fails {
                "failure"
            } else {
                "success"
            };
            vec![
                text("circuit_breaker.name", name),
                text("circuit_breaker.outcome", outcome),
            ]
        };
        let span = |span, parent, name, kind, failed, attributes| {
            Span {
                number,
                span,
                parent,
                name,
                kind,
                at,
                ms: 40 - 2 * span,
                failed,
                attributes,
            }
            .json()
        };
        let client = |peer: &str, error: &str| {
            let mut attributes = vec![text("service.peer.name", peer)];
            if fails {
                attributes.push(text("error.type", error));
            }
            attributes
        };
        spans[0].push(span(
            0,
            None,
            "POST /checkout",
            2,
            fails && !refused,
            breaker("payment", refused),
        ));
        if refused {
            continue;
        }
        spans[0].push(span(1, Some(0), "POST", 3, fails, client("payment", "503")));
        spans[1].push(span(
            2,
            Some(1),
            "POST /payments",
            2,
            fails,
            breaker("psp", false),
        ));
        spans[1].push(span(
            3,
            Some(2),
            "charge",
            3,
            fails,
            client("psp", "DEADLINE_EXCEEDED"),
        ));
        spans[2].push(span(4, Some(3), "Charge", 2, fails, Vec::new()));
    }
    let [checkout, payment, psp] = spans;
    let traces = json!({"resourceSpans": [
        {"resource": resource("checkout", "3.0"), "scopeSpans": [{"spans": checkout}]},
        {"resource": resource("payment", "2.8"), "scopeSpans": [{"spans": payment}]},
        {"resource": resource("psp", "9.1"), "scopeSpans": [{"spans": psp}]}]});
    let change = |breaker: &str,
                  second: u64,
                  [from, to]: [&str; 2],
                  generation: u64,
                  tripped_by: Option<u64>| {
        let mut attributes = vec![
            text("circuit_breaker.name", breaker),
            text("circuit_breaker.from_state", from),
            text("circuit_breaker.to_state", to),
            json!({"key": "circuit_breaker.generation", "value": {"intValue": generation.to_string()}}),
            text(
                "circuit_breaker.reason",
                if to == "open" {
                    "failure_rate"
                } else {
                    "probe_ok"
                },
            ),
        ];
        if tripped_by.is_some() {
            for (name, value) in [("failure_ratio", 0.6), ("threshold", 0.5)] {
                attributes.push(json!({"key": format!("circuit_breaker.{name}"), "value": {"doubleValue": value}}));
            }
            attributes
                .push(json!({"key": "circuit_breaker.window_calls", "value": {"intValue": "20"}}));
        }
        let mut record = json!({"timeUnixNano": (begin + second * SECOND).to_string(), "eventName": "circuit_breaker.state_changed", "attributes": attributes});
        if let Some(number) = tripped_by {
            record["traceId"] = json!(trace_id(number));
            record["spanId"] = json!(span_id(number, 2));
        }
        record
    };
    let cycle = |breaker: &str, second: u64, tripped_by: u64| -> Vec<Value> {
        [
            (second, ["closed", "open"], Some(tripped_by)),
            (69, ["open", "half_open"], None),
            (70, ["half_open", "closed"], None),
        ]
        .into_iter()
        .zip(1..)
        .filter(|((second, ..), _)| *second < seconds)
        .map(|((second, states, tripped_by), generation)| {
            change(breaker, second, states, generation, tripped_by)
        })
        .collect()
    };
    let (of_payment, of_checkout) = (cycle("psp", 46, 91), cycle("payment", 50, 99));
    let deploy = json!({"timeUnixNano": (begin + 35 * SECOND).to_string(), "eventName": "tripline.change",
        "attributes": [text("change.kind", "deploy"), text("change.service", "psp"), text("change.description", "psp 9.1 rolled out")]});
    let logs = json!({"resourceLogs": [
        {"resource": resource("payment", "2.8"), "scopeLogs": [{"logRecords": of_payment}]},
        {"resource": resource("checkout", "3.0"), "scopeLogs": [{"logRecords": of_checkout}]},
        {"resource": resource("ci", "1"), "scopeLogs": [{"logRecords": [deploy]}]}]});
    for (path, body) in [("traces", traces), ("logs", logs)] {
        server.send(path, &body).await?;
    }
    Ok(())
}

/// Requests at checkout that fail by themselves, in these seconds.
pub(super) async fn failed_checkouts(server: &Tripline, begin: u64, seconds: &[u64]) -> Result<()> {
    let spans: Vec<Value> = (30_000..)
        .zip(seconds)
        .map(|(number, second)| {
            Span {
                number,
                span: 0,
                parent: None,
                name: "POST /checkout",
                kind: 2,
                at: begin + second * SECOND,
                ms: 5,
                failed: true,
                attributes: Vec::new(),
            }
            .json()
        })
        .collect();
    let traces = json!({"resourceSpans": [{"resource": resource("checkout", "3.0"), "scopeSpans": [{"spans": spans}]}]});
    server.send("traces", &traces).await
}

/// The time as a person writes it, to the second.
pub(crate) fn rfc3339(ns: u64) -> String {
    let seconds = ns / SECOND;
    let (year, month, day) = date_of((seconds / 86_400) as i64);
    let of_day = seconds % 86_400;
    format!(
        "{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}Z",
        of_day / 3600,
        of_day / 60 % 60,
        of_day % 60
    )
}

/// Settings told long before the incident, and a change, a flag that was switched and a version shortly before its raw
/// rows begin.
pub(super) async fn told_before(server: &Tripline, begin: u64) -> Result<()> {
    let started = begin - 7_200 * SECOND;
    let settings = [
        text("circuit_breaker.name", "psp"),
        text("circuit_breaker.config_hash", "c0ffee"),
        text("circuit_breaker.window.kind", "time"),
        json!({"key": "circuit_breaker.failure_ratio_threshold", "value": {"doubleValue": 0.5}}),
        json!({"key": "circuit_breaker.minimum_calls", "value": {"intValue": "17"}}),
    ];
    let configured = json!({"timeUnixNano": started.to_string(), "eventName": "circuit_breaker.configured", "attributes": settings});
    let flag = json!({"timeUnixNano": (begin - 1_200 * SECOND).to_string(), "eventName": "tripline.change",
        "attributes": [text("change.kind", "flag"), text("change.service", "psp"), text("change.description", "new ledger on")]});
    let evaluated: Vec<Value> = (0..300_u64)
        .map(|number| {
            let at = begin - (1_600 - number) * SECOND;
            let variant = if number < 200 { "off" } else { "on" };
            let attributes = [text("feature_flag.key", "ledger"), text("feature_flag.result.variant", variant),
                text("feature_flag.result.reason", "static"), text("feature_flag.context.id", &number.to_string())];
            json!({"timeUnixNano": at.to_string(), "eventName": "feature_flag.evaluation", "attributes": attributes})
        })
        .collect();
    let logs = json!({"resourceLogs": [
        {"resource": resource("payment", "2.8"), "scopeLogs": [{"logRecords": [configured]}, {"logRecords": evaluated}]},
        {"resource": resource("ci", "1"), "scopeLogs": [{"logRecords": [flag]}]}]});
    let old = Span {
        number: 9_000,
        span: 0,
        parent: None,
        name: "Charge",
        kind: 2,
        at: begin - 1_300 * SECOND,
        ms: 5,
        failed: false,
        attributes: Vec::new(),
    };
    let traces = json!({"resourceSpans": [{"resource": resource("psp", "9.0"), "scopeSpans": [{"spans": [old.json()]}]}]});
    for (path, body) in [("logs", logs), ("traces", traces)] {
        server.send(path, &body).await?;
    }
    Ok(())
}
