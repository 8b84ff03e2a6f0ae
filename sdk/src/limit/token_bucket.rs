//! The token bucket: filled at a rate, emptied by calls, never fuller than its size.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::clock::{Moment, seconds};

use super::{Decision, RateLimit};

/// A token bucket, refilled lazily.
///
/// ```
/// use tripline_sdk::{Moment, RateLimit, TokenBucket};
/// let bucket = TokenBucket::new(2.0, 4, Moment::ZERO);
/// assert!(bucket.check(4, Moment::ZERO).allowed, "a burst");
/// assert!(!bucket.check(1, Moment::from_millis(400)).allowed);
/// assert!(bucket.check(1, Moment::from_millis(500)).allowed, "two a second");
/// ```
#[derive(Debug)]
pub struct TokenBucket {
    per_second: f64,
    size: u32,
    state: Mutex<State>,
}

#[derive(Clone, Copy, Debug)]
struct State {
    tokens: f64,
    at: Moment,
}

/// Less than this much of a token is a rounding error of the time it took to refill it.
const ROUNDING: f64 = 1e-9;

impl TokenBucket {
    /// A full bucket of `size` tokens that gains `per_second` a second.
    ///
    /// ```
    /// use std::time::Duration;
    /// use tripline_sdk::{Moment, RateLimit, TokenBucket};
    /// let bucket = TokenBucket::new(10.0, 100, Moment::ZERO);
    /// let burst = bucket.check(100, Moment::ZERO);
    /// assert_eq!((burst.allowed, burst.remaining), (true, 0));
    /// assert_eq!(burst.reset_after, Duration::from_secs(10));
    /// ```
    #[must_use]
    pub fn new(per_second: f64, size: u32, now: Moment) -> Self {
        let state = State {
            tokens: f64::from(size),
            at: now,
        };
        Self {
            per_second: per_second.max(f64::MIN_POSITIVE),
            size,
            state: Mutex::new(state),
        }
    }

    /// Puts tokens back, for a call that did not happen after all.
    ///
    /// ```
    /// use tripline_sdk::{Moment, RateLimit, TokenBucket};
    /// let bucket = TokenBucket::new(1.0, 2, Moment::ZERO);
    /// assert!(bucket.check(2, Moment::ZERO).allowed);
    /// bucket.refund(1);
    /// assert!(bucket.check(1, Moment::ZERO).allowed);
    /// ```
    pub fn refund(&self, cost: u32) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.tokens = (state.tokens + f64::from(cost)).min(f64::from(self.size));
    }

    fn time_for(&self, tokens: f64) -> Duration {
        let nanos = tokens / self.per_second * 1e9;
        // Rounded by hand where it fits: the exact conversion costs as much as the rest.
        if (0.0..1e18).contains(&nanos) {
            return Duration::from_nanos((nanos + 0.5) as u64);
        }
        seconds(nanos / 1e9)
    }
}

impl RateLimit for TokenBucket {
    fn check(&self, cost: u32, now: Moment) -> Decision {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let (size, cost) = (f64::from(self.size), f64::from(cost));
        let gained = now.nanos_since(state.at) as f64 * 1e-9 * self.per_second;
        *state = State {
            tokens: (state.tokens + gained).min(size),
            at: state.at.max(now),
        };
        let allowed = state.tokens + ROUNDING >= cost;
        let missing = cost - state.tokens;
        if allowed {
            state.tokens = (state.tokens - cost).max(0.0);
        }
        Decision {
            allowed,
            retry_after: (!allowed && cost <= size).then(|| self.time_for(missing)),
            remaining: (state.tokens + ROUNDING) as u64,
            limit: u64::from(self.size),
            reset_after: self.time_for(size - state.tokens),
        }
    }
}
