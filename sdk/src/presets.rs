//! The settings of other systems, read as they are written there.
//!
//! Each module takes a system's own parameter names, units and defaults, and gives the settings
//! of this crate that behave alike. Where a system cannot be matched its page says so.
//!
//! | module | reads | of |
//! |---|---|---|
//! | [`resilience4j`] | an `instances` or `configs` block of Spring Boot's YAML | resilience4j 2 |
//! | [`hystrix`] | Archaius properties | Hystrix 1.5 |
//! | [`sentinel`] | degrade and flow rules in JSON | Sentinel 1.8 |
//! | [`gobreaker`] | `Settings` | sony/gobreaker 2 |
//! | [`polly`] | strategy options in JSON | Polly 8 |
//!
//! ```
//! use tripline_sdk::presets::resilience4j;
//! use tripline_sdk::{BreakerConfig, WindowConfig};
//!
//! let instance: resilience4j::CircuitBreaker = serde_json::from_str(
//!     r#"{"failureRateThreshold": 60, "slidingWindowSize": 20, "waitDurationInOpenState": "10s"}"#,
//! ).unwrap();
//! let config = BreakerConfig::try_from(&instance).unwrap();
//! assert_eq!(config.window, WindowConfig::Count { size: 20 });
//! assert_eq!(config.failure_ratio, Some(0.6));
//! ```

mod foreign_length;
pub mod gobreaker;
pub mod hystrix;
pub mod polly;
pub mod resilience4j;
pub mod sentinel;

use crate::breaker::{CloseOn, HalfOpen};

/// One probe decides.
fn single_probe() -> HalfOpen {
    HalfOpen {
        permits: 1,
        concurrent: 1,
        close_on: CloseOn::Successes(1),
        ..HalfOpen::default()
    }
}

/// The least share that is *more* than `ratio`: for systems that compare with `>`. All of all
/// calls is the most there is, and those systems make an exception for it.
fn more_than(ratio: f64) -> f64 {
    ratio.next_up().min(1.0)
}
