//! Makes a breaker: with a key, a listener, a clock.

use std::sync::Arc;

use super::settings::ToldSettings;
use super::{CircuitBreaker, Shared, WatchedBreaker};
use crate::breaker::quota::OpenQuota;
use crate::breaker::turns::Turns;
use crate::breaker::wall::WallClock;
use crate::breaker::{BreakerConfig, InvalidConfig, Listener, Machine};
use crate::clock::{Clock, Moment, MonotonicClock};

/// Makes a [`CircuitBreaker`].
///
/// ```
/// use tripline_sdk::{BreakerConfig, CircuitBreaker};
/// let breaker = CircuitBreaker::builder("stock", BreakerConfig::new()).build()?;
/// assert_eq!(breaker.name(), "stock");
/// # Ok::<(), tripline_sdk::InvalidConfig>(())
/// ```
pub struct CircuitBreakerBuilder<C: Clock = MonotonicClock> {
    name: Box<str>,
    key: Option<Box<str>>,
    config: BreakerConfig,
    clock: C,
    listener: Option<Arc<dyn Listener>>,
    quota: Option<Arc<OpenQuota>>,
}

impl CircuitBreakerBuilder {
    pub(super) fn new(name: &str, config: BreakerConfig) -> Self {
        Self {
            name: name.into(),
            key: None,
            config,
            clock: MonotonicClock::default(),
            listener: None,
            quota: None,
        }
    }
}

impl<C: Clock> CircuitBreakerBuilder<C> {
    /// One of several breakers of this name: the host, shard or tenant it guards.
    ///
    /// ```
    /// use tripline_sdk::{BreakerConfig, CircuitBreaker};
    /// let breaker =
    ///     CircuitBreaker::builder("stock", BreakerConfig::new()).key("eu-1").build()?;
    /// assert_eq!((breaker.name(), breaker.key()), ("stock", Some("eu-1")));
    /// # Ok::<(), tripline_sdk::InvalidConfig>(())
    /// ```
    #[must_use]
    pub fn key(self, key: &str) -> Self {
        Self {
            key: Some(key.into()),
            ..self
        }
    }

    /// Who hears of its transitions.
    ///
    /// ```
    /// use std::sync::mpsc::sync_channel;
    /// use tripline_sdk::{BreakerConfig, CircuitBreaker, Reason, Transition};
    /// let (tell, heard) = sync_channel(8);
    /// let breaker = CircuitBreaker::builder("stock", BreakerConfig::new())
    ///     .listen(move |_: &str, change: &Transition| tell.send(change.reason).unwrap())
    ///     .build()?;
    /// breaker.trip();
    /// assert_eq!(heard.try_recv(), Ok(Reason::External));
    /// # Ok::<(), tripline_sdk::InvalidConfig>(())
    /// ```
    #[must_use]
    pub fn listen(self, listener: impl Listener + 'static) -> Self {
        Self {
            listener: Some(Arc::new(listener)),
            ..self
        }
    }

    /// Who hears of its transitions, shared with other breakers.
    ///
    /// ```
    /// use std::sync::{Arc, mpsc::sync_channel};
    /// use tripline_sdk::{BreakerConfig, CircuitBreaker, Listener, Transition};
    /// let (tell, heard) = sync_channel(8);
    /// let listener: Arc<dyn Listener> =
    ///     Arc::new(move |name: &str, _: &Transition| tell.send(name.to_owned()).unwrap());
    /// for name in ["stock", "orders"] {
    ///     let breaker = CircuitBreaker::builder(name, BreakerConfig::new());
    ///     breaker.listen_shared(Arc::clone(&listener)).build()?.trip();
    /// }
    /// assert_eq!(heard.try_iter().collect::<Vec<_>>(), ["stock", "orders"]);
    /// # Ok::<(), tripline_sdk::InvalidConfig>(())
    /// ```
    #[must_use]
    pub fn listen_shared(self, listener: Arc<dyn Listener>) -> Self {
        Self {
            listener: Some(listener),
            ..self
        }
    }

    /// Runs it on another clock.
    ///
    /// ```
    /// use std::time::Duration;
    /// use tripline_sdk::{BreakerConfig, CircuitBreaker, ManualClock, State};
    /// let clock = ManualClock::default();
    /// let breaker =
    ///     CircuitBreaker::builder("stock", BreakerConfig::new()).clock(clock.clone()).build()?;
    /// clock.advance(Duration::from_secs(3));
    /// assert_eq!(breaker.snapshot().time_in(State::Closed), Duration::from_secs(3));
    /// # Ok::<(), tripline_sdk::InvalidConfig>(())
    /// ```
    #[must_use]
    pub fn clock<D: Clock>(self, clock: D) -> CircuitBreakerBuilder<D> {
        let Self {
            name,
            key,
            config,
            listener,
            quota,
            ..
        } = self;
        CircuitBreakerBuilder {
            name,
            key,
            config,
            clock,
            listener,
            quota,
        }
    }

    pub(crate) fn quota(self, quota: Option<Arc<OpenQuota>>) -> Self {
        Self { quota, ..self }
    }

    /// The breaker.
    ///
    /// ```
    /// use tripline_sdk::{BreakerConfig, CircuitBreaker};
    /// let build = |config| CircuitBreaker::builder("stock", config).build();
    /// assert!(build(BreakerConfig::new()).is_ok());
    /// let refused = build(BreakerConfig::new().only_consecutive(0)).unwrap_err();
    /// assert_eq!(refused.setting, "consecutive_failures");
    /// ```
    ///
    /// # Errors
    /// Settings that cannot work.
    pub fn build(self) -> Result<CircuitBreaker<C>, InvalidConfig> {
        let (breaker, made) = self.build_untold()?;
        breaker.tell_made(made);
        Ok(breaker)
    }

    /// The breaker and when it was made; its listener hears of nothing but calls until
    /// [`CircuitBreaker::tell_made`]. Runs nobody's code, so it may be called under a lock.
    pub(crate) fn build_untold(self) -> Result<(CircuitBreaker<C>, Moment), InvalidConfig> {
        let now = self.clock.now();
        let machine = Machine::in_group(self.config, now, self.quota)?;
        let config = machine.config();
        let breaker = CircuitBreaker {
            shared: Arc::new(Shared {
                name: self.name,
                key: self.key,
                machine,
                clock: self.clock,
                wall: WallClock::default(),
                turns: Turns::new(),
                listener: self.listener,
                settings: ToldSettings::untold(now, config),
            }),
        };
        Ok((breaker, now))
    }
}

impl<C: Clock> CircuitBreaker<C> {
    /// Tells the listener that the breaker was made, with its settings; once, outside every lock.
    pub(crate) fn tell_made(&self, made: Moment) {
        self.shared
            .tell_made(made, || WatchedBreaker::new(&self.shared));
    }
}
