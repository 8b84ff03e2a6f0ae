//! From OTLP bytes to a [`Batch`] of columns: pure, on the request's own task, no I/O.
//!
//! [`Signal`] is what the three signals have in common; the receivers are generic over it. Its two doors are
//! [`Signal::from_protobuf`] and [`Signal::from_json`]: bytes of a whole, decompressed request in, [`Decoded`]
//! out. Both give the same rows for the same message (a property test holds them together).
//!
//! A request is either [`Malformed`] as a whole (a poison request: never retryable), or every item of it is
//! either in the batch or counted in [`Decoded::dropped`]: nothing with content is lost silently.

mod checks;
mod drops;
mod envelope;
pub mod hot;
mod json;
mod kind;
mod logs;
mod metrics;
mod points;
mod response;
pub mod rows;
mod spans;
mod traces;
mod values;
mod wire;
mod words;

pub use drops::{DropReason, Drops};
pub use kind::{SignalKind, signals_of};
pub use logs::Logs;
pub use metrics::Metrics;
pub use traces::Traces;

use tripline_storage::ingest::Batch;

/// What a request became.
#[derive(Debug)]
pub struct Decoded {
    /// The rows to commit; may hold no items.
    pub batch: Batch,
    /// What is not in the batch, or not as sent, by reason.
    pub dropped: Drops,
}

impl Decoded {
    /// Items refused for good: the exact number for `rejected_*` of a partial success.
    pub fn rejected(&self) -> u64 {
        self.dropped.rejected()
    }

    /// The English message of a partial success: why, and what to do. `None` when there is nothing to say, so
    /// that `partial_success` stays unset; with 0 rejected items it is a warning.
    pub fn reason(&self) -> Option<String> {
        self.dropped.message()
    }
}

/// The whole request cannot be read; sending it again cannot help.
///
/// Both texts are bounded; they fit a `google.rpc.BadRequest` field violation and a gRPC message header.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}{description}", if field.is_empty() { String::new() } else { format!("{field}: ") })]
pub struct Malformed {
    /// Path of the field (`resourceSpans[0].scopeSpans[0].spans[3].traceId`), empty when not known.
    pub field: String,
    /// What is wrong with it, in English.
    pub description: String,
}

impl Malformed {
    /// Longest text of either part, in bytes (a deep path of prost's alone runs to kilobytes).
    const TEXT_BYTES_MAX: usize = 300;

    /// A malformation, its texts cut to a bound.
    pub fn new(field: &str, description: &str) -> Self {
        Self {
            field: bounded(field),
            description: bounded(description),
        }
    }
}

/// Cuts a text to [`Malformed::TEXT_BYTES_MAX`] at a character boundary.
fn bounded(text: &str) -> String {
    if text.len() <= Malformed::TEXT_BYTES_MAX {
        return text.to_owned();
    }
    let end = text.floor_char_boundary(Malformed::TEXT_BYTES_MAX);
    format!("{}…", &text[..end])
}

/// A signal of OTLP: what differs between traces, metrics and logs on the way in.
pub trait Signal: Send + Sync + 'static {
    /// The `Export*ServiceRequest`.
    type Request: prost::Message + Default + 'static;
    /// The `Export*ServiceResponse`.
    type Response: prost::Message + Default + 'static;

    /// `traces`, `metrics`, `logs`: the last segment of the HTTP path, and a label value.
    const NAME: &'static str;
    /// What its items are called in messages: `spans`, `data points`, `log records`.
    const ITEMS: &'static str;

    /// Reads an OTLP/JSON body into the request message.
    ///
    /// # Errors
    /// The body is not OTLP/JSON: the field and what is wrong with it.
    fn decode_json(body: &[u8]) -> Result<Self::Request, Malformed>;

    /// Writes a request message as OTLP/JSON, on one line.
    fn encode_json(request: &Self::Request) -> String;

    /// Turns a request message into columns, `batch.bytes` left for the caller to set.
    /// `arrival_unix_nano` is the time of records that carry none.
    fn columns(request: Self::Request, arrival_unix_nano: u64) -> Decoded;

    /// Turns a request message into a batch. Walks it once more for its size: prefer
    /// [`Self::from_protobuf`] where the bytes are at hand.
    fn into_batch(request: Self::Request, arrival_unix_nano: u64) -> Decoded {
        let bytes = prost::Message::encoded_len(&request);
        let mut decoded = Self::columns(request, arrival_unix_nano);
        decoded.batch.bytes = bytes;
        decoded
    }

    /// The answer: `partial_success` is unset when nothing was rejected and there is no message.
    fn response(rejected: u64, message: String) -> Self::Response;

    /// The same answer as OTLP/JSON text: `{}` on full success, 64-bit counts as strings.
    fn response_json(rejected: u64, message: &str) -> String;

    /// Decodes a whole protobuf body. A zero-length body is an empty request.
    ///
    /// # Errors
    /// The body is not the request message of this signal.
    fn from_protobuf(body: &[u8], arrival_unix_nano: u64) -> Result<Decoded, Malformed> {
        from_structs::<Self>(body, arrival_unix_nano)
    }

    /// Decodes a whole JSON body.
    ///
    /// # Errors
    /// The body is not OTLP/JSON of this signal.
    fn from_json(body: &[u8], arrival_unix_nano: u64) -> Result<Decoded, Malformed> {
        let mut decoded = Self::columns(Self::decode_json(body)?, arrival_unix_nano);
        decoded.batch.bytes = body.len();
        Ok(decoded)
    }
}

/// Decodes a protobuf body through the message structs: the reference.
fn from_structs<S: Signal + ?Sized>(
    body: &[u8],
    arrival_unix_nano: u64,
) -> Result<Decoded, Malformed> {
    let request = <S::Request as prost::Message>::decode(body)
        .map_err(|error| Malformed::new("", &error.to_string()))?;
    let mut decoded = S::columns(request, arrival_unix_nano);
    decoded.batch.bytes = body.len();
    Ok(decoded)
}

#[cfg(test)]
mod tests;
