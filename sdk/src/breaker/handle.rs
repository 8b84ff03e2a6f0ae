//! The breaker programs hold: a machine with a name, a clock and somebody who listens.

mod builder;
mod settings;
mod shared;
mod watched;

pub use builder::CircuitBreakerBuilder;
pub(super) use shared::{Passage, Shared};
pub use watched::WatchedBreaker;

use std::sync::Arc;

use crate::clock::{Clock, Moment, MonotonicClock};

use super::permit::{OwnedPermit, Permit};
use super::{BreakerConfig, InvalidConfig, Mode, Rejection, Snapshot, State};

/// A named circuit breaker. Clones are the same breaker.
///
/// Ask for a [`Permit`] before the call and tell it how the call ended. A permit that is dropped
/// (the future was cancelled, a panic unwound) accounts for itself.
///
/// ```
/// use tripline_sdk::{BreakerConfig, CircuitBreaker, Outcome, State};
///
/// let breaker = CircuitBreaker::new("inventory", BreakerConfig::new().only_consecutive(3))?;
/// for _ in 0..3 {
///     let permit = breaker.acquire().expect("closed");
///     permit.finish(Outcome::Failure);
/// }
/// assert_eq!(breaker.state(), State::Open);
/// let refused = breaker.acquire().unwrap_err();
/// assert_eq!(refused.to_string(), "circuit breaker is open");
/// # Ok::<(), tripline_sdk::InvalidConfig>(())
/// ```
#[derive(Debug)]
pub struct CircuitBreaker<C: Clock = MonotonicClock> {
    shared: Arc<Shared<C>>,
}

impl<C: Clock> Clone for CircuitBreaker<C> {
    fn clone(&self) -> Self {
        Self {
            shared: Arc::clone(&self.shared),
        }
    }
}

impl CircuitBreaker {
    /// A breaker on the machine's monotonic clock that nobody listens to.
    ///
    /// ```
    /// use tripline_sdk::{BreakerConfig, CircuitBreaker};
    /// let breaker = CircuitBreaker::new("stock", BreakerConfig::new())?;
    /// assert!(breaker.acquire().is_ok());
    /// assert!(CircuitBreaker::new("stock", BreakerConfig::new().failure_ratio(2.0)).is_err());
    /// # Ok::<(), tripline_sdk::InvalidConfig>(())
    /// ```
    ///
    /// # Errors
    /// Settings that cannot work.
    pub fn new(name: &str, config: BreakerConfig) -> Result<Self, InvalidConfig> {
        Self::builder(name, config).build()
    }

    /// A breaker with more to say: a listener, a key, a clock.
    ///
    /// ```
    /// use tripline_sdk::{BreakerConfig, CircuitBreaker, ManualClock};
    /// let breaker = CircuitBreaker::builder("stock", BreakerConfig::new())
    ///     .key("shard-7")
    ///     .clock(ManualClock::default())
    ///     .build()?;
    /// assert_eq!(breaker.key(), Some("shard-7"));
    /// # Ok::<(), tripline_sdk::InvalidConfig>(())
    /// ```
    #[must_use]
    pub fn builder(name: &str, config: BreakerConfig) -> CircuitBreakerBuilder {
        CircuitBreakerBuilder::new(name, config)
    }
}

impl<C: Clock> CircuitBreaker<C> {
    /// Its name.
    ///
    /// ```
    /// use tripline_sdk::{BreakerConfig, CircuitBreaker};
    /// let breaker = CircuitBreaker::new("stock", BreakerConfig::new())?;
    /// assert_eq!(breaker.name(), "stock");
    /// # Ok::<(), tripline_sdk::InvalidConfig>(())
    /// ```
    #[must_use]
    pub fn name(&self) -> &str {
        &self.shared.name
    }

