//! A breaker's settings: what trips it, how long it stays open, how it comes back.

mod recovery;
mod validity;

use std::time::Duration;

use crate::window::{CountWindow, TimeWindow, Window};

pub use recovery::{CloseOn, HalfOpen, OpenTime, Ramp};
pub use validity::InvalidConfig;

/// Which calls the ratios are taken over.
///
/// ```
/// use std::time::Duration;
/// use tripline_sdk::WindowConfig;
/// let last_minute = WindowConfig::Time { length: Duration::from_secs(60), buckets: 10 };
/// let last_hundred = WindowConfig::Count { size: 100 };
/// assert_ne!(last_minute, last_hundred);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WindowConfig {
    /// The calls that began in the last `length`, forgotten in `buckets` steps. One bucket is a
    /// tumbling window, which forgets everything at its boundary.
    Time {
        /// How far back the window reaches.
        length: Duration,
        /// In how many steps it slides, 1 to 1 000.
        buckets: u16,
    },
    /// The last `size` calls, two bits each.
    Count {
        /// How many calls.
        size: u32,
    },
}

/// When a call counts as slow and how many slow calls are too many.
///
/// ```
/// use std::time::Duration;
/// use tripline_sdk::{BreakerConfig, SlowCalls};
/// let config = BreakerConfig::new()
///     .slow_calls(SlowCalls { threshold: Duration::from_millis(500), ratio: 0.8 });
/// assert!(config.validate().is_ok());
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SlowCalls {
    /// From this duration on a call is slow.
    pub threshold: Duration,
    /// The share of slow calls that trips, in `(0, 1]`.
    pub ratio: f64,
}

/// What a call counts as that was dropped before it had a result (cancelled, timed out outside).
///
/// Whatever is chosen, a panic counts as a failure, and a call dropped after the slow threshold
/// counts as slow.
///
/// ```
/// use tripline_sdk::{BreakerConfig, OnDrop};
/// assert_eq!(BreakerConfig::new().on_drop, OnDrop::Ignore);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnDrop {
    /// Nothing: callers who changed their mind say nothing about the peer.
    #[default]
    Ignore,
    /// A failure: for services whose callers only ever give up because it hangs.
    Failure,
}

/// Who decides what the breaker's computed state means for calls.
///
/// ```
/// use tripline_sdk::{BreakerConfig, CircuitBreaker, Mode};
/// let breaker = CircuitBreaker::new("stock", BreakerConfig::new().mode(Mode::ForcedOpen)).unwrap();
/// assert!(breaker.acquire().is_err());
/// breaker.set_mode(Mode::Enforcing);
/// assert!(breaker.acquire().is_ok());
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// The state machine.
    #[default]
    Enforcing = 0,
    /// Nobody: everything passes, the state machine runs along and says what it would have done.
    MetricsOnly = 1,
    /// The operator: everything is refused.
    ForcedOpen = 2,
    /// Nobody: everything passes, nothing is announced.
    Disabled = 3,
}

/// The settings of one circuit breaker.
///
/// The defaults trip at 50 % failures of at least 20 calls in 10 s, stay open 5 s (up to 60 s) and
/// close after 3 probes.
///
/// ```
/// use std::time::Duration;
/// use tripline_sdk::{BreakerConfig, SlowCalls};
///
/// let config = BreakerConfig::new()
///     .failure_ratio(0.3)
///     .minimum_calls(50)
///     .slow_calls(SlowCalls { threshold: Duration::from_secs(1), ratio: 0.9 });
/// assert!(config.validate().is_ok());
/// assert!(config.failure_ratio(1.5).validate().is_err());
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BreakerConfig {
    /// What the ratios are taken over.
    pub window: WindowConfig,
    /// Nothing trips before the window holds this many calls (at most its size, if it counts).
    pub minimum_calls: u32,
    /// The share of failed calls that trips, in `(0, 1]`.
    pub failure_ratio: Option<f64>,
    /// The number of failed calls in the window that trips.
    pub failure_count: Option<u32>,
    /// The number of failures in a row that trips, once the minimum is reached.
    pub consecutive_failures: Option<u32>,
    /// When slow calls trip; unset, no call is ever slow.
    pub slow_calls: Option<SlowCalls>,
    /// Whether a success in time may trip it too, because it completes the minimum. Costs a look
    /// at the whole window for each call; resilience4j, Hystrix and Sentinel do it.
    pub judge_successes: bool,
    /// How long it stays open.
    pub open: OpenTime,
    /// How it recovers.
    pub half_open: HalfOpen,
    /// Whether it lets traffic in gradually once closed.
    pub ramp: Option<Ramp>,
    /// What a dropped call counts as.
    pub on_drop: OnDrop,
    /// The timeout inside this breaker, if there is one: bounds the lease of a probe.
    pub call_timeout: Option<Duration>,
    /// Who decides.
    pub mode: Mode,
    /// Seed of the jitter; unset, every breaker has its own.
    pub seed: Option<u64>,
    /// Stripes of the window and the totals, 1 to 64. All but two belong to one thread each, which
    /// then counts without a locked instruction; the other threads share those two. A stripe of
    /// the default window takes 384 bytes.
    pub stripes: u8,
}

