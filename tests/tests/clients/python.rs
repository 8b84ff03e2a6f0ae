//! Flask under the stock OpenTelemetry Python distribution and its auto-instrumentation.

use std::process::Command;
use std::time::Duration;

use anyhow::Result;

use super::breakers::{self, Evidence, Guarded};
use super::service::{Exemplars, Protocol, check, place};

fn command() -> Result<Command> {
    let place = place("python")?;
    // Through the interpreter: the script's own first line names the place where it was installed.
    let mut command = Command::new(place.join("venv/bin/python"));
    command
        .arg(place.join("venv/bin/opentelemetry-instrument"))
        .arg(place.join("venv/bin/python"))
        .arg(place.join("service.py"))
        .env("OTEL_PYTHON_LOGGING_AUTO_INSTRUMENTATION_ENABLED", "true");
    Ok(command)
}

#[tokio::test(flavor = "multi_thread")]
async fn python_over_grpc_is_found_by_sql_and_api() -> Result<()> {
    check(command()?, Protocol::Grpc, Exemplars::Sent).await
}

#[tokio::test(flavor = "multi_thread")]
async fn python_over_http_protobuf_is_found_by_sql_and_api() -> Result<()> {
    check(command()?, Protocol::HttpProtobuf, Exemplars::Sent).await
}

#[tokio::test(flavor = "multi_thread")]
async fn pybreaker_is_found_opening_and_closing() -> Result<()> {
    let all = [Guarded {
        route: "pybreaker",
        breaker: "payments",
        origin: "pybreaker",
        refusal: "circuit breaker still open",
        open_for: Duration::from_millis(1200),
        evidence: Evidence::Event { is_traced: true },
        library: "pybreaker",
        lock: "python/requirements.txt",
        fixture: "pybreaker",
    }];
    breakers::check(command()?, Protocol::Grpc, &all).await
}
