//! Pages that turn by themselves, what of them is renewed, and how they are held.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};
use tripline_tests::driver::Browser;

use super::{opened, opened_in_kathmandu};
use crate::harness::{Tripline, now, text};
use crate::incidents::story::{SECOND, story};
use crate::pages::{says, seed};

/// What the list of records says.
const LIST: &str = "return document.querySelector('.log-list').innerText";

/// A log record of now.
async fn record(server: &Tripline, words: &str) -> Result<()> {
    let body = json!({"resourceLogs": [{"scopeLogs": [{"logRecords": [{"timeUnixNano": now().to_string(), "body": {"stringValue": words}}]}]}]});
    server.send("logs", &body).await
}

/// Calls of a service in one of its versions, each the only span of its trace.
async fn calls(server: &Tripline, version: &str, numbers: std::ops::Range<u64>) -> Result<()> {
    let start = now() - 2 * SECOND;
    let spans: Vec<Value> = numbers
        .map(|number| {
            json!({"traceId": format!("{:032x}", number + 77), "spanId": format!("{:016x}", number + 77), "name": "GET /late", "kind": 2,
                "startTimeUnixNano": start.to_string(), "endTimeUnixNano": (start + 5_000_000).to_string()})
        })
        .collect();
    let resource =
        json!({"attributes": [text("service.name", "late"), text("service.version", version)]});
    let body = json!({"resourceSpans": [{"resource": resource, "scopeSpans": [{"spans": spans}]}]});
    server.send("traces", &body).await
}

/// Whether the list of records has one that says this.
fn lists(words: &str) -> String {
    format!("return document.querySelector('.log-list').innerText.includes('{words}')")
}

/// Whether what a selector finds says this.
fn says_in(css: &str, words: &str) -> String {
    format!("return document.querySelector('{css}')?.innerText.includes('{words}') === true")
}

/// Whether the page has the parts that it has when it is loaded anew, in the same order; asked for again until it has.
const AS_LOADED_ANEW: &str = "
    const parts = page => [...page.querySelectorAll('main [data-live]')].map(part => part.id).join();
    if (!window.isAsking) {
        window.isAsking = true;
        fetch(location.href).then(answer => answer.text()).then(html => {
            window.anew = parts(new DOMParser().parseFromString(html, 'text/html'));
            window.isAsking = false;
        });
    }
    return window.anew === parts(document)";

/// Waits for so many ticks from now on, after each of which the page was asked again.
async fn ticks(browser: &Browser, number: u32) -> Result<()> {
    let count = "if (window.ticks === undefined) addEventListener('tripline:renewed', () => window.ticks += 1); window.ticks = 0";
    browser.script(count).await?;
    browser
        .until(&format!("return window.ticks >= {number}"))
        .await
}

/// Goes live, the pointer on nothing that could wait for it.
async fn go_live(browser: &Browser) -> Result<()> {
    browser.click("button.live").await?;
    browser.point(1.0, 1.0).await?;
    ticks(browser, 1).await
}

#[tokio::test]
async fn live_shows_what_arrives_and_a_pause_holds_it() -> Result<()> {
    let (server, browser) = opened().await?;
    browser.enter(&server, "/logs").await?;
    browser.click("button.live").await?;
    record(&server, "a fresh record").await?;
    browser.until(&lists("a fresh record")).await?;
    browser
        .until("return document.querySelector('.live-as-of').innerText.startsWith('as of')")
        .await?;
    browser.click("button.live").await?;
    browser
        .until("return document.querySelector('button.live').innerText === 'Live'")
        .await?;
    record(&server, "a later record").await?;
    // Longer than two ticks.
    tokio::time::sleep(Duration::from_secs(5)).await;
    let held = browser.script(LIST).await?;
    ensure!(
        !held.to_string().contains("a later record"),
        "it goes on while paused: {held}"
    );
    browser.click("button.live").await?;
    browser.until(&lists("a later record")).await?;
    browser.close().await
}

/// A record arrives, and two ticks later the list says what it said before.
async fn assert_held(server: &Tripline, browser: &Browser, words: &str) -> Result<()> {
    let before = browser.script(LIST).await?;
    record(server, words).await?;
    says(server, "/logs", &[words]).await?;
    ticks(browser, 2).await?;
    let after = browser.script(LIST).await?;
    ensure!(before == after, "{words}: {before}\nbecame\n{after}");
    browser
        .until(&says_in(".live-as-of", "paused where you are"))
        .await
}

#[tokio::test]
async fn a_list_stays_as_it_is_under_the_pointer_and_while_a_row_has_the_focus() -> Result<()> {
    let (server, browser) = opened().await?;
    browser.enter(&server, "/logs").await?;
    go_live(&browser).await?;

    browser.point_at(".log-list summary").await?;
    assert_held(&server, &browser, "under the pointer").await?;
    browser.point(1.0, 1.0).await?;
    browser.until(&lists("under the pointer")).await?;

    browser
        .script("document.querySelector('.log-list summary').focus()")
        .await?;
    assert_held(&server, &browser, "with the focus").await?;
    browser.script("document.activeElement.blur()").await?;
    browser.until(&lists("with the focus")).await?;

    // What is unfolded waits as well, with neither.
    browser
        .script("document.querySelector('.log-list details').open = true")
        .await?;
    assert_held(&server, &browser, "while unfolded").await?;
    browser
        .script("document.querySelector('.log-list details').open = false")
        .await?;
    browser.until(&lists("while unfolded")).await?;
    browser.close().await
}

