//! Warm-up: a cold system gets a fraction of the rate and earns the rest (Guava, Sentinel).
//!
//! Idle time stores permits; the more are stored, the colder the system is and the slower they
//! are given out: along a slope from `rate / cold_factor` down to the rate itself.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::clock::Moment;

use super::{Decision, RateLimit};

/// The settings of a [`WarmUp`].
///
/// ```
/// use std::time::Duration;
/// use tripline_sdk::WarmUpConfig;
/// let config = WarmUpConfig { per_second: 90.0, ..WarmUpConfig::default() };
/// assert_eq!((config.warm_up, config.cold_factor), (Duration::from_secs(10), 3.0));
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct WarmUpConfig {
    /// The rate when warm.
    pub per_second: f64,
    /// How long warming up takes.
    pub warm_up: Duration,
    /// What the rate is divided by when cold, above 1.
    pub cold_factor: f64,
}

impl Default for WarmUpConfig {
    /// 100 a second, ten seconds, a third when cold: Sentinel's defaults.
    fn default() -> Self {
        Self {
            per_second: 100.0,
            warm_up: Duration::from_secs(10),
            cold_factor: 3.0,
        }
    }
}

/// A limiter that starts slowly, decided second by second as Sentinel's is.
///
/// ```
/// use tripline_sdk::{Moment, RateLimit, WarmUp, WarmUpConfig};
/// let limiter = WarmUp::new(WarmUpConfig { per_second: 90.0, ..WarmUpConfig::default() });
/// let admitted = (0..90).filter(|_| limiter.check(1, Moment::from_millis(500)).allowed).count();
/// assert_eq!(admitted, 30, "a third while cold");
/// ```
#[derive(Debug)]
pub struct WarmUp {
    rate: f64,
    warning: f64,
    stored_max: f64,
    slope: f64,
    cold_factor: f64,
    state: Mutex<State>,
}

#[derive(Clone, Copy, Debug)]
struct State {
    second: u64,
    stored: f64,
    passed: u32,
}

const SECOND_NS: u64 = 1_000_000_000;

impl WarmUp {
    /// A cold limiter.
    ///
    /// ```
    /// use tripline_sdk::{Moment, RateLimit, WarmUp, WarmUpConfig};
    /// let config = WarmUpConfig { per_second: 60.0, cold_factor: 2.0, ..WarmUpConfig::default() };
    /// let first = WarmUp::new(config).check(1, Moment::ZERO);
    /// assert_eq!((first.limit, first.remaining), (30, 29), "half of the rate while cold");
    /// ```
    #[must_use]
    pub fn new(config: WarmUpConfig) -> Self {
        let rate = config.per_second.max(f64::MIN_POSITIVE);
        let cold_factor = config.cold_factor.max(1.0 + f64::EPSILON);
        let period = config.warm_up.as_secs_f64();
        let warning = period * rate / (cold_factor - 1.0);
        let stored_max = warning + 2.0 * period * rate / (1.0 + cold_factor);
        let slope = (cold_factor - 1.0) / rate / (stored_max - warning).max(f64::MIN_POSITIVE);
        let state = Mutex::new(State {
            second: 0,
            stored: stored_max,
            passed: 0,
        });
        Self {
            rate,
            warning,
            stored_max,
            slope,
            cold_factor,
            state,
        }
    }

    /// The rate with this many permits stored.
    fn rate_at(&self, stored: f64) -> f64 {
        if stored <= self.warning {
            return self.rate;
        }
        1.0 / ((stored - self.warning) * self.slope + 1.0 / self.rate)
    }

    fn advance(&self, state: &mut State, second: u64) {
        if second <= state.second {
            return;
        }
        let elapsed = (second - state.second) as f64;
        // What passed drains the store; an idle or slow system fills it.
        let last_rate = f64::from(state.passed) / elapsed;
        let cooling = state.stored < self.warning || last_rate < self.rate / self.cold_factor;
        let gained = if cooling { elapsed * self.rate } else { 0.0 };
        let stored = (state.stored + gained).min(self.stored_max) - f64::from(state.passed);
        *state = State {
            second,
            stored: stored.max(0.0),
            passed: 0,
        };
    }
}

impl RateLimit for WarmUp {
    fn check(&self, cost: u32, now: Moment) -> Decision {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        self.advance(&mut state, now.as_nanos() / SECOND_NS);
        // A hair above, so that a rate of exactly 30 admits 30 whatever the rounding.
        let limit = (self.rate_at(state.stored) + 1e-6) as u32;
        let allowed = state.passed.saturating_add(cost) <= limit;
        if allowed {
            state.passed += cost;
        }
        let next_second = Duration::from_nanos(SECOND_NS - now.as_nanos() % SECOND_NS);
        Decision {
            allowed,
            retry_after: (!allowed && f64::from(cost) <= self.rate).then_some(next_second),
            remaining: u64::from(limit.saturating_sub(state.passed)),
            limit: u64::from(limit),
            reset_after: next_second,
        }
    }
}
