//! What breakers say, as an exporter hears it.
#![cfg(not(loom))]
#![expect(clippy::unwrap_used, reason = "a test that cannot go on stops")]

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::{Duration, Instant, UNIX_EPOCH};

use opentelemetry::logs::{AnyValue, LoggerProvider};
use opentelemetry::metrics::MeterProvider;
use opentelemetry::trace::{TraceContextExt, Tracer, TracerProvider};
use opentelemetry::{Context, Key, Value};
use opentelemetry_sdk::logs::{InMemoryLogExporter, SdkLogRecord, SdkLoggerProvider};
use opentelemetry_sdk::metrics::data::{AggregatedMetrics, MetricData, ScopeMetrics};
use opentelemetry_sdk::metrics::{InMemoryMetricExporter, SdkMeterProvider};
use opentelemetry_sdk::trace::{InMemorySpanExporter, SdkTracerProvider, SpanData};
use tripline_sdk::telemetry::{Telemetry, names};
use tripline_sdk::{
    BreakerConfig, CircuitBreaker, Listener, ManualClock, Mode, OpenTime, Origin, Outcome, State,
    Transition,
};

/// Metric, attributes, value.
type Point = (String, Vec<(String, String)>, f64);

struct Bench {
    logs: InMemoryLogExporter,
    metrics: InMemoryMetricExporter,
    meters: SdkMeterProvider,
    flushes: Arc<AtomicUsize>,
    telemetry: Telemetry,
    clock: ManualClock,
}

fn bench() -> Bench {
    let logs = InMemoryLogExporter::default();
    let loggers = SdkLoggerProvider::builder()
        .with_simple_exporter(logs.clone())
        .build();
    let metrics = InMemoryMetricExporter::default();
    let meters = SdkMeterProvider::builder()
        .with_periodic_exporter(metrics.clone())
        .build();
    let flushes = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&flushes);
    let telemetry = Telemetry::flushing(
        &meters.meter(names::SCOPE),
        loggers.logger(names::SCOPE),
        move || {
            counted.fetch_add(1, Ordering::SeqCst);
        },
    );
    Bench {
        logs,
        metrics,
        meters,
        flushes,
        telemetry,
        clock: ManualClock::default(),
    }
}

impl Bench {
    fn breaker(&self) -> CircuitBreaker<ManualClock> {
        let config = BreakerConfig::new()
            .only_consecutive(3)
            .open(OpenTime::fixed(Duration::from_secs(5)));
        CircuitBreaker::builder("inventory", config)
            .key("shard-7")
            .clock(self.clock.clone())
            .listen(self.telemetry.clone())
            .build()
            .unwrap()
    }

    fn events(&self, name: &str) -> Vec<SdkLogRecord> {
        let emitted = self.logs.get_emitted_logs().unwrap();
        let records = emitted.into_iter().map(|log| log.record);
        records
            .filter(|record| record.event_name() == Some(name))
            .collect()
    }

    /// Every point of the last collection: metric, attributes, value.
    fn points(&self) -> Vec<Point> {
        self.meters.force_flush().unwrap();
        let mut points = Vec::new();
        let collected = self.metrics.get_finished_metrics().unwrap();
        let last = collected.last().unwrap();
        for metric in last.scope_metrics().flat_map(ScopeMetrics::metrics) {
            let mut push = |attributes: Vec<(String, String)>, value| {
                points.push((metric.name().to_owned(), attributes, value));
            };
            macro_rules! data {
                ($data:expr) => {
                    match $data {
                        MetricData::Gauge(gauge) => gauge
                            .data_points()
                            .for_each(|p| push(pairs(p.attributes()), p.value() as f64)),
                        MetricData::Sum(sum) => sum
                            .data_points()
                            .for_each(|p| push(pairs(p.attributes()), p.value() as f64)),
                        _ => panic!("no histograms here"),
                    }
                };
            }
            match metric.data() {
                AggregatedMetrics::F64(data) => data!(data),
                AggregatedMetrics::U64(data) => data!(data),
                AggregatedMetrics::I64(data) => data!(data),
            }
        }
        points
    }

