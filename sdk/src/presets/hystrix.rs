//! Hystrix 1.5: `hystrix.command.<key>.…` properties, with `default` for commands without their own.
//!
//! Hystrix looks at its statistics every 500 ms only (`metrics.healthSnapshot`), so it lets that much
//! more fail before it trips; here every failure is looked at.
//!
//! ```
//! use std::collections::BTreeMap;
//! use std::time::Duration;
//! use tripline_sdk::{BreakerConfig, OpenTime, presets::hystrix::Command};
//!
//! let command = Command::of("Stock", &BTreeMap::new()).unwrap();
//! let config = BreakerConfig::try_from(&command).unwrap();
//! assert_eq!((config.minimum_calls, config.failure_ratio), (20, Some(0.5)));
//! assert_eq!(config.open, OpenTime::fixed(Duration::from_secs(5)));
//! ```

use std::collections::BTreeMap;
use std::time::Duration;

use super::single_probe;
use crate::breaker::{BreakerConfig, InvalidConfig, Mode, OpenTime, WindowConfig};

/// `HystrixCommandProperties` of one command, with their defaults.
///
/// ```
/// use std::collections::BTreeMap;
/// use tripline_sdk::{BreakerConfig, presets::hystrix::Command};
/// let properties = BTreeMap::from([
///     ("hystrix.command.default.circuitBreaker.sleepWindowInMilliseconds".into(), "3000".into()),
///     ("hystrix.command.Stock.circuitBreaker.requestVolumeThreshold".into(), "5".into()),
/// ]);
/// let stock = Command::of("Stock", &properties).unwrap();
/// assert_eq!(stock.request_volume_threshold, 5);
/// assert_eq!(stock.sleep_window.as_secs(), 3);
/// assert_eq!(BreakerConfig::try_from(&stock).unwrap().failure_ratio, Some(0.5));
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Command {
    /// `circuitBreaker.enabled`.
    pub enabled: bool,
    /// `circuitBreaker.requestVolumeThreshold`.
    pub request_volume_threshold: u32,
    /// `circuitBreaker.errorThresholdPercentage`.
    pub error_threshold_percentage: f64,
    /// `circuitBreaker.sleepWindowInMilliseconds`.
    pub sleep_window: Duration,
    /// `circuitBreaker.forceOpen`.
    pub force_open: bool,
    /// `circuitBreaker.forceClosed`.
    pub force_closed: bool,
    /// `metrics.rollingStats.timeInMilliseconds`.
    pub rolling_window: Duration,
    /// `metrics.rollingStats.numBuckets`.
    pub rolling_buckets: u16,
    /// `execution.isolation.thread.timeoutInMilliseconds`, if `execution.timeout.enabled`.
    pub timeout: Option<Duration>,
    /// `execution.isolation.semaphore.maxConcurrentRequests`.
    pub max_concurrent_requests: u32,
}

impl Default for Command {
    fn default() -> Self {
        Self {
            enabled: true,
            request_volume_threshold: 20,
            error_threshold_percentage: 50.0,
            sleep_window: Duration::from_secs(5),
            force_open: false,
            force_closed: false,
            rolling_window: Duration::from_secs(10),
            rolling_buckets: 10,
            timeout: Some(Duration::from_secs(1)),
            max_concurrent_requests: 10,
        }
    }
}

/// A property whose value is not of its kind.
///
/// ```
/// use std::collections::BTreeMap;
/// use tripline_sdk::presets::hystrix::Command;
/// let name = "hystrix.command.default.circuitBreaker.forceOpen";
/// let properties = BTreeMap::from([(name.into(), "maybe".into())]);
/// let refused = Command::of("Stock", &properties).unwrap_err();
/// assert_eq!(refused.to_string(), format!(r#"{name} cannot be "maybe""#));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InvalidProperty {
    /// Its full name.
    pub name: String,
    /// Its value.
    pub value: String,
}

impl std::fmt::Display for InvalidProperty {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} cannot be {:?}", self.name, self.value)
    }
}

impl std::error::Error for InvalidProperty {}

