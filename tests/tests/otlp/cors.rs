//! Pages of others that send telemetry: CORS, gRPC-web and beacons (B01-B04).

use tripline_collector::receive::{CredentialConfig, ReceiveConfig, Secret};

use super::payload::{traces_json, traces_protobuf};
use super::server::{start, start_with};
use super::wire::{JSON, TRACE_EXPORT, frame, post, request};

fn open_to_our_pages(config: &mut ReceiveConfig) {
    config.cors.allowed_origins = vec!["https://*.example.com".into()];
    config.cors.allowed_headers = vec!["x-tenant".into()];
    config.auth.credentials = vec![CredentialConfig {
        bearer: Some(Secret::new("all")),
        ..Default::default()
    }];
}

#[tokio::test]
async fn b01_cors_is_off_by_default() {
    let server = start().await;
    let headers = [
        ("origin", "https://a.example.com"),
        ("access-control-request-method", "POST"),
    ];
    let preflight = request(server.http, "OPTIONS", "/v1/traces", &headers, b"").await;
    assert_eq!(preflight.status, 405);
    assert_eq!(preflight.header("access-control-allow-origin"), None);
}

#[tokio::test]
async fn b01_b02_a_preflight_is_answered_before_authentication_and_echoes_the_origin() {
    let server = start_with(open_to_our_pages).await;
    for address in [server.http, server.grpc] {
        let headers = [
            ("origin", "https://shop.example.com"),
            ("access-control-request-method", "POST"),
            (
                "access-control-request-headers",
                "content-type,authorization,traceparent,x-tenant",
            ),
        ];
        let preflight = request(address, "OPTIONS", "/v1/traces", &headers, b"").await;
        assert_eq!(preflight.status, 200);
        assert_eq!(
            preflight.header("access-control-allow-origin"),
            Some("https://shop.example.com")
        );
        assert_eq!(preflight.header("access-control-max-age"), Some("7200"));
        let allowed = preflight
            .header("access-control-allow-headers")
            .unwrap()
            .to_ascii_lowercase();
        for needed in [
            "content-type",
            "traceparent",
            "tracestate",
            "baggage",
            "authorization",
            "x-tenant",
        ] {
            assert!(allowed.contains(needed), "{needed} in {allowed}");
        }
    }
    let stranger = [
        ("origin", "https://evil.test"),
        ("access-control-request-method", "POST"),
    ];
    let preflight = request(server.http, "OPTIONS", "/v1/traces", &stranger, b"").await;
    assert_eq!(preflight.header("access-control-allow-origin"), None);
}

#[tokio::test]
async fn b01_a_refused_request_from_an_allowed_page_can_be_read_by_it() {
    let server = start_with(open_to_our_pages).await;
    let headers = [
        ("origin", "https://shop.example.com"),
        ("content-type", JSON),
    ];
    let refused = post(server.http, "/v1/traces", &headers, b"{}").await;
    assert_eq!(refused.status, 401);
    assert_eq!(
        refused.header("access-control-allow-origin"),
        Some("https://shop.example.com")
    );
    let allowed = [headers[0], headers[1], ("authorization", "Bearer all")];
    let answer = post(
        server.http,
        "/v1/traces",
        &allowed,
        traces_json(1).as_bytes(),
    )
    .await;
    assert_eq!((answer.status, server.stored.items()), (200, 1));
}

#[tokio::test]
async fn b03_grpc_web_works_over_http_1_with_its_trailers_in_the_body() {
    let server = start().await;
    let framed = frame(0, &traces_protobuf(2));
    for address in [server.grpc, server.http] {
        let headers = [
            ("content-type", "application/grpc-web+proto"),
            ("x-grpc-web", "1"),
        ];
        let answer = post(address, TRACE_EXPORT, &headers, &framed).await;
        assert_eq!(answer.status, 200);
        assert!(
            answer
                .header("content-type")
                .unwrap()
                .starts_with("application/grpc-web")
        );
        assert!(
            answer.text().contains("grpc-status:0"),
            "{:?}",
            answer.text()
        );
    }
    let headers = [("content-type", "application/grpc-web+proto")];
    let broken = post(server.grpc, TRACE_EXPORT, &headers, &frame(0, b"\xff\xff")).await;
    assert!(
        broken.header("grpc-status") == Some("3") || broken.text().contains("grpc-status:3"),
        "{broken:?}"
    );
    for address in [server.grpc, server.http] {
        let headers = [("content-type", "application/grpc-web+json")];
        let answer = post(address, TRACE_EXPORT, &headers, b"{}").await;
        assert_eq!((answer.status, answer.rpc_status().0), (415, 3));
        assert_eq!(answer.header("grpc-status"), Some("3"), "{answer:?}");
        assert!(answer.text().contains("application/grpc-web+proto"));
    }
    assert_eq!(server.stored.batches(), [2, 2]);
    // gRPC itself needs HTTP/2.
    let plain = post(
        server.grpc,
        TRACE_EXPORT,
        &[("content-type", "application/grpc")],
        &framed,
    )
    .await;
    assert_eq!(plain.status, 415);
}

#[tokio::test]
async fn b04_a_beacon_as_text_plain_is_415() {
    let server = start().await;
    let headers = [("content-type", "text/plain;charset=UTF-8")];
    let answer = post(
        server.http,
        "/v1/traces",
        &headers,
        traces_json(1).as_bytes(),
    )
    .await;
    assert_eq!((answer.status, answer.rpc_status().0), (415, 3));
}