    fn value(&self, metric: &str, attribute: &str) -> Option<f64> {
        let points = self.points();
        let has = |attributes: &[(String, String)]| {
            attribute.is_empty() || attributes.iter().any(|(_, value)| value == attribute)
        };
        points
            .iter()
            .find(|point| point.0 == metric && has(&point.1))
            .map(|point| point.2)
    }
}

fn pairs<'a>(
    attributes: impl Iterator<Item = &'a opentelemetry::KeyValue>,
) -> Vec<(String, String)> {
    attributes
        .map(|pair| (pair.key.to_string(), pair.value.to_string()))
        .collect()
}

fn attribute(record: &SdkLogRecord, name: &'static str) -> Option<AnyValue> {
    let wanted = Key::from_static_str(name);
    record
        .attributes_iter()
        .find(|(key, _)| *key == wanted)
        .map(|(_, value)| value.clone())
}

fn trip(breaker: &CircuitBreaker<ManualClock>) {
    (0..3).for_each(|_| breaker.acquire().unwrap().finish(Outcome::Failure));
}

#[test]
fn a_transition_is_an_event_in_the_trace_of_the_call_that_tripped_it() {
    let bench = bench();
    let breaker = bench.breaker();
    let tracer = SdkTracerProvider::builder().build().tracer("test");
    let mut traces = Vec::new();
    for _ in 0..3 {
        let context = Context::current_with_span(tracer.start("call"));
        traces.push(context.span().span_context().clone());
        let _entered = context.attach();
        breaker.acquire().unwrap().finish(Outcome::Failure);
    }
    let events = bench.events(names::EVENT_STATE_CHANGED);
    let [event] = &events[..] else {
        panic!("{} events", events.len())
    };
    let context = event.trace_context().expect("in a trace");
    assert_eq!(context.trace_id, traces[2].trace_id());
    assert_eq!(context.span_id, traces[2].span_id());
    let expected = [
        (names::BREAKER_NAME, "inventory"),
        (names::BREAKER_KEY, "shard-7"),
        (names::BREAKER_FROM_STATE, "closed"),
        (names::BREAKER_TO_STATE, "open"),
        (names::BREAKER_REASON, "consecutive"),
    ];
    for (name, value) in expected {
        assert_eq!(
            attribute(event, name),
            Some(AnyValue::from(value)),
            "{name}"
        );
    }
    let expected = [
        (names::BREAKER_WINDOW_CALLS, 3),
        (names::BREAKER_WINDOW_FAILURES, 3),
        (names::BREAKER_OPEN_FOR_MS, 5_000),
        (names::BREAKER_ATTEMPT, 1),
    ];
    for (name, value) in expected {
        assert_eq!(attribute(event, name), Some(AnyValue::Int(value)), "{name}");
    }
    let contributing: Vec<AnyValue> = traces
        .iter()
        .rev()
        .map(|trace| trace.trace_id().to_string().into())
        .collect();
    let listed = attribute(event, names::BREAKER_CONTRIBUTING);
    assert_eq!(listed, Some(AnyValue::ListAny(Box::new(contributing))));
    assert_eq!(bench.flushes.load(Ordering::SeqCst), 1, "flushed at once");
}

#[test]
fn settings_are_an_event_and_every_transition_names_them() {
    let bench = bench();
    let breaker = bench.breaker();
    trip(&breaker);
    let configured = bench.events(names::EVENT_CONFIGURED);
    let changed = bench.events(names::EVENT_STATE_CHANGED);
    let hash = attribute(&configured[0], names::BREAKER_CONFIG_HASH);
    assert!(hash.is_some());
    assert_eq!(hash, attribute(&changed[0], names::BREAKER_CONFIG_HASH));
    breaker
        .reconfigure(breaker.config().only_consecutive(9))
        .unwrap();
    let again = bench.events(names::EVENT_CONFIGURED);
    assert_ne!(attribute(&again[1], names::BREAKER_CONFIG_HASH), hash);
}