#[tokio::test]
async fn all_parts_of_a_live_service_are_renewed_come_and_go() -> Result<()> {
    let server = Tripline::start().await?;
    seed(&server).await?;
    says(&server, "/", &["checkout"]).await?;
    let browser = Browser::open(1280, 900).await?;
    browser.enter(&server, "/services/late").await?;
    let is_there = |id: &str| format!("return document.getElementById('{id}') !== null");
    assert_eq!(
        browser.script(&is_there("no-calls")).await?,
        Value::Bool(true)
    );
    go_live(&browser).await?;

    // What was not there comes, and what is no longer true goes.
    calls(&server, "1.0", 0..3).await?;
    browser.until(&says_in("#figures", "3 calls")).await?;
    browser.until(&says_in("#operations", "GET /late")).await?;
    for (id, is_shown) in [("red", true), ("versions", false), ("no-calls", false)] {
        let there = browser.script(&is_there(id)).await?;
        assert_eq!(there, Value::Bool(is_shown), "{id}");
    }
    // What is there is renewed.
    calls(&server, "2.0", 3..5).await?;
    browser.until(&says_in("#figures", "5 calls")).await?;
    browser.until(&says_in("#versions", "2.0")).await?;
    browser.until(AS_LOADED_ANEW).await?;
    browser.close().await
}

#[tokio::test]
async fn a_live_overview_counts_on_and_tells_of_an_incident_that_begins() -> Result<()> {
    let server = Tripline::start().await?;
    seed(&server).await?;
    says(&server, "/", &["checkout"]).await?;
    let browser = Browser::open(1280, 900).await?;
    browser.enter(&server, "/").await?;
    let stored = "return document.querySelector('#stored .figure-value').innerText";
    assert_eq!(browser.script(stored).await?, json!("3"));
    // Unfolded before it is live, and so it stays.
    browser
        .script("document.getElementById('coverage').open = true")
        .await?;
    go_live(&browser).await?;
    calls(&server, "1.0", 0..3).await?;
    browser.until(&format!("{stored} === '6'")).await?;
    browser.until(&says_in("#services", "late")).await?;
    browser.until(&says_in("#coverage", "late")).await?;
    assert_eq!(
        browser
            .script("return document.getElementById('coverage').open")
            .await?,
        Value::Bool(true)
    );
    story(&server, (now() - 300 * SECOND) / SECOND * SECOND).await?;
    browser.until(&says_in("#incident-strip", "psp")).await?;
    browser.until(AS_LOADED_ANEW).await?;
    browser.close().await
}

#[tokio::test]
async fn what_is_under_the_pointer_stays_there_when_a_panel_comes_above_it() -> Result<()> {
    let server = Tripline::start().await?;
    seed(&server).await?;
    says(&server, "/", &["payment"]).await?;
    // Low enough for the page to scroll.
    let browser = Browser::open(1280, 400).await?;
    browser.enter(&server, "/").await?;
    go_live(&browser).await?;
    let row = "#services tbody tr";
    browser.point_at(row).await?;
    let top =
        format!("return Math.round(document.querySelector('{row}').getBoundingClientRect().top)");
    let before = browser.script(&top).await?;
    story(&server, (now() - 300 * SECOND) / SECOND * SECOND).await?;
    browser.until(&says_in("#incident-strip", "psp")).await?;
    let after = browser.script(&top).await?;
    let (before, after) = (
        before.as_i64().context("a place")?,
        after.as_i64().context("a place")?,
    );
    ensure!(before.abs_diff(after) <= 1, "from {before} to {after}");
    browser.close().await
}

/// Of a time of day in UTC, the one on clocks in Kathmandu: 5 h 45 min ahead, all year.
fn in_kathmandu(utc: &str) -> Result<String> {
    let (_, clock) = utc.split_once('T').context("a time of day")?;
    let number = |at: std::ops::Range<usize>| -> Result<u32> {
        Ok(clock.get(at).context("a time of day")?.parse()?)
    };
    let minutes = (number(0..2)? * 60 + number(3..5)? + 5 * 60 + 45) % (24 * 60);
    Ok(format!(
        "{:02}:{:02}:{:02}",
        minutes / 60,
        minutes % 60,
        number(6..8)?
    ))
}

#[tokio::test]
async fn the_moment_of_a_live_page_is_on_the_readers_own_clock() -> Result<()> {
    let (_server, browser) = opened_in_kathmandu().await?;
    browser.click("button.live").await?;
    browser.until(&says_in(".live-as-of", "as of")).await?;
    let told = browser
        .script(
            "const [live, foot] = ['.live-as-of', 'footer time'].map(css => document.querySelector(css));
             return [live.title, live.innerText, foot.title, foot.innerText]",
        )
        .await?;
    let word = |at: usize| told[at].as_str().context("a word");
    let live = in_kathmandu(word(0)?)?;
    ensure!(word(1)?.starts_with(&format!("as of {live}")), "{told}");
    assert_eq!(word(3)?, in_kathmandu(word(2)?)?, "{told}");
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
    seed(&server).await?;
    browser.until(&says_in("#services", "checkout")).await?;
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
