//! OTLP/gRPC on tonic, with a codec that hands on bytes: decoding happens on the shared export path, after admission.
//!
//! Where tonic's own answers would mislead a client they are replaced: an oversize message is OUT_OF_RANGE in
//! tonic, which clients retry, and RESOURCE_EXHAUSTED here, which they do not.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use ::http::{HeaderMap, Request, Response};
use bytes::{Buf, BufMut, Bytes};
use http_body_util::BodyExt as _;
use opentelemetry_proto::tonic::collector::logs::v1::logs_service_server::SERVICE_NAME as LOGS;
use opentelemetry_proto::tonic::collector::metrics::v1::metrics_service_server::SERVICE_NAME as METRICS;
use opentelemetry_proto::tonic::collector::trace::v1::trace_service_server::SERVICE_NAME as TRACES;
use prost::Message as _;
use tonic::body::Body;
use tonic::codec::{Codec, CompressionEncoding, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::{Code, Status};

use super::Receiver;
use super::budget::{Metered, Seat};
use super::counters::Transport;
use super::decompress::Coding;
use super::export::{Payload, export};
use super::media::{Media, status_message};
use super::refusal::Refusal;
use crate::decode::{Logs, Metrics, Signal, Traces};

/// Room for the five bytes before a message.
const FRAME_HEAD_BYTES: usize = 5;

/// Answers one call.
pub(super) async fn answer(receiver: Receiver, request: Request<Body>) -> Response<Body> {
    let service = request
        .uri()
        .path()
        .strip_prefix('/')
        .and_then(|path| path.strip_suffix("/Export"));
    match service {
        Some(TRACES) => answer_signal::<Traces>(receiver, request).await,
        Some(METRICS) => answer_signal::<Metrics>(receiver, request).await,
        Some(LOGS) => answer_signal::<Logs>(receiver, request).await,
        _ => {
            let counters = &receiver.counters;
            counters.refuse_stray(Transport::Grpc, &Refusal::NotServed);
            status(&Refusal::NotServed).into_http()
        }
    }
}

async fn answer_signal<S: Signal>(receiver: Receiver, request: Request<Body>) -> Response<Body> {
    let refusal = Arc::new(OnceLock::new());
    let response = call::<S>(&receiver, request, &refusal).await;
    let (response, refused) = match refusal.get() {
        Some(ours) => (response, Some(ours.clone())),
        None => mend(response, receiver.config.request_bytes_max),
    };
    if let Some(refused) = refused {
        receiver.counters.refuse(S::NAME, Transport::Grpc, &refused);
    }
    response
}

async fn call<S: Signal>(
    receiver: &Receiver,
    request: Request<Body>,
    refusal: &Arc<OnceLock<Refusal>>,
) -> Response<Body> {
    let refuse = |refused: Refusal, slot: &OnceLock<Refusal>| status(slot.get_or_init(|| refused));
    if let Err(refused) = receiver.auth.check(request.headers(), None, S::NAME) {
        return refuse(refused, refusal).into_http();
    }
    let limit = receiver.config.request_bytes_max;
    let timeout = deadline(request.headers()).unwrap_or(Duration::MAX);
    let timeout = timeout.min(receiver.config.request_timeout());
    let seat = receiver.budget.seat();
    let (slot, metered_seat) = (Arc::clone(refusal), seat.clone());
    let request = request.map(move |body| {
        let metered = Metered::new(body, metered_seat, limit + FRAME_HEAD_BYTES);
        metered.map_err(move |refused| {
            // What was counted is the message and the bytes before it; the limit is the message's.
            let refused = match refused {
                Refusal::TooLarge { .. } => Refusal::TooLarge { limit },
                other => other,
            };
            status(slot.get_or_init(|| refused))
        })
    });
    let codec = BytesCodec {
        seat: seat.clone(),
        refusal: Arc::clone(refusal),
    };
    let slot = Arc::clone(refusal);
    let shared = receiver.clone();
    let handler = tower::service_fn(move |message: tonic::Request<Bytes>| {
        let (receiver, seat, slot) = (shared.clone(), seat.clone(), Arc::clone(&slot));
        async move {
            let handled = handle::<S>(&receiver, message.into_inner(), seat).await;
            handled.map_err(|refused| status(slot.get_or_init(|| refused)))
        }
    });
    let mut grpc = tonic::server::Grpc::new(codec)
        .accept_compressed(CompressionEncoding::Gzip)
        .accept_compressed(CompressionEncoding::Zstd)
        .max_decoding_message_size(limit);
    match tokio::time::timeout(timeout, grpc.unary(handler, request)).await {
        Ok(response) => response,
        Err(_) => refuse(Refusal::Deadline, refusal).into_http(),
    }
}

async fn handle<S: Signal>(
    receiver: &Receiver,
    body: Bytes,
    seat: Seat,
) -> Result<tonic::Response<Bytes>, Refusal> {
    // The packed bytes are gone by now; the message itself is what is held from here on.
    seat.shrink_to(body.len());
    let (transport, media, coding) = (Transport::Grpc, Media::Protobuf, Coding::Identity);
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
    let response = S::response(accepted.rejected, accepted.message);
    Ok(tonic::Response::new(response.encode_to_vec().into()))
}

/// A refusal as a gRPC status; details only where they say more than the code.
fn status(refusal: &Refusal) -> Status {
    let message = status_message(refusal);
    let (code, ..) = refusal.row();
    if message.details.is_empty() {
        return Status::new(code, message.message);
    }
    let details = message.encode_to_vec();
    Status::with_details(code, message.message, details.into())
}

/// Looks at an answer tonic made before our code was reached, and replaces it where it would mislead.
fn mend(response: Response<Body>, limit: usize) -> (Response<Body>, Option<Refusal>) {
    let Some(theirs) = Status::from_header_map(response.headers()) else {
        return (response, None);
    };
    let refusal = match theirs.code() {
        Code::Ok => return (response, None),
        Code::OutOfRange | Code::ResourceExhausted => Refusal::TooLarge { limit },
        Code::Unimplemented => return (response, Some(Refusal::UnknownCoding)),
        Code::InvalidArgument => Refusal::malformed("", theirs.message()),
        Code::Internal if theirs.message().starts_with("Error decompressing") => {
            Refusal::malformed("", "the message does not match its grpc-encoding")
        }
        // A broken frame: INTERNAL is what gRPC asks for, and it is not retried.
        _ => return (response, Some(Refusal::malformed("", theirs.message()))),
    };
    (status(&refusal).into_http(), Some(refusal))
}

/// Reads `grpc-timeout`: up to eight digits and a unit.
fn deadline(headers: &HeaderMap) -> Option<Duration> {
    let value = headers.get("grpc-timeout")?.to_str().ok()?;
    let (digits, unit) = value.split_at_checked(value.len().checked_sub(1)?)?;
    if digits.is_empty() || digits.len() > 8 {
        return None;
    }
    let count: u64 = digits.parse().ok()?;
    match unit {
        "H" => Some(Duration::from_secs(count * 3_600)),
        "M" => Some(Duration::from_secs(count * 60)),
        "S" => Some(Duration::from_secs(count)),
        "m" => Some(Duration::from_millis(count)),
        "u" => Some(Duration::from_micros(count)),
        "n" => Some(Duration::from_nanos(count)),
        _ => None,
    }
}

/// Messages as bytes, both ways. A message is held as soon as it is unpacked: its stream may stay open for long after it.
struct BytesCodec {
    seat: Seat,
    refusal: Arc<OnceLock<Refusal>>,
}

impl Codec for BytesCodec {
    type Encode = Bytes;
    type Decode = Bytes;
    type Encoder = BytesEncoder;
    type Decoder = BytesDecoder;

    fn encoder(&mut self) -> BytesEncoder {
        BytesEncoder
    }

    fn decoder(&mut self) -> BytesDecoder {
        BytesDecoder {
            seen: 0,
            seat: self.seat.clone(),
            refusal: Arc::clone(&self.refusal),
        }
    }
}

struct BytesEncoder;

impl Encoder for BytesEncoder {
    type Item = Bytes;
    type Error = Status;

    fn encode(&mut self, item: Bytes, buffer: &mut EncodeBuf<'_>) -> Result<(), Status> {
        buffer.put(item);
        Ok(())
    }
}

struct BytesDecoder {
    seen: usize,
    seat: Seat,
    refusal: Arc<OnceLock<Refusal>>,
}

impl Decoder for BytesDecoder {
    type Item = Bytes;
    type Error = Status;

    fn decode(&mut self, buffer: &mut DecodeBuf<'_>) -> Result<Option<Bytes>, Status> {
        self.seen += 1;
        if self.seen > 1 {
            // Export is unary; tonic would take the first message and lose the rest in silence.
            return Err(Status::invalid_argument(
                "more than one message in a unary call",
            ));
        }
        let admitted = self.seat.grow_to(buffer.remaining());
        admitted.map_err(|refused| status(self.refusal.get_or_init(|| refused)))?;
        Ok(Some(buffer.copy_to_bytes(buffer.remaining())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn l10_grpc_timeouts_are_read_in_every_unit() {
        for (text, expected) in [
            ("1H", Some(Duration::from_secs(3_600))),
            ("2M", Some(Duration::from_secs(120))),
            ("3S", Some(Duration::from_secs(3))),
            ("40m", Some(Duration::from_millis(40))),
            ("5u", Some(Duration::from_micros(5))),
            ("6n", Some(Duration::from_nanos(6))),
            ("99999999H", Some(Duration::from_secs(99_999_999 * 3_600))),
            ("999999999S", None),
            ("S", None),
            ("", None),
            ("5x", None),
            ("-5S", None),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert("grpc-timeout", text.parse().unwrap());
            assert_eq!(deadline(&headers), expected, "{text}");
        }
    }
}
