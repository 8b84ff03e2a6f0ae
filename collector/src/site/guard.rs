//! Who may come in, for pages and API alike: the `Host` a browser was told, the origin of a write, the token.
//!
//! A loopback server is reachable by every page open in a browser on the machine. Against DNS rebinding the
//! `Host` must be one we answer to; against forged writes a browser's request must be of the same origin,
//! which it says itself (`Sec-Fetch-Site`, `Origin`), and carry JSON, which no form can.

use std::future::Future;
use std::panic::AssertUnwindSafe;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use futures::FutureExt as _;

use crate::api::AppState;
use crate::api::host::{host_of, name_of};
use crate::api::problem::Problem;
use crate::api::token::carries;
use crate::pages;

/// No inline script or style at all, so no nonce either; `wasm-unsafe-eval` lets the bundle compile.
const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self'; \
     img-src 'self' data:; connect-src 'self'; font-src 'self'; form-action 'self'; base-uri 'none'; \
     frame-ancestors 'none'";

/// Most that is repeated of what axum says.
const REJECTION_BYTES_MAX: usize = 4096;

/// Lets a request pass, or answers it.
pub async fn protect(State(state): State<AppState>, request: Request, next: Next) -> Response {
    // Who sends telemetry to this address by mistake reads no page either.
    let is_api = ["/api", "/v1/"]
        .iter()
        .any(|start| request.uri().path().starts_with(start));
    let uri = request.uri().clone();
    let answer = match check(&state, &request) {
        Ok(()) => caught(next.run(request)).await,
        Err(problem) => Err(problem),
    };
    let mut response = match answer {
        Ok(response) if is_api => as_problem(response).await,
        Ok(response) => response,
        Err(problem) if is_api => problem.into_response(),
        Err(problem) => pages::refused(&problem, &uri),
    };
    secure(response.headers_mut());
    response
}

/// What a handler answers; one that panics is a problem, for its client would see a cut connection.
async fn caught(handler: impl Future<Output = Response>) -> Result<Response, Problem> {
    let answered = AssertUnwindSafe(handler).catch_unwind().await;
    answered.map_err(|_| {
        tracing::error!("a handler panicked; its request is refused");
        Problem::internal()
    })
}

/// What axum itself refused (a path, a body) as the problem document every error is.
async fn as_problem(response: Response) -> Response {
    let status = response.status();
    let is_problem = response
        .headers()
        .get(header::CONTENT_TYPE)
        .is_some_and(|kind| kind == "application/problem+json");
    if is_problem || !(status.is_client_error() || status.is_server_error()) {
        return response;
    }
    let (parts, body) = response.into_parts();
    let said = axum::body::to_bytes(body, REJECTION_BYTES_MAX)
        .await
        .unwrap_or_default();
    let said = String::from_utf8_lossy(&said);
    let detail = if said.trim().is_empty() {
        status.canonical_reason().unwrap_or("it was refused")
    } else {
        said.trim()
    };
    let (kind, title) = match status {
        StatusCode::BAD_REQUEST => ("bad-request", "The request cannot be read"),
        StatusCode::PAYLOAD_TOO_LARGE => ("too-large", "Request too large"),
        StatusCode::UNSUPPORTED_MEDIA_TYPE => ("media-type", "Unsupported media type"),
        StatusCode::UNPROCESSABLE_ENTITY => ("unprocessable", "The body is not what is asked for"),
        _ if status.is_server_error() => ("internal", "Internal error"),
        _ => ("refused", "The request was refused"),
    };
    let mut problem = Problem::new(status, kind, title, detail).into_response();
    for (name, value) in &parts.headers {
        if name != header::CONTENT_TYPE && name != header::CONTENT_LENGTH {
            problem.headers_mut().insert(name, value.clone());
        }
    }
    problem
}

fn check(state: &AppState, request: &Request) -> Result<(), Problem> {
    check_host(state, request)?;
    if state.config.bundle.is_some() {
        check_only_asks(request.method(), request.uri().path())?;
    }
    let is_login = request.uri().path() == "/login";
    if !matches!(
        *request.method(),
        Method::GET | Method::HEAD | Method::OPTIONS
    ) {
        check_origin(request)?;
        // Forms of our own pages; what a browser says of the origin was checked above.
        let is_form = is_login || is_view(request.uri().path());
        // Of the methods that write, forms can send POST alone, and no other one has a body here.
        let is_post = *request.method() == Method::POST;
        if is_post && !is_form {
            check_json(request.headers())?;
        }
    }
    let is_open = is_login || request.uri().path().starts_with("/assets/");
    match &state.config.ui.token {
        Some(token) if !is_open && !carries(request.headers(), token) => {
            let detail = "send the token as `Authorization: Bearer …`";
            Err(Problem::new(
                StatusCode::UNAUTHORIZED,
                "unauthorized",
                "A token is needed",
                detail,
            ))
        }
        _ => Ok(()),
    }
}

