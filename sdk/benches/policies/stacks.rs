//! Whole stacks: timeout, retry, breaker, bulkhead and rate limit around the same service.

use std::time::Duration;

use opentelemetry::logs::LoggerProvider;
use opentelemetry::metrics::MeterProvider;
use opentelemetry_sdk::logs::SdkLoggerProvider;
use opentelemetry_sdk::metrics::{InMemoryMetricExporter, SdkMeterProvider};
use tower::{Layer, ServiceBuilder};
use tripline_sdk::telemetry::{Telemetry, names};
use tripline_sdk::{
    Bulkhead, CircuitBreaker, Clock, Policy, PolicyBuilder, RetryConfig, TokenBucket, TokioClock,
};

use crate::breakers::config;
use crate::harness::{Board, Effort};
use crate::rivals::{Immediate, poll_once};

pub fn run(effort: Effort, board: &mut Board) {
    board.title("Timeout, retry, breaker, bulkhead, rate limit around one call");
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .expect("a runtime");
    let _entered = runtime.enter();
    let silent = policy(None);
    board.measure(effort, "tripline: call, telemetry off", || {
        call_once(&silent);
    });
    let exporter = InMemoryMetricExporter::default();
    let meters = SdkMeterProvider::builder()
        .with_periodic_exporter(exporter)
        .build();
    let logs = SdkLoggerProvider::builder().build();
    let telemetry = Telemetry::new(&meters.meter(names::SCOPE), logs.logger(names::SCOPE));
    let told = policy(Some(&telemetry));
    let with_telemetry = board.measure(effort, "tripline: call, telemetry on", || {
        call_once(&told);
    });
    board.target(
        "whole stack with telemetry, call",
        with_telemetry,
        300.0,
        "ns",
    );
    let mut layers = told.layer(tripline_sdk::layer::GuardLayer.layer(Immediate));
    let layered = board.measure(effort, "tripline: layers, telemetry on", || {
        poll_once(&mut layers);
    });
    board.target("whole stack with telemetry, layers", layered, 300.0, "ns");
    towers(effort, board);
    tower_resilience(effort, board);
}

fn policy(telemetry: Option<&Telemetry>) -> Policy {
    let listen = |builder: PolicyBuilder| match telemetry {
        Some(telemetry) => builder.listen(telemetry.clone()),
        None => builder,
    };
    let mut breaker = CircuitBreaker::builder("bench", config());
    if let Some(telemetry) = telemetry {
        breaker = breaker.listen(telemetry.clone());
    }
    let clock = TokioClock::default();
    let breaker = breaker
        .clock(clock)
        .build()
        .expect("the settings are valid");
    listen(Policy::builder("bench"))
        .retry(RetryConfig::default())
        .breaker(breaker)
        .timeout(Duration::from_secs(1))
        .rate_limit(TokenBucket::new(1e12, u32::MAX, clock.now()))
        .bulkhead(Bulkhead::new(64))
        .build()
        .expect("the order is right")
}

fn call_once(policy: &Policy) {
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    let call = std::pin::pin!(policy.call(async || Ok::<_, crate::rivals::Down>(7)));
    assert!(call.poll(&mut context).is_ready());
}

/// What tower itself has of it: no breaker, and no telemetry.
fn towers(effort: Effort, board: &mut Board) {
    #[derive(Clone)]
    struct Never;
    impl tower::retry::Policy<u32, u32, tower::BoxError> for Never {
        type Future = std::future::Ready<()>;
        fn retry(
            &mut self,
            _: &mut u32,
            _: &mut Result<u32, tower::BoxError>,
        ) -> Option<Self::Future> {
            None
        }
        fn clone_request(&mut self, request: &u32) -> Option<u32> {
            Some(*request)
        }
    }
    let mut stack = ServiceBuilder::new()
        .retry(Never)
        .timeout(Duration::from_secs(1))
        .load_shed()
        .concurrency_limit(64)
        .service(Immediate);
    board.measure(
        effort,
        "tower: retry, timeout, load shed, limit (no breaker)",
        || {
            poll_once(&mut stack);
        },
    );
}

/// The same five parts of tower-resilience, without its metrics.
fn tower_resilience(effort: Effort, board: &mut Board) {
    use tower_resilience_bulkhead::BulkheadLayer;
    use tower_resilience_circuitbreaker::{CircuitBreakerLayer, SlidingWindowType};
    use tower_resilience_ratelimiter::RateLimiterLayer;
    use tower_resilience_retry::RetryLayer;
    use tower_resilience_timelimiter::TimeLimiterLayer;

    let limiter = RateLimiterLayer::builder()
        .limit_for_period(usize::MAX / 2)
        .refresh_period(Duration::from_secs(1))
        .build()
        .expect("the settings are valid");
    let bulkhead = BulkheadLayer::builder()
        .max_concurrent_calls(64)
        .build()
        .expect("the settings are valid");
    let timeout = TimeLimiterLayer::builder()
        .timeout_duration(Duration::from_secs(1))
        .build();
    let breaker = CircuitBreakerLayer::builder()
        .sliding_window_type(SlidingWindowType::CountBased)
        .sliding_window_size(100)
        .build()
        .expect("the settings are valid");
    let guarded = breaker.layer(timeout.layer(limiter.layer(bulkhead.layer(Immediate))));
    let mut stack = RetryLayer::builder().max_attempts(3).build().layer(guarded);
    board.measure(
        effort,
        "tower-resilience: the same five, telemetry off",
        || {
            poll_once(&mut stack);
        },
    );
}
