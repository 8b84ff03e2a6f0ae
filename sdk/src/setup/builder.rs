//! Puts a pipeline together: what code says, and what the environment says where code is silent.

use std::sync::Arc;
use std::time::Duration;

use opentelemetry::metrics::MeterProvider;
use opentelemetry::{Key, KeyValue, Value};
use opentelemetry_sdk::logs::SdkLoggerProvider;
use opentelemetry_sdk::metrics::{PeriodicReader, SdkMeterProvider};
use opentelemetry_sdk::trace::{Sampler, SdkTracerProvider};

use super::console::{self, Console};
use super::environment::{self, Signal};
use super::event_names::CallSitesAreNoEvents;
use super::export::{self, Counts, Protocol, Slots, Target};
use super::flush::{Flusher, Waker};
use super::{Pipeline, Providers, SetupError, resource, scope};
use crate::telemetry::exemplars::Exemplars;

/// Builds a [`Pipeline`].
///
/// ```no_run
/// use std::time::Duration;
/// use tripline_sdk::setup::{Console, Pipeline};
/// let payment = Pipeline::builder()
///     .service("payment")
///     .attribute("service.namespace", "shop")
///     .metrics_every(Duration::from_secs(5))
///     .console(Console::Json)
///     .build()?;
/// # Ok::<(), tripline_sdk::setup::SetupError>(())
/// ```
#[derive(Debug)]
#[must_use = "a builder builds nothing until `build`"]
pub struct PipelineBuilder {
    attributes: Vec<KeyValue>,
    target: Option<Target>,
    metrics_every: Option<Duration>,
    concurrent_exports: Option<usize>,
    console: Console,
    filter: Option<String>,
}

impl PipelineBuilder {
    pub(super) fn new() -> Self {
        Self {
            attributes: Vec::new(),
            target: None,
            metrics_every: None,
            concurrent_exports: None,
            console: Console::Off,
            filter: None,
        }
    }

    /// Sets `service.name`.
    ///
    /// ```
    /// use tripline_sdk::setup::Pipeline;
    /// let orders = Pipeline::builder().service("orders").build()?;
    /// assert_eq!(orders.resource().get(&"service.name".into()), Some("orders".into()));
    /// # Ok::<(), tripline_sdk::setup::SetupError>(())
    /// ```
    pub fn service(self, name: impl Into<Value>) -> Self {
        self.attribute("service.name", name)
    }

    /// Sets `service.version`.
    ///
    /// ```
    /// use tripline_sdk::setup::Pipeline;
    /// let orders = Pipeline::builder().version("1.4.2").build()?;
    /// assert_eq!(orders.resource().get(&"service.version".into()), Some("1.4.2".into()));
    /// # Ok::<(), tripline_sdk::setup::SetupError>(())
    /// ```
    pub fn version(self, version: impl Into<Value>) -> Self {
        self.attribute("service.version", version)
    }

    /// Sets `service.instance.id`; otherwise it is a random UUID.
    ///
    /// ```
    /// use tripline_sdk::setup::Pipeline;
    /// let orders = Pipeline::builder().instance("orders-1").build()?;
    /// assert_eq!(orders.resource().get(&"service.instance.id".into()), Some("orders-1".into()));
    /// # Ok::<(), tripline_sdk::setup::SetupError>(())
    /// ```
    pub fn instance(self, id: impl Into<Value>) -> Self {
        self.attribute("service.instance.id", id)
    }

    /// Sets `deployment.environment.name`.
    ///
    /// ```
    /// use tripline_sdk::setup::Pipeline;
    /// let orders = Pipeline::builder().environment("demo").build()?;
    /// let told = orders.resource().get(&"deployment.environment.name".into());
    /// assert_eq!(told, Some("demo".into()));
    /// # Ok::<(), tripline_sdk::setup::SetupError>(())
    /// ```
    pub fn environment(self, name: impl Into<Value>) -> Self {
        self.attribute("deployment.environment.name", name)
    }

    /// Sets an attribute of the resource.
    ///
    /// ```
    /// use tripline_sdk::setup::Pipeline;
    /// let orders = Pipeline::builder().attribute("service.namespace", "shop").build()?;
    /// assert_eq!(orders.resource().get(&"service.namespace".into()), Some("shop".into()));
    /// # Ok::<(), tripline_sdk::setup::SetupError>(())
    /// ```
    pub fn attribute(mut self, key: impl Into<Key>, value: impl Into<Value>) -> Self {
        self.attributes.push(KeyValue::new(key, value));
        self
    }

    /// Sends everything to `endpoint`, for example `http://127.0.0.1:4317`. The signals' paths are
    /// added for HTTP.
    ///
    /// ```
    /// use tripline_sdk::setup::{Exported, Pipeline, Protocol};
    /// let orders = Pipeline::builder().endpoint("http://127.0.0.1:4317", Protocol::Grpc).build()?;
    /// assert_eq!(orders.exported(), Exported::default(), "it connects when it has to");
    /// assert!(Pipeline::builder().endpoint("not an address", Protocol::Http).build().is_err());
    /// # Ok::<(), tripline_sdk::setup::SetupError>(())
    /// ```
    pub fn endpoint(mut self, endpoint: impl Into<String>, protocol: Protocol) -> Self {
        self.target = Some(Target {
            endpoint: endpoint.into(),
            protocol,
        });
        self
    }

