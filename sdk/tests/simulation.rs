//! Thirteen thousand calls of twenty instances through the whole stack, in virtual time, against a peer
//! that follows a script. The seed is printed; `TRIPLINE_SIMULATION_SEED` sets it.
#![cfg(not(loom))]
#![expect(clippy::unwrap_used, reason = "a test that cannot go on stops")]

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::time::Instant;
use tripline_sdk::{
    BreakerConfig, BudgetConfig, Bulkhead, Chance, CircuitBreaker, Clock, Policy, Reason,
    RetryBudget, RetryConfig, SlowCalls, State, TokioClock, Transition,
};

const INSTANCES: usize = 20;
const CALLS_EACH: u64 = 650;
const EVERY: Duration = Duration::from_millis(200);

#[derive(Clone, Copy, Debug)]
enum Script {
    Outage,
    BrownOut,
    Slow,
    Hangs,
    Flapping,
}

/// What the peer does `at` this time; it is ill from 20 s to 60 s.
async fn peer(script: Script, at: Duration, chance: &Chance) -> Result<(), &'static str> {
    let ill = (20..60).contains(&at.as_secs());
    let fails = match script {
        _ if !ill => false,
        Script::Outage => true,
        Script::BrownOut => chance.unit() < 0.6,
        Script::Flapping => at.as_secs() % 6 < 3,
        Script::Slow => {
            tokio::time::sleep(Duration::from_millis(350)).await;
            false
        }
        Script::Hangs => {
            tokio::time::sleep(Duration::from_secs(3_600)).await;
            true
        }
    };
    tokio::time::sleep(Duration::from_secs_f64(0.002 + 0.01 * chance.unit())).await;
    if fails { Err("ill") } else { Ok(()) }
}

#[derive(Default)]
struct Tally {
    calls: AtomicU64,
    attempts: AtomicU64,
    attempts_when_ill: AtomicU64,
    transitions: Mutex<Vec<(usize, Duration, Transition)>>,
}

struct World {
    script: Script,
    start: Instant,
    chance: Chance,
    tally: Tally,
}

async fn instance(number: usize, world: Arc<World>, seed: u64) -> CircuitBreaker<TokioClock> {
    let heard = Arc::clone(&world);
    let clock = TokioClock::default();
    let slow = SlowCalls {
        threshold: Duration::from_millis(300),
        ratio: 0.8,
    };
    let config = BreakerConfig::new().slow_calls(slow);
    let breaker = CircuitBreaker::builder("peer", config.seed(seed + number as u64))
        .clock(clock)
        .listen(move |_: &str, change: &Transition| {
            let at = heard.start.elapsed();
            heard
                .tally
                .transitions
                .lock()
                .unwrap()
                .push((number, at, *change));
        })
        .build()
        .unwrap();
    let budget = Arc::new(RetryBudget::new(
        BudgetConfig {
            min_per_second: 1.0,
            ..BudgetConfig::default()
        },
        clock.now(),
    ));
    let policy = Policy::builder("peer")
        .retry_with_budget(RetryConfig::default(), budget)
        .breaker(breaker.clone())
        .timeout(Duration::from_millis(500))
        .bulkhead(Bulkhead::new(64))
        .seed(seed ^ number as u64)
        .build()
        .unwrap();
    // Instances start a little apart, as a fleet does.
    tokio::time::sleep(EVERY.mul_f64(world.chance.unit())).await;
    let mut calls = Vec::new();
    for _ in 0..CALLS_EACH {
        let (policy, world) = (policy.clone(), Arc::clone(&world));
        calls.push(tokio::spawn(async move {
            world.tally.calls.fetch_add(1, Ordering::Relaxed);
            let _ = policy
                .call(async || {
                    let at = world.start.elapsed();
                    world.tally.attempts.fetch_add(1, Ordering::Relaxed);
                    let ill = (25..60).contains(&at.as_secs());
                    world
                        .tally
                        .attempts_when_ill
                        .fetch_add(u64::from(ill), Ordering::Relaxed);
                    peer(world.script, at, &world.chance).await
                })
                .await;
        }));
        tokio::time::sleep(EVERY).await;
    }
    for call in calls {
        call.await.unwrap();
    }
    breaker
}

fn seed() -> u64 {
    let given = std::env::var("TRIPLINE_SIMULATION_SEED")
        .ok()
        .and_then(|seed| seed.parse().ok());
    let seed = given.unwrap_or_else(|| (Chance::from_entropy().unit() * 1e9) as u64);
    println!("TRIPLINE_SIMULATION_SEED={seed}");
    seed
}

