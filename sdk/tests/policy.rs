//! A whole policy, in virtual time.
#![cfg(not(loom))]
#![expect(clippy::unwrap_used, reason = "a test that cannot go on stops")]

use std::cell::Cell;
use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use tripline_sdk::{
    Backoff, BackoffJitter, BreakerConfig, BudgetConfig, Bulkhead, CircuitBreaker, Clock, Error,
    FixedWindow, OpenTime, Outcome, Part, Policy, PolicyError, Refusal, RetryBudget, RetryConfig,
    State, TokioClock,
};

type Answer = Result<u32, Error<&'static str>>;

fn breaker(failures: u32) -> CircuitBreaker<TokioClock> {
    let config = BreakerConfig::new()
        .only_consecutive(failures)
        .open(OpenTime::fixed(Duration::from_secs(5)));
    CircuitBreaker::builder("stock", config)
        .clock(TokioClock::default())
        .build()
        .unwrap()
}

fn retry() -> RetryConfig {
    let backoff = Backoff {
        jitter: BackoffJitter::None,
        ..Backoff::default()
    };
    RetryConfig {
        backoff,
        ..RetryConfig::default()
    }
}

const SECOND: Duration = Duration::from_secs(1);

#[tokio::test(start_paused = true)]
async fn a_failure_is_tried_again_after_its_backoff() {
    let policy = Policy::builder("stock").retry(retry()).build().unwrap();
    let tries = Cell::new(0);
    let clock = TokioClock::default();
    let begin = clock.now();
    let answer: Answer = policy
        .call(async || {
            tries.set(tries.get() + 1);
            if tries.get() < 3 { Err("down") } else { Ok(7) }
        })
        .await;
    assert_eq!(answer, Ok(7));
    let waited = clock.now().since(begin).as_millis();
    assert!((300..310).contains(&waited), "{waited}: 100 ms, then 200");
}

#[tokio::test(start_paused = true)]
async fn a_hang_is_a_timeout_is_a_failure_and_opens_the_breaker() {
    let breaker = breaker(3);
    let policy = Policy::builder("stock")
        .retry(retry())
        .breaker(breaker.clone())
        .timeout(SECOND)
        .build()
        .unwrap();
    let answer: Answer = policy.call(async || pending().await).await;
    assert_eq!(
        answer,
        Err(Error::Refused(Refusal::Timeout { after: SECOND }))
    );
    assert_eq!(breaker.state(), State::Open);
}

#[tokio::test(start_paused = true)]
async fn a_rejection_is_not_retried_and_costs_no_budget() {
    let breaker = breaker(1);
    let now = TokioClock::default().now();
    let budget = Arc::new(RetryBudget::new(BudgetConfig::default(), now));
    let policy = Policy::builder("stock")
        .retry_with_budget(retry(), Arc::clone(&budget))
        .breaker(breaker.clone())
        .timeout(SECOND)
        .build()
        .unwrap();
    breaker.trip();
    let (before, tries) = (budget.balance(now), Cell::new(0));
    let answer: Answer = policy
        .call(async || {
            tries.set(tries.get() + 1);
            Ok(1)
        })
        .await;
    assert!(matches!(answer, Err(Error::Refused(Refusal::Breaker(_)))));
    assert_eq!((tries.get(), budget.balance(now)), (0, before));
}

#[tokio::test(start_paused = true)]
async fn an_empty_budget_ends_the_retrying() {
    let empty = BudgetConfig {
        ratio: 0.1,
        min_per_second: 0.0,
        ..BudgetConfig::default()
    };
    let now = TokioClock::default().now();
    let budget = Arc::new(RetryBudget::new(empty, now));
    let policy = Policy::builder("stock")
        .retry_with_budget(retry(), Arc::clone(&budget))
        .build()
        .unwrap();
    let tries = Cell::new(0_u32);
    for _ in 0..100 {
        let _: Answer = policy
            .call(async || {
                tries.set(tries.get() + 1);
                Err("down")
            })
            .await;
    }
    assert!(
        (100..=112).contains(&tries.get()),
        "{} tries of 100 calls",
        tries.get()
    );
}

#[tokio::test(start_paused = true)]
async fn a_full_bulkhead_and_a_used_up_limit_say_nothing_about_the_peer() {
    let breaker = breaker(1);
    let policy = Policy::builder("stock")
        .breaker(breaker.clone())
        .timeout(SECOND)
        .rate_limit(FixedWindow::new(2, SECOND))
        .bulkhead(Bulkhead::new(1))
        .build()
        .unwrap();
    let (first, second) = tokio::join!(
        policy.call(async || {
            tokio::time::sleep(Duration::from_millis(10)).await;
            Ok::<_, &str>(1)
        }),
        policy.call(async || Ok::<_, &str>(2)),
    );
    assert_eq!(
        (first, second),
        (Ok(1), Err(Error::Refused(Refusal::BulkheadFull)))
    );
    let third = policy.call(async || Ok::<_, &str>(3)).await;
    assert!(matches!(
        third,
        Err(Error::Refused(Refusal::RateLimited {
            retry_after: Some(_)
        }))
    ));
    let snapshot = breaker.snapshot();
    assert_eq!(
        (snapshot.state, snapshot.totals.ignored),
        (State::Closed, 2)
    );
}

