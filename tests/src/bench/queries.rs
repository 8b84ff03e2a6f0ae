//! Questions over 10 M stored spans, in segments as a running server leaves them, the hot part filled.

use std::time::{Duration, Instant};

use anyhow::Result;
use opentelemetry_proto::tonic::collector::trace::v1::trace_service_client::TraceServiceClient;

use super::ingest::{now, send_spans};
use super::server::{Server, disk_usage};
use super::shapes;

const HOUR: u64 = 3_600_000_000_000;

/// Loads, then asks each question many times.
pub async fn run(scale: f64) -> Result<()> {
    let batches = ((10_000_000.0 * scale) as u64 / shapes::BATCH).max(10);
    let server = Server::start(&[])?;
    let began = now() - 2 * HOUR;
    // Two hours of traffic, evenly.
    let at = move |batch: u64| began + batch * (2 * HOUR / batches);
    let loading = Instant::now();
    send_spans(&server.grpc(), 0..batches, 4, at).await?;
    let loaded = loading.elapsed();
    server.settle().await?;
    send_spans(&server.grpc(), batches..batches + 100, 4, move |_| now()).await?;
    let (bytes, files) = disk_usage(&server.data_dir())?;
    println!(
        "queries: {} spans loaded in {:.0} s; {files} files, {:.1} B a span",
        batches * shapes::BATCH,
        loaded.as_secs_f64(),
        bytes as f64 / (batches * shapes::BATCH) as f64
    );
    let traces: Vec<String> = (0..200)
        .map(|n| {
            let id = shapes::trace_id(shapes::mix(n) % (batches * shapes::BATCH));
            let hex: String = id.iter().map(|byte| format!("{byte:02x}")).collect();
            format!("/api/v1/traces/{hex}")
        })
        .collect();
    measure(&server, "trace by id, no time given", &traces).await?;
    let hour = |path: &str| {
        vec![
            format!(
                "{path}{}from=now-1h&to=now",
                if path.contains('?') { '&' } else { '?' }
            );
            20
        ]
    };
    measure(
        &server,
        "services over an hour (red)",
        &hour("/api/v1/services"),
    )
    .await?;
    measure(
        &server,
        "service graph over an hour",
        &hour("/api/v1/graph"),
    )
    .await?;
    let newest =
        hour("/api/v1/traces?service=service-03&attr=http.response.status_code%3D500&limit=100");
    measure(
        &server,
        "newest 100 of a service with an attribute filter",
        &newest,
    )
    .await?;
    let large = large_trace(&server, 20).await?;
    pages(&server, &traces, &large).await?;
    println!("  peak memory {} MiB", server.peak_memory()? >> 20);
    Ok(())
}

/// Stores a trace of so many batches, all under one root; its page.
pub async fn large_trace(server: &Server, batches: u64) -> Result<String> {
    let first = 1 << 30;
    let mut client = TraceServiceClient::connect(server.grpc()).await?;
    for batch in first..first + batches {
        let request = shapes::in_one_trace(shapes::spans(batch, now()), first * shapes::BATCH);
        client.export(request).await?;
    }
    Ok(format!("/traces/{}", "07".repeat(16)))
}

/// Spans a second that arrive while pages are asked for.
const ARRIVING: u64 = 5_120;

/// Whole pages over the last hour, rendered, while spans keep arriving.
async fn pages(server: &Server, traces: &[String], large: &str) -> Result<()> {
    let arriving = std::sync::atomic::AtomicBool::new(true);
    let grpc = server.grpc();
    let ingest = async {
        let mut batch = 1 << 40;
        let rate = u32::try_from(ARRIVING / shapes::BATCH)?;
        let mut ticks = tokio::time::interval(Duration::from_secs(1) / rate);
        while arriving.load(std::sync::atomic::Ordering::Relaxed) {
            ticks.tick().await;
            send_spans(&grpc, batch..batch + 1, 1, move |_| now()).await?;
            batch += 1;
        }
        anyhow::Ok(())
    };
    let ask = async {
        for page in [
            "/",
            "/graph",
            "/services/service-03",
            "/traces",
            "/traces?q=status+%3D+error",
            "/logs",
            "/explore",
            "/breakers",
            "/incidents",
            "/status",
        ] {
            measure(server, &format!("page {page}"), &vec![page.to_owned(); 20]).await?;
        }
        let pages: Vec<String> = traces
            .iter()
            .map(|path| path.replace("/api/v1", ""))
            .collect();
        measure(server, "page of a trace", &pages).await?;
        let of_large = vec![large.to_owned(); 20];
        measure(server, "page of a trace of 10,240 spans", &of_large).await?;
        anyhow::Ok(())
    };
    let ask = async {
        let asked = ask.await;
        arriving.store(false, std::sync::atomic::Ordering::Relaxed);
        asked
    };
    let (sent, asked) = tokio::join!(ingest, ask);
    sent.and(asked)
}

/// Asks each once; the times.
pub async fn measure(server: &Server, what: &str, paths: &[String]) -> Result<()> {
    let mut times: Vec<Duration> = Vec::with_capacity(paths.len());
    for path in paths {
        let asked = Instant::now();
        server.get(path).await?;
        times.push(asked.elapsed());
    }
    times.sort();
    let milli = |share: usize| times[(times.len() - 1) * share / 100].as_secs_f64() * 1000.0;
    println!(
        "  {what}: p50 {:.1} ms, p95 {:.1} ms, p99 {:.1} ms",
        milli(50),
        milli(95),
        milli(99)
    );
    Ok(())
}
