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
        .route("/healthz", get(alive))
        .route("/readyz", get(ready))
        .route("/metrics", get(metrics))
        .with_state(readiness)
}

/// Alive unless a part of the store has ended, or its engine, that nothing but a restart brings back.
async fn alive(State(readiness): State<Readiness>) -> Response {
    match readiness.store.trouble() {
        Some(trouble) if trouble.is_final() => unavailable(&trouble),
        _ => "alive\n".into_response(),
    }
}

/// Ready when the store takes what is sent and can be read; the receivers are bound before this router is.
async fn ready(State(readiness): State<Readiness>) -> Response {
    if let Some(trouble) = readiness.store.trouble() {
        return unavailable(&trouble);
    }
    let outcome = tokio::task::spawn_blocking(move || readiness.store.reader().map(drop)).await;
    match outcome {
        Ok(Ok(())) => "ready\n".into_response(),
        Ok(Err(error)) => unavailable(&format!("the store cannot be read: {error}")),
        Err(_) => unavailable(&"the store's reader panicked"),
    }
}

fn unavailable(why: &dyn std::fmt::Display) -> Response {
    (StatusCode::SERVICE_UNAVAILABLE, format!("{why}\n")).into_response()
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
