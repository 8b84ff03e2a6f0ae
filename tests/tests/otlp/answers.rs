//! Success, partial success, errors (R01-R08, E01-E09).

use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceResponse;
use opentelemetry_proto::tonic::collector::logs::v1::logs_service_client::LogsServiceClient;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceResponse;
use opentelemetry_proto::tonic::collector::trace::v1::trace_service_client::TraceServiceClient;
use prost::Message as _;
use tonic::Code;
use tonic_types::StatusExt as _;

use super::payload::{
    logs_with_a_warning, traces, traces_json, traces_protobuf, traces_with_one_bad,
};
use super::server::{Behaviour, start, start_with};
use super::wire::{self, JSON, PROTOBUF, TRACE_EXPORT, frame, request, send};

#[tokio::test]
async fn r01_full_success_leaves_partial_success_unset() {
    let server = start().await;
    let json = send(server.http, "/v1/traces", JSON, traces_json(1).as_bytes()).await;
    assert_eq!((json.status, json.text().as_str()), (200, "{}"));
    let protobuf = send(server.http, "/v1/traces", PROTOBUF, &traces_protobuf(1)).await;
    assert_eq!((protobuf.status, protobuf.body.as_slice()), (200, &[][..]));
}

#[tokio::test]
async fn r02_empty_requests_and_envelopes_succeed_and_store_nothing() {
    let server = start().await;
    for path in ["/v1/traces", "/v1/metrics", "/v1/logs"] {
        for body in [
            "{}",
            r#"{"resourceSpans":[],"resourceLogs":[{}],"resourceMetrics":[{"scopeMetrics":[{}]}]}"#,
        ] {
            assert_eq!(
                send(server.http, path, JSON, body.as_bytes()).await.status,
                200,
                "{path} {body}"
            );
        }
        assert_eq!(send(server.http, path, PROTOBUF, b"").await.status, 200);
        assert_eq!(
            send(server.http, path, PROTOBUF, &[0x0a, 0x00])
                .await
                .status,
            200
        );
    }
    let mut client = TraceServiceClient::connect(format!("http://{}", server.grpc))
        .await
        .unwrap();
    assert_eq!(
        client
            .export(traces(0))
            .await
            .unwrap()
            .into_inner()
            .partial_success,
        None
    );
    let (code, ..) = wire::grpc(server.grpc, TRACE_EXPORT, &[], Vec::new()).await;
    assert_eq!(
        code,
        Some(13),
        "a call without a message is not an empty request"
    );
    assert!(server.stored.batches().is_empty());
}

#[tokio::test]
async fn r03_r06_bad_items_are_counted_exactly_and_the_good_ones_stored() {
    let server = start().await;
    let body = traces_with_one_bad().encode_to_vec();
    let answer = send(server.http, "/v1/traces", PROTOBUF, &body).await;
    assert_eq!(answer.status, 200);
    let partial = ExportTraceServiceResponse::decode(answer.body.as_slice())
        .unwrap()
        .partial_success
        .unwrap();
    assert_eq!(partial.rejected_spans, 1);
    assert!(
        partial.error_message.contains("trace_id"),
        "{}",
        partial.error_message
    );

    let json = traces_json(2).replacen(&"07".repeat(16), "0707", 1);
    let answer = send(server.http, "/v1/traces", JSON, json.as_bytes()).await;
    assert_eq!(answer.status, 200);
    assert_eq!(
        answer.json()["partialSuccess"]["rejectedSpans"],
        "1",
        "64-bit numbers are strings"
    );

    let mut client = TraceServiceClient::connect(format!("http://{}", server.grpc))
        .await
        .unwrap();
    let partial = client
        .export(traces_with_one_bad())
        .await
        .unwrap()
        .into_inner()
        .partial_success
        .unwrap();
    assert_eq!(partial.rejected_spans, 1);
    assert_eq!(server.stored.batches(), [2, 1, 2]);
    assert_eq!(
        server.receiver.counters().refused("traces"),
        3,
        "accepted + refused = sent"
    );
}

