//! Starting, stopping, killing and starting again, as an operator does it.

use opentelemetry_proto::tonic::collector::trace::v1::trace_service_client::TraceServiceClient;

use crate::harness::{SpanShape, Start, Tripline, now, spans_request};

async fn send(server: &Tripline, first: u64, count: u64) -> anyhow::Result<()> {
    let mut client = TraceServiceClient::connect(format!("http://{}", server.otlp_grpc())).await?;
    let shape = SpanShape {
        service: "orders",
        first,
        count,
        start_unix_nano: now(),
    };
    let answer = client.export(spans_request(shape)).await?.into_inner();
    anyhow::ensure!(answer.partial_success.is_none(), "{answer:?}");
    Ok(())
}

#[tokio::test]
async fn what_was_acknowledged_survives_kill_dash_nine() -> anyhow::Result<()> {
    let server = Tripline::start().await?;
    send(&server, 0, 100).await?;
    let remains = server.kill()?;
    let server = Start::default().data_dir(&remains.data_dir).start().await?;
    assert_eq!(server.number("SELECT count(*) FROM spans").await?, 100);
    assert_eq!(
        server
            .number("SELECT count(DISTINCT span_id) FROM spans")
            .await?,
        100
    );
    Ok(())
}

#[tokio::test]
async fn sigterm_ends_it_cleanly_and_nothing_is_lost() -> anyhow::Result<()> {
    let server = Tripline::start().await?;
    send(&server, 0, 10).await?;
    let (code, remains) = server.stop()?;
    assert_eq!(code, Some(0));
    let server = Start::default().data_dir(&remains.data_dir).start().await?;
    assert_eq!(server.number("SELECT count(*) FROM spans").await?, 10);
    Ok(())
}

#[tokio::test]
async fn a_second_server_on_the_same_directory_is_refused_by_name() -> anyhow::Result<()> {
    let server = Tripline::start().await?;
    let Err(error) = Start::default().data_dir(server.data_dir()).start().await else {
        anyhow::bail!("a second server started");
    };
    let said = format!("{error:#}");
    assert!(said.contains(&server.pid().to_string()), "{said}");
    Ok(())
}

#[tokio::test]
async fn health_tells_alive_and_ready() -> anyhow::Result<()> {
    let server = Tripline::start().await?;
    assert_eq!(server.get_text("/healthz").await?.0, 200);
    assert_eq!(server.get_text("/readyz").await?.0, 200);
    let (status, metrics) = server.get_text("/metrics").await?;
    assert_eq!(status, 200);
    assert!(metrics.contains("tripline_build_info"), "{metrics}");
    Ok(())
}

#[tokio::test]
async fn metrics_tell_of_everything_that_is_counted_and_timed() -> anyhow::Result<()> {
    let server = Tripline::start().await?;
    send(&server, 0, 10).await?;
    server.number("SELECT count(*) FROM spans").await?;
    let (_, refused) = server.get_text("/api/v1/nothing").await?;
    anyhow::ensure!(refused.contains("not-found"), "{refused}");
    server.get("/api/v1/services").await?;
    let (_, metrics) = server.get_text("/metrics").await?;
    for family in [
        "tripline_store_accepted_total{signal=\"spans\"} 10",
        "tripline_store_refused_batches_total",
        "tripline_store_queue_bytes",
        "tripline_store_commit_seconds_count",
        "tripline_store_seal_seconds_bucket",
        "tripline_store_compaction_seconds_sum",
        "tripline_store_segments{state=\"hot\"}",
        "tripline_store_disk_bytes",
        "tripline_query_seconds_count{door=\"sql\",outcome=\"ok\"} 1",
        "tripline_query_seconds_count{door=\"question\",outcome=\"ok\"}",
    ] {
        assert!(metrics.contains(family), "{family}\n{metrics}");
    }
    Ok(())
}

/// Who only reads an old directory must not be the one who deletes from it.
#[tokio::test]
async fn a_query_in_a_directory_expires_nothing() -> anyhow::Result<()> {
    let server = Tripline::start().await?;
    send(&server, 0, 50).await?;
    let (_, remains) = server.stop()?;
    for _ in 0..3 {
        let output = std::process::Command::new(env!("CARGO_BIN_EXE_tripline-under-test"))
            .args(["sql", "--format", "csv", "--data-dir"])
            .arg(&remains.data_dir)
            .arg("SELECT count(*) AS n FROM spans")
            .env("TRIPLINE_STORE__RETENTION_AGE", "1ms")
            .env("TRIPLINE_STORE__HOT_AGE_MAX", "1ms")
            .output()?;
        let said = String::from_utf8(output.stdout)?;
        assert_eq!(
            said.trim(),
            "n\r\n50",
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
    }
    Ok(())
}
