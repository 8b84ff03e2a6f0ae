//! A full disk, a store that refuses, a writer that is no more: what was acknowledged stays, the server says what is wrong,
//! and goes on when it can.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use tonic::Code;
use tonic::transport::Channel;

use crate::harness::{PATIENCE, Signal, SmallDisk, SpanShape, Start, Tripline, check_stored, now};

/// Items a request.
const BATCH: u64 = 1_000;
/// What is left of a full disk: enough for a hot segment, too little for a sealed one of any size.
const LEFT: u64 = 512 << 10;

const SEALING_FAILS: &str = "tripline_store_failing{work=\"sealing\"}";
const COMPACTION_FAILS: &str = "tripline_store_failing{work=\"compaction\"}";
const RETENTION_FAILS: &str = "tripline_store_failing{work=\"retention\"}";
const HISTORY: &str = "tripline_store_segments{state=\"history\"}";
const GIVEN_UP: &str = "tripline_store_segments_ended_total{cause=\"given_up\"}";
const SEALED: &str = "tripline_store_segments{state=\"sealed\"}";
const ROTATED: &str = "tripline_store_segments{state=\"rotated\"}";

/// What one service has sent, and heard of it.
#[derive(Default)]
struct Sender {
    next: u64,
    acknowledged: BTreeSet<u64>,
}

impl Sender {
    /// Sends so many requests of each signal. Each is taken or refused for now; whether all were taken.
    async fn send(&mut self, server: &Tripline, requests: u64) -> Result<bool> {
        let channel = Channel::from_shared(format!("http://{}", server.otlp_grpc()))?
            .connect()
            .await?;
        let mut taken = true;
        for _ in 0..requests {
            let shape = SpanShape {
                service: "shop",
                first: self.next,
                count: BATCH,
                start_unix_nano: now(),
            };
            self.next += BATCH;
            let mut heard = 0;
            for signal in Signal::ALL {
                match signal.export(channel.clone(), shape).await {
                    Ok(()) => heard += 1,
                    Err(status) => {
                        ensure!(status.code() == Code::Unavailable, "{signal:?}: {status:?}");
                    }
                }
            }
            // Of a number that was refused for one signal nothing is asked but that no request is halved.
            if heard == Signal::ALL.len() {
                self.acknowledged.extend(shape.first..shape.first + BATCH);
            } else {
                taken = false;
            }
        }
        Ok(taken)
    }

    /// Whether all that was acknowledged is there once.
    async fn check(&self, server: &Tripline) -> Result<()> {
        for signal in Signal::ALL {
            check_stored(server, signal, "shop", BATCH, &self.acknowledged).await?;
        }
        Ok(())
    }
}

/// A server on the small disk that merges so many segments into one.
fn on(disk: &SmallDisk, fan_in: &str) -> Start {
    Start::default()
        .data_dir(disk.path())
        .env("TRIPLINE_STORE__COMPACTION_FAN_IN", fan_in)
}

#[tokio::test]
async fn a_disk_that_is_full_at_a_seal_loses_nothing_and_sealing_goes_on_when_there_is_room()
-> Result<()> {
    let disk = SmallDisk::mount(64)?;
    let server = on(&disk, "100").start().await?;
    let mut sender = Sender::default();
    ensure!(sender.send(&server, 8).await?, "there is room");
    server.kill()?;
    // What was hot waits for the sealer at the next start.
    disk.fill(LEFT)?;
    let server = on(&disk, "100").start().await?;
    server.wait_for_metric(SEALING_FAILS, 1..=1).await?;
    ensure!(
        server.log().contains("sealing failed"),
        "not in the log: {}",
        server.log()
    );
    sender.check(&server).await?;
    // It goes on taking what there is room for, and refuses the rest for now.
    sender.send(&server, 2).await?;
    sender.check(&server).await?;
    disk.make_room()?;
    server.wait_for_metric(SEALING_FAILS, 0..=0).await?;
    server.wait_for_metric(ROTATED, 0..=0).await?;
    ensure!(server.metric(SEALED).await? > 0, "nothing was sealed");
    sender.check(&server).await?;
    ensure!(sender.send(&server, 1).await?, "there is room again");
    sender.check(&server).await?;
    server.kill()?;
    sender.check(&on(&disk, "100").start().await?).await
}

