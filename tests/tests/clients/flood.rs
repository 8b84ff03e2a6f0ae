//! The stock Go SDK under overload: what it says it dropped is what is not there.

use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};

use super::service::{Protocol, Service, place};
use crate::harness::Start;

/// What the store is throttled to, spans a second.
const TAKEN: u64 = 1_000;
/// What is offered: ten times that.
const OFFERED: u64 = 10_000;
/// How long.
const SECONDS: u64 = 60;

#[tokio::test(flavor = "multi_thread")]
async fn the_stock_client_s_own_drop_count_is_the_difference() -> Result<()> {
    let server = Start::default()
        .env(
            "TRIPLINE_STORE__COMMIT_ROWS_PER_SECOND_MAX",
            &TAKEN.to_string(),
        )
        .env("TRIPLINE_STORE__QUEUE_BYTES_MAX", "512KiB")
        .start()
        .await?;
    let mut command = Command::new(place("go")?.join("service"));
    command.env("OTEL_GO_X_OBSERVABILITY", "true");
    let service = Service::start(command, &server, Protocol::Grpc)?;
    let path = format!("/flood/{SECONDS}/{OFFERED}");
    let patience = Duration::from_secs(SECONDS + 60);
    let counts = service.get_within(&server, &path, patience).await?;
    let count = |name: &str| counts[name].as_u64().unwrap_or(0);
    let offered = counts["offered"].as_u64().context("what was offered")?;
    let dropped = count("otel.sdk.processor.span.processed queue_full");
    let failed: u64 = counts
        .as_object()
        .into_iter()
        .flatten()
        .filter(|(name, _)| {
            name.starts_with("otel.sdk.exporter.span.exported ") && !name.ends_with(" ok")
        })
        .filter_map(|(_, count)| count.as_u64())
        .sum();
    let stored = server
        .number("SELECT count(*) FROM spans WHERE name = 'flood'")
        .await?;
    println!("{counts}, stored {stored}");
    ensure!(dropped > offered / 2, "the throttle did not bite: {counts}");
    ensure!(
        count("otel.sdk.exporter.span.exported ok") == u64::try_from(stored)?,
        "{counts}, stored {stored}"
    );
    ensure!(
        offered - u64::try_from(stored)? == dropped + failed,
        "{counts}, stored {stored}"
    );
    service.stop()
}
