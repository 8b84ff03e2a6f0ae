//! The leaky bucket as a meter: the generic cell rate algorithm (ITU-T I.371).
//!
//! One number is enough: the *theoretical arrival time*, when the bucket will have drained. A call
//! is early by as much as that lies ahead; being early by more than the burst is refused.

use std::time::Duration;

use crate::clock::{Moment, nanos};
use crate::sync::{AtomicU64, Ordering};

use super::{Decision, RateLimit};

/// A leaky bucket in one atomic word.
///
/// ```
/// use std::time::Duration;
/// use tripline_sdk::{Gcra, Moment, RateLimit};
///
/// let meter = Gcra::new(Duration::from_millis(100), 2);
/// assert!(meter.check(1, Moment::ZERO).allowed);
/// assert!(meter.check(1, Moment::ZERO).allowed, "a burst of two");
/// let refused = meter.check(1, Moment::ZERO);
/// assert_eq!(refused.retry_after, Some(Duration::from_millis(100)));
///
/// // As a queue it says how long to wait instead of refusing.
/// let queue = Gcra::new(Duration::from_millis(100), 1);
/// let patience = Duration::from_millis(150);
/// assert_eq!(queue.reserve(1, Moment::ZERO, patience), Ok(Duration::ZERO));
/// assert_eq!(queue.reserve(1, Moment::ZERO, patience), Ok(Duration::from_millis(100)));
/// assert!(queue.reserve(1, Moment::ZERO, patience).is_err());
/// ```
#[derive(Debug)]
pub struct Gcra {
    interval_ns: u64,
    burst: u32,
    /// When the bucket will have drained, in nanoseconds.
    drained_at: AtomicU64,
}

impl Gcra {
    /// One permit each `interval`, up to `burst` (at least one) at once.
    ///
    /// ```
    /// use std::time::Duration;
    /// use tripline_sdk::{Gcra, Moment, RateLimit};
    /// let meter = Gcra::new(Duration::from_millis(250), 0);
    /// assert!(meter.check(1, Moment::ZERO).allowed, "at least one at once");
    /// assert!(!meter.check(1, Moment::from_millis(249)).allowed);
    /// assert!(meter.check(1, Moment::from_millis(250)).allowed);
    /// ```
    #[must_use]
    pub fn new(interval: Duration, burst: u32) -> Self {
        let burst = burst.max(1);
        Self {
            interval_ns: nanos(interval).max(1),
            burst,
            drained_at: AtomicU64::new(0),
        }
    }

    /// `count` permits each `period`, all of them at once if need be.
    ///
    /// ```
    /// use std::time::Duration;
    /// use tripline_sdk::{Gcra, Moment, RateLimit};
    /// let meter = Gcra::per(10, Duration::from_secs(1));
    /// assert!(meter.check(10, Moment::ZERO).allowed);
    /// let refused = meter.check(1, Moment::ZERO);
    /// assert_eq!(refused.retry_after, Some(Duration::from_millis(100)));
    /// ```
    #[must_use]
    pub fn per(count: u32, period: Duration) -> Self {
        Self::new(period / count.max(1), count)
    }

    /// Takes a place in the queue if the wait for it is at most `max_wait`; answers the wait.
    ///
    /// ```
    /// use std::time::Duration;
    /// use tripline_sdk::{Gcra, Moment};
    /// let queue = Gcra::new(Duration::from_millis(100), 1);
    /// let patience = Duration::from_millis(100);
    /// let waits = [(); 3].map(|()| queue.reserve(1, Moment::ZERO, patience));
    /// assert_eq!(waits[0], Ok(Duration::ZERO));
    /// assert_eq!(waits[1], Ok(Duration::from_millis(100)));
    /// assert_eq!(waits[2], Err(Duration::from_millis(200)), "nobody waits that long");
    /// ```
    ///
    /// # Errors
    /// The wait it would have been.
    pub fn reserve(
        &self,
        cost: u32,
        now: Moment,
        max_wait: Duration,
    ) -> Result<Duration, Duration> {
        self.take(cost, now, nanos(max_wait))
            .map_err(|early| Duration::from_nanos(early.wait_ns))
            .map(|taken| Duration::from_nanos(taken.wait_ns))
    }

    fn take(&self, cost: u32, now: Moment, max_wait_ns: u64) -> Result<Taken, Taken> {
        let tolerance = self.interval_ns.saturating_mul(u64::from(self.burst));
        let mut drained_at = self.drained_at.load(Ordering::Acquire);
        loop {
            let from = drained_at.max(now.as_nanos());
            let next = from.saturating_add(self.interval_ns.saturating_mul(u64::from(cost)));
            let ahead_ns = next - now.as_nanos();
            let wait_ns = ahead_ns.saturating_sub(tolerance);
            if wait_ns > max_wait_ns {
                return Err(Taken {
                    wait_ns,
                    ahead_ns: from - now.as_nanos(),
                });
            }
            match self.drained_at.compare_exchange_weak(
                drained_at,
                next,
                Ordering::AcqRel,
                Ordering::Acquire,
            ) {
                Ok(_) => return Ok(Taken { wait_ns, ahead_ns }),
                Err(seen) => drained_at = seen,
            }
        }
    }
}

struct Taken {
    wait_ns: u64,
    /// How far ahead of now the bucket is filled.
    ahead_ns: u64,
}

impl RateLimit for Gcra {
    fn check(&self, cost: u32, now: Moment) -> Decision {
        let result = self.take(cost, now, 0);
        let allowed = result.is_ok();
        let (Ok(taken) | Err(taken)) = result;
        let tolerance = self.interval_ns.saturating_mul(u64::from(self.burst));
        Decision {
            allowed,
            retry_after: (!allowed && cost <= self.burst)
                .then(|| Duration::from_nanos(taken.wait_ns)),
            remaining: tolerance.saturating_sub(taken.ahead_ns) / self.interval_ns,
            limit: u64::from(self.burst),
            reset_after: Duration::from_nanos(taken.ahead_ns),
        }
    }
}
