//! What is known of a call before it is made: which end, which conventions, which words.

use http::HeaderMap;
use opentelemetry::KeyValue;
use opentelemetry::trace::SpanContext;

/// Which end of the wire this is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    Server,
    Client,
}

/// Which conventions tell it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Protocol {
    Http,
    Rpc,
}

impl Protocol {
    /// A gRPC call says so in its content type (gRPC over HTTP/2, "Requests").
    pub(super) fn of(headers: &HeaderMap) -> Self {
        let content_type = headers.get(http::header::CONTENT_TYPE);
        let is_grpc = content_type.is_some_and(|value| {
            let value = value.as_bytes();
            value.starts_with(b"application/grpc") && !value.starts_with(b"application/grpc-web")
        });
        if is_grpc { Self::Rpc } else { Self::Http }
    }
}

/// What is known of a call before it is made.
pub(super) struct Opening {
    pub(super) side: Side,
    pub(super) protocol: Protocol,
    pub(super) name: String,
    /// Of the span.
    pub(super) attributes: Vec<KeyValue>,
    /// Of the metrics; fewer, because each value of each makes a series.
    pub(super) dimensions: Vec<KeyValue>,
    /// A trace this one came from without belonging to it.
    pub(super) linked: Option<SpanContext>,
}