    /// Its key among the breakers of the same name, if it is one of several.
    ///
    /// ```
    /// use tripline_sdk::{BreakerConfig, CircuitBreaker, KeyedBreakers, KeyedConfig};
    /// let alone = CircuitBreaker::new("stock", BreakerConfig::new())?;
    /// assert_eq!(alone.key(), None);
    /// let shards = KeyedBreakers::<u32>::new("stock", KeyedConfig::new(BreakerConfig::new()))?;
    /// assert_eq!(shards.get(&7).key(), Some("7"));
    /// # Ok::<(), tripline_sdk::InvalidConfig>(())
    /// ```
    #[must_use]
    pub fn key(&self) -> Option<&str> {
        self.shared.key.as_deref()
    }

    /// The clock it runs on.
    ///
    /// ```
    /// use std::time::Duration;
    /// use tripline_sdk::{BreakerConfig, CircuitBreaker, Clock, ManualClock, Moment};
    /// let breaker = CircuitBreaker::builder("stock", BreakerConfig::new())
    ///     .clock(ManualClock::default())
    ///     .build()?;
    /// breaker.clock().advance(Duration::from_secs(1));
    /// assert_eq!(breaker.clock().now(), Moment::from_millis(1_000));
    /// # Ok::<(), tripline_sdk::InvalidConfig>(())
    /// ```
    #[must_use]
    pub fn clock(&self) -> &C {
        &self.shared.clock
    }

