//! HTTP clients of the tests: a raw HTTP/1.1 one that hides nothing, and an HTTP/2 one for gRPC frames.

use std::net::SocketAddr;

use prost::Message as _;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tonic_types::pb;

pub(super) const JSON: &str = "application/json";
pub(super) const PROTOBUF: &str = "application/x-protobuf";

/// An answer as it came over the wire.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: Vec<u8>,
}

impl Answer {
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(known, _)| known == name)
            .map(|(_, value)| value.as_str())
    }

    pub(super) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub(super) fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error} in {self:?}"))
    }

    /// The `google.rpc.Status` of an error, checked to be one: (code, message, retry delay in seconds).
    pub(super) fn rpc_status(&self) -> (i64, String, Option<f64>) {
        let found = match self.header("content-type") {
            Some(PROTOBUF) => {
                let status = pb::Status::decode(self.body.as_slice()).expect("a Status");
                let retry = status
                    .details
                    .iter()
                    .find(|any| any.type_url.ends_with("google.rpc.RetryInfo"));
                let retry = retry.map(|any| pb::RetryInfo::decode(any.value.as_slice()).unwrap());
                let delay = retry.and_then(|info| info.retry_delay);
                let seconds =
                    delay.map(|delay| delay.seconds as f64 + f64::from(delay.nanos) / 1e9);
                (i64::from(status.code), status.message, seconds)
            }
            Some(JSON) => {
                let status = self.json();
                let details = status["details"].as_array().cloned().unwrap_or_default();
                let delay = details
                    .iter()
                    .find_map(|detail| detail["retryDelay"].as_str());
                let seconds = delay.map(|text| text.trim_end_matches('s').parse().unwrap());
                let message = status["message"].as_str().expect("a message").to_owned();
                (status["code"].as_i64().expect("a code"), message, seconds)
            }
            other => panic!("content type {other:?} of an error: {self:?}"),
        };
        assert!(
            !found.1.is_empty() && found.1.len() < 600,
            "the message is short and says something"
        );
        found
    }
}

/// POSTs over HTTP/1.1.
pub(super) async fn post(
    to: SocketAddr,
    path: &str,
    headers: &[(&str, &str)],
    body: &[u8],
) -> Answer {
    request(to, "POST", path, headers, body).await
}

/// POSTs with only a content type.
pub(super) async fn send(to: SocketAddr, path: &str, content_type: &str, body: &[u8]) -> Answer {
    post(to, path, &[("content-type", content_type)], body).await
}

/// Any HTTP/1.1 request on a connection of its own.
pub(super) async fn request(
    to: SocketAddr,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &[u8],
) -> Answer {
    let stream = TcpStream::connect(to).await.expect("connects");
    converse(stream, method, path, headers, body).await
}

/// Any HTTP/1.1 request over any stream.
pub(super) async fn converse<S: AsyncRead + AsyncWrite + Unpin>(
    mut stream: S,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &[u8],
) -> Answer {
    let mut head = format!("{method} {path} HTTP/1.1\r\nhost: test\r\nconnection: close\r\n");
    head.push_str(&format!("content-length: {}\r\n", body.len()));
    for (name, value) in headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    head.push_str("\r\n");
    stream
        .write_all(head.as_bytes())
        .await
        .expect("writes the head");
    stream
        .write_all(body)
        .await
        .expect("the server reads the body even when it refuses it");
    read_answer(&mut stream).await
}

/// Reads to the end of the connection and takes the answer apart.
pub(super) async fn read_answer<S: AsyncRead + Unpin>(stream: &mut S) -> Answer {
    let mut bytes = Vec::new();
    let limit = std::time::Duration::from_secs(30);
    let read = tokio::time::timeout(limit, stream.read_to_end(&mut bytes))
        .await
        .expect("an answer in time");
    if let Err(error) = read {
        // A TLS peer may close without saying so; everything else is a failure.
        assert_eq!(error.kind(), std::io::ErrorKind::UnexpectedEof, "{error}");
    }
    parse(&bytes)
}

