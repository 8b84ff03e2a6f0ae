//! Chromium and its driver, as the tests and the benchmark use them.

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use fantoccini::elements::Element;
use fantoccini::{Client, ClientBuilder, Locator};
use serde_json::{Value, json};

/// Longest wait for anything a healthy server or browser does.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// A server whose pages are opened.
pub trait Served {
    /// `host:port` of its pages.
    fn http(&self) -> &str;
}

/// A browser of its own, ended with the test.
pub struct Browser {
    driver: Child,
    /// WebDriver.
    pub client: Client,
    /// Of the driver.
    address: String,
    _profile: tempfile::TempDir,
}

impl Browser {
    /// A window of that size.
    pub async fn open(width: u32, height: u32) -> Result<Self> {
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
            address: format!("http://127.0.0.1:{port}"),
            _profile: profile,
        })
    }

    /// Opens a page of the server.
    pub async fn go(&self, server: &impl Served, path: &str) -> Result<()> {
        Ok(self
            .client
            .goto(&format!("http://{}{path}", server.http()))
            .await?)
    }

    /// Opens a page of the server, and waits until its islands live.
    pub async fn enter(&self, server: &impl Served, path: &str) -> Result<()> {
        self.go(server, path).await?;
        self.until_live().await
    }

    /// Waits until the islands of the page live.
    pub async fn until_live(&self) -> Result<()> {
        self.until("return document.documentElement.dataset.live === ''")
            .await
    }

    /// The first element a selector finds, as soon as there is one.
    pub async fn element(&self, css: &str) -> Result<Element> {
        let wait = self.client.wait().at_most(PATIENCE);
        Ok(wait.for_element(Locator::Css(css)).await?)
    }

    /// Clicks it.
    pub async fn click(&self, css: &str) -> Result<()> {
        Ok(self.element(css).await?.click().await?)
    }

    /// Whether the page is wider than the window.
    pub async fn scrolls_sideways(&self) -> Result<bool> {
        let is_wider = "return document.documentElement.scrollWidth > innerWidth";
        Ok(self.script(is_wider).await? == Value::Bool(true))
    }

    /// What a script answers.
    pub async fn script(&self, script: &str) -> Result<Value> {
        Ok(self.client.execute(script, Vec::new()).await?)
    }

    /// Waits until the script answers `true`.
    pub async fn until(&self, script: &str) -> Result<()> {
        let deadline = Instant::now() + PATIENCE;
        while self.script(script).await? != Value::Bool(true) {
            ensure!(Instant::now() < deadline, "never true: {script}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        Ok(())
    }

    /// A command of the browser's own protocol.
    pub async fn devtools(&self, command: &str, parameters: Value) -> Result<()> {
        let path = format!(
            "{}/session/{}/goog/cdp/execute",
            self.address,
            self.session().await?
        );
        let body = json!({"cmd": command, "params": parameters});
        let response = reqwest::Client::new().post(path).json(&body).send().await?;
        ensure!(
            response.status() == 200,
            "{command}: {}",
            response.text().await?
        );
        Ok(())
    }

    async fn session(&self) -> Result<String> {
        self.client
            .session_id()
            .await?
            .context("a session has an id")
    }

    /// What the console said since the last call.
    pub async fn console(&self) -> Result<Vec<Value>> {
        let path = format!("{}/session/{}/se/log", self.address, self.session().await?);
        let response = reqwest::Client::new()
            .post(path)
            .json(&json!({"type": "browser"}))
            .send()
            .await?;
        let answer: Value = response.json().await?;
        Ok(answer["value"].as_array().cloned().unwrap_or_default())
    }

    /// Moves the pointer to a place of the window.
    pub async fn point(&self, x: f64, y: f64) -> Result<()> {
        let event = json!({"type": "mouseMoved", "x": x, "y": y});
        self.devtools("Input.dispatchMouseEvent", event).await
    }

    /// Brings an element into view, and moves the pointer onto its middle.
    pub async fn point_at(&self, css: &str) -> Result<()> {
        let middle = format!(
            "const pointed = document.querySelector({css:?}); pointed.scrollIntoView({{block: 'center'}});
             const area = pointed.getBoundingClientRect(); return [area.left + area.width / 2, area.top + area.height / 2]"
        );
        let place = self.script(&middle).await?;
        let number = |at: usize| place[at].as_f64().context("a place");
        self.point(number(0)?, number(1)?).await?;
        let is_pointed = format!("return document.querySelector({css:?}).matches(':hover')");
        self.until(&is_pointed).await
    }

    /// Keeps what would go to the clipboard in `copied`: a headless browser has none it lets one read.
    pub async fn catch_copies(&self) -> Result<()> {
        let catch = "window.copied = []; navigator.clipboard.writeText = text => { copied.push(text); return Promise.resolve(); }";
        self.script(catch).await?;
        Ok(())
    }

    /// Presses Copy link, and says what would have gone to the clipboard; after [`Self::catch_copies`].
    pub async fn copied_link(&self) -> Result<String> {
        let press = "window.copied.length = 0; [...document.querySelectorAll('.tools button')].find(one => one.innerText === 'Copy link').click()";
        self.script(press).await?;
        self.until("return copied.length === 1").await?;
        let copied = self.script("return copied[0]").await?;
        Ok(copied.as_str().context("a link")?.to_owned())
    }

    /// Presses, moves, lets go.
    pub async fn drag(&self, from: (f64, f64), to: (f64, f64)) -> Result<()> {
        for (kind, (x, y), pressed) in [
            ("mouseMoved", from, 0),
            ("mousePressed", from, 1),
            (
                "mouseMoved",
                ((from.0 + to.0) / 2.0, (from.1 + to.1) / 2.0),
                1,
            ),
            ("mouseMoved", to, 1),
            ("mouseReleased", to, 0),
        ] {
            let event = json!({"type": kind, "x": x, "y": y, "button": "left", "buttons": pressed, "clickCount": 1});
            self.devtools("Input.dispatchMouseEvent", event).await?;
        }
        Ok(())
    }

    /// A screenshot of that name, to look at.
    pub async fn picture(&self, name: &str) -> Result<()> {
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

    /// A screen of that size, whatever the least width of a window is.
    pub async fn screen(&self, width: u32, height: u32) -> Result<()> {
        let metrics =
            json!({"width": width, "height": height, "deviceScaleFactor": 1, "mobile": true});
        self.devtools("Emulation.setDeviceMetricsOverride", metrics)
            .await
    }

    /// Ends both.
    pub async fn close(mut self) -> Result<()> {
        let _ = self.client.clone().close().await;
        self.driver.kill()?;
        self.driver.wait()?;
        Ok(())
    }
}

impl Drop for Browser {
    /// A test that failed leaves no browser behind: the driver's end alone would not end it.
    fn drop(&mut self) {
        let mut kill = Command::new("kill");
        kill.args(children(self.driver.id()));
        let _ = kill.stderr(Stdio::null()).status();
        let _ = self.driver.kill();
        let _ = self.driver.wait();
    }
}

/// The processes that `process` started, whichever of its threads did.
fn children(process: u32) -> Vec<String> {
    let threads = std::fs::read_dir(format!("/proc/{process}/task"));
    let lists = threads.into_iter().flatten().flatten();
    lists
        .filter_map(|thread| std::fs::read_to_string(thread.path().join("children")).ok())
        .flat_map(|list| {
            list.split_whitespace()
                .map(str::to_owned)
                .collect::<Vec<_>>()
        })
        .collect()
}
