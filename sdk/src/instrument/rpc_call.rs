//! gRPC calls in the words of the semantic conventions (RPC and gRPC spans and metrics, 1.38 and
//! later).

use http::HeaderMap;
use opentelemetry::KeyValue;

use super::opening::{Opening, Protocol, Side};

pub(super) const CANCELLED: i32 = 1;
pub(super) const UNKNOWN: i32 = 2;
pub(super) const UNAVAILABLE: i32 = 14;

/// The names of the status codes 0 to 16.
const NAMES: [&str; 17] = [
    "OK",
    "CANCELLED",
    "UNKNOWN",
    "INVALID_ARGUMENT",
    "DEADLINE_EXCEEDED",
    "NOT_FOUND",
    "ALREADY_EXISTS",
    "PERMISSION_DENIED",
    "RESOURCE_EXHAUSTED",
    "FAILED_PRECONDITION",
    "ABORTED",
    "OUT_OF_RANGE",
    "UNIMPLEMENTED",
    "INTERNAL",
    "UNAVAILABLE",
    "DATA_LOSS",
    "UNAUTHENTICATED",
];

pub(super) fn status_name(status: i32) -> &'static str {
    let index = usize::try_from(status).unwrap_or(usize::MAX);
    NAMES.get(index).copied().unwrap_or("UNKNOWN")
}

/// The status in headers (of an answer without a body) or trailers.
pub(super) fn status(headers: &HeaderMap) -> Option<i32> {
    headers.get("grpc-status")?.to_str().ok()?.parse().ok()
}

/// To a client every status but OK is an error, to a server those that are its own fault.
pub(super) fn is_error(side: Side, status: i32) -> bool {
    match side {
        Side::Client => status != 0,
        Side::Server => matches!(
            status_name(status),
            "UNKNOWN"
                | "DEADLINE_EXCEEDED"
                | "UNIMPLEMENTED"
                | "INTERNAL"
                | "UNAVAILABLE"
                | "DATA_LOSS"
        ),
    }
}

/// `path` is `/package.Service/Method`.
pub(super) fn open(side: Side, path: &str, peer: &[KeyValue]) -> Opening {
    let method = path.trim_start_matches('/').to_owned();
    let mut dimensions = vec![
        KeyValue::new("rpc.system.name", "grpc"),
        KeyValue::new("rpc.method", method.clone()),
    ];
    dimensions.extend(peer.iter().cloned());
    Opening {
        side,
        protocol: Protocol::Rpc,
        name: method,
        attributes: dimensions.clone(),
        dimensions,
        linked: None,
    }
}
