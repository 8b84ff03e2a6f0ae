//! A gRPC service as protoc would write it, with one method of each kind.

use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context as TaskContext, Poll};

use http::{Request, Response};
use tokio_stream::StreamExt;
use tonic::codec::Streaming;
use tonic_prost::ProstCodec;
use tower::{Service, service_fn};
use tripline_sdk::problem::Problem;

/// Its message.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct Number {
    #[prost(int64, tag = "1")]
    pub(super) value: i64,
}

#[derive(Clone)]
pub(super) struct Adder;

impl tonic::server::NamedService for Adder {
    const NAME: &'static str = "shop.Adder";
}

type Answer = Response<tonic::body::Body>;

impl Service<Request<tonic::body::Body>> for Adder {
    type Response = Answer;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Answer, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut TaskContext<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<tonic::body::Body>) -> Self::Future {
        Box::pin(async move {
            let mut grpc = tonic::server::Grpc::new(ProstCodec::<Number, Number>::default());
            Ok(match request.uri().path() {
                "/shop.Adder/Next" => grpc.unary(service_fn(next), request).await,
                "/shop.Adder/Count" => grpc.server_streaming(service_fn(count), request).await,
                "/shop.Adder/Sum" => grpc.client_streaming(service_fn(sum), request).await,
                "/shop.Adder/Totals" => grpc.streaming(service_fn(totals), request).await,
                _ => tonic::Status::unimplemented("no such method").into_http(),
            })
        })
    }
}

type Numbers = Pin<Box<dyn tokio_stream::Stream<Item = Result<Number, tonic::Status>> + Send>>;

async fn next(request: tonic::Request<Number>) -> Result<tonic::Response<Number>, tonic::Status> {
    match request.get_ref().value {
        0 => Err(tonic::Status::invalid_argument("zero")),
        -1 => Err(Problem::internal().into()),
        value => Ok(tonic::Response::new(Number { value: value + 1 })),
    }
}

async fn count(request: tonic::Request<Number>) -> Result<tonic::Response<Numbers>, tonic::Status> {
    let last = request.get_ref().value;
    let numbers = (1..=last).map(|value| Ok(Number { value }));
    let failure = (last > 9).then(|| Err(tonic::Status::data_loss("fingers ran out")));
    Ok(tonic::Response::new(Box::pin(tokio_stream::iter(
        numbers.chain(failure),
    ))))
}

async fn sum(
    request: tonic::Request<Streaming<Number>>,
) -> Result<tonic::Response<Number>, tonic::Status> {
    let mut stream = request.into_inner();
    let mut value = 0;
    while let Some(number) = stream.next().await {
        value += number?.value;
    }
    Ok(tonic::Response::new(Number { value }))
}

async fn totals(
    request: tonic::Request<Streaming<Number>>,
) -> Result<tonic::Response<Numbers>, tonic::Status> {
    let mut value = 0;
    let totals = request.into_inner().map(move |number| {
        value += number?.value;
        Ok(Number { value })
    });
    Ok(tonic::Response::new(Box::pin(totals)))
}
