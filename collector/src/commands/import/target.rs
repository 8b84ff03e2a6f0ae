//! Where imported requests go: the store of this process, or a running server.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::Context as _;
use futures::future::join_all;
use tripline_storage::ingest::Batch;
use tripline_storage::store::{AppendError, Store, lock_holder};

use crate::config::Config;
use crate::decode::{Decoded, Logs, Metrics, Signal, SignalKind, Traces};

/// Batches appended at once: they share a commit.
const BATCHES_AT_ONCE: usize = 32;
/// How long a busy store or server is asked again.
const PATIENCE: Duration = Duration::from_secs(60);
/// The largest answer read.
const ANSWER_BYTES_MAX: u64 = 4 << 20;

/// What became of one request.
#[derive(Debug, Clone, Copy)]
pub(super) struct Answer {
    pub(super) items: u64,
    pub(super) rejected: u64,
}

pub(super) enum Target {
    Store {
        store: Arc<Store>,
        runtime: tokio::runtime::Runtime,
        pending: Vec<(Batch, Answer)>,
    },
    Server {
        address: String,
        token: Option<String>,
    },
}

impl Target {
    /// The store when nobody holds it, else who holds it.
    pub(super) fn open(config: &Config, token: Option<String>) -> anyhow::Result<Self> {
        let data_dir = config.data_dir.clone();
        let shown = data_dir.display().to_string();
        if let Some(holder) = lock_holder(&data_dir)? {
            let addresses: serde_json::Value =
                serde_json::from_str(&holder.addresses).unwrap_or_default();
            let address = addresses["otlp_http"].as_str().with_context(|| {
                let pid = holder.pid.map_or_else(|| "another process".into(), |pid| format!("process {pid}"));
                format!("{shown} is held by {pid}, which serves no OTLP/HTTP: stop it, or turn OTLP/HTTP on")
            })?;
            // A wildcard is where it listens, not where it is reached.
            let address = address
                .replace("0.0.0.0:", "127.0.0.1:")
                .replace("[::]:", "[::1]:");
            return Ok(Self::Server { address, token });
        }
        let store = Store::open(config.store_config())
            .with_context(|| format!("cannot open the data directory {shown}"))?;
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        Ok(Self::Store {
            store: Arc::new(store),
            runtime,
            pending: Vec::new(),
        })
    }

    /// For the summary.
    pub(super) fn name(&self) -> String {
        match self {
            Self::Store { .. } => "data directory".to_owned(),
            Self::Server { address, .. } => format!("http://{address}"),
        }
    }

    /// Takes one request of OTLP/JSON; `answered` hears of it, or of earlier ones, once they are committed.
    pub(super) fn send(
        &mut self,
        kind: SignalKind,
        line: &[u8],
        answered: &mut dyn FnMut(Answer),
    ) -> anyhow::Result<()> {
        // Decoded here in both cases: the line's items are counted, and its faults told with their field.
        let decoded = decode(kind, line)?;
        let items = decoded.batch.items() as u64 + decoded.rejected();
        let answer = Answer {
            items,
            rejected: decoded.rejected(),
        };
        match self {
            Self::Server { address, token } => {
                post(address, token.as_deref(), kind, line)?;
                answered(answer);
                Ok(())
            }
            Self::Store { pending, .. } => {
                pending.push((decoded.batch, answer));
                if pending.len() < BATCHES_AT_ONCE {
                    Ok(())
                } else {
                    self.commit(answered)
                }
            }
        }
    }

    /// Appends what is pending.
    fn commit(&mut self, answered: &mut dyn FnMut(Answer)) -> anyhow::Result<()> {
        let Self::Store {
            store,
            runtime,
            pending,
        } = self
        else {
            return Ok(());
        };
        let (batches, answers): (Vec<_>, Vec<_>) = pending.drain(..).unzip();
        let outcomes = runtime.block_on(join_all(
            batches.into_iter().map(|batch| store.append(batch)),
        ));
        for (outcome, answer) in outcomes.into_iter().zip(answers) {
            outcome.map_err(explained)?;
            answered(answer);
        }
        Ok(())
    }

    /// Commits the rest and closes the store.
    pub(super) fn finish(mut self, answered: &mut dyn FnMut(Answer)) -> anyhow::Result<()> {
        let committed = self.commit(answered);
        if let Self::Store { store, .. } = self {
            store.close(PATIENCE);
        }
        committed
    }
}

fn explained(error: AppendError) -> anyhow::Error {
    anyhow::Error::new(error).context("a request was not stored, nor those after it")
}

fn decode(kind: SignalKind, line: &[u8]) -> anyhow::Result<Decoded> {
    let since_epoch = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    let arrival = u64::try_from(since_epoch.as_nanos()).unwrap_or(u64::MAX);
    Ok(match kind {
        SignalKind::Traces => Traces::from_json(line, arrival)?,
        SignalKind::Metrics => Metrics::from_json(line, arrival)?,
        SignalKind::Logs => Logs::from_json(line, arrival)?,
    })
}

/// Posts one line, again while the server asks for it.
fn post(address: &str, token: Option<&str>, kind: SignalKind, line: &[u8]) -> anyhow::Result<()> {
    let deadline = std::time::Instant::now() + PATIENCE;
    loop {
        let (status, retry_after, body) = exchange(address, token, kind, line)
            .with_context(|| format!("cannot post to the server at {address}"))?;
        match status {
            200 => return Ok(()),
            429 | 502..=504 if std::time::Instant::now() < deadline => {
                std::thread::sleep(Duration::from_secs(retry_after.clamp(1, 10)));
            }
            401 | 403 => anyhow::bail!("the server at {address} wants a token: pass --token"),
            _ => anyhow::bail!("the server at {address} answered {status}: {body}"),
        }
    }
}

/// One HTTP/1.1 exchange: status, seconds to wait, body. A client library is not worth its weight for this.
fn exchange(
    address: &str,
    token: Option<&str>,
    kind: SignalKind,
    line: &[u8],
) -> anyhow::Result<(u16, u64, String)> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    let authorization = token.map_or_else(String::new, |token| {
        format!("Authorization: Bearer {token}\r\n")
    });
    anyhow::ensure!(
        !authorization.trim_end().contains(['\r', '\n']),
        "the token holds a line break"
    );
    let head = format!(
        "POST /v1/{} HTTP/1.1\r\nHost: {address}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n{authorization}Connection: close\r\n\r\n",
        kind.as_str(),
        line.len(),
    );
    stream.write_all(head.as_bytes())?;
    stream.write_all(line)?;
    let mut answer = Vec::new();
    stream.take(ANSWER_BYTES_MAX).read_to_end(&mut answer)?;
    let answer = String::from_utf8_lossy(&answer);
    let (head, body) = answer
        .split_once("\r\n\r\n")
        .context("the answer is not HTTP")?;
    let status = head.split(' ').nth(1).and_then(|word| word.parse().ok());
    let retry_after = head
        .lines()
        .filter_map(|line| line.split_once(':'))
        .find_map(|(name, value)| {
            name.eq_ignore_ascii_case("retry-after")
                .then(|| value.trim().parse().ok())?
        });
    Ok((
        status.context("the answer is not HTTP")?,
        retry_after.unwrap_or(1),
        body.to_owned(),
    ))
}
