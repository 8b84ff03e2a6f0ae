//! Starts the real binary on ports of its own, talks to it, ends it.

mod disk;
mod html;
mod json;
mod signal;
mod telemetry;
mod trace;

use std::io::{BufRead as _, BufReader};
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use serde_json::Value;

pub use disk::SmallDisk;
pub use html::{attribute, cells, link_before, tags, words};
pub use json::text;
pub use signal::{Signal, check_stored};
pub use telemetry::{SpanShape, logs_request, points_request, spans_request};
pub use trace::{Call, calls_of_the_dead};
pub use tripline_tests::driver::PATIENCE;
use tripline_tests::driver::Served;

/// A running `tripline`, ended by `Drop` at the latest.
pub struct Tripline {
    child: Child,
    addresses: Value,
    data_dir: PathBuf,
    log: PathBuf,
    /// Holds the temporary directory when it is ours.
    scratch: Option<tempfile::TempDir>,
    /// For requests to the API.
    pub client: reqwest::Client,
}

/// How to start one.
#[derive(Default)]
pub struct Start {
    data_dir: Option<PathBuf>,
    environment: Vec<(String, String)>,
    arguments: Vec<String>,
    command: Option<&'static str>,
    http: Option<&'static str>,
    otlp_http: Option<String>,
    /// The words before the program's own.
    under: Vec<String>,
}

impl Start {
    /// In this data directory instead of a temporary one.
    pub fn data_dir(mut self, path: &Path) -> Self {
        self.data_dir = Some(path.to_owned());
        self
    }

    /// With an environment variable.
    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.into(), value.into()));
        self
    }

    /// With one more argument.
    pub fn arg(mut self, argument: &str) -> Self {
        self.arguments.push(argument.into());
        self
    }

    /// Pages and API at this address instead of any port of loopback.
    pub fn http(mut self, address: &'static str) -> Self {
        self.http = Some(address);
        self
    }

    /// OTLP/HTTP at this address instead of any port of loopback.
    pub fn otlp_http(mut self, address: &str) -> Self {
        self.otlp_http = Some(address.into());
        self
    }

    /// With its system calls written to this file, for [`calls_of_the_dead`].
    pub fn traced(mut self, file: &Path) -> Self {
        self.under = trace::tracer(file);
        self
    }

    /// With so many syncs of each thread, and an I/O error at all later ones.
    pub fn syncs(mut self, good: u32) -> Self {
        self.under = trace::spoiler(good + 1);
        self
    }

    /// Another command than `serve`.
    pub fn command(mut self, command: &'static str) -> Self {
        self.command = Some(command);
        self
    }

    /// Starts it and waits for its line `{"event":"listening",…}`.
    pub async fn start(self) -> Result<Tripline> {
        let scratch = match self.data_dir {
            Some(_) => None,
            None => Some(tempfile::tempdir()?),
        };
        let data_dir = match (&self.data_dir, &scratch) {
            (Some(path), _) => path.clone(),
            (None, Some(dir)) => dir.path().join("data"),
            (None, None) => bail!("no data directory"),
        };
        let log = data_dir.with_extension("log");
        let stderr = std::fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(&log)?;
        let mut words = self.under.into_iter();
        let program = env!("CARGO_BIN_EXE_tripline-under-test");
        let mut command = match words.next() {
            None => Command::new(program),
            Some(first) => {
                let mut command = Command::new(first);
                command.args(words).arg(program);
                command
            }
        };
        let mut child = command
            .arg(self.command.unwrap_or("serve"))
            .args([
                "--otlp-grpc",
                "127.0.0.1:0",
                "--otlp-http",
                self.otlp_http.as_deref().unwrap_or("127.0.0.1:0"),
                "--http",
                self.http.unwrap_or("127.0.0.1:0"),
            ])
            .arg("--data-dir")
            .arg(&data_dir)
            .args(&self.arguments)
            .envs(self.environment)
            .stdout(Stdio::piped())
            .stderr(stderr)
            .stdin(Stdio::null())
            .spawn()
            .context("cannot start tripline")?;
        let stdout = child.stdout.take().context("stdout is piped")?;
        let (sender, receiver) = tokio::sync::oneshot::channel();
        std::thread::spawn(move || {
            let mut lines = BufReader::new(stdout).lines();
            let listening = lines
                .by_ref()
                .map_while(Result::ok)
                .find(|line| line.contains("\"listening\""));
            let _ = sender.send(listening);
            lines.for_each(drop);
        });
        let line = tokio::time::timeout(PATIENCE, receiver)
            .await
            .ok()
            .and_then(Result::ok)
            .flatten();
        let Some(line) = line else {
            let _ = child.kill();
            let status = child.wait()?;
            let said = std::fs::read_to_string(&log).unwrap_or_default();
            bail!("tripline did not start ({status}): {said}");
        };
        Ok(Tripline {
            child,
            addresses: serde_json::from_str(&line)?,
            data_dir,
            log,
            scratch,
            client: reqwest::Client::builder().timeout(PATIENCE).build()?,
        })
    }
}

impl Tripline {
    /// Starts `serve` with defaults in a temporary directory.
    pub async fn start() -> Result<Self> {
        Start::default().start().await
    }

    fn address(&self, name: &str) -> &str {
        self.addresses[name].as_str().unwrap_or_default()
    }

    /// `host:port` of OTLP/gRPC.
    pub fn otlp_grpc(&self) -> &str {
        self.address("otlp_grpc")
    }

    /// `host:port` of OTLP/HTTP.
    pub fn otlp_http(&self) -> &str {
        self.address("otlp_http")
    }

    /// `host:port` of UI and API.
    pub fn http(&self) -> &str {
        self.address("http")
    }

