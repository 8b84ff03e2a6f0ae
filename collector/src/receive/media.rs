//! The two encodings of OTLP/HTTP, and `google.rpc.Status` in both.

use ::http::header::{CONTENT_TYPE, HeaderValue};
use ::http::{HeaderMap, Response};
use bytes::Bytes;
use http_body_util::Full;
use prost::Message as _;
use tonic::body::Body;
use tonic_types::pb;

use super::refusal::Refusal;

/// An encoding of requests and answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Media {
    Protobuf,
    Json,
}

impl Media {
    /// Reads `Content-Type`; parameters are ignored, case does not matter.
    pub(super) fn of(headers: &HeaderMap) -> Option<Self> {
        let value = headers.get(CONTENT_TYPE)?.to_str().ok()?;
        let essence = value.split(';').next()?.trim();
        if essence.eq_ignore_ascii_case("application/x-protobuf") {
            Some(Self::Protobuf)
        } else if essence.eq_ignore_ascii_case("application/json") {
            Some(Self::Json)
        } else {
            None
        }
    }

    fn content_type(self) -> HeaderValue {
        HeaderValue::from_static(match self {
            Self::Protobuf => "application/x-protobuf",
            Self::Json => "application/json",
        })
    }

    /// An answer in this encoding.
    pub(super) fn answer(self, body: impl Into<Bytes>) -> Response<Body> {
        let mut response = Response::new(Body::new(Full::new(body.into())));
        response
            .headers_mut()
            .insert(CONTENT_TYPE, self.content_type());
        response
    }

    /// The `google.rpc.Status` of a refusal in this encoding.
    pub(super) fn status(self, refusal: &Refusal) -> Vec<u8> {
        match self {
            Self::Protobuf => status_message(refusal).encode_to_vec(),
            Self::Json => status_json(refusal).to_string().into_bytes(),
        }
    }
}

/// A refusal as `google.rpc.Status`, with `BadRequest` or `RetryInfo` where they say more.
pub(super) fn status_message(refusal: &Refusal) -> pb::Status {
    let mut details = Vec::new();
    if let Some((field, description)) = refusal.violation() {
        let violation = pb::bad_request::FieldViolation {
            field: field.to_owned(),
            description: description.to_owned(),
            ..Default::default()
        };
        details.push(any(
            "BadRequest",
            &pb::BadRequest {
                field_violations: vec![violation],
            },
        ));
    }
    if let Some(delay) = refusal.retry_after() {
        let retry_delay = prost_duration(delay);
        details.push(any(
            "RetryInfo",
            &pb::RetryInfo {
                retry_delay: Some(retry_delay),
            },
        ));
    }
    let (code, ..) = refusal.row();
    pb::Status {
        code: code as i32,
        message: refusal.message(),
        details,
    }
}

fn prost_duration(delay: std::time::Duration) -> prost_types::Duration {
    prost_types::Duration {
        seconds: i64::try_from(delay.as_secs()).unwrap_or(i64::MAX),
        nanos: i32::try_from(delay.subsec_nanos())
            .expect("a second has fewer nanoseconds than 2^31"),
    }
}

fn any(name: &str, message: &impl prost::Message) -> prost_types::Any {
    prost_types::Any {
        type_url: format!("type.googleapis.com/google.rpc.{name}"),
        value: message.encode_to_vec(),
    }
}

fn status_json(refusal: &Refusal) -> serde_json::Value {
    let mut details = Vec::new();
    if let Some((field, description)) = refusal.violation() {
        details.push(serde_json::json!({
            "@type": "type.googleapis.com/google.rpc.BadRequest",
            "fieldViolations": [{ "field": field, "description": description }],
        }));
    }
    if let Some(delay) = refusal.retry_after() {
        details.push(serde_json::json!({
            "@type": "type.googleapis.com/google.rpc.RetryInfo",
            "retryDelay": format!("{}s", delay.as_secs_f64()),
        }));
    }
    let (code, ..) = refusal.row();
    let mut status = serde_json::json!({ "code": code as i32, "message": refusal.message() });
    if !details.is_empty() {
        status["details"] = details.into();
    }
    status
}
