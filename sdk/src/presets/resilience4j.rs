//! resilience4j 2: an instance as `application.yml` writes it (`resilience4j.circuitbreaker.
//! instances.<name>`, and the same for `retry`, `bulkhead`, `ratelimiter`, `timelimiter`), in camel or
//! kebab case.
//!
//! Not matched: `maxWaitDurationInHalfOpenState` of zero waits for ever for a probe that never comes
//! back (resilience4j issues 935, 2028, 2289); here a probe has a lease of an hour then. Lists of
//! exceptions are read and ignored: Rust has no classes to name, a classifier decides.
//!
//! ```
//! use tripline_sdk::presets::resilience4j::{CircuitBreaker, Retry};
//! use tripline_sdk::{BreakerConfig, RetryConfig};
//!
//! let breaker: CircuitBreaker =
//!     serde_json::from_str(r#"{"failure-rate-threshold": 25}"#).unwrap();
//! assert_eq!(BreakerConfig::try_from(&breaker).unwrap().failure_ratio, Some(0.25));
//! let retry: Retry = serde_json::from_str(r#"{"maxAttempts": 5}"#).unwrap();
//! assert_eq!(RetryConfig::from(&retry).max_attempts, 5);
//! ```

use std::time::Duration;

use serde::Deserialize;

use super::foreign_length::{spring, spring_option};
use crate::breaker::{
    BreakerConfig, CloseOn, HalfOpen, InvalidConfig, Mode, OpenTime, SlowCalls, WindowConfig,
};
use crate::limit::FixedWindow;
use crate::random::Jitter;
use crate::retry::{Backoff, BackoffJitter, RetryConfig};

/// The lease of a probe where resilience4j would wait for ever.
const FOR_EVER: Duration = Duration::from_secs(3_600);

/// The kind of a sliding window.
///
/// ```
/// use tripline_sdk::presets::resilience4j::SlidingWindowType;
/// let kind: SlidingWindowType = serde_json::from_str(r#""TIME_BASED""#).unwrap();
/// assert_eq!(kind, SlidingWindowType::TimeBased);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
pub enum SlidingWindowType {
    /// The last calls.
    #[default]
    #[serde(rename = "COUNT_BASED", alias = "count_based", alias = "count-based")]
    CountBased,
    /// The calls of the last seconds.
    #[serde(rename = "TIME_BASED", alias = "time_based", alias = "time-based")]
    TimeBased,
}

/// `CircuitBreakerConfig`, with its defaults.
///
/// ```
/// use tripline_sdk::presets::resilience4j::CircuitBreaker;
/// let kebab: CircuitBreaker = serde_json::from_str(r#"{"minimum-number-of-calls": 7}"#).unwrap();
/// assert_eq!(kebab.minimum_number_of_calls, 7);
/// assert_eq!(kebab.sliding_window_size, 100);
/// ```
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct CircuitBreaker {
    /// Percent of failures that trips.
    #[serde(alias = "failure-rate-threshold")]
    pub failure_rate_threshold: f64,
    /// Percent of slow calls that trips.
    #[serde(alias = "slow-call-rate-threshold")]
    pub slow_call_rate_threshold: f64,
    /// From here on a call is slow.
    #[serde(alias = "slow-call-duration-threshold", deserialize_with = "spring")]
    pub slow_call_duration_threshold: Duration,
    /// Calls or seconds.
    #[serde(alias = "sliding-window-type")]
    pub sliding_window_type: SlidingWindowType,
    /// How many of them.
    #[serde(alias = "sliding-window-size")]
    pub sliding_window_size: u32,
    /// Nothing trips before.
    #[serde(alias = "minimum-number-of-calls")]
    pub minimum_number_of_calls: u32,
    /// Probes.
    #[serde(alias = "permitted-number-of-calls-in-half-open-state")]
    pub permitted_number_of_calls_in_half_open_state: u16,
    /// How long they may take all together; zero: for ever.
    #[serde(
        alias = "max-wait-duration-in-half-open-state",
        deserialize_with = "spring"
    )]
    pub max_wait_duration_in_half_open_state: Duration,
    /// How long it stays open.
    #[serde(alias = "wait-duration-in-open-state", deserialize_with = "spring")]
    pub wait_duration_in_open_state: Duration,
    /// Whether that grows.
    #[serde(alias = "enable-exponential-backoff")]
    pub enable_exponential_backoff: bool,
    /// By what it is multiplied.
    #[serde(alias = "exponential-backoff-multiplier")]
    pub exponential_backoff_multiplier: f64,
    /// The longest.
    #[serde(
        alias = "exponential-max-wait-duration-in-open-state",
        deserialize_with = "spring_option"
    )]
    pub exponential_max_wait_duration_in_open_state: Option<Duration>,
    /// Whether it is spread.
    #[serde(alias = "enable-randomized-wait")]
    pub enable_randomized_wait: bool,
    /// By what share.
    #[serde(alias = "randomized-wait-factor")]
    pub randomized_wait_factor: f64,
    /// `CLOSED`, or the mode it starts in.
    #[serde(alias = "initial-state")]
    pub initial_state: InitialState,
}

