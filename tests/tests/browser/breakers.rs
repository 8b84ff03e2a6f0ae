//! Breakers in a real browser: the sixty seconds of somebody paged at night, from the pasted link; a red edge to the
//! trace that tripped it; the graph through time; what-if.

use anyhow::{Context as _, Result, ensure};
use fantoccini::Locator;
use tripline_tests::driver::Browser;

use super::walk::{assert_accessible, assert_narrow, assert_silent};
use crate::harness::{Tripline, now};
use crate::incidents::story::{SECOND, rfc3339, span_id, story, trace_id};

/// A server with the story of `incidents.rs`, and when it began.
async fn told() -> Result<(Tripline, u64)> {
    let server = Tripline::start().await?;
    let begin = (now() - 300 * SECOND) / SECOND * SECOND;
    story(&server, begin).await?;
    Ok((server, begin))
}

/// Waits until the page says all of it.
async fn reads(browser: &Browser, words: &[&str]) -> Result<()> {
    let words = serde_json::to_string(words)?;
    browser
        .until(&format!(
            "return {words}.every(words => document.body.innerText.includes(words))"
        ))
        .await
}

/// Clicks the first link whose address contains this.
async fn follow(browser: &Browser, part: &str) -> Result<()> {
    let link = format!("main a[href*='{part}']");
    let found = browser
        .element(&link)
        .await
        .with_context(|| format!("no link to {part}"))?;
    // As a person would, who does not click what the head of the page covers.
    let into_view = format!("document.querySelector({link:?}).scrollIntoView({{block: 'center'}})");
    browser.script(&into_view).await?;
    found.click().await?;
    Ok(())
}

async fn the_sixty_seconds(width: u32, height: u32) -> Result<()> {
    let (server, begin) = told().await?;
    let browser = Browser::open(width.max(500), height).await?;
    if width < 500 {
        browser.screen(width, height).await?;
    }
    // 0 s: the pager's link. 5 s: the sentence.
    let pasted = format!(
        "/breakers/checkout/payment?at={}",
        rfc3339(begin + 53 * SECOND)
    );
    browser.go(&server, &pasted).await?;
    reads(
        &browser,
        &[
            "checkout → payment was OPEN on 1 instance from",
            "12 of 20 calls failed (limit 50 %)",
        ],
    )
    .await?;
    browser.picture(&format!("sixty-breaker-{width}")).await?;
    // 12 s: the incident it is part of, the likely root and its evidence.
    follow(&browser, "/incidents/").await?;
    reads(
        &browser,
        &[
            "likely root: psp",
            "was the first to fail",
            "psp 9.1 rolled out",
        ],
    )
    .await?;
    browser.picture(&format!("sixty-incident-{width}")).await?;
    // 42 s: who is hurt; 55 s: whether it is over.
    reads(&browser, &["POST /checkout", "recovered"]).await?;
    // 50 s: into the chat.
    browser.until_live().await?;
    browser.script("window.copied = []; navigator.clipboard.writeText = text => { copied.push(text); return Promise.resolve(); }").await?;
    browser
        .client
        .find(Locator::XPath("//button[contains(., 'Copy as Markdown')]"))
        .await?
        .click()
        .await?;
    browser
        .until("return copied.length === 1 && copied[0].includes('psp')")
        .await?;
    // 20 s: a failing trace, at its deepest failing span. 32 s: the span panel.
    follow(
        &browser,
        &format!("{}?span={}", trace_id(91), span_id(91, 4)),
    )
    .await?;
    browser
        .until(
            "return document.querySelector('.span-panel')?.innerText.includes('Charge') === true",
        )
        .await?;
    let is_wide = browser.scrolls_sideways().await?;
    ensure!(!is_wide, "the trace scrolls sideways at {width}");
    browser.picture(&format!("sixty-span-{width}")).await?;
    browser.close().await
}

/// The pages that only a server with trips has.
#[tokio::test]
async fn pages_of_trips_are_accessible_silent_and_fit_a_phone() -> Result<()> {
    let (server, begin) = told().await?;
    let at = rfc3339(begin + 53 * SECOND);
    let incidents = server.get("/api/v1/incidents").await?;
    let incident = incidents["items"][0]["incident_id"]
        .as_str()
        .context("an incident")?;
    let pages = [
        ("/breakers?from=now-10m".to_owned(), "breakers-tripped"),
        ("/incidents".to_owned(), "incidents"),
        (format!("/incidents/{incident}"), "incident"),
        (format!("/breakers/checkout/payment?at={at}"), "breaker"),
        (
            "/breakers/payment/psp/whatif?from=now-10m".to_owned(),
            "whatif",
        ),
        (format!("/traces/{}", trace_id(110)), "trace-refused"),
        ("/".to_owned(), "overview-tripped"),
        (
            "/services/checkout?from=now-10m".to_owned(),
            "service-tripped",
        ),
        (
            "/breakers?tab=review&from=now-10m".to_owned(),
            "breakers-review",
        ),
        (
            "/breakers/payment/psp/whatif?from=now-10m&consecutive_failures_threshold=2".to_owned(),
            "whatif-edited",
        ),
        (
            "/breakers/payment/psp/whatif?from=now-10m&consecutive_failures_threshold=none"
                .to_owned(),
            "whatif-complaint",
        ),
        (format!("/graph?from=now-10m&at={at}"), "graph-open"),
    ];
    let browser = Browser::open(1280, 900).await?;
    assert_accessible(&server, &browser, &pages).await?;
    assert_silent(&server, &browser, &pages).await?;
    for (path, name) in &pages {
        browser.go(&server, path).await?;
        browser.picture(name).await?;
    }
    assert_narrow(&server, &browser, &pages).await?;
    browser.close().await
}

