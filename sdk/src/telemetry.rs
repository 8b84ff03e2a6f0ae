//! Telemetry: every decision as OpenTelemetry metrics, events and span attributes.
//!
//! Nothing is reported call by call. Breakers count anyway; the metrics read those counts when the
//! reader asks, so a million rejections a second cost what one does. What happens rarely is told
//! at once and in full: a transition is a log event *in the trace of the call that caused it*,
//! with the window it was decided on and the traces that filled it, and it flushes the metrics, so
//! that an open state shorter than the export interval is not lost.
//!
//! | what | name |
//! |---|---|
//! | gauge, one series a state | [`names::BREAKER_STATE`] |
//! | counter of seconds by state | [`names::BREAKER_TIME_IN_STATE`] |
//! | counter by from, to, reason | [`names::BREAKER_TRANSITIONS`] |
//! | counter by outcome | [`names::BREAKER_CALLS`] |
//! | gauges, absent below the minimum | [`names::BREAKER_FAILURE_RATIO`], [`names::BREAKER_SLOW_RATIO`] |
//! | up-down counter | [`names::BREAKER_IN_FLIGHT`] |
//! | log event | [`names::EVENT_STATE_CHANGED`], [`names::EVENT_CONFIGURED`] |
//! | counters of the parts of a policy | [`names::RETRY_CALLS`], [`names::RETRY_ATTEMPTS`], [`names::TIMEOUT_CALLS`], [`names::RATE_LIMITER_CALLS`], [`names::BULKHEAD_CALLS`], [`names::FALLBACK_CALLS`], [`names::HEDGE_CALLS`], [`names::HEDGE_ATTEMPTS`] |
//! | attributes of the caller's span | [`names::BREAKER_NAME`], [`names::BREAKER_STATE`], [`names::BREAKER_OUTCOME`] |
//! | the same, by which times the breaker counted the call | [`names::BREAKER_ADMITTED`], [`names::BREAKER_DURATION`], [`names::BREAKER_CLOCK_START`] |
//! | the same, in which of its turns | [`names::BREAKER_ADMITTED_SEQUENCE`], [`names::BREAKER_ENDED_SEQUENCE`] |
//!
//! A span holds the outcome of one call: of several in one span the last is told, while the counters know them all. Where
//! a policy tries again, a span of its own around each try lets spans, counters and a replay agree.
//!
//! Calls that begin under a recorded span go through their breaker in turns, one after the other: a replay of the spans then
//! finds the order in which they counted, whatever the threads did. Calls under no span, or under one that is not sampled,
//! share no lock.
//!
//! ```
//! use opentelemetry::{global, logs::LoggerProvider};
//! use opentelemetry_sdk::logs::{InMemoryLogExporter, SdkLoggerProvider};
//! use tripline_sdk::telemetry::{Telemetry, names};
//! use tripline_sdk::{BreakerConfig, CircuitBreaker, Outcome};
//!
//! let logs = InMemoryLogExporter::default();
//! let loggers = SdkLoggerProvider::builder().with_simple_exporter(logs.clone()).build();
//! let telemetry = Telemetry::new(&global::meter("shop"), loggers.logger("shop"));
//! let breaker = CircuitBreaker::builder("stock", BreakerConfig::new().only_consecutive(1))
//!     .listen(telemetry)
//!     .build()?;
//! breaker.acquire()?.finish(Outcome::Failure);
//! let logs = logs.get_emitted_logs()?;
//! let events: Vec<_> = logs.iter().filter_map(|log| log.record.event_name()).collect();
//! assert_eq!(events, [names::EVENT_CONFIGURED, names::EVENT_STATE_CHANGED]);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod breakers;
mod event;
#[cfg_attr(
    not(feature = "otlp"),
    expect(dead_code, reason = "only OTLP carries exemplars")
)]
pub(crate) mod exemplars;
pub mod names;
mod policy;

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use opentelemetry::global::BoxedTracer;
use opentelemetry::logs::Logger;
use opentelemetry::metrics::{Counter, Meter};
use opentelemetry::trace::{Span, SpanContext, SpanKind, TraceContextExt, Tracer};
use opentelemetry::{Context, KeyValue, global};

