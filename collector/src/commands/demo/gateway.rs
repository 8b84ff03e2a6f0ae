//! The gateway: the edge of the shop. It trusts nobody's trace, limits the rate and hands orders on.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::routing::post;
use axum::{Json, Router};
use serde_json::Value;
use tower::ServiceBuilder;
use tripline_sdk::layer::{BulkheadLayer, GuardLayer, RateLimitLayer};
use tripline_sdk::problem::{Problem, ProblemLayer};
use tripline_sdk::{
    BreakerConfig, Bulkhead, CircuitBreaker, Moment, Policy, TokenBucket, TokioClock,
};

use super::peer::Peer;
use super::service::{Identity, Service, World, serve};

const IDENTITY: Identity = Identity {
    service: "gateway",
    version: "3.0.2",
    instance: "gateway-1",
};
/// Requests a second, and at once, that are let in.
const RATE: (f64, u32) = (200.0, 400);
/// Requests at once.
const IN_FLIGHT_MAX: u32 = 128;

struct Gateway {
    orders: Peer,
    policy: Policy,
    /// Kept: with it the export would end.
    _service: Arc<Service>,
}

/// Starts the gateway in front of `orders`.
pub(super) async fn start(
    world: &World,
    address: SocketAddr,
    orders: SocketAddr,
) -> anyhow::Result<SocketAddr> {
    let service = Service::start(world, IDENTITY)?;
    // Orders answers for payment too: only an outage of nearly everything is its own.
    let config = BreakerConfig::new().failure_ratio(0.95).minimum_calls(30);
    let breaker = CircuitBreaker::builder("orders", config)
        .clock(TokioClock::default())
        .listen(service.telemetry())
        .build()?;
    let policy = Policy::builder("orders")
        .deadline(Duration::from_secs(4))
        .breaker(breaker)
        .timeout(Duration::from_secs(3))
        .bulkhead(Bulkhead::new(64))
        .build()?;
    let gateway = Arc::new(Gateway {
        orders: Peer::new(&service.instrument, "orders", orders),
        policy,
        _service: Arc::clone(&service),
    });
    let limits = ServiceBuilder::new()
        .layer(ProblemLayer)
        .layer(RateLimitLayer::new(TokenBucket::new(
            RATE.0,
            RATE.1,
            Moment::ZERO,
        )))
        .layer(BulkheadLayer::new(Bulkhead::new(IN_FLIGHT_MAX)))
        .layer(GuardLayer);
    let router = Router::new()
        .route("/checkout", post(checkout))
        .layer(limits)
        .with_state(gateway);
    let router = service.router(router, service.instrument.server().at_the_edge());
    serve(address, router).await
}

async fn checkout(
    State(gateway): State<Arc<Gateway>>,
    Json(basket): Json<Value>,
) -> Result<Json<Value>, Problem> {
    let order = gateway
        .policy
        .call(|| gateway.orders.post("/orders", &basket))
        .await?;
    Ok(Json(order))
}
