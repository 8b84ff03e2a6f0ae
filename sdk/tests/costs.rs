//! What calls cost that can be counted: allocations, memory, log records. Times are the benchmark's.
#![cfg(not(loom))]

use std::time::{Duration, Instant};

use allocation_counter::measure;
use opentelemetry::logs::LoggerProvider;
use opentelemetry::metrics::MeterProvider;
use opentelemetry::trace::TracerProvider;
use opentelemetry_sdk::logs::{InMemoryLogExporter, SdkLoggerProvider};
use opentelemetry_sdk::metrics::SdkMeterProvider;
use opentelemetry_sdk::trace::{InMemorySpanExporter, SdkTracerProvider};
use tripline_sdk::telemetry::{Telemetry, names};
use tripline_sdk::{
    BreakerConfig, Bulkhead, CircuitBreaker, Clock, Outcome, Policy, RetryConfig, SlowCalls,
    TokenBucket, TokioClock, WindowConfig,
};

struct Watch {
    logs: InMemoryLogExporter,
    spans: InMemorySpanExporter,
    telemetry: Telemetry,
    _providers: (SdkLoggerProvider, SdkMeterProvider, SdkTracerProvider),
}

fn watch() -> Watch {
    let (logs, spans) = (
        InMemoryLogExporter::default(),
        InMemorySpanExporter::default(),
    );
    let loggers = SdkLoggerProvider::builder()
        .with_simple_exporter(logs.clone())
        .build();
    let tracers = SdkTracerProvider::builder()
        .with_simple_exporter(spans.clone())
        .build();
    let meters = SdkMeterProvider::builder().build();
    let telemetry = Telemetry::new(&meters.meter(names::SCOPE), loggers.logger(names::SCOPE));
    telemetry.trace_with(tracers.tracer(names::SCOPE));
    Watch {
        logs,
        spans,
        telemetry,
        _providers: (loggers, meters, tracers),
    }
}

fn slow() -> SlowCalls {
    SlowCalls {
        threshold: Duration::from_secs(1),
        ratio: 0.8,
    }
}

fn calls(breaker: &CircuitBreaker, count: u32) {
    for _ in 0..count {
        if let Ok(permit) = breaker.acquire() {
            permit.finish(Outcome::Success);
        }
    }
}

#[test]
fn the_closed_path_allocates_nothing() {
    let watch = watch();
    for (what, window) in [
        ("time", BreakerConfig::new().window),
        ("count", WindowConfig::Count { size: 100 }),
    ] {
        let config = BreakerConfig::new().slow_calls(slow()).window(window);
        let silent = CircuitBreaker::new("silent", config).unwrap();
        let told = CircuitBreaker::builder("told", config)
            .listen(watch.telemetry.clone())
            .build()
            .unwrap();
        calls(&silent, 1);
        calls(&told, 1);
        for breaker in [silent, told] {
            let cost = measure(|| calls(&breaker, 100_000));
            assert_eq!(cost.count_total, 0, "{what} window, {}", breaker.name());
            assert_eq!(breaker.snapshot().totals.success, 100_001);
        }
    }
}

#[test]
fn failures_that_do_not_trip_allocate_nothing() {
    let breaker = CircuitBreaker::new("stock", BreakerConfig::new()).unwrap();
    let fail = |count: u32| {
        for call in 0..count {
            let outcome = if call % 3 == 0 {
                Outcome::Failure
            } else {
                Outcome::Success
            };
            breaker.acquire().unwrap().finish(outcome);
        }
    };
    fail(3);
    assert_eq!(measure(|| fail(30_000)).count_total, 0);
}

#[test]
fn a_million_rejections_a_second_neither_allocate_nor_log_per_call() {
    let watch = watch();
    let breaker = CircuitBreaker::builder("stock", BreakerConfig::new())
        .listen(watch.telemetry.clone())
        .build()
        .unwrap();
    breaker.trip();
    let (logs, spans) = (
        watch.logs.get_emitted_logs().unwrap().len(),
        watch.spans.get_finished_spans().unwrap().len(),
    );
    let started = Instant::now();
    let cost = measure(|| {
        for _ in 0..1_000_000 {
            assert!(breaker.acquire().is_err());
        }
    });
    let took = started.elapsed();
    assert_eq!(breaker.snapshot().totals.rejected, 1_000_000);
    assert_eq!(watch.logs.get_emitted_logs().unwrap().len(), logs, "no log");
    // A span for a rejection without one: at most one each 100 ms, and only they allocate.
    let told = watch.spans.get_finished_spans().unwrap().len() - spans;
    let most = took.as_millis() as usize / 100 + 1;
    assert!((1..=most).contains(&told), "{told} spans in {took:?}");
    assert!(
        cost.count_total <= 100 * told as u64,
        "{} allocations for {told} spans",
        cost.count_total
    );
}

#[test]
fn a_rejection_nobody_listens_to_allocates_nothing() {
    let breaker = CircuitBreaker::new("stock", BreakerConfig::new()).unwrap();
    breaker.trip();
    let cost = measure(|| {
        for _ in 0..100_000 {
            assert!(breaker.acquire().is_err());
        }
    });
    assert_eq!(cost.count_total, 0);
}

#[test]
fn a_breaker_at_default_settings_keeps_less_than_four_kibibytes() {
    let kept = |config: BreakerConfig| {
        let mut breaker = None;
        let cost = measure(|| breaker = Some(CircuitBreaker::new("stock", config).unwrap()));
        let breaker = breaker.unwrap();
        // Traffic adds nothing to it.
        let grown = measure(|| calls(&breaker, 100_000));
        assert_eq!(grown.bytes_current, 0);
        cost.bytes_current
    };
    let default = kept(BreakerConfig::new());
    assert!((1..=4_096).contains(&default), "{default} bytes");
    // Count windows add two bits a call.
    let counting = |size: u32| kept(BreakerConfig::new().window(WindowConfig::Count { size }));
    let added = counting(100_032) - counting(32);
    assert!(
        (24_000..=26_000).contains(&added),
        "{added} bytes for 100 000 calls"
    );
}

#[test]
fn a_whole_policy_with_telemetry_allocates_nothing_on_its_usual_path() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .unwrap();
    let _entered = runtime.enter();
    let (watch, clock) = (watch(), TokioClock::default());
    let breaker = CircuitBreaker::builder("stock", BreakerConfig::new().slow_calls(slow()))
        .clock(clock)
        .listen(watch.telemetry.clone())
        .build()
        .unwrap();
    let policy = Policy::builder("stock")
        .listen(watch.telemetry.clone())
        .retry(RetryConfig::default())
        .breaker(breaker)
        .timeout(Duration::from_secs(1))
        .rate_limit(TokenBucket::new(1e9, u32::MAX, clock.now()))
        .bulkhead(Bulkhead::new(8))
        .build()
        .unwrap();
    let call = |count: u32| {
        let mut context = std::task::Context::from_waker(std::task::Waker::noop());
        for _ in 0..count {
            let call = std::pin::pin!(policy.call(async || Ok::<_, std::io::Error>(7)));
            assert!(call.poll(&mut context).is_ready());
        }
    };
    call(1);
    assert_eq!(measure(|| call(10_000)).count_total, 0);
}