    /// How often metrics are sent, besides on every transition.
    ///
    /// ```
    /// use std::time::Duration;
    /// use tripline_sdk::setup::Pipeline;
    /// let orders = Pipeline::builder().metrics_every(Duration::from_secs(5)).build()?;
    /// assert_eq!(orders.exported().points, 0, "the first leave after five seconds");
    /// # Ok::<(), tripline_sdk::setup::SetupError>(())
    /// ```
    pub fn metrics_every(mut self, interval: Duration) -> Self {
        self.metrics_every = Some(interval);
        self
    }

    /// How many requests with spans, and how many with log records, may be under way at a time: 1
    /// unless told, at least 1. More than one pays where the way to the collector is long. Metrics
    /// are sent one request at a time, for their order counts.
    ///
    /// With more than one, [`Pipeline::flush`] and [`Pipeline::shutdown`] wait for all of them, and
    /// [`Pipeline::exported`] tells what failed; the providers' own `force_flush` knows of neither.
    ///
    /// ```no_run
    /// use tripline_sdk::setup::Pipeline;
    /// let far = Pipeline::builder().concurrent_exports(4).build()?;
    /// # Ok::<(), tripline_sdk::setup::SetupError>(())
    /// ```
    pub fn concurrent_exports(mut self, number: usize) -> Self {
        self.concurrent_exports = Some(number);
        self
    }

    /// What goes to standard output.
    ///
    /// ```no_run
    /// use tripline_sdk::setup::{Console, Pipeline};
    /// let orders = Pipeline::builder().service("orders").console(Console::Json).build()?;
    /// tracing::dispatcher::with_default(&orders.dispatch(), || {
    ///     tracing::info!(port = 8080, "ready");
    /// });
    /// // {"level":"INFO","message":"ready","port":8080,"service.name":"orders",…}
    /// # Ok::<(), tripline_sdk::setup::SetupError>(())
    /// ```
    pub fn console(mut self, console: Console) -> Self {
        self.console = console;
        self
    }

    /// Which `tracing` events and spans count, in the syntax of `RUST_LOG`.
    ///
    /// ```
    /// use tripline_sdk::setup::Pipeline;
    /// let orders = Pipeline::builder().filter("warn").build()?;
    /// tracing::dispatcher::with_default(&orders.dispatch(), || {
    ///     assert!(tracing::enabled!(tracing::Level::WARN));
    ///     assert!(!tracing::enabled!(tracing::Level::INFO));
    /// });
    /// # Ok::<(), tripline_sdk::setup::SetupError>(())
    /// ```
    pub fn filter(mut self, directives: impl Into<String>) -> Self {
        self.filter = Some(directives.into());
        self
    }

    /// Builds the exporters and starts the export.
    ///
    /// ```
    /// use tripline_sdk::setup::{Pipeline, Protocol, SetupError};
    /// let refused = Pipeline::builder().endpoint("not an address", Protocol::Http).build();
    /// assert!(matches!(refused, Err(SetupError::Exporter { signal: "traces", .. })));
    /// ```
    ///
    /// # Errors
    /// Settings that cannot work.
    pub fn build(self) -> Result<Pipeline, SetupError> {
        let resource = resource::detect(self.attributes);
        let disabled = environment::is_true("OTEL_SDK_DISABLED");
        let target = self.target.as_ref();
        let counts = Counts::default();
        let sends = |signal| -> Result<bool, SetupError> {
            Ok(!disabled && (target.is_some() || environment::exports(signal)?))
        };
        let at_once = match self.concurrent_exports {
            Some(number) => number,
            None => environment::concurrent_exports()?,
        };
        let slots = [Slots::new(at_once), Slots::new(at_once)];
        let mut traces = SdkTracerProvider::builder().with_resource(resource.clone());
        if disabled {
            traces = traces.with_sampler(Sampler::AlwaysOff);
        }
        if sends(Signal::Traces)? {
            traces = traces.with_batch_exporter(export::spans(
                target,
                counts.clone(),
                slots[0].clone(),
            )?);
        }
        let mut logs = SdkLoggerProvider::builder()
            .with_resource(resource.clone())
            .with_log_processor(CallSitesAreNoEvents);
        if sends(Signal::Logs)? {
            logs =
                logs.with_batch_exporter(export::logs(target, counts.clone(), slots[1].clone())?);
        }
        let exemplars = Exemplars::default();
        let mut metrics = SdkMeterProvider::builder().with_resource(resource.clone());
        if sends(Signal::Metrics)? {
            let exporter = export::metrics(target, exemplars.clone(), counts.clone())?;
            let mut reader = PeriodicReader::builder(exporter);
            if let Some(interval) = self.metrics_every {
                reader = reader.with_interval(interval);
            }
            metrics = metrics.with_reader(reader.build());
        }
        let providers = Providers {
            traces: traces.build(),
            metrics: metrics.build(),
            logs: logs.build(),
            resource: Arc::new(resource),
            exemplars,
            counts,
            slots,
        };
        providers
            .counts
            .observe(&providers.metrics.meter_with_scope(scope()));
        start(providers, self.console, self.filter.as_deref())
    }
}

fn start(
    providers: Providers,
    console: Console,
    filter: Option<&str>,
) -> Result<Pipeline, SetupError> {
    let (waker, woken) = Waker::new();
    let telemetry = providers.telemetry(waker.clone());
    let flusher = Flusher::start(waker, woken, providers.clone(), telemetry.clone())?;
    let dispatch = console::dispatch(&providers, console, filter);
    Ok(Pipeline {
        providers,
        telemetry,
        dispatch,
        propagates: environment::propagates(),
        flusher: Some(flusher),
    })
}
