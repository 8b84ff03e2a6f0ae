//! Transport and endpoints (T01-T10).

use opentelemetry_proto::tonic::collector::logs::v1::logs_service_client::LogsServiceClient;
use opentelemetry_proto::tonic::collector::metrics::v1::metrics_service_client::MetricsServiceClient;
use opentelemetry_proto::tonic::collector::trace::v1::trace_service_client::TraceServiceClient;
use prost::Message as _;
use tonic::transport::Channel;
use tripline_collector::config::Config;
use tripline_collector::receive::{Listener, ReceiveConfig, Receiver, Sink, serve_http};

use super::payload::{logs, metrics, traces, traces_json, traces_protobuf};
use super::server::{start, start_with};
use super::wire::{self, JSON, PROTOBUF, frame, post, request, send};

async fn channel(to: std::net::SocketAddr) -> Channel {
    Channel::from_shared(format!("http://{to}"))
        .unwrap()
        .connect()
        .await
        .expect("connects")
}

#[test]
fn t01_the_shipped_endpoints_are_local_and_on_the_ports_of_the_specification() {
    let config = Config::default();
    assert_eq!(config.otlp_grpc, "127.0.0.1:4317");
    assert_eq!(config.otlp_http, "127.0.0.1:4318");
}

#[tokio::test]
async fn t02_grpc_takes_all_three_signals_and_commits_them() {
    let server = start().await;
    let channel = channel(server.grpc).await;
    let traced = TraceServiceClient::new(channel.clone())
        .export(traces(3))
        .await
        .unwrap();
    let measured = MetricsServiceClient::new(channel.clone())
        .export(metrics(2))
        .await
        .unwrap();
    let logged = LogsServiceClient::new(channel)
        .export(logs(4))
        .await
        .unwrap();
    assert_eq!(traced.into_inner().partial_success, None);
    assert_eq!(measured.into_inner().partial_success, None);
    assert_eq!(logged.into_inner().partial_success, None);
    assert_eq!(server.stored.batches(), [3, 2, 4]);
    for line in [
        "otelcol_receiver_accepted_spans{receiver=\"otlp\",transport=\"grpc\"} 3",
        "otelcol_receiver_accepted_metric_points{receiver=\"otlp\",transport=\"grpc\"} 2",
        "otelcol_receiver_accepted_log_records{receiver=\"otlp\",transport=\"grpc\"} 4",
        "tripline_receiver_bytes_in_flight 0",
    ] {
        assert!(server.metrics().contains(line), "{line}");
    }
}

#[tokio::test]
async fn t03_a_signal_not_served_is_unimplemented_and_404() {
    let server = start().await;
    let profiles = "/opentelemetry.proto.collector.profiles.v1development.ProfilesService/Export";
    let (code, ..) = wire::grpc(server.grpc, profiles, &[], frame(0, b"")).await;
    assert_eq!(code, Some(12));
    for media in [JSON, PROTOBUF] {
        let answer = send(server.http, "/v1development/profiles", media, b"{}").await;
        assert_eq!(answer.status, 404);
        assert_eq!(answer.rpc_status().0, 12);
    }
}

#[tokio::test]
async fn t04_http_takes_all_three_signals_at_their_paths() {
    let server = start().await;
    for (path, body) in [
        ("/v1/traces", traces(3).encode_to_vec()),
        ("/v1/metrics", metrics(2).encode_to_vec()),
        ("/v1/logs", logs(4).encode_to_vec()),
    ] {
        let answer = send(server.http, path, PROTOBUF, &body).await;
        assert_eq!((answer.status, answer.body.len()), (200, 0), "{path}");
    }
    assert_eq!(server.stored.batches(), [3, 2, 4]);

    let moved = start_with(|config| config.http.traces_path = "otlp/t".into()).await;
    assert_eq!(send(moved.http, "/otlp/t", JSON, b"{}").await.status, 200);
    assert_eq!(
        send(moved.http, "/v1/traces", JSON, b"{}").await.status,
        404
    );
}

#[tokio::test]
async fn t05_http_1_and_http_2_without_tls_are_both_taken() {
    let server = start().await;
    let answer = send(server.http, "/v1/traces", PROTOBUF, &traces_protobuf(1)).await;
    assert_eq!(answer.status, 200);
    let client = reqwest::Client::builder()
        .http2_prior_knowledge()
        .build()
        .unwrap();
    let answer = client
        .post(format!("http://{}/v1/traces", server.http))
        .header("content-type", PROTOBUF)
        .body(traces_protobuf(2))
        .send()
        .await
        .unwrap();
    assert_eq!(
        (answer.status().as_u16(), answer.version()),
        (200, reqwest::Version::HTTP_2)
    );
    assert_eq!(server.stored.batches(), [1, 2]);
}

