//! What the parts of a policy say about themselves, in `call` and as layers.
#![cfg(not(loom))]
#![expect(clippy::unwrap_used, reason = "a test that cannot go on stops")]

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use opentelemetry::logs::LoggerProvider;
use opentelemetry::metrics::MeterProvider;
use opentelemetry::trace::{FutureExt, TraceContextExt, Tracer, TracerProvider};
use opentelemetry::{Context, KeyValue};
use opentelemetry_sdk::logs::SdkLoggerProvider;
use opentelemetry_sdk::metrics::data::{
    AggregatedMetrics, MetricData, ResourceMetrics, ScopeMetrics,
};
use opentelemetry_sdk::metrics::{InMemoryMetricExporter, SdkMeterProvider};
use opentelemetry_sdk::trace::{InMemorySpanExporter, SdkTracerProvider};
use tower::{Layer, ServiceExt, service_fn};
use tripline_sdk::layer::GuardLayer;
use tripline_sdk::telemetry::{Telemetry, names};
use tripline_sdk::{Bulkhead, FixedWindow, Policy, PolicyBuilder, RetryConfig};

struct Bench {
    metrics: InMemoryMetricExporter,
    meters: SdkMeterProvider,
    telemetry: Telemetry,
}

fn bench() -> Bench {
    let metrics = InMemoryMetricExporter::default();
    let meters = SdkMeterProvider::builder()
        .with_periodic_exporter(metrics.clone())
        .build();
    let loggers = SdkLoggerProvider::builder().build();
    let telemetry = Telemetry::new(&meters.meter(names::SCOPE), loggers.logger(names::SCOPE));
    Bench {
        metrics,
        meters,
        telemetry,
    }
}

impl Bench {
    fn policy(&self) -> PolicyBuilder {
        Policy::builder("stock").listen(self.telemetry.clone())
    }

    /// Every point of the last collection, as `metric{values of attributes}`.
    fn points(&self) -> BTreeMap<String, u64> {
        self.meters.force_flush().unwrap();
        let collected = self.metrics.get_finished_metrics().unwrap();
        let scopes = collected
            .last()
            .map(ResourceMetrics::scope_metrics)
            .unwrap();
        let mut points = BTreeMap::new();
        for metric in scopes.flat_map(ScopeMetrics::metrics) {
            let mut put = |attributes: &mut dyn Iterator<Item = &KeyValue>, value: u64| {
                let mut values: Vec<_> = attributes.map(|pair| pair.value.to_string()).collect();
                values.sort();
                points.insert(format!("{}{{{}}}", metric.name(), values.join(",")), value);
            };
            match metric.data() {
                AggregatedMetrics::U64(MetricData::Sum(sum)) => sum
                    .data_points()
                    .for_each(|point| put(&mut point.attributes(), point.value())),
                AggregatedMetrics::U64(MetricData::Gauge(gauge)) => gauge
                    .data_points()
                    .for_each(|point| put(&mut point.attributes(), point.value())),
                _ => {}
            }
        }
        points
    }

    fn has(&self, expected: &[(&str, u64)]) {
        let points = self.points();
        for (point, value) in expected {
            assert_eq!(points.get(*point), Some(value), "{point} of {points:#?}");
        }
    }
}

/// Fails so many times, then succeeds.
struct Flaky {
    failures: AtomicU32,
}

impl Flaky {
    fn failing(times: u32) -> Self {
        Self {
            failures: AtomicU32::new(times),
        }
    }

    fn answer(&self) -> Result<u32, &'static str> {
        let left = &self.failures;
        let fails = left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |n| n.checked_sub(1));
        fails.map_or(Ok(7), |_| Err("down"))
    }
}

#[tokio::test(start_paused = true)]
async fn retries_are_counted_by_how_they_ended() {
    let bench = bench();
    let policy = bench
        .policy()
        .retry(RetryConfig::default())
        .build()
        .unwrap();
    for failures in [0, 2, 9] {
        let peer = Flaky::failing(failures);
        let _ = policy.call(async || peer.answer()).await;
    }
    bench.has(&[
        ("retry.calls{stock,successful_without_retry}", 1),
        ("retry.calls{stock,successful_with_retry}", 1),
        ("retry.calls{failed_with_retry,stock}", 1),
        ("retry.calls{failed_without_retry,stock}", 0),
        ("retry.attempts{stock}", 7),
        ("retry.budget_exhausted{stock}", 0),
    ]);
}

