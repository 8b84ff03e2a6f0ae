//! The breaker and every limiter against a model that is slow, simple and obviously right.
#![cfg(not(loom))]
#![expect(clippy::unwrap_used, reason = "a test that cannot go on stops")]

use std::time::Duration;

use proptest::prelude::*;
use tripline_sdk::{
    Admission, BreakerConfig, CallId, FixedWindow, Gcra, HalfOpen, Machine, Moment, OpenTime,
    Outcome, Priority, RateLimit, ShedConfig, Shedder, SlidingCounter, SlidingLog, SlowCalls,
    State, TokenBucket, Transition, WarmUp, WarmUpConfig, WindowConfig,
};

/// Ten slices of a second, five seconds open, three probes, leases of four seconds, slow from one
/// second on.
fn config(count_window: bool) -> BreakerConfig {
    let mut config = BreakerConfig::new()
        .minimum_calls(5)
        .failure_ratio(0.5)
        .consecutive_failures(6)
        .slow_calls(SlowCalls {
            threshold: Duration::from_secs(1),
            ratio: 0.7,
        })
        .open(OpenTime::fixed(Duration::from_secs(5)));
    config.half_open = HalfOpen {
        lease: Some(Duration::from_secs(4)),
        ..HalfOpen::default()
    };
    if count_window {
        config.window = WindowConfig::Count { size: 12 };
    }
    config
}

#[derive(Clone, Copy, Debug)]
enum Step {
    Admit,
    Finish { which: usize, outcome: u8 },
    Cancel { which: usize },
    Wait { ms: u64 },
    Tick,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        5 => Just(Step::Admit),
        5 => (any::<usize>(), 0_u8..8).prop_map(|(which, outcome)| Step::Finish { which, outcome }),
        1 => any::<usize>().prop_map(|which| Step::Cancel { which }),
        2 => prop_oneof![4 => 0_u64..400, 1 => 400_u64..8_000].prop_map(|ms| Step::Wait { ms }),
        1 => Just(Step::Tick),
    ]
}

struct ModelCall {
    era: u32,
    start: u64,
    probe: Option<usize>,
}

/// All that ever happened, looked at anew for every question.
struct Model {
    count_window: bool,
    state: State,
    era: u32,
    open_until: u64,
    /// `(slice, failed, slow)` of the calls of this closed era, in the order they were recorded.
    recorded: Vec<(u64, bool, bool)>,
    run: u32,
    /// Deadlines of the probes of this era; nothing once reported, given back or expired.
    probes: Vec<Option<u64>>,
    results: Vec<(bool, bool)>,
}

impl Model {
    fn enter(&mut self, state: State) {
        self.state = state;
        self.era += 1;
        self.probes.clear();
        self.results.clear();
        if state == State::Closed {
            self.recorded.clear();
            self.run = 0;
        }
    }

    fn open(&mut self, at: u64) {
        self.enter(State::Open);
        self.open_until = at + 5_000;
    }

    fn settle(&mut self, now: u64) {
        loop {
            if self.state == State::Open && now >= self.open_until {
                self.enter(State::HalfOpen);
            } else if self.state == State::HalfOpen
                && let Some(due) = self.probes.iter().flatten().min().copied()
                && due <= now
            {
                let place = self
                    .probes
                    .iter()
                    .position(|probe| *probe == Some(due))
                    .unwrap();
                self.probes[place] = None;
                self.results.push((true, true));
                self.decide(due);
            } else {
                return;
            }
        }
    }

    fn admit(&mut self, now: u64) -> Option<ModelCall> {
        self.settle(now);
        let probe = match self.state {
            State::Closed => None,
            State::HalfOpen => {
                let in_flight = self.probes.iter().flatten().count();
                if in_flight + self.results.len() >= 3 {
                    return None;
                }
                self.probes.push(Some(now + 4_000));
                Some(self.probes.len() - 1)
            }
            _ => return None,
        };
        Some(ModelCall {
            era: self.era,
            start: now,
            probe,
        })
    }

    fn decide(&mut self, at: u64) {
        let left = 3 - self.results.len();
        let failed = self.results.iter().filter(|result| result.0).count();
        let slow = self.results.iter().filter(|result| result.1).count();
        let over =
            |failed: usize, slow: usize| failed as f64 / 3.0 >= 0.5 || slow as f64 / 3.0 >= 0.7;
        if over(failed, slow) {
            self.open(at);
        } else if !over(failed + left, slow + left) {
            self.enter(State::Closed);
        }
    }

