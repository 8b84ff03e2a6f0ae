//! Payment: charges cards at a bank that is slow, fails and hangs by the script.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::extract::State;
use axum::routing::post;
use axum::{Json, Router};
use http::StatusCode;
use serde_json::{Value, json};
use tripline_sdk::problem::Problem;

use super::script::{Fault, Victim};
use super::service::{Identity, Service, World, serve};

const IDENTITY: Identity = Identity {
    service: "payment",
    version: "2.8.4",
    instance: "payment-1",
};

/// Starts payment.
pub(super) async fn start(world: &World, address: SocketAddr) -> anyhow::Result<SocketAddr> {
    let service = Service::start(world, IDENTITY)?;
    let router = Router::new()
        .route("/payments", post(charge))
        .with_state(Arc::clone(&service));
    let router = service.router(router, service.instrument.server());
    serve(address, router).await
}

async fn charge(
    State(service): State<Arc<Service>>,
    Json(payment): Json<Value>,
) -> Result<Json<Value>, Problem> {
    service.within("charge card", charge_card(&service)).await?;
    Ok(Json(
        json!({ "order": payment.get("order"), "charged": true }),
    ))
}

async fn charge_card(service: &Service) -> Result<(), Problem> {
    match service.world.fault(Victim::Payment) {
        Some(Fault::Slow) => service.work(650, 900).await,
        Some(Fault::Down) if service.roll(|dice| dice.percent(25)) => {
            // The connection is open and nothing comes: only the caller's timeout ends this.
            std::future::pending::<()>().await;
        }
        Some(Fault::Down) if service.roll(|dice| dice.percent(95)) => {
            service.work(20, 60).await;
            tracing::error!(bank = "bank.example", "the bank refuses the connection");
            return Err(Problem::new(
                StatusCode::SERVICE_UNAVAILABLE,
                "bank_unreachable",
                "the bank refuses the connection",
            ));
        }
        _ => service.work(15, 40).await,
    }
    Ok(())
}
