//! A policy around a tower service: one service that does what the layers do one inside the other.
#![cfg(not(loom))]
#![expect(clippy::unwrap_used, reason = "a test that cannot go on stops")]

mod unready;

use std::future::{Future, pending};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Waker};
use std::time::Duration;

use tower::{Layer, ServiceExt, service_fn};
use tripline_sdk::layer::{BreakerLayer, BulkheadLayer, RateLimitLayer, TimeoutLayer};
use tripline_sdk::{
    BreakerConfig, Bulkhead, CircuitBreaker, FixedWindow, OpenTime, Policy, Refusal, State,
    TokioClock,
};
use unready::Unready;

const SECOND: Duration = Duration::from_secs(1);
const OPEN: Duration = Duration::from_secs(5);

fn breaker() -> CircuitBreaker<TokioClock> {
    let config = BreakerConfig::new()
        .only_consecutive(1)
        .open(OpenTime::fixed(OPEN));
    CircuitBreaker::builder("stock", config)
        .clock(TokioClock::default())
        .build()
        .unwrap()
}

fn policy(breaker: &CircuitBreaker<TokioClock>, bulkhead: &Bulkhead) -> Policy {
    Policy::builder("stock")
        .breaker(breaker.clone())
        .timeout(SECOND)
        .bulkhead(bulkhead.clone())
        .build()
        .unwrap()
}

async fn hang((): ()) -> Result<u32, Refusal> {
    pending().await
}

#[tokio::test(start_paused = true)]
async fn an_open_breaker_answers_without_asking_the_service_inside() {
    let (breaker, asked) = (breaker(), Arc::new(AtomicUsize::new(0)));
    let service = policy(&breaker, &Bulkhead::new(8)).layer(Unready(Arc::clone(&asked)));
    breaker.trip();
    let answer = service.oneshot(()).await;
    assert!(matches!(answer, Err(Refusal::Breaker(_))));
    assert_eq!(asked.load(Ordering::SeqCst), 0);
}

#[tokio::test(start_paused = true)]
async fn a_service_that_became_ready_but_is_never_called_takes_no_probe() {
    let breaker = breaker();
    let policy = policy(&breaker, &Bulkhead::new(8));
    breaker.trip();
    tokio::time::sleep(OPEN).await;
    for _ in 0..100 {
        let mut service = policy.layer(service_fn(hang));
        service.ready().await.unwrap();
    }
    assert_eq!(breaker.snapshot().permits_left, 3);
}

#[tokio::test(start_paused = true)]
async fn a_dropped_future_gives_its_probe_and_its_place_back() {
    let (breaker, bulkhead) = (breaker(), Bulkhead::new(1));
    let service = policy(&breaker, &bulkhead).layer(service_fn(hang));
    breaker.trip();
    tokio::time::sleep(OPEN).await;
    for _ in 0..10 {
        let mut call = Box::pin(service.clone().oneshot(()));
        let polled = call.as_mut().poll(&mut Context::from_waker(Waker::noop()));
        assert!(polled.is_pending());
        assert_eq!(breaker.snapshot().permits_left, 2);
        assert_eq!(bulkhead.in_flight(), 1);
        drop(call);
        assert_eq!(breaker.snapshot().permits_left, 3);
        assert_eq!(bulkhead.in_flight(), 0);
    }
}

#[tokio::test(start_paused = true)]
async fn a_panic_inside_is_a_failure() {
    let (breaker, bulkhead) = (breaker(), Bulkhead::new(1));
    let panics = service_fn(|(): ()| async {
        if true {
            panic!("inside");
        }
        Ok::<(), Refusal>(())
    });
    let service = policy(&breaker, &bulkhead).layer(panics);
    let ended = tokio::spawn(service.oneshot(())).await;
    assert!(ended.unwrap_err().is_panic());
    assert_eq!(breaker.state(), State::Open);
    assert_eq!(bulkhead.in_flight(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_hang_is_a_timeout_and_opens_the_breaker() {
    let breaker = breaker();
    let service = policy(&breaker, &Bulkhead::new(1)).layer(service_fn(hang));
    let answer = service.oneshot(()).await;
    assert_eq!(answer, Err(Refusal::Timeout { after: SECOND }));
    assert_eq!(breaker.state(), State::Open);
}

/// What a service answers to `(milliseconds it takes, whether it fails)`.
async fn scripted((wait, fails): (u64, bool)) -> Result<u32, Refusal> {
    tokio::time::sleep(Duration::from_millis(wait)).await;
    if fails { Err(Refusal::Shed) } else { Ok(7) }
}

#[tokio::test(start_paused = true)]
async fn it_answers_and_counts_as_the_layers_do() {
    let config = BreakerConfig::new()
        .only_consecutive(2)
        .open(OpenTime::fixed(OPEN));
    let make = || {
        CircuitBreaker::builder("stock", config)
            .clock(TokioClock::default())
            .build()
            .unwrap()
    };
    let limit = || FixedWindow::new(3, SECOND * 10);
    let (one, other) = (make(), make());
    let whole = Policy::builder("stock")
        .breaker(one.clone())
        .timeout(SECOND)
        .rate_limit(limit())
        .bulkhead(Bulkhead::new(1))
        .build()
        .unwrap()
        .layer(service_fn(scripted));
    let inner = BulkheadLayer::new(Bulkhead::new(1)).layer(service_fn(scripted));
    let inner = RateLimitLayer::new(limit()).layer(inner);
    let layered = BreakerLayer::new(other.clone()).layer(TimeoutLayer::new(SECOND).layer(inner));
    // Quick ones, one that fails, hangs that trip, refusals, the way back, a limit used up.
    let script = [
        (5, false, 0),
        (2_000, false, 0),
        (2_000, false, 0),
        (5, false, 0),
        (5, false, 5_000),
        (5, false, 10_000),
        (5, true, 0),
        (5, false, 0),
        (5, false, 0),
        (5, false, 0),
    ];
    for (step, (wait, fails, pause)) in script.into_iter().enumerate() {
        tokio::time::sleep(Duration::from_millis(pause)).await;
        let (a, b) = tokio::join!(
            whole.clone().oneshot((wait, fails)),
            layered.clone().oneshot((wait, fails))
        );
        assert_eq!(a, b, "step {step}");
        assert_eq!(one.state(), other.state(), "step {step}");
        assert_eq!(
            one.snapshot().totals,
            other.snapshot().totals,
            "step {step}"
        );
    }
    assert!(one.snapshot().totals.rejected > 0 && one.snapshot().totals.ignored > 0);
}
