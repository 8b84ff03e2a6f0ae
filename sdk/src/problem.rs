//! The one shape of an error that leaves a service: `{code, message, timestamp, traceId}`.
//!
//! A problem document (RFC 9457: every standard member is optional) that a person can read out
//! over the phone and a program can tell apart: `code` says what kind of error it is and never
//! changes, `message` explains it, `traceId` finds everything else.
//!
//! ```
//! use http::StatusCode;
//! use tripline_sdk::problem::Problem;
//!
//! let problem = Problem::new(StatusCode::CONFLICT, "out_of_stock", "none of sku 7 is left");
//! let answer: http::Response<String> = problem.into_http();
//! assert_eq!(answer.status(), 409);
//! assert_eq!(answer.headers()["content-type"], "application/problem+json");
//! assert!(answer.body().contains(r#""code":"out_of_stock""#));
//! ```

use std::borrow::Cow;
use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context as TaskContext, Poll, ready};
use std::time::{Duration, SystemTime};

use http::{HeaderValue, Request, Response, StatusCode, header};
use opentelemetry::Context;
use opentelemetry::trace::TraceContextExt;
use pin_project_lite::pin_project;
use tower_layer::Layer;
use tower_service::Service;

use crate::refusal::{Error, Refusal};
use crate::rfc3339;

/// An error on its way to a caller. Handlers of axum may return it; with feature `tonic` it becomes
/// a `Status`.
///
/// ```
/// use tripline_sdk::{Error, Refusal, problem::Problem};
/// let refused: Error<Problem> = Refusal::BulkheadFull.into();
/// assert_eq!(Problem::from(refused).status(), 503);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    status: StatusCode,
    code: Cow<'static, str>,
    message: Cow<'static, str>,
    retry_after: Option<Duration>,
    challenge: Option<&'static str>,
}

impl Problem {
    /// A problem with the HTTP status it is answered with, its kind and its explanation.
    ///
    /// ```
    /// use http::StatusCode;
    /// use tripline_sdk::problem::Problem;
    /// let sku = 7;
    /// let problem = Problem::new(StatusCode::NOT_FOUND, "unknown_sku", format!("no sku {sku}"));
    /// assert_eq!(problem.to_string(), "unknown_sku: no sku 7");
    /// ```
    #[must_use]
    pub fn new(
        status: StatusCode,
        code: impl Into<Cow<'static, str>>,
        message: impl Into<Cow<'static, str>>,
    ) -> Self {
        Self {
            status,
            code: code.into(),
            message: message.into(),
            retry_after: None,
            challenge: None,
        }
    }

