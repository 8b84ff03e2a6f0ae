//! Middleware: spans and metrics of every request, in the trace it belongs to.
//!
//! [`ServerLayer`] and [`ClientLayer`] are tower layers over `http::Request`: axum routers, tonic
//! servers and channels, hyper and reqwest clients. A request whose content type is
//! `application/grpc` is told by the conventions for RPC, with the status from its trailers, so all
//! four kinds of gRPC calls are covered by the same two layers; any other by those for HTTP.
//!
//! ```
//! use tower::{Layer, ServiceExt, service_fn};
//! use tripline_sdk::instrument::Instrument;
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() {
//! let instrument = Instrument::global(); // or `pipeline.instrument()`
//! let handler = service_fn(async |_: http::Request<String>| {
//!     Ok::<_, std::convert::Infallible>(http::Response::new(String::from("hello")))
//! });
//! let server = instrument.server().layer(handler);
//! let answer = server.oneshot(http::Request::new(String::new())).await.unwrap();
//! assert_eq!(answer.status(), 200);
//! # }
//! ```
//!
//! # The order of layers
//!
//! In a server, outermost first:
//!
//! 1. **Tracing** ([`ServerLayer`]): everything below happens inside the request's span, so every
//!    refusal has a trace and a request id.
//! 2. **Logging**: a line a request, if you want one besides the span; below tracing, so that it
//!    carries the trace.
//! 3. **[`ProblemLayer`](crate::problem::ProblemLayer)**: turns the errors of what is below into
//!    answers, which tracing then sees with their status.
//! 4. **Shedding and a global rate limit**: cheap refusals come before dear work. A limit on
//!    strangers stands before authentication, or guessing passwords is free.
//! 5. **Authentication** ([`BearerLayer`](crate::bearer::BearerLayer)).
//! 6. **The caller's own rate limit**: it needs to know who calls.
//! 7. **Timeout**, then the handlers.
//!
//! In a client: fallback, retry, breaker, timeout, limiter and bulkhead as
//! [`Policy`](crate::Policy) orders them, then [`ClientLayer`] innermost: each try is a call of its
//! own, with a span of its own, and a refused one is none.
//!
//! # What is written
//!
//! Spans and metrics follow the semantic conventions for HTTP (stable) and for RPC (1.38 and
//! later: `rpc.system.name`, a fully qualified `rpc.method`, `rpc.response.status_code`). The
//! span ends when the body does, so a stream lasts as long as it streams.

mod body;
mod call;
mod client;
mod http_call;
#[cfg(feature = "tonic")]
mod interceptor;
mod message;
mod opening;
mod rpc_call;
mod server;
mod time_left;

use std::sync::Arc;

use opentelemetry::global::{self, BoxedTracer};
use opentelemetry::metrics::{Histogram, Meter, UpDownCounter};
use opentelemetry::trace::Tracer;

use crate::telemetry::names;
pub use body::TracedBody;
pub use client::{ClientFuture, ClientLayer, ClientService};
#[cfg(feature = "tonic")]
pub use interceptor::{ExtractContext, InjectContext};
pub use message::Destination;
pub use server::{REQUEST_ID, ServerFuture, ServerLayer, ServerService};

/// Bounds of duration histograms in seconds, as the conventions for HTTP and RPC advise.
const DURATION_BOUNDS: [f64; 14] = [
    0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0,
];

/// The tracer and instruments of one service; makes its layers. Clones are the same.
///
/// ```
/// use opentelemetry::global;
/// use tripline_sdk::instrument::Instrument;
/// let instrument = Instrument::new(global::tracer("shop"), &global::meter("shop"));
/// let _layers = (instrument.server(), instrument.client());
/// ```
#[derive(Clone)]
pub struct Instrument {
    shared: Arc<Shared>,
}

struct Shared {
    tracer: BoxedTracer,
    http_server: Histogram<f64>,
    http_client: Histogram<f64>,
    rpc_server: Histogram<f64>,
    rpc_client: Histogram<f64>,
    active: UpDownCounter<i64>,
    #[cfg(feature = "otlp")]
    exemplars: std::sync::OnceLock<crate::telemetry::exemplars::Exemplars>,
}

impl std::fmt::Debug for Instrument {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Instrument").finish_non_exhaustive()
    }
}