#[tokio::test]
async fn r04_r05_a_warning_has_no_rejected_items_and_a_message() {
    let server = start().await;
    let body = logs_with_a_warning().encode_to_vec();
    let answer = send(server.http, "/v1/logs", PROTOBUF, &body).await;
    let partial = ExportLogsServiceResponse::decode(answer.body.as_slice())
        .unwrap()
        .partial_success
        .unwrap();
    assert_eq!(partial.rejected_log_records, 0);
    assert!(!partial.error_message.is_empty());
    let mut client = LogsServiceClient::connect(format!("http://{}", server.grpc))
        .await
        .unwrap();
    let partial = client
        .export(logs_with_a_warning())
        .await
        .unwrap()
        .into_inner()
        .partial_success
        .unwrap();
    assert!(partial.rejected_log_records == 0 && !partial.error_message.is_empty());
    assert_eq!(server.stored.batches(), [2, 2]);
}

#[tokio::test]
async fn r07_an_answer_is_small_however_many_items_are_bad() {
    let server = start().await;
    let mut request = traces(20_000);
    for span in &mut request.resource_spans[0].scope_spans[0].spans {
        span.trace_id = vec![1; 3];
    }
    let answer = send(
        server.http,
        "/v1/traces",
        PROTOBUF,
        &request.encode_to_vec(),
    )
    .await;
    let partial = ExportTraceServiceResponse::decode(answer.body.as_slice())
        .unwrap()
        .partial_success
        .unwrap();
    assert_eq!(partial.rejected_spans, 20_000);
    assert!(
        answer.body.len() < 4_096,
        "{} bytes; the limit is 4 MiB",
        answer.body.len()
    );
}

#[tokio::test]
async fn r08_success_is_said_only_after_the_store_has_committed() {
    let server = start().await;
    server.behave(Behaviour::Hold);
    let http = server.http;
    let asking =
        tokio::spawn(async move { send(http, "/v1/traces", PROTOBUF, &traces_protobuf(1)).await });
    super::server::eventually("the batch waits at the store", || {
        server.stored.waiting() == 1
    })
    .await;
    assert!(!asking.is_finished() && server.stored.batches().is_empty());
    server.behave(Behaviour::Store);
    assert_eq!(asking.await.unwrap().status, 200);
    assert_eq!(server.stored.batches(), [1]);
}

/// How the store behaves, the request, and the answer: HTTP status and `google.rpc.Code`.
type Case<'a> = (Behaviour, &'a str, &'a str, &'a [u8], u16, i64);

#[tokio::test]
async fn e01_e06_every_error_body_is_a_status_in_the_requests_encoding() {
    let server = start_with(|config| config.request_bytes_max = 2_000).await;
    let (good, large) = (traces_json(1).into_bytes(), vec![b' '; 2_001]);
    let good = &good[..];
    for media in [JSON, PROTOBUF] {
        let good = if media == JSON {
            good.to_vec()
        } else {
            traces_protobuf(1)
        };
        let table: [Case<'_>; 8] = [
            (Behaviour::Store, "POST", "/v1/traces", b"\xff\xff", 400, 3),
            (Behaviour::Store, "POST", "/nowhere", &good, 404, 12),
            (Behaviour::Store, "GET", "/v1/traces", b"", 405, 12),
            (Behaviour::Store, "POST", "/v1/traces", &large, 413, 8),
            (Behaviour::TooLarge, "POST", "/v1/traces", &good, 413, 8),
            (Behaviour::Overloaded, "POST", "/v1/traces", &good, 503, 14),
            (Behaviour::Unavailable, "POST", "/v1/traces", &good, 503, 14),
            (Behaviour::Closing, "POST", "/v1/traces", &good, 503, 14),
        ];
        for (behaviour, method, path, body, status, code) in table {
            server.behave(behaviour);
            let answer = request(server.http, method, path, &[("content-type", media)], body).await;
            assert_eq!(
                (answer.status, answer.header("content-type")),
                (status, Some(media)),
                "{behaviour:?}"
            );
            let (found, message, retry) = answer.rpc_status();
            assert_eq!(found, code, "{message}");
            assert!(
                !message.contains("secret path"),
                "the inside of the house stays inside"
            );
            assert_eq!(retry.is_some(), status == 503);
            assert_eq!(answer.header("retry-after").is_some(), status == 503);
        }
    }
    assert!(server.stored.batches().is_empty());
}

