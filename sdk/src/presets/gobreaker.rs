//! sony/gobreaker 2: `Settings`, with the two usual `ReadyToTrip` functions as numbers.
//!
//! Not matched: `Interval` clears its counts at fixed moments while a window here slides.
//!
//! ```
//! use tripline_sdk::{BreakerConfig, presets::gobreaker::Settings};
//!
//! let theirs: Settings = serde_json::from_str(
//!     r#"{"Interval": "30s", "FailureRatio": 0.6, "MinimumRequests": 3}"#,
//! ).unwrap();
//! let config = BreakerConfig::try_from(&theirs).unwrap();
//! assert_eq!((config.minimum_calls, config.failure_ratio), (3, Some(0.6)));
//! assert_eq!(config.open.base.as_secs(), 60);
//! ```

use std::time::Duration;

use serde::Deserialize;

use super::foreign_length::go;
use crate::breaker::{BreakerConfig, CloseOn, HalfOpen, InvalidConfig, OpenTime, WindowConfig};

/// The window when `Interval` is zero, which means: never clear.
const NEVER: Duration = Duration::from_secs(86_400);

/// `gobreaker.Settings`, with its defaults; durations in nanoseconds or as Go writes them.
///
/// ```
/// use tripline_sdk::{BreakerConfig, presets::gobreaker::Settings};
/// let theirs: Settings = serde_json::from_str(r#"{"MaxRequests": 3, "Timeout": "30s"}"#).unwrap();
/// let config = BreakerConfig::try_from(&theirs).unwrap();
/// assert_eq!(config.consecutive_failures, Some(6), "more than five");
/// assert_eq!(config.half_open.permits, 3);
/// ```
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default, rename_all = "PascalCase", deny_unknown_fields)]
pub struct Settings {
    /// What is guarded.
    pub name: String,
    /// Probes; 0 is 1.
    pub max_requests: u16,
    /// How long counts are kept while closed; 0: for ever.
    #[serde(deserialize_with = "go")]
    pub interval: Duration,
    /// The step in which they slide; 0: all at once.
    #[serde(deserialize_with = "go")]
    pub bucket_period: Duration,
    /// How long it stays open; 0 is 60 s.
    #[serde(deserialize_with = "go")]
    pub timeout: Duration,
    /// `ReadyToTrip`: consecutive failures *above* this trip; the default is 5.
    pub consecutive_failures: Option<u32>,
    /// `ReadyToTrip`: this failure ratio trips, instead of consecutive failures…
    pub failure_ratio: Option<f64>,
    /// …of at least so many requests.
    pub minimum_requests: Option<u32>,
}

impl TryFrom<&Settings> for BreakerConfig {
    type Error = InvalidConfig;

    fn try_from(theirs: &Settings) -> Result<Self, InvalidConfig> {
        let length = if theirs.interval.is_zero() {
            NEVER
        } else {
            theirs.interval
        };
        let buckets = if theirs.bucket_period.is_zero() {
            1
        } else {
            (length.as_nanos() / theirs.bucket_period.as_nanos()).clamp(1, 1_000) as u16
        };
        let permits = theirs.max_requests.max(1);
        let by_ratio = theirs.failure_ratio.is_some();
        let in_a_row = theirs.consecutive_failures.unwrap_or(5).saturating_add(1);
        let config = Self {
            window: WindowConfig::Time { length, buckets },
            minimum_calls: theirs.minimum_requests.unwrap_or(1),
            failure_ratio: theirs.failure_ratio,
            consecutive_failures: Some(in_a_row)
                .filter(|_| !by_ratio || theirs.consecutive_failures.is_some()),
            open: OpenTime::fixed(if theirs.timeout.is_zero() {
                Duration::from_secs(60)
            } else {
                theirs.timeout
            }),
            half_open: HalfOpen {
                permits,
                concurrent: permits,
                close_on: CloseOn::Successes(permits),
                ..HalfOpen::default()
            },
            ..Self::default()
        };
        config.validate()?;
        Ok(config)
    }
}