use crate::breaker::{
    BreakerConfig, CallId, CallOutcome, CallTimes, Listener, Origin, State, Transition,
    WatchedBreaker,
};
use crate::clock::nanos;
use crate::report::{PolicyEvent, WatchedPolicy};
use breakers::Breakers;
use event::Sink;
use exemplars::Exemplars;

/// Rejected calls that have no span get one, but no more often than this: a rejection storm must
/// not become a span storm.
const REJECTED_SPAN_EVERY: Duration = Duration::from_millis(100);
/// One of so many successful calls is offered as an exemplar; of the others, each.
const SUCCESSES_AN_EXEMPLAR: u64 = 64;

/// Reports breakers through OpenTelemetry. Give it to them as their listener; clones are the same.
///
/// ```
/// use opentelemetry::global;
/// use opentelemetry::logs::{LoggerProvider, NoopLoggerProvider};
/// use tripline_sdk::telemetry::Telemetry;
/// use tripline_sdk::{BreakerConfig, CircuitBreaker};
///
/// // A real program takes the logger from its own logger provider.
/// let logger = NoopLoggerProvider::new().logger("tripline_sdk");
/// let telemetry = Telemetry::new(&global::meter("tripline_sdk"), logger);
/// let breaker = CircuitBreaker::builder("inventory", BreakerConfig::new())
///     .listen(telemetry.clone())
///     .build()?;
/// # Ok::<(), tripline_sdk::InvalidConfig>(())
/// ```
#[derive(Clone)]
pub struct Telemetry {
    shared: Arc<Shared>,
}

struct Shared {
    sink: Box<dyn Sink>,
    transitions: Counter<u64>,
    breakers: Breakers,
    policies: policy::Policies,
    /// Hashes of the settings in force, by name: keys of a group share theirs.
    config_hashes: Mutex<HashMap<Box<str>, Arc<str>>>,
    flush: Option<Box<dyn Fn() + Send + Sync>>,
    /// Makes the spans of rejections; unset, the global provider is asked.
    tracer: OnceLock<BoxedTracer>,
    started: Instant,
    last_rejected_span_ns: AtomicU64,
    /// Where exemplars go, if somebody exports them.
    exemplars: OnceLock<Exemplars>,
    successes: AtomicU64,
}

impl std::fmt::Debug for Telemetry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Telemetry").finish_non_exhaustive()
    }
}

