//! All four kinds of gRPC calls, told at both ends.

use std::net::SocketAddr;

use opentelemetry::trace::{SpanKind, Status};
use opentelemetry_sdk::trace::SpanData;
use tonic::codec::Streaming;
use tonic_prost::ProstCodec;
use tower::Layer;

use super::adder::{Adder, Number};
use super::bench::{Bench, attributes, bench, has};

struct Rpc {
    bench: Bench,
    address: SocketAddr,
}

impl Rpc {
    async fn start() -> Self {
        let bench = bench();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let server = tonic::transport::Server::builder()
            .layer(bench.instrument.server())
            .add_service(Adder);
        let incoming = tokio_stream::wrappers::TcpListenerStream::new(listener);
        tokio::spawn(server.serve_with_incoming(incoming));
        Self { bench, address }
    }

    async fn client(
        &self,
    ) -> tonic::client::Grpc<tripline_sdk::instrument::ClientService<tonic::transport::Channel>>
    {
        let endpoint = tonic::transport::Endpoint::from_shared(format!("http://{}", self.address));
        let channel = endpoint.unwrap().connect().await.unwrap();
        let layer = self.bench.instrument.client().peer("adder");
        let layer = layer.address("127.0.0.1", self.address.port());
        let mut client = tonic::client::Grpc::new(layer.layer(channel));
        client.ready().await.unwrap();
        client
    }

    /// Both ends' spans of the one call, checked for what every call has.
    async fn told(&self, method: &str, status: &str) -> (SpanData, SpanData) {
        let client = self.bench.only(SpanKind::Client).await;
        let server = self.bench.only(SpanKind::Server).await;
        assert_eq!(server.parent_span_id, client.span_context.span_id());
        for span in [&client, &server] {
            assert_eq!(span.name, method);
            let expected = [
                ("rpc.system.name", "grpc"),
                ("rpc.method", method),
                ("rpc.response.status_code", status),
            ];
            has(span, &expected);
        }
        has(
            &client,
            &[
                ("server.address", "127.0.0.1"),
                ("service.peer.name", "adder"),
            ],
        );
        (client, server)
    }
}

fn path(method: &'static str) -> http::uri::PathAndQuery {
    http::uri::PathAndQuery::from_static(method)
}

fn codec() -> ProstCodec<Number, Number> {
    ProstCodec::default()
}

fn three() -> impl tokio_stream::Stream<Item = Number> {
    tokio_stream::iter([1, 2, 3].map(|value| Number { value }))
}

async fn all(mut stream: Streaming<Number>) -> Result<Vec<i64>, tonic::Status> {
    let mut values = Vec::new();
    while let Some(number) = stream.message().await? {
        values.push(number.value);
    }
    Ok(values)
}

#[tokio::test]
async fn a_unary_call_is_told_at_both_ends() {
    let rpc = Rpc::start().await;
    let request = tonic::Request::new(Number { value: 6 });
    let answer = rpc
        .client()
        .await
        .unary(request, path("/shop.Adder/Next"), codec())
        .await;
    assert_eq!(answer.unwrap().into_inner().value, 7);
    rpc.told("shop.Adder/Next", "OK").await;
    let metrics = rpc.bench.metric_names();
    assert!(metrics.contains(&"rpc.server.call.duration".to_owned()));
    assert!(metrics.contains(&"rpc.client.call.duration".to_owned()));
}

#[tokio::test]
async fn a_bad_argument_is_the_clients_error_an_internal_one_is_the_servers() {
    for (value, status, server_fails) in [(0, "INVALID_ARGUMENT", false), (-1, "INTERNAL", true)] {
        let rpc = Rpc::start().await;
        let request = tonic::Request::new(Number { value });
        let answer = rpc
            .client()
            .await
            .unary(request, path("/shop.Adder/Next"), codec())
            .await;
        let error = answer.unwrap_err();
        let (client, server) = rpc.told("shop.Adder/Next", status).await;
        assert!(matches!(client.status, Status::Error { .. }));
        assert_eq!(matches!(server.status, Status::Error { .. }), server_fails);
        if server_fails {
            let trace = server.span_context.trace_id().to_string();
            assert_eq!(error.metadata().get("trace-id").unwrap(), trace.as_str());
        }
    }
}

#[tokio::test]
async fn a_server_stream_ends_with_the_status_of_its_trailers() {
    for (last, status) in [(3, "OK"), (10, "DATA_LOSS")] {
        let rpc = Rpc::start().await;
        let request = tonic::Request::new(Number { value: last });
        let mut client = rpc.client().await;
        let answer = client
            .server_streaming(request, path("/shop.Adder/Count"), codec())
            .await;
        let counted = all(answer.unwrap().into_inner()).await;
        assert_eq!(counted.is_ok(), status == "OK");
        rpc.told("shop.Adder/Count", status).await;
    }
}

#[tokio::test]
async fn a_stream_the_client_leaves_is_cancelled() {
    let rpc = Rpc::start().await;
    let request = tonic::Request::new(Number { value: 9 });
    let mut client = rpc.client().await;
    let answer = client
        .server_streaming(request, path("/shop.Adder/Count"), codec())
        .await;
    drop(answer.unwrap());
    has(
        &rpc.bench.only(SpanKind::Client).await,
        &[("rpc.response.status_code", "CANCELLED")],
    );
}

#[tokio::test]
async fn a_client_stream_is_told_at_both_ends() {
    let rpc = Rpc::start().await;
    let request = tonic::Request::new(three());
    let answer = rpc
        .client()
        .await
        .client_streaming(request, path("/shop.Adder/Sum"), codec())
        .await;
    assert_eq!(answer.unwrap().into_inner().value, 6);
    rpc.told("shop.Adder/Sum", "OK").await;
}

#[tokio::test]
async fn a_stream_both_ways_is_told_at_both_ends() {
    let rpc = Rpc::start().await;
    let request = tonic::Request::new(three());
    let answer = rpc
        .client()
        .await
        .streaming(request, path("/shop.Adder/Totals"), codec())
        .await;
    assert_eq!(all(answer.unwrap().into_inner()).await.unwrap(), [1, 3, 6]);
    rpc.told("shop.Adder/Totals", "OK").await;
}

#[tokio::test]
async fn a_server_that_is_not_there_is_unavailable() {
    let bench = bench();
    let nobody = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let endpoint = tonic::transport::Endpoint::from_shared(format!("http://{nobody}")).unwrap();
    let channel = bench.instrument.client().layer(endpoint.connect_lazy());
    let mut client = tonic::client::Grpc::new(channel);
    client.ready().await.unwrap();
    let request = tonic::Request::new(Number { value: 1 });
    client
        .unary(request, path("/shop.Adder/Next"), codec())
        .await
        .unwrap_err();
    let span = bench.only(SpanKind::Client).await;
    has(&span, &[("rpc.response.status_code", "UNAVAILABLE")]);
    assert!(attributes(&span).contains_key("error.type"));
}
