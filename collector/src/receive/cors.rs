//! Which web pages may send: CORS in front of everything, so that a preflight never meets authentication.
//!
//! The matching origin is echoed, never `*`: browsers refuse `*` together with credentials.

use std::time::Duration;

use ::http::header::{HeaderName, HeaderValue};
use ::http::{Method, request};
use tower_http::cors::{AllowHeaders, AllowOrigin, CorsLayer, ExposeHeaders};

use super::config::CorsConfig;

/// What OTLP exporters in browsers send.
const REQUEST_HEADERS: [&str; 13] = [
    "content-type",
    "content-encoding",
    "authorization",
    "traceparent",
    "tracestate",
    "baggage",
    "accept",
    "user-agent",
    "x-grpc-web",
    "x-user-agent",
    "grpc-timeout",
    "grpc-encoding",
    "grpc-accept-encoding",
];
/// What they read.
const RESPONSE_HEADERS: [&str; 4] = [
    "retry-after",
    "grpc-status",
    "grpc-message",
    "grpc-status-details-bin",
];

/// The layer, or `None` when no origin is configured.
pub(super) fn layer(config: &CorsConfig) -> Option<CorsLayer> {
    if config.allowed_origins.is_empty() {
        return None;
    }
    let origins = config.allowed_origins.clone();
    let allowed = move |origin: &HeaderValue, _: &request::Parts| {
        origins
            .iter()
            .any(|pattern| wildcard(pattern.as_bytes(), origin.as_bytes()))
    };
    Some(
        CorsLayer::new()
            .allow_origin(AllowOrigin::predicate(allowed))
            .allow_methods([Method::POST])
            .allow_headers(AllowHeaders::list(names(
                &REQUEST_HEADERS,
                &config.allowed_headers,
            )))
            .expose_headers(ExposeHeaders::list(names(
                &RESPONSE_HEADERS,
                &config.exposed_headers,
            )))
            .allow_credentials(true)
            .max_age(Duration::from_secs(config.max_age_seconds)),
    )
}

fn names(ours: &[&str], configured: &[String]) -> Vec<HeaderName> {
    ours.iter()
        .copied()
        .chain(configured.iter().map(String::as_str))
        .filter_map(|name| name.parse().ok())
        .collect()
}

/// Whether `text` fits `pattern`, where `*` stands for any text; case does not matter, as in host names.
fn wildcard(pattern: &[u8], text: &[u8]) -> bool {
    let mut parts = pattern.split(|byte| *byte == b'*');
    let first = parts.next().unwrap_or_default();
    let Some(rest) = strip_prefix(text, first) else {
        return false;
    };
    let mut rest = rest;
    let mut parts = parts.peekable();
    if parts.peek().is_none() {
        return rest.is_empty();
    }
    while let Some(part) = parts.next() {
        if parts.peek().is_none() {
            return rest.len() >= part.len()
                && rest[rest.len() - part.len()..].eq_ignore_ascii_case(part);
        }
        let found = (0..=rest.len()).find(|at| strip_prefix(&rest[*at..], part).is_some());
        let Some(at) = found else { return false };
        rest = &rest[at + part.len()..];
    }
    true
}

fn strip_prefix<'a>(text: &'a [u8], prefix: &[u8]) -> Option<&'a [u8]> {
    let (head, rest) = text.split_at_checked(prefix.len())?;
    head.eq_ignore_ascii_case(prefix).then_some(rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn b01_origins_match_with_wildcards() {
        for (pattern, origin, expected) in [
            ("*", "https://a.example", true),
            ("https://a.example", "https://A.example", true),
            ("https://a.example", "https://a.example.evil", false),
            ("https://*.example.com", "https://a.b.example.com", true),
            ("https://*.example.com", "https://example.com", false),
            ("https://*.example.com", "http://a.example.com", false),
            ("http://localhost:*", "http://localhost:3000", true),
            ("https://*.a.*.com", "https://x.a.y.com", true),
            ("https://*.a.*.com", "https://x.b.y.com", false),
            ("", "https://a", false),
        ] {
            assert_eq!(
                wildcard(pattern.as_bytes(), origin.as_bytes()),
                expected,
                "{pattern} {origin}"
            );
        }
    }

    #[test]
    fn b01_it_is_off_by_default() {
        assert!(layer(&CorsConfig::default()).is_none());
    }
}
