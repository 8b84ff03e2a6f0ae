//! The layer for servers.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context as TaskContext, Poll, ready};

use http::{HeaderValue, Method, Request, Response};
use http_body::Body;
use opentelemetry::Context;
use opentelemetry::trace::{SpanContext, TraceContextExt};
use pin_project_lite::pin_project;
use tower_layer::Layer;
use tower_service::Service;

use super::body::TracedBody;
use super::call::Call;
use super::http_call::Head;
use super::opening::{Protocol, Side};
use super::{Instrument, http_call, rpc_call, time_left};
use crate::propagation;

/// The response header that names the request: its trace id.
///
/// ```
/// use tower::{Layer, ServiceExt, service_fn};
/// use tripline_sdk::instrument::{Instrument, REQUEST_ID};
/// # use opentelemetry::{global, trace::TracerProvider};
/// # use opentelemetry_sdk::trace::{InMemorySpanExporter, SdkTracerProvider};
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// # let spans = InMemorySpanExporter::default();
/// # let provider = SdkTracerProvider::builder().with_simple_exporter(spans.clone()).build();
/// # let instrument = Instrument::new(provider.tracer("shop"), &global::meter("shop"));
/// # let handler = service_fn(async |_: http::Request<()>| {
/// #     Ok::<_, std::convert::Infallible>(http::Response::new(String::new()))
/// # });
/// let server = instrument.server().layer(handler);
/// let answer = server.oneshot(http::Request::new(())).await.unwrap();
/// let trace_id = spans.get_finished_spans().unwrap()[0].span_context.trace_id().to_string();
/// assert_eq!(answer.headers()[REQUEST_ID], trace_id);
/// # }
/// ```
pub const REQUEST_ID: &str = "x-request-id";

/// Makes a server span of every request: a child of the caller's span if the request names one,
/// else the root of a new trace. Answers carry the trace id as [`REQUEST_ID`].
///
/// Put it on an axum router with `Router::layer`, where the route is known; around a whole
/// service the span has only the method for a name.
///
/// ```
/// use axum::{Router, routing::get};
/// use tripline_sdk::instrument::Instrument;
/// let app: Router = Router::new()
///     .route("/stock/{sku}", get(async || "7"))
///     .layer(Instrument::global().server());
/// ```
#[derive(Clone, Debug)]
pub struct ServerLayer {
    instrument: Instrument,
    trusts: bool,
}

impl ServerLayer {
    pub(super) fn new(instrument: Instrument) -> Self {
        Self {
            instrument,
            trusts: true,
        }
    }

    /// For the edge of a system: what a stranger says about traces is linked to, not continued, so
    /// nobody outside decides what is sampled or joins the traces of others. Baggage is dropped.
    ///
    /// ```
    /// use opentelemetry::SpanId;
    /// use tower::{Layer, ServiceExt, service_fn};
    /// use tripline_sdk::instrument::Instrument;
    /// # use opentelemetry::{global, trace::TracerProvider};
    /// # use opentelemetry_sdk::trace::{InMemorySpanExporter, SdkTracerProvider};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// # let spans = InMemorySpanExporter::default();
    /// # let provider = SdkTracerProvider::builder().with_simple_exporter(spans.clone()).build();
    /// # let instrument = Instrument::new(provider.tracer("shop"), &global::meter("shop"));
    /// # let handler = service_fn(async |_: http::Request<()>| {
    /// #     Ok::<_, std::convert::Infallible>(http::Response::new(String::new()))
    /// # });
    /// let edge = instrument.server().at_the_edge().layer(handler);
    /// let stranger = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    /// let request = http::Request::get("/").header("traceparent", stranger).body(()).unwrap();
    /// edge.oneshot(request).await.unwrap();
    /// let ended = spans.get_finished_spans().unwrap(); // what an exporter has got
    /// assert_eq!(ended[0].parent_span_id, SpanId::INVALID, "the root of its own trace");
    /// assert_eq!(ended[0].links.len(), 1);
    /// # }
    /// ```
    #[must_use]
    pub fn at_the_edge(self) -> Self {
        Self {
            trusts: false,
            ..self
        }
    }

    fn begin<B>(&self, request: &Request<B>) -> Call {
        let head = Head::of(request);
        let protocol = Protocol::of(head.headers);
        let mut opening = match protocol {
            Protocol::Rpc => rpc_call::open(Side::Server, head.uri.path(), &[]),
            Protocol::Http => http_call::open_server(&head, route(request)),
        };
        let none = Context::new();
        let said = propagation::extract(&none, request.headers());
        let parent = if self.trusts {
            said
        } else {
            let stranger = said.span().span_context().clone();
            opening.linked = Some(stranger).filter(SpanContext::is_valid);
            none
        };
        let parent = time_left::arrive(protocol, request.headers(), parent);
        Call::begin(&self.instrument, opening, &parent)
    }
}

