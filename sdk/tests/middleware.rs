//! The middleware over real sockets: spans of both ends, all four kinds of gRPC calls, messages,
//! problem documents and bearer tokens.
#![cfg(not(loom))]
#![expect(clippy::unwrap_used, reason = "a test that cannot go on stops")]

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::future::Future;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context as TaskContext, Poll};
use std::time::Duration;

use axum::body::Body;
use axum::extract::Path;
use axum::routing::get;
use axum::{Extension, Router};
use http::{Request, Response, StatusCode};
use opentelemetry::metrics::MeterProvider;
use opentelemetry::trace::{SpanKind, Status, TraceContextExt, TracerProvider};
use opentelemetry_sdk::metrics::data::ResourceMetrics;
use opentelemetry_sdk::metrics::{InMemoryMetricExporter, SdkMeterProvider};
use opentelemetry_sdk::trace::{InMemorySpanExporter, SdkTracerProvider, SpanData};
use tokio_stream::StreamExt;
use tonic::codec::Streaming;
use tonic_prost::ProstCodec;
use tower::{Layer, Service, ServiceBuilder, ServiceExt, service_fn};
use tripline_sdk::FixedWindow;
use tripline_sdk::bearer::{BearerLayer, Denied};
use tripline_sdk::instrument::{Destination, Instrument, REQUEST_ID};
use tripline_sdk::layer::{GuardLayer, RateLimitLayer, TimeoutLayer};
use tripline_sdk::problem::{Problem, ProblemLayer};

struct Bench {
    spans: InMemorySpanExporter,
    metrics: InMemoryMetricExporter,
    meters: SdkMeterProvider,
    instrument: Instrument,
}

fn bench() -> Bench {
    let spans = InMemorySpanExporter::default();
    let tracers = SdkTracerProvider::builder()
        .with_simple_exporter(spans.clone())
        .build();
    let metrics = InMemoryMetricExporter::default();
    let meters = SdkMeterProvider::builder()
        .with_periodic_exporter(metrics.clone())
        .build();
    let instrument = Instrument::new(tracers.tracer("test"), &meters.meter("test"));
    Bench {
        spans,
        metrics,
        meters,
        instrument,
    }
}

impl Bench {
    /// The finished spans of a kind; waits for one.
    async fn finished(&self, kind: SpanKind) -> Vec<SpanData> {
        for _ in 0..500 {
            let spans = self.spans.get_finished_spans().unwrap();
            let of_kind: Vec<_> = spans
                .into_iter()
                .filter(|span| span.span_kind == kind)
                .collect();
            if !of_kind.is_empty() {
                return of_kind;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("no span of kind {kind:?} ended");
    }

    async fn only(&self, kind: SpanKind) -> SpanData {
        let mut spans = self.finished(kind).await;
        assert_eq!(spans.len(), 1, "{spans:?}");
        spans.remove(0)
    }

    fn metric_names(&self) -> Vec<String> {
        self.meters.force_flush().unwrap();
        let collected = self.metrics.get_finished_metrics().unwrap();
        let scopes = collected.iter().flat_map(ResourceMetrics::scope_metrics);
        scopes
            .flat_map(|scope| scope.metrics().map(|metric| metric.name().to_owned()))
            .collect()
    }
}

fn attributes(span: &SpanData) -> BTreeMap<String, String> {
    let pairs = span.attributes.iter();
    pairs
        .map(|pair| (pair.key.to_string(), pair.value.to_string()))
        .collect()
}

fn has(span: &SpanData, expected: &[(&str, &str)]) {
    let found = attributes(span);
    for (key, value) in expected {
        assert_eq!(
            found.get(*key).map(String::as_str),
            Some(*value),
            "{key} of {found:?}"
        );
    }
}

async fn serve(app: Router) -> SocketAddr {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, app).await });
    address
}

/// A client of ours over hyper.
async fn fetch(bench: &Bench, request: Request<Body>) -> Response<String> {
    let transport =
        hyper_util::client::legacy::Client::builder(hyper_util::rt::TokioExecutor::new())
            .build_http::<Body>();
    let client = bench.instrument.client().peer("shop").layer(transport);
    let response = client.oneshot(request).await.unwrap();
    let (parts, body) = response.into_parts();
    let bytes = http_body_util::BodyExt::collect(body)
        .await
        .unwrap()
        .to_bytes();
    Response::from_parts(parts, String::from_utf8(bytes.to_vec()).unwrap())
}

fn to(address: SocketAddr, path: &str) -> Request<Body> {
    Request::get(format!("http://{address}{path}"))
        .body(Body::empty())
        .unwrap()
}

