//! Content codings (Z01-Z10).

use std::io::Write as _;

use opentelemetry_proto::tonic::collector::trace::v1::trace_service_client::TraceServiceClient;
use tonic::codec::CompressionEncoding;

use super::payload::{traces, traces_json, traces_protobuf};
use super::server::{eventually, start, start_with};
use super::wire::{self, JSON, PROTOBUF, TRACE_EXPORT, frame, post};

const CODINGS: [&str; 7] = [
    "gzip",
    "zstd",
    "zlib",
    "deflate",
    "snappy",
    "x-snappy-framed",
    "lz4",
];

fn pack(coding: &str, data: &[u8]) -> Vec<u8> {
    match coding {
        "gzip" => {
            let mut writer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
            writer.write_all(data).unwrap();
            writer.finish().unwrap()
        }
        "zlib" | "deflate" => {
            let mut writer =
                flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::fast());
            writer.write_all(data).unwrap();
            writer.finish().unwrap()
        }
        "zstd" => zstd::encode_all(data, 1).unwrap(),
        "snappy" => snap::raw::Encoder::new().compress_vec(data).unwrap(),
        "x-snappy-framed" => {
            let mut writer = snap::write::FrameEncoder::new(Vec::new());
            writer.write_all(data).unwrap();
            writer.into_inner().unwrap()
        }
        "lz4" => {
            let mut writer = lz4_flex::frame::FrameEncoder::new(Vec::new());
            writer.write_all(data).unwrap();
            writer.finish().unwrap()
        }
        _ => data.to_vec(),
    }
}

#[tokio::test]
async fn z01_z02_z03_every_coding_of_http_is_taken_for_both_encodings() {
    let server = start().await;
    let bodies = [
        (JSON, traces_json(2).into_bytes()),
        (PROTOBUF, traces_protobuf(2)),
    ];
    let mut sent = 0;
    for coding in CODINGS.into_iter().chain(["identity", ""]) {
        for (media, body) in &bodies {
            let headers = [("content-type", *media), ("content-encoding", coding)];
            let answer = post(server.http, "/v1/traces", &headers, &pack(coding, body)).await;
            assert_eq!(answer.status, 200, "{coding} {media} {}", answer.text());
            sent += 2;
        }
    }
    // Framed snappy under the name of the block format is told by its first bytes.
    let headers = [("content-type", JSON), ("content-encoding", "snappy")];
    let framed = pack("x-snappy-framed", &bodies[0].1);
    assert_eq!(
        post(server.http, "/v1/traces", &headers, &framed)
            .await
            .status,
        200
    );
    assert_eq!(server.stored.items(), sent + 2);
}

#[tokio::test]
async fn z01_z02_grpc_takes_gzip_zstd_and_nothing() {
    let server = start().await;
    for encoding in [
        None,
        Some(CompressionEncoding::Gzip),
        Some(CompressionEncoding::Zstd),
    ] {
        let mut client = TraceServiceClient::connect(format!("http://{}", server.grpc))
            .await
            .unwrap();
        if let Some(encoding) = encoding {
            client = client.send_compressed(encoding);
        }
        client.export(traces(50)).await.unwrap();
    }
    assert_eq!(server.stored.batches(), [50, 50, 50]);
}

#[tokio::test]
async fn z04_z05_unknown_codings_garbage_and_truncation_are_400_with_a_status() {
    let server = start().await;
    for media in [JSON, PROTOBUF] {
        for coding in ["br", "gzip, gzip", "gzip;q=1"] {
            let headers = [("content-type", media), ("content-encoding", coding)];
            let answer = post(server.http, "/v1/traces", &headers, b"{}").await;
            assert_eq!(
                (answer.status, answer.header("content-type")),
                (400, Some(media)),
                "{coding}"
            );
            assert_eq!(answer.rpc_status().0, 3);
        }
        for coding in CODINGS {
            let headers = [("content-type", media), ("content-encoding", coding)];
            let mut cut = pack(coding, &traces_protobuf(500));
            cut.truncate(cut.len() * 2 / 3);
            for body in [b"{\"resourceSpans\":[]}".to_vec(), cut] {
                let answer = post(server.http, "/v1/traces", &headers, &body).await;
                assert_eq!(
                    (answer.status, answer.header("content-type")),
                    (400, Some(media)),
                    "{coding}"
                );
                assert_eq!(answer.rpc_status().0, 3);
            }
        }
    }
    assert!(server.stored.batches().is_empty());
}

