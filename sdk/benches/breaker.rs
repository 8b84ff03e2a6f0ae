//! What a call through the breaker costs: `cargo bench -p tripline-sdk --bench breaker`.
//!
//! A plain harness: each line is the best of many short runs, which on a busy machine is the only
//! number that says anything about the code. Loops are compared in the same run, so the ratios
//! hold where the nanoseconds do not.
#![cfg(not(loom))]
#![expect(clippy::print_stdout, reason = "a benchmark prints its numbers")]

use std::hint::black_box;
use std::sync::Barrier;
use std::time::{Duration, Instant};

use tripline_sdk::{
    BreakerConfig, CallId, CircuitBreaker, Clock, Machine, Mode, Moment, MonotonicClock, Outcome,
    SlowCalls, WindowConfig,
};

const RUNS: usize = 2_000;
const CALLS: u32 = 2_000;

/// Nanoseconds a call, best of all runs.
fn measure(name: &str, mut call: impl FnMut()) -> f64 {
    let mut best = f64::INFINITY;
    for _ in 0..RUNS {
        let start = Instant::now();
        (0..CALLS).for_each(|_| call());
        best = best.min(start.elapsed().as_nanos() as f64 / f64::from(CALLS));
    }
    println!("{name:<52} {best:7.1} ns");
    best
}

fn config() -> BreakerConfig {
    BreakerConfig::new().slow_calls(SlowCalls {
        threshold: Duration::from_secs(1),
        ratio: 0.8,
    })
}

fn breaker(config: BreakerConfig) -> CircuitBreaker {
    CircuitBreaker::new("bench", config).expect("the settings are valid")
}

fn call(breaker: &CircuitBreaker) {
    if let Ok(permit) = breaker.acquire() {
        permit.finish(Outcome::Success);
    }
}

/// Two threads at once, each on its breaker: nanoseconds a call, best of all runs.
fn pair(one: &CircuitBreaker, other: &CircuitBreaker) -> f64 {
    let mut best = f64::INFINITY;
    for _ in 0..RUNS / 4 {
        let barrier = Barrier::new(2);
        let run = |breaker: &CircuitBreaker| {
            barrier.wait();
            let start = Instant::now();
            (0..CALLS).for_each(|_| call(breaker));
            start.elapsed()
        };
        let slower = std::thread::scope(|scope| {
            let there = scope.spawn(|| run(other));
            let here = run(one);
            here.max(there.join().expect("it does not panic"))
        });
        best = best.min(slower.as_nanos() as f64 / f64::from(CALLS));
    }
    best
}

fn main() {
    let clock = MonotonicClock::default();
    let clock_read = measure("clock read", || {
        black_box(clock.now());
    });
    let time = breaker(config());
    let closed = measure("closed, time window, slow calls, generations", || {
        call(&time);
    });
    let count = breaker(config().window(WindowConfig::Count { size: 100 }));
    measure("closed, count window of 100", || call(&count));
    println!(
        "closed beyond two clock reads: {:.1} ns",
        closed - 2.0 * clock_read
    );

    let machine = Machine::new(config(), Moment::ZERO).expect("the settings are valid");
    let now = Moment::from_millis(1);
    measure("closed, time handed in", || {
        if let Ok(call) = machine.admit(now, &mut |_| {}) {
            machine.record(call, Outcome::Success, now, CallId::default, &mut |_| {});
        }
    });
    machine.trip(now, &mut |_| {});
    measure("open, refused, time handed in", || {
        let _ = black_box(machine.admit(now, &mut |_| {}));
    });
    let forced = breaker(config().mode(Mode::ForcedOpen));
    measure("forced open, refused, with its clock", || {
        let _ = black_box(forced.acquire());
    });

    let (one, other) = (breaker(config()), breaker(config()));
    let (separate, shared) = (pair(&one, &other), pair(&one, &one));
    println!("two threads, two breakers {separate:.1} ns; one breaker {shared:.1} ns");
    println!("sharing costs {:.2} x", shared / separate);
}
