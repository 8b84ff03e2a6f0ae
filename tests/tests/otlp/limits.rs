//! Limits, keepalive, concurrency (L01-L11).

use std::time::{Duration, Instant};

use opentelemetry_proto::tonic::collector::trace::v1::trace_service_client::TraceServiceClient;
use prost::Message as _;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tonic::Code;
use tonic_types::StatusExt as _;

use super::payload::{traces, traces_json, traces_protobuf};
use super::server::{Behaviour, eventually, start, start_with};
use super::wire::{self, JSON, PROTOBUF, TRACE_EXPORT, frame, request, send};

/// A protobuf request of exactly `size` bytes: one span and an unknown field as padding.
fn protobuf_of(size: usize) -> Vec<u8> {
    let mut body = traces_protobuf(1);
    // Field 1000, length-delimited, with a five-byte length.
    body.extend_from_slice(&[0xc2, 0x3e]);
    let padding = size - body.len() - 5;
    let length =
        (0..5).map(|at| (padding >> (7 * at)) as u8 & 0x7f | if at < 4 { 0x80 } else { 0 });
    body.extend(length);
    body.resize(size, b'x');
    body
}

fn json_of(size: usize) -> Vec<u8> {
    let mut body = traces_json(1).into_bytes();
    body.resize(size, b' ');
    body
}

#[tokio::test]
async fn l01_l02_l03_l04_exactly_the_limit_passes_and_one_byte_more_does_not() {
    const LIMIT: usize = 200_000;
    let server = start_with(|config| config.request_bytes_max = LIMIT).await;
    for (media, at, above) in [
        (JSON, json_of(LIMIT), json_of(LIMIT + 1)),
        (PROTOBUF, protobuf_of(LIMIT), protobuf_of(LIMIT + 1)),
    ] {
        assert_eq!(
            send(server.http, "/v1/traces", media, &at).await.status,
            200
        );
        let answer = send(server.http, "/v1/traces", media, &above).await;
        assert_eq!(
            (answer.status, answer.header("content-type")),
            (413, Some(media))
        );
        let (code, message, retry) = answer.rpc_status();
        assert!(
            code == 8 && retry.is_none() && message.contains("200000"),
            "{message}"
        );
    }
    let (code, ..) = wire::grpc(
        server.grpc,
        TRACE_EXPORT,
        &[],
        frame(0, &protobuf_of(LIMIT)),
    )
    .await;
    assert_ne!(code, Some(8));
    let above = frame(0, &protobuf_of(LIMIT + 1));
    let (code, message, headers) = wire::grpc(server.grpc, TRACE_EXPORT, &[], above).await;
    assert_eq!(
        code,
        Some(8),
        "RESOURCE_EXHAUSTED, not OUT_OF_RANGE, which is retried"
    );
    assert!(message.contains("200000"), "{message}");
    assert!(!headers.contains_key("grpc-status-details-bin"));
    assert_eq!(server.stored.batches(), [1, 1, 1]);
}

#[tokio::test]
async fn l02_a_body_without_a_length_is_cut_at_the_limit() {
    let server = start_with(|config| config.request_bytes_max = 10_000).await;
    let mut stream = TcpStream::connect(server.http).await.unwrap();
    let head = "POST /v1/traces HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\
                content-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n";
    stream.write_all(head.as_bytes()).await.unwrap();
    for _ in 0..3 {
        stream
            .write_all(format!("1000\r\n{}\r\n", " ".repeat(0x1000)).as_bytes())
            .await
            .unwrap();
    }
    stream.write_all(b"0\r\n\r\n").await.unwrap();
    let answer = wire::read_answer(&mut stream).await;
    assert_eq!((answer.status, answer.rpc_status().0), (413, 8));
}

#[tokio::test]
async fn l04_fifty_thousand_spans_fail_under_a_small_limit_and_pass_under_the_shipped_one() {
    let request = traces(50_000);
    let size = request.encoded_len();
    let small = start_with(|config| config.request_bytes_max = size - 1).await;
    let mut client = TraceServiceClient::connect(format!("http://{}", small.grpc))
        .await
        .unwrap();
    let status = client.export(request.clone()).await.unwrap_err();
    assert_eq!(status.code(), Code::ResourceExhausted);
    assert!(status.get_details_retry_info().is_none());
    let shipped = start().await;
    let mut client = TraceServiceClient::connect(format!("http://{}", shipped.grpc))
        .await
        .unwrap();
    client.export(request).await.unwrap();
    assert_eq!((small.stored.items(), shipped.stored.items()), (0, 50_000));
}

