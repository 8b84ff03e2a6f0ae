//! A real browser over the real pages: hydration proven, no console errors, screenshots to look at.
//!
//! Needs `chromedriver` and `chromium`, and a binary with the bundle in it.

mod breakers;
mod demo;
mod editors;
mod graphs;
mod huge;
mod in_place;
mod journeys;
mod keys;
mod live;
mod walk;

use anyhow::Result;
use serde_json::json;
use tripline_tests::driver::Browser;

use crate::dashboard::plant;
use crate::harness::Tripline;
use crate::pages::seed;

/// A server with a failing checkout and sixty requests of two versions.
async fn filled() -> Result<Tripline> {
    let server = Tripline::start().await?;
    seed(&server).await?;
    plant(&server).await?;
    Ok(server)
}

/// Such a server and a window of the usual size.
async fn opened() -> Result<(Tripline, Browser)> {
    Ok((filled().await?, Browser::open(1280, 900).await?))
}

/// The same on the logs of a reader in Kathmandu, which is 5 h 45 min ahead of UTC, all year.
async fn opened_in_kathmandu() -> Result<(Tripline, Browser)> {
    let (server, browser) = opened().await?;
    let zone = json!({"timezoneId": "Asia/Kathmandu"});
    browser
        .devtools("Emulation.setTimezoneOverride", zone)
        .await?;
    browser.enter(&server, "/logs").await?;
    Ok((server, browser))
}
