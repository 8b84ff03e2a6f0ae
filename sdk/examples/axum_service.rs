//! An axum service: spans of every request, a rate limit, a bulkhead and a timeout, whose refusals are
//! problem documents with the trace id.
//!
//! ```sh
//! cargo run -p tripline-sdk --example axum_service --features axum,otlp,tower
//! curl -i http://127.0.0.1:8080/stock/7
//! ```

use std::time::Duration;

use axum::Router;
use axum::extract::Path;
use axum::routing::get;
use http::StatusCode;
use tower::ServiceBuilder;
use tripline_sdk::layer::{BulkheadLayer, GuardLayer, RateLimitLayer, TimeoutLayer};
use tripline_sdk::problem::{Problem, ProblemLayer};
use tripline_sdk::{Bulkhead, Gcra};

#[tokio::main]
pub async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let telemetry = tripline_sdk::init()?;
    let guards = ServiceBuilder::new()
        .layer(telemetry.instrument().server())
        .layer(ProblemLayer)
        .layer(RateLimitLayer::new(Gcra::per(100, Duration::from_secs(1))))
        .layer(BulkheadLayer::new(Bulkhead::new(64)))
        .layer(TimeoutLayer::new(Duration::from_secs(5)))
        .layer(GuardLayer);
    let app = Router::new()
        .route("/stock/{sku}", get(stock))
        .layer(guards);
    let address = std::env::var("LISTEN").unwrap_or("127.0.0.1:8080".into());
    let listener = tokio::net::TcpListener::bind(address).await?;
    tracing::info!(address = %listener.local_addr()?, "listening");
    axum::serve(listener, app)
        .with_graceful_shutdown(async { drop(tokio::signal::ctrl_c().await) })
        .await?;
    Ok(())
}

async fn stock(Path(sku): Path<u32>) -> Result<String, Problem> {
    tracing::info!(sku, "looking");
    match sku {
        0 => Err(Problem::new(
            StatusCode::NOT_FOUND,
            "no_such_sku",
            "there is no sku 0",
        )),
        sku => Ok(format!("7 of {sku}\n")),
    }
}
