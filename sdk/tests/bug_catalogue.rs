//! Every bug that breakers of other systems had, as a test ours passes. The comments say whose.
#![cfg(not(loom))]
#![expect(clippy::unwrap_used, reason = "a test that cannot go on stops")]

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Barrier, Mutex, OnceLock};
use std::time::Duration;

use tripline_sdk::{
    BreakerConfig, CircuitBreaker, CloseOn, HalfOpen, ManualClock, Mode, OpenTime, Outcome, Reason,
    RejectReason, SlowCalls, State, Transition, WindowConfig,
};

const OPEN_TIME: Duration = Duration::from_secs(5);

type Seen = Arc<Mutex<Vec<Transition>>>;

struct Bench {
    clock: ManualClock,
    breaker: CircuitBreaker<ManualClock>,
    seen: Seen,
}

fn bench(config: BreakerConfig) -> Bench {
    let (clock, seen) = (ManualClock::default(), Seen::default());
    let heard = Arc::clone(&seen);
    let breaker = CircuitBreaker::builder("stock", config)
        .clock(clock.clone())
        .listen(move |_: &str, change: &Transition| heard.lock().unwrap().push(*change))
        .build()
        .unwrap();
    Bench {
        clock,
        breaker,
        seen,
    }
}

fn strict() -> BreakerConfig {
    BreakerConfig::new()
        .only_consecutive(3)
        .open(OpenTime::fixed(OPEN_TIME))
}

impl Bench {
    fn call(&self, outcome: Outcome) {
        self.breaker.acquire().expect("admitted").finish(outcome);
    }

    fn trip(&self) {
        (0..3).for_each(|_| self.call(Outcome::Failure));
        assert_eq!(self.breaker.state(), State::Open);
    }

    fn half_open(&self) {
        self.trip();
        self.clock.advance(OPEN_TIME);
        assert_eq!(self.breaker.state(), State::HalfOpen);
    }

    fn recovers(&self) {
        (0..3).for_each(|_| self.call(Outcome::Success));
        assert_eq!(self.breaker.state(), State::Closed);
    }

    fn seen(&self) -> Vec<(State, State, Reason)> {
        self.seen
            .lock()
            .unwrap()
            .iter()
            .map(|change| (change.from, change.to, change.reason))
            .collect()
    }
}

// --- half-open wedge: a probe slot is consumed and nobody reports (r4j #544 #903 #935 #858,
// Hystrix PR #1863, Sentinel #1638, sentinel-golang #196, Polly #1979, litellm PR #39701, ...)

#[test]
fn an_ignored_probe_gives_its_permit_back() {
    let bench = bench(strict());
    bench.half_open();
    for _ in 0..1_000 {
        bench.call(Outcome::Ignore);
    }
    assert_eq!(
        bench.breaker.state(),
        State::HalfOpen,
        "ignored results decide nothing"
    );
    bench.recovers();
}

#[test]
fn a_cancelled_probe_gives_its_permit_back() {
    let bench = bench(strict());
    bench.half_open();
    for _ in 0..1_000 {
        drop(
            bench
                .breaker
                .acquire()
                .expect("the permits of cancelled probes come back"),
        );
    }
    bench.recovers();
}

#[test]
fn a_panicking_probe_is_a_failed_probe() {
    let bench = bench(strict());
    bench.half_open();
    let breaker = bench.breaker.clone();
    let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        let _permit = breaker.acquire().unwrap();
        panic!("the call panics");
    }));
    assert!(panicked.is_err());
    assert_eq!(
        bench.breaker.state(),
        State::Open,
        "without a failure ratio one is too many"
    );
}

#[test]
fn a_probe_that_never_comes_back_fails_when_its_lease_runs_out() {
    let mut config = strict();
    config.half_open.lease = Some(Duration::from_secs(2));
    let bench = bench(config);
    bench.half_open();
    for _ in 0..3 {
        std::mem::forget(bench.breaker.acquire_owned().unwrap());
    }
    assert_eq!(
        bench.breaker.acquire().unwrap_err().reason,
        RejectReason::HalfOpen
    );
    bench.clock.advance(Duration::from_secs(2));
    assert_eq!(
        bench.breaker.acquire().unwrap_err().reason,
        RejectReason::Open
    );
    assert_eq!(
        bench.seen().last(),
        Some(&(State::HalfOpen, State::Open, Reason::HalfOpenTimeout))
    );
    bench.clock.advance(OPEN_TIME);
    bench.recovers();
}