#[tokio::test]
async fn both_ends_of_an_http_call_are_one_trace() {
    let bench = bench();
    let handler = async |Path(sku): Path<u32>| format!("{sku} in stock");
    let app = Router::new()
        .route("/stock/{sku}", get(handler))
        .layer(bench.instrument.server());
    let address = serve(app).await;
    let answer = fetch(&bench, to(address, "/stock/7?sig=secret&a=1")).await;
    assert_eq!(answer.body(), "7 in stock");

    let (client, server) = (
        bench.only(SpanKind::Client).await,
        bench.only(SpanKind::Server).await,
    );
    assert_eq!(server.parent_span_id, client.span_context.span_id());
    assert!(server.parent_span_is_remote);
    let trace_id = client.span_context.trace_id().to_string();
    assert_eq!(answer.headers()[REQUEST_ID], trace_id.as_str());
    assert_eq!((&*client.name, &*server.name), ("GET", "GET /stock/{sku}"));
    let port = address.port().to_string();
    has(
        &server,
        &[
            ("http.request.method", "GET"),
            ("http.route", "/stock/{sku}"),
            ("url.path", "/stock/7"),
            ("url.query", "sig=REDACTED&a=1"),
            ("url.scheme", "http"),
            ("server.address", "127.0.0.1"),
            ("server.port", &port),
            ("network.protocol.version", "1.1"),
            ("http.response.status_code", "200"),
        ],
    );
    has(
        &client,
        &[
            ("http.request.method", "GET"),
            (
                "url.full",
                &format!("http://{address}/stock/7?sig=REDACTED&a=1"),
            ),
            ("server.port", &port),
            ("service.peer.name", "shop"),
            ("http.response.status_code", "200"),
        ],
    );
    assert_eq!(
        (client.status, server.status),
        (Status::Unset, Status::Unset)
    );
    let metrics = bench.metric_names();
    for name in [
        "http.server.request.duration",
        "http.client.request.duration",
        "http.server.active_requests",
    ] {
        assert!(metrics.contains(&name.to_owned()), "{name}");
    }
}

#[tokio::test]
async fn a_missing_page_is_the_clients_error_a_crash_is_the_servers() {
    let bench = bench();
    let app = Router::new()
        .route("/missing", get(async || StatusCode::NOT_FOUND))
        .route("/broken", get(async || StatusCode::BAD_GATEWAY))
        .layer(bench.instrument.server());
    let address = serve(app).await;
    for (path, server_fails) in [("/missing", false), ("/broken", true)] {
        bench.spans.reset();
        fetch(&bench, to(address, path)).await;
        let client = bench.only(SpanKind::Client).await;
        let server = bench.only(SpanKind::Server).await;
        assert!(matches!(client.status, Status::Error { .. }), "{path}");
        assert_eq!(
            matches!(server.status, Status::Error { .. }),
            server_fails,
            "{path}"
        );
        assert_eq!(attributes(&server).contains_key("error.type"), server_fails);
        assert!(attributes(&client).contains_key("error.type"));
    }
}

#[tokio::test]
async fn a_call_that_cannot_connect_and_one_nobody_waits_for_are_told_apart() {
    let bench = bench();
    let nobody = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let transport =
        hyper_util::client::legacy::Client::builder(hyper_util::rt::TokioExecutor::new())
            .build_http::<Body>();
    let client = bench.instrument.client().layer(transport);
    client.clone().oneshot(to(nobody, "/")).await.unwrap_err();
    let span = bench.only(SpanKind::Client).await;
    assert!(
        attributes(&span)["error.type"].contains("Error"),
        "the type of the error"
    );

    bench.spans.reset();
    let app = Router::new()
        .route("/hangs", get(std::future::pending::<()>))
        .layer(bench.instrument.server());
    let address = serve(app).await;
    let waiting = client.oneshot(to(address, "/hangs"));
    tokio::time::timeout(Duration::from_millis(200), waiting)
        .await
        .unwrap_err();
    has(
        &bench.only(SpanKind::Client).await,
        &[("error.type", "cancelled")],
    );
    has(
        &bench.only(SpanKind::Server).await,
        &[("error.type", "cancelled")],
    );
}

#[tokio::test]
async fn a_stream_is_a_span_as_long_as_it_streams() {
    let bench = bench();
    let lines = async || {
        let (sender, receiver) = tokio::sync::mpsc::channel::<Result<String, Infallible>>(1);
        tokio::spawn(async move {
            for line in 0..3 {
                tokio::time::sleep(Duration::from_millis(30)).await;
                sender.send(Ok(format!("{line}\n"))).await.unwrap();
            }
        });
        Body::from_stream(tokio_stream::wrappers::ReceiverStream::new(receiver))
    };
    let app = Router::new()
        .route("/lines", get(lines))
        .layer(bench.instrument.server());
    let answer = fetch(&bench, to(serve(app).await, "/lines")).await;
    assert_eq!(answer.body(), "0\n1\n2\n");
    let server = bench.only(SpanKind::Server).await;
    let lasted = server.end_time.duration_since(server.start_time).unwrap();
    assert!(lasted >= Duration::from_millis(90), "{lasted:?}");
}