/// The route's template, as axum left it.
#[cfg(feature = "axum")]
fn route<B>(request: &Request<B>) -> Option<&str> {
    let matched = request.extensions().get::<axum::extract::MatchedPath>();
    matched.map(axum::extract::MatchedPath::as_str)
}

#[cfg(not(feature = "axum"))]
fn route<B>(_: &Request<B>) -> Option<&str> {
    None
}

impl<S> Layer<S> for ServerLayer {
    type Service = ServerService<S>;

    fn layer(&self, inner: S) -> Self::Service {
        ServerService {
            inner,
            layer: self.clone(),
        }
    }
}

/// The service of [`ServerLayer`].
///
/// ```
/// use opentelemetry::global;
/// use tower::Layer;
/// use tripline_sdk::instrument::{Instrument, ServerService};
/// let instrument = Instrument::new(global::tracer("shop"), &global::meter("shop"));
/// let _service: ServerService<()> = instrument.server().layer(());
/// ```
#[derive(Clone, Debug)]
pub struct ServerService<S> {
    inner: S,
    layer: ServerLayer,
}

impl<S, B, R> Service<Request<B>> for ServerService<S>
where
    S: Service<Request<B>, Response = Response<R>>,
    R: Body,
{
    type Response = Response<TracedBody<R>>;
    type Error = S::Error;
    type Future = ServerFuture<S::Future>;

    fn poll_ready(&mut self, context: &mut TaskContext<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let call = self.layer.begin(&request);
        let is_head = request.method() == Method::HEAD;
        let inner = {
            let _attached = call.context().clone().attach();
            self.inner.call(request)
        };
        ServerFuture {
            inner,
            call: Some(call),
            is_head,
        }
    }
}

pin_project! {
    /// The future of [`ServerService`]. Dropped before it is done, it was cancelled.
    ///
    /// ```
    /// use opentelemetry::KeyValue;
    /// use tower::{Layer, Service, service_fn};
    /// use tripline_sdk::instrument::{Instrument, ServerFuture};
    /// # use opentelemetry::{global, trace::TracerProvider};
    /// # use opentelemetry_sdk::trace::{InMemorySpanExporter, SdkTracerProvider};
    /// # let spans = InMemorySpanExporter::default();
    /// # let provider = SdkTracerProvider::builder().with_simple_exporter(spans.clone()).build();
    /// # let instrument = Instrument::new(provider.tracer("shop"), &global::meter("shop"));
    /// let handler = service_fn(async |_: http::Request<()>| {
    ///     Ok::<_, std::convert::Infallible>(http::Response::new(String::new()))
    /// });
    /// let mut service = instrument.server().layer(handler);
    /// let call: ServerFuture<_> = service.call(http::Request::new(()));
    /// drop(call);
    /// let ended = spans.get_finished_spans().unwrap(); // what an exporter has got
    /// assert!(ended[0].attributes.contains(&KeyValue::new("error.type", "cancelled")));
    /// ```
    pub struct ServerFuture<F> {
        #[pin]
        inner: F,
        call: Option<Call>,
        is_head: bool,
    }
}

impl<F> std::fmt::Debug for ServerFuture<F> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ServerFuture").finish_non_exhaustive()
    }
}

impl<F, R, E> Future for ServerFuture<F>
where
    F: Future<Output = Result<Response<R>, E>>,
    R: Body,
{
    type Output = Result<Response<TracedBody<R>>, E>;

    fn poll(self: Pin<&mut Self>, context: &mut TaskContext<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let call = this.call.as_mut().expect("polled after it was ready");
        let answer = {
            let _attached = call.context().clone().attach();
            ready!(this.inner.poll(context))
        };
        let mut call = this.call.take().expect("it was there a moment ago");
        let mut response = match answer {
            Ok(response) => response,
            Err(error) => {
                call.break_off(std::any::type_name::<E>());
                return Poll::Ready(Err(error));
            }
        };
        call.answer(response.status(), response.headers());
        if let Some(id) = request_id(call.context()) {
            response.headers_mut().insert(REQUEST_ID, id);
        }
        let is_head = *this.is_head;
        Poll::Ready(Ok(
            response.map(|body| TracedBody::watching(body, call, is_head))
        ))
    }
}

fn request_id(context: &Context) -> Option<HeaderValue> {
    let span = context.span();
    let span = span.span_context();
    span.is_valid()
        .then(|| HeaderValue::try_from(span.trace_id().to_string()).ok())?
}
