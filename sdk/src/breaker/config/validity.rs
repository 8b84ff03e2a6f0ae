//! Which settings cannot work, and why.

use super::super::word::PROBES_MAX;
use super::{BreakerConfig, CloseOn, HalfOpen, WindowConfig};

impl BreakerConfig {
    /// Whether these settings make sense.
    ///
    /// ```
    /// use tripline_sdk::{BreakerConfig, HalfOpen};
    /// assert_eq!(BreakerConfig::new().validate(), Ok(()));
    /// let half_open = HalfOpen { permits: 2, concurrent: 3, ..HalfOpen::default() };
    /// let refused = BreakerConfig::new().half_open(half_open).validate().unwrap_err();
    /// assert_eq!(refused.setting, "half_open.concurrent");
    /// ```
    ///
    /// # Errors
    /// The first setting that does not, and why.
    pub fn validate(&self) -> Result<(), InvalidConfig> {
        let refuse = |setting, why| Err(InvalidConfig { setting, why });
        let is_ratio = |ratio: f64| ratio > 0.0 && ratio <= 1.0;
        match self.window {
            WindowConfig::Time { length, buckets } => {
                if length.is_zero() {
                    return refuse("window.length", "must be longer than zero");
                }
                if !(1..=1_000).contains(&buckets) {
                    return refuse("window.buckets", "must be 1 to 1000");
                }
            }
            WindowConfig::Count { size } => {
                if !(1..=1_000_000).contains(&size) {
                    return refuse("window.size", "must be 1 to 1000000");
                }
            }
        }
        if self.failure_ratio.is_some_and(|ratio| !is_ratio(ratio)) {
            return refuse("failure_ratio", "must be above 0 and at most 1");
        }
        if self.slow_calls.is_some_and(|slow| !is_ratio(slow.ratio)) {
            return refuse("slow_calls.ratio", "must be above 0 and at most 1");
        }
        if self.slow_calls.is_some_and(|slow| slow.threshold.is_zero()) {
            return refuse("slow_calls.threshold", "zero would make every call slow");
        }
        if self.consecutive_failures == Some(0) {
            return refuse("consecutive_failures", "zero failures would trip at once");
        }
        if self.failure_count == Some(0) {
            return refuse("failure_count", "zero failures would trip at once");
        }
        if self.open.base.is_zero() || self.open.base > self.open.max {
            return refuse("open.base", "must be above zero and at most open.max");
        }
        if !(self.open.multiplier >= 1.0 && self.open.multiplier.is_finite()) {
            return refuse("open.multiplier", "must be at least 1");
        }
        if self.ramp.is_some_and(|ramp| !is_ratio(ramp.from)) {
            return refuse("ramp.from", "must be above 0 and at most 1");
        }
        self.validate_half_open()
    }

    fn validate_half_open(&self) -> Result<(), InvalidConfig> {
        let HalfOpen {
            permits,
            concurrent,
            close_on,
            ..
        } = self.half_open;
        let refuse = |setting, why| Err(InvalidConfig { setting, why });
        if !(1..=PROBES_MAX).contains(&permits) {
            return refuse("half_open.permits", "must be 1 to 4095");
        }
        if !(1..=permits).contains(&concurrent) {
            return refuse("half_open.concurrent", "must be 1 to half_open.permits");
        }
        match close_on {
            CloseOn::Successes(needed) if !(1..=permits).contains(&needed) => refuse(
                "half_open.close_on",
                "as many successes as permits is the most that can happen",
            ),
            _ => Ok(()),
        }
    }
}

/// A setting that cannot work.
///
/// ```
/// use tripline_sdk::BreakerConfig;
/// let refused = BreakerConfig::new().failure_ratio(0.0).validate().unwrap_err();
/// assert_eq!(refused.to_string(), "failure_ratio must be above 0 and at most 1");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InvalidConfig {
    /// The setting, as a path.
    pub setting: &'static str,
    /// What is wrong with it.
    pub why: &'static str,
}

impl std::fmt::Display for InvalidConfig {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.setting, self.why)
    }
}

impl std::error::Error for InvalidConfig {}