    /// What is not to be told: the caller learns that it failed, the log why.
    ///
    /// ```
    /// use tripline_sdk::problem::Problem;
    /// let problem = Problem::internal();
    /// assert_eq!(problem.status(), 500);
    /// assert_eq!(problem.to_string(), "internal: the service failed");
    /// ```
    #[must_use]
    pub fn internal() -> Self {
        Self::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "internal",
            "the service failed",
        )
    }

    /// Says when to try again (header `retry-after`, whole seconds, rounded up).
    ///
    /// ```
    /// use std::time::Duration;
    /// use http::StatusCode;
    /// use tripline_sdk::problem::Problem;
    /// let busy = Problem::new(StatusCode::SERVICE_UNAVAILABLE, "too_busy", "come back later")
    ///     .retry_after(Some(Duration::from_millis(1_500)));
    /// let answer: http::Response<String> = busy.into_http();
    /// assert_eq!(answer.headers()["retry-after"], "2");
    /// ```
    #[must_use]
    pub fn retry_after(self, after: Option<Duration>) -> Self {
        Self {
            retry_after: after,
            ..self
        }
    }

    pub(crate) fn challenge(self, challenge: &'static str) -> Self {
        Self {
            challenge: Some(challenge),
            ..self
        }
    }

    /// Its HTTP status.
    ///
    /// ```
    /// use std::time::Duration;
    /// use tripline_sdk::{Refusal, problem::Problem};
    /// let late = Problem::from(Refusal::Timeout { after: Duration::from_secs(1) });
    /// assert_eq!(late.status(), http::StatusCode::GATEWAY_TIMEOUT);
    /// ```
    #[must_use]
    pub fn status(&self) -> StatusCode {
        self.status
    }

    /// Its kind.
    ///
    /// ```
    /// use tripline_sdk::{Refusal, problem::Problem};
    /// assert_eq!(Problem::from(Refusal::BulkheadFull).code(), "too_busy");
    /// assert_eq!(Problem::from(Refusal::Shed).code(), "overloaded");
    /// ```
    #[must_use]
    pub fn code(&self) -> &str {
        &self.code
    }

    /// The document, with the trace of the current context; `traceId` is null outside of one.
    ///
    /// ```
    /// use std::time::SystemTime;
    /// use tripline_sdk::problem::Problem;
    /// let document = Problem::internal().to_json(SystemTime::UNIX_EPOCH);
    /// let document: serde_json::Value = serde_json::from_str(&document).unwrap();
    /// assert_eq!(document["code"], "internal");
    /// assert_eq!(document["timestamp"], "1970-01-01T00:00:00.000000000Z");
    /// assert!(document["traceId"].is_null(), "there is no trace here");
    /// ```
    #[must_use]
    pub fn to_json(&self, at: SystemTime) -> String {
        let document = serde_json::json!({
            "code": self.code,
            "message": self.message,
            "timestamp": rfc3339::format(at),
            "traceId": current_trace(),
        });
        document.to_string()
    }

    /// The answer. Call it where the request is handled: it names the current context's trace.
    ///
    /// ```
    /// use tripline_sdk::{bearer::Denied, problem::Problem};
    /// let answer: http::Response<String> = Problem::from(Denied::Missing).into_http();
    /// assert_eq!(answer.status(), 401);
    /// assert_eq!(answer.headers()["www-authenticate"], "Bearer");
    /// assert!(answer.body().contains("token_missing"));
    /// ```
    #[must_use]
    pub fn into_http<B: From<String>>(self) -> Response<B> {
        let mut response = Response::new(B::from(self.to_json(SystemTime::now())));
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        let json = HeaderValue::from_static("application/problem+json");
        headers.insert(header::CONTENT_TYPE, json);
        if let Some(after) = self.retry_after {
            let seconds = after.as_secs() + u64::from(after.subsec_nanos() > 0);
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        if let Some(challenge) = self.challenge {
            headers.insert(
                header::WWW_AUTHENTICATE,
                HeaderValue::from_static(challenge),
            );
        }
        response
    }
}

fn current_trace() -> Option<String> {
    Context::map_current(|context| {
        let span = context.span();
        let span = span.span_context();
        span.is_valid().then(|| span.trace_id().to_string())
    })
}

impl std::fmt::Display for Problem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.code, self.message)
    }
}

impl std::error::Error for Problem {}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        let (status, code) = match refusal {
            Refusal::Breaker(_) => (StatusCode::SERVICE_UNAVAILABLE, "circuit_open"),
            Refusal::Timeout { .. } => (StatusCode::GATEWAY_TIMEOUT, "timeout"),
            Refusal::DeadlineExceeded => (StatusCode::GATEWAY_TIMEOUT, "deadline_exceeded"),
            Refusal::RateLimited { .. } => (StatusCode::TOO_MANY_REQUESTS, "rate_limited"),
            Refusal::BulkheadFull => (StatusCode::SERVICE_UNAVAILABLE, "too_busy"),
            Refusal::Throttled => (StatusCode::SERVICE_UNAVAILABLE, "throttled"),
            Refusal::Shed => (StatusCode::SERVICE_UNAVAILABLE, "overloaded"),
        };
        Self::new(status, code, refusal.to_string()).retry_after(refusal.retry_after())
    }
}

impl<E: Into<Self>> From<Error<E>> for Problem {
    fn from(error: Error<E>) -> Self {
        match error {
            Error::Refused(refusal) => refusal.into(),
            Error::Call(error) => error.into(),
        }
    }
}

impl From<Infallible> for Problem {
    fn from(never: Infallible) -> Self {
        match never {}
    }
}

#[cfg(feature = "axum")]
impl axum::response::IntoResponse for Problem {
    fn into_response(self) -> axum::response::Response {
        self.into_http()
    }
}

#[cfg(feature = "tonic")]
impl From<Problem> for tonic::Status {
    /// The nearest code of gRPC, with the problem's code, trace and retry time as metadata.
    fn from(problem: Problem) -> Self {
        use tonic::Code;
        let code = match problem.status.as_u16() {
            400 => Code::InvalidArgument,
            401 => Code::Unauthenticated,
            403 => Code::PermissionDenied,
            404 => Code::NotFound,
            409 => Code::Aborted,
            412 => Code::FailedPrecondition,
            429 => Code::ResourceExhausted,
            499 => Code::Cancelled,
            500 => Code::Internal,
            501 => Code::Unimplemented,
            503 => Code::Unavailable,
            504 => Code::DeadlineExceeded,
            _ => Code::Unknown,
        };
        let mut status = Self::new(code, problem.message);
        let pushback = problem
            .retry_after
            .map(|after| after.as_millis().to_string());
        let told = [
            ("problem-code", Some(problem.code.into_owned())),
            ("trace-id", current_trace()),
            ("grpc-retry-pushback-ms", pushback),
        ];
        for (name, value) in told {
            if let Some(Ok(value)) = value.map(TryInto::try_into) {
                status.metadata_mut().insert(name, value);
            }
        }
        status
    }
}

