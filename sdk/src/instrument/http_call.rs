//! HTTP calls in the words of the semantic conventions (HTTP spans and metrics, stable).

use http::{Method, StatusCode, Uri, Version, header};
use opentelemetry::KeyValue;

use super::opening::{Opening, Protocol, Side};

/// The head of a request.
pub(super) struct Head<'a> {
    pub(super) method: &'a Method,
    pub(super) uri: &'a Uri,
    pub(super) version: Version,
    pub(super) headers: &'a http::HeaderMap,
}

impl<'a> Head<'a> {
    pub(super) fn of<B>(request: &'a http::Request<B>) -> Self {
        Self {
            method: request.method(),
            uri: request.uri(),
            version: request.version(),
            headers: request.headers(),
        }
    }
}

/// A server is at fault from 500 on, to a client everything from 400 on is an error.
pub(super) fn is_error(side: Side, status: StatusCode) -> bool {
    status.is_server_error() || (side == Side::Client && status.is_client_error())
}

pub(super) fn open_server(head: &Head<'_>, route: Option<&str>) -> Opening {
    let method = method_name(head.method);
    let scheme = head.uri.scheme_str().unwrap_or("http").to_owned();
    let mut attributes = vec![KeyValue::new("url.path", head.uri.path().to_owned())];
    let (host, port) = host_of(head);
    attributes.extend(
        head.uri
            .query()
            .map(|q| KeyValue::new("url.query", redact_query(q))),
    );
    attributes.extend(host.map(|host| KeyValue::new("server.address", host)));
    attributes.extend(port.map(|port| KeyValue::new("server.port", i64::from(port))));
    let agent = head.headers.get(header::USER_AGENT);
    attributes.extend(
        agent
            .and_then(|agent| agent.to_str().ok())
            .map(|agent| KeyValue::new("user_agent.original", agent.to_owned())),
    );
    let mut dimensions = vec![
        KeyValue::new("http.request.method", method),
        KeyValue::new("url.scheme", scheme),
    ];
    dimensions.extend(route.map(|route| KeyValue::new("http.route", route.to_owned())));
    dimensions.extend(protocol_version(head.version));
    attributes.extend(original_method(head.method));
    attributes.extend(dimensions.iter().cloned());
    let verb = if method == "_OTHER" { "HTTP" } else { method };
    Opening {
        side: Side::Server,
        protocol: Protocol::Http,
        name: route.map_or_else(|| verb.to_owned(), |route| format!("{verb} {route}")),
        attributes,
        dimensions,
        linked: None,
    }
}

pub(super) fn open_client(head: &Head<'_>, peer: &[KeyValue]) -> Opening {
    let method = method_name(head.method);
    let mut dimensions = vec![KeyValue::new("http.request.method", method)];
    let told = |key: &str| peer.iter().any(|attribute| attribute.key.as_str() == key);
    let (host, port) = host_of(head);
    if let Some(host) = host.filter(|_| !told("server.address")) {
        dimensions.push(KeyValue::new("server.address", host));
        let port = port.or_else(|| default_port(head.uri.scheme_str()));
        dimensions.extend(port.map(|port| KeyValue::new("server.port", i64::from(port))));
    }
    dimensions.extend(peer.iter().cloned());
    dimensions.extend(protocol_version(head.version));
    let mut attributes = vec![KeyValue::new("url.full", full_url(head.uri))];
    attributes.extend(original_method(head.method));
    attributes.extend(dimensions.iter().cloned());
    let verb = if method == "_OTHER" { "HTTP" } else { method };
    Opening {
        side: Side::Client,
        protocol: Protocol::Http,
        name: verb.to_owned(),
        attributes,
        dimensions,
        linked: None,
    }
}

/// Only known methods, so that nobody can make series by making up methods.
fn method_name(method: &Method) -> &'static str {
    const KNOWN: [&str; 10] = [
        "GET", "POST", "PUT", "DELETE", "HEAD", "OPTIONS", "PATCH", "TRACE", "CONNECT", "QUERY",
    ];
    let known = KNOWN.into_iter().find(|known| *known == method.as_str());
    known.unwrap_or("_OTHER")
}

fn original_method(method: &Method) -> Option<KeyValue> {
    let original = || KeyValue::new("http.request.method_original", method.as_str().to_owned());
    (method_name(method) == "_OTHER").then(original)
}

fn protocol_version(version: Version) -> Option<KeyValue> {
    let version = match version {
        Version::HTTP_10 => "1.0",
        Version::HTTP_11 => "1.1",
        Version::HTTP_2 => "2",
        Version::HTTP_3 => "3",
        _ => return None,
    };
    Some(KeyValue::new("network.protocol.version", version))
}

/// Host and port of the URI, or else of the header `host`.
fn host_of(head: &Head<'_>) -> (Option<String>, Option<u16>) {
    let header = || {
        let host = head.headers.get(header::HOST)?.to_str().ok()?;
        host.parse::<http::uri::Authority>().ok()
    };
    let Some(authority) = head.uri.authority().cloned().or_else(header) else {
        return (None, None);
    };
    (Some(authority.host().to_owned()), authority.port_u16())
}

fn default_port(scheme: Option<&str>) -> Option<u16> {
    match scheme? {
        "http" => Some(80),
        "https" => Some(443),
        _ => None,
    }
}

/// The URL without the user's name and password.
fn full_url(uri: &Uri) -> String {
    let (Some(scheme), Some(authority)) = (uri.scheme_str(), uri.authority()) else {
        return uri.to_string();
    };
    let userinfo = match authority.as_str().rsplit_once('@') {
        Some(_) => "REDACTED:REDACTED@",
        None => "",
    };
    let host = authority.as_str().rsplit('@').next().unwrap_or_default();
    let query = uri
        .query()
        .map_or_else(String::new, |q| format!("?{}", redact_query(q)));
    format!("{scheme}://{userinfo}{host}{}{query}", uri.path())
}

/// Signatures in queries are secrets (semantic conventions, `url.query`).
fn redact_query(query: &str) -> String {
    const SECRET: [&str; 5] = [
        "AWSAccessKeyId",
        "Signature",
        "sig",
        "X-Goog-Signature",
        "access_token",
    ];
    let redacted = query.split('&').map(|pair| match pair.split_once('=') {
        Some((key, _)) if SECRET.contains(&key) => format!("{key}=REDACTED"),
        _ => pair.to_owned(),
    });
    redacted.collect::<Vec<_>>().join("&")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_stay_out_of_urls() {
        let uri: Uri = "https://ann:pw@shop.example/a?sku=1&sig=abc"
            .parse()
            .expect("a URI");
        assert_eq!(
            full_url(&uri),
            "https://REDACTED:REDACTED@shop.example/a?sku=1&sig=REDACTED"
        );
    }

    #[test]
    fn a_made_up_method_makes_no_series() {
        let made_up = Method::from_bytes(b"BREW").expect("a token");
        assert_eq!(method_name(&made_up), "_OTHER");
        assert!(original_method(&made_up).is_some());
        assert!(original_method(&Method::PATCH).is_none());
    }
}
