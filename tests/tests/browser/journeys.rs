//! Ways from one page to the next: by link, by key, by dragging, by an address that is passed on.

use anyhow::Result;
use fantoccini::Locator;
use serde_json::json;
use tripline_tests::driver::Browser;

use super::{opened, opened_in_kathmandu};
use crate::harness::now;
use crate::pages::TRACE;

#[tokio::test]
async fn a_failing_span_is_three_clicks_from_the_overview() -> Result<()> {
    let (server, browser) = opened().await?;
    browser.go(&server, "/").await?;
    browser
        .client
        .find(Locator::LinkText("payment"))
        .await?
        .click()
        .await?;
    browser.click("#failures a[data-row]").await?;
    let panel = browser.element(".span-panel").await?;
    let text = panel.text().await?;
    assert!(text.contains("card declined"), "{text}");
    browser.close().await
}

#[tokio::test]
async fn keys_lead_where_the_navigation_does() -> Result<()> {
    let (server, browser) = opened().await?;
    let is_at = |path: &str| {
        format!(
            "const asked = new URLSearchParams(location.search); return location.pathname === '{path}' \
             && asked.get('from') === 'now-6h' && asked.get('environment') === 'prod' \
             && document.documentElement.dataset.live === ''"
        )
    };
    browser
        .go(&server, "/graph?from=now-6h&to=now&environment=prod")
        .await?;
    browser.until(&is_at("/graph")).await?;
    for (keys, path) in [
        ("gt", "/traces"),
        ("gl", "/logs"),
        ("gb", "/breakers"),
        ("go", "/"),
    ] {
        browser.element("body").await?.send_keys(keys).await?;
        browser.until(&is_at(path)).await?;
    }
    browser
        .go(&server, "/logs?from=now-6h&to=now&environment=prod")
        .await?;
    let brand = browser.element("a.brand").await?;
    brand.click().await?;
    browser.until(&is_at("/")).await?;
    browser.close().await
}

#[tokio::test]
async fn a_box_is_dragged_and_its_address_can_be_shared() -> Result<()> {
    let (server, browser) = opened().await?;
    browser.enter(&server, "/traces?from=now-5m").await?;
    let area = browser.script("const r = document.querySelector('.heatmap .lens').getBoundingClientRect(); return [r.left, r.top, r.width, r.height]").await?;
    let number = |at: usize| area[at].as_f64().unwrap_or(0.0);
    let (left, top, width, height) = (number(0), number(1), number(2), number(3));
    browser
        .drag(
            (left + width * 0.02, top + height * 0.02),
            (left + width * 0.98, top + height * 0.45),
        )
        .await?;
    browser.until("return location.search.includes('box=') && document.body.innerText.includes('What the box has in common')").await?;
    let first = browser
        .script("return document.querySelector('#differences tbody tr').innerText")
        .await?;
    assert!(first.to_string().contains("100 %"), "{first}");
    browser.picture("box-dragged").await?;
    let shared = browser.client.current_url().await?;
    let other = Browser::open(1280, 900).await?;
    other.client.goto(shared.as_str()).await?;
    let same = other
        .script("return document.querySelector('#differences tbody tr').innerText")
        .await?;
    assert_eq!(first, same);
    other.close().await?;
    browser.close().await
}

#[tokio::test]
async fn dragging_over_a_chart_zooms_the_whole_app() -> Result<()> {
    let (server, browser) = opened().await?;
    browser.enter(&server, "/services/cart?from=now-5m").await?;
    let area = browser.script("const r = document.querySelector('.chart .lens').getBoundingClientRect(); return [r.left, r.top, r.width, r.height]").await?;
    let number = |at: usize| area[at].as_f64().unwrap_or(0.0);
    let middle = number(1) + number(3) / 2.0;
    browser
        .drag(
            (number(0) + number(2) * 0.5, middle),
            (number(0) + number(2) * 0.9, middle),
        )
        .await?;
    browser
        .until("return /from=\\d{19}/.test(location.search) && /to=\\d{19}/.test(location.search)")
        .await?;
    let link = browser
        .script("return document.querySelector('nav a[href^=\"/graph\"]').search")
        .await?;
    assert!(
        link.to_string().contains("from=20"),
        "the range goes along: {link}"
    );
    browser.close().await
}

#[tokio::test]
async fn a_log_leads_to_its_trace_its_span_and_its_service() -> Result<()> {
    let (server, browser) = opened().await?;
    browser.go(&server, "/logs?q=severity+%3E%3D+error").await?;
    browser.click("a.log-trace").await?;
    let panel = browser.element(".span-panel").await?;
    assert!(panel.text().await?.contains("card declined"));
    panel.find(Locator::Css("a.service")).await?.click().await?;
    browser
        .until("return location.pathname === '/services/payment'")
        .await?;
    browser.close().await
}

#[tokio::test]
async fn the_keyboard_reaches_a_failing_span() -> Result<()> {
    let (server, browser) = opened().await?;
    browser.enter(&server, "/").await?;
    browser.element("body").await?.send_keys("gt").await?;
    browser.until("return location.pathname === '/traces' && document.documentElement.dataset.live === ''").await?;
    browser.element("body").await?.send_keys("/").await?;
    browser.until("return document.activeElement.getAttribute('role') === 'combobox' || document.activeElement.name === 'q'").await?;
    browser
        .client
        .active_element()
        .await?
        .send_keys(&format!("{TRACE}\u{e00c}\u{e007}"))
        .await?;
    browser.until("return location.pathname.startsWith('/traces/') && document.documentElement.dataset.live === ''").await?;
    browser.element("body").await?.send_keys("jj").await?;
    browser
        .until("return document.activeElement.classList.contains('wf-op')")
        .await?;
    browser
        .client
        .active_element()
        .await?
        .send_keys("\u{e007}")
        .await?;
    browser
        .until("return document.querySelector('.span-panel') !== null")
        .await?;
    browser.close().await
}