/// Of a bundle nothing changes: what is posted may only ask.
fn check_only_asks(method: &Method, path: &str) -> Result<(), Problem> {
    let is_question = matches!(path, "/login" | "/api/v1/sql" | "/api/v1/whatif")
        || path.starts_with("/api/v1/breakers/") && path.ends_with("/whatif");
    if matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS) || is_question {
        return Ok(());
    }
    let detail = "this is the bundle of an incident, opened read-only: it takes no telemetry, changes or saved views; \
                  `tripline serve` without --bundle does";
    Err(Problem::new(
        StatusCode::FORBIDDEN,
        "read-only",
        "Read-only",
        detail,
    ))
}

/// Where saved views are written, and what numbers mean.
fn is_view(path: &str) -> bool {
    path == "/views" || path.starts_with("/views/") || path == "/breakers/encodings"
}

/// Of two `Host` headers we might check the one, and a proxy before us have gone by the other.
fn check_one_host(headers: &HeaderMap) -> Result<(), Problem> {
    if headers.get_all(header::HOST).iter().count() < 2 {
        return Ok(());
    }
    Err(Problem::new(
        StatusCode::BAD_REQUEST,
        "bad-request",
        "The request cannot be read",
        "it has more than one header Host",
    ))
}

fn check_host(state: &AppState, request: &Request) -> Result<(), Problem> {
    check_one_host(request.headers())?;
    let host = host_of(request.uri(), request.headers()).unwrap_or_default();
    let beyond_loopback = !state.config.http.ip().is_loopback();
    let is_address = name_of(host).parse::<std::net::IpAddr>().is_ok();
    // Rebinding needs a name: beyond loopback any address of ours may be the one that was asked.
    if is_allowed(host, &state.config.ui.allowed_hosts) || (beyond_loopback && is_address) {
        return Ok(());
    }
    let detail = "this server does not answer to that name; ui.allowed_hosts (TRIPLINE_UI__ALLOWED_HOSTS='[\"name\"]') \
                  lists further ones";
    Err(Problem::new(
        StatusCode::MISDIRECTED_REQUEST,
        "unknown-host",
        "Unknown host",
        detail,
    ))
}

fn is_allowed(host: &str, allowed: &[String]) -> bool {
    // What stands before an `@` is no name, and has no place in a `Host`.
    if host.contains('@') {
        return false;
    }
    let name = name_of(host).to_ascii_lowercase();
    let is_loopback = name
        .parse::<std::net::IpAddr>()
        .is_ok_and(|ip| ip.is_loopback());
    is_loopback
        || name == "localhost"
        || name.ends_with(".localhost")
        || allowed
            .iter()
            .any(|known| known.eq_ignore_ascii_case(&name) || known.eq_ignore_ascii_case(host))
}

/// Host and port must be ours. The scheme may be https where we speak http: behind a proxy that ends TLS a browser
/// says so, and nobody else can answer https at an address where we do.
fn check_origin(request: &Request) -> Result<(), Problem> {
    let headers = request.headers();
    let site = headers.get("sec-fetch-site").map(HeaderValue::as_bytes);
    let is_foreign_site = site.is_some_and(|site| site != b"same-origin" && site != b"none");
    let host = host_of(request.uri(), headers).unwrap_or_default();
    let is_foreign_origin = headers.get(header::ORIGIN).is_some_and(|origin| {
        let authority = origin.to_str().ok().and_then(|origin| {
            origin
                .strip_prefix("http://")
                .or_else(|| origin.strip_prefix("https://"))
        });
        !authority.is_some_and(|authority| authority.eq_ignore_ascii_case(host))
    });
    if is_foreign_site || is_foreign_origin {
        let detail = "a browser may write only from this server's own pages";
        return Err(Problem::new(
            StatusCode::FORBIDDEN,
            "cross-origin",
            "Cross-origin request",
            detail,
        ));
    }
    Ok(())
}

fn check_json(headers: &HeaderMap) -> Result<(), Problem> {
    let kind = headers
        .get(header::CONTENT_TYPE)
        .and_then(|kind| kind.to_str().ok())
        .unwrap_or_default();
    let essence = kind.split(';').next().unwrap_or_default().trim();
    if essence.eq_ignore_ascii_case("application/json") {
        return Ok(());
    }
    let detail = "send `content-type: application/json`";
    Err(Problem::new(
        StatusCode::UNSUPPORTED_MEDIA_TYPE,
        "media-type",
        "Unsupported media type",
        detail,
    ))
}