#[tokio::test(start_paused = true)]
async fn the_deadline_ends_everything_and_gives_everything_back() {
    let (breaker, bulkhead) = (breaker(100), Bulkhead::new(1));
    let policy = Policy::builder("stock")
        .deadline(Duration::from_millis(1_500))
        .retry(retry())
        .breaker(breaker.clone())
        .timeout(SECOND)
        .bulkhead(bulkhead.clone())
        .build()
        .unwrap();
    let answer: Answer = policy.call(async || pending().await).await;
    assert_eq!(answer, Err(Error::Refused(Refusal::DeadlineExceeded)));
    assert_eq!(bulkhead.in_flight(), 0);
    let totals = breaker.snapshot().totals;
    assert_eq!(
        (totals.in_flight(), totals.failure, totals.cancelled),
        (0, 1, 1)
    );
}

#[tokio::test(start_paused = true)]
async fn a_dropped_probe_does_not_wedge_the_breaker() {
    let breaker = breaker(1);
    let policy = Policy::builder("stock")
        .breaker(breaker.clone())
        .timeout(SECOND)
        .build()
        .unwrap();
    breaker.trip();
    tokio::time::sleep(Duration::from_secs(5)).await;
    for _ in 0..10 {
        let call = policy.call(async || pending::<Answer>().await.map_err(|_| "never"));
        let gone = tokio::time::timeout(Duration::from_millis(1), call).await;
        assert!(gone.is_err());
    }
    for _ in 0..3 {
        assert_eq!(policy.call(async || Ok::<_, &str>(1)).await, Ok(1));
    }
    assert_eq!(breaker.state(), State::Closed);
}

#[tokio::test(start_paused = true)]
async fn a_classifier_decides_what_is_a_failure_and_hears_the_peers_hint() {
    let policy = Policy::builder("stock").retry(retry()).build().unwrap();
    let clock = TokioClock::default();
    let begin = clock.now();
    let tries = Cell::new(0);
    let classify = |result: Result<&u32, &Error<&str>>| match result {
        Ok(503) => Outcome::Overload {
            retry_after: Some(Duration::from_secs(9)),
        },
        _ => Outcome::Success,
    };
    let answer: Answer = policy
        .call_classified(
            async || {
                tries.set(tries.get() + 1);
                Ok(if tries.get() == 1 { 503 } else { 200 })
            },
            &classify,
        )
        .await;
    assert_eq!(answer, Ok(200));
    assert_eq!(clock.now().since(begin).as_secs(), 9);
}

#[test]
fn policies_that_would_do_harm_are_refused_with_the_reason() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .unwrap();
    let _entered = runtime.enter();
    let base = || Policy::builder("stock");
    let refusals = [
        base().breaker(breaker(1)).build().unwrap_err(),
        base()
            .timeout(SECOND)
            .breaker(breaker(1))
            .build()
            .unwrap_err(),
        base()
            .breaker(breaker(1))
            .retry(retry())
            .timeout(SECOND)
            .build()
            .unwrap_err(),
        base()
            .retry(retry())
            .retry_rejections()
            .breaker(breaker(1))
            .timeout(SECOND)
            .build()
            .unwrap_err(),
        base().timeout(SECOND).timeout(SECOND).build().unwrap_err(),
        base()
            .bulkhead(Bulkhead::new(1))
            .timeout(SECOND)
            .build()
            .unwrap_err(),
    ];
    let expected = [
        PolicyError::BreakerWithoutTimeout,
        PolicyError::BreakerWithoutTimeout,
        PolicyError::BreakerOutsideRetry,
        PolicyError::RetriesRejections,
        PolicyError::Twice(Part::Timeout),
        PolicyError::Order {
            outer: Part::Bulkhead,
            inner: Part::Timeout,
        },
    ];
    assert_eq!(refusals, expected);
    assert!(
        refusals
            .iter()
            .all(|refusal| refusal.to_string().len() > 20)
    );
    let fine = base()
        .deadline(SECOND)
        .retry(retry())
        .breaker(breaker(1))
        .timeout(SECOND);
    assert!(
        fine.build().is_ok(),
        "an overall deadline outside is allowed"
    );
}
