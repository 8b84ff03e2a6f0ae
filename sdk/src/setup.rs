//! One call that makes a service visible: traces, metrics and logs over OTLP.
//!
//! ```no_run
//! fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     let _telemetry = tripline_sdk::init()?; // flushes when dropped
//!     tracing::info!(port = 8080, "listening");
//!     Ok(())
//! }
//! ```
//!
//! [`init`] reads the standard environment variables, so one binary runs anywhere:
//!
//! | variable | default | here |
//! |---|---|---|
//! | `OTEL_SDK_DISABLED` | `false` | nothing is recorded or sent; propagation goes on |
//! | `OTEL_SERVICE_NAME`, `OTEL_RESOURCE_ATTRIBUTES` | `unknown_service:<program>` | who this is |
//! | `OTEL_EXPORTER_OTLP_ENDPOINT`, `_HEADERS`, `_TIMEOUT`, `_COMPRESSION`, `_PROTOCOL`, `_INSECURE`, `_CERTIFICATE`, and each for `_TRACES_`, `_METRICS_`, `_LOGS_` | `http://localhost:4318`, `http/protobuf` | where it is sent |
//! | `OTEL_TRACES_EXPORTER`, `OTEL_METRICS_EXPORTER`, `OTEL_LOGS_EXPORTER` | `otlp` | `none` turns a signal off |
//! | `OTEL_TRACES_SAMPLER`, `OTEL_TRACES_SAMPLER_ARG` | `parentbased_always_on` | what is sampled |
//! | `OTEL_PROPAGATORS` | `tracecontext,baggage` | `none` turns the global propagator off |
//! | `OTEL_BSP_MAX_CONCURRENT_EXPORTS` | `1` | requests with spans, and with log records, at a time |
//! | `OTEL_BSP_*`, `OTEL_BLRP_*`, `OTEL_METRIC_EXPORT_*`, limits | the specification's | batching |
//! | `RUST_LOG` | `info` | which `tracing` events and spans count |
//!
//! Code says the same with [`Pipeline::builder`], and there code wins over the environment. A
//! program of several services makes one pipeline a service and installs none of them globally.
//!
//! # What it guarantees
//!
//! * Exports run on a thread and runtime of their own: a program without a runtime, a busy runtime
//!   and one that is being shut down export all the same.
//! * Exports retry with jittered backoff as OTLP says (`RetryInfo`, `Retry-After`), never after a
//!   partial success, and refuse requests over 64 MiB and answers over 4 MiB; all of that is
//!   `opentelemetry-otlp`'s.
//! * What could not be sent in the end is dropped and counted: [`Pipeline::exported`] and the metrics
//!   `otel.sdk.exporter.span.exported`, `….log.exported` and `….metric_data_point.exported`, whose
//!   failures carry `error.type`.
//! * Points of the SDK's own metrics carry exemplars of sampled traces: the calls of breakers,
//!   limits and timeouts by outcome, the durations of requests. They are joined to the message as it
//!   leaves, because the OpenTelemetry SDK for Rust collects none.
//! * A breaker's transition sends logs and metrics at once, so that an open state shorter than the
//!   export interval arrives.
//! * What the exporter itself logs is not exported: no feedback.

mod builder;
mod console;
mod environment;
mod event_names;
mod export;
mod flush;
mod resource;
mod runtime;

use std::sync::Arc;
use std::time::Duration;

use opentelemetry::logs::LoggerProvider;
use opentelemetry::metrics::{Meter, MeterProvider};
use opentelemetry::trace::TracerProvider;
use opentelemetry::{InstrumentationScope, global};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::logs::SdkLoggerProvider;
use opentelemetry_sdk::metrics::SdkMeterProvider;
use opentelemetry_sdk::trace::{SdkTracer, SdkTracerProvider};
use tracing_subscriber::util::SubscriberInitExt;

