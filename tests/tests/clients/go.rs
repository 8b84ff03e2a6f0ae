//! net/http with the stock Go SDK.

use std::process::Command;

use anyhow::Result;

use super::breakers::{self, Guarded};
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
async fn gobreaker_is_found_opening_and_closing() -> Result<()> {
    let guarded = Guarded {
        library: "gobreaker",
        breaker: "payments",
        origin: "gobreaker",
        refusal: "circuit breaker is open",
        // OnStateChange has no context.
        is_traced: false,
    };
    breakers::check(command()?, Protocol::Grpc, &guarded).await
}

#[tokio::test(flavor = "multi_thread")]
async fn go_kits_breaker_is_found_opening_and_closing() -> Result<()> {
    let guarded = Guarded {
        library: "go-kit",
        breaker: "stock",
        origin: "gobreaker",
        refusal: "circuit breaker is open",
        // OnStateChange has no context.
        is_traced: false,
    };
    breakers::check(command()?, Protocol::HttpProtobuf, &guarded).await
}
