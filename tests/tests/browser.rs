//! A real browser over the real pages: hydration proven, no console errors, screenshots to look at.
//!
//! Needs `chromedriver` and `chromium`, and a binary with the bundle in it.

mod breakers;
mod driver;

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use fantoccini::Locator;
use serde_json::{Value, json};

use self::driver::Browser;
use crate::dashboard::plant;
use crate::harness::{Tripline, now};
use crate::pages::{TRACE, seed};

/// Every page of the walk: address and the name of its picture.
fn pages() -> Vec<(String, &'static str)> {
    let trace = |view: &str| format!("/traces/{TRACE}?view={view}");
    vec![
        ("/".to_owned(), "overview"),
        ("/?compare=week".to_owned(), "overview-compared"),
        ("/traces".to_owned(), "traces"),
        ("/traces?q=status+%3D+bad".to_owned(), "traces-complaint"),
        (boxed(), "traces-box"),
        (format!("/traces/{TRACE}"), "trace"),
        (format!("/traces/{TRACE}?span=0515810000000003"), "span"),
        (trace("critical"), "trace-critical"),
        (trace("flame"), "trace-flame"),
        (trace("statistics"), "trace-statistics"),
        (trace("graph"), "trace-graph"),
        (
            format!("{}&with={:032x}", trace("compare"), 1),
            "trace-compare",
        ),
        ("/logs".to_owned(), "logs"),
        ("/logs?view=patterns".to_owned(), "logs-patterns"),
        ("/explore?metric=queue.depth".to_owned(), "explore"),
        ("/graph".to_owned(), "graph"),
        ("/services/checkout".to_owned(), "service"),
        ("/services/cart".to_owned(), "service-versions"),
        ("/services/cart?compare=week".to_owned(), "service-compared"),
        ("/breakers".to_owned(), "breakers"),
        (
            "/sql?q=SELECT+service_name%2C+count%28*%29+FROM+spans+GROUP+BY+ALL".to_owned(),
            "sql",
        ),
        ("/status".to_owned(), "status"),
        ("/nothing".to_owned(), "not-found"),
    ]
}

/// The slow spans of the last hour.
fn boxed() -> String {
    let now = now();
    format!(
        "/traces?box={},{},500000000,{}",
        now - 3_600_000_000_000,
        now + 1_000_000_000,
        i64::MAX
    )
}

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

#[tokio::test]
async fn the_islands_live_and_no_page_complains() -> Result<()> {
    let (server, browser) = opened().await?;
    browser.enter(&server, "/").await?;

    // Without the bundle nothing listens to the keyboard and no button turns the theme.
    let map = "return !document.querySelector('.keys').hidden";
    assert_eq!(browser.script(map).await?, Value::Bool(false));
    browser.element("body").await?.send_keys("?").await?;
    browser.until(map).await?;
    browser.click("button[aria-label='Light or dark']").await?;
    browser
        .until("return document.documentElement.dataset.theme === 'dark'")
        .await?;
    browser.go(&server, "/traces").await?;
    browser
        .until("return document.documentElement.dataset.theme === 'dark'")
        .await?;
    browser.picture("traces-dark").await?;
    browser
        .script("document.cookie = 'theme=; Path=/; Max-Age=0'")
        .await?;

    for (path, name) in pages() {
        browser.enter(&server, &path).await?;
        browser.picture(name).await?;
        let is_wide = browser.scrolls_sideways().await?;
        assert!(!is_wide, "{path} scrolls sideways");
    }
    browser.close().await
}

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
async fn pages_fit_a_phone() -> Result<()> {
    let server = filled().await?;
    let browser = Browser::open(500, 850).await?;
    browser.screen(390, 844).await?;
    for (path, name) in pages() {
        browser.go(&server, &path).await?;
        let is_wide = browser.scrolls_sideways().await?;
        browser.picture(&format!("{name}-narrow")).await?;
        assert_eq!(browser.script("return innerWidth").await?, json!(390));
        assert!(!is_wide, "{path} scrolls sideways");
    }
    browser.close().await
}

#[tokio::test]
async fn no_page_has_a_serious_accessibility_violation() -> Result<()> {
    let (server, browser) = opened().await?;
    assert_accessible(&server, &browser, &pages()).await?;
    browser.close().await
}

/// An empty server greets a newcomer: that page too.
#[tokio::test]
async fn the_first_page_of_all_is_accessible_and_silent() -> Result<()> {
    let server = Tripline::start().await?;
    let browser = Browser::open(1280, 900).await?;
    let first = [("/".to_owned(), "first-run")];
    assert_accessible(&server, &browser, &first).await?;
    assert_silent(&server, &browser, &first).await?;
    browser.close().await
}