fn secure(headers: &mut HeaderMap) {
    let fixed = [
        ("content-security-policy", CONTENT_SECURITY_POLICY),
        ("x-content-type-options", "nosniff"),
        ("x-frame-options", "DENY"),
        ("referrer-policy", "same-origin"),
        ("cross-origin-opener-policy", "same-origin"),
        ("cross-origin-resource-policy", "same-origin"),
        (
            "permissions-policy",
            "camera=(), geolocation=(), microphone=()",
        ),
    ];
    for (name, value) in fixed {
        headers.insert(name, HeaderValue::from_static(value));
    }
    headers
        .entry(header::CACHE_CONTROL)
        .or_insert(HeaderValue::from_static("no-store"));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_of_this_machine_are_answered() {
        for host in [
            "localhost",
            "localhost:7070",
            "127.0.0.1:7070",
            "[::1]:7070",
            "app.localhost:1",
        ] {
            assert!(is_allowed(host, &[]), "{host}");
        }
        for host in [
            "",
            "evil.example",
            "evil.example:7070",
            "127.0.0.1.evil.example",
            "localhost.evil.example",
            "10.0.0.1",
            "localhost:7070@evil.example",
            "user@localhost",
        ] {
            assert!(!is_allowed(host, &[]), "{host}");
        }
        assert!(is_allowed("trip.example:443", &["trip.example".to_owned()]));
    }

    #[test]
    fn a_request_has_one_host() {
        let mut headers = HeaderMap::new();
        assert!(check_one_host(&headers).is_ok(), "HTTP/2 has none");
        headers.append(header::HOST, HeaderValue::from_static("localhost"));
        assert!(check_one_host(&headers).is_ok());
        headers.append(header::HOST, HeaderValue::from_static("localhost"));
        let problem = check_one_host(&headers).expect_err("two");
        assert_eq!(problem.status, StatusCode::BAD_REQUEST);
    }

    #[test]
    fn a_handler_that_panics_is_answered_all_the_same() {
        let panics = std::future::poll_fn(|_| panic!("on purpose"));
        let problem = futures::executor::block_on(caught(panics)).expect_err("a problem");
        assert_eq!(problem.status, StatusCode::INTERNAL_SERVER_ERROR);
        let answers = std::future::ready(StatusCode::NO_CONTENT.into_response());
        let answered = futures::executor::block_on(caught(answers));
        assert!(answered.is_ok_and(|response| response.status() == StatusCode::NO_CONTENT));
    }

    #[test]
    fn a_browsers_write_must_be_of_the_same_origin() {
        let request = |pairs: &[(&str, &str)]| {
            let mut request = Request::builder()
                .method("POST")
                .uri("/api/v1/sql")
                .header("host", "localhost:7070");
            for (name, value) in pairs {
                request = request.header(*name, *value);
            }
            request.body(axum::body::Body::empty()).expect("a request")
        };
        assert!(check_origin(&request(&[])).is_ok(), "not a browser");
        assert!(
            check_origin(&request(&[
                ("origin", "http://localhost:7070"),
                ("sec-fetch-site", "same-origin")
            ]))
            .is_ok()
        );
        assert!(
            check_origin(&request(&[
                ("origin", "https://localhost:7070"),
                ("sec-fetch-site", "same-origin")
            ]))
            .is_ok(),
            "a proxy before us ends TLS"
        );
        for foreign in [
            ("origin", "http://evil.example"),
            ("origin", "https://localhost"),
            ("origin", "wss://localhost:7070"),
            ("origin", "null"),
            ("origin", "http://localhost:9999"),
            ("sec-fetch-site", "cross-site"),
            ("sec-fetch-site", "same-site"),
        ] {
            assert!(check_origin(&request(&[foreign])).is_err(), "{foreign:?}");
        }
    }

    #[test]
    fn of_a_bundle_everything_may_be_asked_and_nothing_written() {
        for (method, path) in [
            (Method::GET, "/api/v1/changes"),
            (Method::HEAD, "/"),
            (Method::POST, "/api/v1/sql"),
            (Method::POST, "/api/v1/whatif"),
            (Method::POST, "/api/v1/breakers/cart/payment/eu/whatif"),
            (Method::POST, "/login"),
        ] {
            assert!(check_only_asks(&method, path).is_ok(), "{method} {path}");
        }
        for (method, path) in [
            (Method::POST, "/api/v1/changes"),
            (Method::POST, "/views"),
            (Method::POST, "/views/1/delete"),
            (Method::POST, "/v1/traces"),
            (Method::PUT, "/api/v1/sql/x"),
            (Method::DELETE, "/api/v1/breakers/cart"),
        ] {
            let problem = check_only_asks(&method, path).expect_err(path);
            assert_eq!(
                (problem.status, problem.kind),
                (StatusCode::FORBIDDEN, "read-only")
            );
        }
    }
}
