//! The fixed window: a counter that starts over at every boundary.

use std::time::Duration;

use crate::clock::{Moment, nanos};
use crate::sync::{AtomicU64, Ordering};

use super::{Decision, RateLimit};

/// So many in each window, counted from the clock's origin.
///
/// Cheap and easy to explain; across a boundary it lets twice the limit through.
///
/// ```
/// use std::time::Duration;
/// use tripline_sdk::{FixedWindow, Moment, RateLimit};
/// let limiter = FixedWindow::new(2, Duration::from_secs(1));
/// assert!(limiter.check(2, Moment::from_millis(999)).allowed);
/// assert!(!limiter.check(1, Moment::from_millis(999)).allowed);
/// assert!(limiter.check(2, Moment::from_millis(1_000)).allowed);
/// ```
#[derive(Debug)]
pub struct FixedWindow {
    limit: u32,
    length_ns: u64,
    /// `{window 32 | used 32}`.
    word: AtomicU64,
}

impl FixedWindow {
    /// `limit` in each `length`.
    ///
    /// ```
    /// use std::time::Duration;
    /// use tripline_sdk::{FixedWindow, Moment, RateLimit};
    /// let day = Duration::from_secs(86_400);
    /// let decision = FixedWindow::new(1_000, day).check(1, Moment::ZERO);
    /// assert_eq!((decision.limit, decision.remaining), (1_000, 999));
    /// assert_eq!(decision.reset_after, day);
    /// ```
    #[must_use]
    pub fn new(limit: u32, length: Duration) -> Self {
        Self {
            limit,
            length_ns: nanos(length).max(1),
            word: AtomicU64::new(0),
        }
    }
}

impl RateLimit for FixedWindow {
    fn check(&self, cost: u32, now: Moment) -> Decision {
        let window = now.as_nanos() / self.length_ns;
        let left_ns = self.length_ns - now.as_nanos() % self.length_ns;
        let tag = window << 32;
        let mut word = self.word.load(Ordering::Acquire);
        let (allowed, used) = loop {
            let used = if word >> 32 << 32 == tag {
                word as u32
            } else {
                0
            };
            let next = used.saturating_add(cost);
            if next > self.limit {
                break (false, used);
            }
            let next_word = tag | u64::from(next);
            match self.word.compare_exchange_weak(
                word,
                next_word,
                Ordering::AcqRel,
                Ordering::Acquire,
            ) {
                Ok(_) => break (true, next),
                Err(seen) => word = seen,
            }
        };
        let reset_after = Duration::from_nanos(left_ns);
        Decision {
            allowed,
            retry_after: (!allowed && cost <= self.limit).then_some(reset_after),
            remaining: u64::from(self.limit - used.min(self.limit)),
            limit: u64::from(self.limit),
            reset_after,
        }
    }
}