impl Telemetry {
    /// Registers the instruments with `meter` and sends events to `logger`.
    ///
    /// ```
    /// use opentelemetry::{logs::{LoggerProvider, NoopLoggerProvider}, metrics::MeterProvider};
    /// use opentelemetry_sdk::metrics::{InMemoryMetricExporter, SdkMeterProvider};
    /// use tripline_sdk::telemetry::{Telemetry, names};
    /// use tripline_sdk::{BreakerConfig, CircuitBreaker};
    /// let metrics = InMemoryMetricExporter::default();
    /// let meters = SdkMeterProvider::builder().with_periodic_exporter(metrics.clone()).build();
    /// let logger = NoopLoggerProvider::new().logger(names::SCOPE);
    /// let telemetry = Telemetry::new(&meters.meter(names::SCOPE), logger);
    /// let breaker = CircuitBreaker::builder("stock", BreakerConfig::new())
    ///     .listen(telemetry)
    ///     .build()?;
    ///
    /// meters.force_flush()?;
    /// let collected = metrics.get_finished_metrics()?;
    /// let mut scopes = collected[0].scope_metrics();
    /// let mut told = scopes.next().expect("one scope").metrics();
    /// assert!(told.any(|metric| metric.name() == names::BREAKER_STATE));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn new(meter: &Meter, logger: impl Logger + Send + Sync + 'static) -> Self {
        Self::with_flush(meter, logger, None)
    }

    /// [`Telemetry::new`], and `flush` is called on every transition. It must not block: hand the
    /// work to a thread or task of its own.
    ///
    /// ```
    /// # use opentelemetry::{global, logs::{LoggerProvider, NoopLoggerProvider}};
    /// # use tripline_sdk::telemetry::Telemetry;
    /// # let (meter, logger) = (global::meter("x"), NoopLoggerProvider::new().logger("x"));
    /// let (wake, _woken) = std::sync::mpsc::sync_channel(1);
    /// let telemetry = Telemetry::flushing(&meter, logger, move || {
    ///     let _ = wake.try_send(());
    /// });
    /// ```
    #[must_use]
    pub fn flushing(
        meter: &Meter,
        logger: impl Logger + Send + Sync + 'static,
        flush: impl Fn() + Send + Sync + 'static,
    ) -> Self {
        Self::with_flush(meter, logger, Some(Box::new(flush)))
    }

    fn with_flush(
        meter: &Meter,
        logger: impl Logger + Send + Sync + 'static,
        flush: Option<Box<dyn Fn() + Send + Sync>>,
    ) -> Self {
        let breakers = Breakers::default();
        breakers::observe(meter, &breakers);
        let policies = policy::Policies::default();
        policy::observe(meter, &policies);
        let transitions = meter
            .u64_counter(names::BREAKER_TRANSITIONS)
            .with_description("State changes of circuit breakers")
            .with_unit("{transition}")
            .build();
        Self {
            shared: Arc::new(Shared {
                sink: Box::new(logger),
                transitions,
                breakers,
                policies,
                config_hashes: Mutex::new(HashMap::new()),
                flush,
                tracer: OnceLock::new(),
                started: Instant::now(),
                last_rejected_span_ns: AtomicU64::new(0),
                exemplars: OnceLock::new(),
                successes: AtomicU64::new(0),
            }),
        }
    }

    /// Makes the spans of rejected calls with `tracer` rather than with the global one. The first
    /// tracer that is set stays.
    ///
    /// ```
    /// # use opentelemetry::{global, logs::{LoggerProvider, NoopLoggerProvider}};
    /// # use tripline_sdk::telemetry::Telemetry;
    /// # let (meter, logger) = (global::meter("x"), NoopLoggerProvider::new().logger("x"));
    /// let telemetry = Telemetry::new(&meter, logger);
    /// telemetry.trace_with(global::tracer("orders"));
    /// ```
    pub fn trace_with<T>(&self, tracer: T)
    where
        T: Tracer + Send + Sync + 'static,
        T::Span: Send + Sync + 'static,
    {
        let _ = self.shared.tracer.set(BoxedTracer::new(Box::new(tracer)));
    }

    /// Calls come with exemplars. The first to say where they go stays.
    #[cfg(feature = "otlp")]
    pub(crate) fn with_exemplars(self, exemplars: Exemplars) -> Self {
        let _ = self.shared.exemplars.set(exemplars);
        self
    }

    /// Offers a call as an exemplar of [`names::BREAKER_CALLS`]. Of the usual ones one in
    /// [`SUCCESSES_AN_EXEMPLAR`] is enough.
    fn exemplify(
        &self,
        origin: Origin<'_>,
        state: State,
        outcome: CallOutcome,
        span: &SpanContext,
    ) {
        let Some(exemplars) = self.shared.exemplars.get().filter(|_| span.is_sampled()) else {
            return;
        };
        if outcome == CallOutcome::Success {
            let before = self.shared.successes.fetch_add(1, Ordering::Relaxed);
            if !before.is_multiple_of(SUCCESSES_AN_EXEMPLAR) {
                return;
            }
        }
        let mut dimensions = named(origin);
        dimensions.push(KeyValue::new(names::BREAKER_OUTCOME, outcome.as_str()));
        let state = KeyValue::new(names::BREAKER_STATE, state.as_str());
        exemplars.offer(names::BREAKER_CALLS, 1.0, &dimensions, Some(state), span);
    }

    /// Moves every breaker on that time alone moves on, and answers when to look again. A program
    /// without traffic calls this from a timer, so that what it exports is what is.
    ///
    /// ```
    /// use std::time::Duration;
    /// use tripline_sdk::{BreakerConfig, CircuitBreaker, ManualClock, OpenTime, Outcome};
    /// # use opentelemetry::{global, logs::{LoggerProvider, NoopLoggerProvider}};
    /// # use tripline_sdk::telemetry::Telemetry;
    /// # let (meter, logger) = (global::meter("x"), NoopLoggerProvider::new().logger("x"));
    /// # let telemetry = Telemetry::new(&meter, logger);
    /// let clock = ManualClock::default();
    /// let open = OpenTime::fixed(Duration::from_secs(5));
    /// let config = BreakerConfig::new().only_consecutive(1).open(open);
    /// let breaker = CircuitBreaker::builder("stock", config)
    ///     .clock(clock.clone())
    ///     .listen(telemetry.clone())
    ///     .build()?;
    /// breaker.acquire().unwrap().finish(Outcome::Failure);
    /// assert_eq!(telemetry.tick(), Some(Duration::from_secs(5)), "until it probes");
    /// clock.advance(Duration::from_secs(5));
    /// assert_eq!(telemetry.tick(), None);
    /// # Ok::<(), tripline_sdk::InvalidConfig>(())
    /// ```
    pub fn tick(&self) -> Option<Duration> {
        let watched = {
            let mut breakers = lock(&self.shared.breakers);
            breakers.retain(|breaker| breaker.read(|_, _| ()).is_some());
            breakers.clone()
        };
        watched
            .iter()
            .filter_map(WatchedBreaker::tick)
            .flatten()
            .min()
    }

    fn config_hash(&self, name: &str) -> Arc<str> {
        lock(&self.shared.config_hashes)
            .get(name)
            .cloned()
            .unwrap_or_else(|| "".into())
    }

    /// A span for what would leave no trace otherwise: a refusal, or an answer of the fallback.
    fn rejected_span(&self, name: &'static str, attributes: impl FnOnce() -> Vec<KeyValue>) {
        let now = u64::try_from(self.shared.started.elapsed().as_nanos()).unwrap_or(u64::MAX);
        let last = &self.shared.last_rejected_span_ns;
        let before = last.load(Ordering::Relaxed);
        let due = before == 0 || now - before.min(now) >= REJECTED_SPAN_EVERY.as_nanos() as u64;
        let won = || {
            last.compare_exchange(before, now, Ordering::Relaxed, Ordering::Relaxed)
                .is_ok()
        };
        if due && won() {
            let global;
            let tracer = match self.shared.tracer.get() {
                Some(tracer) => tracer,
                None => {
                    global = global::tracer(names::SCOPE);
                    &global
                }
            };
            let span = tracer.span_builder(name).with_kind(SpanKind::Internal);
            tracer
                .build_with_context(span.with_attributes(attributes()), &Context::current())
                .end();
        }
    }
}

