//! Links that lead to the page they stand on are followed without loading it anew: what was left on the window is still
//! there, and the address is what a loaded page would have.

use anyhow::{Result, ensure};
use serde_json::{Value, json};
use tripline_tests::driver::Browser;

use super::opened;
use crate::graphs::large;
use crate::harness::Tripline;
use crate::pages::{TRACE, says};

const CHARGE: &str = "0515810000000002";
const DECLINED: &str = "0515810000000003";

/// Enters a page, and leaves something on its window that no other page has.
async fn entered(server: &Tripline, browser: &Browser, path: &str) -> Result<()> {
    browser.enter(server, path).await?;
    browser.script("window.isTheSame = true").await?;
    Ok(())
}

/// Waits until a script answers `true` and nothing is asked for any more; the page is then still the one that was entered.
async fn comes(browser: &Browser, what: &str) -> Result<()> {
    browser.until(what).await?;
    browser
        .until("return !document.documentElement.hasAttribute('data-asking')")
        .await?;
    ensure!(
        browser.script("return window.isTheSame === true").await? == json!(true),
        "the page was loaded anew before {what}"
    );
    browser.until(what).await
}

/// Whether the address has such a parameter.
fn asks(name: &str, value: &str) -> String {
    format!("return new URLSearchParams(location.search).get('{name}') === '{value}'")
}

/// Whether the panel is of a span, and its row the only one that is marked.
fn opens(span: &str) -> String {
    format!(
        "return document.querySelector('.span-panel')?.innerText.includes('{span}') === true
            && [...document.querySelectorAll('.wf-row.chosen')].map(row => row.id).join() === 's-{span}'
            && document.querySelector('#s-{span} .wf-op').ariaCurrent === 'true'"
    )
}

const PANEL: &str = "return document.querySelector('.span-panel').innerText";
const IS_CLOSED: &str = "return document.querySelector('.span-panel, .wf-row.chosen') === null";

#[tokio::test]
async fn a_span_is_chosen_and_left_again_without_loading_its_trace() -> Result<()> {
    let (server, browser) = opened().await?;
    entered(&server, &browser, &format!("/traces/{TRACE}")).await?;
    browser.click(&format!("#s-{DECLINED} .wf-op")).await?;
    comes(&browser, &opens(DECLINED)).await?;
    comes(&browser, &asks("span", DECLINED)).await?;
    let declined = browser.script(PANEL).await?;
    browser.click(&format!("#s-{CHARGE} .wf-op")).await?;
    comes(&browser, &opens(CHARGE)).await?;
    // What is passed on is of what is shown.
    browser.catch_copies().await?;
    let link = browser.copied_link().await?;
    ensure!(link.contains(&format!("span={CHARGE}")), "{link}");
    // A link that was drawn before goes on from here, too.
    browser
        .click("nav[aria-label='Views of this trace'] a[href*='view=critical']")
        .await?;
    comes(&browser, &asks("view", "critical")).await?;
    comes(&browser, &asks("span", CHARGE)).await?;
    browser.client.back().await?;
    comes(&browser, &opens(CHARGE)).await?;
    browser.client.back().await?;
    comes(&browser, &opens(DECLINED)).await?;
    browser.click(".span-panel .close").await?;
    comes(&browser, IS_CLOSED).await?;
    comes(&browser, "return !location.search.includes('span')").await?;
    // The panel by itself says what that of a loaded page says.
    let whole = format!("/traces/{TRACE}?span={DECLINED}");
    browser.enter(&server, &whole).await?;
    browser
        .until("return document.querySelector('.span-panel time[data-clock]') === null")
        .await?;
    assert_eq!(browser.script(PANEL).await?, declined);
    let mut said = browser.console().await?;
    said.retain(|entry| entry["level"] == "SEVERE" && entry["source"] != "network");
    assert_eq!(said, Vec::<Value>::new());
    browser.close().await
}

#[tokio::test]
async fn what_is_folded_is_gone_at_once_and_is_gone_on_the_page_that_is_loaded_then() -> Result<()>
{
    let (server, browser) = opened().await?;
    let rows = "[...document.querySelectorAll('.wf-row[id]')].filter(row => row.checkVisibility()).map(row => row.id.slice(-1)).join('')";
    let are = |shown: &str| format!("return {rows} === '{shown}'");
    entered(&server, &browser, &format!("/traces/{TRACE}")).await?;
    browser.until(&are("123")).await?;
    let fold = format!("#s-{CHARGE} .wf-toggle");
    // In the same breath: nobody was asked.
    let press = format!("document.querySelector('{fold}').click(); return {rows}");
    assert_eq!(browser.script(&press).await?, json!("12"));
    comes(&browser, &asks("fold", CHARGE)).await?;
    comes(&browser, &are("12")).await?;
    let sign = format!("return document.querySelector('{fold}').innerText === '▸1'");
    comes(&browser, &sign).await?;
    // A span chosen beside it leaves it folded.
    browser.click("#s-0515810000000001 .wf-op").await?;
    comes(&browser, &opens("0515810000000001")).await?;
    comes(&browser, &asks("fold", CHARGE)).await?;
    browser.client.refresh().await?;
    browser.until_live().await?;
    browser.until(&are("12")).await?;
    browser.script("window.isTheSame = true").await?;
    browser.click(&fold).await?;
    comes(&browser, &are("123")).await?;
    comes(&browser, &opens("0515810000000001")).await?;
    comes(&browser, "return !location.search.includes('fold')").await?;
    browser.close().await
}

