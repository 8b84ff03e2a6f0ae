//! `/healthz`, `/readyz`, `/metrics`: what a cluster and a Prometheus ask.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use tripline_storage::store::Store;

use super::prometheus::Exposition;
use super::query_times::QueryTimes;
use crate::receive::Receiver;

/// What the answers are made of.
#[derive(Clone)]
pub struct Readiness {
    /// The store.
    pub store: Arc<Store>,
    /// The receivers.
    pub receiver: Receiver,
    /// How long questions took.
    pub times: QueryTimes,
}

/// The three routes. They need no token: they tell no telemetry.
pub fn router(readiness: Readiness) -> Router {
    Router::new()
        .route("/healthz", get(async || "alive\n"))
        .route("/readyz", get(ready))
        .route("/metrics", get(metrics))
        .with_state(readiness)
}

/// Ready when the store can be read; the receivers are bound before this router is.
async fn ready(State(readiness): State<Readiness>) -> Response {
    let outcome = tokio::task::spawn_blocking(move || readiness.store.reader().map(drop)).await;
    match outcome {
        Ok(Ok(())) => "ready\n".into_response(),
        Ok(Err(error)) => (
            StatusCode::SERVICE_UNAVAILABLE,
            format!("the store cannot be read: {error}\n"),
        )
            .into_response(),
        Err(_) => (
            StatusCode::SERVICE_UNAVAILABLE,
            "the store's reader panicked\n",
        )
            .into_response(),
    }
}

async fn metrics(State(readiness): State<Readiness>) -> Response {
    let mut text = Exposition::default();
    text.family(
        "tripline_build_info",
        "gauge",
        "Constant 1, the version as its label.",
    );
    text.sample(
        "tripline_build_info",
        &[("version", env!("CARGO_PKG_VERSION"))],
        1.0,
    );
    super::store_metrics::write(&mut text, &readiness.store.stats());
    readiness.times.write(&mut text);
    let mut text = text.finish();
    readiness.receiver.write_prometheus(&mut text);
    (
        [(
            header::CONTENT_TYPE,
            "text/plain; version=0.0.4; charset=utf-8",
        )],
        text,
    )
        .into_response()
}
