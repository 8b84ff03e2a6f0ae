//! A second try when the first is slow: who wins, who pays, and when there is none.
#![cfg(not(loom))]
#![expect(clippy::unwrap_used, reason = "a test that cannot go on stops")]

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tower::{Layer, ServiceExt, service_fn};
use tripline_sdk::layer::{BreakerLayer, GuardLayer, HedgeLayer};
use tripline_sdk::{
    BreakerConfig, BudgetConfig, CircuitBreaker, Clock, Error, HedgePolicy, Listener, Outcome,
    PolicyCounts, PolicyEvent, RetryBudget, TokioClock, Transition, WatchedPolicy,
};

const USUAL: Duration = Duration::from_millis(10);

fn usual() -> HedgePolicy {
    let hedge = HedgePolicy::at_quantile(0.95, Duration::from_millis(1));
    (0..100).for_each(|_| hedge.observe(USUAL));
    hedge
}

/// What was heard, and the counts.
#[derive(Clone, Default)]
struct Watch {
    events: Arc<Mutex<Vec<PolicyEvent>>>,
    watched: Arc<Mutex<Vec<WatchedPolicy>>>,
}

impl Listener for Watch {
    fn on_transition(&self, _: &str, _: &Transition) {}
    fn on_policy_created(&self, policy: WatchedPolicy) {
        self.watched.lock().unwrap().push(policy);
    }
    fn on_policy_event(&self, _: &str, event: PolicyEvent) {
        self.events.lock().unwrap().push(event);
    }
}

impl Watch {
    fn counts(&self) -> PolicyCounts {
        let watched = self.watched.lock().unwrap();
        watched[0].read(|_, counts| *counts).unwrap()
    }
}

/// A peer whose tries take as long as the script says, or fail then.
#[derive(Clone)]
struct Peer {
    script: Arc<Vec<(u64, Result<u32, &'static str>)>>,
    tries: Arc<AtomicU32>,
}

impl Peer {
    fn new(script: &[(u64, Result<u32, &'static str>)]) -> Self {
        Self {
            script: Arc::new(script.to_vec()),
            tries: Arc::default(),
        }
    }

    fn tries(&self) -> u32 {
        self.tries.load(Ordering::SeqCst)
    }

    async fn answer(self) -> Result<u32, &'static str> {
        let turn = self.tries.fetch_add(1, Ordering::SeqCst) as usize;
        let (millis, result) = self.script[turn];
        tokio::time::sleep(Duration::from_millis(millis)).await;
        result
    }
}

async fn call(layer: &HedgeLayer, peer: &Peer) -> Result<u32, &'static str> {
    let peer = peer.clone();
    let service = layer.layer(service_fn(move |(): ()| peer.clone().answer()));
    service.oneshot(()).await
}

#[tokio::test(start_paused = true)]
async fn a_usual_call_is_made_once() {
    let watch = Watch::default();
    let layer = HedgeLayer::new("stock", usual()).listen(watch.clone());
    let peer = Peer::new(&[(5, Ok(1)), (5, Err("down"))]);
    assert_eq!(call(&layer, &peer).await, Ok(1));
    assert_eq!(
        call(&layer, &peer).await,
        Err("down"),
        "failing is no slowness"
    );
    assert_eq!(peer.tries(), 2);
    assert_eq!(watch.counts().hedge_not_needed, 2);
    assert!(watch.events.lock().unwrap().is_empty());
}

#[tokio::test(start_paused = true)]
async fn whichever_answers_first_wins() {
    let watch = Watch::default();
    let layer = HedgeLayer::new("stock", usual()).listen(watch.clone());
    let slow_first = Peer::new(&[(10_000, Ok(1)), (5, Ok(2))]);
    assert_eq!(call(&layer, &slow_first).await, Ok(2));
    let slow_second = Peer::new(&[(20, Ok(1)), (10_000, Ok(2))]);
    assert_eq!(call(&layer, &slow_second).await, Ok(1));
    let counts = watch.counts();
    assert_eq!((counts.hedge_second_won, counts.hedge_first_won), (1, 1));
    let events = watch.events.lock().unwrap().clone();
    let won = |second_won| PolicyEvent::Hedged { second_won };
    assert_eq!(events, [won(true), won(false)]);
}

#[tokio::test(start_paused = true)]
async fn one_failure_waits_for_the_other_try() {
    let watch = Watch::default();
    let layer = HedgeLayer::new("stock", usual()).listen(watch.clone());
    for (script, expected) in [
        ([(20, Err("first")), (30, Ok(2))], Ok(2)),
        ([(40, Ok(1)), (5, Err("second"))], Ok(1)),
        ([(20, Err("first")), (30, Err("second"))], Err("first")),
        ([(40, Err("first")), (5, Err("second"))], Err("first")),
    ] {
        let peer = Peer::new(&script);
        assert_eq!(call(&layer, &peer).await, expected, "{script:?}");
        assert_eq!(peer.tries(), 2);
    }
    assert_eq!(watch.counts().hedge_both_failed, 2);
}

#[tokio::test(start_paused = true)]
async fn hedges_and_retries_spend_one_budget() {
    let clock = TokioClock::default();
    let stingy = BudgetConfig {
        ratio: 0.0,
        min_per_second: 1.0,
        ..BudgetConfig::default()
    };
    let budget = Arc::new(RetryBudget::new(stingy, clock.now()));
    let layer = HedgeLayer::new("stock", usual()).budget(Arc::clone(&budget));
    assert!(
        budget.try_withdraw(clock.now()),
        "a retry took the last one"
    );
    let peer = Peer::new(&[(50, Ok(1))]);
    assert_eq!(call(&layer, &peer).await, Ok(1));
    assert_eq!(peer.tries(), 1);
    assert_eq!(budget.exhausted(), 1);
}

#[tokio::test(start_paused = true)]
async fn nothing_is_hedged_before_the_usual_is_known() {
    let unknown = HedgePolicy::at_quantile(0.95, Duration::from_millis(1));
    let layer = HedgeLayer::new("stock", unknown);
    let peer = Peer::new(&[(60_000, Ok(1))]);
    assert_eq!(call(&layer, &peer).await, Ok(1));
    assert_eq!(peer.tries(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_breaker_that_is_not_closed_ends_the_hedging_and_sees_every_try() {
    let breaker = CircuitBreaker::builder("stock", BreakerConfig::new().only_consecutive(1))
        .clock(TokioClock::default())
        .build()
        .unwrap();
    let layer = HedgeLayer::new("stock", usual()).while_closed(breaker.clone());
    let peer = Peer::new(&[(10_000, Ok(1)), (5, Ok(2)), (50, Ok(3))]);
    let hedged = |peer: Peer| {
        let inner = service_fn(move |(): ()| peer.clone().answer());
        layer.layer(BreakerLayer::new(breaker.clone()).layer(GuardLayer.layer(inner)))
    };
    assert_eq!(hedged(peer.clone()).oneshot(()).await, Ok(2));
    let totals = breaker.snapshot().totals;
    assert_eq!(
        (totals.success, totals.cancelled),
        (1, 1),
        "the loser was dropped"
    );

    let service = hedged(peer.clone());
    let opens = async {
        tokio::time::sleep(Duration::from_millis(1)).await;
        breaker.acquire().unwrap().finish(Outcome::Failure);
    };
    let (answer, ()) = tokio::join!(service.oneshot(()), opens);
    assert_eq!(answer, Ok(3), "let through before it opened");
    assert_eq!(peer.tries(), 3, "and not made twice after it");
    assert!(matches!(
        hedged(peer).oneshot(()).await,
        Err(Error::Refused(_))
    ));
}