use crate::propagation::W3cPropagator;
use crate::telemetry::exemplars::Exemplars;
use crate::telemetry::{Telemetry, names};
pub use builder::PipelineBuilder;
pub use console::Console;
use export::{Counts, Slots};
pub use export::{Exported, Protocol};
use flush::Flusher;

/// How long [`Pipeline`] waits for the last exports when it is dropped.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(5);

/// How long a flush waits for requests that run beside others: as long as an exporter repeats one.
const FLUSH_TIMEOUT: Duration = Duration::from_secs(10);

/// Sets everything up from the environment, globally: providers, propagator, `tracing`
/// subscriber. Keep what it returns until the program ends; dropping it sends what is left.
///
/// # Errors
/// The environment names an endpoint or certificate that cannot be used, or a `tracing` subscriber
/// is installed already.
///
/// ```no_run
/// // Keeps what it needs for the telemetry until it is dropped, at the end of `main`.
/// let telemetry = tripline_sdk::init()?;
/// tracing::info!("ready");
/// # drop(telemetry);
/// # Ok::<(), tripline_sdk::setup::SetupError>(())
/// ```
pub fn init() -> Result<Pipeline, SetupError> {
    Pipeline::builder()
        .console(Console::Json)
        .build()?
        .install()
}

/// What can go wrong while setting up. Nothing of it happens later: an endpoint that does not
/// answer is no error but retried.
///
/// ```
/// use tripline_sdk::setup::SetupError;
/// let error = SetupError::Variable {
///     variable: "OTEL_TRACES_EXPORTER".into(),
///     value: "zipkin".into(),
///     expected: "otlp, none",
/// };
/// assert_eq!(
///     error.to_string(),
///     r#"OTEL_TRACES_EXPORTER is "zipkin", which is none of otlp, none"#
/// );
/// ```
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    /// An exporter could not be built from its settings.
    #[error("the exporter for {signal} cannot be built")]
    Exporter {
        /// `traces`, `metrics` or `logs`.
        signal: &'static str,
        /// Why.
        #[source]
        cause: opentelemetry_otlp::ExporterBuildError,
    },
    /// A certificate could not be read or is none.
    #[error("the certificate {path} cannot be used: {why}")]
    Certificate {
        /// The file.
        path: String,
        /// Why.
        why: String,
    },
    /// A variable of the environment has a value nobody understands.
    #[error("{variable} is {value:?}, which is none of {expected}")]
    Variable {
        /// Its name.
        variable: String,
        /// Its value.
        value: String,
        /// What it may be.
        expected: &'static str,
    },
    /// The thread that exports could not be started.
    #[error("the export thread cannot be started")]
    Thread(#[source] std::io::Error),
    /// `tracing` has a subscriber already.
    #[error("a tracing subscriber is installed already")]
    Subscriber,
}

/// The telemetry of one service: providers, exporters, and what hands breakers' reports to them.
///
/// Dropping it sends what is left, for at most five seconds.
///
/// ```no_run
/// use tripline_sdk::setup::{Pipeline, Protocol};
/// use tripline_sdk::{BreakerConfig, CircuitBreaker};
///
/// let orders = Pipeline::builder()
///     .service("orders")
///     .version("1.4.2")
///     .environment("demo")
///     .endpoint("http://127.0.0.1:4317", Protocol::Grpc)
///     .build()?;
/// let breaker = CircuitBreaker::builder("payment", BreakerConfig::new())
///     .listen(orders.telemetry())
///     .build()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use = "dropping it ends the export"]
pub struct Pipeline {
    providers: Providers,
    telemetry: Telemetry,
    dispatch: tracing::Dispatch,
    propagates: bool,
    /// Stopped first: it would otherwise flush providers that are shut down.
    flusher: Option<Flusher>,
}

