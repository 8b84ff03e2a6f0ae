//! Shipping: takes parcels from a queue inside the process, in the trace of the order.

use std::sync::Arc;

use opentelemetry::trace::{FutureExt as _, TraceContextExt as _};
use tokio::sync::mpsc;

use super::orders::PARCELS;
use super::service::{Identity, Service, World};

const IDENTITY: Identity = Identity {
    service: "shipping",
    version: "0.9.7",
    instance: "shipping-1",
};
/// Parcels that may wait.
const QUEUE_MAX: usize = 64;

/// A message, with headers as Kafka has them.
pub(super) struct Parcel {
    pub(super) order: u64,
    pub(super) headers: Vec<(String, Vec<u8>)>,
}

/// Starts shipping; what is sent to it is shipped.
pub(super) fn start(world: &World) -> anyhow::Result<mpsc::Sender<Parcel>> {
    let service = Service::start(world, IDENTITY)?;
    let (sender, mut parcels) = mpsc::channel::<Parcel>(QUEUE_MAX);
    tokio::spawn(async move {
        while let Some(parcel) = parcels.recv().await {
            let context = service.instrument.process(PARCELS, &parcel.headers);
            let handed_over = service.logs().around(hand_over(&service, &parcel));
            handed_over.with_context(context.clone()).await;
            context.span().end();
        }
    });
    Ok(sender)
}

async fn hand_over(service: &Arc<Service>, parcel: &Parcel) {
    service.work(3, 15).await;
    tracing::info!(order = parcel.order, "handed over to the carrier");
}
