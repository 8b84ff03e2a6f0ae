//! Every interleaving of a few threads on the lock-free parts, by the model checker:
//! `RUSTFLAGS="--cfg loom" cargo test -p tripline-sdk --lib loom`.

use loom::sync::Arc;
use loom::thread;

use crate::breaker::{Admission, BreakerConfig, CallId, Machine, OpenTime, Outcome, State};
use crate::clock::Moment;
use crate::window::{CountWindow, EpochRing, Finished};
use std::time::Duration;

const FAILED: Finished = Finished {
    failed: true,
    slow: false,
};

fn machine(failures: u32) -> Machine {
    let mut config = BreakerConfig::new()
        .only_consecutive(failures)
        .window(crate::WindowConfig::Time {
            length: Duration::from_secs(1),
            buckets: 1,
        })
        .open(OpenTime::fixed(Duration::from_secs(1)))
        .seed(1);
    config.stripes = 1;
    config.half_open.permits = 1;
    config.half_open.concurrent = 1;
    Machine::new(config, Moment::ZERO).expect("it is valid")
}

fn admit(machine: &Machine, at: Moment) -> Option<Admission> {
    machine.admit(at, &mut |_| {}).ok()
}

#[test]
fn loom_a_slot_that_turns_over_loses_no_count() {
    loom::model(|| {
        let ring = Arc::new(EpochRing::<1>::new(1, 10, 1));
        ring.add(0, 0, 0, 0);
        let other = Arc::clone(&ring);
        let thread = thread::spawn(move || other.add(0, 0, 1, 0));
        assert!(ring.add(0, 0, 1, 0));
        assert!(thread.join().expect("no panic"));
        assert_eq!(ring.sums(0, Moment::from_nanos(15)), [2]);
    });
}

#[test]
fn loom_a_write_of_an_ended_era_never_reaches_the_next() {
    loom::model(|| {
        let ring = Arc::new(EpochRing::<1>::new(1, 10, 1));
        let other = Arc::clone(&ring);
        let late = thread::spawn(move || other.add(0, 0, 0, 0));
        ring.begin(1);
        late.join().expect("no panic");
        assert_eq!(ring.sums(1, Moment::ZERO), [0]);
    });
}

#[test]
fn loom_a_count_window_keeps_its_totals_equal_to_its_outcomes() {
    loom::model(|| {
        let window = Arc::new(CountWindow::new(1));
        let other = Arc::clone(&window);
        let thread = thread::spawn(move || other.record(0, FAILED));
        window.record(0, FAILED);
        thread.join().expect("no panic");
        let sums = window.sums(0);
        assert_eq!((sums.calls, sums.failures), (1, 1));
    });
}

#[test]
fn loom_a_result_of_an_ended_era_never_reaches_the_next_count_window() {
    loom::model(|| {
        let window = Arc::new(CountWindow::new(1));
        let other = Arc::clone(&window);
        let late = thread::spawn(move || other.record(0, FAILED));
        window.begin(1);
        late.join().expect("no panic");
        assert_eq!(window.sums(1), crate::window::Sums::default());
        assert!(window.record(1, FAILED));
        let sums = window.sums(1);
        assert_eq!((sums.calls, sums.failures), (1, 1));
    });
}

/// A breaker that has been tripped and is due to probe at the moment answered.
fn tripped() -> (Machine, Moment) {
    let machine = machine(1);
    let call = admit(&machine, Moment::ZERO).expect("closed");
    machine.record(
        call,
        Outcome::Failure,
        Moment::ZERO,
        CallId::default,
        &mut |_| {},
    );
    (machine, Moment::from_millis(1_000))
}

#[test]
fn loom_a_probe_given_up_by_one_thread_wedges_nobody() {
    loom::model(|| {
        let (machine, due) = tripped();
        let machine = Arc::new(machine);
        let probe = admit(&machine, due).expect("the first probe");
        let other = Arc::clone(&machine);
        let thread = thread::spawn(move || {
            other.cancel(probe, false, due, CallId::default, &mut |_| {});
        });
        // Whether or not it gets the permit back at this moment, it does afterwards.
        let early = admit(&machine, due);
        thread.join().expect("no panic");
        let probe = early
            .or_else(|| admit(&machine, due))
            .expect("a permit is free again");
        machine.record(probe, Outcome::Success, due, CallId::default, &mut |_| {});
        assert_eq!(machine.state(due), State::Closed);
    });
}

#[test]
fn loom_a_late_failure_of_the_closed_era_decides_no_probe() {
    loom::model(|| {
        let machine = machine(1);
        let (late, call) = (admit(&machine, Moment::ZERO), admit(&machine, Moment::ZERO));
        machine.record(
            call.expect("closed"),
            Outcome::Failure,
            Moment::ZERO,
            CallId::default,
            &mut |_| {},
        );
        let due = Moment::from_millis(1_000);
        let machine = Arc::new(machine);
        let other = Arc::clone(&machine);
        let late = late.expect("closed");
        let thread = thread::spawn(move || {
            other.record(late, Outcome::Failure, due, CallId::default, &mut |_| {});
        });
        let probe = admit(&machine, due).expect("a probe");
        machine.record(probe, Outcome::Success, due, CallId::default, &mut |_| {});
        thread.join().expect("no panic");
        assert_eq!(machine.state(due), State::Closed);
    });
}

#[test]
fn loom_failures_that_race_trip_exactly_once() {
    loom::model(|| {
        let machine = Arc::new(machine(2));
        let now = Moment::ZERO;
        let calls = [admit(&machine, now), admit(&machine, now)];
        let threads = calls.map(|call| {
            let machine = Arc::clone(&machine);
            thread::spawn(move || {
                let mut trips = 0;
                if let Some(call) = call {
                    let hear = &mut |_: &crate::Transition| trips += 1;
                    machine.record(call, Outcome::Failure, now, CallId::default, hear);
                }
                trips
            })
        });
        let trips: i32 = threads
            .into_iter()
            .map(|thread| thread.join().expect("no panic"))
            .sum();
        assert_eq!((trips, machine.state(now)), (1, State::Open));
    });
}

#[test]
fn loom_one_permit_is_issued_once() {
    loom::model(|| {
        let (machine, later) = tripped();
        let machine = Arc::new(machine);
        let other = Arc::clone(&machine);
        let thread = thread::spawn(move || admit(&other, later).is_some());
        let here = admit(&machine, later).is_some();
        let there = thread.join().expect("no panic");
        assert!(here != there, "exactly one of them is the probe");
    });
}
