//! How a breaker comes back: its open time, its probes, its ramp.

use std::time::Duration;

use crate::random::Jitter;

/// How long the breaker stays open: `base × multiplier^(attempt − 1)`, at most `max`, spread by
/// `jitter`.
///
/// The attempt grows with every trip and shrinks by one for each `decay` spent healthy, so a peer
/// that flaps is remembered and one that recovered is forgiven.
///
/// ```
/// use std::time::Duration;
/// use tripline_sdk::{Jitter, OpenTime};
/// let fixed = OpenTime::fixed(Duration::from_secs(30));
/// assert_eq!(fixed.nominal(1), fixed.nominal(9));
/// assert_eq!(OpenTime::default().nominal(2), Duration::from_secs(10));
/// assert_eq!(OpenTime::default().nominal(99), Duration::from_secs(60));
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct OpenTime {
    /// The first open time.
    pub base: Duration,
    /// What each further attempt multiplies it by.
    pub multiplier: f64,
    /// No open time is longer, jitter and server hints included.
    pub max: Duration,
    /// How it is spread over the instances of a fleet.
    pub jitter: Jitter,
    /// How long a closed breaker must stay closed to forget one attempt; zero forgets all of them
    /// as soon as it closes.
    pub decay: Duration,
}

impl OpenTime {
    /// Always the same, without jitter: for tests and for imitating other breakers.
    ///
    /// ```
    /// use std::time::Duration;
    /// use tripline_sdk::{Jitter, OpenTime};
    /// let open = OpenTime::fixed(Duration::from_secs(30));
    /// assert_eq!((open.base, open.max), (Duration::from_secs(30), Duration::from_secs(30)));
    /// assert_eq!(open.jitter, Jitter::None);
    /// ```
    #[must_use]
    pub const fn fixed(length: Duration) -> Self {
        Self {
            base: length,
            multiplier: 1.0,
            max: length,
            jitter: Jitter::None,
            decay: Duration::ZERO,
        }
    }

    /// The open time of `attempt` (the first is 1) before jitter.
    ///
    /// ```
    /// use std::time::Duration;
    /// use tripline_sdk::OpenTime;
    /// let open = OpenTime { max: Duration::from_secs(30), ..OpenTime::default() };
    /// let seconds = [1, 2, 3, 4].map(|attempt| open.nominal(attempt).as_secs());
    /// assert_eq!(seconds, [5, 10, 20, 30]);
    /// ```
    #[must_use]
    pub fn nominal(&self, attempt: u32) -> Duration {
        let exponent = i32::try_from(attempt.saturating_sub(1)).unwrap_or(i32::MAX);
        let length = self.base.as_secs_f64() * self.multiplier.max(1.0).powi(exponent);
        Duration::try_from_secs_f64(length)
            .unwrap_or(self.max)
            .min(self.max)
    }
}

impl Default for OpenTime {
    /// 5 s, doubling up to 60 s, ±20 %, one attempt forgotten a minute.
    fn default() -> Self {
        Self {
            base: Duration::from_secs(5),
            multiplier: 2.0,
            max: Duration::from_secs(60),
            jitter: Jitter::PlusMinus(0.2),
            decay: Duration::from_secs(60),
        }
    }
}

/// What must happen among the probes for the breaker to close.
///
/// ```
/// use tripline_sdk::{BreakerConfig, CloseOn};
/// let mut config = BreakerConfig::new();
/// config.half_open.close_on = CloseOn::Successes(2);
/// assert!(config.validate().is_ok());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CloseOn {
    /// All permitted results are in and both ratios are under their thresholds. Without a failure
    /// ratio, any failed probe reopens.
    Ratios,
    /// This many probes succeeded in time.
    Successes(u16),
}

/// How the breaker finds out whether its peer is back.
///
/// ```
/// use std::time::Duration;
/// use tripline_sdk::{BreakerConfig, HalfOpen};
/// let config = BreakerConfig::new()
///     .half_open(HalfOpen { permits: 5, concurrent: 1, ..HalfOpen::default() });
/// assert!(config.validate().is_ok());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HalfOpen {
    /// Probes issued in one half-open era, at most 4 095.
    pub permits: u16,
    /// Probes in flight at once.
    pub concurrent: u16,
    /// When to close.
    pub close_on: CloseOn,
    /// Decide as soon as the remaining probes cannot change the verdict, rather than when the
    /// last of them is in.
    pub decide_early: bool,
    /// How long a probe may take before it counts as failed, whatever became of it. Unset: the
    /// smaller of the call timeout and twice the slow threshold, or 60 s if neither is known.
    pub lease: Option<Duration>,
    /// Ordinary calls are never used as probes; only [`acquire_probe`] gets a permit.
    ///
    /// [`acquire_probe`]: crate::CircuitBreaker::acquire_probe
    pub dedicated_probes: bool,
}

impl Default for HalfOpen {
    fn default() -> Self {
        Self {
            permits: 3,
            concurrent: 3,
            close_on: CloseOn::Ratios,
            decide_early: true,
            lease: None,
            dedicated_probes: false,
        }
    }
}

/// After closing, let traffic in gradually: from this share up to all of it.
///
/// ```
/// use std::time::Duration;
/// use tripline_sdk::{BreakerConfig, Ramp};
/// let config = BreakerConfig::new().ramp(Ramp { from: 0.1, over: Duration::from_secs(10) });
/// assert!(config.validate().is_ok());
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Ramp {
    /// The share admitted at first, in `(0, 1]`.
    pub from: f64,
    /// How long until everything is admitted.
    pub over: Duration,
}