/// No page has a violation that axe-core calls serious or critical, light and dark.
async fn assert_accessible(
    server: &Tripline,
    browser: &Browser,
    pages: &[(String, &str)],
) -> Result<()> {
    let axe = crate::clients::place("node")?.join("node_modules/axe-core/axe.min.js");
    let axe = std::fs::read_to_string(&axe).with_context(|| format!("no {}", axe.display()))?;
    let mut found = Vec::new();
    for theme in ["light", "dark"] {
        browser.go(server, "/").await?;
        browser
            .script(&format!("document.cookie = 'theme={theme}; Path=/'"))
            .await?;
        for (path, name) in pages {
            browser.enter(server, path).await?;
            browser.script(&axe).await?;
            let run = "const done = arguments[arguments.length - 1];
                axe.run(document, {resultTypes: ['violations']}).then(
                    r => done(r.violations.filter(v => v.impact === 'serious' || v.impact === 'critical')
                        .map(v => v.id + ': ' + v.nodes.slice(0, 3).map(n => n.html.slice(0, 160) + ' ' + n.failureSummary).join(' | '))),
                    error => done([String(error)]))";
            let violations = browser.client.execute_async(run, Vec::new()).await?;
            for violation in violations.as_array().into_iter().flatten() {
                found.push(format!("{theme} {name}: {violation}"));
            }
        }
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
    Ok(())
}

#[tokio::test]
async fn the_console_stays_silent() -> Result<()> {
    let (server, browser) = opened().await?;
    assert_silent(&server, &browser, &pages()).await?;
    browser.close().await
}

/// No page makes the browser's console complain.
async fn assert_silent(
    server: &Tripline,
    browser: &Browser,
    pages: &[(String, &str)],
) -> Result<()> {
    for (path, _) in pages {
        browser.enter(server, path).await?;
        // The browser itself notes that a page was answered with an error.
        let complaints: Vec<Value> = browser
            .console()
            .await?
            .into_iter()
            .filter(|entry| {
                entry["source"] != "network"
                    && (entry["level"] == "SEVERE" || entry["level"] == "WARNING")
            })
            .collect();
        assert_eq!(complaints, Vec::<Value>::new(), "{path}");
    }
    Ok(())
}

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
async fn live_shows_what_arrives_and_a_pause_holds_it() -> Result<()> {
    let (server, browser) = opened().await?;
    browser.enter(&server, "/logs").await?;
    browser.click("button.live").await?;
    let send = async |text: &str| -> Result<()> {
        let body = json!({"resourceLogs": [{"scopeLogs": [{"logRecords": [{"timeUnixNano": now().to_string(), "body": {"stringValue": text}}]}]}]});
        let response = server
            .client
            .post(format!("http://{}/v1/logs", server.otlp_http()))
            .json(&body)
            .send()
            .await?;
        ensure!(response.status() == 200);
        Ok(())
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
    // What would go to the clipboard: a headless browser has none it lets one read.
    browser.script("window.copied = []; navigator.clipboard.writeText = text => { copied.push(text); return Promise.resolve(); }").await?;
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

/// One trace of so many spans: a root and chains of four below it.
async fn wide_trace(server: &Tripline, spans: u64) -> Result<()> {
    let start = now() - 60_000_000_000;
    for first in (1..=spans).step_by(10_000) {
        let list: Vec<Value> = (first..(first + 10_000).min(spans + 1))
            .map(|n| {
                let from = start + n * 1_000;
                let mut span = json!({"traceId": TRACE, "spanId": format!("{n:016x}"), "name": format!("step {n}"), "kind": 1,
                    "startTimeUnixNano": from.to_string(), "endTimeUnixNano": (from + 900_000).to_string()});
                if n > 1 {
                    let parent = if n % 4 == 1 { 1 } else { n - 1 };
                    span["parentSpanId"] = json!(format!("{parent:016x}"));
                }
                span
            })
            .collect();
        let body = json!({"resourceSpans": [{"resource": {"attributes": [{"key": "service.name", "value": {"stringValue": "wide"}}]},
            "scopeSpans": [{"spans": list}]}]});
        let response = server
            .client
            .post(format!("http://{}/v1/traces", server.otlp_http()))
            .json(&body)
            .send()
            .await?;
        ensure!(response.status() == 200, "{}", response.status());
    }
    Ok(())
}

#[tokio::test]
async fn huge_traces_stay_usable_with_a_bounded_number_of_nodes() -> Result<()> {
    /// Nodes of a page with a full window of rows, whatever the size of its trace.
    const NODES_MAX: u64 = 30_000;
    for spans in [10_000, 80_000] {
        let server = Tripline::start().await?;
        wide_trace(&server, spans).await?;
        let browser = Browser::open(1280, 900).await?;
        browser.enter(&server, &format!("/traces/{TRACE}")).await?;
        let nodes = "return document.querySelectorAll('*').length";
        let count = browser.script(nodes).await?.as_u64().unwrap_or(u64::MAX);
        assert!(count < NODES_MAX, "{spans} spans: {count} nodes");
        // The last span is found, shown, and opens.
        browser
            .go(&server, &format!("/traces/{TRACE}?find=step+{spans}"))
            .await?;
        browser
            .until(&format!("return document.querySelector('.wf-row.found .wf-op')?.textContent === 'step {spans}'"))
            .await?;
        browser.click(".wf-row.found .wf-op").await?;
        browser
            .until(&format!(
                "return document.querySelector('.span-panel h2')?.textContent === 'step {spans}'"
            ))
            .await?;
        let count = browser.script(nodes).await?.as_u64().unwrap_or(u64::MAX);
        assert!(count < NODES_MAX, "{spans} spans: {count} nodes");
        browser.picture(&format!("trace-{spans}")).await?;
        browser.close().await?;
    }
    Ok(())
}
