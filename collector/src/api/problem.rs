//! What an error looks like from outside: an RFC 9457 problem document.
//!
//! The title is fixed for each type; the detail tells only what the client sent or what it may do. What
//! happened inside is logged, never shown.

use std::time::Duration;

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Map, Value, json};
use tripline_storage::filter::FilterError;
use tripline_storage::query::QueryError;

/// One error.
#[derive(Debug, Clone)]
pub struct Problem {
    /// Last part of the type's URI: `/problems/{kind}`.
    pub kind: &'static str,
    /// Status of the response.
    pub status: StatusCode,
    /// The same for every problem of the kind.
    pub title: &'static str,
    /// What is wrong this time.
    pub detail: String,
    /// When a retry is likely to pass.
    pub retry_after: Option<Duration>,
    /// Further members, such as the position in a query.
    pub members: Map<String, Value>,
}

/// Kind of the problem of a question that took too long.
const DEADLINE: &str = "deadline";

impl Problem {
    /// A problem of a kind.
    pub fn new(
        status: StatusCode,
        kind: &'static str,
        title: &'static str,
        detail: impl Into<String>,
    ) -> Self {
        Self {
            kind,
            status,
            title,
            detail: detail.into(),
            retry_after: None,
            members: Map::new(),
        }
    }

    /// With one more member.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.members.insert(name.to_owned(), value.into());
        self
    }

    /// With the time after which to try again.
    #[must_use]
    pub fn retry_after(mut self, after: Duration) -> Self {
        self.retry_after = Some(after);
        self
    }

    /// A parameter that cannot be read, or is not known.
    pub fn parameter(name: &str, detail: impl Into<String>) -> Self {
        Self::new(
            StatusCode::BAD_REQUEST,
            "invalid-parameter",
            "A parameter cannot be used",
            detail,
        )
        .with("parameter", name)
    }

    /// A filter that cannot be read: `column` is the character it is about, from 1.
    pub fn filter(name: &str, text: &str, error: &FilterError) -> Self {
        Self::parameter(name, error.to_string())
            .with("column", error.column)
            .with("filter", text)
    }

    /// Whether it is about a filter, and says where.
    pub fn is_of_filter(&self) -> bool {
        self.members.contains_key("filter")
    }

    /// The thing asked for is not stored.
    pub fn not_found(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, "not-found", "Not found", detail)
    }

    /// No route has this path.
    pub fn no_such_address(path: &str) -> Self {
        Self::not_found(format!(
            "there is nothing at {path}; /api/v1/openapi.json lists what there is"
        ))
    }

    /// The route has other methods.
    pub fn method_not_allowed() -> Self {
        let detail = "this address answers other methods; see the header Allow";
        Self::new(
            StatusCode::METHOD_NOT_ALLOWED,
            "method-not-allowed",
            "Method not allowed",
            detail,
        )
    }

    /// A file turned out to be damaged while it was read: it is out of the set now, and the rest answers.
    pub fn segment_damaged() -> Self {
        Self::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "segment-damaged",
            "A damaged file was set aside",
            "Ask again: the rest answers. The status page names the file, which stays on disk.",
        )
    }

    /// Something failed that the client cannot mend.
    pub fn internal() -> Self {
        let detail = "the server could not answer; its log says why";
        Self::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "internal",
            "Internal error",
            detail,
        )
    }

    /// Too much runs already.
    pub fn busy() -> Self {
        let detail = "too many questions run at once; try again";
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "busy", "Busy", detail)
            .retry_after(Duration::from_secs(1))
    }

    /// The same of a question without a range: a shorter one would not help.
    #[must_use]
    pub fn without_range(mut self) -> Self {
        if self.kind == DEADLINE {
            let detail =
                "the question took longer than it may, and has no range to shorten; try again";
            detail.clone_into(&mut self.detail);
        }
        self
    }

    /// The document.
    pub fn body(&self) -> Value {
        let mut body = self.members.clone();
        body.insert("type".to_owned(), json!(format!("/problems/{}", self.kind)));
        body.insert("title".to_owned(), json!(self.title));
        body.insert("status".to_owned(), json!(self.status.as_u16()));
        body.insert("detail".to_owned(), json!(self.detail));
        Value::Object(body)
    }
}

impl From<QueryError> for Problem {
    fn from(error: QueryError) -> Self {
        match error {
            QueryError::Deadline => {
                let detail = "the question took longer than it may; ask for a shorter range";
                Self::new(
                    StatusCode::GATEWAY_TIMEOUT,
                    DEADLINE,
                    "Deadline exceeded",
                    detail,
                )
            }
            QueryError::Invalid(detail) => Self::new(
                StatusCode::BAD_REQUEST,
                "invalid-parameter",
                "A parameter cannot be used",
                detail,
            ),
            QueryError::Filter { text, error } => Self::filter("q", &text, &error),
            QueryError::Settings(detail) => Self::new(
                StatusCode::BAD_REQUEST,
                "invalid-parameter",
                "These settings cannot be used",
                detail,
            ),
            QueryError::Engine(error) => {
                tracing::error!(%error, "a question failed in the engine");
                Self::internal()
            }
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut response = (self.status, self.body().to_string()).into_response();
        let headers = response.headers_mut();
        headers.insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/problem+json"),
        );
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if self.status == StatusCode::UNAUTHORIZED {
            let challenge = HeaderValue::from_static("Bearer realm=\"tripline\"");
            headers.insert(header::WWW_AUTHENTICATE, challenge);
        }
        if let Some(after) = self.retry_after {
            headers.insert(
                header::RETRY_AFTER,
                HeaderValue::from(after.as_secs().max(1)),
            );
        }
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_question_without_a_range_is_not_told_to_shorten_it() {
        let late = || Problem::from(QueryError::Deadline);
        assert_eq!(late().status, StatusCode::GATEWAY_TIMEOUT);
        assert!(late().detail.contains("ask for a shorter range"));
        let of_a_trace = late().without_range();
        assert_eq!(of_a_trace.kind, "deadline");
        assert!(!of_a_trace.detail.contains("ask for a shorter range"));
        assert!(of_a_trace.detail.contains("try again"));
        // What else goes wrong is told as it is.
        let busy = Problem::busy().without_range();
        assert_eq!(busy.detail, Problem::busy().detail);
    }

    #[test]
    fn a_problem_document_has_the_members_of_rfc_9457() {
        let problem = Problem::parameter("limit", "`limit` is not a number");
        let body = problem.body();
        assert_eq!(body["type"], "/problems/invalid-parameter");
        assert_eq!(body["status"], 400);
        assert_eq!(body["parameter"], "limit");
        let response = Problem::busy().into_response();
        assert_eq!(
            response.headers()[header::CONTENT_TYPE],
            "application/problem+json"
        );
        assert_eq!(response.headers()[header::RETRY_AFTER], "1");
    }
}
