//! A circuit breaker's settings as a file writes them.

use serde::{Deserialize, Serialize};

use super::Length;
use crate::breaker::{
    BreakerConfig, CloseOn, HalfOpen, InvalidConfig, Mode, OnDrop, OpenTime, SlowCalls,
    WindowConfig,
};
use crate::random::Jitter;

/// A breaker; what is not set is [`BreakerConfig::default`]'s.
///
/// ```
/// use tripline_sdk::{BreakerConfig, settings::BreakerSettings};
/// let settings: BreakerSettings = toml::from_str("").unwrap();
/// assert_eq!(settings.to_config().unwrap(), BreakerConfig::default());
/// let refused: BreakerSettings = toml::from_str("failure_ratio = 1.5").unwrap();
/// assert!(refused.to_config().is_err());
/// ```
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct BreakerSettings {
    /// What the ratios are taken over.
    pub window: Option<WindowSettings>,
    /// Nothing trips below so many calls.
    pub minimum_calls: Option<u32>,
    /// The share of failures that trips; 0 turns it off.
    pub failure_ratio: Option<f64>,
    /// The number of failures in the window that trips.
    pub failure_count: Option<u32>,
    /// The number of failures in a row that trips.
    pub consecutive_failures: Option<u32>,
    /// When slow calls trip.
    pub slow_calls: Option<SlowSettings>,
    /// How long it stays open.
    pub open: OpenSettings,
    /// How it recovers.
    pub half_open: HalfOpenSettings,
    /// Whether dropped calls are failures.
    pub drop_is_failure: bool,
    /// `enforcing`, `metrics_only`, `forced_open` or `disabled`.
    pub mode: ModeSetting,
}

/// A window over time or over a number of calls.
///
/// ```
/// use tripline_sdk::settings::{BreakerSettings, WindowSettings};
/// let counted: BreakerSettings = toml::from_str("window = { calls = 100 }").unwrap();
/// assert_eq!(counted.window, Some(WindowSettings::Count { calls: 100 }));
/// let timed: BreakerSettings = toml::from_str("window = { length = '30s' }").unwrap();
/// assert!(matches!(timed.window, Some(WindowSettings::Time { buckets: 10, .. })));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged, deny_unknown_fields)]
pub enum WindowSettings {
    /// The calls of the last `length`.
    Time {
        /// How far back.
        length: Length,
        /// In how many steps it slides.
        #[serde(default = "ten")]
        buckets: u16,
    },
    /// The last `calls`.
    Count {
        /// How many.
        calls: u32,
    },
}

fn ten() -> u16 {
    10
}

/// When slow calls trip.
///
/// ```
/// use tripline_sdk::settings::BreakerSettings;
/// let text = "slow_calls = { threshold = '800ms', ratio = 0.5 }";
/// let settings: BreakerSettings = toml::from_str(text).unwrap();
/// assert_eq!(settings.to_config().unwrap().slow_calls.unwrap().threshold.as_millis(), 800);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SlowSettings {
    /// From here on a call is slow.
    pub threshold: Length,
    /// The share of slow calls that trips.
    pub ratio: f64,
}

/// How long a breaker stays open.
///
/// ```
/// use tripline_sdk::settings::BreakerSettings;
/// let settings: BreakerSettings = toml::from_str("open = { base = '2s', max = '20s' }").unwrap();
/// assert_eq!(settings.to_config().unwrap().open.nominal(9).as_secs(), 20);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct OpenSettings {
    /// The first time.
    pub base: Option<Length>,
    /// What each further time multiplies it by.
    pub multiplier: Option<f64>,
    /// The longest.
    pub max: Option<Length>,
    /// Give or take this share.
    pub jitter: Option<f64>,
    /// Healthy time that makes it forget one opening.
    pub decay: Option<Length>,
}

