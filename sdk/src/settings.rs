//! Policies from files: settings in any format serde reads, and their reload while calls run.
//!
//! ```
//! use tripline_sdk::settings::Settings;
//!
//! let settings: Settings = toml::from_str(r#"
//!     [policies.inventory]
//!     deadline = "2s"
//!     timeout = "250ms"
//!     bulkhead = 32
//!
//!     [policies.inventory.retry]
//!     max_attempts = 3
//!     base = "20ms"
//!
//!     [policies.inventory.breaker]
//!     failure_ratio = 0.5
//!     minimum_calls = 20
//!     window = { length = "10s", buckets = 10 }
//!     slow_calls = { threshold = "200ms", ratio = 0.8 }
//! "#)?;
//! assert_eq!(settings.policies["inventory"].bulkhead, Some(32));
//! # Ok::<(), toml::de::Error>(())
//! ```
//!
//! A setting nobody knows is an error, not a typo that goes unnoticed. Lengths of time are text
//! with a unit: `250ms`, `1m30s`.

mod breaker;
mod length;
#[cfg(feature = "tower")]
mod registry;

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

pub use breaker::{
    BreakerSettings, HalfOpenSettings, ModeSetting, OpenSettings, SlowSettings, WindowSettings,
};
pub use length::{Length, ParseLengthError};
#[cfg(feature = "tower")]
pub use registry::{Policies, SettingsError};

use crate::retry::{Backoff, BackoffJitter, RetryConfig};

/// Policies by name.
///
/// ```
/// use tripline_sdk::settings::Settings;
/// let settings: Settings = serde_json::from_str(r#"{"policies":{"stock":{}}}"#).unwrap();
/// assert!(settings.policies["stock"].breaker.is_none());
/// assert!(serde_json::from_str::<Settings>(r#"{"policys":{}}"#).is_err());
/// ```
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// Each by the name of what it guards.
    #[serde(default)]
    pub policies: BTreeMap<String, PolicySettings>,
}

/// One policy; a part that is not set is not there.
///
/// ```
/// use tripline_sdk::settings::PolicySettings;
/// let stock: PolicySettings = toml::from_str("timeout = '1s'\nbulkhead = 64").unwrap();
/// assert_eq!(stock.bulkhead, Some(64));
/// assert!(stock.retry.is_none(), "not set, not there");
/// ```
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PolicySettings {
    /// The time all tries together may take.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deadline: Option<Length>,
    /// Trying again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry: Option<RetrySettings>,
    /// The circuit breaker.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub breaker: Option<BreakerSettings>,
    /// The time one try may take.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout: Option<Length>,
    /// How many tries in a period.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rate_limit: Option<RateSettings>,
    /// How many tries at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bulkhead: Option<u32>,
}

/// Trying again; the defaults are [`RetryConfig`]'s.
///
/// ```
/// use tripline_sdk::{RetryConfig, settings::RetrySettings};
/// let retry: RetrySettings = serde_json::from_str("{}").unwrap();
/// assert_eq!(RetryConfig::from(&retry), RetryConfig::default());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RetrySettings {
    /// Tries in all, the first included.
    pub max_attempts: u32,
    /// The wait before the first retry.
    pub base: Length,
    /// What each further retry multiplies it by.
    pub multiplier: f64,
    /// No wait is longer.
    pub max: Length,
    /// How waits are spread.
    pub jitter: JitterSetting,
}

/// How waits between tries are spread.
///
/// ```
/// use tripline_sdk::settings::{JitterSetting, RetrySettings};
/// let retry: RetrySettings = toml::from_str("jitter = 'decorrelated'").unwrap();
/// assert_eq!(retry.jitter, JitterSetting::Decorrelated);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum JitterSetting {
    /// Not at all.
    None,
    /// Anywhere up to the wait.
    #[default]
    Full,
    /// Half the wait and anywhere up to the other half.
    Equal,
    /// Anywhere from the base to three times the wait before.
    Decorrelated,
}

impl Default for RetrySettings {
    fn default() -> Self {
        let RetryConfig {
            max_attempts,
            backoff,
            ..
        } = RetryConfig::default();
        Self {
            max_attempts,
            base: backoff.base.into(),
            multiplier: backoff.multiplier,
            max: backoff.max.into(),
            jitter: JitterSetting::default(),
        }
    }
}

impl From<&RetrySettings> for RetryConfig {
    fn from(settings: &RetrySettings) -> Self {
        let jitter = match settings.jitter {
            JitterSetting::None => BackoffJitter::None,
            JitterSetting::Full => BackoffJitter::Full,
            JitterSetting::Equal => BackoffJitter::Equal,
            JitterSetting::Decorrelated => BackoffJitter::Decorrelated,
        };
        Self {
            max_attempts: settings.max_attempts,
            backoff: Backoff {
                base: settings.base.into(),
                multiplier: settings.multiplier,
                max: settings.max.into(),
                jitter,
            },
            ..Self::default()
        }
    }
}

/// A rate, spread evenly (GCRA).
///
/// ```
/// use tripline_sdk::settings::RateSettings;
/// let rate: RateSettings = serde_json::from_str(r#"{"count":100}"#).unwrap();
/// assert_eq!(rate.period.get().as_secs(), 1);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RateSettings {
    /// So many, all of which may come at once.
    pub count: u32,
    /// In this time.
    #[serde(default = "one_second")]
    pub period: Length,
}

fn one_second() -> Length {
    Duration::from_secs(1).into()
}