#[test]
fn settings_that_stay_the_same_are_not_told_again() {
    let bench = bench();
    let breaker = bench.breaker();
    breaker.reconfigure(breaker.config().seed(7)).unwrap();
    breaker.set_mode(Mode::Enforcing);
    assert_eq!(bench.events(names::EVENT_CONFIGURED).len(), 1);
    breaker.set_mode(Mode::MetricsOnly);
    assert_eq!(bench.events(names::EVENT_CONFIGURED).len(), 2);
}

/// Takes it back at once where a breaker is told to observe only.
#[derive(Default)]
struct TakesBack {
    breaker: OnceLock<CircuitBreaker<ManualClock>>,
    told: Mutex<Vec<Mode>>,
}

impl Listener for TakesBack {
    fn on_transition(&self, _: &str, change: &Transition) {
        if let (State::MetricsOnly, Some(breaker)) = (change.to, self.breaker.get()) {
            breaker.set_mode(Mode::Enforcing);
        }
    }

    fn on_config(&self, _: Origin<'_>, config: &BreakerConfig) {
        self.told.lock().unwrap().push(config.mode);
    }
}

#[test]
fn settings_that_whoever_heard_of_them_took_back_are_not_told() {
    let listener = Arc::new(TakesBack::default());
    let breaker = CircuitBreaker::builder("inventory", BreakerConfig::new())
        .clock(ManualClock::default())
        .listen_shared(listener.clone())
        .build()
        .unwrap();
    assert!(listener.breaker.set(breaker.clone()).is_ok());
    breaker.set_mode(Mode::MetricsOnly);
    assert_eq!(breaker.config().mode, Mode::Enforcing);
    assert_eq!(*listener.told.lock().unwrap(), [Mode::Enforcing]);
    breaker.set_mode(Mode::ForcedOpen);
    let told = [Mode::Enforcing, Mode::ForcedOpen];
    assert_eq!(*listener.told.lock().unwrap(), told);
}

/// Is slow to hear of some settings.
struct Slow {
    entered: SyncSender<()>,
    leave: Mutex<Receiver<()>>,
    told: Mutex<Vec<u32>>,
}

impl Listener for Slow {
    fn on_transition(&self, _: &str, _: &Transition) {}

    fn on_config(&self, _: Origin<'_>, config: &BreakerConfig) {
        if config.minimum_calls == 7 {
            self.entered.send(()).unwrap();
            let patience = Duration::from_secs(30);
            self.leave.lock().unwrap().recv_timeout(patience).unwrap();
        }
        self.told.lock().unwrap().push(config.minimum_calls);
    }
}

#[test]
fn the_newest_settings_are_told_last_though_others_take_their_time() {
    let (entered, has_entered) = sync_channel(1);
    let (leave, may_leave) = sync_channel(1);
    let listener = Arc::new(Slow {
        entered,
        leave: Mutex::new(may_leave),
        told: Mutex::default(),
    });
    let minimum = |calls: u32| BreakerConfig::new().minimum_calls(calls);
    let breaker = CircuitBreaker::builder("inventory", minimum(20))
        .listen_shared(listener.clone())
        .build()
        .unwrap();
    std::thread::scope(|scope| {
        scope.spawn(|| breaker.reconfigure(minimum(7)).unwrap());
        has_entered.recv_timeout(Duration::from_secs(30)).unwrap();
        // While one thread tells of seven, this one changes it again.
        breaker.reconfigure(minimum(9)).unwrap();
        leave.send(()).unwrap();
    });
    assert_eq!(*listener.told.lock().unwrap(), [20, 7, 9]);
    assert_eq!(breaker.config().minimum_calls, 9);
}