#[tokio::test]
async fn l05_l06_deep_nesting_and_invalid_utf_8_are_invalid_not_fatal() {
    let server = start().await;
    let deep = format!(
        r#"{{"resourceSpans":[{{"resource":{{"attributes":[{{"key":"k","value":{}{}}}]}}}}]}}"#,
        r#"{"arrayValue":{"values":["#.repeat(100_000),
        "]}}".repeat(100_000)
    );
    let answer = send(server.http, "/v1/traces", JSON, deep.as_bytes()).await;
    assert_eq!((answer.status, answer.rpc_status().0), (400, 3));

    let mut spans = traces_protobuf(1);
    let name = spans.windows(2).position(|window| window == b"op").unwrap();
    spans[name] = 0xff;
    let answer = send(server.http, "/v1/traces", PROTOBUF, &spans).await;
    assert_eq!((answer.status, answer.rpc_status().0), (400, 3));
    let (code, ..) = wire::grpc(server.grpc, TRACE_EXPORT, &[], frame(0, &spans)).await;
    assert_eq!(code, Some(3));
    assert_eq!(
        send(server.http, "/v1/traces", PROTOBUF, &traces_protobuf(1))
            .await
            .status,
        200
    );
}

#[tokio::test]
async fn l07_many_calls_at_once_on_one_connection_and_on_many() {
    let server = start().await;
    server.behave(Behaviour::Hold);
    let client = TraceServiceClient::connect(format!("http://{}", server.grpc))
        .await
        .unwrap();
    let mut calls = Vec::new();
    for _ in 0..50 {
        let mut client = client.clone();
        calls.push(tokio::spawn(async move {
            client.export(traces(2)).await.is_ok()
        }));
        let http = server.http;
        calls.push(tokio::spawn(async move {
            send(http, "/v1/traces", PROTOBUF, &traces_protobuf(2))
                .await
                .status
                == 200
        }));
    }
    eventually("all hundred are at the store", || {
        server.stored.waiting() == 100
    })
    .await;
    server.behave(Behaviour::Store);
    for call in calls {
        assert!(call.await.unwrap());
    }
    assert_eq!(server.stored.items(), 200);
}

#[tokio::test]
async fn l07_beyond_the_bytes_in_flight_requests_are_shed_with_a_hint_and_room_comes_back() {
    let server = start_with(|config| {
        config.request_bytes_max = 100_000;
        config.in_flight_bytes_max = 200_001;
    })
    .await;
    server.behave(Behaviour::Hold);
    let http = server.http;
    let holding: Vec<_> = (0..2)
        .map(|_| {
            tokio::spawn(async move {
                send(http, "/v1/traces", PROTOBUF, &protobuf_of(100_000))
                    .await
                    .status
            })
        })
        .collect();
    eventually("two are at the store", || server.stored.waiting() == 2).await;
    assert_eq!(server.receiver.bytes_in_flight().0, 200_000);

    let answer = send(http, "/v1/traces", JSON, traces_json(1).as_bytes()).await;
    assert_eq!(
        (answer.status, answer.header("retry-after")),
        (503, Some("1"))
    );
    assert_eq!(
        (answer.rpc_status().0, answer.rpc_status().2),
        (14, Some(1.0))
    );
    let mut client = TraceServiceClient::connect(format!("http://{}", server.grpc))
        .await
        .unwrap();
    let status = client.export(traces(1)).await.unwrap_err();
    assert_eq!(status.code(), Code::Unavailable);
    assert!(status.get_details_retry_info().is_some());

    server.behave(Behaviour::Store);
    for held in holding {
        assert_eq!(held.await.unwrap(), 200);
    }
    eventually("the room is back", || {
        server.receiver.bytes_in_flight().0 == 0
    })
    .await;
    client.export(traces(1)).await.unwrap();
    assert_eq!(server.stored.items(), 3);
}

/// How long until the server closes a connection that behaves as `head` and then says nothing.
async fn closed_after(to: std::net::SocketAddr, head: &[u8]) -> Duration {
    let begun = Instant::now();
    let mut stream = TcpStream::connect(to).await.unwrap();
    stream.write_all(head).await.unwrap();
    let mut rest = Vec::new();
    let read = tokio::time::timeout(Duration::from_secs(20), stream.read_to_end(&mut rest));
    let _reset_or_closed = read.await.expect("the server closes the connection");
    begun.elapsed()
}

