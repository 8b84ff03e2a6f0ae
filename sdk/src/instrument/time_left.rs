//! The deadline on the wire: `grpc-timeout` for gRPC, Envoy's header for the rest of HTTP.

use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue};
use opentelemetry::Context;

use super::opening::Protocol;
use crate::deadline::{bounded_context, format_grpc_timeout, parse_grpc_timeout, remaining_in};

const GRPC: HeaderName = HeaderName::from_static("grpc-timeout");
/// Milliseconds; what Envoy and the meshes built on it set and read.
const HTTP: HeaderName = HeaderName::from_static("x-envoy-expected-rq-timeout-ms");

/// What the request says about the time it has.
fn said(protocol: Protocol, headers: &HeaderMap) -> Option<Duration> {
    let text = |name: &HeaderName| headers.get(name)?.to_str().ok();
    match protocol {
        Protocol::Rpc => parse_grpc_timeout(text(&GRPC)?),
        Protocol::Http => Some(Duration::from_millis(text(&HTTP)?.parse().ok()?)),
    }
}

/// `context` with the deadline the request came with. Nonsense is no deadline.
pub(super) fn arrive(protocol: Protocol, headers: &HeaderMap, context: Context) -> Context {
    match said(protocol, headers) {
        Some(left) => bounded_context(&context, left),
        None => context,
    }
}

/// Writes what is left, unless the request already asks for less.
pub(super) fn depart(protocol: Protocol, headers: &mut HeaderMap, context: &Context) {
    let Some(left) = remaining_in(context) else {
        return;
    };
    if said(protocol, headers).is_some_and(|own| own <= left) {
        return;
    }
    let (name, value) = match protocol {
        Protocol::Rpc => (GRPC, format_grpc_timeout(left)),
        Protocol::Http => (HTTP, left.as_millis().to_string()),
    };
    if let Ok(value) = HeaderValue::try_from(value) {
        headers.insert(name, value);
    }
}
