//! A walk through every page: islands live, nothing scrolls sideways, the console is silent, axe-core finds nothing.

use anyhow::{Context as _, Result};
use serde_json::{Value, json};
use tripline_tests::driver::Browser;

use super::{filled, opened};
use crate::harness::{Start, Tripline, now};
use crate::pages::{TRACE, says};

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

/// The same pages in their other states: nothing found, something asked wrongly, something that is not there, a choice made.
fn states() -> Vec<(String, &'static str)> {
    let page = |path: &str, name: &'static str| (path.to_owned(), name);
    let never = "from=2001-01-01T00:00:00Z&to=2001-01-02T00:00:00Z";
    vec![
        page("/?from=yesterday", "range-complaint"),
        (format!("/?{never}"), "overview-empty"),
        page("/traces?service=nobody", "traces-empty"),
        page("/traces?box=nonsense", "box-complaint"),
        page(&format!("/traces/{:032x}", 0xdead), "trace-absent"),
        page(
            &format!("/traces/{TRACE}?find=charge&fold=0515810000000003"),
            "trace-found",
        ),
        page(
            &format!("/traces/{TRACE}?span=0000000000000bad"),
            "span-absent",
        ),
        page("/logs?text=nothing-says-this", "logs-empty"),
        page("/logs?q=severity+%3D+loud", "logs-complaint"),
        page("/logs?cols=service.version", "logs-columns"),
        (
            format!("/logs?around={}", now() - 2_000_000_000),
            "logs-around",
        ),
        page("/explore", "metrics"),
        page("/explore?metric=nobody.sends.this", "metric-absent"),
        page("/explore?q=root(a+%3D+1)", "metrics-complaint"),
        page("/explore?metric=queue.depth&by=service", "explore-grouped"),
        page("/graph?service=checkout&top=20&find=pay", "graph-focused"),
        page("/graph?compare=week&proxies=show", "graph-compared"),
        (format!("/graph?{never}"), "graph-empty"),
        page("/services/nobody", "service-absent"),
        page("/breakers?tab=review", "breakers-review-empty"),
        page("/breakers/checkout/payment", "breaker-absent"),
        page("/incidents", "incidents-empty"),
        page("/incidents/20260101T000000Z", "incident-absent"),
        page("/sql", "sql-empty"),
        page("/sql?q=SELEC+1", "sql-complaint"),
        page("/find?q=nobody", "find"),
    ]
}

/// Every page, in every state that needs no trip of a breaker.
fn all() -> Vec<(String, &'static str)> {
    pages().into_iter().chain(states()).collect()
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
async fn pages_fit_a_phone() -> Result<()> {
    let server = filled().await?;
    let browser = Browser::open(500, 850).await?;
    assert_narrow(&server, &browser, &all()).await?;
    // A long name widens its table, which scrolls by itself, headings for screen readers included.
    browser.go(&server, "/").await?;
    let widened = "document.querySelector('#services td').style.minWidth = '900px'; \
                   return document.documentElement.scrollWidth";
    assert_eq!(browser.script(widened).await?, json!(390), "a long name");
    browser.close().await
}

#[tokio::test]
async fn no_page_has_a_serious_accessibility_violation() -> Result<()> {
    let (server, browser) = opened().await?;
    assert_accessible(&server, &browser, &all()).await?;
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
    assert_narrow(&server, &browser, &first).await?;
    browser.close().await
}

/// Who may not come in sees a form for the token, whatever the address.
#[tokio::test]
async fn the_form_for_the_token_is_accessible_and_fits_a_phone() -> Result<()> {
    let start = Start::default().env("TRIPLINE_UI__TOKEN", "s3cret");
    let server = start.start().await?;
    let browser = Browser::open(1280, 900).await?;
    let form = [("/traces?q=status+%3D+error".to_owned(), "login")];
    assert_accessible(&server, &browser, &form).await?;
    assert_narrow(&server, &browser, &form).await?;
    browser.close().await
}

/// Breakers whose numbers nobody understands are offered to be explained.
#[tokio::test]
async fn numbers_of_unknown_meaning_are_accessible_and_fit_a_phone() -> Result<()> {
    let server = Tripline::start().await?;
    crate::encodings::plant(&server).await?;
    says(&server, "/breakers", &["Numbers of unknown meaning"]).await?;
    let browser = Browser::open(1280, 900).await?;
    let offers = [("/breakers".to_owned(), "encodings")];
    assert_accessible(&server, &browser, &offers).await?;
    assert_silent(&server, &browser, &offers).await?;
    assert_narrow(&server, &browser, &offers).await?;
    browser.close().await
}

/// On a phone no page is wider than the screen.
pub(super) async fn assert_narrow(
    server: &Tripline,
    browser: &Browser,
    pages: &[(String, &str)],
) -> Result<()> {
    browser.screen(390, 844).await?;
    for (path, name) in pages {
        browser.go(server, path).await?;
        let is_wide = browser.scrolls_sideways().await?;
        browser.picture(&format!("{name}-narrow")).await?;
        assert_eq!(browser.script("return innerWidth").await?, json!(390));
        assert!(!is_wide, "{path} scrolls sideways");
        let find = "const field = document.querySelector('.find input:not([type=hidden])').getBoundingClientRect();
            return field.width > 60 && field.height > 20 && field.left >= 0 && field.right <= innerWidth";
        assert_eq!(browser.script(find).await?, json!(true), "{path}");
        let head = "const page = document.querySelector('.top nav [aria-current]')?.getBoundingClientRect();
            const [top] = document.getElementsByClassName('top');
            return top.offsetHeight < 90 && (!page || page.left >= 0 && page.right <= innerWidth)";
        assert_eq!(
            browser.script(head).await?,
            json!(true),
            "the head of {path}"
        );
    }
    Ok(())
}

/// No page has a violation that axe-core calls serious or critical, light and dark.
pub(super) async fn assert_accessible(
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
    assert_silent(&server, &browser, &all()).await?;
    browser.close().await
}

/// No page makes the browser's console complain.
pub(super) async fn assert_silent(
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
