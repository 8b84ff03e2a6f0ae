//! Time as the policies see it: nanoseconds since some origin, always handed in from outside.
//!
//! Nothing in the core reads a clock. That makes every policy a pure function of what it is fed:
//! tests run in virtual time, and a recording of real calls can be replayed against other
//! settings by the very code that runs in production. The clocks are monotonic: a wall clock that
//! jumps can neither hold a breaker open nor empty its window.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

/// A point on a monotonic clock, in nanoseconds since that clock's origin.
///
/// Only differences mean anything; arithmetic saturates instead of wrapping.
///
/// ```
/// use std::time::Duration;
/// use tripline_sdk::Moment;
///
/// let start = Moment::from_nanos(1_000);
/// let end = start + Duration::from_micros(2);
/// assert_eq!(end.since(start), Duration::from_micros(2));
/// assert_eq!(start.since(end), Duration::ZERO);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Moment(u64);

impl Moment {
    /// The origin of the clock.
    ///
    /// ```
    /// use tripline_sdk::{Clock, ManualClock, Moment};
    /// assert_eq!(ManualClock::default().now(), Moment::ZERO);
    /// ```
    pub const ZERO: Self = Self(0);

    /// The last moment there is; stands for *never*.
    ///
    /// ```
    /// use std::time::Duration;
    /// use tripline_sdk::Moment;
    /// assert_eq!(Moment::MAX + Duration::from_secs(1), Moment::MAX);
    /// ```
    pub const MAX: Self = Self(u64::MAX);

    /// The moment this many nanoseconds after the origin.
    ///
    /// ```
    /// use tripline_sdk::Moment;
    /// assert_eq!(Moment::from_nanos(2_000_000), Moment::from_millis(2));
    /// ```
    #[must_use]
    pub const fn from_nanos(nanos: u64) -> Self {
        Self(nanos)
    }

    /// The moment this many milliseconds after the origin.
    ///
    /// ```
    /// use std::time::Duration;
    /// use tripline_sdk::Moment;
    /// assert_eq!(Moment::from_millis(1_500), Moment::ZERO + Duration::from_secs_f64(1.5));
    /// ```
    #[must_use]
    pub const fn from_millis(millis: u64) -> Self {
        Self(millis.saturating_mul(1_000_000))
    }

    /// Nanoseconds since the origin.
    ///
    /// ```
    /// use tripline_sdk::Moment;
    /// assert_eq!(Moment::from_millis(3).as_nanos(), 3_000_000);
    /// ```
    #[must_use]
    pub const fn as_nanos(self) -> u64 {
        self.0
    }

    /// How long after `earlier` this is; zero if it is not after it.
    ///
    /// ```
    /// use std::time::Duration;
    /// use tripline_sdk::Moment;
    /// let (early, late) = (Moment::from_millis(10), Moment::from_millis(25));
    /// assert_eq!(late.since(early), Duration::from_millis(15));
    /// assert_eq!(early.since(late), Duration::ZERO);
    /// ```
    #[must_use]
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }
}

impl Moment {
    /// [`Moment::since`] in nanoseconds, without the division a [`Duration`] costs.
    #[inline]
    pub(crate) const fn nanos_since(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0)
    }
}

impl std::ops::Add<Duration> for Moment {
    type Output = Self;
    fn add(self, length: Duration) -> Self {
        Self(self.0.saturating_add(nanos(length)))
    }
}

impl fmt::Debug for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", Duration::from_nanos(self.0))
    }
}

/// A duration in whole nanoseconds, at most `u64::MAX` (584 years).
#[inline]
pub(crate) fn nanos(length: Duration) -> u64 {
    // In 64 bits: this is on the way of every call.
    length
        .as_secs()
        .saturating_mul(1_000_000_000)
        .saturating_add(u64::from(length.subsec_nanos()))
}

/// A duration of fractional seconds; nonsense (negative, NaN) is zero, too much is the maximum.
pub(crate) fn seconds(length: f64) -> Duration {
    Duration::try_from_secs_f64(length.max(0.0)).unwrap_or(Duration::MAX)
}

/// Where a policy takes its time from.
///
/// ```
/// use std::time::Duration;
/// use tripline_sdk::{Clock, ManualClock};
///
/// let clock = ManualClock::default();
/// clock.advance(Duration::from_secs(1));
/// assert_eq!(clock.now().as_nanos(), 1_000_000_000);
/// ```
pub trait Clock: Clone + Send + Sync + 'static {
    /// Whether all clocks of this type count from the same origin, so that a moment of one is one of
    /// all. A policy then reads the clock once where it would read several of them.
    const SHARES_ORIGIN: bool = false;

    /// Now. Never earlier than what it answered before.
    fn now(&self) -> Moment;
}

/// The machine's monotonic clock, counted from when the process first asked for it.
///
/// ```
/// use tripline_sdk::{Clock, MonotonicClock};
/// let clock = MonotonicClock::default();
/// assert!(clock.now() <= clock.now());
/// ```
#[derive(Clone, Copy, Debug)]
pub struct MonotonicClock {
    origin: Instant,
}

impl Default for MonotonicClock {
    fn default() -> Self {
        static ORIGIN: OnceLock<Instant> = OnceLock::new();
        Self {
            origin: *ORIGIN.get_or_init(Instant::now),
        }
    }
}

impl Clock for MonotonicClock {
    const SHARES_ORIGIN: bool = true;

    #[inline]
    fn now(&self) -> Moment {
        Moment(nanos(self.origin.elapsed()))
    }
}

/// A clock that moves when it is told to; clones share the same time.
///
/// ```
/// use std::time::Duration;
/// use tripline_sdk::{Clock, ManualClock, Moment};
///
/// let clock = ManualClock::default();
/// let same = clock.clone();
/// clock.advance(Duration::from_millis(5));
/// assert_eq!(same.now(), Moment::from_millis(5));
/// ```
#[derive(Clone, Debug, Default)]
pub struct ManualClock {
    now: Arc<AtomicU64>,
}

impl ManualClock {
    /// Moves this clock forward.
    ///
    /// ```
    /// use std::time::Duration;
    /// use tripline_sdk::{Clock, ManualClock, Moment};
    /// let clock = ManualClock::default();
    /// clock.advance(Duration::from_millis(5));
    /// clock.advance(Duration::from_millis(2));
    /// assert_eq!(clock.now(), Moment::from_millis(7));
    /// ```
    pub fn advance(&self, by: Duration) {
        self.now.fetch_add(nanos(by), Ordering::SeqCst);
    }

    /// Moves this clock to `moment`, if that is later than now.
    ///
    /// ```
    /// use tripline_sdk::{Clock, ManualClock, Moment};
    /// let clock = ManualClock::default();
    /// clock.advance_to(Moment::from_millis(500));
    /// clock.advance_to(Moment::from_millis(200));
    /// assert_eq!(clock.now(), Moment::from_millis(500), "it never goes back");
    /// ```
    pub fn advance_to(&self, moment: Moment) {
        self.now.fetch_max(moment.as_nanos(), Ordering::SeqCst);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Moment {
        Moment(self.now.load(Ordering::SeqCst))
    }
}