#[test]
fn metrics_say_what_the_breaker_says() {
    let bench = bench();
    let breaker = bench.breaker();
    bench.clock.advance(Duration::from_secs(3));
    breaker.acquire().unwrap().finish(Outcome::Success);
    trip(&breaker);
    (0..10).for_each(|_| assert!(breaker.acquire().is_err()));
    bench.clock.advance(Duration::from_secs(2));

    assert_eq!(bench.value(names::BREAKER_STATE, "open"), Some(1.0));
    assert_eq!(bench.value(names::BREAKER_STATE, "closed"), Some(0.0));
    assert_eq!(
        bench.value(names::BREAKER_TIME_IN_STATE, "closed"),
        Some(3.0)
    );
    assert_eq!(bench.value(names::BREAKER_TIME_IN_STATE, "open"), Some(2.0));
    assert_eq!(bench.value(names::BREAKER_CALLS, "rejected"), Some(10.0));
    assert_eq!(bench.value(names::BREAKER_CALLS, "failure"), Some(3.0));
    assert_eq!(bench.value(names::BREAKER_CALLS, "success"), Some(1.0));
    assert_eq!(
        bench.value(names::BREAKER_TRANSITIONS, "consecutive"),
        Some(1.0)
    );
    assert_eq!(bench.value(names::BREAKER_IN_FLIGHT, ""), Some(0.0));
    assert_eq!(
        bench.value(names::BREAKER_FAILURE_RATIO, ""),
        None,
        "an open breaker has none"
    );
}

#[test]
fn a_breaker_without_traffic_moves_on_by_the_timer() {
    let bench = bench();
    let breaker = bench.breaker();
    trip(&breaker);
    bench.clock.advance(Duration::from_secs(4));
    assert_eq!(bench.telemetry.tick(), Some(Duration::from_secs(1)));
    bench.clock.advance(Duration::from_secs(1));
    assert_eq!(bench.telemetry.tick(), None);
    let events = bench.events(names::EVENT_STATE_CHANGED);
    assert_eq!(
        attribute(&events[1], names::BREAKER_TO_STATE),
        Some("half_open".into())
    );
    assert_eq!(
        attribute(&events[1], names::BREAKER_REASON),
        Some("wait_elapsed".into())
    );
}

#[test]
fn the_callers_span_carries_the_breaker_and_a_storm_of_refusals_is_sampled() {
    let bench = bench();
    let breaker = bench.breaker();
    let exporter = InMemorySpanExporter::default();
    let provider = SdkTracerProvider::builder()
        .with_simple_exporter(exporter.clone())
        .build();
    opentelemetry::global::set_tracer_provider(provider.clone());
    let tracer = provider.tracer("test");
    tracer.in_span("call", |_| {
        breaker.acquire().unwrap().finish(Outcome::Success);
    });
    let spans = exporter.get_finished_spans().unwrap();
    assert_eq!(spans.len(), 1, "no span of our own on the happy path");
    let attributes = pairs(spans[0].attributes.iter());
    for (name, value) in [
        (names::BREAKER_NAME, "inventory"),
        (names::BREAKER_STATE, "closed"),
        (names::BREAKER_OUTCOME, "success"),
    ] {
        assert!(
            attributes.contains(&(name.to_owned(), value.to_owned())),
            "{name}"
        );
    }
    trip(&breaker);
    exporter.reset();
    (0..10_000).for_each(|_| assert!(breaker.acquire().is_err()));
    let spans = exporter.get_finished_spans().unwrap();
    assert!(
        (1..100).contains(&spans.len()),
        "{} spans of 10 000 refusals",
        spans.len()
    );
    assert!(spans.iter().all(|span| span.name == names::SPAN_REJECTED));
    assert_eq!(
        breaker.snapshot().totals.rejected,
        10_000,
        "all of them are counted"
    );
}

/// A tracer, and where its spans go.
fn spans() -> (SdkTracerProvider, InMemorySpanExporter) {
    let exporter = InMemorySpanExporter::default();
    let provider = SdkTracerProvider::builder()
        .with_simple_exporter(exporter.clone())
        .build();
    (provider, exporter)
}

