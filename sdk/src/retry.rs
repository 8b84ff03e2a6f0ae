//! Retrying: how long to wait, how often to try, and who pays.
//!
//! Retries help against the odd failure and sustain the big ones: when everything fails, three
//! tries a call are three times the load on a peer that is already down. So every retry (and every
//! hedge) is paid from a [`RetryBudget`] that only successfully offered work fills.

mod budget;

pub use budget::{BudgetConfig, RetryBudget};

use std::time::Duration;

use crate::clock::seconds;
use crate::random::{Chance, Jitter};

/// How long to wait before the next try.
///
/// ```
/// use std::time::Duration;
/// use tripline_sdk::{Backoff, BackoffJitter, Chance};
///
/// let backoff = Backoff { jitter: BackoffJitter::None, ..Backoff::default() };
/// let chance = Chance::seeded(1);
/// let waits: Vec<_> = (1..=3).map(|n| backoff.delay(n, Duration::ZERO, &chance)).collect();
/// assert_eq!(waits, [100, 200, 400].map(Duration::from_millis));
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Backoff {
    /// The wait before the first retry, and the least wait of decorrelated jitter.
    pub base: Duration,
    /// What each further retry multiplies it by.
    pub multiplier: f64,
    /// No wait is longer.
    pub max: Duration,
    /// How waits are spread.
    pub jitter: BackoffJitter,
}

/// How waits between tries are spread.
///
/// ```
/// use tripline_sdk::{Backoff, BackoffJitter};
/// assert_eq!(Backoff::default().jitter, BackoffJitter::Full);
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum BackoffJitter {
    /// Not at all.
    None,
    /// Anywhere from nothing to the wait.
    Full,
    /// Half the wait, and anywhere up to the other half.
    Equal,
    /// Anywhere from the base to three times the wait before (AWS architecture blog).
    Decorrelated,
    /// The wait, give or take this share.
    PlusMinus(f64),
}

impl Default for Backoff {
    /// 100 ms, doubling up to 10 s, full jitter.
    fn default() -> Self {
        Self {
            base: Duration::from_millis(100),
            multiplier: 2.0,
            max: Duration::from_secs(10),
            jitter: BackoffJitter::Full,
        }
    }
}

impl Backoff {
    /// The wait before retry number `retry` (the first is 1), after having waited `previous` before
    /// the last.
    ///
    /// ```
    /// use std::time::Duration;
    /// use tripline_sdk::{Backoff, BackoffJitter, Chance};
    /// let backoff = Backoff { jitter: BackoffJitter::Decorrelated, ..Backoff::default() };
    /// let previous = Duration::from_millis(400);
    /// let wait = backoff.delay(2, previous, &Chance::seeded(1));
    /// assert!(wait >= backoff.base && wait <= previous * 3);
    /// ```
    #[must_use]
    pub fn delay(&self, retry: u32, previous: Duration, chance: &Chance) -> Duration {
        let exponent = i32::try_from(retry.saturating_sub(1)).unwrap_or(i32::MAX);
        let grown = self.base.as_secs_f64() * self.multiplier.max(1.0).powi(exponent);
        let nominal = seconds(grown.min(self.max.as_secs_f64()));
        let spread = match self.jitter {
            BackoffJitter::None => nominal,
            BackoffJitter::Full => Jitter::Full.spread(nominal, chance),
            BackoffJitter::Equal => Jitter::Equal.spread(nominal, chance),
            BackoffJitter::PlusMinus(share) => Jitter::PlusMinus(share).spread(nominal, chance),
            BackoffJitter::Decorrelated => {
                let (low, high) = (self.base, previous.saturating_mul(3).max(self.base));
                low + seconds((high - low).as_secs_f64() * chance.unit())
            }
        };
        spread.min(self.max)
    }
}

/// How often to try and how to wait.
///
/// ```
/// use std::time::Duration;
/// use tripline_sdk::{Chance, RetryConfig};
///
/// let config = RetryConfig::default();
/// let chance = Chance::seeded(1);
/// assert!(config.next_delay(1, Duration::ZERO, None, &chance).is_some());
/// assert_eq!(config.next_delay(3, Duration::ZERO, None, &chance), None, "three tries are enough");
/// let hint = Some(Duration::from_secs(2));
/// assert_eq!(config.next_delay(1, Duration::ZERO, hint, &chance), hint, "the peer knows best");
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RetryConfig {
    /// Tries in all, the first included.
    pub max_attempts: u32,
    /// The wait between them.
    pub backoff: Backoff,
    /// A peer that asks for a longer wait than this is not retried at all.
    pub retry_after_max: Duration,
}

impl Default for RetryConfig {
    /// Three tries, default backoff, hints up to 30 s.
    fn default() -> Self {
        Self {
            max_attempts: 3,
            backoff: Backoff::default(),
            retry_after_max: Duration::from_secs(30),
        }
    }
}

impl RetryConfig {
    /// How long to wait after try number `attempt` (the first is 1) failed; nothing if that was
    /// the last. A `hint` of the peer (`Retry-After`, `grpc-retry-pushback-ms`) replaces the
    /// backoff.
    ///
    /// ```
    /// use std::time::Duration;
    /// use tripline_sdk::{Chance, RetryConfig};
    /// let config = RetryConfig::default();
    /// let chance = Chance::seeded(1);
    /// let wait = config.next_delay(1, Duration::ZERO, None, &chance).unwrap();
    /// assert!(wait <= config.backoff.base);
    /// let a_minute = Some(Duration::from_secs(60));
    /// let refused = config.next_delay(1, Duration::ZERO, a_minute, &chance);
    /// assert_eq!(refused, None, "longer than `retry_after_max`");
    /// ```
    #[must_use]
    pub fn next_delay(
        &self,
        attempt: u32,
        previous: Duration,
        hint: Option<Duration>,
        chance: &Chance,
    ) -> Option<Duration> {
        if attempt >= self.max_attempts {
            return None;
        }
        match hint {
            Some(hint) => (hint <= self.retry_after_max).then_some(hint),
            None => Some(self.backoff.delay(attempt, previous, chance)),
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn no_wait_is_longer_than_the_maximum_or_outside_its_jitter(
            retry in 1_u32..64, seed: u64, kind in 0_u8..5, previous_ms in 0_u64..100_000,
        ) {
            let jitter = [
                BackoffJitter::None,
                BackoffJitter::Full,
                BackoffJitter::Equal,
                BackoffJitter::Decorrelated,
                BackoffJitter::PlusMinus(0.3),
            ][usize::from(kind)];
            let backoff = Backoff { jitter, ..Backoff::default() };
            let previous = Duration::from_millis(previous_ms);
            let wait = backoff.delay(retry, previous, &Chance::seeded(seed));
            let nominal = (0.1 * 2_f64.powi(retry as i32 - 1)).min(10.0);
            let (low, high) = match jitter {
                BackoffJitter::None => (nominal, nominal),
                BackoffJitter::Full => (0.0, nominal),
                BackoffJitter::Equal => (nominal / 2.0, nominal),
                BackoffJitter::Decorrelated => (0.1, (previous.as_secs_f64() * 3.0).max(0.1)),
                BackoffJitter::PlusMinus(share) => (nominal * (1.0 - share), nominal * (1.0 + share)),
            };
            let wait = wait.as_secs_f64();
            prop_assert!(wait <= 10.0 && wait >= low.min(10.0) - 1e-6 && wait <= high + 1e-6);
        }
    }
}
