//! Refusals: problem documents with their trace, and the door that only a token opens.

use std::collections::BTreeMap;
use std::time::Duration;

use axum::routing::get;
use axum::{Extension, Router};
use http::StatusCode;
use opentelemetry::trace::SpanKind;
use tower::ServiceBuilder;
use tripline_sdk::FixedWindow;
use tripline_sdk::bearer::{BearerLayer, Denied};
use tripline_sdk::layer::{GuardLayer, RateLimitLayer, TimeoutLayer};
use tripline_sdk::problem::{Problem, ProblemLayer};

use super::bench::{bench, has};
use super::calls::{fetch, serve, to};

#[tokio::test]
async fn refusals_are_problem_documents_with_the_trace() {
    let bench = bench();
    let once = FixedWindow::new(1, Duration::from_secs(60));
    let guarded = ServiceBuilder::new()
        .layer(bench.instrument.server())
        .layer(ProblemLayer)
        .layer(RateLimitLayer::new(once))
        .layer(TimeoutLayer::new(Duration::from_millis(50)))
        .layer(GuardLayer);
    let app = Router::new()
        .route("/hangs", get(std::future::pending::<()>))
        .layer(guarded);
    let address = serve(app).await;
    for (status, code) in [(504, "timeout"), (429, "rate_limited")] {
        bench.spans.reset();
        let answer = fetch(&bench, to(address, "/hangs")).await;
        assert_eq!(answer.status(), status);
        assert_eq!(answer.headers()["content-type"], "application/problem+json");
        assert_eq!(answer.headers().contains_key("retry-after"), status == 429);
        let document: BTreeMap<String, serde_json::Value> =
            serde_json::from_str(answer.body()).unwrap();
        assert_eq!(
            document.keys().map(String::as_str).collect::<Vec<_>>(),
            ["code", "message", "timestamp", "traceId"]
        );
        assert_eq!(document["code"], code);
        let server = bench.only(SpanKind::Server).await;
        assert_eq!(
            document["traceId"],
            server.span_context.trace_id().to_string()
        );
        has(
            &server,
            &[("http.response.status_code", &status.to_string())],
        );
    }
}

#[tokio::test]
async fn handlers_answer_with_problems_of_their_own() {
    let handler = async || Err::<(), _>(Problem::new(StatusCode::CONFLICT, "sold_out", "gone"));
    let address = serve(Router::new().route("/", get(handler))).await;
    let answer = fetch(&bench(), to(address, "/")).await;
    assert_eq!(answer.status(), 409);
    assert!(
        answer.body().contains(r#""traceId":null"#),
        "there is no server span here"
    );
}

#[derive(Clone)]
struct Claims(String);

#[tokio::test]
async fn only_a_valid_bearer_token_opens_the_door() {
    let validate = |token: &str| match token {
        "good" => Ok(Claims("ann".into())),
        "weak" => Err(Denied::Forbidden),
        _ => Err(Denied::Invalid),
    };
    let app = Router::new()
        .route(
            "/me",
            get(async |Extension(Claims(name)): Extension<Claims>| name),
        )
        .layer(BearerLayer::new(validate));
    let address = serve(app).await;
    let long = format!("Bearer {}", "a".repeat(9000));
    for (headers, status, challenge) in [
        (&["bearer good"][..], 200, None),
        (&["Bearer  good"], 200, None),
        (&[], 401, Some("Bearer")),
        (&["Basic good"], 401, Some("Bearer")),
        (
            &["Bearer bad"],
            401,
            Some(r#"Bearer error="invalid_token""#),
        ),
        (
            &["Bearer weak"],
            403,
            Some(r#"Bearer error="insufficient_scope""#),
        ),
        (
            &["Bearer good", "Bearer good"],
            400,
            Some(r#"Bearer error="invalid_request""#),
        ),
        (
            &["Bearer go od"],
            400,
            Some(r#"Bearer error="invalid_request""#),
        ),
        (&["Bearer "], 400, Some(r#"Bearer error="invalid_request""#)),
        (
            &[long.as_str()],
            400,
            Some(r#"Bearer error="invalid_request""#),
        ),
    ] {
        let mut request = to(address, "/me");
        for value in headers {
            request
                .headers_mut()
                .append("authorization", value.parse().unwrap());
        }
        let answer = fetch(&bench(), request).await;
        assert_eq!(answer.status(), status, "{headers:?}");
        let told = answer
            .headers()
            .get("www-authenticate")
            .map(|value| value.to_str().unwrap());
        assert_eq!(told, challenge, "{headers:?}");
    }
}