impl Listener for Telemetry {
    fn on_transition(&self, name: &str, change: &Transition) {
        self.on_announced(Origin { name, key: None }, change, SystemTime::now());
    }

    fn on_announced(&self, origin: Origin<'_>, change: &Transition, at: SystemTime) {
        if !change.shadow {
            let mut attributes = named(origin);
            attributes.extend([
                KeyValue::new(names::BREAKER_FROM_STATE, change.from.as_str()),
                KeyValue::new(names::BREAKER_TO_STATE, change.to.as_str()),
                KeyValue::new(names::BREAKER_REASON, change.reason.as_str()),
            ]);
            self.shared.transitions.add(1, &attributes);
        }
        let call = Some(self.current_call()).filter(|call| !call.is_unknown());
        let hash = self.config_hash(origin.name);
        self.shared
            .sink
            .emit(event::state_changed(origin, change, at, call, &hash));
        if let Some(flush) = &self.shared.flush {
            flush();
        }
    }

    fn current_call(&self) -> CallId {
        Context::map_current(|context| {
            let span = context.span();
            let span = span.span_context();
            CallId {
                trace_id: u128::from_be_bytes(span.trace_id().to_bytes()),
                span_id: u64::from_be_bytes(span.span_id().to_bytes()),
            }
        })
    }

