//! `shop.Recommendation`: messages, server and client of one gRPC service, as a compiler of
//! protocol buffers would write them; nobody needs one to build the demo.
//!
//! ```proto
//! service Recommendation {
//!   rpc Suggest (Basket) returns (Suggestion);
//!   rpc Browse (Basket) returns (stream Suggestion);
//!   rpc Learn (stream Basket) returns (Suggestion);
//!   rpc Advise (stream Basket) returns (stream Suggestion);
//! }
//! ```

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use http::uri::PathAndQuery;
use tokio_stream::Stream;
use tonic::body::Body;
use tonic::{Request, Response, Status, Streaming};
use tonic_prost::ProstCodec;
use tower::{Service, service_fn};

/// What somebody buys.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct Basket {
    #[prost(uint32, repeated, tag = "1")]
    pub(super) skus: Vec<u32>,
}

/// What goes with it.
#[derive(Clone, Copy, PartialEq, prost::Message)]
pub(super) struct Suggestion {
    #[prost(uint32, tag = "1")]
    pub(super) sku: u32,
    #[prost(double, tag = "2")]
    pub(super) score: f64,
}

/// A stream of answers.
pub(super) type Suggestions = Pin<Box<dyn Stream<Item = Result<Suggestion, Status>> + Send>>;

const SUGGEST: &str = "/shop.Recommendation/Suggest";
const BROWSE: &str = "/shop.Recommendation/Browse";
const LEARN: &str = "/shop.Recommendation/Learn";
const ADVISE: &str = "/shop.Recommendation/Advise";

/// The service.
#[tonic::async_trait]
pub(super) trait Recommend: Send + Sync + 'static {
    async fn suggest(&self, request: Request<Basket>) -> Result<Response<Suggestion>, Status>;
    async fn browse(&self, request: Request<Basket>) -> Result<Response<Suggestions>, Status>;
    async fn learn(
        &self,
        request: Request<Streaming<Basket>>,
    ) -> Result<Response<Suggestion>, Status>;
    async fn advise(
        &self,
        request: Request<Streaming<Basket>>,
    ) -> Result<Response<Suggestions>, Status>;
}

/// Serves a [`Recommend`].
pub(super) struct RecommendServer<T> {
    inner: Arc<T>,
}

impl<T> RecommendServer<T> {
    pub(super) fn new(inner: T) -> Self {
        Self {
            inner: Arc::new(inner),
        }
    }
}

impl<T> Clone for RecommendServer<T> {
    fn clone(&self) -> Self {
        Self {
            inner: Arc::clone(&self.inner),
        }
    }
}

impl<T> tonic::server::NamedService for RecommendServer<T> {
    const NAME: &'static str = "shop.Recommendation";
}

type Served = Pin<Box<dyn Future<Output = Result<http::Response<Body>, Infallible>> + Send>>;

impl<T: Recommend> Service<http::Request<Body>> for RecommendServer<T> {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = Served;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Served {
        let inner = Arc::clone(&self.inner);
        Box::pin(async move {
            let mut grpc = tonic::server::Grpc::new(ProstCodec::<Suggestion, Basket>::default());
            let answer = match request.uri().path() {
                SUGGEST => {
                    let method = service_fn(|request| {
                        let inner = Arc::clone(&inner);
                        async move { inner.suggest(request).await }
                    });
                    grpc.unary(method, request).await
                }
                BROWSE => {
                    let method = service_fn(|request| {
                        let inner = Arc::clone(&inner);
                        async move { inner.browse(request).await }
                    });
                    grpc.server_streaming(method, request).await
                }
                LEARN => {
                    let method = service_fn(|request| {
                        let inner = Arc::clone(&inner);
                        async move { inner.learn(request).await }
                    });
                    grpc.client_streaming(method, request).await
                }
                ADVISE => {
                    let method = service_fn(|request| {
                        let inner = Arc::clone(&inner);
                        async move { inner.advise(request).await }
                    });
                    grpc.streaming(method, request).await
                }
                _ => Status::unimplemented("there is no such method").into_http(),
            };
            Ok(answer)
        })
    }
}

/// Calls a [`Recommend`] somewhere else.
#[derive(Clone)]
pub(super) struct RecommendClient<S> {
    inner: tonic::client::Grpc<S>,
}

impl<S> RecommendClient<S>
where
    S: tonic::client::GrpcService<Body> + Clone,
    S::ResponseBody: http_body::Body<Data = bytes::Bytes> + Send + 'static,
    <S::ResponseBody as http_body::Body>::Error: Into<BoxError> + Send,
{
    pub(super) fn new(service: S) -> Self {
        Self {
            inner: tonic::client::Grpc::new(service),
        }
    }

    async fn ready(&self) -> Result<tonic::client::Grpc<S>, Status> {
        let mut client = self.inner.clone();
        let ready = client.ready().await;
        ready.map_err(|error| Status::unavailable(error.into().to_string()))?;
        Ok(client)
    }

    pub(super) async fn suggest(&self, basket: Basket) -> Result<Suggestion, Status> {
        let mut client = self.ready().await?;
        let path = PathAndQuery::from_static(SUGGEST);
        let answer = client.unary(Request::new(basket), path, codec()).await?;
        Ok(answer.into_inner())
    }

    pub(super) async fn browse(&self, basket: Basket) -> Result<Vec<Suggestion>, Status> {
        let mut client = self.ready().await?;
        let path = PathAndQuery::from_static(BROWSE);
        let answer = client
            .server_streaming(Request::new(basket), path, codec())
            .await?;
        collect(answer.into_inner()).await
    }

    pub(super) async fn learn(&self, baskets: Vec<Basket>) -> Result<Suggestion, Status> {
        let mut client = self.ready().await?;
        let path = PathAndQuery::from_static(LEARN);
        let baskets = Request::new(tokio_stream::iter(baskets));
        Ok(client
            .client_streaming(baskets, path, codec())
            .await?
            .into_inner())
    }

    pub(super) async fn advise(&self, baskets: Vec<Basket>) -> Result<Vec<Suggestion>, Status> {
        let mut client = self.ready().await?;
        let path = PathAndQuery::from_static(ADVISE);
        let baskets = Request::new(tokio_stream::iter(baskets));
        collect(client.streaming(baskets, path, codec()).await?.into_inner()).await
    }
}

type BoxError = Box<dyn std::error::Error + Send + Sync>;

fn codec() -> ProstCodec<Basket, Suggestion> {
    ProstCodec::default()
}

async fn collect(mut stream: Streaming<Suggestion>) -> Result<Vec<Suggestion>, Status> {
    let mut suggestions = Vec::new();
    while let Some(suggestion) = stream.message().await? {
        suggestions.push(suggestion);
    }
    Ok(suggestions)
}