/// The three providers; clones are the same.
#[derive(Clone)]
struct Providers {
    traces: SdkTracerProvider,
    metrics: SdkMeterProvider,
    logs: SdkLoggerProvider,
    resource: Arc<Resource>,
    exemplars: Exemplars,
    counts: Counts,
    /// Of the spans' requests and of the log records'.
    slots: [Slots; 2],
}

impl std::fmt::Debug for Pipeline {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Pipeline")
            .field("resource", &self.providers.resource)
            .finish_non_exhaustive()
    }
}

impl Pipeline {
    /// Starts a pipeline of your own.
    ///
    /// ```
    /// use tripline_sdk::setup::Pipeline;
    /// let orders = Pipeline::builder().service("orders").version("1.4.2").build()?;
    /// assert_eq!(orders.resource().get(&"service.version".into()), Some("1.4.2".into()));
    /// # Ok::<(), tripline_sdk::setup::SetupError>(())
    /// ```
    pub fn builder() -> PipelineBuilder {
        PipelineBuilder::new()
    }

    /// Makes this pipeline the process's: global providers and propagator, `tracing` subscriber.
    ///
    /// ```
    /// use tripline_sdk::setup::{Pipeline, SetupError};
    /// let orders = Pipeline::builder().service("orders").filter("info").build()?.install()?;
    /// assert!(tracing::enabled!(tracing::Level::INFO), "everything reports to it");
    /// let second = Pipeline::builder().service("payment").build()?.install();
    /// assert!(matches!(second, Err(SetupError::Subscriber)), "one for a process");
    /// # Ok::<(), tripline_sdk::setup::SetupError>(())
    /// ```
    ///
    /// # Errors
    /// A `tracing` subscriber is installed already.
    pub fn install(self) -> Result<Self, SetupError> {
        self.dispatch
            .clone()
            .try_init()
            .map_err(|_| SetupError::Subscriber)?;
        global::set_tracer_provider(self.providers.traces.clone());
        global::set_meter_provider(self.providers.metrics.clone());
        if self.propagates {
            global::set_text_map_propagator(W3cPropagator);
        }
        Ok(self)
    }