#[tokio::test]
async fn t06_both_encodings_and_grpc_share_a_port() {
    let server = start().await;
    let http = server.http;
    assert_eq!(
        send(http, "/v1/traces", JSON, traces_json(1).as_bytes())
            .await
            .status,
        200
    );
    assert_eq!(
        send(http, "/v1/traces", PROTOBUF, &traces_protobuf(2))
            .await
            .status,
        200
    );
    TraceServiceClient::new(channel(http).await)
        .export(traces(3))
        .await
        .unwrap();
    assert_eq!(
        send(server.grpc, "/v1/traces", JSON, traces_json(4).as_bytes())
            .await
            .status,
        200
    );
    assert_eq!(server.stored.batches(), [1, 2, 3, 4]);
}

#[tokio::test]
async fn t07_another_method_is_405_with_a_status_in_the_requests_encoding() {
    let server = start().await;
    for method in ["GET", "PUT", "DELETE", "OPTIONS", "PATCH"] {
        for (headers, media) in [
            (&[][..], JSON),
            (&[("content-type", JSON)][..], JSON),
            (&[("content-type", PROTOBUF)][..], PROTOBUF),
        ] {
            let answer = request(server.http, method, "/v1/logs", headers, b"").await;
            assert_eq!(
                (answer.status, answer.header("content-type")),
                (405, Some(media)),
                "{method}"
            );
            assert_eq!(answer.header("allow"), Some("POST"));
            assert_eq!(
                answer.rpc_status().1,
                "405 method not allowed, supported: [POST]"
            );
        }
    }
}

#[tokio::test]
async fn t08_content_types_are_read_as_http_says_and_unknown_ones_are_415() {
    let server = start().await;
    let json = traces_json(1).into_bytes();
    for good in [
        "application/json",
        "application/json; charset=utf-8",
        "APPLICATION/JSON",
        "application/json;x=1",
    ] {
        assert_eq!(
            send(server.http, "/v1/traces", good, &json).await.status,
            200,
            "{good}"
        );
    }
    assert_eq!(server.stored.batches(), [1, 1, 1, 1]);
    for bad in [
        "text/plain",
        "application/x-protobufs",
        "application/xml",
        ";",
        "application/protobuf+json",
    ] {
        let answer = send(server.http, "/v1/traces", bad, &json).await;
        assert_eq!(
            (answer.status, answer.header("content-type")),
            (415, Some(JSON)),
            "{bad}"
        );
        let (_, message, _) = answer.rpc_status();
        assert!(
            message.contains(JSON) && message.contains(PROTOBUF),
            "{message}"
        );
    }
    assert_eq!(
        post(server.http, "/v1/traces", &[], &json).await.status,
        415
    );
}

#[tokio::test]
async fn t09_an_answer_has_the_media_type_of_its_request() {
    let server = start().await;
    for (sent, expected) in [
        ("application/json; charset=utf-8", JSON),
        ("Application/X-Protobuf", PROTOBUF),
    ] {
        let good = send(
            server.http,
            "/v1/traces",
            sent,
            if expected == JSON { b"{}" } else { b"" },
        )
        .await;
        let bad = send(server.http, "/v1/traces", sent, b"\xff\xff\xff").await;
        assert_eq!(
            (good.status, good.header("content-type")),
            (200, Some(expected))
        );
        assert_eq!(
            (bad.status, bad.header("content-type")),
            (400, Some(expected))
        );
    }
}

#[tokio::test]
async fn t10_a_unix_socket_serves_and_a_port_in_use_is_an_error() {
    let directory = tempfile::tempdir().unwrap();
    let endpoint = format!("unix:{}", directory.path().join("otlp.sock").display());
    let path = directory.path().join("otlp.sock");
    // What a crashed process leaves behind is no obstacle.
    drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
    let listener = Listener::bind(&endpoint).await.unwrap();
    assert_eq!(listener.address().unwrap(), endpoint);
    assert!(
        Listener::bind(&endpoint).await.is_err(),
        "a socket in use is not taken over"
    );
    let receiver =
        Receiver::new(ReceiveConfig::default(), Sink::new(|_| async { Ok(()) })).unwrap();
    let serving = tokio::spawn(serve_http(
        listener,
        receiver.clone(),
        std::future::pending(),
    ));
    let stream = tokio::net::UnixStream::connect(&path).await.unwrap();
    let body = traces_protobuf(5);
    let headers = [("content-type", PROTOBUF)];
    let answer = wire::converse(stream, "POST", "/v1/traces", &headers, &body).await;
    assert_eq!(
        (answer.status, receiver.counters().accepted("traces")),
        (200, 5)
    );
    serving.abort();

    let server = start().await;
    let error = Listener::bind(&server.http.to_string())
        .await
        .err()
        .expect("the port is in use");
    assert_eq!(error.kind(), std::io::ErrorKind::AddrInUse);
}
