//! Express under the stock Node SDK, loaded as its documentation says.

use std::process::Command;
use std::time::Duration;

use anyhow::Result;

use super::breakers::{self, Evidence, Guarded};
use super::service::{Exemplars, Protocol, check, place};

fn command() -> Result<Command> {
    let mut command = Command::new("node");
    command
        .current_dir(place("node")?)
        .args([
            "--require",
            "@opentelemetry/auto-instrumentations-node/register",
        ])
        .arg("service.js");
    Ok(command)
}

#[tokio::test(flavor = "multi_thread")]
async fn node_over_grpc_is_found_by_sql_and_api() -> Result<()> {
    check(command()?, Protocol::Grpc, Exemplars::NotSent).await
}

#[tokio::test(flavor = "multi_thread")]
async fn node_over_http_json_is_found_by_sql_and_api() -> Result<()> {
    check(command()?, Protocol::HttpJson, Exemplars::NotSent).await
}

#[tokio::test(flavor = "multi_thread")]
async fn opossum_is_found_opening_and_closing() -> Result<()> {
    let all = [Guarded {
        route: "payments",
        breaker: "payments",
        origin: "opossum",
        refusal: "Breaker is open",
        open_for: Duration::from_millis(1200),
        evidence: Evidence::Metric,
        library: "opossum",
        lock: "node/package-lock.json",
        fixture: "opossum",
    }];
    breakers::check(command()?, Protocol::HttpJson, &all).await
}