    /// Asks to make a call.
    ///
    /// ```
    /// use tripline_sdk::{BreakerConfig, CircuitBreaker, Outcome, RejectReason};
    /// let breaker = CircuitBreaker::new("stock", BreakerConfig::new().only_consecutive(1))?;
    /// let permit = breaker.acquire().expect("closed");
    /// permit.finish(Outcome::Failure); // after making the call
    /// assert_eq!(breaker.acquire().unwrap_err().reason, RejectReason::Open);
    /// # Ok::<(), tripline_sdk::InvalidConfig>(())
    /// ```
    ///
    /// # Errors
    /// The refusal; the call must not be made.
    #[inline]
    pub fn acquire(&self) -> Result<Permit<'_, C>, Rejection> {
        self.acquire_at(self.shared.clock.now())
    }

    /// [`CircuitBreaker::acquire`] for a caller that has just read the same clock.
    #[inline]
    pub(crate) fn acquire_at(&self, now: Moment) -> Result<Permit<'_, C>, Rejection> {
        let shared = &*self.shared;
        shared
            .admit(now)
            .map(|passage| Permit::new(shared, passage))
    }

    /// Asks to make a call, with a permit that can move into a future.
    ///
    /// ```
    /// use tripline_sdk::{BreakerConfig, CircuitBreaker, Outcome};
    /// let breaker = CircuitBreaker::new("stock", BreakerConfig::new())?;
    /// let permit = breaker.acquire_owned().expect("closed");
    /// std::thread::spawn(move || permit.finish(Outcome::Success)).join().unwrap();
    /// assert_eq!(breaker.snapshot().totals.success, 1);
    /// # Ok::<(), tripline_sdk::InvalidConfig>(())
    /// ```
    ///
    /// # Errors
    /// The refusal; the call must not be made.
    #[inline]
    pub fn acquire_owned(&self) -> Result<OwnedPermit<C>, Rejection> {
        self.acquire_owned_at(self.shared.clock.now())
    }

    /// [`CircuitBreaker::acquire_owned`] for a caller that has just read the same clock.
    #[inline]
    pub(crate) fn acquire_owned_at(&self, now: Moment) -> Result<OwnedPermit<C>, Rejection> {
        let passage = self.shared.admit(now)?;
        Ok(OwnedPermit::new(Arc::clone(&self.shared), passage))
    }

    /// Asks for a probe on behalf of a health check, so that no user's request has to be one.
    ///
    /// ```
    /// use std::time::Duration;
    /// use tripline_sdk::*;
    ///
    /// let clock = ManualClock::default();
    /// let mut config = BreakerConfig::new().only_consecutive(1);
    /// config.half_open.dedicated_probes = true;
    /// let breaker = CircuitBreaker::builder("stock", config).clock(clock.clone()).build()?;
    /// breaker.acquire().unwrap().finish(Outcome::Failure);
    ///
    /// clock.advance(Duration::from_secs(60));
    /// assert!(breaker.acquire().is_err(), "users wait");
    /// for _ in 0..3 {
    ///     breaker.acquire_probe().unwrap().finish(Outcome::Success);
    /// }
    /// assert!(breaker.acquire().is_ok());
    /// # Ok::<(), InvalidConfig>(())
    /// ```
    ///
    /// # Errors
    /// The refusal: the breaker is not half-open, or its probes are out.
    pub fn acquire_probe(&self) -> Result<OwnedPermit<C>, Rejection> {
        let passage = self.shared.admit_probe()?;
        Ok(OwnedPermit::new(Arc::clone(&self.shared), passage))
    }

    /// What callers experience now. Reads only.
    ///
    /// ```
    /// use std::time::Duration;
    /// use tripline_sdk::{BreakerConfig, CircuitBreaker, ManualClock, State};
    /// let breaker = CircuitBreaker::builder("stock", BreakerConfig::new())
    ///     .clock(ManualClock::default())
    ///     .build()?;
    /// breaker.trip();
    /// assert_eq!(breaker.state(), State::Open);
    /// breaker.clock().advance(Duration::from_secs(60));
    /// assert_eq!(breaker.state(), State::HalfOpen);
    /// # Ok::<(), tripline_sdk::InvalidConfig>(())
    /// ```
    #[must_use]
    pub fn state(&self) -> State {
        if self.shared.machine.is_plainly_closed() {
            return State::Closed;
        }
        self.shared.machine.state(self.shared.clock.now())
    }

    /// Everything about the breaker now. Reads only.
    ///
    /// ```
    /// use tripline_sdk::{BreakerConfig, CircuitBreaker, Outcome};
    /// let breaker = CircuitBreaker::new("stock", BreakerConfig::new())?;
    /// breaker.acquire().expect("closed").finish(Outcome::Failure);
    /// let permit = breaker.acquire().expect("closed");
    /// let snapshot = breaker.snapshot();
    /// assert_eq!((snapshot.window.calls, snapshot.window.failures), (1, 1));
    /// assert_eq!(snapshot.totals.in_flight(), 1);
    /// # drop(permit);
    /// # Ok::<(), tripline_sdk::InvalidConfig>(())
    /// ```
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        self.shared.machine.snapshot(self.shared.clock.now())
    }

    /// The settings in force.
    ///
    /// ```
    /// use tripline_sdk::{BreakerConfig, CircuitBreaker, Mode};
    /// let breaker = CircuitBreaker::new("stock", BreakerConfig::new().minimum_calls(50))?;
    /// breaker.set_mode(Mode::MetricsOnly);
    /// let config = breaker.config();
    /// assert_eq!((config.minimum_calls, config.mode), (50, Mode::MetricsOnly));
    /// # Ok::<(), tripline_sdk::InvalidConfig>(())
    /// ```
    #[must_use]
    pub fn config(&self) -> BreakerConfig {
        self.shared.machine.config()
    }

    /// Does what is due: see [`Machine::tick`](super::Machine::tick).
    ///
    /// ```
    /// use std::time::Duration;
    /// use tripline_sdk::{BreakerConfig, CircuitBreaker, ManualClock};
    /// let breaker = CircuitBreaker::builder("stock", BreakerConfig::new())
    ///     .clock(ManualClock::default())
    ///     .build()?;
    /// breaker.trip();
    /// breaker.clock().advance(Duration::from_secs(60));
    /// assert_eq!(breaker.snapshot().generation, 1, "nobody has noticed that it may probe");
    /// breaker.tick();
    /// assert_eq!(breaker.snapshot().generation, 2, "the change to half-open is announced");
    /// # Ok::<(), tripline_sdk::InvalidConfig>(())
    /// ```
    pub fn tick(&self) {
        self.shared
            .in_turn(|machine, now, announce| machine.tick(now, announce));
    }

    /// When [`CircuitBreaker::tick`] next has something to do.
    ///
    /// ```
    /// use std::time::Duration;
    /// use tripline_sdk::{BreakerConfig, CircuitBreaker, ManualClock, Moment, OpenTime};
    /// let config = BreakerConfig::new().open(OpenTime::fixed(Duration::from_secs(5)));
    /// let breaker =
    ///     CircuitBreaker::builder("stock", config).clock(ManualClock::default()).build()?;
    /// assert_eq!(breaker.next_wakeup(), None, "a closed breaker waits for nothing");
    /// breaker.trip();
    /// assert_eq!(breaker.next_wakeup(), Some(Moment::from_millis(5_000)));
    /// # Ok::<(), tripline_sdk::InvalidConfig>(())
    /// ```
    #[must_use]
    pub fn next_wakeup(&self) -> Option<Moment> {
        self.shared.machine.next_wakeup()
    }

    /// Changes who decides: enforce, observe only, force open, disable.
    ///
    /// ```
    /// use tripline_sdk::{BreakerConfig, CircuitBreaker, Mode, State};
    /// let breaker = CircuitBreaker::new("stock", BreakerConfig::new())?;
    /// breaker.set_mode(Mode::ForcedOpen);
    /// assert!(breaker.acquire().is_err());
    /// breaker.set_mode(Mode::Enforcing);
    /// assert_eq!(breaker.state(), State::Closed);
    /// # Ok::<(), tripline_sdk::InvalidConfig>(())
    /// ```
    pub fn set_mode(&self, mode: Mode) {
        self.shared
            .configure(|machine, now, announce| machine.set_mode(mode, now, announce));
    }

    /// Opens it for something it cannot see itself, such as a failed health check.
    ///
    /// ```
    /// use tripline_sdk::{BreakerConfig, CircuitBreaker};
    /// let breaker = CircuitBreaker::new("stock", BreakerConfig::new())?;
    /// breaker.trip();
    /// assert!(breaker.acquire().is_err());
    /// assert_eq!(breaker.snapshot().window.calls, 0, "no call had to fail for it");
    /// # Ok::<(), tripline_sdk::InvalidConfig>(())
    /// ```
    pub fn trip(&self) {
        self.shared
            .in_turn(|machine, now, announce| machine.trip(now, announce));
    }

    /// Closes it and forgets window and attempts.
    ///
    /// ```
    /// use tripline_sdk::{BreakerConfig, CircuitBreaker, Outcome};
    /// let breaker = CircuitBreaker::new("stock", BreakerConfig::new().only_consecutive(1))?;
    /// breaker.acquire().expect("closed").finish(Outcome::Failure);
    /// breaker.reset();
    /// assert!(breaker.acquire().is_ok());
    /// assert_eq!(breaker.snapshot().window.failures, 0, "forgotten");
    /// # Ok::<(), tripline_sdk::InvalidConfig>(())
    /// ```
    pub fn reset(&self) {
        self.shared
            .in_turn(|machine, now, announce| machine.reset(now, announce));
    }

    /// Takes new settings; the window keeps what it holds.
    ///
    /// ```
    /// use tripline_sdk::{BreakerConfig, CircuitBreaker, Outcome, WindowConfig};
    /// let breaker = CircuitBreaker::new("stock", BreakerConfig::new())?;
    /// breaker.acquire().unwrap().finish(Outcome::Failure);
    /// breaker.reconfigure(BreakerConfig::new().failure_ratio(0.1))?;
    /// assert_eq!(breaker.snapshot().window.failures, 1, "not forgotten");
    /// assert!(breaker
    ///     .reconfigure(BreakerConfig::new().window(WindowConfig::Count { size: 9 }))
    ///     .is_err());
    /// # Ok::<(), tripline_sdk::InvalidConfig>(())
    /// ```
    ///
    /// # Errors
    /// Settings that cannot work, or another window.
    pub fn reconfigure(&self, config: BreakerConfig) -> Result<(), InvalidConfig> {
        self.shared
            .configure(|machine, now, announce| machine.reconfigure(config, now, announce))
    }
}
