//! Rate limits: how much may happen in how much time.
//!
//! | limiter | allows | memory | use it for |
//! |---|---|---|---|
//! | [`TokenBucket`] | bursts up to its size, then the rate | 16 B | most things |
//! | [`Gcra`] | the same as a meter, and can queue | 8 B | pacing towards a peer |
//! | [`FixedWindow`] | the limit in each window, twice that across a boundary | 8 B | quotas by the day |
//! | [`SlidingCounter`] | about the limit in any window | 24 B | quotas by the minute |
//! | [`SlidingLog`] | exactly the limit in any window | 8 B a permit | few, dear calls |
//! | [`WarmUp`] | a third of the rate when cold, all of it when warm | 32 B | caches, connection pools |
//!
//! With feature `redis`, `RedisBucket` is a token bucket that many instances share.
//!
//! All of them answer a [`Decision`] that carries what the RateLimit headers need.

mod fixed_window;
mod gcra;
#[cfg(feature = "redis")]
mod redis_bucket;
mod sliding_counter;
mod sliding_log;
mod token_bucket;
mod warm_up;

pub use fixed_window::FixedWindow;
pub use gcra::Gcra;
#[cfg(feature = "redis")]
pub use redis_bucket::{DecidedBy, InvalidRedisAddress, RedisBucket, RedisBucketConfig};
pub use sliding_counter::SlidingCounter;
pub use sliding_log::SlidingLog;
pub use token_bucket::TokenBucket;
pub use warm_up::{WarmUp, WarmUpConfig};

use std::time::Duration;

use crate::clock::Moment;

/// What a limiter says.
///
/// ```
/// use std::time::Duration;
/// use tripline_sdk::{FixedWindow, Moment, RateLimit};
/// let limiter = FixedWindow::new(1, Duration::from_secs(1));
/// assert!(limiter.check(1, Moment::ZERO).allowed);
/// let refused = limiter.check(1, Moment::from_millis(400));
/// assert_eq!(refused.retry_after, Some(Duration::from_millis(600)));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Decision {
    /// Whether it may happen.
    pub allowed: bool,
    /// If not: when it may. Nothing if it never may (more than the limit at once).
    pub retry_after: Option<Duration>,
    /// What is left now.
    pub remaining: u64,
    /// What there is at most.
    pub limit: u64,
    /// When there will be all of it again.
    pub reset_after: Duration,
}

/// A rate limiter.
///
/// ```
/// use tripline_sdk::{Moment, RateLimit, TokenBucket};
/// let limiter: Box<dyn RateLimit> = Box::new(TokenBucket::new(10.0, 5, Moment::ZERO));
/// assert!(limiter.check(5, Moment::ZERO).allowed);
/// assert!(!limiter.check(1, Moment::ZERO).allowed);
/// ```
pub trait RateLimit: Send + Sync {
    /// Asks for `cost` permits, and takes them if they are there: all or none.
    fn check(&self, cost: u32, now: Moment) -> Decision;
}

impl<L: RateLimit + ?Sized> RateLimit for std::sync::Arc<L> {
    fn check(&self, cost: u32, now: Moment) -> Decision {
        (**self).check(cost, now)
    }
}