/// What the engine does without memory, at each step of a commit: before it, at its end, and after it, where DuckDB 2.0.0 tells
/// an error of a COMMIT that is done. No client sends twice, so what is stored twice was stored twice here.
#[tokio::test]
async fn a_commit_that_finds_no_memory_is_stored_once_whatever_became_of_it() -> Result<()> {
    for (step, told) in [
        ("commit.1", "a commit waits for memory"),
        ("commit.2", "a commit waits for memory"),
        ("commit.3", "a commit that is said to have failed is stored"),
    ] {
        let dir = tempfile::tempdir()?;
        let start = || Start::default().data_dir(dir.path());
        let server = start()
            .env("TRIPLINE_FAILPOINT", &format!("{step}:once-no-memory"))
            .env("TRIPLINE_STORE__HOT_AGE_MAX", "10m")
            .start()
            .await?;
        let mut sender = Sender::default();
        ensure!(sender.send(&server, 3).await?, "{step}: not taken");
        ensure!(
            server.log().contains(told),
            "{step}: not in the log: {}",
            server.log()
        );
        sender.check(&server).await?;
        if step == "commit.3" {
            // It takes no more rows, and is sealed long before it is full or old.
            server.wait_for_metric(SEALED, 1..=1).await?;
            sender.check(&server).await?;
        }
        server.kill()?;
        sender.check(&start().start().await?).await?;
    }
    Ok(())
}

#[tokio::test]
async fn a_disk_that_is_full_at_a_compaction_loses_nothing_and_it_is_done_when_there_is_room()
-> Result<()> {
    let disk = SmallDisk::mount(64)?;
    let mut sender = Sender::default();
    // Each start seals what the one before it took.
    for segments in 0..4 {
        let server = on(&disk, "100").start().await?;
        server.wait_for_metric(ROTATED, 0..=0).await?;
        ensure!(server.metric(SEALED).await? == segments, "not {segments}");
        if segments < 3 {
            ensure!(sender.send(&server, 3).await?, "there is room");
        }
        server.kill()?;
    }
    disk.fill(LEFT)?;
    let server = on(&disk, "3").start().await?;
    server.wait_for_metric(COMPACTION_FAILS, 1..=1).await?;
    ensure!(
        server.log().contains("compaction failed"),
        "not in the log: {}",
        server.log()
    );
    ensure!(server.metric(SEALED).await? == 3, "segments went away");
    sender.check(&server).await?;
    disk.make_room()?;
    server.wait_for_metric(SEALED, 1..=1).await?;
    server.wait_for_metric(COMPACTION_FAILS, 0..=0).await?;
    sender.check(&server).await?;
    server.kill()?;
    sender.check(&on(&disk, "3").start().await?).await
}

#[tokio::test]
async fn on_a_full_disk_what_expires_makes_room_and_its_history_stays() -> Result<()> {
    const CALLS: &str = "SELECT sum(calls)::BIGINT FROM red WHERE service_name = 'shop'";
    let disk = SmallDisk::mount(64)?;
    let start = || on(&disk, "100").env("TRIPLINE_STORE__RESERVE_BYTES", "8MiB");
    let mut sender = Sender::default();
    let server = start().start().await?;
    ensure!(sender.send(&server, 4).await?, "there is room");
    server.kill()?;
    let server = start().start().await?;
    server.wait_for_metric(ROTATED, 0..=0).await?;
    let calls = server.number(CALLS).await?;
    ensure!(calls > 0, "nothing was called");
    server.kill()?;
    let held = std::fs::metadata(disk.path().join("RESERVE"))?.len();
    assert_eq!(held, 8 << 20);

    disk.fill(LEFT)?;
    let server = start()
        .env("TRIPLINE_STORE__RETENTION_BYTES", "1")
        .start()
        .await?;
    server.wait_for_metric(HISTORY, 1..=1).await?;
    ensure!(
        server.log().contains("makes room in its reserve"),
        "there was room without it: {}",
        server.log()
    );
    assert_eq!(server.metric(SEALED).await?, 0);
    assert_eq!(server.number("SELECT count(*) FROM spans").await?, 0);
    assert_eq!(server.number(CALLS).await?, calls);
    server.wait_for_metric(RETENTION_FAILS, 0..=0).await?;
    assert_eq!(server.metric(GIVEN_UP).await?, 0);
    server.kill()?;
    let server = start().start().await?;
    assert_eq!(server.number(CALLS).await?, calls, "after a restart");
    Ok(())
}

