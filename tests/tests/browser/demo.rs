//! What somebody sees who has just started the demo: `tripline demo`, its first page, the way on from there.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use serde_json::json;
use tripline_tests::driver::Browser;

use crate::harness::Start;

/// Until payment has broken at least once and that is stored.
const BROKEN_WITHIN: Duration = Duration::from_secs(90);

/// The shop's services, an incident that is a link, the shape of a breaker's state.
const SEEN: &str = "
    const said = css => document.querySelector(css)?.innerText ?? '';
    return [
        ['payment', 'orders'].every(name => said('#services').includes(name)),
        document.querySelector('#incident-strip a[href*=\"/incidents/\"]') !== null,
        /[●○◐] [0-9]/.test(said('#services')),
    ]";

#[tokio::test]
async fn the_first_page_of_the_demo_shows_services_an_incident_and_a_breaker() -> Result<()> {
    let server = Start::default().command("demo").start().await?;
    let browser = Browser::open(1280, 900).await?;
    let deadline = Instant::now() + BROKEN_WITHIN;
    loop {
        browser.go(&server, "/").await?;
        let seen = browser.script(SEEN).await?;
        if seen == json!([true, true, true]) {
            break;
        }
        ensure!(
            Instant::now() < deadline,
            "services, incident, breaker: {seen}"
        );
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    browser.picture("demo").await?;
    browser
        .click("#incident-strip a[href*='/incidents/']")
        .await?;
    browser
        .until(
            "return location.pathname.startsWith('/incidents/') && document.body.innerText.includes('payment')",
        )
        .await?;
    browser.picture("demo-incident").await?;
    browser.close().await
}