/// Answers with a problem document where a service, or a layer below, answers with an error: what
/// makes policies usable around handlers that cannot fail.
///
/// ```
/// use axum::{Router, routing::get};
/// use tower::ServiceBuilder;
/// use tripline_sdk::layer::{BulkheadLayer, GuardLayer};
/// use tripline_sdk::problem::{Problem, ProblemLayer};
/// use tripline_sdk::Bulkhead;
///
/// let guarded = ServiceBuilder::new()
///     .layer(ProblemLayer)
///     .layer(BulkheadLayer::new(Bulkhead::new(64)))
///     .layer(GuardLayer);
/// let app: Router = Router::new().route("/", get(async || "hello")).layer(guarded);
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct ProblemLayer;

impl<S> Layer<S> for ProblemLayer {
    type Service = ProblemService<S>;

    fn layer(&self, inner: S) -> Self::Service {
        ProblemService { inner }
    }
}

/// The service of [`ProblemLayer`].
///
/// ```
/// use tower::{Layer, ServiceExt, service_fn};
/// use tripline_sdk::Refusal;
/// use tripline_sdk::problem::{ProblemLayer, ProblemService};
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let full = service_fn(async |_: http::Request<()>| {
///     Err::<http::Response<String>, _>(Refusal::BulkheadFull)
/// });
/// let service: ProblemService<_> = ProblemLayer.layer(full);
/// let answer = service.oneshot(http::Request::new(())).await.unwrap();
/// assert_eq!(answer.status(), 503);
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct ProblemService<S> {
    inner: S,
}

impl<S, B, R> Service<Request<B>> for ProblemService<S>
where
    S: Service<Request<B>, Response = Response<R>> + Clone,
    S::Error: Into<Problem>,
    R: From<String>,
{
    type Response = Response<R>;
    type Error = Infallible;
    type Future = ProblemFuture<S, Request<B>>;

    /// Always ready: what is not ready below is waited for in the future, where an error of its
    /// readiness still has a request to answer.
    fn poll_ready(&mut self, _: &mut TaskContext<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        ProblemFuture {
            service: self.inner.clone(),
            request: Some(request),
            answer: None,
        }
    }
}

pin_project! {
    /// The future of [`ProblemService`].
    ///
    /// ```
    /// use tower::{Layer, Service, service_fn};
    /// use tripline_sdk::Refusal;
    /// use tripline_sdk::problem::{ProblemFuture, ProblemLayer};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// let mut limited = ProblemLayer.layer(service_fn(async |_: http::Request<()>| {
    ///     Err::<http::Response<String>, _>(Refusal::RateLimited { retry_after: None })
    /// }));
    /// let answer: ProblemFuture<_, _> = limited.call(http::Request::new(()));
    /// assert_eq!(answer.await.unwrap().status(), 429);
    /// # }
    /// ```
    pub struct ProblemFuture<S, R> where S: Service<R> {
        service: S,
        request: Option<R>,
        #[pin]
        answer: Option<S::Future>,
    }
}

impl<S: Service<R>, R> std::fmt::Debug for ProblemFuture<S, R> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ProblemFuture").finish_non_exhaustive()
    }
}

impl<S, Q, R> Future for ProblemFuture<S, Q>
where
    S: Service<Q, Response = Response<R>>,
    S::Error: Into<Problem>,
    R: From<String>,
{
    type Output = Result<Response<R>, Infallible>;

    fn poll(self: Pin<&mut Self>, context: &mut TaskContext<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        if this.answer.is_none() {
            if let Err(error) = ready!(this.service.poll_ready(context)) {
                return Poll::Ready(Ok(error.into().into_http()));
            }
            let request = this.request.take().expect("polled after it was ready");
            this.answer.set(Some(this.service.call(request)));
        }
        let answer = this.answer.as_pin_mut().expect("it was just set");
        let answer = ready!(answer.poll(context));
        Poll::Ready(Ok(answer.unwrap_or_else(|error| error.into().into_http())))
    }
}
