//! The README's walk through the demo, by somebody who follows links and reads: no query, no API.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};

use crate::harness::{Start, Tripline};

/// Until payment has broken at least once and its spans, logs and transitions are stored.
const PATIENCE: Duration = Duration::from_secs(90);

/// Reads a page until it says all of this.
async fn read_until(server: &Tripline, path: &str, words: &[&str]) -> Result<String> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let (status, html) = server.get_text(path).await?;
        let missing: Vec<&&str> = words.iter().filter(|word| !html.contains(**word)).collect();
        if status == 200 && missing.is_empty() {
            return Ok(html);
        }
        ensure!(
            Instant::now() < deadline,
            "{path} ({status}) never said {missing:?}\n{html}"
        );
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
}

/// The first link of a page that starts like this.
fn link(html: &str, start: &str) -> Result<String> {
    let from = html
        .find(&format!("href=\"{start}"))
        .with_context(|| format!("no link to {start}\n{html}"))?
        + "href=\"".len();
    let length = html[from..].find('"').context("an attribute ends")?;
    Ok(html[from..from + length].replace("&amp;", "&"))
}

#[tokio::test]
async fn the_demo_is_understood_by_following_links() -> Result<()> {
    let server = Start::default().command("demo").start().await?;
    // 1. Overview: services, which of them fail, their breakers; the pages are in its heading.
    let overview = read_until(
        &server,
        "/",
        &["payment", "orders", "share bad", "class=\"spark\"", "of "],
    )
    .await?;
    // 2. Graph: who calls payment, and the breaker's state on the edge.
    let graph = read_until(
        &server,
        &link(&overview, "/graph")?,
        &["orders → payment", "breaker-state"],
    )
    .await?;
    // 3. Breakers: since when, how that is known, and the trace that tripped it.
    let breakers = read_until(
        &server,
        &link(&graph, "/breakers")?,
        &["payment", "Tripped by", "href=\"/traces/"],
    )
    .await?;
    // 4. That trace: the failing span, selected, with what was logged.
    let trace = read_until(
        &server,
        &link(&breakers, "/traces/")?,
        &["wf-row", "orders", "Attributes"],
    )
    .await?;
    // 5. Incidents: trips that belong together, with the evidence for their root.
    let incidents = read_until(
        &server,
        &link(&trace, "/incidents")?,
        &["Likely root", "href=\"/incidents/"],
    )
    .await?;
    let incident = read_until(&server, &link(&incidents, "/incidents/")?, &["payment"]).await?;
    ensure!(incident.contains("Copy as Markdown"), "{incident}");
    Ok(())
}
