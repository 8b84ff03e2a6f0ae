//! Stopping without losing or leaking (T11).

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use opentelemetry_proto::tonic::collector::trace::v1::trace_service_client::TraceServiceClient;
use tokio::net::TcpStream;

use super::payload::{traces, traces_protobuf};
use super::server::{Behaviour, eventually, start, start_with};
use super::wire::{PROTOBUF, send};

#[tokio::test]
async fn t11_what_is_in_flight_is_finished_and_answered() {
    let mut server = start().await;
    server.behave(Behaviour::Hold);
    let http = server.http;
    let asking =
        tokio::spawn(async move { send(http, "/v1/traces", PROTOBUF, &traces_protobuf(3)).await });
    let mut client = TraceServiceClient::connect(format!("http://{}", server.grpc))
        .await
        .unwrap();
    let calling = tokio::spawn(async move { client.export(traces(4)).await });
    eventually("both are at the store", || server.stored.waiting() == 2).await;
    server.ask_to_stop();
    let refused = async {
        while TcpStream::connect(http).await.is_ok() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(5), refused)
        .await
        .expect("no new connections");
    server.behave(Behaviour::Store);
    assert_eq!(asking.await.unwrap().status, 200);
    calling.await.unwrap().expect("stored");
    server.stopped().await;
    assert_eq!(server.stored.items(), 7);
}

#[tokio::test]
async fn t11_after_stopping_nothing_reaches_the_store_while_clients_keep_sending() {
    let mut server = start_with(|config| config.drain_timeout_ms = 2_000).await;
    let enough = Arc::new(AtomicBool::new(false));
    let mut senders = Vec::new();
    for _ in 0..4 {
        let (grpc, enough) = (server.grpc, Arc::clone(&enough));
        senders.push(tokio::spawn(async move {
            let Ok(mut client) = TraceServiceClient::connect(format!("http://{grpc}")).await else {
                return 0;
            };
            let mut acknowledged = 0;
            while !enough.load(Ordering::Relaxed) {
                if client.export(traces(1)).await.is_ok() {
                    acknowledged += 1;
                } else {
                    tokio::time::sleep(Duration::from_millis(2)).await;
                }
            }
            acknowledged
        }));
    }
    eventually("data flows", || server.stored.items() > 50).await;
    server.ask_to_stop();
    server.stopped().await;
    let stored = server.stored.items();
    // The senders go on for a while against the stopped server.
    tokio::time::sleep(Duration::from_millis(200)).await;
    enough.store(true, Ordering::Relaxed);
    let mut acknowledged = 0;
    for sender in senders {
        acknowledged += sender.await.unwrap();
    }
    assert_eq!(server.stored.items(), stored, "nothing after stopping");
    assert!(
        acknowledged <= stored,
        "{acknowledged} acknowledged, {stored} stored"
    );
}

#[tokio::test]
async fn t11_a_stuck_store_does_not_keep_the_receivers_for_ever() {
    let mut server = start_with(|config| config.drain_timeout_ms = 300).await;
    server.behave(Behaviour::Hold);
    let http = server.http;
    let asking = tokio::spawn(async move {
        use tokio::io::AsyncWriteExt as _;
        let body = traces_protobuf(1);
        let mut stream = TcpStream::connect(http).await.unwrap();
        let head = format!(
            "POST /v1/traces HTTP/1.1\r\nhost: x\r\ncontent-type: {PROTOBUF}\r\ncontent-length: {}\r\n\r\n",
            body.len()
        );
        stream
            .write_all(&[head.as_bytes(), &body].concat())
            .await
            .unwrap();
        stream
    });
    let _open = asking.await.unwrap();
    eventually("it is at the store", || server.stored.waiting() == 1).await;
    server.ask_to_stop();
    server.stopped().await;
    assert!(server.stored.batches().is_empty());
}