async fn simulate(script: Script) -> (Arc<World>, Vec<CircuitBreaker<TokioClock>>) {
    let seed = seed();
    let (start, chance) = (Instant::now(), Chance::seeded(seed));
    let world = Arc::new(World {
        script,
        start,
        chance,
        tally: Tally::default(),
    });
    let running: Vec<_> = (0..INSTANCES)
        .map(|number| tokio::spawn(instance(number, Arc::clone(&world), seed)))
        .collect();
    let mut breakers = Vec::new();
    for instance in running {
        breakers.push(instance.await.unwrap());
    }
    (world, breakers)
}

/// What must hold whatever the peer does.
fn check(world: &World, breakers: &[CircuitBreaker<TokioClock>]) {
    let (calls, attempts) = (
        world.tally.calls.load(Ordering::Relaxed),
        world.tally.attempts.load(Ordering::Relaxed),
    );
    assert_eq!(calls, INSTANCES as u64 * CALLS_EACH);
    let elapsed = world.start.elapsed().as_secs_f64();
    let paid = calls as f64 * 1.2 + (elapsed + 1.0) * INSTANCES as f64;
    assert!(
        attempts as f64 <= paid,
        "a retry storm: {attempts} attempts, {paid} paid for"
    );
    for breaker in breakers {
        let snapshot = breaker.snapshot();
        assert_eq!(snapshot.state, State::Closed, "wedged: {snapshot:?}");
        assert_eq!(snapshot.totals.in_flight(), 0);
    }
    let transitions = world.tally.transitions.lock().unwrap();
    for (number, at, change) in transitions.iter() {
        // The verdict of a half-open era is over at most three probes.
        assert!(
            change.from != State::HalfOpen || change.window.calls <= 3,
            "{change:?}"
        );
        let healthy_again = at.as_secs() >= 60 && change.from == State::Closed;
        assert!(
            !healthy_again || at.as_secs() < 62,
            "{number} trips over a healthy peer"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn an_outage_is_cut_off_everywhere_and_recovered_from() {
    let (world, breakers) = simulate(Script::Outage).await;
    check(&world, &breakers);
    let transitions = world.tally.transitions.lock().unwrap();
    let mut reopened_in: Vec<u64> = Vec::new();
    for number in 0..INSTANCES {
        let mine: Vec<_> = transitions
            .iter()
            .filter(|change| change.0 == number)
            .collect();
        let opened = mine
            .iter()
            .find(|change| change.2.to == State::Open)
            .unwrap()
            .1;
        assert!(opened < Duration::from_secs(31), "opened at {opened:?}");
        let closed = mine
            .iter()
            .rev()
            .find(|change| change.2.to == State::Closed)
            .unwrap()
            .1;
        // At most one full open time, and the probes.
        assert!(
            closed < Duration::from_secs(60 + 50),
            "closed at {closed:?}"
        );
        reopened_in.push(closed.as_millis() as u64 / 100);
    }
    reopened_in.sort_unstable();
    reopened_in.dedup();
    assert!(
        reopened_in.len() > INSTANCES / 3,
        "a herd: they came back in {reopened_in:?}"
    );
    // While ill: what is in flight when it opens, then three probes an open time.
    let attempts = world.tally.attempts_when_ill.load(Ordering::Relaxed);
    assert!(
        attempts < INSTANCES as u64 * 60,
        "{attempts} attempts at a dead peer"
    );
}

#[tokio::test(start_paused = true)]
async fn hangs_are_cut_off_like_an_outage() {
    let (world, breakers) = simulate(Script::Hangs).await;
    check(&world, &breakers);
    assert!(
        breakers
            .iter()
            .all(|breaker| breaker.snapshot().generation >= 3)
    );
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_is_only_slow_is_left_alone_until_it_is_fast_again() {
    let (world, breakers) = simulate(Script::Slow).await;
    check(&world, &breakers);
    let transitions = world.tally.transitions.lock().unwrap();
    for number in 0..INSTANCES {
        let first = transitions
            .iter()
            .find(|change| change.0 == number)
            .unwrap();
        assert_eq!(first.2.reason, Reason::SlowRate, "{first:?}");
    }
    // Nothing failed, so nothing was tried again.
    let (calls, attempts) = (
        world.tally.calls.load(Ordering::Relaxed),
        world.tally.attempts.load(Ordering::Relaxed),
    );
    assert!(attempts < calls, "{attempts} attempts of {calls} calls");
    let ill = world.tally.attempts_when_ill.load(Ordering::Relaxed);
    assert!(
        ill < INSTANCES as u64 * 100,
        "{ill} attempts at a slow peer"
    );
}

#[tokio::test(start_paused = true)]
async fn a_brown_out_does_not_wedge_or_storm() {
    let (world, breakers) = simulate(Script::BrownOut).await;
    check(&world, &breakers);
}

#[tokio::test(start_paused = true)]
async fn a_flapping_peer_does_not_wedge_or_storm() {
    let (world, breakers) = simulate(Script::Flapping).await;
    check(&world, &breakers);
}
