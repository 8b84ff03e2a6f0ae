//! Pages that turn by themselves, and how they are held.

use std::time::Duration;

use anyhow::{Result, ensure};
use serde_json::{Value, json};

use super::driver::Browser;
use super::opened;
use crate::harness::{Tripline, now};

#[tokio::test]
async fn live_shows_what_arrives_and_a_pause_holds_it() -> Result<()> {
    let (server, browser) = opened().await?;
    browser.enter(&server, "/logs").await?;
    browser.click("button.live").await?;
    let send = async |text: &str| -> Result<()> {
        let body = json!({"resourceLogs": [{"scopeLogs": [{"logRecords": [{"timeUnixNano": now().to_string(), "body": {"stringValue": text}}]}]}]});
        server.send("logs", &body).await
    };
    send("a fresh record").await?;
    browser
        .until("return document.querySelector('.log-list').innerText.includes('a fresh record')")
        .await?;
    browser
        .until("return document.querySelector('.live-as-of').innerText.startsWith('as of')")
        .await?;
    browser.click("button.live").await?;
    browser
        .until("return document.querySelector('button.live').innerText === 'Live'")
        .await?;
    send("a later record").await?;
    // Longer than two ticks.
    tokio::time::sleep(Duration::from_secs(5)).await;
    let list = "return document.querySelector('.log-list').innerText";
    let held = browser.script(list).await?;
    ensure!(
        !held.to_string().contains("a later record"),
        "it goes on while paused: {held}"
    );
    browser.click("button.live").await?;
    browser
        .until("return document.querySelector('.log-list').innerText.includes('a later record')")
        .await?;
    browser.close().await
}

#[tokio::test]
async fn the_first_page_turns_by_itself_and_live_stands_only_where_something_is() -> Result<()> {
    let server = Tripline::start().await?;
    let browser = Browser::open(1280, 900).await?;
    browser.go(&server, "/").await?;
    browser
        .until("return document.querySelector('button.live').innerText === 'Pause'")
        .await?;
    crate::pages::seed(&server).await?;
    browser
        .until("return document.querySelector('#services')?.innerText.includes('checkout')")
        .await?;
    for (path, is_hidden) in [("/sql", true), ("/status", false), ("/traces", false)] {
        browser.enter(&server, path).await?;
        let hidden = browser
            .script(
                "return getComputedStyle(document.querySelector('button.live')).display === 'none'",
            )
            .await?;
        assert_eq!(hidden, Value::Bool(is_hidden), "{path}");
    }
    browser.close().await
}
