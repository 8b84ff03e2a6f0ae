//! Recommendation: a gRPC service with all four kinds of calls, in two versions, the newer of
//! which has a bug.

use std::net::SocketAddr;
use std::sync::Arc;

use tokio_stream::StreamExt as _;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::{Request, Response, Status, Streaming};

use super::rpc::{Basket, Recommend, RecommendServer, Suggestion, Suggestions};
use super::script::{Fault, Victim};
use super::service::{Identity, Service, World};

/// The version everybody has.
pub(super) const STABLE: Identity = Identity {
    service: "recommendation",
    version: "2.3.1",
    instance: "recommendation-1",
};
/// The version a few have.
pub(super) const CANARY: Identity = Identity {
    service: "recommendation",
    version: "2.4.0-canary",
    instance: "recommendation-canary-1",
};

/// Starts one instance.
pub(super) async fn start(
    world: &World,
    identity: Identity,
    address: SocketAddr,
) -> anyhow::Result<SocketAddr> {
    let service = Service::start(world, identity)?;
    let listener = tokio::net::TcpListener::bind(address).await?;
    let bound = listener.local_addr()?;
    let is_canary = identity.instance == CANARY.instance;
    let server = tonic::transport::Server::builder()
        .layer(service.instrument.server())
        .layer(service.logs())
        .add_service(RecommendServer::new(Shelf { service, is_canary }));
    tokio::spawn(server.serve_with_incoming(TcpListenerStream::new(listener)));
    Ok(bound)
}

#[derive(Clone)]
struct Shelf {
    service: Arc<Service>,
    is_canary: bool,
}

impl Shelf {
    /// What goes with a sku. A stream is polled outside of the layers' futures, so what is logged
    /// here is led to this service's logs by hand.
    async fn look_up(&self, sku: u32) -> Result<Suggestion, Status> {
        self.service.logs().around(self.look(sku)).await
    }

    async fn look(&self, sku: u32) -> Result<Suggestion, Status> {
        self.service.work(1, 5).await;
        let has_bug = self.service.world.fault(Victim::Recommendation) == Some(Fault::Bug);
        if self.is_canary && has_bug {
            tracing::error!(sku, "index out of bounds: the len is 0 but the index is 0");
            return Err(Status::internal("index out of bounds"));
        }
        Ok(Suggestion {
            sku: sku.wrapping_mul(7) % 100,
            score: 1.0 / f64::from(sku % 10 + 1),
        })
    }

    async fn look_up_first(&self, basket: &Basket) -> Result<Suggestion, Status> {
        let sku = basket.skus.first();
        self.look_up(*sku.ok_or_else(|| Status::invalid_argument("the basket is empty"))?)
            .await
    }
}

#[tonic::async_trait]
impl Recommend for Shelf {
    async fn suggest(&self, request: Request<Basket>) -> Result<Response<Suggestion>, Status> {
        self.look_up_first(request.get_ref())
            .await
            .map(Response::new)
    }

    async fn browse(&self, request: Request<Basket>) -> Result<Response<Suggestions>, Status> {
        let shelf = self.clone();
        let skus = request.into_inner().skus;
        let suggestions = tokio_stream::iter(skus).then(move |sku| {
            let shelf = shelf.clone();
            async move { shelf.look_up(sku).await }
        });
        Ok(Response::new(Box::pin(suggestions)))
    }

    async fn learn(
        &self,
        request: Request<Streaming<Basket>>,
    ) -> Result<Response<Suggestion>, Status> {
        let mut baskets = request.into_inner();
        let mut last = Suggestion::default();
        while let Some(basket) = baskets.message().await? {
            last = self.look_up_first(&basket).await?;
        }
        Ok(Response::new(last))
    }

    async fn advise(
        &self,
        request: Request<Streaming<Basket>>,
    ) -> Result<Response<Suggestions>, Status> {
        let shelf = self.clone();
        let suggestions = request.into_inner().then(move |basket| {
            let shelf = shelf.clone();
            async move { shelf.look_up_first(&basket?).await }
        });
        Ok(Response::new(Box::pin(suggestions)))
    }
}
