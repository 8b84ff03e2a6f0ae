//! The rules a breaker keeps, one by one.
#![cfg(not(loom))]
#![expect(clippy::unwrap_used, reason = "a test that cannot go on stops")]

use std::time::Duration;

use tripline_sdk::{
    BreakerConfig, CallId, CircuitBreaker, Clock, CloseOn, HalfOpen, Jitter, Listener, Machine,
    ManualClock, Mode, Moment, OnDrop, OpenTime, Outcome, Ramp, Reason, RejectReason, SlowCalls,
    State, Transition, WindowConfig,
};

fn breaker(config: BreakerConfig) -> (ManualClock, CircuitBreaker<ManualClock>) {
    let clock = ManualClock::default();
    let made = CircuitBreaker::builder("stock", config)
        .clock(clock.clone())
        .build()
        .unwrap();
    (clock, made)
}

fn calls(breaker: &CircuitBreaker<ManualClock>, count: usize, outcome: Outcome) {
    (0..count).for_each(|_| breaker.acquire().expect("admitted").finish(outcome));
}

#[test]
fn nothing_trips_before_the_minimum() {
    let (_, breaker) = breaker(BreakerConfig::new().consecutive_failures(2));
    calls(&breaker, 19, Outcome::Failure);
    assert_eq!(breaker.state(), State::Closed);
    assert_eq!(breaker.snapshot().failure_ratio, None);
    calls(&breaker, 1, Outcome::Failure);
    assert_eq!(breaker.state(), State::Open);
}

#[test]
fn the_minimum_of_a_count_window_is_at_most_its_size() {
    let config = BreakerConfig::new()
        .window(WindowConfig::Count { size: 4 })
        .minimum_calls(100);
    let (_, breaker) = breaker(config);
    calls(&breaker, 4, Outcome::Failure);
    assert_eq!(breaker.state(), State::Open);
}

#[test]
fn a_ratio_at_its_threshold_trips() {
    let (_, breaker) = breaker(BreakerConfig::new().minimum_calls(10).failure_ratio(0.1));
    calls(&breaker, 9, Outcome::Success);
    calls(&breaker, 1, Outcome::Failure);
    assert_eq!(breaker.state(), State::Open);
}

#[test]
fn successes_alone_never_trip_and_never_pay_for_the_sums() {
    let (_, breaker) = breaker(BreakerConfig::new());
    calls(&breaker, 1_000, Outcome::Success);
    assert_eq!(breaker.state(), State::Closed);
    assert_eq!(breaker.snapshot().window.calls, 1_000);
}

#[test]
fn slow_successes_trip_on_their_own_ratio() {
    let slow = SlowCalls {
        threshold: Duration::from_millis(100),
        ratio: 0.5,
    };
    let (clock, breaker) = breaker(BreakerConfig::new().minimum_calls(4).slow_calls(slow));
    calls(&breaker, 2, Outcome::Success);
    for _ in 0..2 {
        let permit = breaker.acquire().unwrap();
        clock.advance(Duration::from_millis(100));
        permit.finish(Outcome::Success);
    }
    assert_eq!(breaker.state(), State::Open);
    assert_eq!(breaker.snapshot().totals.slow_success, 2);
}

#[test]
fn an_open_breaker_says_when_to_come_back() {
    let config = BreakerConfig::new().only_consecutive(1);
    let (clock, breaker) = breaker(config.open(OpenTime::fixed(Duration::from_secs(5))));
    calls(&breaker, 1, Outcome::Failure);
    clock.advance(Duration::from_secs(2));
    let refused = breaker.acquire().unwrap_err();
    assert_eq!(refused.retry_after, Some(Duration::from_secs(3)));
}

#[test]
fn the_open_time_grows_with_every_attempt_up_to_its_cap() {
    let open = OpenTime {
        jitter: Jitter::None,
        ..OpenTime::default()
    };
    let (clock, breaker) = breaker(BreakerConfig::new().only_consecutive(1).open(open));
    let mut lengths = Vec::new();
    for _ in 0..6 {
        calls(&breaker, 1, Outcome::Failure);
        let wait = breaker.acquire().unwrap_err().retry_after.unwrap();
        lengths.push(wait.as_secs());
        clock.advance(wait);
    }
    assert_eq!(lengths, [5, 10, 20, 40, 60, 60]);
}

