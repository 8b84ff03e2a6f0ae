//! The filter box and the SQL editor: what they offer, how it is taken, what comes of it.

use anyhow::Result;

use super::opened;

#[tokio::test]
async fn the_filter_is_completed_by_keyboard_alone() -> Result<()> {
    let (server, browser) = opened().await?;
    browser.enter(&server, "/traces").await?;
    let input = browser.element("input[name=q][role=combobox]").await?;
    input.send_keys("ten").await?;
    let offered = |text: &str| {
        format!(
            "return [...document.querySelectorAll('.offers li code')].map(e => e.textContent).join() === '{text}'"
        )
    };
    browser.until(&offered("tenant")).await?;
    // Down, Enter: take it. What follows a key is an operator.
    input.send_keys("\u{e015}\u{e007}").await?;
    browser
        .until("return document.querySelector('input[role=combobox]').value === 'tenant '")
        .await?;
    input.send_keys("= ").await?;
    browser.until(&offered("others,acme")).await?;
    input.send_keys("ac").await?;
    browser.until(&offered("acme")).await?;
    input.send_keys("\u{e015}\u{e007}").await?;
    browser
        .until("return document.querySelector('input[role=combobox]').value === 'tenant = acme '")
        .await?;
    input.send_keys("\u{e00c}\u{e007}").await?;
    browser.until("return location.search.includes('tenant') && document.body.innerText.includes('10 traces')").await?;
    browser.close().await
}

#[tokio::test]
async fn sql_is_asked_and_answered() -> Result<()> {
    let (server, browser) = opened().await?;
    browser.go(&server, "/sql").await?;
    browser
        .element("textarea")
        .await?
        .send_keys("SELECT count(*) AS carts FROM spans WHERE service_name = 'cart'")
        .await?;
    browser.click(".sql-main button").await?;
    browser.until("return document.body.innerText.includes('carts') && document.querySelector('.sql-result')?.innerText.includes('60') === true").await?;
    browser.close().await
}

#[tokio::test]
async fn sql_is_completed_by_keyboard_alone() -> Result<()> {
    let (server, browser) = opened().await?;
    browser.enter(&server, "/sql").await?;
    let editor = browser.element("textarea").await?;
    let first = |text: &str| {
        format!("return document.querySelector('.offers li code')?.textContent === '{text}'")
    };
    let written =
        |text: &str| format!("return document.querySelector('textarea').value === '{text}'");
    editor.send_keys("SELECT caller FROM service_e").await?;
    browser.until(&first("service_edges")).await?;
    // Down, Enter.
    editor.send_keys("\u{e015}\u{e007}").await?;
    browser
        .until(&written("SELECT caller FROM service_edges"))
        .await?;
    // Its columns by its alias; Tab takes one as well.
    editor.send_keys(" e WHERE e.callee_cl").await?;
    browser.until(&first("callee_cluster")).await?;
    editor.send_keys("\u{e015}\u{e004}").await?;
    browser
        .until(&written(
            "SELECT caller FROM service_edges e WHERE e.callee_cluster",
        ))
        .await?;
    // Asked for with Control and the space bar, closed with Escape: nothing is written.
    editor.send_keys(" AND ").await?;
    editor.send_keys("\u{e009} \u{e000}").await?;
    browser.until(&first("bucket_start")).await?;
    // Up chooses the last; the list scrolls to it.
    editor.send_keys("\u{e013}").await?;
    browser
        .until(
            "const chosen = document.querySelector('.offers li:last-child[aria-selected=true]')?.getBoundingClientRect();
            const list = document.querySelector('.offers').getBoundingClientRect();
            return chosen && chosen.top >= list.top - 1 && chosen.bottom <= list.bottom + 1",
        )
        .await?;
    editor.send_keys("\u{e00c}").await?;
    browser
        .until("return document.querySelector('.offers').hidden")
        .await?;
    browser
        .until(&written(
            "SELECT caller FROM service_edges e WHERE e.callee_cluster AND ",
        ))
        .await?;
    // Shift and Tab leave the editor and take nothing, though an offer is chosen.
    editor.send_keys("call").await?;
    browser
        .until("return document.querySelector('.offers li code')?.textContent.startsWith('call')")
        .await?;
    editor.send_keys("\u{e015}\u{e008}\u{e004}").await?;
    browser
        .until("return document.activeElement !== document.querySelector('textarea')")
        .await?;
    browser
        .until(&written(
            "SELECT caller FROM service_edges e WHERE e.callee_cluster AND call",
        ))
        .await?;
    browser.close().await
}

#[tokio::test]
async fn a_click_takes_a_completion_and_the_editor_keeps_the_focus() -> Result<()> {
    let (server, browser) = opened().await?;
    browser.enter(&server, "/sql").await?;
    let editor = browser.element("textarea").await?;
    editor.send_keys("SELECT caller FROM service_e").await?;
    browser
        .until("return document.querySelector('.offers li code')?.textContent === 'service_edges'")
        .await?;
    let offer = browser.element(".offers li").await?;
    offer.click().await?;
    browser
        .until("const editor = document.querySelector('textarea'); return editor.value === 'SELECT caller FROM service_edges' && document.activeElement === editor")
        .await?;
    browser.close().await
}
