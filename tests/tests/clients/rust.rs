//! axum under the stock Rust SDK, with tower-resilience's breaker.

use std::process::Command;
use std::time::Duration;

use anyhow::Result;

use super::breakers::{self, Evidence, Guarded};
use super::service::Protocol;

#[tokio::test(flavor = "multi_thread")]
async fn tower_resilience_is_found_opening_and_closing() -> Result<()> {
    let all = [Guarded {
        route: "payments",
        breaker: "payments",
        origin: "tower-resilience",
        refusal: "circuit is open; call not permitted",
        open_for: Duration::from_millis(1200),
        evidence: Evidence::Event { is_traced: true },
        library: "tower-resilience-circuitbreaker",
        lock: "../../Cargo.lock",
        fixture: "tower_resilience",
    }];
    let command = Command::new(env!("CARGO_BIN_EXE_tripline-client-rust"));
    breakers::check(command, Protocol::Grpc, &all).await
}
