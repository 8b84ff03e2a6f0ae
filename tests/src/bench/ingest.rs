//! What taking telemetry costs: CPU a span to acknowledged and to sealed, latency under load, bytes on disk.

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Result, ensure};
use hdrhistogram::Histogram;
use opentelemetry_proto::tonic::collector::logs::v1::logs_service_client::LogsServiceClient;
use opentelemetry_proto::tonic::collector::metrics::v1::metrics_service_client::MetricsServiceClient;
use opentelemetry_proto::tonic::collector::trace::v1::trace_service_client::TraceServiceClient;
use tonic::transport::Channel;

use super::server::{Server, disk_usage};
use super::{floors, shapes};

/// One exporter a service.
const CONNECTIONS: u64 = 20;

/// Nanoseconds since the epoch.
pub fn now() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| u64::try_from(since.as_nanos()).unwrap_or(0))
}

fn scaled(count: u64, scale: f64) -> u64 {
    ((count as f64 * scale) as u64).max(1)
}

/// Microseconds an item.
pub fn micros(cpu: Duration, items: u64) -> f64 {
    cpu.as_secs_f64() * 1e6 / items as f64
}

/// Sends `batches` of spans over `connections` connections, each its share; returns when all are acknowledged.
pub async fn send_spans(
    url: &str,
    batches: std::ops::Range<u64>,
    connections: u64,
    at: impl Fn(u64) -> u64 + Send + Sync + 'static,
) -> Result<()> {
    let at = Arc::new(at);
    let mut senders = tokio::task::JoinSet::new();
    for lane in 0..connections {
        let mut client = TraceServiceClient::connect(url.to_owned()).await?;
        let (batches, at) = (batches.clone(), Arc::clone(&at));
        senders.spawn(async move {
            for batch in batches.filter(|batch| batch % connections == lane) {
                while let Err(status) = client.export(shapes::spans(batch, at(batch))).await {
                    ensure!(status.code() == tonic::Code::Unavailable, "{status}");
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
            }
            Ok(())
        });
    }
    while let Some(sent) = senders.join_next().await {
        sent??;
    }
    Ok(())
}

/// CPU a span: socket to acknowledged, socket to sealed.
pub async fn cost(scale: f64) -> Result<()> {
    let batches = scaled(1_000, scale);
    let spans = batches * shapes::BATCH;
    // Nothing is sealed while acknowledging is measured; then one rotation by age seals all of it.
    let server = Server::start(&[
        ("TRIPLINE_STORE__HOT_ROWS_MAX", "100000000"),
        ("TRIPLINE_STORE__HOT_BYTES_MAX", "64GiB"),
        ("TRIPLINE_STORE__HOT_AGE_MAX", "1h"),
    ])?;
    send_spans(&server.grpc(), 0..20, CONNECTIONS, |_| now()).await?;
    let before = server.cpu()?;
    send_spans(&server.grpc(), 20..20 + batches, CONNECTIONS, |_| now()).await?;
    let acknowledged = micros(server.cpu()? - before, spans);
    drop(server);

    let server = Server::start(&[
        ("TRIPLINE_STORE__HOT_AGE_MAX", "2s"),
        ("TRIPLINE_STORE__COMPACTION_FAN_IN", "1000000"),
    ])?;
    let before = server.cpu()?;
    send_spans(&server.grpc(), 0..batches, CONNECTIONS, |_| now()).await?;
    server.settle().await?;
    let sealed = micros(server.cpu()? - before, spans);
    let floors = floors::measure(400)?;
    let (decode, append) = (micros(floors.decode, 1), micros(floors.append, 1));
    println!(
        "ingest: {spans} spans of 14 attributes, batches of {}, {CONNECTIONS} connections",
        shapes::BATCH
    );
    println!(
        "  raw floors: decode alone {decode:.2} µs a span, DuckDB appending the same columns {append:.2} µs"
    );
    for (what, cost) in [("acknowledged", acknowledged), ("sealed      ", sealed)] {
        println!(
            "  CPU socket -> {what}  {cost:.2} µs a span ({:.1} x decode, {:.1} x append, {:.1} x both)",
            cost / decode,
            cost / append,
            cost / (decode + append)
        );
    }
    Ok(())
}

/// Acknowledgement latency at 50 k spans/s offered, with a dashboard query every 200 ms; peak memory.
pub async fn latency(scale: f64) -> Result<()> {
    let seconds = scaled(20, scale).max(3);
    let server = Arc::new(Server::start(&[])?);
    let channel = Channel::from_shared(server.grpc())?.connect().await?;
    let dashboard = {
        let server = Arc::clone(&server);
        tokio::spawn(async move {
            let mut ticks = tokio::time::interval(Duration::from_millis(200));
            loop {
                ticks.tick().await;
                let _ = server.get("/api/v1/services").await;
            }
        })
    };
    let per_second = 50_000 / shapes::BATCH;
    let mut ticks = tokio::time::interval(Duration::from_secs(1) / u32::try_from(per_second)?);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Burst);
    let mut answers = tokio::task::JoinSet::new();
    for batch in 0..seconds * per_second {
        ticks.tick().await;
        let mut client = TraceServiceClient::new(channel.clone());
        let request = shapes::spans(batch, now());
        let sent = Instant::now();
        answers.spawn(async move { client.export(request).await.map(|_| sent.elapsed()) });
    }
    let mut times = Histogram::<u64>::new(3)?;
    let mut refused = 0;
    while let Some(answer) = answers.join_next().await {
        match answer? {
            Ok(took) => times.record(u64::try_from(took.as_micros())?)?,
            Err(_) => refused += 1,
        }
    }
    dashboard.abort();
    println!(
        "latency: {} spans/s offered for {seconds} s, a dashboard query every 200 ms",
        per_second * shapes::BATCH
    );
    let milli = |quantile: f64| times.value_at_quantile(quantile) as f64 / 1000.0;
    println!(
        "  acknowledged p50 {:.1} ms, p99 {:.1} ms, max {:.1} ms; refused {refused} requests",
        milli(0.5),
        milli(0.99),
        milli(1.0)
    );
    println!("  peak memory {} MiB", server.peak_memory()? >> 20);
    Ok(())
}

/// Bytes on disk, sealed.
pub async fn disk(scale: f64) -> Result<()> {
    let batches = scaled(1_000, scale);
    let environment = [("TRIPLINE_STORE__HOT_AGE_MAX", "2s")];
    let server = Server::start(&environment)?;
    send_spans(&server.grpc(), 0..batches, CONNECTIONS, |_| now()).await?;
    report("spans", &server, batches * shapes::BATCH).await?;
    drop(server);

    let server = Server::start(&environment)?;
    let mut client = LogsServiceClient::connect(server.grpc()).await?;
    for batch in 0..batches {
        client.export(shapes::logs(batch, now())).await?;
    }
    report("log lines", &server, batches * shapes::BATCH).await?;
    drop(server);

    let server = Server::start(&environment)?;
    let mut client = MetricsServiceClient::connect(server.grpc()).await?;
    let start = now() - batches * 10_000_000_000;
    for collection in 0..batches {
        client.export(shapes::points(collection, start)).await?;
    }
    report("number points", &server, batches * 500).await
}

async fn report(what: &str, server: &Server, items: u64) -> Result<()> {
    server.settle().await?;
    let (bytes, files) = disk_usage(&server.data_dir())?;
    println!(
        "disk: {items} {what} in {files} files: {:.1} B each",
        bytes as f64 / items as f64
    );
    Ok(())
}