#[tokio::test]
async fn refusals_are_problem_documents_with_the_trace() {
    let bench = bench();
    let once = FixedWindow::new(1, Duration::from_secs(60));
    let guarded = ServiceBuilder::new()
        .layer(bench.instrument.server())
        .layer(ProblemLayer)
        .layer(RateLimitLayer::new(once))
        .layer(TimeoutLayer::new(Duration::from_millis(50)))
        .layer(GuardLayer);
    let app = Router::new()
        .route("/hangs", get(std::future::pending::<()>))
        .layer(guarded);
    let address = serve(app).await;
    for (status, code) in [(504, "timeout"), (429, "rate_limited")] {
        bench.spans.reset();
        let answer = fetch(&bench, to(address, "/hangs")).await;
        assert_eq!(answer.status(), status);
        assert_eq!(answer.headers()["content-type"], "application/problem+json");
        assert_eq!(answer.headers().contains_key("retry-after"), status == 429);
        let document: BTreeMap<String, serde_json::Value> =
            serde_json::from_str(answer.body()).unwrap();
        assert_eq!(
            document.keys().map(String::as_str).collect::<Vec<_>>(),
            ["code", "message", "timestamp", "traceId"]
        );
        assert_eq!(document["code"], code);
        let server = bench.only(SpanKind::Server).await;
        assert_eq!(
            document["traceId"],
            server.span_context.trace_id().to_string()
        );
        has(
            &server,
            &[("http.response.status_code", &status.to_string())],
        );
    }
}

#[tokio::test]
async fn handlers_answer_with_problems_of_their_own() {
    let handler = async || Err::<(), _>(Problem::new(StatusCode::CONFLICT, "sold_out", "gone"));
    let address = serve(Router::new().route("/", get(handler))).await;
    let answer = fetch(&bench(), to(address, "/")).await;
    assert_eq!(answer.status(), 409);
    assert!(
        answer.body().contains(r#""traceId":null"#),
        "there is no server span here"
    );
}

#[derive(Clone)]
struct Claims(String);

#[tokio::test]
async fn only_a_valid_bearer_token_opens_the_door() {
    let validate = |token: &str| match token {
        "good" => Ok(Claims("ann".into())),
        "weak" => Err(Denied::Forbidden),
        _ => Err(Denied::Invalid),
    };
    let app = Router::new()
        .route(
            "/me",
            get(async |Extension(Claims(name)): Extension<Claims>| name),
        )
        .layer(BearerLayer::new(validate));
    let address = serve(app).await;
    let long = format!("Bearer {}", "a".repeat(9000));
    for (headers, status, challenge) in [
        (&["bearer good"][..], 200, None),
        (&["Bearer  good"], 200, None),
        (&[], 401, Some("Bearer")),
        (&["Basic good"], 401, Some("Bearer")),
        (
            &["Bearer bad"],
            401,
            Some(r#"Bearer error="invalid_token""#),
        ),
        (
            &["Bearer weak"],
            403,
            Some(r#"Bearer error="insufficient_scope""#),
        ),
        (
            &["Bearer good", "Bearer good"],
            400,
            Some(r#"Bearer error="invalid_request""#),
        ),
        (
            &["Bearer go od"],
            400,
            Some(r#"Bearer error="invalid_request""#),
        ),
        (&["Bearer "], 400, Some(r#"Bearer error="invalid_request""#)),
        (
            &[long.as_str()],
            400,
            Some(r#"Bearer error="invalid_request""#),
        ),
    ] {
        let mut request = to(address, "/me");
        for value in headers {
            request
                .headers_mut()
                .append("authorization", value.parse().unwrap());
        }
        let answer = fetch(&bench(), request).await;
        assert_eq!(answer.status(), status, "{headers:?}");
        let told = answer
            .headers()
            .get("www-authenticate")
            .map(|value| value.to_str().unwrap());
        assert_eq!(told, challenge, "{headers:?}");
    }
}

#[tokio::test]
async fn a_message_carries_its_trace_from_producer_to_consumer() {
    let bench = bench();
    let parcels = Destination {
        system: "kafka",
        name: "parcels",
    };
    let mut headers: Vec<(String, Vec<u8>)> = Vec::new();
    bench.instrument.send(parcels, &mut headers).span().end();
    bench.instrument.process(parcels, &headers).span().end();
    let sent = bench.only(SpanKind::Producer).await;
    let processed = bench.only(SpanKind::Consumer).await;
    assert_eq!(processed.parent_span_id, sent.span_context.span_id());
    assert_eq!(
        processed.links.links[0].span_context.span_id(),
        sent.span_context.span_id()
    );
    assert_eq!(
        (&*sent.name, &*processed.name),
        ("send parcels", "process parcels")
    );
    has(
        &processed,
        &[
            ("messaging.system", "kafka"),
            ("messaging.operation.type", "process"),
        ],
    );
}

/// The message of the service below.
#[derive(Clone, PartialEq, prost::Message)]
struct Number {
    #[prost(int64, tag = "1")]
    value: i64,
}

/// A gRPC service as protoc would write it, with one method of each kind.
#[derive(Clone)]
struct Adder;

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
