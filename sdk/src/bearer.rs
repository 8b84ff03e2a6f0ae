//! Bearer tokens: the layer that asks for one and hands it to your validation.
//!
//! The layer knows RFC 6750 (exactly one `authorization` header, scheme without case, a well-formed
//! token, the right challenge in the answer); what makes a token valid is yours: any function, or
//! a [`ValidateToken`] that may wait, for keys that have to be fetched.
//!
//! ```
//! use axum::{Extension, Router, routing::get};
//! use tripline_sdk::bearer::{BearerLayer, Denied};
//!
//! #[derive(Clone)]
//! struct Claims { subject: String }
//!
//! // With the crate `jsonwebtoken` this decodes, checks signature, `exp`, `aud` and `iss`.
//! let validate = |token: &str| match token {
//!     "letmein" => Ok(Claims { subject: "ann".into() }),
//!     _ => Err(Denied::Invalid),
//! };
//! let app: Router = Router::new()
//!     .route("/me", get(async |Extension(claims): Extension<Claims>| claims.subject))
//!     .layer(BearerLayer::new(validate));
//! ```

use std::future::{Future, Ready, ready as now};
use std::pin::Pin;
use std::task::{Context as TaskContext, Poll, ready};

use http::{HeaderMap, Request, Response, StatusCode, header};
use pin_project_lite::pin_project;
use tower_layer::Layer;
use tower_service::Service;

use crate::problem::Problem;

/// Longer tokens are refused unread.
const TOKEN_BYTES_MAX: usize = 8 * 1024;

/// Why a token does not open the door.
///
/// ```
/// use tripline_sdk::{bearer::Denied, problem::Problem};
/// assert_eq!(Problem::from(Denied::Forbidden).status(), 403);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Denied {
    /// There is none.
    Missing,
    /// The request is not as RFC 6750 wants it: two headers, another scheme, strange characters.
    Malformed,
    /// It is not genuine, not for us, not yet or no longer valid.
    Invalid,
    /// It is genuine but does not allow this.
    Forbidden,
    /// Nobody can tell: the keys cannot be had.
    Unavailable,
}