#[tokio::test]
async fn l08_idle_and_old_connections_are_closed() {
    let idle = start_with(|config| {
        config.grpc.listen.idle_timeout_ms = 300;
        config.grpc.listen.connection_age_grace_ms = 300;
        config.http.listen.idle_timeout_ms = 300;
    })
    .await;
    let settings = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00";
    for (to, head) in [
        (idle.http, &b""[..]),
        (idle.grpc, b""),
        (idle.grpc, settings),
    ] {
        let after = closed_after(to, head).await;
        assert!(after >= Duration::from_millis(290), "{after:?}");
    }
    let old = start_with(|config| {
        config.http.listen.connection_age_max_ms = Some(300);
        config.http.listen.connection_age_grace_ms = 300;
    })
    .await;
    closed_after(old.http, b"").await;
    // An unanswered ping ends an HTTP/2 connection.
    let pinged = start_with(|config| {
        config.grpc.listen.keepalive_interval_ms = Some(200);
        config.grpc.listen.keepalive_timeout_ms = 200;
    })
    .await;
    closed_after(pinged.grpc, settings).await;
}

#[tokio::test]
async fn l09_slow_heads_and_slow_bodies_are_cut() {
    let server = start_with(|config| {
        config.http.listen.header_timeout_ms = 300;
        config.request_timeout_ms = 500;
    })
    .await;
    closed_after(server.http, b"POST /v1/traces HTTP/1.1\r\nhost: x\r\n").await;

    let mut stream = TcpStream::connect(server.http).await.unwrap();
    let head = "POST /v1/traces HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 1000\r\n\r\n";
    stream.write_all(head.as_bytes()).await.unwrap();
    let (mut reading, mut writing) = stream.into_split();
    let trickle = tokio::spawn(async move {
        while writing.write_all(b" ").await.is_ok() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    });
    let answer = wire::read_answer(&mut reading).await;
    assert_eq!((answer.status, answer.rpc_status().0), (503, 4));
    assert_eq!(answer.header("connection"), Some("close"));
    trickle.abort();
    eventually("its bytes are given back", || {
        server.receiver.bytes_in_flight().0 == 0
    })
    .await;
}

#[tokio::test]
async fn l10_a_grpc_deadline_is_honoured_and_leaves_no_half_batch() {
    let server = start().await;
    server.behave(Behaviour::Hold);
    let body = frame(0, &traces_protobuf(7));
    let (code, ..) = wire::grpc(server.grpc, TRACE_EXPORT, &[("grpc-timeout", "200m")], body).await;
    assert_eq!(code, Some(4));
    assert_eq!(server.stored.waiting(), 1);
    server.behave(Behaviour::Store);
    eventually("the batch is stored whole", || {
        server.stored.batches() == [7]
    })
    .await;
    eventually("and counted", || {
        server.receiver.counters().accepted("traces") == 7
    })
    .await;
}

#[tokio::test]
async fn l10_a_client_that_hangs_up_leaves_all_or_nothing() {
    let server = start().await;
    let body = traces_protobuf(5);
    let head = format!(
        "POST /v1/traces HTTP/1.1\r\nhost: x\r\ncontent-type: application/x-protobuf\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    let mut half = TcpStream::connect(server.http).await.unwrap();
    half.write_all(head.as_bytes()).await.unwrap();
    half.write_all(&body[..body.len() / 2]).await.unwrap();
    drop(half);
    server.behave(Behaviour::Hold);
    let mut whole = TcpStream::connect(server.http).await.unwrap();
    whole.write_all(head.as_bytes()).await.unwrap();
    whole.write_all(&body).await.unwrap();
    eventually("it is at the store", || server.stored.waiting() == 1).await;
    drop(whole);
    server.behave(Behaviour::Store);
    eventually("the whole one is stored", || server.stored.batches() == [5]).await;
    eventually("nothing is held", || {
        server.receiver.bytes_in_flight().0 == 0
    })
    .await;
}

#[tokio::test]
async fn l11_noise_is_refused_and_never_hurts() {
    let server = start().await;
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let mut random = move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    let seed = traces_protobuf(3);
    let seed_json = traces_json(3).into_bytes();
    for round in 0..300 {
        let (media, mut body) = if round % 2 == 0 {
            (JSON, seed_json.clone())
        } else {
            (PROTOBUF, seed.clone())
        };
        for _ in 0..=random() % 4 {
            let at = (random() % body.len() as u64) as usize;
            body[at] = random() as u8;
        }
        let codings = ["identity", "gzip", "snappy", "zstd", "lz4"];
        let coding = codings[(random() % 5) as usize];
        let headers = [("content-type", media), ("content-encoding", coding)];
        let path = ["/v1/traces", "/v1/metrics", "/v1/logs"][(random() % 3) as usize];
        let answer = request(server.http, "POST", path, &headers, &body).await;
        assert!(
            matches!(answer.status, 200 | 400),
            "{} for {body:?}",
            answer.status
        );
    }
    assert_eq!(
        send(server.http, "/v1/traces", JSON, &seed_json)
            .await
            .status,
        200
    );
    assert_eq!(server.receiver.bytes_in_flight().0, 0);
}