/// How a breaker recovers.
///
/// ```
/// use tripline_sdk::settings::BreakerSettings;
/// let settings: BreakerSettings = toml::from_str("half_open = { permits = 5 }").unwrap();
/// assert_eq!(settings.to_config().unwrap().half_open.concurrent, 5);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct HalfOpenSettings {
    /// Probes.
    pub permits: Option<u16>,
    /// Probes at once; as many as there are, unless set.
    pub concurrent: Option<u16>,
    /// So many successes close it; the ratios decide, unless set.
    pub successes: Option<u16>,
    /// How long a probe may take.
    pub lease: Option<Length>,
}

/// Who decides.
///
/// ```
/// use tripline_sdk::{Mode, settings::BreakerSettings};
/// let shadow: BreakerSettings = toml::from_str("mode = 'metrics_only'").unwrap();
/// assert_eq!(shadow.to_config().unwrap().mode, Mode::MetricsOnly);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ModeSetting {
    /// The state machine.
    #[default]
    Enforcing,
    /// Nobody, but it is recorded.
    MetricsOnly,
    /// The operator: nothing passes.
    ForcedOpen,
    /// Nobody.
    Disabled,
}

impl BreakerSettings {
    /// The settings the breaker takes.
    ///
    /// ```
    /// use tripline_sdk::settings::BreakerSettings;
    /// let text = "failure_ratio = 0.0\nfailure_count = 5";
    /// let settings: BreakerSettings = toml::from_str(text).unwrap();
    /// let config = settings.to_config()?;
    /// assert_eq!((config.failure_ratio, config.failure_count), (None, Some(5)));
    /// # Ok::<(), tripline_sdk::InvalidConfig>(())
    /// ```
    ///
    /// # Errors
    /// Settings that cannot work.
    pub fn to_config(&self) -> Result<BreakerConfig, InvalidConfig> {
        let default = BreakerConfig::default();
        let window = match self.window {
            None => default.window,
            Some(WindowSettings::Time { length, buckets }) => WindowConfig::Time {
                length: length.into(),
                buckets,
            },
            Some(WindowSettings::Count { calls }) => WindowConfig::Count { size: calls },
        };
        let failure_ratio = match self.failure_ratio {
            None => default.failure_ratio,
            Some(0.0) => None,
            ratio => ratio,
        };
        let config = BreakerConfig {
            window,
            failure_ratio,
            minimum_calls: self.minimum_calls.unwrap_or(default.minimum_calls),
            failure_count: self.failure_count,
            consecutive_failures: self.consecutive_failures,
            slow_calls: self.slow_calls.map(|slow| SlowCalls {
                threshold: slow.threshold.into(),
                ratio: slow.ratio,
            }),
            open: self.open.to_config(),
            half_open: self.half_open.to_config(),
            on_drop: if self.drop_is_failure {
                OnDrop::Failure
            } else {
                OnDrop::Ignore
            },
            mode: match self.mode {
                ModeSetting::Enforcing => Mode::Enforcing,
                ModeSetting::MetricsOnly => Mode::MetricsOnly,
                ModeSetting::ForcedOpen => Mode::ForcedOpen,
                ModeSetting::Disabled => Mode::Disabled,
            },
            ..default
        };
        config.validate()?;
        Ok(config)
    }
}

impl OpenSettings {
    fn to_config(self) -> OpenTime {
        let default = OpenTime::default();
        let base = self.base.map_or(default.base, Into::into);
        OpenTime {
            base,
            multiplier: self.multiplier.unwrap_or(default.multiplier),
            max: self.max.map_or(default.max.max(base), Into::into),
            jitter: self.jitter.map_or(default.jitter, Jitter::PlusMinus),
            decay: self.decay.map_or(default.decay, Into::into),
        }
    }
}

impl HalfOpenSettings {
    fn to_config(self) -> HalfOpen {
        let default = HalfOpen::default();
        let permits = self.permits.unwrap_or(default.permits);
        HalfOpen {
            permits,
            concurrent: self.concurrent.unwrap_or(permits),
            close_on: self.successes.map_or(default.close_on, CloseOn::Successes),
            lease: self.lease.map(Into::into),
            ..default
        }
    }
}
