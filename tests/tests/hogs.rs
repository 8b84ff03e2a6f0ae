//! Runaway queries beside ingest: they are cut, exporters do not notice, memory stays bounded.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use opentelemetry_proto::tonic::collector::trace::v1::trace_service_client::TraceServiceClient;

use crate::harness::{SpanShape, Start, Tripline, now, peak_memory, spans_request};

/// Six ways to ask too much.
const HOGS: [(&str, &str); 6] = [
    (
        "aggregate",
        "SELECT count(DISTINCT hash(a.range, b.range)) FROM range(1000000) a, range(1000000) b",
    ),
    (
        "sort",
        "SELECT a.range * b.range AS n FROM range(100000) a, range(100000) b ORDER BY hash(n) LIMIT 1 OFFSET 4000000000",
    ),
    (
        "cross join",
        "SELECT count(*) FROM spans a, spans b, spans c, spans d WHERE hash(a.span_id, b.span_id, c.span_id, d.span_id) = 1",
    ),
    (
        "recursion",
        "WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r) SELECT max(n) FROM r",
    ),
    ("list", "SELECT len(list(range)) FROM range(3000000000)"),
    (
        "regular expression",
        "SELECT count(*) FROM range(1000000000) t(n) WHERE regexp_matches(repeat(n::VARCHAR, 50), '(1|2|3)*9(4|5|6)*$')",
    ),
];
/// Deadline each asks for.
const DEADLINE: Duration = Duration::from_secs(3);
/// How long a loaded machine may take to cut a query that is past its deadline, or to give a hog its place.
const PATIENCE: Duration = Duration::from_secs(60);
/// Resident memory the server may reach with all six at once, in bytes.
const MEMORY_MAX: u64 = 1536 << 20;

/// As many at once as are shipped: the rest wait for a place.
#[tokio::test]
async fn six_runaway_queries_are_cut_while_every_span_is_acknowledged() -> Result<()> {
    beside_hogs(Tripline::start().await?).await
}

/// All six at once take what memory there is faster than anybody looks: a commit that finds none stops them.
#[tokio::test]
async fn six_runaway_queries_at_once_give_way_to_every_span() -> Result<()> {
    let server = Start::default()
        .env("TRIPLINE_SQL__CONCURRENCY_MAX", "6")
        .start()
        .await?;
    beside_hogs(server).await
}

/// Runs the hogs while ten thousand spans a second come in, all of which must be acknowledged.
async fn beside_hogs(server: Tripline) -> Result<()> {
    let mut client = TraceServiceClient::connect(format!("http://{}", server.otlp_grpc())).await?;
    let request = |first| {
        spans_request(SpanShape {
            service: "steady",
            first,
            count: 500,
            start_unix_nano: now(),
        })
    };
    client.export(request(0)).await?;
    let mut hogs = tokio::task::JoinSet::new();
    for (name, query) in HOGS {
        let (http, url) = (
            server.client.clone(),
            format!("http://{}/api/v1/sql", server.http()),
        );
        hogs.spawn(async move {
            let asked = Instant::now();
            loop {
                let body = serde_json::json!({ "query": query, "timeout_ms": DEADLINE.as_millis() as u64 });
                let sent = Instant::now();
                let answer = http.post(&url).json(&body).send().await?;
                let (status, text) = (answer.status().as_u16(), answer.text().await?);
                // Its own concurrency limit may send a hog back to the end of the line.
                if (status == 429 || status == 503) && asked.elapsed() < PATIENCE {
                    tokio::time::sleep(Duration::from_millis(200)).await;
                    continue;
                }
                return anyhow::Ok((name, status, text, sent.elapsed()));
            }
        });
    }
    let mut ticks = tokio::time::interval(Duration::from_millis(50));
    let mut first = 500;
    let mut slowest = Duration::ZERO;
    let mut refused = 0;
    let mut ended = Vec::new();
    while ended.len() < HOGS.len() {
        tokio::select! {
            hog = hogs.join_next() => if let Some(hog) = hog { ended.push(hog??) },
            _ = ticks.tick() => {
                let sent = Instant::now();
                while let Err(status) = client.export(request(first)).await {
                    // As every exporter does: what may be sent again is sent again, and must be stored once.
                    ensure!(
                        status.code() == tonic::Code::Unavailable && sent.elapsed() < PATIENCE,
                        "{status} after {first} spans; the server's log: {}",
                        server.log()
                    );
                    refused += 1;
                    tokio::time::sleep(Duration::from_millis(200)).await;
                }
                slowest = slowest.max(sent.elapsed());
                first += 500;
            }
        }
    }
    for (name, status, text, took) in &ended {
        println!("{name}: {status} after {took:?}");
        ensure!(
            (400..600).contains(status),
            "the {name} hog was answered {status}: {text}"
        );
        ensure!(
            text.contains("\"type\"") && text.contains("the query was stopped"),
            "the {name} hog was not cut, but refused: {text}"
        );
        ensure!(*took < DEADLINE + PATIENCE, "the {name} hog ran {took:?}");
    }
    let peak = peak_memory(server.pid())?;
    println!(
        "{first} spans acknowledged beside them, slowest answer {slowest:?}, {refused} refused at first, peak {} MiB",
        peak >> 20
    );
    ensure!(peak < MEMORY_MAX, "peak memory {peak}");
    let stored = server.number("SELECT count(*) FROM spans").await?;
    ensure!(
        stored == i64::try_from(first)?,
        "{stored} spans are stored, {first} were acknowledged; the server's log: {}",
        server.log()
    );
    Ok(())
}
