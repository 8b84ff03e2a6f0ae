//! OTLP/HTTP: protobuf and JSON on the same paths, told apart by content type.
//!
//! Every answer, errors included, is in the request's encoding; where that is not known, in JSON.

use std::time::Duration;

use ::http::header::{ALLOW, CONNECTION, CONTENT_LENGTH, EXPECT, RETRY_AFTER, WWW_AUTHENTICATE};
use ::http::request::Parts;
use ::http::{HeaderValue, Method, Request, Response, Version};
use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use prost::Message as _;
use tonic::body::Body;

use super::Receiver;
use super::budget::Metered;
use super::counters::Transport;
use super::decompress::Coding;
use super::export::{Accepted, Payload, export};
use super::media::Media;
use super::refusal::Refusal;
use crate::decode::{Logs, Metrics, Signal, Traces};

/// How long the rest of a refused HTTP/1.1 body is read and thrown away, so that the client sees the answer
/// instead of a reset connection (which it would take for a reason to try again).
const DISCARD_TIMEOUT: Duration = Duration::from_secs(5);

/// Answers one request.
pub(super) async fn answer(receiver: &Receiver, request: Request<Incoming>) -> Response<Body> {
    let [traces, metrics, logs] = receiver.config.http.paths();
    match request.uri().path() {
        path if path == traces => answer_signal::<Traces>(receiver, request).await,
        path if path == metrics => answer_signal::<Metrics>(receiver, request).await,
        path if path == logs => answer_signal::<Logs>(receiver, request).await,
        _ => refused_stray(receiver, request, &Refusal::NotServed),
    }
}

async fn answer_signal<S: Signal>(
    receiver: &Receiver,
    request: Request<Incoming>,
) -> Response<Body> {
    let (parts, body) = request.into_parts();
    let seat = receiver.budget.seat();
    let limit = receiver.config.request_bytes_max;
    let mut body = Metered::new(body, seat.clone(), limit);
    let handling = async {
        let (media, coding) = admit::<S>(receiver, &parts)?;
        let body = read(&mut body).await?;
        let transport = Transport::Http;
        let accepted = export::<S>(
            receiver,
            Payload {
                transport,
                media,
                coding,
                body,
                seat,
            },
        )
        .await?;
        Ok(success::<S>(media, accepted))
    };
    let timeout = receiver.config.request_timeout();
    let handled = tokio::time::timeout(timeout, handling)
        .await
        .unwrap_or(Err(Refusal::Deadline));
    match handled {
        Ok(response) => response,
        Err(refusal) => {
            receiver.counters.refuse(S::NAME, Transport::Http, &refusal);
            if refusal != Refusal::Deadline {
                discard(&parts, body.into_inner(), 2 * limit).await;
            }
            refused(receiver, &parts, &refusal)
        }
    }
}

/// Everything that can be said from the head alone.
fn admit<S: Signal>(receiver: &Receiver, parts: &Parts) -> Result<(Media, Coding), Refusal> {
    if parts.method != Method::POST {
        return Err(Refusal::NotPost);
    }
    receiver
        .auth
        .check(&parts.headers, parts.uri.query(), S::NAME)?;
    let media = Media::of(&parts.headers).ok_or(Refusal::UnknownMedia)?;
    let coding = Coding::of(&parts.headers)?;
    let length = parts
        .headers
        .get(CONTENT_LENGTH)
        .and_then(|value| value.to_str().ok()?.parse::<usize>().ok());
    let limit = receiver.config.request_bytes_max;
    if length.is_some_and(|length| length > limit) {
        return Err(Refusal::TooLarge { limit });
    }
    Ok((media, coding))
}

async fn read(body: &mut Metered<Incoming>) -> Result<Bytes, Refusal> {
    let mut first = Bytes::new();
    let mut whole = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame?.into_data() else {
            continue;
        };
        if first.is_empty() {
            first = data;
        } else {
            if whole.is_empty() {
                whole.extend_from_slice(&first);
            }
            whole.extend_from_slice(&data);
        }
    }
    Ok(if whole.is_empty() {
        first
    } else {
        whole.freeze()
    })
}

async fn discard(parts: &Parts, mut body: Incoming, bytes_max: usize) {
    if parts.version >= Version::HTTP_2 || parts.headers.contains_key(EXPECT) {
        return;
    }
    let discarding = async {
        let mut seen = 0;
        while let Some(Ok(frame)) = body.frame().await {
            seen += frame.data_ref().map_or(0, Bytes::len);
            if seen > bytes_max {
                break;
            }
        }
    };
    if tokio::time::timeout(DISCARD_TIMEOUT, discarding)
        .await
        .is_err()
    {
        tracing::debug!("the rest of a refused body did not arrive in time");
    }
}

fn success<S: Signal>(media: Media, accepted: Accepted) -> Response<Body> {
    let Accepted { rejected, message } = accepted;
    match media {
        Media::Protobuf => media.answer(S::response(rejected, message).encode_to_vec()),
        Media::Json => media.answer(S::response_json(rejected, &message)),
    }
}

/// The answer to a request of which the signal is not known.
pub(super) fn refused_stray(
    receiver: &Receiver,
    request: Request<Incoming>,
    refusal: &Refusal,
) -> Response<Body> {
    receiver.counters.refuse_stray(Transport::Http, refusal);
    refused(receiver, &request.into_parts().0, refusal)
}

/// A refusal in the request's encoding, with the headers that belong to it.
fn refused(receiver: &Receiver, parts: &Parts, refusal: &Refusal) -> Response<Body> {
    let media = Media::of(&parts.headers).unwrap_or(Media::Json);
    let mut response = media.answer(media.status(refusal));
    let (_, status, _) = refusal.row();
    *response.status_mut() = status;
    let headers = response.headers_mut();
    if let Some(delay) = refusal.retry_after() {
        headers.insert(
            RETRY_AFTER,
            HeaderValue::from(delay.as_millis().div_ceil(1_000) as u64),
        );
    }
    match refusal {
        Refusal::NotPost => {
            headers.insert(ALLOW, HeaderValue::from_static("POST"));
        }
        Refusal::Unauthenticated => {
            headers.insert(
                WWW_AUTHENTICATE,
                HeaderValue::from_static(receiver.auth.challenge()),
            );
        }
        Refusal::Deadline | Refusal::Closing if parts.version < Version::HTTP_2 => {
            headers.insert(CONNECTION, HeaderValue::from_static("close"));
        }
        _ => {}
    }
    response
}