#[test]
fn a_flapping_peer_is_remembered_and_a_healthy_one_forgiven() {
    let open = OpenTime {
        jitter: Jitter::None,
        ..OpenTime::default()
    };
    let (clock, breaker) = breaker(BreakerConfig::new().only_consecutive(1).open(open));
    let trip = |healthy: u64| {
        clock.advance(Duration::from_secs(healthy));
        calls(&breaker, 1, Outcome::Failure);
        let wait = breaker.acquire().unwrap_err().retry_after.unwrap();
        clock.advance(wait);
        calls(&breaker, 3, Outcome::Success);
        wait.as_secs()
    };
    assert_eq!([trip(0), trip(1), trip(1)], [5, 10, 20], "flapping");
    assert_eq!(trip(60), 20, "a minute forgives one attempt");
    assert_eq!(trip(600), 5, "ten minutes forgive all");
}

#[test]
fn jitter_spreads_the_open_time_and_repeats_with_its_seed() {
    let length = |seed| {
        let (_, breaker) = breaker(BreakerConfig::new().only_consecutive(1).seed(seed));
        calls(&breaker, 1, Outcome::Failure);
        breaker.acquire().unwrap_err().retry_after.unwrap()
    };
    assert_eq!(length(1), length(1));
    assert_ne!(length(1), length(2));
    for seed in 0..100 {
        let secs = length(seed).as_secs_f64();
        assert!((4.0..=6.0).contains(&secs), "{secs} is not 5 s ±20 %");
    }
}

#[test]
fn the_peers_own_hint_overrules_the_open_time_within_its_cap() {
    let open_for = |hint: Option<u64>| {
        let (_, breaker) = breaker(BreakerConfig::new().only_consecutive(1).open(OpenTime {
            jitter: Jitter::None,
            ..OpenTime::default()
        }));
        let retry_after = hint.map(Duration::from_secs);
        calls(&breaker, 1, Outcome::Overload { retry_after });
        breaker
            .acquire()
            .unwrap_err()
            .retry_after
            .unwrap()
            .as_secs()
    };
    assert_eq!(open_for(Some(17)), 17);
    assert_eq!(open_for(Some(100_000)), 60);
    assert_eq!(open_for(None), 5);
    assert_eq!(open_for(Some(0)), 5, "come back at once is no hint");
}

fn half_open(
    half_open: HalfOpen,
    failure_ratio: f64,
) -> (ManualClock, CircuitBreaker<ManualClock>) {
    let mut config = BreakerConfig::new()
        .half_open(half_open)
        .failure_ratio(failure_ratio);
    config.minimum_calls = 1;
    let (clock, breaker) = breaker(config.open(OpenTime::fixed(Duration::from_secs(5))));
    calls(&breaker, 1, Outcome::Failure);
    clock.advance(Duration::from_secs(5));
    (clock, breaker)
}

#[test]
fn half_open_decides_as_soon_as_the_rest_cannot_change_it() {
    let ten = HalfOpen {
        permits: 10,
        concurrent: 10,
        ..HalfOpen::default()
    };
    let (_, breaker) = half_open(ten, 0.5);
    calls(&breaker, 5, Outcome::Success);
    assert_eq!(
        breaker.state(),
        State::HalfOpen,
        "five failures would still reopen"
    );
    calls(&breaker, 1, Outcome::Success);
    assert_eq!(breaker.state(), State::Closed);

    let (_, breaker) = half_open(ten, 0.5);
    calls(&breaker, 4, Outcome::Failure);
    assert_eq!(breaker.state(), State::HalfOpen);
    calls(&breaker, 1, Outcome::Failure);
    assert_eq!(breaker.state(), State::Open);
}

#[test]
fn half_open_waits_for_every_result_if_told_to() {
    let patient = HalfOpen {
        permits: 4,
        concurrent: 4,
        decide_early: false,
        ..HalfOpen::default()
    };
    let mut config = BreakerConfig::new().half_open(patient);
    config.minimum_calls = 10;
    let (clock, breaker) = breaker(config.open(OpenTime::fixed(Duration::from_secs(5))));
    calls(&breaker, 10, Outcome::Failure);
    clock.advance(Duration::from_secs(5));
    calls(&breaker, 3, Outcome::Failure);
    assert_eq!(breaker.state(), State::HalfOpen);
    calls(&breaker, 1, Outcome::Success);
    assert_eq!(breaker.state(), State::Open);
}