    /// `failed` of nothing means ignored or cancelled.
    fn finish(&mut self, call: &ModelCall, failed: Option<bool>, cancelled: bool, now: u64) {
        let slow = now - call.start >= 1_000;
        let nothing = failed.is_none() && !(cancelled && slow);
        if let Some(place) = call.probe {
            self.settle(now);
            if self.era != call.era || self.probes[place].is_none() {
                return;
            }
            self.probes[place] = None;
            if !nothing {
                self.results.push((failed.unwrap_or(true), slow));
                self.decide(now);
            }
            return;
        }
        if self.era != call.era || nothing {
            return;
        }
        let began = call.start / 1_000;
        let slice = if now / 1_000 - began < 10 {
            began
        } else {
            now / 1_000
        };
        self.recorded.push((slice, failed == Some(true), slow));
        match failed {
            Some(true) => self.run += 1,
            Some(false) => self.run = 0,
            None => {}
        }
        if failed != Some(true) && !slow {
            return;
        }
        let sums = self.window(now);
        let (calls, failures, slow) = (sums.0 as f64, sums.1 as f64, sums.2 as f64);
        if sums.0 >= 5 && (self.run >= 6 || failures / calls >= 0.5 || slow / calls >= 0.7) {
            self.open(now);
        }
    }

    fn window(&self, now: u64) -> (usize, usize, usize) {
        let live: Vec<_> = if self.count_window {
            self.recorded.iter().rev().take(12).collect()
        } else {
            let live = |call: &&(u64, bool, bool)| call.0 + 10 > now / 1_000;
            self.recorded.iter().filter(live).collect()
        };
        let failed = live.iter().filter(|call| call.1).count();
        (
            live.len(),
            failed,
            live.iter().filter(|call| call.2).count(),
        )
    }
}