/// The state a breaker starts in.
///
/// ```
/// use tripline_sdk::presets::resilience4j::InitialState;
/// let state: InitialState = serde_json::from_str(r#""FORCED_OPEN""#).unwrap();
/// assert_eq!(state, InitialState::ForcedOpen);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum InitialState {
    /// As usual.
    #[default]
    Closed,
    /// Everything passes, nothing is recorded.
    Disabled,
    /// Everything passes, everything is recorded.
    MetricsOnly,
    /// Nothing passes.
    ForcedOpen,
}

impl Default for CircuitBreaker {
    fn default() -> Self {
        Self {
            failure_rate_threshold: 50.0,
            slow_call_rate_threshold: 100.0,
            slow_call_duration_threshold: Duration::from_secs(60),
            sliding_window_type: SlidingWindowType::CountBased,
            sliding_window_size: 100,
            minimum_number_of_calls: 100,
            permitted_number_of_calls_in_half_open_state: 10,
            max_wait_duration_in_half_open_state: Duration::ZERO,
            wait_duration_in_open_state: Duration::from_secs(60),
            enable_exponential_backoff: false,
            exponential_backoff_multiplier: 1.5,
            exponential_max_wait_duration_in_open_state: None,
            enable_randomized_wait: false,
            randomized_wait_factor: 0.5,
            initial_state: InitialState::Closed,
        }
    }
}

impl TryFrom<&CircuitBreaker> for BreakerConfig {
    type Error = InvalidConfig;

    fn try_from(theirs: &CircuitBreaker) -> Result<Self, InvalidConfig> {
        let size = theirs.sliding_window_size;
        let window = match theirs.sliding_window_type {
            SlidingWindowType::CountBased => WindowConfig::Count { size },
            // One bucket a second, as theirs.
            SlidingWindowType::TimeBased => WindowConfig::Time {
                length: Duration::from_secs(size.into()),
                buckets: u16::try_from(size).unwrap_or(u16::MAX),
            },
        };
        let wait = theirs.wait_duration_in_open_state;
        let grows = theirs.enable_exponential_backoff;
        let longest = theirs.exponential_max_wait_duration_in_open_state;
        let open = OpenTime {
            multiplier: if grows {
                theirs.exponential_backoff_multiplier
            } else {
                1.0
            },
            max: longest.filter(|_| grows).unwrap_or(if grows {
                Duration::from_secs(86_400)
            } else {
                wait.saturating_mul(2)
            }),
            jitter: if theirs.enable_randomized_wait {
                Jitter::PlusMinus(theirs.randomized_wait_factor)
            } else {
                Jitter::None
            },
            ..OpenTime::fixed(wait)
        };
        let permits = theirs.permitted_number_of_calls_in_half_open_state;
        let longest_probe = theirs.max_wait_duration_in_half_open_state;
        let config = Self {
            window,
            minimum_calls: theirs.minimum_number_of_calls,
            failure_ratio: Some(theirs.failure_rate_threshold / 100.0),
            slow_calls: Some(SlowCalls {
                // Longer than, not as long as.
                threshold: theirs
                    .slow_call_duration_threshold
                    .saturating_add(Duration::from_nanos(1)),
                ratio: theirs.slow_call_rate_threshold / 100.0,
            }),
            judge_successes: true,
            open,
            half_open: HalfOpen {
                permits,
                concurrent: permits,
                close_on: CloseOn::Ratios,
                decide_early: false,
                lease: Some(longest_probe)
                    .filter(|lease| !lease.is_zero())
                    .or(Some(FOR_EVER)),
                dedicated_probes: false,
            },
            mode: match theirs.initial_state {
                InitialState::Closed => Mode::Enforcing,
                InitialState::Disabled => Mode::Disabled,
                InitialState::MetricsOnly => Mode::MetricsOnly,
                InitialState::ForcedOpen => Mode::ForcedOpen,
            },
            ..Self::default()
        };
        config.validate()?;
        Ok(config)
    }
}

