//! net/http with the stock Go SDK.

use std::process::Command;
use std::time::Duration;

use anyhow::Result;

use super::breakers::{self, Evidence, Guarded};
use super::service::{Exemplars, Protocol, check, place};

fn command() -> Result<Command> {
    Ok(Command::new(place("go")?.join("service")))
}

#[tokio::test(flavor = "multi_thread")]
async fn go_over_grpc_is_found_by_sql_and_api() -> Result<()> {
    check(command()?, Protocol::Grpc, Exemplars::Sent).await
}

#[tokio::test(flavor = "multi_thread")]
async fn go_over_http_protobuf_is_found_by_sql_and_api() -> Result<()> {
    check(command()?, Protocol::HttpProtobuf, Exemplars::Sent).await
}

#[tokio::test(flavor = "multi_thread")]
async fn gobreaker_and_go_kit_are_found_opening_and_closing() -> Result<()> {
    // OnStateChange has no context: no trace is known.
    let all = [
        Guarded {
            route: "payments",
            breaker: "payments",
            origin: "gobreaker",
            refusal: "circuit breaker is open",
            open_for: Duration::from_millis(1200),
            evidence: Evidence::Event { is_traced: false },
            library: "github.com/sony/gobreaker/v2",
            lock: "go/go.mod",
            fixture: "gobreaker",
        },
        Guarded {
            route: "payments-kit",
            breaker: "payments-kit",
            origin: "gobreaker",
            refusal: "circuit breaker is open",
            open_for: Duration::from_millis(1200),
            evidence: Evidence::Event { is_traced: false },
            library: "github.com/go-kit/kit",
            lock: "go/go.mod",
            fixture: "go_kit",
        },
    ];
    breakers::check(command()?, Protocol::Grpc, &all).await
}
