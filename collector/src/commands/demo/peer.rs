//! A client of another service of the shop: hyper underneath, the SDK's middleware around it.

use std::net::SocketAddr;

use axum::body::Body;
use http::{Request, StatusCode};
use http_body_util::BodyExt as _;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::Value;
use tower::{Layer as _, ServiceExt as _};
use tripline_sdk::instrument::{ClientService, Instrument};
use tripline_sdk::problem::Problem;

/// The largest answer read, in bytes.
const ANSWER_BYTES_MAX: usize = 64 * 1024;

/// A service at the other end of a wire.
#[derive(Clone)]
pub(super) struct Peer {
    client: ClientService<Client<HttpConnector, Body>>,
    address: SocketAddr,
}

/// A call that got no useful answer.
#[derive(Debug, thiserror::Error)]
pub(super) enum CallError {
    /// There was none.
    #[error("no answer")]
    Transport(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// It was an error of the other side.
    #[error("{status} {code}")]
    Answer {
        /// Its HTTP status.
        status: StatusCode,
        /// The `code` of its problem document.
        code: String,
    },
}

impl From<CallError> for Problem {
    fn from(error: CallError) -> Self {
        match error {
            CallError::Transport(_) => Self::new(
                StatusCode::BAD_GATEWAY,
                "no_answer",
                "a service behind this one does not answer",
            ),
            CallError::Answer { code, .. } => Self::new(
                StatusCode::BAD_GATEWAY,
                code,
                "a service behind this one failed",
            ),
        }
    }
}

impl Peer {
    pub(super) fn new(instrument: &Instrument, service: &str, address: SocketAddr) -> Self {
        let transport = Client::builder(TokioExecutor::new()).build_http();
        Self {
            client: instrument.client().peer(service).layer(transport),
            address,
        }
    }

    pub(super) async fn get(&self, path: &str) -> Result<Value, CallError> {
        self.send(Request::get(self.url(path)), Body::empty()).await
    }

    pub(super) async fn post(&self, path: &str, body: &Value) -> Result<Value, CallError> {
        let request = Request::post(self.url(path)).header("content-type", "application/json");
        self.send(request, Body::from(body.to_string())).await
    }

    fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    async fn send(&self, request: http::request::Builder, body: Body) -> Result<Value, CallError> {
        let lost = |error: Box<dyn std::error::Error + Send + Sync>| CallError::Transport(error);
        let request = request.body(body).map_err(|error| lost(error.into()))?;
        let answer = self.client.clone().oneshot(request).await;
        let answer = answer.map_err(|error| lost(error.into()))?;
        let status = answer.status();
        let body = http_body_util::Limited::new(answer.into_body(), ANSWER_BYTES_MAX);
        let bytes = body.collect().await.map_err(lost)?.to_bytes();
        let value: Value = serde_json::from_slice(&bytes).unwrap_or_default();
        if status.is_success() {
            return Ok(value);
        }
        let code = value
            .get("code")
            .and_then(Value::as_str)
            .unwrap_or("unknown");
        Err(CallError::Answer {
            status,
            code: code.to_owned(),
        })
    }
}
