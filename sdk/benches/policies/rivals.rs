//! Other breakers and limiters, with the same closed, succeeding call.

use std::hint::black_box;
use std::time::Duration;

use tower::{Layer, Service};
use tower_resilience_circuitbreaker::{CircuitBreakerLayer, SlidingWindowType};
use tripline_sdk::{Bulkhead, Clock, Gcra, MonotonicClock, RateLimit, RetryBudget, TokenBucket};

use crate::breakers::{breaker, call, config};
use crate::harness::{Board, Effort};

pub fn run(effort: Effort, board: &mut Board) {
    board.title("Other breakers, one thread, closed");
    let ours = breaker(config());
    board.measure(effort, "tripline: call", || call(&ours));
    let recloser = recloser::Recloser::custom().build();
    board.measure(effort, "recloser: call (no time, no slow calls)", || {
        let _ = recloser.call(|| Ok::<_, ()>(()));
    });
    let failsafe = failsafe::Config::new().build();
    board.measure(effort, "failsafe: call", || {
        let _ = failsafe::CircuitBreaker::call(&failsafe, || Ok::<_, ()>(()));
    });
    as_layers(effort, board);
    board.title("Parts");
    parts(effort, board);
}

/// As a layer over the same service, polled to its end.
fn as_layers(effort: Effort, board: &mut Board) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .expect("a runtime");
    let _entered = runtime.enter();
    let mut ours = tripline_sdk::layer::BreakerLayer::new(breaker(config()))
        .layer(tripline_sdk::layer::GuardLayer.layer(Immediate));
    board.measure(effort, "tripline: as a layer", || poll_once(&mut ours));
    for (name, window) in [
        (
            "tower-resilience: as a layer, count window",
            SlidingWindowType::CountBased,
        ),
        (
            "tower-resilience: as a layer, time window",
            SlidingWindowType::TimeBased,
        ),
    ] {
        let layer = CircuitBreakerLayer::builder()
            .sliding_window_type(window)
            .sliding_window_size(100)
            .sliding_window_duration(Duration::from_millis(10))
            .slow_call_duration_threshold(Duration::from_secs(1))
            .build()
            .expect("the settings are valid");
        let mut theirs = layer.layer(Immediate);
        board.measure(effort, name, || poll_once(&mut theirs));
    }
}

fn parts(effort: Effort, board: &mut Board) {
    let clock = MonotonicClock::default();
    let bucket = TokenBucket::new(1e12, u32::MAX, clock.now());
    board.measure(
        effort,
        "tripline: token bucket, with its clock read",
        || {
            black_box(bucket.check(1, clock.now()));
        },
    );
    let gcra = Gcra::new(Duration::from_nanos(1), u32::MAX);
    board.measure(effort, "tripline: GCRA, with its clock read", || {
        black_box(gcra.check(1, clock.now()));
    });
    let quota = governor::Quota::per_second(std::num::NonZeroU32::MAX);
    let governor = governor::RateLimiter::direct(quota);
    board.measure(effort, "governor: GCRA, with its clock read", || {
        let _ = black_box(governor.check());
    });
    let budget = RetryBudget::new(tripline_sdk::BudgetConfig::default(), clock.now());
    board.measure(effort, "tripline: retry budget, a deposit", || {
        budget.deposit(clock.now());
    });
    let theirs = tower::retry::budget::TpsBudget::default();
    board.measure(effort, "tower: TpsBudget, a deposit", || {
        tower::retry::budget::Budget::deposit(&theirs);
    });
    let bulkhead = Bulkhead::new(64);
    board.measure(effort, "tripline: bulkhead, in and out", || {
        drop(black_box(bulkhead.try_enter()));
    });
    let semaphore = std::sync::Arc::new(tokio::sync::Semaphore::new(64));
    board.measure(
        effort,
        "tokio: owned semaphore permit (tower's limit), in and out",
        || {
            drop(black_box(
                std::sync::Arc::clone(&semaphore).try_acquire_owned(),
            ));
        },
    );
}

/// A service that answers at once.
#[derive(Clone, Copy)]
pub struct Immediate;

impl Service<u32> for Immediate {
    type Response = u32;
    type Error = Down;
    type Future = std::future::Ready<Result<u32, Down>>;

    fn poll_ready(&mut self, _: &mut std::task::Context<'_>) -> std::task::Poll<Result<(), Down>> {
        std::task::Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: u32) -> Self::Future {
        std::future::ready(Ok(black_box(request)))
    }
}

/// Why it would fail.
#[derive(Clone, Debug)]
pub struct Down;

impl std::fmt::Display for Down {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("down")
    }
}

impl std::error::Error for Down {}

/// One call, which is there at once: what is measured is the layers, not a runtime.
pub fn poll_once<S: Service<u32>>(service: &mut S) {
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    assert!(service.poll_ready(&mut context).is_ready());
    let call = std::pin::pin!(service.call(7));
    assert!(call.poll(&mut context).is_ready());
}
