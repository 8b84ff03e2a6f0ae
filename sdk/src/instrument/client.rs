//! The layer for clients.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context as TaskContext, Poll, ready};

use http::{Method, Request, Response};
use http_body::Body;
use opentelemetry::{Context, KeyValue};
use pin_project_lite::pin_project;
use tower_layer::Layer;
use tower_service::Service;

use super::body::TracedBody;
use super::call::Call;
use super::http_call::Head;
use super::opening::{Protocol, Side};
use super::{Instrument, http_call, rpc_call, time_left};
use crate::propagation;

/// Makes a client span of every request, a child of the current context, and sends that context
/// along.
///
/// ```
/// use tower::{Layer, ServiceExt, service_fn};
/// use tripline_sdk::instrument::Instrument;
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let inventory = Instrument::global().client().peer("inventory").layer(service_fn(
///     async |_: http::Request<String>| {
///         Ok::<_, std::io::Error>(http::Response::new(String::from("7")))
///     },
/// ));
/// let request = http::Request::get("http://inventory:8082/stock/7").body(String::new()).unwrap();
/// assert!(inventory.oneshot(request).await.is_ok());
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct ClientLayer {
    instrument: Instrument,
    peer: Vec<KeyValue>,
}

impl ClientLayer {
    pub(super) fn new(instrument: Instrument) -> Self {
        Self {
            instrument,
            peer: Vec::new(),
        }
    }

    /// The service at the other end, as it calls itself (`service.peer.name`).
    ///
    /// ```
    /// use opentelemetry::KeyValue;
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
    /// let stock = instrument.client().peer("inventory").layer(handler);
    /// stock.oneshot(http::Request::new(())).await.unwrap();
    /// let ended = spans.get_finished_spans().unwrap(); // what an exporter has got
    /// assert!(ended[0].attributes.contains(&KeyValue::new("service.peer.name", "inventory")));
    /// # }
    /// ```
    #[must_use]
    pub fn peer(self, service: &str) -> Self {
        self.with(KeyValue::new("service.peer.name", service.to_owned()))
    }

    /// Where it is, for clients whose requests do not say (tonic channels).
    ///
    /// ```
    /// use opentelemetry::KeyValue;
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
    /// let stock = instrument.client().address("inventory", 8082).layer(handler);
    /// stock.oneshot(http::Request::new(())).await.unwrap();
    /// let ended = spans.get_finished_spans().unwrap(); // what an exporter has got
    /// assert!(ended[0].attributes.contains(&KeyValue::new("server.address", "inventory")));
    /// assert!(ended[0].attributes.contains(&KeyValue::new("server.port", 8082_i64)));
    /// # }
    /// ```
    #[must_use]
    pub fn address(self, host: &str, port: u16) -> Self {
        self.with(KeyValue::new("server.address", host.to_owned()))
            .with(KeyValue::new("server.port", i64::from(port)))
    }

    fn with(mut self, attribute: KeyValue) -> Self {
        self.peer.push(attribute);
        self
    }

    fn begin<B>(&self, request: &Request<B>) -> Call {
        let head = Head::of(request);
        let opening = match Protocol::of(head.headers) {
            Protocol::Rpc => rpc_call::open(Side::Client, head.uri.path(), &self.peer),
            Protocol::Http => http_call::open_client(&head, &self.peer),
        };
        Call::begin(&self.instrument, opening, &Context::current())
    }
}

impl<S> Layer<S> for ClientLayer {
    type Service = ClientService<S>;

    fn layer(&self, inner: S) -> Self::Service {
        ClientService {
            inner,
            layer: self.clone(),
        }
    }
}

/// The service of [`ClientLayer`].
///
/// ```
/// use opentelemetry::global;
/// use tower::Layer;
/// use tripline_sdk::instrument::{ClientService, Instrument};
/// let instrument = Instrument::new(global::tracer("shop"), &global::meter("shop"));
/// let _service: ClientService<()> = instrument.client().layer(());
/// ```
#[derive(Clone, Debug)]
pub struct ClientService<S> {
    inner: S,
    layer: ClientLayer,
}

impl<S, B, R> Service<Request<B>> for ClientService<S>
where
    S: Service<Request<B>, Response = Response<R>>,
    R: Body,
{
    type Response = Response<TracedBody<R>>;
    type Error = S::Error;
    type Future = ClientFuture<S::Future>;

    fn poll_ready(&mut self, context: &mut TaskContext<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        let call = self.layer.begin(&request);
        propagation::inject(call.context(), request.headers_mut());
        let protocol = Protocol::of(request.headers());
        time_left::depart(protocol, request.headers_mut(), call.context());
        let is_head = request.method() == Method::HEAD;
        let inner = {
            let _attached = call.context().clone().attach();
            self.inner.call(request)
        };
        ClientFuture {
            inner,
            call: Some(call),
            is_head,
        }
    }
}

pin_project! {
    /// The future of [`ClientService`]. Dropped before it is done, the call was cancelled.
    ///
    /// ```
    /// use opentelemetry::KeyValue;
    /// use tower::{Layer, Service, service_fn};
    /// use tripline_sdk::instrument::{ClientFuture, Instrument};
    /// # use opentelemetry::{global, trace::TracerProvider};
    /// # use opentelemetry_sdk::trace::{InMemorySpanExporter, SdkTracerProvider};
    /// # let spans = InMemorySpanExporter::default();
    /// # let provider = SdkTracerProvider::builder().with_simple_exporter(spans.clone()).build();
    /// # let instrument = Instrument::new(provider.tracer("shop"), &global::meter("shop"));
    /// let handler = service_fn(async |_: http::Request<()>| {
    ///     Ok::<_, std::convert::Infallible>(http::Response::new(String::new()))
    /// });
    /// let mut service = instrument.client().layer(handler);
    /// let call: ClientFuture<_> = service.call(http::Request::new(()));
    /// drop(call);
    /// let ended = spans.get_finished_spans().unwrap(); // what an exporter has got
    /// assert!(ended[0].attributes.contains(&KeyValue::new("error.type", "cancelled")));
    /// ```
    pub struct ClientFuture<F> {
        #[pin]
        inner: F,
        call: Option<Call>,
        is_head: bool,
    }
}

impl<F> std::fmt::Debug for ClientFuture<F> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ClientFuture").finish_non_exhaustive()
    }
}

impl<F, R, E> Future for ClientFuture<F>
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
        match answer {
            Ok(response) => {
                call.answer(response.status(), response.headers());
                let is_head = *this.is_head;
                Poll::Ready(Ok(
                    response.map(|body| TracedBody::watching(body, call, is_head))
                ))
            }
            Err(error) => {
                call.break_off(std::any::type_name::<E>());
                Poll::Ready(Err(error))
            }
        }
    }
}
