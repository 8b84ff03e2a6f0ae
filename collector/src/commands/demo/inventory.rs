//! Inventory: stock in four shards, one of which fails now and then.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::extract::{Path, State};
use axum::routing::get;
use axum::{Json, Router};
use http::StatusCode;
use serde_json::{Value, json};
use tripline_sdk::problem::Problem;

use super::script::{Fault, SHARDS, Victim};
use super::service::{Identity, Service, World, serve};

const IDENTITY: Identity = Identity {
    service: "inventory",
    version: "5.1.0",
    instance: "inventory-1",
};

/// The shard that keeps `sku`.
pub(super) fn shard_of(sku: u32) -> u32 {
    sku % SHARDS
}

/// Starts inventory.
pub(super) async fn start(world: &World, address: SocketAddr) -> anyhow::Result<SocketAddr> {
    let service = Service::start(world, IDENTITY)?;
    let router = Router::new()
        .route("/stock/{sku}", get(stock))
        .with_state(Arc::clone(&service));
    let router = service.router(router, service.instrument.server());
    serve(address, router).await
}

async fn stock(
    State(service): State<Arc<Service>>,
    Path(sku): Path<u32>,
) -> Result<Json<Value>, Problem> {
    service.work(1, 6).await;
    let shard = shard_of(sku);
    if service.world.fault(Victim::Inventory) == Some(Fault::ShardDown(shard)) {
        tracing::error!(shard, sku, "the shard does not answer");
        return Err(Problem::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "shard_down",
            "this part of the stock cannot be read",
        ));
    }
    Ok(Json(json!({ "sku": sku, "available": 7 })))
}