    /// The listener to give to breakers and policies.
    ///
    /// ```no_run
    /// use tripline_sdk::setup::Pipeline;
    /// use tripline_sdk::{BreakerConfig, CircuitBreaker};
    /// let orders = Pipeline::builder().service("orders").build()?;
    /// let breaker = CircuitBreaker::builder("payment", BreakerConfig::new())
    ///     .listen(orders.telemetry())
    ///     .build()?;
    /// orders.flush();
    /// assert!(orders.exported().points > 0, "the collector knows the breaker");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn telemetry(&self) -> Telemetry {
        self.telemetry.clone()
    }

    /// The middleware of this service.
    ///
    /// ```
    /// use axum::{Router, routing::get};
    /// use tripline_sdk::setup::Pipeline;
    /// let orders = Pipeline::builder().service("orders").build()?;
    /// let app: Router = Router::new()
    ///     .route("/orders", get(async || "none"))
    ///     .layer(orders.instrument().server());
    /// assert!(app.has_routes());
    /// # Ok::<(), tripline_sdk::setup::SetupError>(())
    /// ```
    #[cfg(feature = "http")]
    #[must_use]
    pub fn instrument(&self) -> crate::instrument::Instrument {
        crate::instrument::Instrument::new(self.tracer(), &self.meter())
            .with_exemplars(self.providers.exemplars.clone())
    }

    /// A tracer of the scope [`names::SCOPE`].
    ///
    /// ```
    /// use opentelemetry::trace::{Span, Tracer};
    /// use tripline_sdk::setup::Pipeline;
    /// let orders = Pipeline::builder().service("orders").build()?;
    /// let span = orders.tracer().start("place order");
    /// assert!(span.span_context().is_valid());
    /// # let _ = orders.shutdown(std::time::Duration::from_secs(1)); // with nothing to send
    /// # Ok::<(), tripline_sdk::setup::SetupError>(())
    /// ```
    #[must_use]
    pub fn tracer(&self) -> SdkTracer {
        self.providers.traces.tracer_with_scope(scope())
    }

    /// A meter of the scope [`names::SCOPE`].
    ///
    /// ```no_run
    /// use tripline_sdk::setup::Pipeline;
    /// let orders = Pipeline::builder().service("orders").build()?;
    /// let placed = orders.meter().u64_counter("shop.orders").build();
    /// placed.add(1, &[]);
    /// orders.flush();
    /// assert_eq!(orders.exported().points, 1);
    /// # Ok::<(), tripline_sdk::setup::SetupError>(())
    /// ```
    #[must_use]
    pub fn meter(&self) -> Meter {
        self.providers.metrics.meter_with_scope(scope())
    }

    /// The tracer provider.
    ///
    /// ```
    /// use opentelemetry::trace::{Span, Tracer, TracerProvider};
    /// use tripline_sdk::setup::Pipeline;
    /// let orders = Pipeline::builder().service("orders").build()?;
    /// let tracer = orders.traces().tracer("checkout"); // with a scope of its own
    /// let span = tracer.start("pay");
    /// assert!(span.span_context().is_valid());
    /// # let _ = orders.shutdown(std::time::Duration::from_secs(1)); // with nothing to send
    /// # Ok::<(), tripline_sdk::setup::SetupError>(())
    /// ```
    #[must_use]
    pub fn traces(&self) -> &SdkTracerProvider {
        &self.providers.traces
    }

    /// The meter provider.
    ///
    /// ```no_run
    /// use opentelemetry::metrics::MeterProvider;
    /// use tripline_sdk::setup::Pipeline;
    /// let orders = Pipeline::builder().service("orders").build()?;
    /// let meter = orders.metrics().meter("checkout"); // with a scope of its own
    /// meter.u64_counter("shop.payments").build().add(1, &[]);
    /// assert!(orders.metrics().force_flush().is_ok(), "a collector took it");
    /// # Ok::<(), tripline_sdk::setup::SetupError>(())
    /// ```
    #[must_use]
    pub fn metrics(&self) -> &SdkMeterProvider {
        &self.providers.metrics
    }

    /// The logger provider.
    ///
    /// ```no_run
    /// use opentelemetry::logs::{LogRecord, Logger, LoggerProvider};
    /// use tripline_sdk::setup::Pipeline;
    /// let orders = Pipeline::builder().service("orders").build()?;
    /// let logger = orders.logs().logger("audit"); // with a scope of its own
    /// let mut record = logger.create_log_record();
    /// record.set_body("order 7 was placed".into());
    /// logger.emit(record);
    /// assert!(orders.logs().force_flush().is_ok(), "a collector took it");
    /// # Ok::<(), tripline_sdk::setup::SetupError>(())
    /// ```
    #[must_use]
    pub fn logs(&self) -> &SdkLoggerProvider {
        &self.providers.logs
    }

    /// Who this service says it is.
    ///
    /// ```
    /// use tripline_sdk::setup::Pipeline;
    /// let orders = Pipeline::builder().service("orders").build()?;
    /// let resource = orders.resource();
    /// assert_eq!(resource.get(&"service.name".into()), Some("orders".into()));
    /// assert!(resource.get(&"service.instance.id".into()).is_some(), "detected");
    /// # Ok::<(), tripline_sdk::setup::SetupError>(())
    /// ```
    #[must_use]
    pub fn resource(&self) -> &Resource {
        &self.providers.resource
    }

    /// The `tracing` subscriber of this pipeline, for a program of several services: run each
    /// service's futures with its own (`tracing::instrument::WithSubscriber`).
    ///
    /// ```
    /// use tripline_sdk::setup::Pipeline;
    /// let orders = Pipeline::builder().service("orders").filter("info").build()?;
    /// tracing::dispatcher::with_default(&orders.dispatch(), || {
    ///     assert!(tracing::enabled!(tracing::Level::INFO));
    /// });
    /// assert!(!tracing::enabled!(tracing::Level::INFO), "not installed for all");
    /// # Ok::<(), tripline_sdk::setup::SetupError>(())
    /// ```
    #[must_use]
    pub fn dispatch(&self) -> tracing::Dispatch {
        self.dispatch.clone()
    }

    /// Sends what is there now. Blocks until it is sent or the exporters' timeout is over.
    ///
    /// ```no_run
    /// use opentelemetry::trace::Tracer;
    /// use tripline_sdk::setup::Pipeline;
    /// let orders = Pipeline::builder().service("orders").build()?;
    /// drop(orders.tracer().start("place order")); // ends it
    /// orders.flush();
    /// assert_eq!(orders.exported().spans, 1);
    /// # Ok::<(), tripline_sdk::setup::SetupError>(())
    /// ```
    pub fn flush(&self) {
        self.providers.flush();
    }

    /// What was sent and what was lost so far; also told as the metrics
    /// `otel.sdk.exporter.*.exported`.
    ///
    /// ```
    /// use tripline_sdk::setup::{Exported, Pipeline};
    /// let orders = Pipeline::builder().service("orders").build()?;
    /// assert_eq!(orders.exported(), Exported::default(), "nothing yet");
    /// # Ok::<(), tripline_sdk::setup::SetupError>(())
    /// ```
    #[must_use]
    pub fn exported(&self) -> Exported {
        self.providers.counts.read()
    }

    /// Sends what is left and ends the export; says what could not be sent.
    ///
    /// ```
    /// use std::time::Duration;
    /// use tripline_sdk::setup::Pipeline;
    /// let orders = Pipeline::builder().service("orders").build()?;
    /// assert!(orders.shutdown(Duration::from_secs(1)).is_ok(), "there was nothing to send");
    /// # Ok::<(), tripline_sdk::setup::SetupError>(())
    /// ```
    ///
    /// # Errors
    /// A provider failed to flush within `timeout`.
    pub fn shutdown(
        mut self,
        timeout: Duration,
    ) -> Result<(), opentelemetry_sdk::error::OTelSdkError> {
        self.close(timeout)
    }

    fn close(&mut self, timeout: Duration) -> Result<(), opentelemetry_sdk::error::OTelSdkError> {
        if self.flusher.take().is_none() {
            return Ok(());
        }
        let Providers {
            traces,
            metrics,
            logs,
            ..
        } = &self.providers;
        let results = [
            traces.shutdown_with_timeout(timeout),
            metrics.shutdown_with_timeout(timeout),
            logs.shutdown_with_timeout(timeout),
        ];
        results.into_iter().collect()
    }
}

impl Drop for Pipeline {
    fn drop(&mut self) {
        // Nobody is left to tell.
        let _ = self.close(SHUTDOWN_TIMEOUT);
    }
}

impl Providers {
    /// Blocks; failures show in the exporters' own log.
    fn flush(&self) {
        let _ = self.logs.force_flush();
        let _ = self.metrics.force_flush();
        let _ = self.traces.force_flush();
        for slots in &self.slots {
            slots.settle(FLUSH_TIMEOUT);
        }
    }

    fn telemetry(&self, wake: flush::Waker) -> Telemetry {
        let meter = self.metrics.meter_with_scope(scope());
        let logger = self.logs.logger_with_scope(scope());
        let telemetry = Telemetry::flushing(&meter, logger, move || wake.wake())
            .with_exemplars(self.exemplars.clone());
        telemetry.trace_with(self.traces.tracer_with_scope(scope()));
        telemetry
    }
}

fn scope() -> InstrumentationScope {
    InstrumentationScope::builder(names::SCOPE)
        .with_version(env!("CARGO_PKG_VERSION"))
        .build()
}