impl Default for BreakerConfig {
    fn default() -> Self {
        Self {
            window: WindowConfig::Time {
                length: Duration::from_secs(10),
                buckets: 10,
            },
            minimum_calls: 20,
            failure_ratio: Some(0.5),
            failure_count: None,
            consecutive_failures: None,
            slow_calls: None,
            judge_successes: false,
            open: OpenTime::default(),
            half_open: HalfOpen::default(),
            ramp: None,
            on_drop: OnDrop::Ignore,
            call_timeout: None,
            mode: Mode::Enforcing,
            seed: None,
            stripes: 5,
        }
    }
}

/// The lease of a probe when nothing is known about how long calls take.
const LEASE_FALLBACK: Duration = Duration::from_secs(60);

impl BreakerConfig {
    /// The defaults.
    ///
    /// ```
    /// use tripline_sdk::BreakerConfig;
    /// let config = BreakerConfig::new();
    /// assert_eq!((config.minimum_calls, config.failure_ratio), (20, Some(0.5)));
    /// ```
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets what the ratios are taken over.
    ///
    /// ```
    /// use tripline_sdk::{BreakerConfig, WindowConfig};
    /// let last_hundred = WindowConfig::Count { size: 100 };
    /// assert_eq!(BreakerConfig::new().window(last_hundred).window, last_hundred);
    /// ```
    #[must_use]
    pub fn window(self, window: WindowConfig) -> Self {
        Self { window, ..self }
    }

    /// Sets how many calls the window must hold before anything trips.
    ///
    /// ```
    /// use tripline_sdk::{BreakerConfig, CircuitBreaker, Outcome, State};
    /// let breaker = CircuitBreaker::new("stock", BreakerConfig::new().minimum_calls(2))?;
    /// breaker.acquire().expect("closed").finish(Outcome::Failure);
    /// assert_eq!(breaker.state(), State::Closed, "one call is too few");
    /// breaker.acquire().expect("closed").finish(Outcome::Failure);
    /// assert_eq!(breaker.state(), State::Open);
    /// # Ok::<(), tripline_sdk::InvalidConfig>(())
    /// ```
    #[must_use]
    pub fn minimum_calls(self, minimum_calls: u32) -> Self {
        Self {
            minimum_calls,
            ..self
        }
    }

    /// Sets the share of failures that trips.
    ///
    /// ```
    /// use tripline_sdk::{BreakerConfig, CircuitBreaker, Outcome, State};
    /// let config = BreakerConfig::new().minimum_calls(4).failure_ratio(0.25);
    /// let breaker = CircuitBreaker::new("stock", config)?;
    /// for outcome in [Outcome::Success, Outcome::Success, Outcome::Success, Outcome::Failure] {
    ///     breaker.acquire().expect("closed").finish(outcome);
    /// }
    /// assert_eq!(breaker.state(), State::Open, "one of four failed");
    /// # Ok::<(), tripline_sdk::InvalidConfig>(())
    /// ```
    #[must_use]
    pub fn failure_ratio(self, ratio: f64) -> Self {
        Self {
            failure_ratio: Some(ratio),
            ..self
        }
    }

    /// Sets the number of failures in a row that trips, and drops the other criteria and the
    /// minimum: the classic breaker of five failures.
    ///
    /// ```
    /// use tripline_sdk::BreakerConfig;
    /// let config = BreakerConfig::new().only_consecutive(5);
    /// assert_eq!((config.consecutive_failures, config.failure_ratio), (Some(5), None));
    /// assert_eq!(config.minimum_calls, 1);
    /// ```
    #[must_use]
    pub fn only_consecutive(self, failures: u32) -> Self {
        Self {
            consecutive_failures: Some(failures),
            failure_ratio: None,
            minimum_calls: 1,
            ..self
        }
    }

