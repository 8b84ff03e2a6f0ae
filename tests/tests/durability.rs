//! Success means committed: concurrent exporters of all three signals, SIGKILL at random moments, restart, count.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::{Result, ensure};
use tonic::transport::Channel;

use crate::harness::{Signal, SpanShape, Start, Tripline, check_stored, now};

/// Rounds of exporting and killing.
const ROUNDS: u64 = 50;
/// Exporters of each signal at once.
const EXPORTERS: u64 = 2;
/// Items a request.
const BATCH: u64 = 40;

/// The numbers that were acknowledged, by signal.
type Heard = BTreeMap<Signal, BTreeSet<u64>>;

/// Small bounds, so that a kill meets rotations, seals and compactions as well as commits.
fn restless(start: Start) -> Start {
    start
        .env("TRIPLINE_STORE__HOT_ROWS_MAX", "1500")
        .env("TRIPLINE_STORE__HOT_AGE_MAX", "200ms")
        .env("TRIPLINE_STORE__COMPACTION_FAN_IN", "3")
}

#[tokio::test]
async fn every_acknowledged_item_survives_fifty_kills_exactly_once_and_no_request_is_halved()
-> Result<()> {
    let scratch = tempfile::tempdir()?;
    let data_dir = scratch.path().join("data");
    let numbers = Arc::new(AtomicU64::new(0));
    let mut acknowledged: BTreeMap<u64, Heard> = BTreeMap::new();
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
    for signal in Signal::ALL {
        let heard = acknowledged.values().filter_map(|heard| heard.get(&signal));
        let total: usize = heard.map(BTreeSet::len).sum();
        println!("{ROUNDS} kills, {total} acknowledged {signal:?}, every one there once");
        ensure!(
            total > 1000,
            "only {total} {signal:?} were acknowledged: the test shows too little"
        );
    }
    Ok(())
}

/// Runs exporters against the server, kills it after a moment that differs each round, and answers the numbers
/// of the items whose export was acknowledged.
async fn export_until_killed(
    server: Tripline,
    round: u64,
    numbers: &Arc<AtomicU64>,
) -> Result<Heard> {
    let heard = Arc::new(Mutex::new(Heard::new()));
    let url = format!("http://{}", server.otlp_grpc());
    let mut exporters = tokio::task::JoinSet::new();
    for signal in (0..EXPORTERS).flat_map(|_| Signal::ALL) {
        let (heard, numbers, url) = (Arc::clone(&heard), Arc::clone(numbers), url.clone());
        exporters.spawn(async move {
            let Ok(channel) = Channel::from_shared(url)?.connect().await else {
                return Ok(());
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
                match signal.export(channel.clone(), shape).await {
                    Ok(()) => heard
                        .lock()
                        .expect("no panic")
                        .entry(signal)
                        .or_default()
                        .extend(first..first + BATCH),
                    Err(status) => {
                        ensure!(status.code() != tonic::Code::DataLoss, "{status:?}");
                        return Ok(());
                    }
                }
            }
        });
    }
    let moment = 60 + (round.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 33) % 500;
    tokio::time::sleep(Duration::from_millis(moment)).await;
    let _remains = server.kill()?;
    while let Some(ended) = exporters.join_next().await {
        ended??;
    }
    let heard = heard.lock().expect("no panic").clone();
    Ok(heard)
}

async fn check(server: &Tripline, round: u64, acknowledged: &Heard) -> Result<()> {
    let nothing = BTreeSet::new();
    for signal in Signal::ALL {
        let heard = acknowledged.get(&signal).unwrap_or(&nothing);
        check_stored(server, signal, &format!("round-{round}"), BATCH, heard).await?;
    }
    Ok(())
}