#[test]
fn half_open_closes_on_the_wanted_number_of_successes() {
    let two = HalfOpen {
        permits: 4,
        concurrent: 4,
        close_on: CloseOn::Successes(2),
        ..HalfOpen::default()
    };
    let (_, breaker) = half_open(two, 0.5);
    calls(&breaker, 1, Outcome::Failure);
    calls(&breaker, 1, Outcome::Success);
    calls(&breaker, 1, Outcome::Failure);
    assert_eq!(breaker.state(), State::HalfOpen);
    calls(&breaker, 1, Outcome::Success);
    assert_eq!(breaker.state(), State::Closed);
}

#[test]
fn slow_probes_reopen() {
    let slow = SlowCalls {
        threshold: Duration::from_secs(1),
        ratio: 0.5,
    };
    let (clock, breaker) = breaker(
        BreakerConfig::new()
            .slow_calls(slow)
            .consecutive_failures(1)
            .minimum_calls(1),
    );
    calls(&breaker, 1, Outcome::Failure);
    clock.advance(Duration::from_secs(60));
    for _ in 0..2 {
        let permit = breaker.acquire().unwrap();
        clock.advance(Duration::from_secs(1));
        permit.finish(Outcome::Success);
    }
    assert_eq!(breaker.state(), State::Open);
}

#[test]
fn a_ramp_lets_traffic_in_gradually() {
    let config = BreakerConfig::new().only_consecutive(1).seed(7).ramp(Ramp {
        from: 0.1,
        over: Duration::from_secs(10),
    });
    let (clock, breaker) = breaker(config);
    calls(&breaker, 1, Outcome::Failure);
    clock.advance(Duration::from_secs(60));
    calls(&breaker, 3, Outcome::Success);
    assert_eq!(breaker.state(), State::Closed);
    let share = || {
        let admitted = |_: &usize| match breaker.acquire() {
            Ok(permit) => {
                permit.finish(Outcome::Success);
                true
            }
            Err(refused) => {
                assert_eq!(refused.reason, RejectReason::Ramp);
                false
            }
        };
        (0..1_000).filter(admitted).count()
    };
    assert!((50..150).contains(&share()));
    clock.advance(Duration::from_secs(5));
    assert!((480..620).contains(&share()));
    clock.advance(Duration::from_secs(5));
    assert_eq!(share(), 1_000);
}

#[test]
fn forced_open_refuses_everything_and_keeps_counting() {
    let (_, breaker) = breaker(BreakerConfig::new());
    let running = breaker.acquire().unwrap();
    breaker.set_mode(Mode::ForcedOpen);
    assert_eq!(
        breaker.acquire().unwrap_err().reason,
        RejectReason::ForcedOpen
    );
    running.finish(Outcome::Failure);
    let totals = breaker.snapshot().totals;
    assert_eq!((totals.rejected, totals.failure), (1, 1));
    breaker.set_mode(Mode::Enforcing);
    assert_eq!(breaker.state(), State::Closed);
}

#[test]
fn disabled_passes_everything_and_announces_nothing() {
    let clock = ManualClock::default();
    let breaker = CircuitBreaker::builder(
        "stock",
        BreakerConfig::new()
            .only_consecutive(1)
            .mode(Mode::Disabled),
    )
    .clock(clock)
    .listen(|_: &str, change: &Transition| panic!("announced {change:?}"))
    .build()
    .unwrap();
    for _ in 0..10 {
        breaker.acquire().unwrap().finish(Outcome::Failure);
    }
    let snapshot = breaker.snapshot();
    assert_eq!(
        (snapshot.state, snapshot.computed),
        (State::Disabled, State::Open)
    );
    assert_eq!(snapshot.totals.would_reject, 9);
}