    /// Adds the number of failures in a row that trips.
    ///
    /// ```
    /// use tripline_sdk::BreakerConfig;
    /// let config = BreakerConfig::new().consecutive_failures(5);
    /// assert_eq!(config.consecutive_failures, Some(5));
    /// assert_eq!(config.failure_ratio, Some(0.5), "the ratio still trips too");
    /// ```
    #[must_use]
    pub fn consecutive_failures(self, failures: u32) -> Self {
        Self {
            consecutive_failures: Some(failures),
            ..self
        }
    }

    /// Sets when slow calls trip.
    ///
    /// ```
    /// use std::time::Duration;
    /// use tripline_sdk::{BreakerConfig, CircuitBreaker, ManualClock, Outcome, SlowCalls, State};
    /// let slow = SlowCalls { threshold: Duration::from_secs(1), ratio: 1.0 };
    /// let config = BreakerConfig::new().minimum_calls(1).slow_calls(slow);
    /// let clock = ManualClock::default();
    /// let breaker = CircuitBreaker::builder("stock", config).clock(clock.clone()).build()?;
    /// let permit = breaker.acquire().expect("closed");
    /// clock.advance(Duration::from_secs(1));
    /// permit.finish(Outcome::Success);
    /// assert_eq!(breaker.state(), State::Open, "it answered, but too late");
    /// # Ok::<(), tripline_sdk::InvalidConfig>(())
    /// ```
    #[must_use]
    pub fn slow_calls(self, slow: SlowCalls) -> Self {
        Self {
            slow_calls: Some(slow),
            ..self
        }
    }

    /// Sets how long it stays open.
    ///
    /// ```
    /// use std::time::Duration;
    /// use tripline_sdk::{BreakerConfig, CircuitBreaker, ManualClock, OpenTime};
    /// let config = BreakerConfig::new().open(OpenTime::fixed(Duration::from_secs(3)));
    /// let breaker =
    ///     CircuitBreaker::builder("stock", config).clock(ManualClock::default()).build()?;
    /// breaker.trip();
    /// let refused = breaker.acquire().unwrap_err();
    /// assert_eq!(refused.retry_after, Some(Duration::from_secs(3)));
    /// # Ok::<(), tripline_sdk::InvalidConfig>(())
    /// ```
    #[must_use]
    pub fn open(self, open: OpenTime) -> Self {
        Self { open, ..self }
    }

    /// Sets how it recovers.
    ///
    /// ```
    /// use std::time::Duration;
    /// use tripline_sdk::{BreakerConfig, CircuitBreaker, HalfOpen, ManualClock, Outcome, State};
    /// let one_probe = HalfOpen { permits: 1, concurrent: 1, ..HalfOpen::default() };
    /// let config = BreakerConfig::new().half_open(one_probe);
    /// let clock = ManualClock::default();
    /// let breaker = CircuitBreaker::builder("stock", config).clock(clock.clone()).build()?;
    /// breaker.trip();
    /// clock.advance(Duration::from_secs(60));
    /// breaker.acquire().expect("half-open").finish(Outcome::Success);
    /// assert_eq!(breaker.state(), State::Closed);
    /// # Ok::<(), tripline_sdk::InvalidConfig>(())
    /// ```
    #[must_use]
    pub fn half_open(self, half_open: HalfOpen) -> Self {
        Self { half_open, ..self }
    }

    /// Lets traffic in gradually after closing.
    ///
    /// ```
    /// use std::time::Duration;
    /// use tripline_sdk::{BreakerConfig, CircuitBreaker, ManualClock, Moment, Ramp, State};
    /// let config = BreakerConfig::new().ramp(Ramp { from: 0.1, over: Duration::from_secs(10) });
    /// let breaker =
    ///     CircuitBreaker::builder("stock", config).clock(ManualClock::default()).build()?;
    /// breaker.trip();
    /// breaker.reset();
    /// assert_eq!(breaker.state(), State::Closed);
    /// assert_eq!(breaker.next_wakeup(), Some(Moment::from_millis(10_000)), "the ramp ends");
    /// # Ok::<(), tripline_sdk::InvalidConfig>(())
    /// ```
    #[must_use]
    pub fn ramp(self, ramp: Ramp) -> Self {
        Self {
            ramp: Some(ramp),
            ..self
        }
    }