#[tokio::test]
async fn e02_an_unreadable_payload_is_a_bad_request_with_details() {
    let server = start().await;
    let answer = send(server.http, "/v1/traces", JSON, br#"{"resourceSpans": 7}"#).await;
    let detail = &answer.json()["details"][0];
    assert_eq!(detail["@type"], "type.googleapis.com/google.rpc.BadRequest");
    assert!(
        !detail["fieldViolations"][0]["description"]
            .as_str()
            .unwrap()
            .is_empty()
    );
    let (code, _, headers) =
        wire::grpc(server.grpc, TRACE_EXPORT, &[], frame(0, b"\xff\xff")).await;
    assert_eq!(code, Some(3));
    assert!(headers.contains_key("grpc-status-details-bin"));
    let two = [frame(0, &traces_protobuf(1)), frame(0, &traces_protobuf(1))].concat();
    assert_eq!(
        wire::grpc(server.grpc, TRACE_EXPORT, &[], two).await.0,
        Some(3),
        "no message is lost in silence"
    );
    assert!(server.stored.batches().is_empty());
}

#[tokio::test]
async fn e03_e04_e05_transient_trouble_is_retryable_for_the_whole_request_and_says_when() {
    let server = start().await;
    let mut client = TraceServiceClient::connect(format!("http://{}", server.grpc))
        .await
        .unwrap();
    for behaviour in [
        Behaviour::Overloaded,
        Behaviour::Unavailable,
        Behaviour::Closing,
    ] {
        server.behave(behaviour);
        let status = client.export(traces_with_one_bad()).await.unwrap_err();
        assert_eq!(status.code(), Code::Unavailable, "{behaviour:?}");
        let delay = status
            .get_details_retry_info()
            .unwrap()
            .retry_delay
            .unwrap();
        assert!(delay.as_secs_f64() >= 1.0);
        let answer = send(server.http, "/v1/traces", JSON, traces_json(1).as_bytes()).await;
        let seconds: u64 = answer.header("retry-after").unwrap().parse().unwrap();
        assert_eq!(answer.status, 503);
        assert!(
            seconds as f64 >= delay.as_secs_f64(),
            "rounded up, never to 0"
        );
    }
    server.behave(Behaviour::TooLarge);
    let status = client.export(traces(1)).await.unwrap_err();
    assert_eq!(status.code(), Code::ResourceExhausted);
    assert!(
        status.get_details_retry_info().is_none(),
        "a poison request is never retryable"
    );
    assert!(server.stored.batches().is_empty());
    assert_eq!(server.receiver.counters().accepted("traces"), 0);
    assert_eq!(server.receiver.counters().refused("traces"), 3 * 2 + 3 + 1);
}

#[tokio::test]
async fn e08_where_no_encoding_is_known_the_status_is_json() {
    let server = start().await;
    let answer = request(
        server.http,
        "POST",
        "/nowhere",
        &[("content-type", "image/png")],
        b"",
    )
    .await;
    assert_eq!(
        (answer.status, answer.header("content-type")),
        (404, Some(JSON))
    );
    assert_eq!(answer.rpc_status().0, 12);
}

#[tokio::test]
async fn e09_error_texts_are_short() {
    let server = start().await;
    // AnyValue arrays nested 200 deep: prost tells the whole path.
    let mut value = vec![];
    for _ in 0..200 {
        let array = [&[0x0a][..], &varint(value.len()), &value].concat();
        value = [&[0x2a][..], &varint(array.len()), &array].concat();
    }
    let mut message = value;
    for tag in [0x12, 0x4a, 0x12, 0x12, 0x0a] {
        message = [&[tag][..], &varint(message.len()), &message].concat();
    }
    let answer = send(server.http, "/v1/traces", PROTOBUF, &message).await;
    assert_eq!((answer.status, answer.rpc_status().0), (400, 3));
    assert!(answer.body.len() < 1_500, "{} bytes", answer.body.len());
    let (code, text, headers) =
        wire::grpc(server.grpc, TRACE_EXPORT, &[], frame(0, &message)).await;
    assert_eq!(code, Some(3));
    assert!(text.len() < 1_000 && headers["grpc-status-details-bin"].len() < 3_000);
}

fn varint(mut value: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    while value > 0x7f {
        bytes.push((value & 0x7f) as u8 | 0x80);
        value >>= 7;
    }
    bytes.push(value as u8);
    bytes
}