#[tokio::test(start_paused = true)]
async fn the_layers_of_a_policy_count_as_its_call_does() {
    let bench = bench();
    let policy = bench
        .policy()
        .retry(RetryConfig::default())
        .timeout(Duration::from_secs(1))
        .build()
        .unwrap();
    let peer = Flaky::failing(1);
    let service = policy.layer(GuardLayer.layer(service_fn(async |(): ()| peer.answer())));
    assert!(service.oneshot(()).await.is_ok());
    let hangs = service_fn(async |(): ()| std::future::pending::<Result<u32, &str>>().await);
    assert!(
        policy
            .layer(GuardLayer.layer(hangs))
            .oneshot(())
            .await
            .is_err()
    );
    bench.has(&[
        ("retry.calls{stock,successful_with_retry}", 1),
        ("retry.calls{failed_with_retry,stock}", 1),
        ("timeout.calls{stock,timed_out,try}", 3),
        ("timeout.calls{completed,stock,try}", 2),
    ]);
}

#[tokio::test(start_paused = true)]
async fn timeouts_limits_bulkheads_and_fallbacks_are_counted() {
    let bench = bench();
    let policy = bench
        .policy()
        .deadline(Duration::from_secs(5))
        .timeout(Duration::from_secs(1))
        .rate_limit(FixedWindow::new(4, Duration::from_secs(3600)))
        .bulkhead(Bulkhead::new(1))
        .build()
        .unwrap();
    let fine = async || Ok::<_, &str>(1);
    let hangs = async || std::future::pending::<Result<u32, &str>>().await;
    assert!(policy.call(fine).await.is_ok());
    assert!(policy.call(hangs).await.is_err());
    let nested = policy.call(async || {
        // The only place is taken by the call around this one.
        policy.call(fine).await.map_err(|_| "full")
    });
    assert!(nested.await.is_err());
    assert_eq!(
        policy.call_or(fine, async |_| 0).await,
        0,
        "the fifth is over the limit"
    );
    bench.has(&[
        ("timeout.calls{stock,timed_out,try}", 1),
        ("timeout.calls{completed,stock,try}", 4),
        ("timeout.calls{call,completed,stock}", 5),
        ("timeout.calls{call,stock,timed_out}", 0),
        ("rate_limiter.calls{permitted,stock}", 4),
        ("rate_limiter.calls{rejected,stock}", 1),
        ("bulkhead.calls{permitted,stock}", 3),
        ("bulkhead.calls{rejected,stock}", 1),
        ("bulkhead.max_in_flight{stock}", 1),
        ("bulkhead.in_flight{stock}", 0),
        ("fallback.calls{stock}", 1),
    ]);
}

#[tokio::test(start_paused = true)]
async fn the_callers_span_says_what_was_out_of_the_ordinary() {
    let bench = bench();
    let policy = bench
        .policy()
        .deadline(Duration::from_secs(60))
        .retry(RetryConfig::default())
        .timeout(Duration::from_secs(1))
        .build()
        .unwrap();
    let spans = InMemorySpanExporter::default();
    let tracer = SdkTracerProvider::builder()
        .with_simple_exporter(spans.clone())
        .build()
        .tracer("test");
    let context = Context::new().with_span(tracer.start("checkout"));
    let hangs = async || std::future::pending::<Result<u32, &str>>().await;
    assert!(
        policy
            .call(hangs)
            .with_context(context.clone())
            .await
            .is_err()
    );
    context.span().end();
    let span = spans.get_finished_spans().unwrap().remove(0);
    let attributes: BTreeMap<String, String> = span
        .attributes
        .iter()
        .map(|pair| (pair.key.to_string(), pair.value.to_string()))
        .collect();
    for (key, value) in [
        (names::RETRY_NAME, "stock"),
        (names::RETRY_ATTEMPT, "3"),
        (names::RETRY_RESULT, "failed_with_retry"),
        (names::TIMEOUT_RESULT, "timed_out"),
        (names::TIMEOUT_SCOPE, "try"),
        (names::TIMEOUT_DURATION, "1"),
    ] {
        assert_eq!(
            attributes.get(key).map(String::as_str),
            Some(value),
            "{key}"
        );
    }
}

#[tokio::test]
async fn a_policy_that_is_gone_is_not_reported() {
    let bench = bench();
    let policy = bench.policy().bulkhead(Bulkhead::new(1)).build().unwrap();
    assert!(bench.points().contains_key("bulkhead.max_in_flight{stock}"));
    drop(policy);
    bench.metrics.reset();
    bench.meters.force_flush().unwrap();
    let collected = bench.metrics.get_finished_metrics().unwrap();
    let mut metrics = collected
        .iter()
        .flat_map(ResourceMetrics::scope_metrics)
        .flat_map(ScopeMetrics::metrics);
    assert!(!metrics.any(|metric| metric.name() == "bulkhead.max_in_flight"));
}
