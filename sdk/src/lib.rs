//! Resilience policies that report themselves.
#![warn(missing_docs)]

mod breaker;
mod clock;
mod random;
mod sync;
mod window;

pub use breaker::*;
pub use clock::{Clock, ManualClock, Moment, MonotonicClock};
pub use random::{Chance, Jitter};
pub use window::Sums;
