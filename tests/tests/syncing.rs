//! What is on the disk before anybody is told: the order of system calls of the real binary, as `strace` saw them.
//!
//! SIGKILL does not show it, for the kernel keeps what was written; a power cut would.

use std::ops::Range;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};

use crate::harness::{
    Call, PATIENCE, Signal, SpanShape, Start, Tripline, calls_of_the_dead, logs_request, now,
    points_request, spans_request,
};

const WRITES: &[&str] = &["write", "writev", "pwrite64", "pwritev"];
const SENDS: &[&str] = &["write", "writev", "sendto", "sendmsg"];
const RENAMES: &[&str] = &["rename", "renameat", "renameat2"];
const UNLINKS: &[&str] = &["unlink", "unlinkat"];
/// How the server begins to say that a request was taken.
const TAKEN: &str = "\"HTTP/1.1 200 OK";

/// Sends one request of a signal over OTLP/HTTP and waits for the answer.
async fn send(server: &Tripline, signal: Signal) -> Result<()> {
    use prost::Message as _;
    let shape = SpanShape {
        service: "shop",
        first: 0,
        count: 100,
        start_unix_nano: now(),
    };
    let (path, body) = match signal {
        Signal::Spans => ("traces", spans_request(shape).encode_to_vec()),
        Signal::Logs => ("logs", logs_request(shape).encode_to_vec()),
        Signal::Points => ("metrics", points_request(shape).encode_to_vec()),
    };
    let answer = server
        .client
        .post(format!("http://{}/v1/{path}", server.otlp_http()))
        .header("content-type", "application/x-protobuf")
        .body(body)
        .send()
        .await?;
    ensure!(answer.status() == 200, "{signal:?}: {}", answer.status());
    Ok(())
}

/// The first of `calls` that begins after `line` and is one of these.
fn after<'a>(
    calls: &'a [Call],
    line: usize,
    what: &str,
    is: impl Fn(&Call) -> bool,
) -> Result<&'a Call> {
    calls
        .iter()
        .find(|call| call.began > line && is(call))
        .with_context(|| format!("no {what} after line {line} of the trace"))
}

/// What was written last to a file between two lines, and the sync of it.
fn written_and_synced<'a>(
    calls: &'a [Call],
    between: Range<usize>,
    file: &str,
) -> Result<(&'a Call, &'a Call)> {
    let is_between = |call: &Call| between.start < call.began && call.began < between.end;
    let written = calls
        .iter()
        .rfind(|call| is_between(call) && call.is(WRITES, file))
        .with_context(|| format!("nothing was written to {file}"))?;
    let synced = after(calls, written.ended, "sync", |call| call.syncs(file))?;
    Ok((written, synced))
}

#[tokio::test]
async fn the_log_of_the_hot_segment_is_synced_before_a_request_of_any_signal_is_acknowledged()
-> Result<()> {
    let scratch = tempfile::tempdir()?;
    let trace = scratch.path().join("trace");
    let server = Start::default().traced(&trace).start().await?;
    for signal in Signal::ALL {
        send(&server, signal).await?;
    }
    let pid = server.pid();
    let _remains = server.kill()?;
    let calls = calls_of_the_dead(&trace, pid).await?;
    // The first hot segment takes what comes first; the next one is made meanwhile.
    let log = "hot-0000000001.duckdb.wal>";
    let made = after(&calls, 0, "log", |call| call.is(WRITES, log))?;
    let named = after(&calls, made.ended, "sync of the directory", |call| {
        call.syncs("/data>")
    })?;
    let mut last = named.ended;
    for signal in Signal::ALL {
        let told = after(&calls, last, "answer", |call| call.is(SENDS, TAKEN))?;
        let (written, synced) = written_and_synced(&calls, last..told.began, log)
            .with_context(|| format!("{signal:?} were acknowledged"))?;
        ensure!(
            synced.ended < told.began,
            "{signal:?} were acknowledged before they were synced: {written:?} {synced:?} {told:?}"
        );
        last = told.ended;
    }
    Ok(())
}

#[tokio::test]
async fn a_seal_syncs_its_file_renames_it_syncs_the_directory_and_only_then_deletes_the_hot_file()
-> Result<()> {
    let scratch = tempfile::tempdir()?;
    let trace = scratch.path().join("trace");
    let server = Start::default()
        .traced(&trace)
        .env("TRIPLINE_STORE__HOT_AGE_MAX", "200ms")
        .start()
        .await?;
    for signal in Signal::ALL {
        send(&server, signal).await?;
    }
    // Sealed, and what it replaces is gone.
    server
        .wait_for_metric(
            "tripline_store_segments_ended_total{cause=\"replaced\"}",
            1..=u64::MAX,
        )
        .await?;
    let hot = server.data_dir().join("hot-0000000001.duckdb");
    let deadline = Instant::now() + PATIENCE;
    while hot.exists() {
        ensure!(Instant::now() < deadline, "the hot file stays");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let pid = server.pid();
    let _remains = server.kill()?;
    let calls = calls_of_the_dead(&trace, pid).await?;
    let unfinished = ".duckdb.tmp>";
    let renamed = after(&calls, 0, "rename", |call| {
        call.is(RENAMES, ".duckdb.tmp\"")
    })?;
    let (written, synced) = written_and_synced(&calls, 0..renamed.began, unfinished)?;
    ensure!(
        synced.ended < renamed.began,
        "renamed before it was synced: {written:?} {synced:?} {renamed:?}"
    );
    let named = after(&calls, renamed.ended, "sync of the directory", |call| {
        call.syncs("/data>")
    })?;
    let deleted = after(&calls, 0, "deletion", |call| {
        call.is(UNLINKS, "hot-0000000001.duckdb\"")
    })?;
    ensure!(
        named.ended < deleted.began,
        "deleted before the seal was durable: {named:?} {deleted:?}"
    );
    Ok(())
}