#[test]
fn lost_probes_never_wedge_even_if_every_probe_is_lost_for_hours() {
    let mut config = strict();
    config.half_open.lease = Some(Duration::from_secs(2));
    let bench = bench(config);
    bench.half_open();
    for _ in 0..1_000 {
        if let Ok(permit) = bench.breaker.acquire_owned() {
            std::mem::forget(permit);
        }
        bench.clock.advance(Duration::from_secs(10));
    }
    bench.clock.advance(OPEN_TIME);
    bench.recovers();
}

#[test]
fn the_lease_is_bounded_by_the_call_timeout_and_twice_the_slow_threshold() {
    let slow = SlowCalls {
        threshold: Duration::from_secs(1),
        ratio: 1.0,
    };
    assert_eq!(
        strict().slow_calls(slow).probe_lease(),
        Duration::from_secs(2)
    );
    let timeout = Duration::from_millis(300);
    assert_eq!(
        strict()
            .slow_calls(slow)
            .call_timeout(timeout)
            .probe_lease(),
        timeout
    );
    assert_eq!(
        strict().probe_lease(),
        Duration::from_secs(60),
        "never unbounded"
    );
}

#[test]
fn a_result_after_its_lease_does_not_count_twice() {
    let mut config = strict().failure_ratio(0.9).minimum_calls(3);
    config.half_open = HalfOpen {
        permits: 10,
        concurrent: 10,
        lease: Some(Duration::from_secs(2)),
        ..HalfOpen::default()
    };
    let bench = bench(config);
    bench.half_open();
    let late = bench.breaker.acquire().unwrap();
    bench.clock.advance(Duration::from_secs(3));
    bench.breaker.tick();
    assert_eq!(bench.breaker.snapshot().window.failures, 1);
    late.finish(Outcome::Failure);
    assert_eq!(bench.breaker.snapshot().window.failures, 1);
    assert_eq!(bench.breaker.snapshot().totals.stale, 1);
}

// --- half-open herd: more than N admitted (r4j #343 #1090, Polly #216, tower-resilience #382,
// termite #27, recloser, failsafe-rs)

#[test]
fn no_more_probes_than_permitted_are_issued_whatever_the_threads_do() {
    for _ in 0..50 {
        let bench = bench(strict());
        bench.half_open();
        let admitted = AtomicUsize::new(0);
        let barrier = Barrier::new(8);
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    barrier.wait();
                    for _ in 0..20 {
                        if let Ok(permit) = bench.breaker.acquire_owned() {
                            admitted.fetch_add(1, Ordering::SeqCst);
                            std::mem::forget(permit);
                        }
                    }
                });
            }
        });
        assert_eq!(admitted.load(Ordering::SeqCst), 3);
    }
}

#[test]
fn returned_results_free_concurrency_but_never_extra_permits() {
    let mut config = strict();
    config.half_open = HalfOpen {
        permits: 3,
        concurrent: 1,
        close_on: CloseOn::Successes(3),
        ..HalfOpen::default()
    };
    let bench = bench(config);
    bench.half_open();
    let first = bench.breaker.acquire().unwrap();
    assert!(bench.breaker.acquire().is_err(), "one at a time");
    first.finish(Outcome::Success);
    bench.call(Outcome::Success);
    let last = bench.breaker.acquire().unwrap();
    assert!(bench.breaker.acquire().is_err());
    last.finish(Outcome::Success);
    assert_eq!(bench.breaker.state(), State::Closed);
}

// --- a stale result acts on a later era (Polly #216/#218/#223, patron PR #1575,
// tower-resilience, failsafe-rs, r4j, opossum, Sentinel)

