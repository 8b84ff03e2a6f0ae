//! More than the store can take: refusals that tell when to retry, exact accounts, bounded memory.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use opentelemetry_proto::tonic::collector::trace::v1::trace_service_client::TraceServiceClient;
use tonic::Code;

use crate::harness::{SpanShape, Start, Tripline, now, peak_memory, spans_request};

/// What the store is throttled to, spans a second.
const TAKEN: u64 = 1_000;
/// What is offered: ten times that.
const OFFERED: u64 = 10_000;
/// Spans a request.
const BATCH: u64 = 100;
/// How long.
const SECONDS: u64 = 60;
/// Resident memory the server may reach, in bytes.
const MEMORY_MAX: u64 = 1 << 30;

/// A server that commits [`TAKEN`] spans a second and lets `queue` wait.
async fn throttled(queue: &str) -> Result<Tripline> {
    Start::default()
        .env(
            "TRIPLINE_STORE__COMMIT_ROWS_PER_SECOND_MAX",
            &TAKEN.to_string(),
        )
        .env("TRIPLINE_STORE__QUEUE_BYTES_MAX", queue)
        .start()
        .await
}

#[tokio::test]
async fn ten_times_too_much_is_refused_with_a_hint_and_counted_exactly() -> Result<()> {
    let server = throttled("512KiB").await?;
    let channel = tonic::transport::Channel::from_shared(format!("http://{}", server.otlp_grpc()))?
        .connect()
        .await?;
    let mut answers = tokio::task::JoinSet::new();
    let mut ticks = tokio::time::interval(Duration::from_secs(1) / u32::try_from(OFFERED / BATCH)?);
    let batches = SECONDS * OFFERED / BATCH;
    for batch in 0..batches {
        ticks.tick().await;
        let mut client = TraceServiceClient::new(channel.clone());
        let shape = SpanShape {
            service: "flood",
            first: batch * BATCH,
            count: BATCH,
            start_unix_nano: now(),
        };
        let request = spans_request(shape);
        answers.spawn(async move { client.export(request).await });
    }
    let (mut stored, mut refused) = (0, 0);
    while let Some(answer) = answers.join_next().await {
        match answer? {
            Ok(answer) => {
                ensure!(
                    answer.into_inner().partial_success.is_none(),
                    "overload is never a partial success"
                );
                stored += BATCH;
            }
            Err(status) => {
                ensure!(status.code() == Code::Unavailable, "{status:?}");
                ensure!(
                    has_retry_info(status.details()),
                    "a refusal without RetryInfo: {status:?}"
                );
                refused += BATCH;
            }
        }
    }
    println!(
        "offered {}, stored {stored}, refused {refused}, peak {} MiB",
        batches * BATCH,
        peak_memory(server.pid())? >> 20
    );
    ensure!(stored + refused == batches * BATCH, "accounts differ");
    // What the server printed is what its clients heard: each request was refused at the doors or by the store's queue.
    let accepted = server.metric("tripline_store_accepted_total{signal=\"spans\"}");
    ensure!(accepted.await? == stored, "the store counted otherwise");
    let requests = |outcome: &str| {
        format!(
            "tripline_receiver_requests_total{{signal=\"traces\",transport=\"grpc\",outcome=\"{outcome}\"}}"
        )
    };
    for (outcome, spans) in [
        ("accepted", stored),
        ("overloaded", refused),
        ("unavailable", 0),
    ] {
        let counted = server.metric(&requests(outcome)).await?;
        ensure!(counted * BATCH == spans, "{counted} requests {outcome}");
    }
    let items = "{receiver=\"otlp\",transport=\"grpc\"}";
    for (outcome, spans) in [("accepted", stored), ("refused", refused), ("failed", 0)] {
        let sample = format!("otelcol_receiver_{outcome}_spans{items}");
        let counted = server.metric(&sample).await?;
        ensure!(counted == spans, "{counted} spans {outcome}, not {spans}");
    }
    ensure!(
        refused > stored,
        "the throttle did not bite: stored {stored}, refused {refused}"
    );
    assert_eq!(
        server.number("SELECT count(*) FROM spans").await?,
        i64::try_from(stored)?
    );
    ensure!(
        peak_memory(server.pid())? < MEMORY_MAX,
        "memory went past its bound"
    );
    Ok(())
}

#[tokio::test]
async fn a_client_that_retries_until_acknowledged_loses_nothing() -> Result<()> {
    let server = throttled("128KiB").await?;
    let url = format!("http://{}", server.otlp_grpc());
    let mut clients = tokio::task::JoinSet::new();
    for lane in 0..20_u64 {
        let url = url.clone();
        clients.spawn(async move {
            let mut client = TraceServiceClient::connect(url).await?;
            let mut retries = 0_u64;
            for batch in 0..5 {
                let first = (lane * 5 + batch) * BATCH;
                let shape = SpanShape {
                    service: "patient",
                    first,
                    count: BATCH,
                    start_unix_nano: now(),
                };
                let deadline = Instant::now() + Duration::from_secs(60);
                while let Err(status) = client.export(spans_request(shape)).await {
                    ensure!(
                        status.code() == Code::Unavailable && Instant::now() < deadline,
                        "{status:?}"
                    );
                    retries += 1;
                    tokio::time::sleep(Duration::from_millis(100 + lane * 7)).await;
                }
            }
            Ok(retries)
        });
    }
    let mut retries = 0;
    while let Some(done) = clients.join_next().await {
        retries += done??;
    }
    ensure!(retries > 0, "nothing was refused: the test shows nothing");
    assert_eq!(
        server
            .number("SELECT count(DISTINCT span_id) FROM spans")
            .await?,
        100 * i64::try_from(BATCH)?
    );
    Ok(())
}

/// Whether a `google.rpc.Status` carries a `google.rpc.RetryInfo`.
fn has_retry_info(details: &[u8]) -> bool {
    const TYPE_URL: &[u8] = b"type.googleapis.com/google.rpc.RetryInfo";
    details
        .windows(TYPE_URL.len())
        .any(|window| window == TYPE_URL)
}
