//! Who may send (A01-A03).

use opentelemetry_proto::tonic::collector::trace::v1::trace_service_client::TraceServiceClient;
use tonic::Code;
use tonic::metadata::MetadataValue;
use tripline_collector::receive::{CredentialConfig, ReceiveConfig, Secret};

use super::payload::{traces, traces_json, traces_protobuf};
use super::server::start_with;
use super::wire::{JSON, PROTOBUF, post};

fn guarded(config: &mut ReceiveConfig) {
    config.auth.query_parameter = Some("token".into());
    config.auth.credentials = vec![
        CredentialConfig {
            bearer: Some(Secret::new("all")),
            ..Default::default()
        },
        CredentialConfig {
            bearer: Some(Secret::new("only-logs")),
            signals: vec!["logs".into()],
            ..Default::default()
        },
        CredentialConfig {
            username: Some("user".into()),
            password: Some(Secret::new("pass")),
            ..Default::default()
        },
        CredentialConfig {
            header: Some("x-api-key".into()),
            value: Some(Secret::new("key")),
            ..Default::default()
        },
    ];
}

#[tokio::test]
async fn a01_http_checks_bearer_basic_and_header_credentials() {
    let server = start_with(guarded).await;
    let json = traces_json(1).into_bytes();
    for (name, value, status, code) in [
        ("authorization", "Bearer all", 200, 0),
        ("authorization", "Basic dXNlcjpwYXNz", 200, 0),
        ("x-api-key", "key", 200, 0),
        ("authorization", "Bearer only-logs", 403, 7),
        ("authorization", "Bearer al", 401, 16),
        ("authorization", "Basic dXNlcjpwYXNzMg==", 401, 16),
        ("x-api-key", "kez", 401, 16),
        ("x-nothing", "", 401, 16),
    ] {
        for (media, body) in [(JSON, json.clone()), (PROTOBUF, traces_protobuf(1))] {
            let headers = [("content-type", media), (name, value)];
            let answer = post(server.http, "/v1/traces", &headers, &body).await;
            assert_eq!(answer.status, status, "{name}: {value}");
            if status != 200 {
                assert_eq!(answer.header("content-type"), Some(media));
                assert_eq!(answer.rpc_status().0, code);
            }
            assert_eq!(answer.header("www-authenticate").is_some(), status == 401);
        }
    }
    assert_eq!(server.stored.items(), 6);
    let headers = [
        ("content-type", JSON),
        ("authorization", "Bearer only-logs"),
    ];
    assert_eq!(
        post(server.http, "/v1/logs", &headers, b"{}").await.status,
        200
    );
}

#[tokio::test]
async fn a01_grpc_checks_the_same_credentials() {
    let server = start_with(guarded).await;
    let mut client = TraceServiceClient::connect(format!("http://{}", server.grpc))
        .await
        .unwrap();
    for (name, value, expected) in [
        ("authorization", "Bearer all", None),
        ("authorization", "Basic dXNlcjpwYXNz", None),
        ("x-api-key", "key", None),
        (
            "authorization",
            "Bearer only-logs",
            Some(Code::PermissionDenied),
        ),
        (
            "authorization",
            "Bearer nobody",
            Some(Code::Unauthenticated),
        ),
        ("x-nothing", "1", Some(Code::Unauthenticated)),
    ] {
        let mut request = tonic::Request::new(traces(1));
        request
            .metadata_mut()
            .insert(name, MetadataValue::from_static(value));
        let code = client
            .export(request)
            .await
            .err()
            .map(|status| status.code());
        assert_eq!(code, expected, "{name}: {value}");
    }
    assert_eq!(server.stored.items(), 3);
}

#[tokio::test]
async fn a02_a_query_parameter_may_carry_a_token_when_configured() {
    let server = start_with(guarded).await;
    for (path, status) in [
        ("/v1/traces?token=all", 200),
        ("/v1/traces?a=b&token=%61ll", 200),
        ("/v1/traces?token=only-logs", 403),
        ("/v1/traces?token=", 401),
        ("/v1/traces?toke=all", 401),
    ] {
        assert_eq!(
            post(server.http, path, &[("content-type", JSON)], b"{}")
                .await
                .status,
            status,
            "{path}"
        );
    }
    let silent = start_with(|config| {
        guarded(config);
        config.auth.query_parameter = None;
    })
    .await;
    let answer = post(
        silent.http,
        "/v1/traces?token=all",
        &[("content-type", JSON)],
        b"{}",
    )
    .await;
    assert_eq!(answer.status, 401);
}
