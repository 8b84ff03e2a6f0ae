//! The sliding log: remembers when each permit was taken, and is exact.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::clock::{Moment, nanos};

use super::{Decision, RateLimit};

/// Exactly so many in any window, for eight bytes a permit.
///
/// ```
/// use std::time::Duration;
/// use tripline_sdk::{Moment, RateLimit, SlidingLog};
/// let limiter = SlidingLog::new(2, Duration::from_secs(1));
/// assert!(limiter.check(1, Moment::from_millis(900)).allowed);
/// assert!(limiter.check(1, Moment::from_millis(950)).allowed);
/// let refused = limiter.check(1, Moment::from_millis(1_000));
/// assert_eq!(refused.retry_after, Some(Duration::from_millis(900)));
/// ```
#[derive(Debug)]
pub struct SlidingLog {
    length_ns: u64,
    log: Mutex<Log>,
}

/// A ring of the last `limit` permits; the next place holds the oldest.
#[derive(Debug)]
struct Log {
    taken_at: Box<[u64]>,
    next: usize,
    written: usize,
}

impl SlidingLog {
    /// `limit` (at most a million) in any `length`.
    ///
    /// ```
    /// use std::time::Duration;
    /// use tripline_sdk::{Moment, RateLimit, SlidingLog};
    /// let limiter = SlidingLog::new(3, Duration::from_secs(60));
    /// let decision = limiter.check(2, Moment::ZERO);
    /// assert_eq!((decision.limit, decision.remaining), (3, 1));
    /// assert!(!limiter.check(2, Moment::from_millis(59_999)).allowed);
    /// assert!(limiter.check(2, Moment::from_millis(60_000)).allowed);
    /// ```
    #[must_use]
    pub fn new(limit: u32, length: Duration) -> Self {
        let taken_at = vec![0; limit.clamp(1, 1_000_000) as usize].into_boxed_slice();
        let log = Log {
            taken_at,
            next: 0,
            written: 0,
        };
        Self {
            length_ns: nanos(length).max(1),
            log: Mutex::new(log),
        }
    }
}

impl Log {
    /// When the `nth` oldest permit (the first is 1) was taken, if so many have been.
    fn oldest(&self, nth: usize) -> Option<u64> {
        let limit = self.taken_at.len();
        let empty = limit - self.written;
        let place = (self.next + nth - 1) % limit;
        (nth > empty).then(|| self.taken_at[place])
    }

    fn push(&mut self, at: u64) {
        self.taken_at[self.next] = at;
        self.next = (self.next + 1) % self.taken_at.len();
        self.written = (self.written + 1).min(self.taken_at.len());
    }

    fn in_view(&self, now: u64, length_ns: u64) -> usize {
        let taken = &self.taken_at[..self.written];
        taken
            .iter()
            .filter(|at| at.saturating_add(length_ns) > now)
            .count()
    }
}

impl RateLimit for SlidingLog {
    fn check(&self, cost: u32, now: Moment) -> Decision {
        let mut log = self.log.lock().unwrap_or_else(PoisonError::into_inner);
        let limit = log.taken_at.len();
        let cost = cost as usize;
        let now_ns = now.as_nanos();
        // The permit that has to be out of view for this call to fit.
        let blocking = (1..=limit)
            .contains(&cost)
            .then(|| log.oldest(cost))
            .flatten();
        let free_at = blocking.map_or(0, |at| at.saturating_add(self.length_ns));
        let allowed = cost <= limit && free_at <= now_ns;
        if allowed {
            (0..cost).for_each(|_| log.push(now_ns));
        }
        let newest = log.taken_at[(log.next + limit - 1) % limit];
        let reset_ns = if log.written == 0 {
            0
        } else {
            newest.saturating_add(self.length_ns)
        };
        let wait = (!allowed && cost <= limit).then(|| free_at - now_ns);
        Decision {
            allowed,
            retry_after: wait.map(Duration::from_nanos),
            remaining: (limit - log.in_view(now_ns, self.length_ns)) as u64,
            limit: limit as u64,
            reset_after: Duration::from_nanos(reset_ns.saturating_sub(now_ns)),
        }
    }
}