    /// Where its segments are.
    pub fn data_dir(&self) -> &Path {
        &self.data_dir
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// What it has logged so far.
    pub fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// A GET of the UI or API: status and text.
    pub async fn get_text(&self, path: &str) -> Result<(u16, String)> {
        let response = self
            .client
            .get(format!("http://{}{path}", self.http()))
            .send()
            .await?;
        Ok((response.status().as_u16(), response.text().await?))
    }

    /// A GET that must answer 200 with JSON.
    pub async fn get(&self, path: &str) -> Result<Value> {
        let (status, text) = self.get_text(path).await?;
        ensure!(status == 200, "GET {path} answered {status}: {text}");
        Ok(serde_json::from_str(&text)?)
    }

    /// The value of one sample of `/metrics`: its name, with its labels as they stand there.
    pub async fn metric(&self, sample: &str) -> Result<u64> {
        let (status, text) = self.get_text("/metrics").await?;
        ensure!(status == 200, "/metrics answered {status}: {text}");
        let value = text
            .lines()
            .find_map(|line| line.strip_prefix(sample)?.strip_prefix(' '))
            .with_context(|| format!("no {sample} in\n{text}"))?;
        value.parse().with_context(|| format!("{sample} {value}"))
    }

    /// Asks again until a sample of `/metrics` is one of these, or patience ends.
    pub async fn wait_for_metric(&self, sample: &str, wanted: RangeInclusive<u64>) -> Result<()> {
        let deadline = Instant::now() + PATIENCE;
        while !wanted.contains(&self.metric(sample).await?) {
            ensure!(
                Instant::now() < deadline,
                "{sample} never was {wanted:?}\n{}",
                self.log()
            );
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        Ok(())
    }

    /// Sends one request over OTLP/HTTP, as JSON: `signal` is `traces`, `logs` or `metrics`. All of it must be taken.
    pub async fn send(&self, signal: &str, request: &Value) -> Result<()> {
        let address = format!("http://{}/v1/{signal}", self.otlp_http());
        let status = self
            .client
            .post(address)
            .json(request)
            .send()
            .await?
            .status();
        ensure!(status == 200, "{signal}: {status}");
        Ok(())
    }

    /// Rows of a query over the API; every cell as the JSON the contract names.
    pub async fn sql(&self, query: &str) -> Result<Vec<Vec<Value>>> {
        let response = self
            .client
            .post(format!("http://{}/api/v1/sql", self.http()))
            .json(&serde_json::json!({ "query": query, "limit": 100_000, "timeout_ms": 30_000 }))
            .send()
            .await?;
        let status = response.status();
        let text = response.text().await?;
        ensure!(
            status.is_success(),
            "SQL {query:?} answered {status}: {text}"
        );
        let answer: Value = serde_json::from_str(&text)?;
        Ok(serde_json::from_value(answer["rows"].clone())?)
    }

    /// The one number a query answers.
    pub async fn number(&self, query: &str) -> Result<i64> {
        let rows = self.sql(query).await?;
        let cell = rows
            .first()
            .and_then(|row| row.first())
            .cloned()
            .unwrap_or(Value::Null);
        cell.as_i64()
            .or_else(|| cell.as_f64().map(|number| number as i64))
            .or_else(|| cell.as_str().and_then(|text| text.parse().ok()))
            .with_context(|| format!("{query:?} answered {cell}, not a number"))
    }

    /// Asks again until the query's number is at least `wanted`, or patience ends.
    pub async fn wait_for(&self, query: &str, wanted: i64) -> Result<i64> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let number = self.number(query).await?;
            if number >= wanted {
                return Ok(number);
            }
            ensure!(
                Instant::now() < deadline,
                "{query:?} answered {number}, never {wanted}\n{}",
                self.log()
            );
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// SIGKILL; the data directory stays.
    pub fn kill(mut self) -> Result<Remains> {
        self.child.kill()?;
        self.child.wait()?;
        Ok(self.remains())
    }

    /// SIGTERM, and its exit code once it is down.
    pub fn stop(self) -> Result<(Option<i32>, Remains)> {
        ensure!(
            Command::new("kill")
                .args(["-TERM", &self.child.id().to_string()])
                .status()?
                .success(),
            "cannot signal tripline"
        );
        self.ended()
    }

    /// Its exit code once it is down.
    pub fn ended(mut self) -> Result<(Option<i32>, Remains)> {
        let deadline = Instant::now() + PATIENCE;
        let status = loop {
            if let Some(status) = self.child.try_wait()? {
                break status;
            }
            ensure!(
                Instant::now() < deadline,
                "tripline does not end\n{}",
                self.log()
            );
            std::thread::sleep(Duration::from_millis(20));
        };
        Ok((status.code(), self.remains()))
    }

    fn remains(&mut self) -> Remains {
        Remains {
            data_dir: self.data_dir.clone(),
            _scratch: self.scratch.take(),
        }
    }
}

impl Served for Tripline {
    fn http(&self) -> &str {
        self.address("http")
    }
}

impl Drop for Tripline {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Nanoseconds since the Unix epoch.
pub fn now() -> u64 {
    let since = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .expect("after 1970");
    u64::try_from(since.as_nanos()).expect("before 2554")
}

/// Highest resident memory of a process so far, in bytes, as the kernel counts it.
pub fn peak_memory(pid: u32) -> Result<u64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status
        .lines()
        .find(|line| line.starts_with("VmHWM:"))
        .context("no VmHWM")?;
    let kib: u64 = line
        .split_whitespace()
        .nth(1)
        .context("no number")?
        .parse()?;
    Ok(kib * 1024)
}

/// What an ended server leaves.
pub struct Remains {
    /// Its segments.
    pub data_dir: PathBuf,
    _scratch: Option<tempfile::TempDir>,
}
