//! One POST over HTTP/1.1 to our own server on this machine: too little to bring a client library in for.

use std::io::{BufRead as _, BufReader, Read as _, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use tripline_storage::sql::{Format, Request};

use crate::api::sql::TRUNCATED;

/// What came back; a complete answer is already in `out`.
pub(super) enum Answer {
    /// All of it was written.
    Complete {
        /// There were more rows than the limit.
        is_truncated: bool,
    },
    /// A problem document.
    Problem(serde_json::Value),
}

/// How long the server may be silent at least: as long as a query may take by default, and [`BESIDE_QUERY`].
const SILENCE_MAX: Duration = Duration::from_secs(120);
/// How long an answer may take besides its query: to wait for a place, and to be sent.
const BESIDE_QUERY: Duration = Duration::from_secs(60);
/// Most bytes of a header line or a problem document.
const SMALL_MAX: u64 = 1 << 20;

/// Asks the server; a successful answer goes to `out` as it comes.
pub(super) fn post(
    address: &str,
    token: Option<&str>,
    request: &Request,
    out: &mut dyn Write,
) -> anyhow::Result<Answer> {
    let mut stream = connect(address, request.timeout.unwrap_or_default())?;
    let body = serde_json::json!({
        "query": request.query,
        "limit": request.limit,
        "timeout_ms": request.timeout.map(|timeout| u64::try_from(timeout.as_millis()).unwrap_or(u64::MAX)),
    })
    .to_string();
    let accept = match request.format {
        Format::Table => "text/plain",
        format => format.media_type().split(';').next().unwrap_or("*/*"),
    };
    let authorization = token
        .map(|token| format!("Authorization: Bearer {token}\r\n"))
        .unwrap_or_default();
    write!(
        stream,
        "POST /api/v1/sql HTTP/1.1\r\nHost: {address}\r\nContent-Type: application/json\r\nAccept: {accept}\r\n\
         {authorization}Content-Length: {}\r\nTE: trailers\r\nConnection: close, TE\r\n\r\n{body}",
        body.len()
    )?;
    stream.flush()?;
    let mut reader = BufReader::new(stream);
    let status = status(&line(&mut reader)?)?;
    let head = headers(&mut reader)?;
    if status != 200 {
        let mut problem = Vec::new();
        copy(&mut reader, head, &mut problem)?;
        let problem = serde_json::from_slice(&problem)
            .with_context(|| format!("the server answered {status}"))?;
        return Ok(Answer::Problem(problem));
    }
    let is_truncated = copy(&mut reader, head, out)?;
    Ok(Answer::Complete { is_truncated })
}

/// A GET of the API: status and body. `timeout` is the longest time its query may take.
pub(in crate::commands) fn get(
    address: &str,
    token: Option<&str>,
    path: &str,
    timeout: Duration,
) -> anyhow::Result<(u16, Vec<u8>)> {
    let mut stream = connect(address, timeout)?;
    let authorization = token
        .map(|token| format!("Authorization: Bearer {token}\r\n"))
        .unwrap_or_default();
    write!(
        stream,
        "GET {path} HTTP/1.1\r\nHost: {address}\r\nAccept: application/json\r\n{authorization}Connection: close\r\n\r\n"
    )?;
    stream.flush()?;
    let mut reader = BufReader::new(stream);
    let status = status(&line(&mut reader)?)?;
    let head = headers(&mut reader)?;
    let mut body = Vec::new();
    copy(&mut reader, head, &mut body)?;
    Ok((status, body))
}

fn connect(address: &str, timeout: Duration) -> anyhow::Result<TcpStream> {
    let mut address: SocketAddr = address
        .parse()
        .context("the announced address is unreadable")?;
    if address.ip().is_unspecified() {
        let loopback = if address.is_ipv4() {
            "127.0.0.1"
        } else {
            "::1"
        };
        address.set_ip(loopback.parse().expect("a loopback address"));
    }
    let stream = TcpStream::connect_timeout(&address, Duration::from_secs(5))?;
    let silence = timeout.saturating_add(BESIDE_QUERY).max(SILENCE_MAX);
    stream.set_read_timeout(Some(silence))?;
    Ok(stream)
}

type Reader = BufReader<TcpStream>;

fn line(reader: &mut Reader) -> anyhow::Result<String> {
    let mut line = String::new();
    let read = reader.by_ref().take(SMALL_MAX).read_line(&mut line)?;
    ensure!(read > 0, "the server closed the connection");
    Ok(line.trim_end().to_owned())
}

fn status(line: &str) -> anyhow::Result<u16> {
    line.split(' ')
        .nth(1)
        .and_then(|status| status.parse().ok())
        .context("the answer is not HTTP")
}

/// How the body's end is known.
#[derive(Clone, Copy)]
enum Length {
    Bytes(u64),
    Chunked,
}

/// What the headers say.
#[derive(Clone, Copy)]
struct Head {
    length: Length,
    is_truncated: bool,
}

fn headers(reader: &mut Reader) -> anyhow::Result<Head> {
    let mut length = None;
    let mut is_truncated = false;
    loop {
        let header = line(reader)?.to_ascii_lowercase();
        if header.is_empty() {
            let length = length.context("the answer says no length")?;
            return Ok(Head {
                length,
                is_truncated,
            });
        }
        match header.split_once(':') {
            Some(("transfer-encoding", value)) if value.contains("chunked") => {
                length = Some(Length::Chunked);
            }
            Some(("content-length", value)) => length = Some(Length::Bytes(value.trim().parse()?)),
            _ => is_truncated |= says_truncated(&header),
        }
    }
}

fn says_truncated(header: &str) -> bool {
    header
        .split_once(':')
        .is_some_and(|(name, value)| name == TRUNCATED && value.trim() == "true")
}

/// Copies the body; whether headers or trailers say that it was cut.
fn copy(reader: &mut Reader, head: Head, out: &mut dyn Write) -> anyhow::Result<bool> {
    let mut is_truncated = head.is_truncated;
    match head.length {
        Length::Bytes(bytes) => exactly(reader, bytes, out)?,
        Length::Chunked => loop {
            let size = line(reader).context("the result ends early: the query failed")?;
            let bytes = u64::from_str_radix(size.split(';').next().unwrap_or_default().trim(), 16)?;
            if bytes == 0 {
                // Trailers, to the empty line or the end.
                while let Ok(trailer) = line(reader) {
                    if trailer.is_empty() {
                        break;
                    }
                    is_truncated |= says_truncated(&trailer.to_ascii_lowercase());
                }
                break;
            }
            exactly(reader, bytes, out)?;
            line(reader).context("the result ends early: the query failed")?;
        },
    }
    Ok(is_truncated)
}

fn exactly(reader: &mut Reader, bytes: u64, out: &mut dyn Write) -> anyhow::Result<()> {
    match std::io::copy(&mut reader.by_ref().take(bytes), out) {
        Ok(copied) if copied == bytes => Ok(()),
        Ok(_) => bail!("the result ends early: the query failed"),
        // Whoever reads our output has seen enough.
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => std::process::exit(0),
        Err(error) => Err(error.into()),
    }
}
