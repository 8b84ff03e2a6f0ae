//! Success means committed: concurrent exporters, SIGKILL at random moments, restart, count.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::{Result, bail, ensure};
use opentelemetry_proto::tonic::collector::trace::v1::trace_service_client::TraceServiceClient;

use crate::harness::{SpanShape, Start, Tripline, now, spans_request};

/// Rounds of exporting and killing.
const ROUNDS: u64 = 50;
/// Exporters at once.
const EXPORTERS: u64 = 4;
/// Spans a request.
const BATCH: u64 = 40;

/// Small bounds, so that a kill meets rotations, seals and compactions as well as commits.
fn restless(start: Start) -> Start {
    start
        .env("TRIPLINE_STORE__HOT_ROWS_MAX", "1500")
        .env("TRIPLINE_STORE__HOT_AGE_MAX", "200ms")
        .env("TRIPLINE_STORE__COMPACTION_FAN_IN", "3")
}

#[tokio::test]
async fn every_acknowledged_span_survives_fifty_kills_exactly_once() -> Result<()> {
    let scratch = tempfile::tempdir()?;
    let data_dir = scratch.path().join("data");
    let numbers = Arc::new(AtomicU64::new(0));
    let mut acknowledged: BTreeMap<u64, BTreeSet<u64>> = BTreeMap::new();
    for round in 0..ROUNDS {
        let server = restless(Start::default().data_dir(&data_dir))
            .start()
            .await?;
        if let Some(previous) = round.checked_sub(1) {
            check(&server, previous, &acknowledged[&previous]).await?;
        }
        let heard = export_until_killed(server, round, &numbers).await?;
        acknowledged.insert(round, heard);
    }
    let server = restless(Start::default().data_dir(&data_dir))
        .start()
        .await?;
    for (round, heard) in &acknowledged {
        check(&server, *round, heard).await?;
    }
    let total: usize = acknowledged.values().map(BTreeSet::len).sum();
    println!("{ROUNDS} kills, {total} acknowledged spans, every one there once");
    ensure!(
        total > 1000,
        "only {total} spans were acknowledged: the test shows too little"
    );
    Ok(())
}

/// Runs exporters against the server, kills it after a moment that differs each round, and answers the numbers
/// of the spans whose export was acknowledged.
async fn export_until_killed(
    server: Tripline,
    round: u64,
    numbers: &Arc<AtomicU64>,
) -> Result<BTreeSet<u64>> {
    let heard = Arc::new(Mutex::new(BTreeSet::new()));
    let url = format!("http://{}", server.otlp_grpc());
    let exporters: Vec<_> = (0..EXPORTERS)
        .map(|_| {
            let (heard, numbers, url) = (Arc::clone(&heard), Arc::clone(numbers), url.clone());
            tokio::spawn(async move {
                let Ok(mut client) = TraceServiceClient::connect(url).await else {
                    return;
                };
                let service = format!("round-{round}");
                loop {
                    let first = numbers.fetch_add(BATCH, Ordering::Relaxed);
                    let shape = SpanShape {
                        service: &service,
                        first,
                        count: BATCH,
                        start_unix_nano: now(),
                    };
                    match client.export(spans_request(shape)).await {
                        Ok(_) => heard.lock().expect("no panic").extend(first..first + BATCH),
                        Err(_) => return,
                    }
                }
            })
        })
        .collect();
    let moment = 60 + (round.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 33) % 500;
    tokio::time::sleep(Duration::from_millis(moment)).await;
    let _remains = server.kill()?;
    for exporter in exporters {
        exporter.await?;
    }
    let heard = heard.lock().expect("no panic").clone();
    Ok(heard)
}

async fn check(server: &Tripline, round: u64, acknowledged: &BTreeSet<u64>) -> Result<()> {
    let rows = server
        .sql(&format!(
            "SELECT attributes.\"number\"::BIGINT AS number, count(*) AS copies FROM spans WHERE service_name = 'round-{round}' GROUP BY ALL"
        ))
        .await?;
    let mut stored = BTreeSet::new();
    for row in &rows {
        let number = row[0]
            .as_u64()
            .ok_or_else(|| anyhow::anyhow!("no number in {row:?}"))?;
        ensure!(
            row[1].as_u64() == Some(1),
            "span {number} of round {round} is there {} times",
            row[1]
        );
        stored.insert(number);
    }
    let lost: Vec<_> = acknowledged.difference(&stored).collect();
    if lost.is_empty() {
        return Ok(());
    }
    let again = server
        .number(&format!(
            "SELECT count(*) FROM spans WHERE service_name = 'round-{round}'"
        ))
        .await?;
    let log = server.log();
    let warned: Vec<&str> = log
        .lines()
        .filter(|line| line.contains("WARN") || line.contains("ERROR"))
        .collect();
    bail!(
        "round {round}: {} acknowledged spans are gone, first {:?}; {} were found, and asked again {again}; {warned:?}",
        lost.len(),
        lost.first(),
        stored.len()
    );
}