#[tokio::test]
async fn the_page_is_copied_with_its_time_frozen() -> Result<()> {
    let (server, browser) = opened().await?;
    browser
        .enter(&server, "/traces?q=duration+%3E+500ms")
        .await?;
    browser.catch_copies().await?;
    for button in browser
        .client
        .find_all(Locator::Css(".tools > leptos-island > button:not(.live)"))
        .await?
    {
        button.click().await?;
    }
    browser.until("return copied.length === 2").await?;
    let copied = browser.script("return copied").await?;
    let (link, markdown) = (
        copied[0].as_str().unwrap_or_default(),
        copied[1].as_str().unwrap_or_default(),
    );
    assert!(
        link.starts_with("http://") && link.contains("from=20") && !link.contains("now"),
        "{link}"
    );
    assert!(
        markdown.starts_with("[Traces](http://") && markdown.contains("UTC, `duration > 500ms`"),
        "{markdown}"
    );
    browser.close().await
}

#[tokio::test]
async fn the_link_of_a_live_page_leads_to_what_it_shows() -> Result<()> {
    let (server, browser) = opened().await?;
    browser.enter(&server, "/logs").await?;
    browser.catch_copies().await?;
    let loaded = browser.copied_link().await?;
    browser.click("button.live").await?;
    let record = json!({"timeUnixNano": now().to_string(), "body": {"stringValue": "after the page was loaded"}});
    let body = json!({"resourceLogs": [{"scopeLogs": [{"logRecords": [record]}]}]});
    server.send("logs", &body).await?;
    let is_listed = "return document.querySelector('.log-list').innerText.includes('after the page was loaded')";
    browser.until(is_listed).await?;
    let shown = browser.copied_link().await?;
    for (link, has_it) in [(loaded, false), (shown, true)] {
        browser.client.goto(&link).await?;
        assert_eq!(browser.script(is_listed).await?, json!(has_it), "{link}");
    }
    browser.close().await
}

#[tokio::test]
async fn the_link_of_a_later_page_of_a_list_leads_to_that_page() -> Result<()> {
    let (server, browser) = opened().await?;
    let first =
        "return new URL(document.querySelector('#results tbody a[data-row]').href).pathname";
    // Of 61 traces.
    browser.enter(&server, "/traces?limit=20").await?;
    let newest = browser.script(first).await?;
    browser.click("a[rel=next]").await?;
    browser
        .until("return location.search.includes('cursor=') && document.documentElement.dataset.live === ''")
        .await?;
    let later = browser.script(first).await?;
    assert_ne!(newest, later);
    browser.catch_copies().await?;
    let link = browser.copied_link().await?;
    browser.client.goto(&link).await?;
    assert_eq!(browser.script(first).await?, later, "{link}");
    browser.close().await
}

#[tokio::test]
async fn an_id_is_copied_where_the_browser_has_no_clipboard_too() -> Result<()> {
    let (server, browser) = opened().await?;
    browser.enter(&server, "/traces").await?;
    let trace = browser.element("a[href^='/traces/']").await?;
    let path = trace.attr("href").await?.unwrap_or_default();
    browser.enter(&server, &path).await?;
    browser.catch_copies().await?;
    browser.click(".copy-id").await?;
    browser
        .until("return document.querySelector('.copy-id').innerText.includes('✓')")
        .await?;
    let id = browser.script("return copied[0]").await?;
    assert!(
        id.as_str()
            .is_some_and(|id| id.len() == 32 && path.contains(id)),
        "{id} of {path}"
    );
    // As over plain http from another machine: what is selected is copied.
    browser.enter(&server, &path).await?;
    browser.script("Object.defineProperty(navigator, 'clipboard', {value: undefined}); window.copied = []; document.execCommand = what => { copied.push(what, document.activeElement.value); return true; }").await?;
    browser.click(".copy-id").await?;
    browser
        .until("return document.querySelector('.copy-id').innerText.includes('✓')")
        .await?;
    assert_eq!(browser.script("return copied").await?, json!(["copy", id]));
    browser
        .until("return document.activeElement === document.querySelector('.copy-id')")
        .await?;
    // And where neither is allowed, it says so.
    browser.enter(&server, &path).await?;
    browser.script("Object.defineProperty(navigator, 'clipboard', {value: undefined}); document.execCommand = () => false").await?;
    browser.click(".copy-id").await?;
    browser
        .until("return document.querySelector('.copy-id').innerText.includes('forbids')")
        .await?;
    browser.close().await
}

#[tokio::test]
async fn times_are_the_readers_own_and_say_utc_in_their_title() -> Result<()> {
    let (_server, browser) = opened_in_kathmandu().await?;
    browser
        .until("return document.querySelector('.log-list time') !== null && document.querySelector('time[data-clock]') === null")
        .await?;
    let told = browser
        .script("const time = document.querySelector('.log-list time'); return [time.dateTime, time.title, time.innerText]")
        .await?;
    let word = |at: usize| told[at].as_str().unwrap_or_default().to_owned();
    let (iso, title, shown) = (word(0), word(1), word(2));
    assert_eq!(iso, title, "{told}");
    let digits = |text: &str| text.parse::<u32>().unwrap_or(u32::MAX);
    // 5 h 45 min ahead, all year.
    let utc = digits(&iso[11..13]) * 60 + digits(&iso[14..16]);
    let clock = &shown[shown.len() - "00:00:00.000".len()..];
    let own = digits(&clock[..2]) * 60 + digits(&clock[3..5]);
    assert_eq!((utc + 5 * 60 + 45) % (24 * 60), own, "{told}");
    browser.close().await
}