    /// Sets what a dropped call counts as.
    ///
    /// ```
    /// use tripline_sdk::{BreakerConfig, CircuitBreaker, OnDrop, State};
    /// let config = BreakerConfig::new().only_consecutive(1).on_drop(OnDrop::Failure);
    /// let breaker = CircuitBreaker::new("stock", config)?;
    /// drop(breaker.acquire());
    /// assert_eq!(breaker.state(), State::Open);
    /// # Ok::<(), tripline_sdk::InvalidConfig>(())
    /// ```
    #[must_use]
    pub fn on_drop(self, on_drop: OnDrop) -> Self {
        Self { on_drop, ..self }
    }

    /// Tells the breaker the timeout of the calls inside it.
    ///
    /// ```
    /// use std::time::Duration;
    /// use tripline_sdk::BreakerConfig;
    /// let config = BreakerConfig::new().call_timeout(Duration::from_secs(2));
    /// assert_eq!(config.probe_lease(), Duration::from_secs(2), "no probe takes longer");
    /// ```
    #[must_use]
    pub fn call_timeout(self, timeout: Duration) -> Self {
        Self {
            call_timeout: Some(timeout),
            ..self
        }
    }

    /// Sets who decides.
    ///
    /// ```
    /// use tripline_sdk::{BreakerConfig, CircuitBreaker, Mode, Outcome};
    /// let config = BreakerConfig::new().only_consecutive(1).mode(Mode::MetricsOnly);
    /// let breaker = CircuitBreaker::new("stock", config)?;
    /// breaker.acquire().expect("it only observes").finish(Outcome::Failure);
    /// assert!(breaker.acquire().is_ok(), "it would be open if it were enforcing");
    /// # Ok::<(), tripline_sdk::InvalidConfig>(())
    /// ```
    #[must_use]
    pub fn mode(self, mode: Mode) -> Self {
        Self { mode, ..self }
    }

    /// Makes jitter repeatable.
    ///
    /// ```
    /// use tripline_sdk::{BreakerConfig, CircuitBreaker, ManualClock};
    /// let opens_until = || {
    ///     let config = BreakerConfig::new().seed(7);
    ///     let breaker = CircuitBreaker::builder("stock", config).clock(ManualClock::default());
    ///     let breaker = breaker.build().unwrap();
    ///     breaker.trip();
    ///     breaker.next_wakeup().unwrap()
    /// };
    /// assert_eq!(opens_until(), opens_until());
    /// ```
    #[must_use]
    pub fn seed(self, seed: u64) -> Self {
        Self {
            seed: Some(seed),
            ..self
        }
    }

    /// How long a probe may take.
    ///
    /// ```
    /// use std::time::Duration;
    /// use tripline_sdk::{BreakerConfig, SlowCalls};
    /// let config = BreakerConfig::new();
    /// assert_eq!(config.probe_lease(), Duration::from_secs(60), "nothing is known");
    /// let slow = SlowCalls { threshold: Duration::from_secs(1), ratio: 0.5 };
    /// assert_eq!(config.slow_calls(slow).probe_lease(), Duration::from_secs(2));
    /// ```
    #[must_use]
    pub fn probe_lease(&self) -> Duration {
        let slow = self.slow_calls.map(|slow| slow.threshold.saturating_mul(2));
        let known = [self.call_timeout, slow].into_iter().flatten().min();
        self.half_open
            .lease
            .or(known)
            .unwrap_or(LEASE_FALLBACK)
            .max(Duration::from_nanos(1))
    }

    /// The minimum that can be reached: a count window never holds more than its size.
    ///
    /// ```
    /// use tripline_sdk::{BreakerConfig, WindowConfig};
    /// let config = BreakerConfig::new().minimum_calls(50);
    /// assert_eq!(config.effective_minimum(), 50);
    /// let last_ten = WindowConfig::Count { size: 10 };
    /// assert_eq!(config.window(last_ten).effective_minimum(), 10);
    /// ```
    #[must_use]
    pub fn effective_minimum(&self) -> u32 {
        match self.window {
            WindowConfig::Count { size } => self.minimum_calls.min(size),
            WindowConfig::Time { .. } => self.minimum_calls,
        }
        .max(1)
    }

    pub(crate) fn build_window(&self) -> Window {
        match self.window {
            WindowConfig::Time { length, buckets } => {
                Window::Time(TimeWindow::new(length, buckets, self.stripes))
            }
            WindowConfig::Count { size } => Window::Count(CountWindow::new(size)),
        }
    }
}