#[tokio::test]
async fn the_sixty_seconds_from_a_pasted_link() -> Result<()> {
    the_sixty_seconds(1280, 900).await
}

#[tokio::test]
async fn the_sixty_seconds_on_a_phone() -> Result<()> {
    the_sixty_seconds(390, 844).await
}

#[tokio::test]
async fn a_red_edge_is_two_clicks_from_the_trace_that_tripped_it() -> Result<()> {
    let (server, begin) = told().await?;
    let browser = Browser::open(1280, 900).await?;
    let (from, to) = (rfc3339(begin), rfc3339(begin + 120 * SECOND));
    let at = rfc3339(begin + 55 * SECOND);
    browser
        .go(&server, &format!("/graph?from={from}&to={to}&at={at}"))
        .await?;
    reads(&browser, &["○ open"]).await?;
    browser.picture("graph-tripped").await?;
    follow(&browser, "/breakers/payment/psp").await?;
    reads(&browser, &["tripped it"]).await?;
    follow(&browser, &format!("/traces/{}", trace_id(91))).await?;
    browser
        .until("return document.querySelector('.span-panel') !== null")
        .await?;
    browser.close().await
}

/// Moves the slider under the graph to a step.
fn slide(step: u32) -> String {
    format!(
        "const slider = document.querySelector('.step-slider input'); slider.value = {step};
         slider.dispatchEvent(new Event('input', {{bubbles: true}}));"
    )
}

/// Whether the graph is that of a step.
fn shown(step: u32) -> String {
    format!(
        "return [...document.querySelectorAll('.scrubber-steps a')].findIndex(a => a.ariaCurrent === 'step') === {step}"
    )
}

#[tokio::test]
async fn the_scrubber_moves_the_graph_through_time() -> Result<()> {
    let (server, begin) = told().await?;
    let browser = Browser::open(1280, 900).await?;
    let (from, to) = (rfc3339(begin), rfc3339(begin + 120 * SECOND));
    browser
        .enter(&server, &format!("/graph?from={from}&to={to}"))
        .await?;
    // Before the fault, within it, after it: the same boxes, other numbers.
    let boxes = "return [...document.querySelectorAll('.graph .node rect:first-of-type')].map(r => r.getAttribute('x') + ',' + r.getAttribute('y')).join()";
    browser.script(&slide(1)).await?;
    browser.until(&shown(1)).await?;
    browser
        .until("return document.querySelectorAll('.edge.failed').length === 0")
        .await?;
    let places = browser.script(boxes).await?;
    browser.script(&slide(5)).await?;
    browser.until(&shown(5)).await?;
    reads(&browser, &["○ open"]).await?;
    browser
        .until("return document.querySelectorAll('.edge.passed').length < 2")
        .await?;
    assert_eq!(
        places,
        browser.script(boxes).await?,
        "boxes stay where they are"
    );
    browser
        .until("return location.search.includes('at=')")
        .await?;
    browser.picture("graph-scrubbed").await?;
    // It plays on by itself.
    browser.click(".step-slider button").await?;
    browser.until("return [...document.querySelectorAll('.scrubber-steps a')].findIndex(a => a.ariaCurrent === 'step') >= 7").await?;
    browser.close().await
}

#[tokio::test]
async fn a_step_of_the_graph_is_in_its_link_and_in_what_is_saved_of_it() -> Result<()> {
    let (server, begin) = told().await?;
    let browser = Browser::open(1280, 900).await?;
    let (from, to) = (rfc3339(begin), rfc3339(begin + 120 * SECOND));
    let graph = format!("/graph?from={from}&to={to}");
    browser.enter(&server, &graph).await?;
    browser.script(&slide(3)).await?;
    browser.until(&shown(3)).await?;
    browser.catch_copies().await?;
    let link = browser.copied_link().await?;
    browser.client.goto(&link).await?;
    browser.until(&shown(3)).await?;

    // A link and a form beside the graph go on from the step too.
    browser.enter(&server, &graph).await?;
    browser.script(&slide(3)).await?;
    browser.until(&shown(3)).await?;
    browser
        .until("return document.querySelector('.compare').search.includes('at=')")
        .await?;
    browser
        .until("return new FormData(document.querySelector('.graph-find')).get('at') !== null")
        .await?;
    browser
        .script("document.querySelector('.saved').open = true")
        .await?;
    browser
        .element(".saved input[name=name]")
        .await?
        .send_keys("the fault\u{e007}")
        .await?;
    browser
        .until("return document.querySelector('.saved a')?.textContent.trim() === 'the fault'")
        .await?;
    browser.until(&shown(3)).await?;
    browser.close().await
}

#[tokio::test]
async fn what_if_is_asked_by_filling_in_one_setting() -> Result<()> {
    let (server, _) = told().await?;
    let browser = Browser::open(1280, 900).await?;
    browser
        .go(&server, "/breakers/payment/psp?from=now-10m")
        .await?;
    follow(&browser, "/whatif").await?;
    reads(
        &browser,
        &["Baseline", "Against what happened", "What this cannot know"],
    )
    .await?;
    let input = browser
        .element("input[name='consecutive_failures_threshold']")
        .await?;
    input.send_keys("2\u{e007}").await?;
    reads(&browser, &["Edited"]).await?;
    browser
        .until("return location.search.includes('consecutive_failures_threshold=2')")
        .await?;
    browser.picture("what-if").await?;
    browser.close().await
}