#[tokio::test]
async fn the_views_of_a_trace_and_what_is_found_in_it_come_into_the_same_page() -> Result<()> {
    let (server, browser) = opened().await?;
    entered(&server, &browser, &format!("/traces/{TRACE}")).await?;
    for (view, shown) in [
        ("flame", "svg.flame"),
        ("statistics", "#trace-view table.list"),
        ("graph", "#trace-view svg.graph"),
    ] {
        // The tab is the chosen one in the same breath, before anybody has answered.
        let press = format!(
            "const views = document.querySelector(\"nav[aria-label='Views of this trace']\");
             views.querySelector('a[href*=\"view={view}\"]').click();
             return [...views.querySelectorAll('[aria-current]')].map(tab => new URL(tab.href).searchParams.get('view')).join()"
        );
        assert_eq!(browser.script(&press).await?, json!(view));
        comes(
            &browser,
            &format!("return document.querySelector('{shown}') !== null"),
        )
        .await?;
        comes(&browser, &asks("view", view)).await?;
    }
    // From a block of the flame graph back to its span.
    browser
        .click("nav[aria-label='Views of this trace'] a[href*='view=flame']")
        .await?;
    comes(
        &browser,
        "return document.querySelector('a.flame-block') !== null",
    )
    .await?;
    browser
        .script("document.querySelector('a.flame-block rect').dispatchEvent(new MouseEvent('click', {bubbles: true, cancelable: true}))")
        .await?;
    comes(&browser, &opens("0515810000000001")).await?;
    // What is in a row's own words is marked in the same breath; what is in its attributes comes with the answer.
    let found = "return [...document.querySelectorAll('.wf-row.found')].map(row => row.id).join()";
    let find = |word: &str| {
        format!(
            "const form = document.querySelector('.find-span'); form.find.value = '{word}'; form.requestSubmit(); {found}"
        )
    };
    assert_eq!(
        browser.script(&find("Charge")).await?,
        json!(format!("s-{CHARGE}"))
    );
    comes(&browser, &asks("find", "Charge")).await?;
    assert_eq!(
        browser.script(&find("/checkout")).await?,
        json!("s-0515810000000001")
    );
    comes(
        &browser,
        "return document.querySelectorAll('.wf-row.found').length === 3",
    )
    .await?;
    browser.client.back().await?;
    comes(&browser, &format!("{found} === 's-{CHARGE}'")).await?;
    let clear = "document.querySelector('.find-span a[href]:not(.found a)').click()";
    browser.script(clear).await?;
    comes(
        &browser,
        "return document.querySelector('.wf-row.found') === null",
    )
    .await?;
    let field = browser.element(".find-span input[type=search]").await?;
    field.send_keys("charge\u{e007}").await?;
    comes(&browser, &format!("{found} === 's-{CHARGE}'")).await?;
    comes(&browser, &asks("find", "charge")).await?;
    comes(
        &browser,
        "return document.querySelector('.span-panel') === null",
    )
    .await?;
    browser.close().await
}

#[tokio::test]
async fn the_graph_is_searched_and_focused_in_the_same_page() -> Result<()> {
    let server = Tripline::start().await?;
    large(&server).await?;
    says(&server, "/graph", &["in_process:parcels"]).await?;
    let browser = Browser::open(1280, 900).await?;
    entered(&server, &browser, "/graph").await?;
    let boxes = "document.querySelectorAll('.graph .node').length";
    let all = browser.script(&format!("return {boxes}")).await?;
    let field = browser.element(".graph-find input[type=search]").await?;
    field.send_keys("nobody at all\u{e007}").await?;
    comes(
        &browser,
        "return document.querySelector('#graph-hidden').innerText.includes('Nothing here is named nobody at all.')",
    )
    .await?;
    browser.client.back().await?;
    comes(
        &browser,
        "return document.querySelector('#graph-hidden').innerText === ''",
    )
    .await?;
    comes(
        &browser,
        "return document.querySelector('.graph-find input[type=search]').value === ''",
    )
    .await?;
    // A peer's box leads to the graph around it.
    browser
        .script("document.querySelector('.node.peer rect').dispatchEvent(new MouseEvent('click', {bubbles: true, cancelable: true}))")
        .await?;
    comes(&browser, &format!("return {boxes} < {all}")).await?;
    comes(
        &browser,
        "return document.querySelector('#graph-around') !== null",
    )
    .await?;
    browser.click("#graph-around a").await?;
    comes(&browser, &format!("return {boxes} === {all}")).await?;
    comes(
        &browser,
        "return document.querySelector('#graph-around') === null",
    )
    .await?;
    browser.close().await
}