#[test]
fn a_late_failure_of_the_closed_era_does_not_reopen_a_half_open_breaker() {
    let bench = bench(strict());
    let (late_failure, late_success, late_ignore) = (
        bench.breaker.acquire().unwrap(),
        bench.breaker.acquire().unwrap(),
        bench.breaker.acquire().unwrap(),
    );
    bench.half_open();
    let probe = bench.breaker.acquire().unwrap();
    late_failure.finish(Outcome::Failure);
    late_success.finish(Outcome::Success);
    late_ignore.finish(Outcome::Ignore);
    let snapshot = bench.breaker.snapshot();
    assert_eq!(snapshot.state, State::HalfOpen);
    assert_eq!(
        (snapshot.permits_left, snapshot.window.calls),
        (2, 0),
        "nobody else's permit"
    );
    assert_eq!(snapshot.totals.stale, 2);
    assert_eq!(
        (snapshot.totals.failure, snapshot.totals.success),
        (4, 1),
        "totals count them"
    );
    probe.finish(Outcome::Success);
}

#[test]
fn late_successes_of_the_closed_era_do_not_close_it() {
    let bench = bench(strict());
    let late: Vec<_> = (0..10).map(|_| bench.breaker.acquire().unwrap()).collect();
    bench.half_open();
    drop(bench.breaker.acquire());
    late.into_iter()
        .for_each(|permit| permit.finish(Outcome::Success));
    assert_eq!(bench.breaker.state(), State::HalfOpen);
}

#[test]
fn late_failures_of_the_last_outage_do_not_trip_the_recovered_breaker() {
    let bench = bench(strict());
    let late: Vec<_> = (0..10).map(|_| bench.breaker.acquire().unwrap()).collect();
    bench.half_open();
    bench.recovers();
    late.into_iter()
        .for_each(|permit| permit.finish(Outcome::Failure));
    assert_eq!(bench.breaker.state(), State::Closed);
    assert_eq!(bench.breaker.snapshot().window.calls, 0);
}

#[test]
fn a_probe_of_one_half_open_era_does_not_report_to_the_next() {
    let bench = bench(strict());
    bench.half_open();
    let (old, failing) = (
        bench.breaker.acquire().unwrap(),
        bench.breaker.acquire().unwrap(),
    );
    failing.finish(Outcome::Failure);
    bench.clock.advance(OPEN_TIME);
    drop(bench.breaker.acquire());
    assert_eq!(bench.breaker.state(), State::HalfOpen);
    old.finish(Outcome::Failure);
    assert_eq!(bench.breaker.state(), State::HalfOpen);
    bench.recovers();
}

// --- a callback under the lock deadlocks; a transition is announced twice, or though the
// compare-and-swap lost (gobreaker #37/#119, Polly #218, Sentinel, r4j)

#[test]
fn a_listener_may_call_back_into_the_breaker() {
    static BREAKER: OnceLock<CircuitBreaker> = OnceLock::new();
    let states = Arc::new(Mutex::new(Vec::new()));
    let heard = Arc::clone(&states);
    let breaker = CircuitBreaker::builder("stock", strict())
        .listen(move |_: &str, _: &Transition| {
            let breaker = BREAKER.get().unwrap();
            drop(breaker.acquire());
            heard.lock().unwrap().push(breaker.snapshot().state);
            breaker.reset();
        })
        .build()
        .unwrap();
    let breaker = BREAKER.get_or_init(|| breaker);
    (0..3).for_each(|_| breaker.acquire().unwrap().finish(Outcome::Failure));
    assert_eq!(*states.lock().unwrap(), [State::Open, State::Closed]);
}

#[test]
fn racing_failures_announce_one_transition() {
    for _ in 0..50 {
        let bench = bench(strict());
        let permits: Vec<_> = (0..16)
            .map(|_| bench.breaker.acquire_owned().unwrap())
            .collect();
        let barrier = Barrier::new(permits.len());
        std::thread::scope(|scope| {
            for permit in permits {
                let barrier = &barrier;
                scope.spawn(move || {
                    barrier.wait();
                    permit.finish(Outcome::Failure);
                });
            }
        });
        assert_eq!(
            bench.seen(),
            [(State::Closed, State::Open, Reason::Consecutive)]
        );
    }
}

