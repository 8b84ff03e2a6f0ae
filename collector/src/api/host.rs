//! Which host a request names: what was typed into the address bar, or written into a program's settings.

use axum::http::{HeaderMap, Uri, header};

/// Name and port of the request's `Host` (or `:authority`).
pub(crate) fn host_of<'a>(uri: &'a Uri, headers: &'a HeaderMap) -> Option<&'a str> {
    uri.authority()
        .map(axum::http::uri::Authority::as_str)
        .or_else(|| headers.get(header::HOST)?.to_str().ok())
}

/// Without the port and the brackets of an IPv6 address.
pub(crate) fn name_of(host: &str) -> &str {
    if let Some(rest) = host.strip_prefix('[') {
        return rest.split(']').next().unwrap_or_default();
    }
    host.rsplit_once(':').map_or(host, |(name, _)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_host_is_named_by_the_address_or_by_its_header() {
        let mut headers = HeaderMap::new();
        let relative = Uri::from_static("/traces");
        assert_eq!(host_of(&relative, &headers), None);
        let value = header::HeaderValue::from_static("trip.example:7070");
        headers.insert(header::HOST, value);
        assert_eq!(host_of(&relative, &headers), Some("trip.example:7070"));
        let whole = Uri::from_static("http://[::1]:7070/traces");
        let host = host_of(&whole, &headers).unwrap_or_default();
        assert_eq!((host, name_of(host)), ("[::1]:7070", "::1"));
        assert_eq!(name_of("trip.example:7070"), "trip.example");
        assert_eq!(name_of("localhost"), "localhost");
    }
}