fn parse(bytes: &[u8]) -> Answer {
    let end = bytes.windows(4).position(|window| window == b"\r\n\r\n");
    let end = end.unwrap_or_else(|| panic!("no head in {:?}", String::from_utf8_lossy(bytes)));
    let head = String::from_utf8(bytes[..end].to_vec()).expect("a head");
    let mut lines = head.split("\r\n");
    let status = lines
        .next()
        .unwrap()
        .split(' ')
        .nth(1)
        .unwrap()
        .parse()
        .unwrap();
    let headers: Vec<(String, String)> = lines
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
        .collect();
    let body = bytes[end + 4..].to_vec();
    let chunked = headers
        .iter()
        .any(|(name, value)| name == "transfer-encoding" && value == "chunked");
    Answer {
        status,
        headers,
        body: if chunked { unchunk(&body) } else { body },
    }
}

fn unchunk(mut bytes: &[u8]) -> Vec<u8> {
    let mut whole = Vec::new();
    while let Some(end) = bytes.windows(2).position(|window| window == b"\r\n") {
        let size = usize::from_str_radix(std::str::from_utf8(&bytes[..end]).unwrap(), 16).unwrap();
        if size == 0 {
            break;
        }
        whole.extend_from_slice(&bytes[end + 2..end + 2 + size]);
        bytes = &bytes[end + 4 + size..];
    }
    whole
}

/// A gRPC call by hand; errors of ours come in the headers, where this client can see them.
pub(super) async fn grpc(
    to: SocketAddr,
    path: &str,
    headers: &[(&str, &str)],
    body: Vec<u8>,
) -> (Option<i32>, String, http::HeaderMap) {
    let client = reqwest::Client::builder()
        .http2_prior_knowledge()
        .build()
        .expect("a client");
    let mut call = client
        .post(format!("http://{to}{path}"))
        .header("content-type", "application/grpc")
        .header("te", "trailers")
        .body(body);
    for (name, value) in headers {
        call = call.header(*name, *value);
    }
    let answer = call.send().await.expect("an answer");
    assert_eq!(answer.status(), 200, "gRPC errors travel in grpc-status");
    let headers = answer.headers().clone();
    let text = |name: &str| {
        headers
            .get(name)
            .map(|value| value.to_str().unwrap().to_owned())
    };
    let code = text("grpc-status").map(|code| code.parse().unwrap());
    (code, text("grpc-message").unwrap_or_default(), headers)
}

/// The same of a call that sends this and then neither more nor the end.
pub(super) async fn grpc_left_open(
    to: SocketAddr,
    path: &'static str,
    coding: &'static str,
    body: Vec<u8>,
) -> (Option<i32>, http::HeaderMap) {
    let client = reqwest::Client::builder()
        .http2_prior_knowledge()
        .build()
        .expect("a client");
    let sent = futures::stream::iter([Ok::<_, std::io::Error>(body)]);
    let body = futures::StreamExt::chain(sent, futures::stream::pending());
    let call = client
        .post(format!("http://{to}{path}"))
        .header("content-type", "application/grpc")
        .header("te", "trailers")
        .header("grpc-encoding", coding)
        .body(reqwest::Body::wrap_stream(body));
    let headers = call.send().await.expect("an answer").headers().clone();
    let code = headers.get("grpc-status").map(|code| {
        let code = code.to_str().expect("digits");
        code.parse().expect("a code")
    });
    (code, headers)
}

/// One gRPC frame.
pub(super) fn frame(compressed: u8, message: &[u8]) -> Vec<u8> {
    let mut framed = vec![compressed];
    framed.extend_from_slice(&u32::try_from(message.len()).unwrap().to_be_bytes());
    framed.extend_from_slice(message);
    framed
}

pub(super) const TRACE_EXPORT: &str = "/opentelemetry.proto.collector.trace.v1.TraceService/Export";