impl Instrument {
    /// Records with a given tracer and meter.
    ///
    /// ```
    /// use opentelemetry::{global, trace::{TraceContextExt, TracerProvider}};
    /// use opentelemetry_sdk::trace::{InMemorySpanExporter, SdkTracerProvider};
    /// use tripline_sdk::instrument::{Destination, Instrument};
    /// let spans = InMemorySpanExporter::default();
    /// let provider = SdkTracerProvider::builder().with_simple_exporter(spans.clone()).build();
    /// let instrument = Instrument::new(provider.tracer("shop"), &global::meter("shop"));
    ///
    /// let parcels = Destination { system: "kafka", name: "parcels" };
    /// let mut headers: Vec<(String, Vec<u8>)> = Vec::new();
    /// instrument.send(parcels, &mut headers).span().end();
    /// assert_eq!(spans.get_finished_spans().unwrap()[0].name, "send parcels");
    /// ```
    #[must_use]
    pub fn new<T>(tracer: T, meter: &Meter) -> Self
    where
        T: Tracer + Send + Sync + 'static,
        T::Span: Send + Sync + 'static,
    {
        let duration = |name, description| {
            meter
                .f64_histogram(name)
                .with_description(description)
                .with_unit("s")
                .with_boundaries(DURATION_BOUNDS.to_vec())
                .build()
        };
        let active = meter
            .i64_up_down_counter("http.server.active_requests")
            .with_description("Number of active HTTP server requests")
            .with_unit("{request}")
            .build();
        let shared = Shared {
            tracer: BoxedTracer::new(Box::new(tracer)),
            http_server: duration(
                names::HTTP_SERVER_DURATION,
                "Duration of HTTP server requests",
            ),
            http_client: duration(
                names::HTTP_CLIENT_DURATION,
                "Duration of HTTP client requests",
            ),
            rpc_server: duration(names::RPC_SERVER_DURATION, "Duration of incoming calls"),
            rpc_client: duration(names::RPC_CLIENT_DURATION, "Duration of outgoing calls"),
            active,
            #[cfg(feature = "otlp")]
            exemplars: std::sync::OnceLock::new(),
        };
        Self {
            shared: Arc::new(shared),
        }
    }

    /// Durations come with exemplars. The first to say where they go stays.
    #[cfg(feature = "otlp")]
    pub(crate) fn with_exemplars(self, exemplars: crate::telemetry::exemplars::Exemplars) -> Self {
        let _ = self.shared.exemplars.set(exemplars);
        self
    }

    /// Records with the global providers as they are now: call `init` first.
    ///
    /// ```
    /// use opentelemetry::{global, trace::TraceContextExt};
    /// use opentelemetry_sdk::trace::SdkTracerProvider;
    /// use tripline_sdk::instrument::{Destination, Instrument};
    /// let parcels = Destination { system: "kafka", name: "parcels" };
    /// let mut headers: Vec<(String, Vec<u8>)> = Vec::new();
    /// let before = Instrument::global();
    /// assert!(!before.send(parcels, &mut headers).span().span_context().is_valid());
    ///
    /// global::set_tracer_provider(SdkTracerProvider::default());
    /// let after = Instrument::global();
    /// assert!(after.send(parcels, &mut headers).span().span_context().is_valid());
    /// ```
    #[must_use]
    pub fn global() -> Self {
        Self::new(global::tracer(names::SCOPE), &global::meter(names::SCOPE))
    }

    /// The layer for servers.
    ///
    /// ```
    /// use opentelemetry::trace::SpanKind;
    /// use tower::{Layer, ServiceExt, service_fn};
    /// use tripline_sdk::instrument::Instrument;
    /// # use opentelemetry::{global, trace::TracerProvider};
    /// # use opentelemetry_sdk::trace::{InMemorySpanExporter, SdkTracerProvider};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// # let spans = InMemorySpanExporter::default();
    /// # let provider = SdkTracerProvider::builder().with_simple_exporter(spans.clone()).build();
    /// # let instrument = Instrument::new(provider.tracer("shop"), &global::meter("shop"));
    /// let handler = service_fn(async |_: http::Request<()>| {
    ///     Ok::<_, std::convert::Infallible>(http::Response::new(String::new()))
    /// });
    /// let server = instrument.server().layer(handler);
    /// server.oneshot(http::Request::new(())).await.unwrap();
    /// let ended = spans.get_finished_spans().unwrap(); // what an exporter has got
    /// assert_eq!(ended[0].span_kind, SpanKind::Server);
    /// # }
    /// ```
    #[must_use]
    pub fn server(&self) -> ServerLayer {
        ServerLayer::new(self.clone())
    }

    /// The layer for clients.
    ///
    /// ```
    /// use tower::{Layer, ServiceExt, service_fn};
    /// use tripline_sdk::instrument::Instrument;
    /// # use opentelemetry::{global, trace::TracerProvider};
    /// # use opentelemetry_sdk::trace::{InMemorySpanExporter, SdkTracerProvider};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// # let spans = InMemorySpanExporter::default();
    /// # let provider = SdkTracerProvider::builder().with_simple_exporter(spans.clone()).build();
    /// # let instrument = Instrument::new(provider.tracer("shop"), &global::meter("shop"));
    /// let peer = service_fn(async |request: http::Request<()>| {
    ///     assert!(request.headers().contains_key("traceparent"), "the trace goes on there");
    ///     Ok::<_, std::convert::Infallible>(http::Response::new(String::new()))
    /// });
    /// let client = instrument.client().layer(peer);
    /// assert!(client.oneshot(http::Request::new(())).await.is_ok());
    /// # }
    /// ```
    #[must_use]
    pub fn client(&self) -> ClientLayer {
        ClientLayer::new(self.clone())
    }
}
