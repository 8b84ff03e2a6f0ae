//! Polly 8: strategy options, as .NET's configuration binds them.
//!
//! Not matched: a cancelled probe closes Polly's circuit (issue 1979); here it counts as nothing.
//!
//! ```
//! use tripline_sdk::BreakerConfig;
//! use tripline_sdk::presets::polly::CircuitBreakerStrategyOptions;
//!
//! let theirs: CircuitBreakerStrategyOptions =
//!     serde_json::from_str(r#"{"MinimumThroughput": 10, "BreakDuration": "00:00:30"}"#).unwrap();
//! let config = BreakerConfig::try_from(&theirs).unwrap();
//! assert_eq!((config.minimum_calls, config.failure_ratio), (10, Some(0.1)));
//! assert_eq!(config.open.base.as_secs(), 30);
//! ```

use std::time::Duration;

use serde::Deserialize;

use super::foreign_length::dotnet;
use super::single_probe;
use crate::breaker::{BreakerConfig, InvalidConfig, OpenTime, WindowConfig};

/// Shorter samples are not divided.
const DIVIDED_FROM: Duration = Duration::from_millis(200);

/// `CircuitBreakerStrategyOptions`, with its defaults.
///
/// ```
/// use tripline_sdk::{BreakerConfig, presets::polly::CircuitBreakerStrategyOptions};
/// let theirs: CircuitBreakerStrategyOptions =
///     serde_json::from_str(r#"{"FailureRatio": 0.5, "SamplingDuration": "00:00:10"}"#).unwrap();
/// assert_eq!(BreakerConfig::try_from(&theirs).unwrap().minimum_calls, 100);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct CircuitBreakerStrategyOptions {
    /// The share of failures that trips.
    pub failure_ratio: f64,
    /// Nothing trips below so many calls, at least two.
    pub minimum_throughput: u32,
    /// The window.
    #[serde(deserialize_with = "dotnet")]
    pub sampling_duration: Duration,
    /// How long it stays open.
    #[serde(deserialize_with = "dotnet")]
    pub break_duration: Duration,
}

impl Default for CircuitBreakerStrategyOptions {
    fn default() -> Self {
        Self {
            failure_ratio: 0.1,
            minimum_throughput: 100,
            sampling_duration: Duration::from_secs(30),
            break_duration: Duration::from_secs(5),
        }
    }
}

impl TryFrom<&CircuitBreakerStrategyOptions> for BreakerConfig {
    type Error = InvalidConfig;

    fn try_from(theirs: &CircuitBreakerStrategyOptions) -> Result<Self, InvalidConfig> {
        let refuse = |setting, why| Err(InvalidConfig { setting, why });
        let allowed = Duration::from_millis(500)..=Duration::from_secs(86_400);
        if theirs.minimum_throughput < 2 {
            return refuse("MinimumThroughput", "must be at least 2");
        }
        if !allowed.contains(&theirs.sampling_duration) {
            return refuse("SamplingDuration", "must be half a second to a day");
        }
        if !allowed.contains(&theirs.break_duration) {
            return refuse("BreakDuration", "must be half a second to a day");
        }
        let is_divided = theirs.sampling_duration >= DIVIDED_FROM;
        let config = Self {
            window: WindowConfig::Time {
                length: theirs.sampling_duration,
                buckets: if is_divided { 10 } else { 1 },
            },
            minimum_calls: theirs.minimum_throughput,
            failure_ratio: Some(theirs.failure_ratio),
            open: OpenTime::fixed(theirs.break_duration),
            half_open: single_probe(),
            ..Self::default()
        };
        config.validate()?;
        Ok(config)
    }
}