impl Command {
    /// The properties of the command `key`.
    ///
    /// ```
    /// use std::collections::BTreeMap;
    /// use tripline_sdk::presets::hystrix::Command;
    /// let name = "hystrix.command.default.execution.timeout.enabled";
    /// let properties = BTreeMap::from([(name.into(), "false".into())]);
    /// let stock = Command::of("Stock", &properties)?;
    /// assert_eq!(stock, Command { timeout: None, ..Command::default() });
    /// # Ok::<(), tripline_sdk::presets::hystrix::InvalidProperty>(())
    /// ```
    ///
    /// # Errors
    /// A value that is no number or no truth.
    pub fn of(key: &str, properties: &BTreeMap<String, String>) -> Result<Self, InvalidProperty> {
        let default = Self::default();
        let read = Read { key, properties };
        let millis = |name, default| -> Result<Duration, InvalidProperty> {
            Ok(read.get(name)?.map_or(default, Duration::from_millis))
        };
        let timeout = millis(
            "execution.isolation.thread.timeoutInMilliseconds",
            Duration::from_secs(1),
        )?;
        let may_time_out = read.get("execution.timeout.enabled")?.unwrap_or(true);
        Ok(Self {
            enabled: read
                .get("circuitBreaker.enabled")?
                .unwrap_or(default.enabled),
            request_volume_threshold: read
                .get("circuitBreaker.requestVolumeThreshold")?
                .unwrap_or(default.request_volume_threshold),
            error_threshold_percentage: read
                .get("circuitBreaker.errorThresholdPercentage")?
                .unwrap_or(default.error_threshold_percentage),
            sleep_window: millis(
                "circuitBreaker.sleepWindowInMilliseconds",
                default.sleep_window,
            )?,
            force_open: read.get("circuitBreaker.forceOpen")?.unwrap_or(false),
            force_closed: read.get("circuitBreaker.forceClosed")?.unwrap_or(false),
            rolling_window: millis(
                "metrics.rollingStats.timeInMilliseconds",
                default.rolling_window,
            )?,
            rolling_buckets: read
                .get("metrics.rollingStats.numBuckets")?
                .unwrap_or(default.rolling_buckets),
            timeout: may_time_out.then_some(timeout),
            max_concurrent_requests: read
                .get("execution.isolation.semaphore.maxConcurrentRequests")?
                .unwrap_or(default.max_concurrent_requests),
        })
    }
}

struct Read<'a> {
    key: &'a str,
    properties: &'a BTreeMap<String, String>,
}

impl Read<'_> {
    /// The command's own property, or else everybody's.
    fn get<T: std::str::FromStr>(&self, name: &str) -> Result<Option<T>, InvalidProperty> {
        for key in [self.key, "default"] {
            let name = format!("hystrix.command.{key}.{name}");
            if let Some(value) = self.properties.get(&name) {
                let value = value.trim();
                return value.parse().map(Some).map_err(|_| InvalidProperty {
                    name,
                    value: value.to_owned(),
                });
            }
        }
        Ok(None)
    }
}

impl TryFrom<&Command> for BreakerConfig {
    type Error = InvalidConfig;

    fn try_from(theirs: &Command) -> Result<Self, InvalidConfig> {
        let mode = match theirs {
            Command {
                force_open: true, ..
            } => Mode::ForcedOpen,
            Command {
                force_closed: true, ..
            }
            | Command { enabled: false, .. } => Mode::Disabled,
            _ => Mode::Enforcing,
        };
        let config = Self {
            window: WindowConfig::Time {
                length: theirs.rolling_window,
                buckets: theirs.rolling_buckets,
            },
            minimum_calls: theirs.request_volume_threshold,
            failure_ratio: Some(theirs.error_threshold_percentage / 100.0),
            judge_successes: true,
            open: OpenTime::fixed(theirs.sleep_window),
            half_open: single_probe(),
            call_timeout: theirs.timeout,
            mode,
            ..Self::default()
        };
        config.validate()?;
        Ok(config)
    }
}
