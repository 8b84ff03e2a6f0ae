//! A breaker of another library in its own service: driven into open and back, and every change found by SQL at its
//! time, with its reason where the library says one, and the failed calls around it.

use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

use super::service::{Protocol, Service};
use crate::harness::{Tripline, now};

/// A breaker as a client service has it: three failures in a row open it, for one second.
pub struct Guarded {
    /// Segment of the address: `/guarded/{library}`.
    pub library: &'static str,
    /// The breaker's name.
    pub breaker: &'static str,
    /// The recogniser that must have read it.
    pub origin: &'static str,
    /// What a refused call says.
    pub refusal: &'static str,
    /// A change is logged in the trace of the call that caused it.
    pub is_traced: bool,
}

/// Drives it and looks its story up.
pub async fn check(command: Command, protocol: Protocol, guarded: &Guarded) -> Result<()> {
    let server = Tripline::start().await?;
    let service = Service::start(command, &server, protocol)?;
    let call = async |fails: bool| -> Result<(String, String)> {
        let suffix = if fails { "?fail=1" } else { "" };
        let path = format!("/guarded/{}{suffix}", guarded.library);
        let (status, body) = service.get(&server, &path).await?;
        ensure!(status == 200, "{path} answered {status}: {body}");
        let body: Value = serde_json::from_str(&body)?;
        let text = |name: &str| body[name].as_str().unwrap_or_default().to_owned();
        Ok((text("outcome"), text("trace_id")))
    };
    ensure!(call(false).await?.0 == "success", "the first call");
    let mut failing = Vec::new();
    let before_trip = now();
    for _ in 0..3 {
        let (outcome, trace) = call(true).await?;
        ensure!(outcome == "failure", "{outcome}");
        failing.push(trace);
    }
    let after_trip = now();
    let mut rejected = 0;
    for _ in 0..4 {
        ensure!(call(false).await?.0 == "rejected", "open means refusing");
        rejected += 1;
    }
    tokio::time::sleep(Duration::from_millis(1_200)).await;
    let before_close = now();
    ensure!(call(false).await?.0 == "success", "the probe");
    let after_close = now();
    let name = guarded.breaker;
    let changes = format!(
        "SELECT coalesce(from_state, '?') || '>' || to_state, time_unix_nano::VARCHAR, time_lo_unix_nano::VARCHAR, origin, evidence \
         FROM breaker_transitions WHERE name = '{name}' AND service_name = 'shop' ORDER BY time_unix_nano"
    );
    server
        .wait_for(&format!("SELECT count(*) FROM ({changes})"), 3)
        .await?;
    let rows = server.sql(&changes).await?;
    let word = |row: &[Value], at: usize| row[at].as_str().unwrap_or_default().to_owned();
    let steps: Vec<String> = rows.iter().map(|row| word(row, 0)).collect();
    ensure!(
        steps == ["closed>open", "open>half_open", "half_open>closed"],
        "{rows:?}"
    );
    // An event is exact: the change lies between the calls that caused it.
    for (row, from, to) in [
        (&rows[0], before_trip, after_trip),
        (&rows[2], before_close, after_close),
    ] {
        let at: u64 = word(row, 1).parse().context("a time")?;
        ensure!(
            word(row, 1) == word(row, 2),
            "reported, not inferred: {row:?}"
        );
        ensure!((from..=to).contains(&at), "{at} not within {from} to {to}");
    }
    ensure!(
        rows.iter().all(|row| word(row, 3) == guarded.origin),
        "{rows:?}"
    );
    let state = format!(
        "SELECT count(*) FROM breakers WHERE name = '{name}' AND state = 'closed' AND instances = 1"
    );
    server.wait_for(&state, 1).await?;
    // The refused calls are seen as such, the failing ones lead to their traces.
    let refused = format!(
        "SELECT count(*) FROM spans WHERE kind = 'client' AND status_message LIKE '%{}%'",
        guarded.refusal
    );
    server.wait_for(&refused, rejected).await?;
    if guarded.is_traced {
        let tripped = server
            .sql(&format!("SELECT trace_id, trace_evidence FROM breaker_transitions WHERE name = '{name}' AND to_state = 'open'"))
            .await?;
        ensure!(
            tripped.len() == 1 && tripped[0][0] == failing[2].as_str() && tripped[0][1] == "exact",
            "{tripped:?} is not {}",
            failing[2]
        );
    }
    for trace in &failing {
        let found = format!(
            "SELECT count(*) FROM spans WHERE trace_id = '{trace}' AND kind = 'client' AND status_code = 'error'"
        );
        server.wait_for(&found, 1).await?;
    }
    let incidents = server.get("/api/v1/incidents").await?;
    let first = &incidents["items"][0];
    ensure!(
        first["breakers"][0]["name"] == name && first["state"] == "recovered",
        "{incidents}"
    );
    service.stop()
}
