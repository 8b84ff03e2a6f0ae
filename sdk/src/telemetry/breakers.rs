//! The metrics of breakers: observable instruments that read their counts.

use std::sync::{Arc, Mutex};

use opentelemetry::KeyValue;
use opentelemetry::metrics::Meter;

use super::{lock, named, names};
use crate::breaker::{CallOutcome, Snapshot, State, WatchedBreaker};

/// The breakers that one telemetry reports, as long as they live.
pub(super) type Breakers = Arc<Mutex<Vec<WatchedBreaker>>>;

/// The observable instruments: each reads every breaker when it is collected.
pub(super) fn observe(meter: &Meter, breakers: &Breakers) {
    let each = |breakers: &Breakers| {
        let breakers = Arc::clone(breakers);
        move |look: &mut dyn FnMut(&[KeyValue], &Snapshot)| for_each(&breakers, look)
    };
    let read = each(breakers);
    meter
        .u64_observable_gauge(names::BREAKER_STATE)
        .with_description("1 for the state the circuit breaker is in, 0 for the others")
        .with_callback(move |gauge| {
            read(&mut |base, snapshot| {
                for state in State::ALL {
                    gauge.observe(u64::from(state == snapshot.state), &with_state(base, state));
                }
            });
        })
        .build();
    let read = each(breakers);
    meter
        .f64_observable_counter(names::BREAKER_TIME_IN_STATE)
        .with_description("Time the circuit breaker has spent in each state")
        .with_unit("s")
        .with_callback(move |counter| {
            read(&mut |base, snapshot| {
                for state in State::ALL {
                    let time = snapshot.time_in(state).as_secs_f64();
                    counter.observe(time, &with_state(base, state));
                }
            });
        })
        .build();
    let read = each(breakers);
    meter
        .u64_observable_counter(names::BREAKER_CALLS)
        .with_description("Calls through the circuit breaker by outcome")
        .with_unit("{call}")
        .with_callback(move |counter| {
            read(&mut |base, snapshot| {
                for (outcome, count) in by_outcome(snapshot) {
                    let outcome = KeyValue::new(names::BREAKER_OUTCOME, outcome.as_str());
                    counter.observe(count, &[base, &[outcome]].concat());
                }
            });
        })
        .build();
    for (name, ratio) in [
        (
            names::BREAKER_FAILURE_RATIO,
            (|s| s.failure_ratio) as fn(&Snapshot) -> Option<f64>,
        ),
        (names::BREAKER_SLOW_RATIO, |s| s.slow_ratio),
    ] {
        let read = each(breakers);
        meter
            .f64_observable_gauge(name)
            .with_unit("1")
            .with_callback(move |gauge| {
                read(&mut |base, snapshot| {
                    if let Some(ratio) = ratio(snapshot) {
                        gauge.observe(ratio, base);
                    }
                });
            })
            .build();
    }
    let read = each(breakers);
    meter
        .i64_observable_up_down_counter(names::BREAKER_IN_FLIGHT)
        .with_description("Calls let through that have no result yet")
        .with_unit("{call}")
        .with_callback(move |counter| {
            read(&mut |base, snapshot| {
                let in_flight = snapshot.totals.in_flight();
                counter.observe(i64::try_from(in_flight).unwrap_or(i64::MAX), base);
            });
        })
        .build();
}

fn for_each(breakers: &Breakers, look: &mut dyn FnMut(&[KeyValue], &Snapshot)) {
    let watched = lock(breakers).clone();
    let mut is_any_gone = false;
    for breaker in &watched {
        let seen = breaker.read(|origin, snapshot| look(&named(origin), snapshot));
        is_any_gone |= seen.is_none();
    }
    // Not every program has a timer that calls `Telemetry::tick`.
    if is_any_gone {
        lock(breakers).retain(|breaker| breaker.read(|_, _| ()).is_some());
    }
}

fn by_outcome(snapshot: &Snapshot) -> [(CallOutcome, u64); 7] {
    let totals = &snapshot.totals;
    [
        (CallOutcome::Success, totals.success),
        (CallOutcome::Failure, totals.failure),
        (CallOutcome::SlowSuccess, totals.slow_success),
        (CallOutcome::SlowFailure, totals.slow_failure),
        (CallOutcome::Ignored, totals.ignored),
        (CallOutcome::Rejected, totals.rejected),
        (CallOutcome::Cancelled, totals.cancelled),
    ]
}

fn with_state(base: &[KeyValue], state: State) -> Vec<KeyValue> {
    [base, &[KeyValue::new(names::BREAKER_STATE, state.as_str())]].concat()
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use crate::breaker::{BreakerConfig, CircuitBreaker, Listener, Transition};

    struct Watch(Breakers);

    impl Listener for Watch {
        fn on_transition(&self, _: &str, _: &Transition) {}

        fn on_created(&self, breaker: WatchedBreaker) {
            lock(&self.0).push(breaker);
        }
    }

    #[test]
    fn a_breaker_that_is_gone_is_forgotten_when_the_others_are_read() {
        let breakers = Breakers::default();
        let made = |name: &str| {
            CircuitBreaker::builder(name, BreakerConfig::new())
                .listen(Watch(Arc::clone(&breakers)))
                .build()
                .expect("in a test")
        };
        let (kept, gone) = (made("kept"), made("gone"));
        let read = || {
            let mut count = 0;
            for_each(&breakers, &mut |_, _| count += 1);
            count
        };
        assert_eq!((read(), lock(&breakers).len()), (2, 2));
        drop(gone);
        assert_eq!((read(), lock(&breakers).len()), (1, 1));
        drop(kept);
    }
}
