//! What every service of the shop has: its own telemetry, its middleware, its view of the faults.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use axum::Router;
use opentelemetry::trace::{FutureExt as _, TraceContextExt as _, Tracer as _};
use tower::{Layer, Service as TowerService, ServiceBuilder};
use tracing::instrument::{WithDispatch, WithSubscriber as _};
use tripline_sdk::instrument::{Instrument, ServerLayer};
use tripline_sdk::layer::GuardLayer;
use tripline_sdk::problem::ProblemLayer;
use tripline_sdk::setup::{Pipeline, Protocol};
use tripline_sdk::telemetry::Telemetry;

use super::script::{Dice, Fault, Script, Victim};

/// How often metrics are sent; transitions are sent at once.
const METRICS_EVERY: Duration = Duration::from_secs(5);

/// What the services of one shop share.
#[derive(Clone)]
pub(super) struct World {
    /// Where telemetry goes, `http://host:port`.
    pub(super) otlp: String,
    pub(super) script: Script,
    pub(super) seed: u64,
    /// When the shop opened.
    pub(super) opened: Instant,
}

impl World {
    /// What ails `victim` now.
    pub(super) fn fault(&self, victim: Victim) -> Option<Fault> {
        self.script.fault(victim, self.opened.elapsed())
    }
}

/// Which process of the shop this is.
#[derive(Debug, Clone, Copy)]
pub(super) struct Identity {
    pub(super) service: &'static str,
    pub(super) version: &'static str,
    pub(super) instance: &'static str,
}

/// One instance of one service.
pub(super) struct Service {
    pub(super) world: World,
    pub(super) instrument: Instrument,
    pipeline: Pipeline,
    dice: Mutex<Dice>,
}

impl Service {
    pub(super) fn start(world: &World, identity: Identity) -> anyhow::Result<Arc<Self>> {
        let Identity {
            service,
            version,
            instance,
        } = identity;
        let pipeline = Pipeline::builder()
            .service(service)
            .version(version)
            .instance(instance)
            .environment("demo")
            .attribute("service.namespace", "shop")
            .endpoint(&world.otlp, Protocol::Grpc)
            .metrics_every(METRICS_EVERY)
            .filter("info")
            .build()?;
        let salt = instance.bytes().fold(0_u64, |salt, byte| {
            salt.wrapping_mul(31).wrapping_add(u64::from(byte))
        });
        Ok(Arc::new(Self {
            world: world.clone(),
            instrument: pipeline.instrument(),
            dice: Mutex::new(Dice::new(world.seed ^ salt)),
            pipeline,
        }))
    }

    /// Where this service's breakers report.
    pub(super) fn telemetry(&self) -> Telemetry {
        self.pipeline.telemetry()
    }

    /// Rolls this service's dice.
    pub(super) fn roll<T>(&self, roll: impl FnOnce(&mut Dice) -> T) -> T {
        roll(&mut self.dice.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Work that takes between `from` and `to` milliseconds.
    pub(super) async fn work(&self, from: u64, to: u64) {
        let time = self.roll(|dice| dice.millis(from, to));
        tokio::time::sleep(time).await;
    }

    /// Runs a part of a request in a span of its own: what the breakers inside write about
    /// themselves is then told apart, call by call.
    pub(super) async fn within<T>(&self, name: &'static str, part: impl Future<Output = T>) -> T {
        let span = self.pipeline.tracer().start(name);
        let context = opentelemetry::Context::current_with_span(span);
        let outcome = part.with_context(context.clone()).await;
        context.span().end();
        outcome
    }

    /// The layer that makes this service's log lines this service's.
    pub(super) fn logs(&self) -> LogsLayer {
        LogsLayer(self.pipeline.dispatch())
    }

    /// Serves a router with everything a service of the shop has around its handlers.
    pub(super) fn router(&self, router: Router, traced: ServerLayer) -> Router {
        router.layer(
            ServiceBuilder::new()
                .layer(traced)
                .layer(self.logs())
                .layer(ProblemLayer)
                .layer(GuardLayer),
        )
    }
}

/// Binds `address` (port 0 is allowed) and serves.
pub(super) async fn serve(address: SocketAddr, router: Router) -> anyhow::Result<SocketAddr> {
    let listener = tokio::net::TcpListener::bind(address).await?;
    let bound = listener.local_addr()?;
    tokio::spawn(async move { axum::serve(listener, router).await });
    Ok(bound)
}

/// Runs requests under a `tracing` subscriber of their own.
#[derive(Clone)]
pub(super) struct LogsLayer(tracing::Dispatch);

impl LogsLayer {
    /// Runs one future under it.
    pub(super) fn around<F: Future>(&self, future: F) -> WithDispatch<F> {
        future.with_subscriber(self.0.clone())
    }
}

impl<S> Layer<S> for LogsLayer {
    type Service = LogsService<S>;

    fn layer(&self, inner: S) -> Self::Service {
        LogsService {
            inner,
            logs: self.clone(),
        }
    }
}

/// The service of [`LogsLayer`].
#[derive(Clone)]
pub(super) struct LogsService<S> {
    inner: S,
    logs: LogsLayer,
}

impl<S: TowerService<R>, R> TowerService<R> for LogsService<S> {
    type Response = S::Response;
    type Error = S::Error;
    type Future = WithDispatch<S::Future>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: R) -> Self::Future {
        self.logs.around(self.inner.call(request))
    }
}