    fn tells_call(&self) -> bool {
        Context::map_current(|context| context.span().is_recording())
    }

    fn on_call(
        &self,
        origin: Origin<'_>,
        state: State,
        outcome: CallOutcome,
        times: &dyn Fn() -> CallTimes,
    ) {
        let rejected = outcome == CallOutcome::Rejected;
        let attributes = || {
            let mut attributes = named(origin);
            attributes.push(KeyValue::new(names::BREAKER_STATE, state.as_str()));
            attributes.push(KeyValue::new(names::BREAKER_OUTCOME, outcome.as_str()));
            attributes.extend(timed(times()));
            attributes
        };
        let orphan = Context::map_current(|context| {
            let span = context.span();
            if span.is_recording() {
                span.set_attributes(attributes());
            }
            self.exemplify(origin, state, outcome, span.span_context());
            !span.span_context().is_valid()
        });
        if rejected && orphan {
            self.rejected_span(names::SPAN_REJECTED, attributes);
        }
    }

    fn on_config(&self, origin: Origin<'_>, config: &BreakerConfig) {
        self.on_configured(origin, config, SystemTime::now());
    }

    fn on_configured(&self, origin: Origin<'_>, config: &BreakerConfig, at: SystemTime) {
        let hash: Arc<str> = event::config_hash(config).into();
        lock(&self.shared.config_hashes).insert(origin.name.into(), Arc::clone(&hash));
        self.shared
            .sink
            .emit(event::configured(origin, config, at, &hash));
    }

    fn on_created(&self, breaker: WatchedBreaker) {
        lock(&self.shared.breakers).push(breaker);
    }

    fn on_policy_created(&self, policy: WatchedPolicy) {
        lock(&self.shared.policies).push(policy);
    }

    fn on_policy_event(&self, policy: &str, event: PolicyEvent) {
        let orphan = Context::map_current(|context| {
            let span = context.span();
            if span.is_recording() {
                span.set_attributes(policy::attributes(policy, event));
            }
            let span = span.span_context();
            if let Some(exemplars) = self.shared.exemplars.get().filter(|_| span.is_sampled()) {
                let (metric, dimensions) = policy::counted_as(policy, event);
                exemplars.offer(metric, 1.0, &dimensions, None, span);
            }
            !span.is_valid()
        });
        if let Some(name) = policy::span_of(event).filter(|_| orphan) {
            self.rejected_span(name, || policy::attributes(policy, event));
        }
    }
}

fn named(origin: Origin<'_>) -> Vec<KeyValue> {
    let mut attributes = vec![KeyValue::new(names::BREAKER_NAME, origin.name.to_owned())];
    attributes.extend(
        origin
            .key
            .map(|key| KeyValue::new(names::BREAKER_KEY, key.to_owned())),
    );
    attributes
}

fn timed(times: CallTimes) -> impl Iterator<Item = KeyValue> {
    let known = [
        (names::BREAKER_ADMITTED, Some(times.admitted_unix_nano)),
        (names::BREAKER_DURATION, Some(nanos(times.duration))),
        (
            names::BREAKER_CLOCK_START,
            Some(times.clock_start_unix_nano),
        ),
        (names::BREAKER_ADMITTED_SEQUENCE, times.admitted_sequence),
        (names::BREAKER_ENDED_SEQUENCE, times.ended_sequence),
    ];
    let whole = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
    known
        .into_iter()
        .filter_map(move |(name, number)| Some(KeyValue::new(name, whole(number?))))
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