#[tokio::test]
async fn z06_a_bomb_of_every_coding_is_413_and_costs_no_budget() {
    let server = start_with(|config| config.request_bytes_max = 1_000_000).await;
    let bomb = vec![b' '; 30_000_000];
    for coding in CODINGS {
        let packed = pack(coding, &bomb);
        for media in [JSON, PROTOBUF] {
            let headers = [("content-type", media), ("content-encoding", coding)];
            let answer = post(server.http, "/v1/traces", &headers, &packed).await;
            assert_eq!((answer.status, answer.rpc_status().0), (413, 8), "{coding}");
            assert_eq!(answer.header("retry-after"), None);
        }
    }
    for coding in ["gzip", "zstd"] {
        let body = frame(1, &pack(coding, &bomb));
        let (code, _, headers) = wire::grpc(
            server.grpc,
            TRACE_EXPORT,
            &[("grpc-encoding", coding)],
            body,
        )
        .await;
        assert_eq!(code, Some(8), "{coding}");
        assert!(
            !headers.contains_key("grpc-status-details-bin"),
            "no RetryInfo: never send it again"
        );
    }
    assert_eq!(server.receiver.bytes_in_flight().0, 0);
    assert!(server.stored.batches().is_empty());
}

#[tokio::test]
async fn z06_what_a_grpc_message_unpacks_to_is_held_while_its_stream_stays_open() {
    let server = start_with(|config| {
        config.request_bytes_max = 1_000_000;
        config.in_flight_bytes_max = 2_500_000;
    })
    .await;
    let body = frame(1, &pack("gzip", &vec![b' '; 900_000]));
    assert!(body.len() < 10_000);
    let hold = || {
        tokio::spawn(wire::grpc_left_open(
            server.grpc,
            TRACE_EXPORT,
            "gzip",
            body.clone(),
        ))
    };
    let held = [hold(), hold()];
    eventually("two are unpacked", || {
        server.receiver.bytes_in_flight().0 >= 1_800_000
    })
    .await;
    let (code, headers) = hold().await.expect("an answer");
    assert_eq!(code, Some(14), "{headers:?}");
    assert!(
        headers.contains_key("grpc-status-details-bin"),
        "a hint when to come back"
    );
    for open in held {
        open.abort();
    }
    eventually("the room is back", || {
        server.receiver.bytes_in_flight().0 == 0
    })
    .await;
    assert!(server.stored.batches().is_empty());
}

#[tokio::test]
async fn z07_names_of_codings_are_case_insensitive() {
    let server = start().await;
    for (name, coding) in [
        ("GZIP", "gzip"),
        ("Zstd", "zstd"),
        ("IDENTITY", ""),
        ("identity, LZ4", "lz4"),
    ] {
        let headers = [("content-type", PROTOBUF), ("content-encoding", name)];
        let body = pack(coding, &traces_protobuf(1));
        assert_eq!(
            post(server.http, "/v1/traces", &headers, &body)
                .await
                .status,
            200,
            "{name}"
        );
    }
    assert_eq!(server.stored.items(), 4);
}

#[tokio::test]
async fn z08_grpc_codings_not_taken_are_unimplemented_with_a_list_of_ours() {
    let server = start().await;
    let body = frame(1, b"xx");
    let call = |headers| wire::grpc(server.grpc, TRACE_EXPORT, headers, body.clone());
    let (code, _, headers) = call(&[("grpc-encoding", "snappy")]).await;
    assert_eq!(code, Some(12));
    assert_eq!(headers["grpc-accept-encoding"], "gzip,zstd,identity");
    assert_eq!(
        call(&[]).await.0,
        Some(13),
        "a compressed flag without a coding is INTERNAL"
    );
    let (code, message, _) = call(&[("grpc-encoding", "gzip")]).await;
    assert_eq!(code, Some(3), "garbage for gzip: {message}");
}

#[tokio::test]
async fn z09_answers_are_not_packed_for_they_are_smaller_than_a_gzip_header() {
    let server = start().await;
    let headers = [("content-type", JSON), ("accept-encoding", "gzip")];
    let answer = post(server.http, "/v1/traces", &headers, b"{}").await;
    assert_eq!(
        (answer.text().as_str(), answer.header("content-encoding")),
        ("{}", None)
    );
}
