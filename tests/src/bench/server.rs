//! The server under measurement: its own process, its CPU time and memory as the kernel counts them.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;
use tripline_tests::driver::Served;

/// A running server in a temporary directory.
pub struct Server {
    child: Child,
    addresses: Value,
    scratch: tempfile::TempDir,
    client: reqwest::Client,
}

impl Server {
    /// Starts the binary that lies beside this one.
    pub fn start(environment: &[(&str, &str)]) -> Result<Self> {
        let binary = std::env::current_exe()?.with_file_name("tripline-under-test");
        ensure!(
            binary.exists(),
            "{} is missing; run cargo xtask bench",
            binary.display()
        );
        let scratch = tempfile::tempdir()?;
        let mut child = Command::new(binary)
            .args([
                "serve",
                "--otlp-grpc",
                "127.0.0.1:0",
                "--otlp-http",
                "127.0.0.1:0",
                "--http",
                "127.0.0.1:0",
            ])
            .arg("--data-dir")
            .arg(scratch.path().join("data"))
            .envs(environment.iter().copied())
            .env("TRIPLINE_LOG__LEVEL", "warn")
            .stdout(Stdio::piped())
            .spawn()?;
        let stdout = child.stdout.take().context("stdout is piped")?;
        let line = BufReader::new(stdout)
            .lines()
            .next()
            .context("the server ended")??;
        Ok(Self {
            child,
            addresses: serde_json::from_str(&line)?,
            scratch,
            client: reqwest::Client::new(),
        })
    }

    /// `http://host:port` of OTLP/gRPC.
    pub fn grpc(&self) -> String {
        format!(
            "http://{}",
            self.addresses["otlp_grpc"].as_str().unwrap_or_default()
        )
    }

    /// The data directory.
    pub fn data_dir(&self) -> PathBuf {
        self.scratch.path().join("data")
    }

    /// CPU time so far, user and system.
    pub fn cpu(&self) -> Result<Duration> {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id()))?;
        let after = stat
            .rsplit_once(')')
            .context("stat has a name in brackets")?
            .1;
        let field = |at: usize| {
            after
                .split_whitespace()
                .nth(at)
                .and_then(|text| text.parse::<u64>().ok())
        };
        let ticks = field(11).context("utime")? + field(12).context("stime")?;
        // Linux reports in USER_HZ, which is 100 on every platform it runs on.
        Ok(Duration::from_millis(ticks * 10))
    }

    /// Highest resident memory so far, in bytes.
    pub fn peak_memory(&self) -> Result<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let line = status
            .lines()
            .find(|line| line.starts_with("VmHWM:"))
            .context("VmHWM")?;
        let kib: u64 = line
            .split_whitespace()
            .nth(1)
            .context("a number")?
            .parse()?;
        Ok(kib * 1024)
    }

    /// A GET; the body as text.
    pub async fn get(&self, path: &str) -> Result<String> {
        let url = format!("http://{}{path}", self.http());
        let response = self.client.get(url).send().await?;
        let status = response.status();
        let text = response.text().await?;
        ensure!(status.is_success(), "GET {path}: {status} {text}");
        Ok(text)
    }

    /// Waits until nothing is left to seal or to compact: no hot rows waiting, CPU at rest for two seconds.
    pub async fn settle(&self) -> Result<()> {
        let deadline = Instant::now() + Duration::from_secs(900);
        let mut last = self.cpu()?;
        let mut quiet = 0;
        while quiet < 4 {
            ensure!(
                Instant::now() < deadline,
                "the server does not come to rest"
            );
            tokio::time::sleep(Duration::from_millis(500)).await;
            let now = self.cpu()?;
            quiet = if now - last <= Duration::from_millis(20) {
                quiet + 1
            } else {
                0
            };
            last = now;
        }
        Ok(())
    }
}

impl Served for Server {
    fn http(&self) -> &str {
        self.addresses["http"].as_str().unwrap_or_default()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Bytes of every file below `path` but for the reserve, and their number.
pub fn disk_usage(path: &Path) -> Result<(u64, usize)> {
    let (mut bytes, mut files) = (0, 0);
    for entry in std::fs::read_dir(path)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            let (inner_bytes, inner_files) = disk_usage(&entry.path())?;
            bytes += inner_bytes;
            files += inner_files;
        } else if entry.file_name() != "RESERVE" {
            bytes += entry.metadata()?.len();
            files += 1;
        }
    }
    Ok((bytes, files))
}