#[tokio::test]
async fn a_history_that_never_finds_room_is_given_up_loudly_so_that_the_store_takes_more()
-> Result<()> {
    let server = Start::default()
        .env("TRIPLINE_FAILPOINT", "retain.3:full")
        .env("TRIPLINE_STORE__RETENTION_BYTES", "1")
        .env("TRIPLINE_STORE__MAINTENANCE_INTERVAL", "50ms")
        .env("TRIPLINE_STORE__HOT_AGE_MAX", "2s")
        .start()
        .await?;
    let mut sender = Sender::default();
    ensure!(sender.send(&server, 1).await?, "there is room");
    server.wait_for_metric(GIVEN_UP, 1..=u64::MAX).await?;
    for said in ["retention failed", "deleted without its history"] {
        ensure!(server.log().contains(said), "no {said}: {}", server.log());
    }
    // All three signals may have been sealed in one segment or in several.
    server.wait_for_metric(SEALED, 0..=0).await?;
    server.wait_for_metric(RETENTION_FAILS, 0..=0).await?;
    assert_eq!(server.metric(HISTORY).await?, 0);
    let deadline = Instant::now() + PATIENCE;
    while !sender.send(&server, 1).await? {
        ensure!(Instant::now() < deadline, "it takes nothing more");
    }
    Ok(())
}

/// A server in which this step of its work goes wrong.
async fn failing(step: &str) -> Result<Tripline> {
    Start::default()
        .env("TRIPLINE_FAILPOINT", step)
        .start()
        .await
}

#[tokio::test]
async fn a_server_whose_commits_fail_is_alive_but_not_ready_until_one_passes() -> Result<()> {
    let server = failing("commit.2:once-error").await?;
    assert_eq!(server.get_text("/readyz").await?.0, 200);
    let mut sender = Sender::default();
    // The first commit fails: spans, of the three signals.
    ensure!(!sender.send(&server, 1).await?, "nothing failed");
    assert_eq!(
        server
            .number("SELECT count(*) FROM spans WHERE service_name = 'shop'")
            .await?,
        0
    );
    assert_eq!(server.get_text("/readyz").await?.0, 200, "the next passed");

    let server = failing("commit.2:error").await?;
    ensure!(!Sender::default().send(&server, 1).await?, "nothing failed");
    let (status, said) = server.get_text("/readyz").await?;
    ensure!(
        status == 503 && said.contains("commit failed"),
        "{status} {said}"
    );
    assert_eq!(server.get_text("/healthz").await?.0, 200, "it may pass");
    assert_eq!(
        server
            .metric("tripline_store_failing{work=\"commit\"}")
            .await?,
        1
    );
    assert_eq!(
        server
            .metric("tripline_store_refused_batches_total{reason=\"unavailable\"}")
            .await?,
        3
    );
    Ok(())
}

#[tokio::test]
async fn a_server_whose_writer_is_gone_says_so_refuses_for_now_and_is_still_read() -> Result<()> {
    let server = Start::default().start().await?;
    let mut sender = Sender::default();
    ensure!(sender.send(&server, 1).await?, "all is well");
    let remains = server.kill()?;

    let server = Start::default()
        .data_dir(&remains.data_dir)
        .env("TRIPLINE_FAILPOINT", "commit.2:panic")
        .start()
        .await?;
    assert_eq!(server.get_text("/healthz").await?.0, 200);
    // What the writer was at when it ended, and what comes after, is refused, not left without an answer.
    ensure!(!sender.send(&server, 2).await?, "nothing failed");
    let deadline = Instant::now() + PATIENCE;
    for path in ["/healthz", "/readyz"] {
        loop {
            let (status, said) = server.get_text(path).await?;
            if status == 503 && said.contains("tripline-writer") {
                break;
            }
            ensure!(Instant::now() < deadline, "{path}: {status} {said}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
    sender.check(&server).await?;
    server.kill()?;
    let server = Start::default().data_dir(&remains.data_dir).start().await?;
    assert_eq!(server.get_text("/readyz").await?.0, 200);
    sender.check(&server).await
}

#[tokio::test]
async fn a_server_whose_disk_fails_a_sync_ends_by_itself_and_loses_nothing_it_acknowledged()
-> Result<()> {
    let server = Start::default().syncs(30).start().await?;
    let mut sender = Sender::default();
    let mut is_well = true;
    for _ in 0..40 {
        is_well = is_well && sender.send(&server, 1).await?;
    }
    ensure!(!is_well, "no commit failed");
    ensure!(!sender.acknowledged.is_empty(), "no commit passed");
    let (code, remains) = server.ended()?;
    assert_eq!(code, Some(1));
    let log = std::fs::read_to_string(remains.data_dir.with_extension("log"))?;
    for said in ["the engine gave up", ".duckdb: fsync failed!"] {
        ensure!(log.contains(said), "no {said}: {log}");
    }
    let server = Start::default().data_dir(&remains.data_dir).start().await?;
    assert_eq!(server.get_text("/readyz").await?.0, 200);
    sender.check(&server).await
}
