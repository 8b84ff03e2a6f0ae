//! Two threads, on one breaker and on two.

use std::sync::Barrier;
use std::time::Instant;

use tripline_sdk::CircuitBreaker;

use crate::breakers::{breaker, call, config};
use crate::harness::{Board, CALLS, Effort};

/// Two threads at once, each on its own call: nanoseconds a call of the slower one.
fn pair(one: &(impl Fn() + Sync), other: &(impl Fn() + Sync)) -> f64 {
    let barrier = Barrier::new(2);
    let run = |call: &dyn Fn()| {
        barrier.wait();
        let start = Instant::now();
        (0..CALLS).for_each(|_| call());
        start.elapsed()
    };
    let slower = std::thread::scope(|scope| {
        let there = scope.spawn(|| run(other));
        let here = run(one);
        here.max(there.join().expect("it does not panic"))
    });
    slower.as_nanos() as f64 / f64::from(CALLS)
}

pub fn run(effort: Effort, board: &mut Board) {
    board.title("Two threads");
    let (one, other) = (breaker(config()), breaker(config()));
    let call_on = |breaker: &'static CircuitBreaker| move || call(breaker);
    let (one, other): (&_, &_) = (Box::leak(Box::new(one)), Box::leak(Box::new(other)));
    let (mut separate, mut shared) = (f64::INFINITY, f64::INFINITY);
    for _ in 0..effort.0 {
        separate = separate.min(pair(&call_on(one), &call_on(other)));
        shared = shared.min(pair(&call_on(one), &call_on(one)));
    }
    let separate = board.seen("two threads, each its own breaker", separate);
    let shared = board.seen("two threads, one breaker", shared);
    board.target(
        "two threads on one breaker, against two",
        shared / separate,
        1.3,
        "x",
    );

    let recloser: &_ = Box::leak(Box::new(recloser::Recloser::custom().build()));
    let failsafe: &_ = Box::leak(Box::new(failsafe::Config::new().build()));
    let (mut theirs, mut others) = (f64::INFINITY, f64::INFINITY);
    let on_recloser = || {
        let _ = recloser.call(|| Ok::<_, ()>(()));
    };
    let on_failsafe = || {
        let _ = failsafe::CircuitBreaker::call(failsafe, || Ok::<_, ()>(()));
    };
    for _ in 0..effort.0 {
        theirs = theirs.min(pair(&on_recloser, &on_recloser));
        others = others.min(pair(&on_failsafe, &on_failsafe));
    }
    board.seen("two threads, one recloser", theirs);
    board.seen("two threads, one failsafe", others);
}
