//! The sliding window counter: this window's count plus the share of the last one still in view.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::clock::{Moment, nanos};

use super::{Decision, RateLimit};

/// About so many in any window, in the memory of two counters. It takes the calls of the last
/// window as evenly spread.
///
/// ```
/// use std::time::Duration;
/// use tripline_sdk::{Moment, RateLimit, SlidingCounter};
/// let limiter = SlidingCounter::new(10, Duration::from_secs(1));
/// assert!(limiter.check(10, Moment::from_millis(900)).allowed);
/// assert!(!limiter.check(1, Moment::from_millis(1_000)).allowed, "all ten are still in view");
/// assert!(limiter.check(5, Moment::from_millis(1_500)).allowed, "half of them are");
/// ```
#[derive(Debug)]
pub struct SlidingCounter {
    limit: u32,
    length_ns: u64,
    state: Mutex<State>,
}

#[derive(Clone, Copy, Debug, Default)]
struct State {
    window: u64,
    before: u32,
    used: u32,
}

impl SlidingCounter {
    /// `limit` in any `length`.
    ///
    /// ```
    /// use std::time::Duration;
    /// use tripline_sdk::{Moment, RateLimit, SlidingCounter};
    /// let limiter = SlidingCounter::new(10, Duration::from_secs(1));
    /// assert_eq!(limiter.check(4, Moment::ZERO).remaining, 6);
    /// let later = limiter.check(1, Moment::from_millis(1_250));
    /// assert_eq!(later.remaining, 6, "three of the four are still in view");
    /// ```
    #[must_use]
    pub fn new(limit: u32, length: Duration) -> Self {
        Self {
            limit,
            length_ns: nanos(length).max(1),
            state: Mutex::new(State::default()),
        }
    }

    /// When `cost` fits, if nothing else happens: once enough of the older window has left the
    /// view, or in the window after that.
    fn wait(&self, state: State, cost: u32, into_ns: u64) -> Duration {
        let room = i64::from(self.limit) - i64::from(cost);
        let length = self.length_ns as f64;
        let share_of = |older: u32, newer: u32| (room - i64::from(newer)) as f64 / f64::from(older);
        let fits_now = share_of(state.before.max(1), state.used);
        let at = if fits_now >= 0.0 {
            length * (1.0 - fits_now.min(1.0))
        } else {
            length * (2.0 - share_of(state.used.max(1), 0).clamp(0.0, 1.0))
        };
        Duration::from_nanos((at - into_ns as f64).max(0.0).ceil() as u64)
    }
}

impl RateLimit for SlidingCounter {
    fn check(&self, cost: u32, now: Moment) -> Decision {
        let window = now.as_nanos() / self.length_ns;
        let into_ns = now.as_nanos() % self.length_ns;
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if window > state.window {
            let before = if window == state.window + 1 {
                state.used
            } else {
                0
            };
            *state = State {
                window,
                before,
                used: 0,
            };
        }
        let in_view = 1.0 - into_ns as f64 / self.length_ns as f64;
        let weighted = f64::from(state.before) * in_view + f64::from(state.used);
        let allowed = weighted + f64::from(cost) <= f64::from(self.limit);
        if allowed {
            state.used += cost;
        }
        let after = if allowed {
            weighted + f64::from(cost)
        } else {
            weighted
        };
        let left = Duration::from_nanos(2 * self.length_ns - into_ns);
        Decision {
            allowed,
            retry_after: (!allowed && cost <= self.limit).then(|| self.wait(*state, cost, into_ns)),
            remaining: (f64::from(self.limit) - after).max(0.0) as u64,
            limit: u64::from(self.limit),
            reset_after: left,
        }
    }
}