/// `RetryConfig`, with its defaults.
///
/// ```
/// use tripline_sdk::{RetryConfig, presets::resilience4j::Retry};
/// let theirs: Retry = serde_json::from_str(r#"{"waitDuration": "PT0.2S"}"#).unwrap();
/// assert_eq!(RetryConfig::from(&theirs).backoff.base.as_millis(), 200);
/// ```
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Retry {
    /// Tries in all.
    #[serde(alias = "max-attempts")]
    pub max_attempts: u32,
    /// The wait between them.
    #[serde(alias = "wait-duration", deserialize_with = "spring")]
    pub wait_duration: Duration,
    /// Whether it grows.
    #[serde(alias = "enable-exponential-backoff")]
    pub enable_exponential_backoff: bool,
    /// By what it is multiplied.
    #[serde(alias = "exponential-backoff-multiplier")]
    pub exponential_backoff_multiplier: f64,
    /// The longest.
    #[serde(
        alias = "exponential-max-wait-duration",
        deserialize_with = "spring_option"
    )]
    pub exponential_max_wait_duration: Option<Duration>,
    /// Whether it is spread.
    #[serde(alias = "enable-randomized-wait")]
    pub enable_randomized_wait: bool,
    /// By what share.
    #[serde(alias = "randomized-wait-factor")]
    pub randomized_wait_factor: f64,
}

impl Default for Retry {
    fn default() -> Self {
        Self {
            max_attempts: 3,
            wait_duration: Duration::from_millis(500),
            enable_exponential_backoff: false,
            exponential_backoff_multiplier: 1.5,
            exponential_max_wait_duration: None,
            enable_randomized_wait: false,
            randomized_wait_factor: 0.5,
        }
    }
}

impl From<&Retry> for RetryConfig {
    fn from(theirs: &Retry) -> Self {
        let grows = theirs.enable_exponential_backoff;
        Self {
            max_attempts: theirs.max_attempts,
            backoff: Backoff {
                base: theirs.wait_duration,
                multiplier: if grows {
                    theirs.exponential_backoff_multiplier
                } else {
                    1.0
                },
                max: theirs
                    .exponential_max_wait_duration
                    .unwrap_or(Duration::from_secs(86_400)),
                jitter: if theirs.enable_randomized_wait {
                    BackoffJitter::PlusMinus(theirs.randomized_wait_factor)
                } else {
                    BackoffJitter::None
                },
            },
            ..Self::default()
        }
    }
}

/// `RateLimiterConfig`, with its defaults: permissions in cycles, nothing carried over.
///
/// ```
/// use tripline_sdk::{Moment, RateLimit, presets::resilience4j::RateLimiter};
/// let theirs: RateLimiter =
///     serde_json::from_str(r#"{"limitForPeriod": 2, "limitRefreshPeriod": "1s"}"#).unwrap();
/// let limiter = theirs.limiter();
/// assert!(limiter.check(2, Moment::ZERO).allowed && !limiter.check(1, Moment::ZERO).allowed);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct RateLimiter {
    /// Permissions in a cycle.
    #[serde(alias = "limit-for-period")]
    pub limit_for_period: u32,
    /// The length of a cycle.
    #[serde(alias = "limit-refresh-period", deserialize_with = "spring")]
    pub limit_refresh_period: Duration,
}

impl Default for RateLimiter {
    fn default() -> Self {
        Self {
            limit_for_period: 50,
            limit_refresh_period: Duration::from_nanos(500),
        }
    }
}

impl RateLimiter {
    /// The limiter. It never waits (`timeoutDuration`): it says when to come back.
    ///
    /// ```
    /// use std::time::Duration;
    /// use tripline_sdk::{Moment, RateLimit, presets::resilience4j::RateLimiter};
    /// let second = Duration::from_secs(1);
    /// let limiter = RateLimiter { limit_for_period: 2, limit_refresh_period: second }.limiter();
    /// assert!(limiter.check(2, Moment::ZERO).allowed);
    /// let refused = limiter.check(1, Moment::from_millis(400));
    /// assert_eq!(refused.retry_after, Some(Duration::from_millis(600)));
    /// ```
    #[must_use]
    pub fn limiter(&self) -> FixedWindow {
        FixedWindow::new(self.limit_for_period, self.limit_refresh_period)
    }
}

/// `BulkheadConfig`, with its default.
///
/// ```
/// use tripline_sdk::presets::resilience4j::Bulkhead;
/// assert_eq!(Bulkhead::default().max_concurrent_calls, 25);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Bulkhead {
    /// Calls at once.
    #[serde(alias = "max-concurrent-calls")]
    pub max_concurrent_calls: u32,
}

impl Default for Bulkhead {
    fn default() -> Self {
        Self {
            max_concurrent_calls: 25,
        }
    }
}

/// `TimeLimiterConfig`, with its default.
///
/// ```
/// use tripline_sdk::presets::resilience4j::TimeLimiter;
/// assert_eq!(TimeLimiter::default().timeout_duration.as_secs(), 1);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct TimeLimiter {
    /// How long a call may take.
    #[serde(alias = "timeout-duration", deserialize_with = "spring")]
    pub timeout_duration: Duration,
}

impl Default for TimeLimiter {
    fn default() -> Self {
        Self {
            timeout_duration: Duration::from_secs(1),
        }
    }
}