fn run(steps: &[Step], count_window: bool) -> Result<(), TestCaseError> {
    let machine = Machine::new(config(count_window), Moment::ZERO).unwrap();
    let mut model = Model {
        count_window,
        state: State::Closed,
        era: 0,
        open_until: 0,
        recorded: Vec::new(),
        run: 0,
        probes: Vec::new(),
        results: Vec::new(),
    };
    let mut now = 0;
    let mut calls: Vec<(Admission, ModelCall)> = Vec::new();
    let mut announced: Vec<Transition> = Vec::new();
    for step in steps {
        let at = Moment::from_millis(now);
        let hear = &mut |change: &Transition| announced.push(*change);
        match *step {
            Step::Wait { ms } => now += ms,
            Step::Tick => machine.tick(at, hear),
            Step::Admit => {
                let (got, expected) = (machine.admit(at, hear), model.admit(now));
                prop_assert_eq!(got.is_ok(), expected.is_some(), "{:?}", got);
                calls.extend(got.ok().zip(expected));
            }
            Step::Finish { .. } | Step::Cancel { .. } if calls.is_empty() => {}
            Step::Finish { which, outcome } => {
                let (admission, call) = calls.swap_remove(which % calls.len());
                let (outcome, failed) = match outcome {
                    0 => (Outcome::Ignore, None),
                    1..=4 => (Outcome::Failure, Some(true)),
                    _ => (Outcome::Success, Some(false)),
                };
                machine.record(admission, outcome, at, CallId::default, hear);
                model.finish(&call, failed, false, now);
            }
            Step::Cancel { which } => {
                let (admission, call) = calls.swap_remove(which % calls.len());
                machine.cancel(admission, false, at, CallId::default, hear);
                model.finish(&call, None, true, now);
            }
        }
        let at = Moment::from_millis(now);
        model.settle(now);
        machine.tick(at, &mut |change| announced.push(*change));
        let snapshot = machine.snapshot(at);
        prop_assert_eq!(snapshot.state, model.state);
        if model.state == State::Closed {
            let window = snapshot.window;
            let got = (
                window.calls as usize,
                window.failures as usize,
                window.slow as usize,
            );
            prop_assert_eq!(got, model.window(now));
        }
        prop_assert_eq!(snapshot.totals.in_flight() as usize, calls.len());
        let lived: Duration = State::ALL
            .iter()
            .map(|state| snapshot.time_in(*state))
            .sum();
        prop_assert_eq!(lived, Duration::from_millis(now));
    }
    for pair in announced.windows(2) {
        prop_assert_eq!(pair[0].to, pair[1].from);
        prop_assert!(pair[0].at <= pair[1].at);
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn the_breaker_does_what_the_model_does_with_a_time_window(
        steps in prop::collection::vec(step(), 1..250),
    ) {
        run(&steps, false)?;
    }

    #[test]
    fn the_breaker_does_what_the_model_does_with_a_count_window(
        steps in prop::collection::vec(step(), 1..250),
    ) {
        run(&steps, true)?;
    }
}

/// Waits in milliseconds and costs.
fn demands() -> impl Strategy<Value = Vec<(u64, u32)>> {
    prop::collection::vec((0_u64..700, 1_u32..6), 1..120)
}

/// What `limiter` admitted: `(when in ms, cost)`; and that a refused call may come when told.
fn admitted(
    limiter: &impl RateLimit,
    demands: &[(u64, u32)],
) -> Result<Vec<(u64, u32)>, TestCaseError> {
    let mut taken = Vec::new();
    let mut ms = 0;
    for (wait, cost) in demands {
        ms += wait;
        let decision = limiter.check(*cost, Moment::from_millis(ms));
        prop_assert!(decision.remaining <= decision.limit);
        prop_assert!(!decision.allowed || decision.retry_after.is_none());
        if decision.allowed {
            taken.push((ms, *cost));
        } else if let Some(wait) = decision.retry_after {
            prop_assert!(wait > Duration::ZERO, "refused, but may come at once");
        }
    }
    Ok(taken)
}

/// The most that any window of `length` holds.
fn most_in_any(taken: &[(u64, u32)], length: u64) -> u32 {
    let from = |start: u64| {
        let inside = taken
            .iter()
            .filter(|(at, _)| *at >= start && *at < start + length);
        inside.map(|(_, cost)| cost).sum()
    };
    taken
        .iter()
        .map(|(start, _)| from(*start))
        .max()
        .unwrap_or(0)
}

proptest! {
    #[test]
    fn a_token_bucket_equals_tokens_counted_in_thousandths(demands in demands()) {
        // Five a second, eight at most: a thousandth of a token is five microseconds long.
        let bucket = TokenBucket::new(5.0, 8, Moment::ZERO);
        let (mut milli, mut ms) = (8_000_u64, 0);
        for (wait, cost) in demands {
            ms += wait;
            milli = (milli + wait * 5).min(8_000);
            let fits = milli >= u64::from(cost) * 1_000;
            prop_assert_eq!(bucket.check(cost, Moment::from_millis(ms)).allowed, fits);
            if fits {
                milli -= u64::from(cost) * 1_000;
            }
        }
    }

    #[test]
    fn a_leaky_bucket_equals_a_token_bucket_of_the_same_rate(demands in demands()) {
        let meter = Gcra::new(Duration::from_millis(200), 8);
        let bucket = TokenBucket::new(5.0, 8, Moment::ZERO);
        prop_assert_eq!(admitted(&meter, &demands)?, admitted(&bucket, &demands)?);
    }

    #[test]
    fn a_leaky_bucket_as_a_queue_lets_calls_out_at_its_rate(demands in demands()) {
        let queue = Gcra::new(Duration::from_millis(100), 1);
        let (mut ms, mut free_at) = (0, 0);
        for (wait, cost) in demands {
            ms += wait;
            let starts_at = free_at.max(ms) + u64::from(cost - 1) * 100;
            match queue.reserve(cost, Moment::from_millis(ms), Duration::from_secs(2)) {
                Ok(wait) => {
                    prop_assert_eq!(ms + wait.as_millis() as u64, starts_at);
                    free_at = starts_at + 100;
                }
                Err(wait) => prop_assert!(wait > Duration::from_secs(2)),
            }
        }
    }

    #[test]
    fn a_fixed_window_equals_a_count_by_window(demands in demands()) {
        let limiter = FixedWindow::new(7, Duration::from_secs(1));
        let (mut ms, mut window, mut used) = (0, 0, 0);
        for (wait, cost) in demands {
            ms += wait;
            if ms / 1_000 != window {
                (window, used) = (ms / 1_000, 0);
            }
            let fits = used + cost <= 7;
            prop_assert_eq!(limiter.check(cost, Moment::from_millis(ms)).allowed, fits);
            used += if fits { cost } else { 0 };
        }
    }

    #[test]
    fn a_sliding_log_is_exact(demands in demands()) {
        let limiter = SlidingLog::new(7, Duration::from_secs(1));
        let mut log: Vec<u64> = Vec::new();
        let mut ms = 0;
        for (wait, cost) in demands {
            ms += wait;
            log.retain(|at| at + 1_000 > ms);
            let fits = log.len() + cost as usize <= 7;
            let decision = limiter.check(cost, Moment::from_millis(ms));
            prop_assert_eq!(decision.allowed, fits);
            if fits {
                log.extend(std::iter::repeat_n(ms, cost as usize));
            } else {
                // Told when to come back, it fits then, and not a millisecond earlier.
                let at = ms + decision.retry_after.unwrap().as_millis() as u64;
                let left = |at: u64| log.iter().filter(|taken| *taken + 1_000 > at).count();
                prop_assert!(left(at) + cost as usize <= 7);
                prop_assert!(left(at - 1) + cost as usize > 7);
            }
            prop_assert_eq!(decision.remaining as usize, 7 - log.len());
        }
    }

    #[test]
    fn a_sliding_counter_equals_its_formula(demands in demands()) {
        let limiter = SlidingCounter::new(8, Duration::from_secs(1));
        let mut taken: Vec<(u64, u32)> = Vec::new();
        let mut ms = 0;
        for (wait, cost) in demands {
            ms += wait;
            let in_window = |window: u64| -> u32 {
                taken.iter().filter(|(at, _)| at / 1_000 == window).map(|(_, cost)| cost).sum()
            };
            let before = (ms / 1_000).checked_sub(1).map_or(0, in_window);
            // In thousandths of a call, so that nothing is rounded.
            let view = u64::from(before) * (1_000 - ms % 1_000) + u64::from(in_window(ms / 1_000)) * 1_000;
            let total = view + u64::from(cost) * 1_000;
            let allowed = limiter.check(cost, Moment::from_millis(ms)).allowed;
            // On the very edge a double may fall to either side.
            prop_assert!(allowed == (total <= 8_000) || total == 8_000);
            if allowed {
                taken.push((ms, cost));
            }
        }
        prop_assert!(most_in_any(&taken, 1_000) <= 16);
    }

    #[test]
    fn a_warm_up_gives_between_a_third_and_all_of_its_rate(
        demands in prop::collection::vec(0_u32..40, 1..80),
    ) {
        let config = WarmUpConfig { per_second: 30.0, ..WarmUpConfig::default() };
        let limiter = WarmUp::new(config);
        let mut asked_in_vain = 0_u32;
        for (second, demand) in demands.iter().enumerate() {
            let now = Moment::from_millis(second as u64 * 1_000 + 500);
            let passed = (0..*demand).filter(|_| limiter.check(1, now).allowed).count() as u32;
            prop_assert!(passed <= 30, "{passed} in second {second}");
            prop_assert!(passed >= (*demand).min(10), "{passed} of {demand} in second {second}");
            // Long enough more than it gives, and it gives everything.
            asked_in_vain = if *demand > 30 { asked_in_vain + 1 } else { 0 };
            prop_assert!(asked_in_vain < 20 || passed == 30, "still cold in second {second}");
        }
    }

    #[test]
    fn shedding_refuses_the_least_important_first_and_nobody_once_it_is_calm(
        overloaded in 1_u64..40,
        priorities in prop::collection::vec(0_u16..500, 100),
    ) {
        let shedder = Shedder::new(ShedConfig::default(), Moment::ZERO);
        let second = |second: u64, wait: Duration| {
            let mut least_admitted = u16::MAX;
            let mut most_refused = None;
            for (call, level) in priorities.iter().enumerate() {
                let now = Moment::from_millis(second * 1_000 + 2 * call as u64 + 1);
                if shedder.admit(Priority::new(*level), now) {
                    shedder.waited(wait, now);
                    least_admitted = least_admitted.min(*level);
                } else {
                    most_refused = most_refused.max(Some(*level));
                }
            }
            (least_admitted, most_refused)
        };
        for at in 0..overloaded {
            let (admitted, refused) = second(at, Duration::from_millis(50));
            prop_assert!(refused.is_none_or(|refused| refused < admitted));
        }
        // What the last of them asks for is still shed; then a percent a second comes back.
        second(overloaded, Duration::ZERO);
        let level = shedder.level();
        for at in overloaded + 1..overloaded + 400 {
            second(at, Duration::ZERO);
            prop_assert!(shedder.level() <= level);
        }
        prop_assert_eq!(shedder.level(), Priority::new(0));
    }
}
