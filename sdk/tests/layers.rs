//! The layers over tower services: cancelled, panicking, unready, open.
#![cfg(not(loom))]
#![expect(clippy::unwrap_used, reason = "a test that cannot go on stops")]

mod unready;

use std::convert::Infallible;
use std::future::{Future, pending, ready};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Waker};
use std::time::Duration;

use tower::{BoxError, Layer, ServiceExt, service_fn};
use tripline_sdk::layer::{BreakerLayer, GuardLayer, RetryLayer, TimeoutLayer};
use tripline_sdk::{
    BreakerConfig, CircuitBreaker, Error, OpenTime, Policy, Refusal, RetryConfig, State, TokioClock,
};
use unready::Unready;

fn breaker(failures: u32) -> CircuitBreaker<TokioClock> {
    let config = BreakerConfig::new()
        .only_consecutive(failures)
        .open(OpenTime::fixed(Duration::from_secs(5)));
    CircuitBreaker::builder("stock", config)
        .clock(TokioClock::default())
        .build()
        .unwrap()
}

async fn hang(_: ()) -> Result<u32, Refusal> {
    pending().await
}

#[tokio::test(start_paused = true)]
async fn an_open_breaker_answers_without_asking_the_service_inside() {
    let (breaker, asked) = (breaker(1), Arc::new(AtomicUsize::new(0)));
    let service = BreakerLayer::new(breaker.clone()).layer(Unready(Arc::clone(&asked)));
    breaker.trip();
    let answer = service.oneshot(()).await;
    assert!(matches!(answer, Err(Refusal::Breaker(_))));
    assert_eq!(asked.load(Ordering::SeqCst), 0);
}

#[tokio::test(start_paused = true)]
async fn a_service_that_became_ready_but_is_never_called_takes_no_probe() {
    let breaker = breaker(1);
    let inner = service_fn(async |(): ()| Ok::<_, Refusal>(1));
    let layer = BreakerLayer::new(breaker.clone());
    breaker.trip();
    tokio::time::sleep(Duration::from_secs(5)).await;
    for _ in 0..100 {
        let mut service = layer.layer(inner);
        service.ready().await.unwrap();
    }
    assert_eq!(breaker.snapshot().permits_left, 3);
}

#[tokio::test(start_paused = true)]
async fn a_dropped_future_gives_its_probe_back() {
    let breaker = breaker(1);
    let service = BreakerLayer::new(breaker.clone()).layer(service_fn(hang));
    breaker.trip();
    tokio::time::sleep(Duration::from_secs(5)).await;
    for _ in 0..10 {
        let mut call = Box::pin(service.clone().oneshot(()));
        assert!(
            call.as_mut()
                .poll(&mut Context::from_waker(Waker::noop()))
                .is_pending()
        );
        assert_eq!(breaker.snapshot().permits_left, 2);
        drop(call);
        assert_eq!(breaker.snapshot().permits_left, 3);
    }
}

#[tokio::test(start_paused = true)]
async fn a_panic_inside_is_a_failure() {
    let breaker = breaker(1);
    let panics = service_fn(|(): ()| async {
        if true {
            panic!("inside");
        }
        Ok::<(), Refusal>(())
    });
    let service = BreakerLayer::new(breaker.clone()).layer(panics);
    assert!(
        tokio::spawn(service.oneshot(()))
            .await
            .unwrap_err()
            .is_panic()
    );
    assert_eq!(breaker.state(), State::Open);
}

#[tokio::test(start_paused = true)]
async fn hangs_open_the_breaker_through_the_timeout_inside_it() {
    let breaker = breaker(3);
    let inner = TimeoutLayer::new(Duration::from_secs(1)).layer(service_fn(hang));
    let service = BreakerLayer::new(breaker.clone()).layer(inner);
    for _ in 0..3 {
        let answer = service.clone().oneshot(()).await;
        assert!(matches!(answer, Err(Refusal::Timeout { .. })));
    }
    assert_eq!(breaker.state(), State::Open);
}

#[tokio::test(start_paused = true)]
async fn rejections_pass_the_retry_at_once() {
    let breaker = breaker(1);
    let inner = service_fn(async |(): ()| Ok::<_, Refusal>(1));
    let guarded = BreakerLayer::new(breaker.clone()).layer(inner);
    let service = RetryLayer::new(RetryConfig::default()).layer(guarded);
    breaker.trip();
    let before = tokio::time::Instant::now();
    assert!(matches!(
        service.oneshot(()).await,
        Err(Refusal::Breaker(_))
    ));
    assert_eq!(before.elapsed(), Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn boxed_errors_carry_refusals_through_every_layer() {
    let inner = service_fn(async |(): ()| pending::<Result<(), BoxError>>().await);
    let policy = Policy::builder("stock")
        .retry(RetryConfig {
            max_attempts: 2,
            ..RetryConfig::default()
        })
        .breaker(breaker(9))
        .timeout(Duration::from_secs(1))
        .build()
        .unwrap();
    let error = policy.layer(inner).oneshot(()).await.unwrap_err();
    let expected = Refusal::Timeout {
        after: Duration::from_secs(1),
    };
    assert_eq!(error.downcast_ref::<Refusal>(), Some(&expected));
    assert_eq!(
        policy.breaker().unwrap().snapshot().totals.failure,
        2,
        "every try counts"
    );
}

#[tokio::test]
async fn nothing_has_to_be_static_or_send() {
    // Borrows the stack and is not `Send`: the layers add no bounds of their own.
    let number = std::rc::Rc::new(41);
    let borrowed = &number;
    let inner = service_fn(move |(): ()| ready(Ok::<u32, Infallible>(**borrowed + 1)));
    let layer = BreakerLayer::new(breaker(1));
    let service = layer.layer(GuardLayer.layer(inner));
    let answer: Result<u32, Error<Infallible>> = service.oneshot(()).await;
    assert_eq!(answer, Ok(42));
}
