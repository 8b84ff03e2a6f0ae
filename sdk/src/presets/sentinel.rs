//! Sentinel 1.8: degrade and flow rules, as its dashboard and data sources keep them in JSON.
//!
//! Sentinel's statistics have one bucket, a window that forgets everything at its boundary; so have
//! these. It compares with `>` (a ratio of exactly the threshold does not trip), except for a
//! threshold of everything. Not matched: rules related to other resources or origins, cluster mode,
//! and queueing (a limiter here never waits, it says when to come back).
//!
//! ```
//! use tripline_sdk::{BreakerConfig, presets::sentinel::DegradeRule};
//!
//! let rule: DegradeRule = serde_json::from_str(
//!     r#"{"resource": "stock", "grade": 0, "count": 200, "timeWindow": 10}"#,
//! ).unwrap();
//! let slow = BreakerConfig::try_from(&rule).unwrap().slow_calls.unwrap();
//! assert_eq!(slow.threshold.as_millis(), 201, "longer than 200 ms");
//! assert_eq!(slow.ratio, 1.0);
//! ```

use std::time::Duration;

use serde::Deserialize;

use super::{more_than, single_probe};
use crate::breaker::{BreakerConfig, InvalidConfig, OpenTime, SlowCalls, WindowConfig};
use crate::limit::{FixedWindow, Gcra, RateLimit, WarmUp, WarmUpConfig};

/// A `DegradeRule`, with its defaults.
///
/// ```
/// use tripline_sdk::{BreakerConfig, presets::sentinel::DegradeRule};
/// let rules: Vec<DegradeRule> = serde_json::from_str(
///     r#"[{"resource": "stock", "grade": 2, "count": 3, "timeWindow": 10}]"#,
/// ).unwrap();
/// let config = BreakerConfig::try_from(&rules[0]).unwrap();
/// assert_eq!(config.failure_count, Some(4), "more than three");
/// ```
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DegradeRule {
    /// What is guarded.
    pub resource: String,
    /// 0 slow ratio, 1 exception ratio, 2 exception count.
    #[serde(default)]
    pub grade: u8,
    /// Milliseconds, ratio or count, by the grade.
    pub count: f64,
    /// Seconds it stays open.
    pub time_window: u64,
    /// Nothing trips below so many requests.
    #[serde(default = "five")]
    pub min_request_amount: u32,
    /// The share of slow requests, for grade 0.
    #[serde(default = "everything")]
    pub slow_ratio_threshold: f64,
    /// Milliseconds of the window.
    #[serde(default = "a_second")]
    pub stat_interval_ms: u64,
}

fn five() -> u32 {
    5
}

fn everything() -> f64 {
    1.0
}

fn a_second() -> u64 {
    1_000
}

impl TryFrom<&DegradeRule> for BreakerConfig {
    type Error = InvalidConfig;

    fn try_from(theirs: &DegradeRule) -> Result<Self, InvalidConfig> {
        let base = Self {
            window: WindowConfig::Time {
                length: Duration::from_millis(theirs.stat_interval_ms),
                buckets: 1,
            },
            minimum_calls: theirs.min_request_amount,
            failure_ratio: None,
            judge_successes: true,
            open: OpenTime::fixed(Duration::from_secs(theirs.time_window)),
            half_open: single_probe(),
            ..Self::default()
        };
        let config = match theirs.grade {
            0 => Self {
                slow_calls: Some(SlowCalls {
                    // Whole milliseconds, and more than `count` of them.
                    threshold: Duration::from_millis(theirs.count as u64 + 1),
                    ratio: more_than(theirs.slow_ratio_threshold),
                }),
                ..base
            },
            1 => Self {
                failure_ratio: Some(more_than(theirs.count)),
                ..base
            },
            2 => Self {
                failure_count: Some((theirs.count as u32).saturating_add(1)),
                ..base
            },
            _ => {
                return Err(InvalidConfig {
                    setting: "grade",
                    why: "must be 0 (slow ratio), 1 (exception ratio) or 2 (exception count)",
                });
            }
        };
        config.validate()?;
        Ok(config)
    }
}

/// A `FlowRule` on queries a second, with its defaults.
///
/// ```
/// use tripline_sdk::{Moment, presets::sentinel::FlowRule};
/// let rule: FlowRule = serde_json::from_str(r#"{"resource": "stock", "count": 2}"#).unwrap();
/// let limiter = rule.limiter().unwrap();
/// assert!(limiter.check(2, Moment::ZERO).allowed);
/// assert!(!limiter.check(1, Moment::ZERO).allowed);
/// ```
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FlowRule {
    /// What is guarded.
    pub resource: String,
    /// 0 threads, 1 queries a second.
    #[serde(default = "one")]
    pub grade: u8,
    /// How many.
    pub count: f64,
    /// 0 reject, 1 warm up, 2 queue, 3 warm up and queue.
    #[serde(default)]
    pub control_behavior: u8,
    /// Seconds of warming up.
    #[serde(default = "ten")]
    pub warm_up_period_sec: u64,
    /// Milliseconds a request may queue.
    #[serde(default = "half_a_second")]
    pub max_queueing_time_ms: u64,
}

fn one() -> u8 {
    1
}

fn ten() -> u64 {
    10
}

fn half_a_second() -> u64 {
    500
}

impl FlowRule {
    /// The limiter, for rules on queries a second. Rules on threads are bulkheads of `count`.
    ///
    /// ```
    /// use std::time::Duration;
    /// use tripline_sdk::{Moment, presets::sentinel::FlowRule};
    /// let read = |json| serde_json::from_str::<FlowRule>(json).unwrap();
    /// let queue = read(r#"{"resource": "stock", "count": 10, "controlBehavior": 2}"#).limiter()?;
    /// assert!(queue.check(1, Moment::ZERO).allowed);
    /// let refused = queue.check(1, Moment::ZERO);
    /// assert_eq!(refused.retry_after, Some(Duration::from_millis(100)));
    /// let threads = read(r#"{"resource": "stock", "grade": 0, "count": 10}"#);
    /// assert_eq!(threads.limiter().err().map(|refused| refused.setting), Some("grade"));
    /// # Ok::<(), tripline_sdk::InvalidConfig>(())
    /// ```
    ///
    /// # Errors
    /// A rule on threads, or a behaviour nobody knows.
    pub fn limiter(&self) -> Result<Box<dyn RateLimit>, InvalidConfig> {
        let refuse = |setting, why| Err(InvalidConfig { setting, why });
        if self.grade != 1 {
            return refuse(
                "grade",
                "must be 1 (queries a second); threads are a bulkhead",
            );
        }
        if !(self.count.is_finite() && self.count > 0.0) {
            return refuse("count", "must be above 0");
        }
        let second = Duration::from_secs(1);
        let warm_up = || WarmUpConfig {
            per_second: self.count,
            warm_up: Duration::from_secs(self.warm_up_period_sec),
            ..WarmUpConfig::default()
        };
        match self.control_behavior {
            0 => Ok(Box::new(FixedWindow::new(self.count as u32, second))),
            1 | 3 => Ok(Box::new(WarmUp::new(warm_up()))),
            2 => Ok(Box::new(Gcra::new(second.div_f64(self.count), 1))),
            _ => refuse("controlBehavior", "must be 0, 1, 2 or 3"),
        }
    }
}
