//! The map of the keyboard: it lists the keys there are and no others, and each does what the map says.

use anyhow::{Result, ensure};
use serde_json::{Value, json};
use tripline_tests::driver::Browser;

use super::opened;

/// What the map says: keys, what they do, and after `g` where they lead.
const KEYS: [(&str, &str, Option<&str>); 13] = [
    ("?", "this map", None),
    ("/", "search", None),
    ("j k", "next, previous row", None),
    ("Esc", "close", None),
    ("g o", "overview", Some("/")),
    ("g g", "graph", Some("/graph")),
    ("g t", "traces", Some("/traces")),
    ("g l", "logs", Some("/logs")),
    ("g m", "metrics", Some("/explore")),
    ("g b", "breakers", Some("/breakers")),
    ("g i", "incidents", Some("/incidents")),
    ("g q", "SQL", Some("/sql")),
    ("g s", "status", Some("/status")),
];

const IS_SHOWN: &str = "return !document.querySelector('.keys').hidden";
const ESCAPE: &str = "\u{e00c}";

/// Presses keys where the focus is: naming an element would move it.
async fn press(browser: &Browser, keys: &str) -> Result<()> {
    let focused = browser.client.active_element().await?;
    Ok(focused.send_keys(keys).await?)
}

/// Waits until a page is there, listening.
async fn at(browser: &Browser, path: &str) -> Result<()> {
    browser
        .until(&format!(
            "return location.pathname === '{path}' && document.documentElement.dataset.live === ''"
        ))
        .await
}

/// Which row has the focus, counted from 0; -1 for none.
async fn row(browser: &Browser) -> Result<Value> {
    browser
        .script(
            "return [...document.querySelectorAll('[data-row]')].indexOf(document.activeElement)",
        )
        .await
}

#[tokio::test]
async fn the_map_lists_the_keys_there_are() -> Result<()> {
    let (server, browser) = opened().await?;
    browser.enter(&server, "/traces").await?;
    press(&browser, "?").await?;
    browser.until(IS_SHOWN).await?;
    browser.picture("keys").await?;
    let listed = browser
        .script(
            "return [...document.querySelectorAll('.keys dt')].map(keys => \
             [[...keys.querySelectorAll('kbd')].map(key => key.textContent).join(' '), keys.nextElementSibling.textContent])",
        )
        .await?;
    let expected: Vec<[&str; 2]> = KEYS.iter().map(|(keys, what, _)| [*keys, *what]).collect();
    assert_eq!(listed, json!(expected));
    // Each page of the navigation has a key.
    let pages = browser
        .script("return [...document.querySelectorAll('header nav a[data-page]')].map(page => page.dataset.page).sort()")
        .await?;
    let mut places: Vec<&str> = KEYS.iter().filter_map(|(.., path)| *path).collect();
    places.sort_unstable();
    assert_eq!(pages, json!(places));
    browser.close().await
}

#[tokio::test]
async fn each_key_of_the_map_does_what_it_says() -> Result<()> {
    let (server, browser) = opened().await?;
    browser.enter(&server, "/traces").await?;
    // The map opens and closes, by its own key and by Escape.
    for close in ["?", ESCAPE] {
        press(&browser, "?").await?;
        browser.until(IS_SHOWN).await?;
        press(&browser, close).await?;
        browser
            .until("return document.querySelector('.keys').hidden")
            .await?;
    }
    // Rows: the first, on, back, and no further than the ends.
    for (keys, expected) in [("j", 0), ("jj", 2), ("k", 1), ("kkk", 0)] {
        press(&browser, keys).await?;
        assert_eq!(row(&browser).await?, json!(expected), "after {keys}");
    }
    // The search, in which keys are letters.
    press(&browser, "/").await?;
    browser
        .until("return document.activeElement === document.querySelector('main [data-search]')")
        .await?;
    press(&browser, "gl?j").await?;
    assert_eq!(
        browser
            .script("return document.activeElement.value")
            .await?,
        json!("gl?j")
    );
    assert_eq!(browser.script(IS_SHOWN).await?, json!(false));
    assert_eq!(
        browser.script("return location.pathname").await?,
        json!("/traces")
    );
    for (keys, _, path) in KEYS {
        if let (Some(path), Some(letter)) = (path, keys.strip_prefix("g ")) {
            // From a page that none of them leads to.
            browser.enter(&server, "/services/cart").await?;
            press(&browser, &format!("g{letter}")).await?;
            at(&browser, path).await?;
        }
    }
    browser.close().await
}

#[tokio::test]
async fn no_other_letter_leads_anywhere() -> Result<()> {
    let (server, browser) = opened().await?;
    browser.enter(&server, "/services/cart").await?;
    for letter in 'a'..='z' {
        let (after_g, alone) = (format!("g {letter}"), letter.to_string());
        if !KEYS.iter().any(|(keys, ..)| *keys == after_g) {
            press(&browser, &format!("g{letter}")).await?;
        }
        if !KEYS
            .iter()
            .any(|(keys, ..)| keys.split(' ').any(|key| key == alone))
        {
            press(&browser, &alone).await?;
        }
    }
    // One that does lead somewhere, to have waited for what was pressed before.
    let stayed = browser
        .script("return [location.pathname, document.querySelector('.keys').hidden]")
        .await?;
    ensure!(stayed == json!(["/services/cart", true]), "{stayed}");
    assert_eq!(row(&browser).await?, json!(-1));
    press(&browser, "gt").await?;
    at(&browser, "/traces").await?;
    browser.close().await
}