#[test]
fn a_probe_of_a_breaker_that_only_observes_is_told_as_any_other_call() {
    let bench = bench();
    let breaker = bench.breaker();
    breaker.set_mode(Mode::MetricsOnly);
    trip(&breaker);
    bench.clock.advance(Duration::from_secs(5));
    let (provider, exporter) = spans();
    provider.tracer("test").in_span("call", |_| {
        let permit = breaker.acquire().unwrap();
        assert!(permit.is_probe(), "in the shadow");
        permit.finish(Outcome::Success);
    });
    let spans = exporter.get_finished_spans().unwrap();
    let told = pairs(spans[0].attributes.iter());
    let state = (names::BREAKER_STATE.to_owned(), "metrics_only".to_owned());
    assert!(told.contains(&state), "{told:?}");
}

/// The whole number in an attribute of a span.
fn number(span: &SpanData, name: &str) -> i64 {
    let found = span
        .attributes
        .iter()
        .find(|pair| pair.key.as_str() == name);
    match found.map(|pair| &pair.value) {
        Some(Value::I64(number)) => *number,
        other => panic!("{name}: {other:?}"),
    }
}

#[test]
fn calls_and_transitions_are_told_by_the_times_at_which_they_counted() {
    let bench = bench();
    let open = Duration::from_millis(3);
    let config = BreakerConfig::new()
        .only_consecutive(2)
        .open(OpenTime::fixed(open));
    let breaker = CircuitBreaker::builder("inventory", config)
        .listen(bench.telemetry.clone())
        .build()
        .unwrap();
    let (provider, exporter) = spans();
    let tracer = provider.tracer("test");
    for _ in 0..2 {
        tracer.in_span("call", |_| {
            breaker.acquire().unwrap().finish(Outcome::Failure);
        });
    }
    tracer.in_span("refused", |_| {
        // Whoever takes longer than that to come here finds it half-open.
        let _ = breaker.acquire();
    });
    let deadline = Instant::now() + Duration::from_secs(10);
    while breaker.acquire().is_err() {
        assert!(Instant::now() < deadline, "it probes");
        std::thread::yield_now();
    }
    let spans = exporter.get_finished_spans().unwrap();
    let [first, second, refused] = &spans[..] else {
        panic!("three spans");
    };
    let start = number(first, names::BREAKER_CLOCK_START);
    let ended = |span: &SpanData| {
        assert_eq!(number(span, names::BREAKER_CLOCK_START), start);
        number(span, names::BREAKER_ADMITTED) + number(span, names::BREAKER_DURATION)
    };
    let turns = |span: &SpanData| {
        let names = [
            names::BREAKER_ADMITTED_SEQUENCE,
            names::BREAKER_ENDED_SEQUENCE,
        ];
        names.map(|name| number(span, name))
    };
    assert_eq!([turns(first), turns(second)], [[1, 2], [3, 4]]);
    assert_eq!(number(refused, names::BREAKER_ADMITTED_SEQUENCE), 5);
    assert!(start < number(first, names::BREAKER_ADMITTED));
    assert!(ended(first) <= number(second, names::BREAKER_ADMITTED));
    assert!(ended(second) <= number(refused, names::BREAKER_ADMITTED));
    let changes: Vec<i64> = bench
        .events(names::EVENT_STATE_CHANGED)
        .iter()
        .map(|event| {
            let since = event.timestamp().unwrap().duration_since(UNIX_EPOCH);
            i64::try_from(since.unwrap().as_nanos()).unwrap()
        })
        .collect();
    let opened = ended(second);
    assert_eq!(
        changes[..2],
        [opened, opened + 3_000_000],
        "to the nanosecond"
    );
}

#[test]
fn a_call_that_panics_is_told_as_the_failure_it_counts_as() {
    let bench = bench();
    let breaker = bench.breaker();
    let (provider, exporter) = spans();
    provider.tracer("test").in_span("call", |_| {
        let call = std::panic::AssertUnwindSafe(|| {
            let _permit = breaker.acquire().unwrap();
            panic!("as calls may");
        });
        assert!(std::panic::catch_unwind(call).is_err());
    });
    assert_eq!(breaker.snapshot().totals.failure, 1);
    let spans = exporter.get_finished_spans().unwrap();
    let told = pairs(spans[0].attributes.iter());
    let outcome = (names::BREAKER_OUTCOME.to_owned(), "failure".to_owned());
    assert!(told.contains(&outcome), "{told:?}");
}
