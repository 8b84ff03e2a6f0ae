//! The right to make one call, which accounts for itself when it is lost.

use std::mem::ManuallyDrop;
use std::sync::Arc;

use crate::clock::{Clock, MonotonicClock};

use super::Outcome;
use super::handle::{Passage, Shared};

/// The right to make one call. Tell it how the call ended.
///
/// Dropped untold, it counts the call as cancelled: ignored, unless it had become slow, a panic is
/// unwinding, or [`OnDrop`](crate::OnDrop) says otherwise.
///
/// ```
/// use tripline_sdk::{BreakerConfig, CircuitBreaker};
/// let breaker = CircuitBreaker::new("stock", BreakerConfig::new())?;
/// drop(breaker.acquire());
/// assert_eq!(breaker.snapshot().totals.cancelled, 1);
/// # Ok::<(), tripline_sdk::InvalidConfig>(())
/// ```
#[must_use = "a permit that is dropped at once counts as a cancelled call"]
#[derive(Debug)]
pub struct Permit<'a, C: Clock = MonotonicClock> {
    holder: &'a Shared<C>,
    passage: Passage,
}

impl<'a, C: Clock> Permit<'a, C> {
    #[inline]
    pub(super) fn new(holder: &'a Shared<C>, passage: Passage) -> Self {
        Self { holder, passage }
    }

    /// Whether this call is one of the probes of a half-open breaker.
    ///
    /// ```
    /// use std::time::Duration;
    /// use tripline_sdk::{BreakerConfig, CircuitBreaker, ManualClock};
    /// let breaker = CircuitBreaker::builder("stock", BreakerConfig::new())
    ///     .clock(ManualClock::default())
    ///     .build()?;
    /// assert!(!breaker.acquire().expect("closed").is_probe());
    /// breaker.trip();
    /// breaker.clock().advance(Duration::from_secs(60));
    /// assert!(breaker.acquire().expect("half-open").is_probe());
    /// # Ok::<(), tripline_sdk::InvalidConfig>(())
    /// ```
    #[must_use]
    pub fn is_probe(&self) -> bool {
        self.passage.is_probe()
    }

    /// The call ended.
    ///
    /// ```
    /// use tripline_sdk::{BreakerConfig, CircuitBreaker, Outcome};
    /// let breaker = CircuitBreaker::new("stock", BreakerConfig::new())?;
    /// breaker.acquire().expect("closed").finish(Outcome::Success);
    /// breaker.acquire().expect("closed").finish(Outcome::Overload { retry_after: None });
    /// let totals = breaker.snapshot().totals;
    /// assert_eq!((totals.success, totals.failure), (1, 1));
    /// # Ok::<(), tripline_sdk::InvalidConfig>(())
    /// ```
    #[inline]
    pub fn finish(self, outcome: Outcome) {
        let told = ManuallyDrop::new(self);
        told.holder.record(told.passage.again(), outcome);
    }
}

impl<C: Clock> Drop for Permit<'_, C> {
    #[inline]
    fn drop(&mut self) {
        self.holder.cancel(self.passage.again());
    }
}

/// A [`Permit`] that borrows nothing.
///
/// ```
/// use tripline_sdk::{BreakerConfig, CircuitBreaker, Outcome};
/// let breaker = CircuitBreaker::new("stock", BreakerConfig::new())?;
/// let permit = breaker.acquire_owned().expect("closed");
/// assert!(!permit.is_probe());
/// permit.finish(Outcome::Success);
/// # Ok::<(), tripline_sdk::InvalidConfig>(())
/// ```
#[must_use = "a permit that is dropped at once counts as a cancelled call"]
#[derive(Debug)]
pub struct OwnedPermit<C: Clock = MonotonicClock> {
    shared: Arc<Shared<C>>,
    passage: Passage,
    told: bool,
}

impl<C: Clock> OwnedPermit<C> {
    #[inline]
    pub(super) fn new(shared: Arc<Shared<C>>, passage: Passage) -> Self {
        Self {
            shared,
            passage,
            told: false,
        }
    }

    /// Whether this call is one of the probes of a half-open breaker.
    ///
    /// ```
    /// use std::time::Duration;
    /// use tripline_sdk::{BreakerConfig, CircuitBreaker, ManualClock};
    /// let breaker = CircuitBreaker::builder("stock", BreakerConfig::new())
    ///     .clock(ManualClock::default())
    ///     .build()?;
    /// breaker.trip();
    /// breaker.clock().advance(Duration::from_secs(60));
    /// assert!(breaker.acquire_probe().expect("half-open").is_probe());
    /// # Ok::<(), tripline_sdk::InvalidConfig>(())
    /// ```
    #[must_use]
    pub fn is_probe(&self) -> bool {
        self.passage.is_probe()
    }

    /// The call ended.
    ///
    /// ```
    /// use tripline_sdk::{BreakerConfig, CircuitBreaker, Outcome};
    /// let breaker = CircuitBreaker::new("stock", BreakerConfig::new())?;
    /// let permit = breaker.acquire_owned().expect("closed");
    /// std::thread::spawn(move || permit.finish(Outcome::Ignore)).join().unwrap();
    /// assert_eq!(breaker.snapshot().totals.ignored, 1);
    /// # Ok::<(), tripline_sdk::InvalidConfig>(())
    /// ```
    #[inline]
    pub fn finish(mut self, outcome: Outcome) {
        self.told = true;
        self.shared.record(self.passage.again(), outcome);
    }
}

impl<C: Clock> Drop for OwnedPermit<C> {
    #[inline]
    fn drop(&mut self) {
        if !self.told {
            self.shared.cancel(self.passage.again());
        }
    }
}
