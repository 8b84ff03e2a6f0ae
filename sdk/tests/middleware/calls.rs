//! HTTP calls: both ends of one trace, whose error it is, how long a stream lasts.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::Path;
use axum::routing::get;
use http::{Request, Response, StatusCode};
use opentelemetry::trace::{SpanKind, Status};
use tower::{Layer, ServiceExt};
use tripline_sdk::instrument::REQUEST_ID;

use super::bench::{Bench, attributes, bench, has};

pub(super) async fn serve(app: Router) -> SocketAddr {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, app).await });
    address
}

/// A client of ours over hyper.
pub(super) async fn fetch(bench: &Bench, request: Request<Body>) -> Response<String> {
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

pub(super) fn to(address: SocketAddr, path: &str) -> Request<Body> {
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
