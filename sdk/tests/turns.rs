//! What a listener is told of calls singly is enough to do again what the breaker did.
#![cfg(not(loom))]

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tripline_sdk::{
    Admission, BreakerConfig, CallId, CallOutcome, CallTimes, Chance, CircuitBreaker, Clock,
    Listener, Machine, ManualClock, Moment, MonotonicClock, OpenTime, Origin, Outcome, Permit,
    State, Transition, WindowConfig,
};

const THREADS: u64 = 4;
const CALLS: usize = 1_000;
/// Calls that a thread has on their way at once.
const IN_FLIGHT: usize = 4;

/// Hears of every call, and of every change.
struct Ears {
    tells: bool,
    calls: Mutex<Vec<(CallTimes, CallOutcome)>>,
    changes: Mutex<Vec<Transition>>,
}

impl Ears {
    fn new(tells: bool) -> Arc<Self> {
        Arc::new(Self {
            tells,
            calls: Mutex::default(),
            changes: Mutex::default(),
        })
    }
}

impl Listener for Ears {
    fn on_transition(&self, _: &str, change: &Transition) {
        self.changes.lock().expect("no panic").push(*change);
    }

    fn tells_call(&self) -> bool {
        self.tells
    }

    fn on_call(
        &self,
        _: Origin<'_>,
        _: State,
        outcome: CallOutcome,
        times: &dyn Fn() -> CallTimes,
    ) {
        self.calls
            .lock()
            .expect("no panic")
            .push((times(), outcome));
    }
}

/// Tripped and closed again all the time.
fn nervous(window: WindowConfig) -> BreakerConfig {
    BreakerConfig::new()
        .window(window)
        .minimum_calls(5)
        .open(OpenTime::fixed(Duration::from_millis(2)))
        .seed(1)
}

fn spend<C: Clock>(permit: Permit<'_, C>, fate: f64) {
    if fate < 0.1 {
        drop(permit);
    } else if fate < 0.2 {
        permit.finish(Outcome::Ignore);
    } else if fate < 0.6 {
        permit.finish(Outcome::Failure);
    } else {
        permit.finish(Outcome::Success);
    }
}

/// Calls of several threads at once, some of which pass the time with `idle`.
fn drive<C: Clock>(breaker: &CircuitBreaker<C>, idle: &(dyn Fn() + Sync)) {
    std::thread::scope(|scope| {
        for seed in 0..THREADS {
            scope.spawn(move || {
                let chance = Chance::new(Some(seed));
                let mut running = VecDeque::new();
                for _ in 0..CALLS {
                    if chance.unit() < 0.1 {
                        idle();
                    }
                    let permit = breaker.acquire().ok();
                    // Who is refused ends a call: it may be the probe that others wait for.
                    let ends_one = permit.is_none() || running.len() > IN_FLIGHT;
                    running.extend(permit);
                    if ends_one && let Some(oldest) = running.pop_front() {
                        spend(oldest, chance.unit());
                    }
                }
            });
        }
    });
}

/// Does what was told again, in the order of turns, and answers the changes.
fn again(
    config: BreakerConfig,
    made: Moment,
    calls: &[(CallTimes, CallOutcome)],
) -> Vec<Transition> {
    let mut turns: Vec<(u64, usize, bool)> = Vec::new();
    for (index, (times, _)) in calls.iter().enumerate() {
        turns.push((times.admitted_sequence.expect("a turn"), index, false));
        turns.extend(times.ended_sequence.map(|turn| (turn, index, true)));
    }
    turns.sort_unstable();
    let machine = Machine::new(config, made).expect("settings that work");
    let mut admissions: Vec<Option<Admission>> = calls.iter().map(|_| None).collect();
    let mut changes = Vec::new();
    let mut latest = made;
    for (turn, index, is_end) in turns {
        let (times, outcome) = calls[index];
        let admitted = times.admitted_unix_nano - times.clock_start_unix_nano;
        let announce = &mut |change: &Transition| changes.push(*change);
        let now = if is_end {
            Moment::from_nanos(admitted) + times.duration
        } else {
            Moment::from_nanos(admitted)
        };
        assert!(now >= latest, "turn {turn} goes back in time");
        latest = now;
        if !is_end {
            let admission = machine.admit(now, announce).ok();
            let was_refused = outcome == CallOutcome::Rejected;
            assert_eq!(admission.is_none(), was_refused, "turn {turn}");
            admissions[index] = admission;
            continue;
        }
        let admission = admissions[index].take().expect("let through before");
        let ending = match outcome {
            CallOutcome::Success => Outcome::Success,
            CallOutcome::Failure => Outcome::Failure,
            CallOutcome::Ignored => Outcome::Ignore,
            _ => {
                machine.cancel(admission, false, now, CallId::default, announce);
                continue;
            }
        };
        machine.record(admission, ending, now, CallId::default, announce);
    }
    changes
}

/// What was told of a breaker with these settings and this clock; answers how often it changed.
fn told_is_done<C: Clock>(config: BreakerConfig, clock: C, idle: &(dyn Fn() + Sync)) -> usize {
    let ears = Ears::new(true);
    let breaker = CircuitBreaker::builder("stock", config)
        .clock(clock)
        .listen_shared(ears.clone())
        .build()
        .expect("settings that work");
    let made = breaker.snapshot().since;
    drive(&breaker, idle);
    let calls = std::mem::take(&mut *ears.calls.lock().expect("no panic"));
    assert_eq!(calls.len() as u64, THREADS * CALLS as u64);
    let mut changes = std::mem::take(&mut *ears.changes.lock().expect("no panic"));
    // Each was announced after its turn, by its own thread.
    changes.sort_unstable_by_key(|change| change.generation);
    assert_eq!(again(config, made, &calls), changes);
    changes.len()
}

#[test]
fn calls_that_are_told_singly_are_counted_in_the_order_they_say() {
    for window in [
        WindowConfig::Count { size: 10 },
        WindowConfig::Time {
            length: Duration::from_millis(20),
            buckets: 4,
        },
    ] {
        // Most of them in the same nanosecond as others.
        let clock = ManualClock::default();
        let idle = || clock.advance(Duration::from_millis(1));
        let changes = told_is_done(nervous(window), clock.clone(), &idle);
        assert!(changes > 20, "{changes} changes");
        let yielding = || std::thread::yield_now();
        assert!(told_is_done(nervous(window), MonotonicClock::default(), &yielding) > 0);
    }
}

#[test]
fn a_call_that_nobody_tells_takes_no_turn() {
    let ears = Ears::new(false);
    let breaker = CircuitBreaker::builder("stock", BreakerConfig::new().only_consecutive(1))
        .listen_shared(ears.clone())
        .build()
        .unwrap();
    breaker.acquire().unwrap().finish(Outcome::Failure);
    breaker.acquire().unwrap_err();
    let calls = ears.calls.lock().unwrap();
    assert_eq!(calls.len(), 2);
    for (times, _) in calls.iter() {
        assert_eq!(
            (times.admitted_sequence, times.ended_sequence),
            (None, None)
        );
    }
}