#[test]
fn every_announced_transition_continues_the_one_before() {
    let bench = bench(strict());
    for _ in 0..3 {
        bench.half_open();
        bench.call(Outcome::Failure);
        bench.clock.advance(OPEN_TIME);
        bench.recovers();
    }
    let seen = bench.seen.lock().unwrap();
    for pair in seen.windows(2) {
        assert_eq!(pair[0].to, pair[1].from);
        assert_eq!(pair[0].generation + 1, pair[1].generation);
    }
    assert_eq!(seen.len(), 3 * 5);
}

// --- ignored or cancelled counted as success closes it (Polly v8, pybreaker, opossum, recloser,
// failsafe-rs)

#[test]
fn ignored_and_cancelled_results_neither_close_nor_end_a_run_of_failures() {
    let bench = bench(strict());
    bench.call(Outcome::Failure);
    bench.call(Outcome::Failure);
    bench.call(Outcome::Ignore);
    drop(bench.breaker.acquire());
    bench.call(Outcome::Failure);
    assert_eq!(bench.breaker.state(), State::Open);
    assert_eq!(bench.breaker.snapshot().window.calls, 3);
}

#[test]
fn a_probe_given_up_on_after_the_slow_threshold_found_a_hanging_peer() {
    let slow = SlowCalls {
        threshold: Duration::from_secs(1),
        ratio: 1.0,
    };
    let bench = bench(strict().slow_calls(slow));
    bench.half_open();
    let probe = bench.breaker.acquire().unwrap();
    bench.clock.advance(Duration::from_secs(1));
    drop(probe);
    assert_eq!(bench.breaker.state(), State::Open);
}

#[test]
fn calls_dropped_by_an_outer_timeout_trip_the_breaker_once_they_are_slow() {
    let slow = SlowCalls {
        threshold: Duration::from_secs(1),
        ratio: 0.5,
    };
    let bench = bench(BreakerConfig::new().minimum_calls(4).slow_calls(slow));
    for _ in 0..4 {
        let hanging = bench.breaker.acquire().unwrap();
        bench.clock.advance(Duration::from_secs(1));
        drop(hanging);
    }
    assert_eq!(
        bench.seen(),
        [(State::Closed, State::Open, Reason::SlowRate)]
    );
}

// --- a wall-clock jump keeps it open or empties the window (r4j, Hystrix, Sentinel, pybreaker,
// Polly, failsafe-go)

#[test]
fn only_a_monotonic_clock_is_ever_read() {
    // There is no way to hand the core a wall clock: its time has an origin, not a date, and a
    // clock that stands still or is read out of order changes nothing.
    let machine = tripline_sdk::Machine::new(strict(), tripline_sdk::Moment::ZERO).unwrap();
    let at = tripline_sdk::Moment::from_millis;
    let call = machine.admit(at(100), &mut |_| {}).unwrap();
    machine.record(
        call,
        Outcome::Failure,
        at(50),
        Default::default,
        &mut |_| {},
    );
    assert_eq!(machine.snapshot(at(100)).window.failures, 1);
}

// --- a lock held across the call (pybreaker, gobreaker distributed)

#[test]
fn calls_of_one_breaker_run_side_by_side() {
    let bench = bench(BreakerConfig::new());
    let barrier = Barrier::new(4);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let permit = bench.breaker.acquire().unwrap();
                // Nobody passes before all four are inside their call.
                barrier.wait();
                permit.finish(Outcome::Success);
            });
        }
    });
    assert_eq!(bench.breaker.snapshot().totals.success, 4);
}

// --- the probe counter underflows and admits everybody (circuitbreaker-rs)