#[test]
fn dropped_calls_can_be_told_to_count_as_failures() {
    let (_, breaker) = breaker(
        BreakerConfig::new()
            .only_consecutive(2)
            .on_drop(OnDrop::Failure),
    );
    (0..2).for_each(|_| drop(breaker.acquire()));
    assert_eq!(breaker.state(), State::Open);
    assert_eq!(breaker.snapshot().totals.cancelled, 2);
}

#[test]
fn time_in_state_adds_up_to_the_age_of_the_breaker() {
    let (clock, breaker) = breaker(
        BreakerConfig::new()
            .only_consecutive(1)
            .open(OpenTime::fixed(Duration::from_secs(5))),
    );
    clock.advance(Duration::from_secs(3));
    calls(&breaker, 1, Outcome::Failure);
    clock.advance(Duration::from_secs(9));
    let unnoticed = breaker.snapshot();
    breaker.tick();
    let noticed = breaker.snapshot();
    for snapshot in [unnoticed, noticed] {
        assert_eq!(snapshot.time_in(State::Closed), Duration::from_secs(3));
        assert_eq!(snapshot.time_in(State::Open), Duration::from_secs(5));
        assert_eq!(snapshot.time_in(State::HalfOpen), Duration::from_secs(4));
    }
    let total: Duration = State::ALL.iter().map(|state| noticed.time_in(*state)).sum();
    assert_eq!(total, breaker.clock().now().since(Moment::ZERO));
}

#[test]
fn a_trip_names_the_call_that_tipped_it_and_those_that_led_to_it() {
    struct Trace;
    impl Listener for Trace {
        fn on_transition(&self, _: &str, change: &Transition) {
            assert_eq!(
                change.tripped_by,
                Some(CallId {
                    trace_id: 42,
                    span_id: 7
                })
            );
        }
        fn current_call(&self) -> CallId {
            CallId {
                trace_id: 42,
                span_id: 7,
            }
        }
    }
    let breaker = CircuitBreaker::builder("stock", BreakerConfig::new().only_consecutive(1))
        .listen(Trace)
        .build()
        .unwrap();
    breaker.acquire().unwrap().finish(Outcome::Failure);
    assert_eq!(breaker.state(), State::Open);

    let machine = Machine::new(BreakerConfig::new().only_consecutive(12), Moment::ZERO).unwrap();
    let mut made = None;
    for trace_id in 1..=12 {
        let now = Moment::from_millis(trace_id as u64);
        let call = machine.admit(now, &mut |_| {}).unwrap();
        let id = || CallId {
            trace_id,
            span_id: 1,
        };
        machine.record(call, Outcome::Failure, now, id, &mut |change| {
            made = Some(*change);
        });
    }
    let made = made.expect("it tripped");
    let traces: Vec<_> = made
        .contributing
        .iter()
        .flatten()
        .map(|call| call.trace_id)
        .collect();
    assert_eq!(traces, [12, 11, 10, 9, 8, 7, 6, 5]);
    assert_eq!(
        (made.reason, made.window.failures),
        (Reason::Consecutive, 12)
    );
}

#[test]
fn a_breaker_of_default_settings_fits_into_four_kilobytes() {
    let made = allocation_counter::measure(|| {
        std::mem::forget(CircuitBreaker::new("stock", BreakerConfig::new()).unwrap());
    });
    assert!(made.bytes_total <= 4_096, "{} bytes", made.bytes_total);
}

#[test]
fn no_path_of_a_call_allocates() {
    let (clock, breaker) = breaker(BreakerConfig::new().only_consecutive(3));
    let cycle = || {
        calls(&breaker, 10, Outcome::Success);
        calls(&breaker, 1, Outcome::Ignore);
        drop(breaker.acquire());
        calls(&breaker, 3, Outcome::Failure);
        (0..1_000).for_each(|_| assert!(breaker.acquire().is_err()));
        clock.advance(Duration::from_secs(60));
        calls(&breaker, 3, Outcome::Success);
        let permit = breaker.acquire_owned().unwrap();
        permit.finish(Outcome::Success);
        assert_eq!(breaker.snapshot().state, State::Closed);
    };
    cycle();
    let measured = allocation_counter::measure(|| (0..10).for_each(|_| cycle()));
    assert_eq!(measured.count_total, 0);
}