impl From<Denied> for Problem {
    fn from(denied: Denied) -> Self {
        let unauthorized = StatusCode::UNAUTHORIZED;
        match denied {
            Denied::Missing => Self::new(unauthorized, "token_missing", "a bearer token is needed")
                .challenge("Bearer"),
            Denied::Malformed => Self::new(
                StatusCode::BAD_REQUEST,
                "token_malformed",
                "the authorization header is not well-formed",
            )
            .challenge(r#"Bearer error="invalid_request""#),
            Denied::Invalid => Self::new(unauthorized, "token_invalid", "the token is not valid")
                .challenge(r#"Bearer error="invalid_token""#),
            Denied::Forbidden => Self::new(
                StatusCode::FORBIDDEN,
                "forbidden",
                "the token does not allow this",
            )
            .challenge(r#"Bearer error="insufficient_scope""#),
            Denied::Unavailable => Self::new(
                StatusCode::SERVICE_UNAVAILABLE,
                "token_unverifiable",
                "tokens cannot be checked at the moment",
            ),
        }
    }
}

/// Says whether a token is valid and what it claims. Implemented for functions from `&str`.
///
/// ```
/// use std::future::{Ready, ready};
/// use tripline_sdk::bearer::{BearerLayer, Denied, ValidateToken};
///
/// /// Knows one token.
/// struct One(&'static str);
/// impl ValidateToken for One {
///     type Claims = ();
///     type Future = Ready<Result<(), Denied>>;
///     fn validate(&self, token: &str) -> Self::Future {
///         ready(if token == self.0 { Ok(()) } else { Err(Denied::Invalid) })
///     }
/// }
/// let _layer = BearerLayer::new(One("letmein"));
/// ```
pub trait ValidateToken {
    /// What a valid token says; handlers find it in the request's extensions.
    type Claims: Clone + Send + Sync + 'static;
    /// The answer, which may take time.
    type Future: Future<Output = Result<Self::Claims, Denied>>;
    /// Checks a token.
    fn validate(&self, token: &str) -> Self::Future;
}

impl<F, C> ValidateToken for F
where
    F: Fn(&str) -> Result<C, Denied>,
    C: Clone + Send + Sync + 'static,
{
    type Claims = C;
    type Future = Ready<Result<C, Denied>>;

    fn validate(&self, token: &str) -> Self::Future {
        now(self(token))
    }
}

/// Lets only requests with a valid bearer token through; the others are answered with a problem
/// document.
///
/// ```
/// use tower::{Layer, ServiceExt, service_fn};
/// use tripline_sdk::bearer::{BearerLayer, Denied};
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let validate = |token: &str| if token == "letmein" { Ok(()) } else { Err(Denied::Invalid) };
/// let service = BearerLayer::new(validate).layer(service_fn(async |_: http::Request<()>| {
///     Ok::<_, std::convert::Infallible>(http::Response::new(String::from("hello")))
/// }));
/// let ask = |token| http::Request::get("/").header("authorization", token).body(()).unwrap();
/// let welcome = service.clone().oneshot(ask("Bearer letmein")).await.unwrap();
/// assert_eq!(welcome.status(), 200);
/// let denied = service.oneshot(ask("Bearer guess")).await.unwrap();
/// assert_eq!(denied.status(), 401);
/// # }
/// ```
#[derive(Clone, Copy, Debug)]
pub struct BearerLayer<V> {
    validate: V,
}

impl<V: ValidateToken> BearerLayer<V> {
    /// A layer that asks `validate`.
    ///
    /// ```
    /// use tower::{Layer, ServiceExt, service_fn};
    /// use tripline_sdk::bearer::{BearerLayer, Denied};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// let validate = |token: &str| match token {
    ///     "letmein" => Ok("ann"),
    ///     _ => Err(Denied::Invalid),
    /// };
    /// let whoami = service_fn(async |request: http::Request<()>| {
    ///     let name = request.extensions().get::<&str>().copied().unwrap_or("nobody");
    ///     Ok::<_, std::convert::Infallible>(http::Response::new(name.to_owned()))
    /// });
    /// let whoami = BearerLayer::new(validate).layer(whoami);
    /// let request = http::Request::get("/").header("authorization", "Bearer letmein").body(());
    /// let answer = whoami.oneshot(request.unwrap()).await.unwrap();
    /// assert_eq!(answer.body(), "ann");
    /// # }
    /// ```
    #[must_use]
    pub fn new(validate: V) -> Self {
        Self { validate }
    }
}

impl<S, V: Clone> Layer<S> for BearerLayer<V> {
    type Service = BearerService<S, V>;

    fn layer(&self, inner: S) -> Self::Service {
        BearerService {
            inner,
            validate: self.validate.clone(),
        }
    }
}

/// The service of [`BearerLayer`].
///
/// ```
/// use tower::Layer;
/// use tripline_sdk::bearer::{BearerLayer, BearerService, Denied};
/// let nobody = |_: &str| Err::<(), _>(Denied::Invalid);
/// let service: BearerService<_, _> = BearerLayer::new(nobody).layer(());
/// ```
#[derive(Clone, Copy, Debug)]
pub struct BearerService<S, V> {
    inner: S,
    validate: V,
}

impl<S, V, B, R> Service<Request<B>> for BearerService<S, V>
where
    S: Service<Request<B>, Response = Response<R>> + Clone,
    V: ValidateToken,
    R: From<String>,
{
    type Response = Response<R>;
    type Error = S::Error;
    type Future = BearerFuture<S, Request<B>, V>;

    fn poll_ready(&mut self, context: &mut TaskContext<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let stage = match token(request.headers()) {
            Err(denied) => Stage::Denied {
                denied: Some(denied),
            },
            Ok(token) => {
                let checking = self.validate.validate(token);
                // The service that is ready is the one to call; its clone has to get ready anew.
                let clone = self.inner.clone();
                let inner = std::mem::replace(&mut self.inner, clone);
                Stage::Checking {
                    checking,
                    next: Some((inner, request)),
                }
            }
        };
        BearerFuture { stage }
    }
}

fn token(headers: &HeaderMap) -> Result<&str, Denied> {
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    let value = values.next().ok_or(Denied::Missing)?;
    if values.next().is_some() {
        return Err(Denied::Malformed);
    }
    let value = value.to_str().map_err(|_| Denied::Malformed)?;
    let (scheme, token) = value.split_once(' ').ok_or(Denied::Malformed)?;
    if !scheme.eq_ignore_ascii_case("bearer") {
        return Err(Denied::Missing);
    }
    let token = token.trim_start_matches(' ');
    // token68 of RFC 9110, section 11.2.
    let is_token = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~+/=".contains(&byte);
    let well_formed = (1..=TOKEN_BYTES_MAX).contains(&token.len()) && token.bytes().all(is_token);
    well_formed.then_some(token).ok_or(Denied::Malformed)
}

pin_project! {
    /// The future of [`BearerService`].
    ///
    /// ```
    /// use tower::{Layer, Service, service_fn};
    /// use tripline_sdk::bearer::{BearerFuture, BearerLayer, Denied};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// let nobody = |_: &str| Err::<(), _>(Denied::Invalid);
    /// let mut service = BearerLayer::new(nobody).layer(service_fn(async |_: http::Request<()>| {
    ///     Ok::<_, std::convert::Infallible>(http::Response::new(String::from("hello")))
    /// }));
    /// let answer: BearerFuture<_, _, _> = service.call(http::Request::new(()));
    /// assert_eq!(answer.await.unwrap().status(), 401);
    /// # }
    /// ```
    pub struct BearerFuture<S, R, V> where S: Service<R>, V: ValidateToken {
        #[pin]
        stage: Stage<S, R, V::Future, S::Future>,
    }
}

pin_project! {
    #[project = StageProjection]
    enum Stage<S, R, C, F> {
        Denied { denied: Option<Denied> },
        Checking { #[pin] checking: C, next: Option<(S, R)> },
        Calling { #[pin] calling: F },
    }
}

impl<S: Service<R>, R, V: ValidateToken> std::fmt::Debug for BearerFuture<S, R, V> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("BearerFuture").finish_non_exhaustive()
    }
}

impl<S, V, B, R> Future for BearerFuture<S, Request<B>, V>
where
    S: Service<Request<B>, Response = Response<R>>,
    V: ValidateToken,
    R: From<String>,
{
    type Output = Result<Response<R>, S::Error>;

    fn poll(self: Pin<&mut Self>, context: &mut TaskContext<'_>) -> Poll<Self::Output> {
        let mut stage = self.project().stage;
        loop {
            let calling = match stage.as_mut().project() {
                StageProjection::Calling { calling } => return calling.poll(context),
                StageProjection::Denied { denied } => {
                    let denied = denied.take().expect("polled after it was ready");
                    return Poll::Ready(Ok(Problem::from(denied).into_http()));
                }
                StageProjection::Checking { checking, next } => {
                    let claims = match ready!(checking.poll(context)) {
                        Ok(claims) => claims,
                        Err(denied) => {
                            return Poll::Ready(Ok(Problem::from(denied).into_http()));
                        }
                    };
                    let (mut inner, mut request) = next.take().expect("checked only once");
                    request.extensions_mut().insert(claims);
                    inner.call(request)
                }
            };
            stage.set(Stage::Calling { calling });
        }
    }
}
