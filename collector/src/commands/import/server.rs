//! A running server that lines are posted to: over TCP or a unix socket, at the paths of its configuration.
//!
//! A client library is not worth its weight for this: one HTTP/1.1 exchange a line, the connection closed after it. Nor
//! is TLS: a receiver that asks for it is left out, and where there is no other one the error says what to do.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use anyhow::Context as _;

use crate::config::Config;
use crate::decode::SignalKind;

/// How long a busy server is asked again, and may take to read or to answer.
const PATIENCE: Duration = Duration::from_secs(60);
/// The largest answer read.
const ANSWER_BYTES_MAX: u64 = 4 << 20;

/// Where it is reached, and how.
pub(super) struct Server {
    /// `host:port`, or `unix:/path`.
    address: String,
    /// Of traces, metrics and logs.
    paths: [String; 3],
    token: Option<String>,
}

impl Server {
    /// The first receiver without TLS of those whose addresses the server wrote into its lock: OTLP/HTTP, else OTLP/gRPC,
    /// which takes OTLP/HTTP too.
    ///
    /// # Errors
    /// The server receives nothing, or over TLS alone. The text says what to do, and goes on after "which".
    pub(super) fn at(
        addresses: &serde_json::Value,
        config: &Config,
        token: Option<String>,
    ) -> Result<Self, &'static str> {
        let receivers = [
            ("otlp_http", &config.receive.http.listen),
            ("otlp_grpc", &config.receive.grpc.listen),
        ];
        let bound: Vec<_> = receivers
            .into_iter()
            .filter_map(|(name, listen)| Some((addresses[name].as_str()?, listen)))
            .collect();
        let (address, _) = bound
            .iter()
            .find(|(_, listen)| listen.tls.is_none())
            .ok_or(if bound.is_empty() {
                "receives no OTLP: stop it"
            } else {
                "receives over TLS alone, which import does not speak: stop it, or give it a receiver without TLS \
                 on a loopback address or a unix socket"
            })?;
        // A wildcard is where it listens, not where it is reached.
        let address = address
            .replace("0.0.0.0:", "127.0.0.1:")
            .replace("[::]:", "[::1]:");
        Ok(Self {
            address,
            paths: config.receive.http.paths(),
            token,
        })
    }

    /// For the summary.
    pub(super) fn name(&self) -> String {
        match self.socket() {
            Some(_) => self.address.clone(),
            None => format!("http://{}", self.address),
        }
    }

    /// The file of its unix socket, if that is where it listens.
    fn socket(&self) -> Option<&str> {
        self.address.strip_prefix("unix:")
    }

    /// Posts one line, again while the server asks for it.
    pub(super) fn post(&self, kind: SignalKind, line: &[u8]) -> anyhow::Result<()> {
        let address = &self.address;
        let deadline = Instant::now() + PATIENCE;
        loop {
            let (status, retry_after, body) = self
                .exchange(kind, line)
                .with_context(|| format!("cannot post to the server at {address}"))?;
            match status {
                200 => return Ok(()),
                429 | 502..=504 if Instant::now() < deadline => {
                    std::thread::sleep(Duration::from_secs(retry_after.clamp(1, 10)));
                }
                401 | 403 => {
                    anyhow::bail!("the server at {address} wants a token: pass --token")
                }
                _ => anyhow::bail!("the server at {address} answered {status}: {body}"),
            }
        }
    }

    /// One exchange: status, seconds to wait, body.
    fn exchange(&self, kind: SignalKind, line: &[u8]) -> anyhow::Result<(u16, u64, String)> {
        let head = self.head(kind, line.len())?;
        let answer = if let Some(path) = self.socket() {
            let stream = UnixStream::connect(path)?;
            stream.set_read_timeout(Some(PATIENCE))?;
            stream.set_write_timeout(Some(PATIENCE))?;
            talk(stream, &head, line)?
        } else {
            let stream = TcpStream::connect(&self.address)?;
            stream.set_read_timeout(Some(PATIENCE))?;
            stream.set_write_timeout(Some(PATIENCE))?;
            talk(stream, &head, line)?
        };
        let answer = String::from_utf8_lossy(&answer);
        let (head, body) = answer.split_once("\r\n\r\n").context(
            "the answer is not HTTP; where the server was started with TLS, import needs the same --config",
        )?;
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

    /// The request before its body.
    fn head(&self, kind: SignalKind, length: usize) -> anyhow::Result<String> {
        let [traces, metrics, logs] = &self.paths;
        let path = match kind {
            SignalKind::Traces => traces,
            SignalKind::Metrics => metrics,
            SignalKind::Logs => logs,
        };
        // The path of a unix socket is no host name.
        let host = match self.socket() {
            Some(_) => "localhost",
            None => self.address.as_str(),
        };
        let authorization = self.token.as_ref().map_or_else(String::new, |token| {
            format!("Authorization: Bearer {token}\r\n")
        });
        anyhow::ensure!(
            !authorization.trim_end().contains(['\r', '\n']),
            "the token holds a line break"
        );
        Ok(format!(
            "POST {path} HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n{authorization}Connection: close\r\n\r\n"
        ))
    }
}

/// Writes a request and reads what comes until the connection is closed.
fn talk(mut stream: impl Read + Write, head: &str, line: &[u8]) -> io::Result<Vec<u8>> {
    stream.write_all(head.as_bytes())?;
    stream.write_all(line)?;
    let mut answer = Vec::new();
    stream.take(ANSWER_BYTES_MAX).read_to_end(&mut answer)?;
    Ok(answer)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::receive::{ListenConfig, TlsConfig};

    #[test]
    fn a_receiver_with_tls_is_left_out_and_alone_it_is_told() {
        let listen = |is_secure: bool| ListenConfig {
            tls: is_secure.then(TlsConfig::default),
            ..ListenConfig::default()
        };
        let both = serde_json::json!({"otlp_http": "127.0.0.1:1", "otlp_grpc": "0.0.0.0:2"});
        let http = serde_json::json!({"otlp_http": "127.0.0.1:1", "otlp_grpc": null});
        let none = serde_json::json!({"otlp_http": null, "otlp_grpc": null});
        for (addresses, secure_http, secure_grpc, reached) in [
            (&both, false, false, Ok("127.0.0.1:1")),
            (&both, true, false, Ok("127.0.0.1:2")),
            (&both, true, true, Err("over TLS alone")),
            (&http, true, false, Err("over TLS alone")),
            (&none, false, false, Err("receives no OTLP")),
        ] {
            let mut config = Config::default();
            config.receive.http.listen = listen(secure_http);
            config.receive.grpc.listen = listen(secure_grpc);
            match (Server::at(addresses, &config, None), reached) {
                (Ok(server), Ok(address)) => assert_eq!(server.address, address),
                (Err(reason), Err(part)) => assert!(reason.contains(part), "{reason}"),
                (found, _) => panic!("{:?}, not {reached:?}", found.map(|server| server.address)),
            }
        }
    }
}
