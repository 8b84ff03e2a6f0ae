//! A real browser over the real pages: hydration proven, no console errors, screenshots to look at.
//!
//! Needs `chromedriver` and `chromium`, and a binary with the bundle in it.

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use fantoccini::{Client, ClientBuilder, Locator};
use serde_json::{Value, json};

use crate::harness::{PATIENCE, Tripline};
use crate::pages::{TRACE, seed};

/// A browser of its own, ended with the test.
struct Browser {
    driver: Child,
    client: Client,
    _profile: tempfile::TempDir,
}

impl Browser {
    async fn open(width: u32, height: u32) -> Result<Self> {
        let port = std::net::TcpListener::bind("127.0.0.1:0")?
            .local_addr()?
            .port();
        let driver = Command::new("chromedriver")
            .arg(format!("--port={port}"))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .context("cannot start chromedriver (Debian: chromium-driver)")?;
        let profile = tempfile::tempdir()?;
        let arguments = [
            "--headless=new",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-quic",
            "--no-first-run",
            "--disable-sync",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-dev-shm-usage",
        ];
        let mut arguments: Vec<String> = arguments.map(str::to_owned).into();
        arguments.push(format!("--window-size={width},{height}"));
        arguments.push(format!("--user-data-dir={}", profile.path().display()));
        let capabilities = json!({
            "goog:chromeOptions": {"args": arguments},
            "goog:loggingPrefs": {"browser": "ALL"},
        });
        let Value::Object(capabilities) = capabilities else {
            unreachable!("an object")
        };
        let deadline = Instant::now() + PATIENCE;
        let client = loop {
            let mut builder =
                ClientBuilder::new(hyper_util::client::legacy::connect::HttpConnector::new());
            builder.capabilities(capabilities.clone());
            match builder.connect(&format!("http://127.0.0.1:{port}")).await {
                Ok(client) => break client,
                Err(error) => ensure!(Instant::now() < deadline, "no browser: {error}"),
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        };
        Ok(Self {
            driver,
            client,
            _profile: profile,
        })
    }

    async fn go(&self, server: &Tripline, path: &str) -> Result<()> {
        Ok(self
            .client
            .goto(&format!("http://{}{path}", server.http()))
            .await?)
    }

    async fn script(&self, script: &str) -> Result<Value> {
        Ok(self.client.execute(script, Vec::new()).await?)
    }

    /// Waits until the script answers `true`.
    async fn until(&self, script: &str) -> Result<()> {
        let deadline = Instant::now() + PATIENCE;
        while self.script(script).await? != Value::Bool(true) {
            ensure!(Instant::now() < deadline, "never true: {script}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        Ok(())
    }

    async fn picture(&self, name: &str) -> Result<()> {
        let target = std::env::var_os("CARGO_TARGET_DIR")
            .map_or_else(|| PathBuf::from("../target"), PathBuf::from);
        let directory = target.join("screenshots");
        std::fs::create_dir_all(&directory)?;
        std::fs::write(
            directory.join(format!("{name}.png")),
            self.client.screenshot().await?,
        )?;
        Ok(())
    }

    async fn close(mut self) -> Result<()> {
        let _ = self.client.clone().close().await;
        self.driver.kill()?;
        self.driver.wait()?;
        Ok(())
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        let _ = self.driver.kill();
    }
}

/// Every page of the walk: address and the name of its picture.
fn pages() -> Vec<(String, &'static str)> {
    vec![
        ("/".to_owned(), "overview"),
        ("/traces".to_owned(), "traces"),
        (format!("/traces/{TRACE}"), "trace"),
        (format!("/traces/{TRACE}?span=0515810000000003"), "span"),
        ("/logs".to_owned(), "logs"),
        ("/explore?metric=queue.depth".to_owned(), "explore"),
        ("/graph".to_owned(), "graph"),
        ("/services/checkout".to_owned(), "service"),
        ("/breakers".to_owned(), "breakers"),
        ("/sql".to_owned(), "sql"),
        ("/status".to_owned(), "status"),
    ]
}

#[tokio::test]
async fn the_islands_live_and_no_page_complains() -> Result<()> {
    let server = Tripline::start().await?;
    seed(&server).await?;
    let browser = Browser::open(1280, 900).await?;
    browser.go(&server, "/").await?;
    browser
        .until("return document.documentElement.dataset.live === ''")
        .await?;

    // Without the bundle nothing listens to the keyboard and no button turns the theme.
    let map = "return !document.querySelector('.keys').hidden";
    assert_eq!(browser.script(map).await?, Value::Bool(false));
    browser
        .client
        .find(Locator::Css("body"))
        .await?
        .send_keys("?")
        .await?;
    browser.until(map).await?;
    browser
        .client
        .find(Locator::Css("button[aria-label='Light or dark']"))
        .await?
        .click()
        .await?;
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
        browser.go(&server, &path).await?;
        browser
            .until("return document.documentElement.dataset.live === ''")
            .await?;
        browser.picture(name).await?;
        let wide = browser
            .script("return document.documentElement.scrollWidth > innerWidth")
            .await?;
        assert_eq!(wide, Value::Bool(false), "{path} scrolls sideways");
    }
    browser.close().await
}

#[tokio::test]
async fn a_failing_span_is_three_clicks_from_the_overview() -> Result<()> {
    let server = Tripline::start().await?;
    seed(&server).await?;
    let browser = Browser::open(1280, 900).await?;
    browser.go(&server, "/").await?;
    browser
        .client
        .find(Locator::LinkText("payment"))
        .await?
        .click()
        .await?;
    browser
        .client
        .wait()
        .at_most(PATIENCE)
        .for_element(Locator::Css("a[data-row]"))
        .await?
        .click()
        .await?;
    let panel = browser
        .client
        .wait()
        .at_most(PATIENCE)
        .for_element(Locator::Css(".span-panel"))
        .await?;
    let text = panel.text().await?;
    assert!(text.contains("card declined"), "{text}");
    browser.close().await
}

#[tokio::test]
async fn pages_fit_a_phone() -> Result<()> {
    let server = Tripline::start().await?;
    seed(&server).await?;
    let browser = Browser::open(500, 850).await?;
    // Headless windows have a least width; an emulated screen has none.
    for (path, name) in pages() {
        browser.go(&server, &path).await?;
        let wide = browser
            .script("return document.documentElement.scrollWidth > innerWidth")
            .await?;
        browser.picture(&format!("{name}-narrow")).await?;
        assert_eq!(wide, Value::Bool(false), "{path} scrolls sideways");
    }
    browser.close().await
}