#[test]
fn more_reports_than_probes_do_not_make_room_for_more_probes() {
    let bench = bench(strict());
    let late: Vec<_> = (0..100).map(|_| bench.breaker.acquire().unwrap()).collect();
    bench.half_open();
    late.into_iter().for_each(drop);
    let mut probes = Vec::new();
    while let Ok(probe) = bench.breaker.acquire() {
        probes.push(probe);
    }
    assert_eq!(probes.len(), 3);
}

// --- the window is a contended lock, or grows with the calls (r4j #2151, tower-resilience)

#[test]
fn the_window_does_not_grow_with_the_calls() {
    let bench = bench(BreakerConfig::new().window(WindowConfig::Count { size: 100 }));
    let warm_up = allocation_counter::measure(|| bench.call(Outcome::Success));
    let busy = allocation_counter::measure(|| {
        for n in 0..100_000 {
            bench.call(if n % 10 == 0 {
                Outcome::Failure
            } else {
                Outcome::Success
            });
        }
    });
    assert_eq!((warm_up.bytes_total, busy.bytes_total), (0, 0));
    assert_eq!(bench.breaker.snapshot().window.calls, 100);
}

// --- calls are seen only once they return; the window is shorter than the timeout (go-zero #5011)

#[test]
fn calls_are_counted_when_they_are_made_not_when_they_return() {
    let bench = bench(BreakerConfig::new());
    let hanging: Vec<_> = (0..7).map(|_| bench.breaker.acquire().unwrap()).collect();
    assert_eq!(bench.breaker.snapshot().totals.in_flight(), 7);
    drop(hanging);
    assert_eq!(bench.breaker.snapshot().totals.in_flight(), 0);
}

#[test]
fn calls_that_outlast_the_window_still_trip_it() {
    let bench = bench(BreakerConfig::new());
    let hanging: Vec<_> = (0..20).map(|_| bench.breaker.acquire().unwrap()).collect();
    bench.clock.advance(Duration::from_secs(300));
    hanging
        .into_iter()
        .for_each(|permit| permit.finish(Outcome::Failure));
    assert_eq!(bench.breaker.state(), State::Open);
}

// --- reading the state changes the state (Hystrix #236)

#[test]
fn reading_changes_nothing() {
    let bench = bench(strict());
    bench.trip();
    bench.clock.advance(OPEN_TIME);
    for _ in 0..100 {
        assert_eq!(bench.breaker.state(), State::HalfOpen);
        assert_eq!(bench.breaker.snapshot().permits_left, 3);
    }
    assert_eq!(
        bench.seen().len(),
        1,
        "nobody called, so nothing was announced"
    );
    bench.breaker.tick();
    assert_eq!(bench.seen().len(), 2, "a timer moves it on without traffic");
}

// --- the state a timer sees and the state a call sees differ (r4j's opt-in flag)

#[test]
fn a_breaker_ends_up_the_same_with_and_without_a_timer() {
    let with = |ticks: bool| {
        let mut config = strict();
        config.half_open.lease = Some(Duration::from_secs(1));
        let bench = bench(config);
        bench.half_open();
        std::mem::forget(bench.breaker.acquire_owned().unwrap());
        for _ in 0..100 {
            bench.clock.advance(Duration::from_millis(100));
            if ticks {
                bench.breaker.tick();
            }
        }
        bench.breaker.tick();
        let seen = bench.seen.lock().unwrap().clone();
        (bench.breaker.snapshot(), seen)
    };
    assert_eq!(with(true), with(false));
}

// --- forced states publish nothing or hide what is computed (Hystrix #860)

#[test]
fn a_mode_overrules_the_state_and_both_stay_visible() {
    let bench = bench(strict().mode(Mode::MetricsOnly));
    (0..3).for_each(|_| bench.call(Outcome::Failure));
    let snapshot = bench.breaker.snapshot();
    assert_eq!(
        (snapshot.state, snapshot.computed),
        (State::MetricsOnly, State::Open)
    );
    bench.call(Outcome::Success);
    assert_eq!(bench.breaker.snapshot().totals.would_reject, 1);
    let seen = bench.seen.lock().unwrap();
    assert!(
        seen[0].shadow && seen[0].to == State::Open,
        "would have tripped"
    );
}
