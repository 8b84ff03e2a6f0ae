//! The breaker alone.

use std::hint::black_box;
use std::time::Duration;

use tripline_sdk::{
    BreakerConfig, CallId, CircuitBreaker, Clock, Machine, Mode, Moment, MonotonicClock, Outcome,
    SlowCalls, WindowConfig,
};

use crate::harness::{Board, Effort};

pub fn config() -> BreakerConfig {
    BreakerConfig::new().slow_calls(SlowCalls {
        threshold: Duration::from_secs(1),
        ratio: 0.8,
    })
}

pub fn breaker(config: BreakerConfig) -> CircuitBreaker {
    CircuitBreaker::new("bench", config).expect("the settings are valid")
}

pub fn call(breaker: &CircuitBreaker) {
    if let Ok(permit) = breaker.acquire() {
        permit.finish(Outcome::Success);
    }
}

pub fn run(effort: Effort, board: &mut Board) {
    board.title("The breaker, one thread");
    let clock = MonotonicClock::default();
    let read = board.measure(effort, "a clock read", || {
        black_box(clock.now());
    });
    let time = breaker(config());
    let closed = board.measure(
        effort,
        "closed: time window, slow calls, generations",
        || {
            call(&time);
        },
    );
    board.target(
        "closed, beyond two clock reads",
        closed - 2.0 * read,
        15.0,
        "ns",
    );
    let counting = breaker(config().window(WindowConfig::Count { size: 100 }));
    board.measure(effort, "closed: count window of 100", || call(&counting));

    let now = Moment::from_millis(1);
    let machine = |config| Machine::new(config, Moment::ZERO).expect("the settings are valid");
    let timed = |machine: &Machine| {
        if let Ok(call) = machine.admit(now, &mut |_| {}) {
            machine.record(call, Outcome::Success, now, CallId::default, &mut |_| {});
        }
    };
    let pure = machine(config());
    board.measure(effort, "closed, time handed in", || timed(&pure));
    let counting = machine(config().window(WindowConfig::Count { size: 100 }));
    let untimed = board.measure(effort, "closed, count window, time handed in", || {
        timed(&counting);
    });
    board.target("count window without timing", untimed, 25.0, "ns");
    pure.trip(now, &mut |_| {});
    let refused = board.measure(effort, "open: refused, time handed in", || {
        let _ = black_box(pure.admit(now, &mut |_| {}));
    });
    board.target("a refusal, before its error is built", refused, 5.0, "ns");
    let open = breaker(config());
    open.trip();
    board.measure(effort, "open: refused, with its clock read", || {
        let _ = black_box(open.acquire());
    });
    let forced = breaker(config().mode(Mode::ForcedOpen));
    board.measure(effort, "forced open: refused, with its clock read", || {
        let _ = black_box(forced.acquire());
    });
}
