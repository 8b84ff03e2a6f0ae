//! Puts a policy together.

use std::sync::Arc;
use std::time::Duration;

use super::{Part, Parts, Policy, PolicyError, order};
use crate::breaker::{CircuitBreaker, Listener};
use crate::bulkhead::Bulkhead;
use crate::clock::Clock;
use crate::limit::RateLimit;
use crate::random::Chance;
use crate::report::{PartsPresent, WatchedPolicy};
use crate::retry::{BudgetConfig, RetryBudget, RetryConfig};
use crate::tally::Tally;
use crate::tokio_clock::TokioClock;

/// Puts a [`Policy`] together, outermost part first.
///
/// ```
/// use std::time::Duration;
/// use tripline_sdk::{Part, Policy, PolicyError, RetryConfig};
/// let refused = Policy::builder("stock")
///     .timeout(Duration::from_secs(1))
///     .retry(RetryConfig::default())
///     .build();
/// let expected = PolicyError::Order { outer: Part::Timeout, inner: Part::Retry };
/// assert_eq!(refused.unwrap_err(), expected);
/// ```
#[must_use = "a builder builds nothing until `build`"]
pub struct PolicyBuilder<C: Clock = TokioClock, D: Clock = C> {
    parts: Parts<C, D>,
    order: Vec<Part>,
    retries_rejections: bool,
}

impl Policy {
    /// A policy on the runtime's clock.
    ///
    /// ```
    /// use std::time::Duration;
    /// use tripline_sdk::Policy;
    /// let policy = Policy::builder("stock").timeout(Duration::from_secs(1)).build()?;
    /// assert_eq!(policy.name(), "stock");
    /// # Ok::<(), tripline_sdk::PolicyError>(())
    /// ```
    pub fn builder(name: &str) -> PolicyBuilder {
        Policy::builder_on(name, TokioClock::default())
    }

    /// A policy on another clock.
    ///
    /// ```
    /// use std::time::Duration;
    /// use tripline_sdk::{FixedWindow, ManualClock, Policy};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// let clock = ManualClock::default();
    /// let policy = Policy::builder_on("stock", clock.clone())
    ///     .rate_limit(FixedWindow::new(1, Duration::from_secs(60)))
    ///     .build()
    ///     .unwrap();
    /// let stock = async || Ok::<_, std::io::Error>(7);
    /// assert!(policy.call(stock).await.is_ok());
    /// assert!(policy.call(stock).await.is_err());
    /// clock.advance(Duration::from_secs(60));
    /// assert!(policy.call(stock).await.is_ok());
    /// # }
    /// ```
    pub fn builder_on<C: Clock>(name: &str, clock: C) -> PolicyBuilder<C> {
        let parts = Parts {
            name: name.into(),
            clock,
            chance: Chance::from_entropy(),
            deadline: None,
            retry: None,
            budget: None,
            breaker: None,
            timeout: None,
            limiter: None,
            bulkhead: None,
            listener: None,
        };
        PolicyBuilder {
            parts,
            order: Vec::new(),
            retries_rejections: false,
        }
    }
}

impl<C: Clock, D: Clock> PolicyBuilder<C, D> {
    fn with(mut self, part: Part, set: impl FnOnce(&mut Parts<C, D>)) -> Self {
        self.order.push(part);
        set(&mut self.parts);
        self
    }

    /// The time all tries together may take, waits included.
    ///
    /// ```
    /// use std::time::Duration;
    /// use tripline_sdk::{Error, Policy, Refusal};
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() {
    /// let policy = Policy::builder("stock").deadline(Duration::from_secs(5)).build().unwrap();
    /// let hangs = async || std::future::pending::<Result<u32, String>>().await;
    /// assert_eq!(policy.call(hangs).await, Err(Error::Refused(Refusal::DeadlineExceeded)));
    /// # }
    /// ```
    pub fn deadline(self, timeout: Duration) -> Self {
        self.with(Part::Deadline, |parts| parts.deadline = Some(timeout))
    }

    /// Tries again, on a budget of its own of the default size.
    ///
    /// ```
    /// use std::sync::atomic::{AtomicU32, Ordering};
    /// use tripline_sdk::{Policy, RetryConfig};
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() {
    /// static TRIES: AtomicU32 = AtomicU32::new(0);
    /// let policy = Policy::builder("stock").retry(RetryConfig::default()).build().unwrap();
    /// let flaky = async || match TRIES.fetch_add(1, Ordering::SeqCst) {
    ///     2 => Ok(7),
    ///     _ => Err("down"),
    /// };
    /// assert_eq!(policy.call(flaky).await, Ok(7), "the third try");
    /// # }
    /// ```
    pub fn retry(self, config: RetryConfig) -> Self {
        let now = self.parts.clock.now();
        let budget = Arc::new(RetryBudget::new(BudgetConfig::default(), now));
        self.retry_with_budget(config, budget)
    }

    /// Tries again, on a budget shared with others that call the same peer.
    ///
    /// ```
    /// use std::sync::Arc;
    /// use tripline_sdk::{BudgetConfig, Moment, Policy, RetryBudget, RetryConfig};
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() {
    /// let nothing = BudgetConfig { ratio: 0.0, min_per_second: 0.0, ..BudgetConfig::default() };
    /// let budget = Arc::new(RetryBudget::new(nothing, Moment::ZERO));
    /// let policy = Policy::builder("stock")
    ///     .retry_with_budget(RetryConfig::default(), Arc::clone(&budget))
    ///     .build()
    ///     .unwrap();
    /// assert!(policy.call(async || Err::<u32, _>("down")).await.is_err());
    /// assert_eq!(budget.exhausted(), 1, "nothing paid for a second try");
    /// # }
    /// ```
    pub fn retry_with_budget(self, config: RetryConfig, budget: Arc<RetryBudget>) -> Self {
        self.with(Part::Retry, |parts| {
            parts.retry = Some(config);
            parts.budget = Some(budget);
        })
    }

    /// Declares that the retry shall repeat what the breaker refused; [`PolicyBuilder::build`]
    /// explains why it must not.
    ///
    /// ```
    /// use std::time::Duration;
    /// use tripline_sdk::{BreakerConfig, CircuitBreaker, Policy, PolicyError, RetryConfig};
    /// let breaker = CircuitBreaker::new("stock", BreakerConfig::new()).unwrap();
    /// let refused = Policy::builder("stock")
    ///     .retry(RetryConfig::default())
    ///     .retry_rejections()
    ///     .breaker(breaker)
    ///     .timeout(Duration::from_secs(1))
    ///     .build();
    /// assert_eq!(refused.unwrap_err(), PolicyError::RetriesRejections);
    /// ```
    pub fn retry_rejections(mut self) -> Self {
        self.retries_rejections = true;
        self
    }

    /// Guards the peer with a circuit breaker, on whatever clock it runs.
    ///
    /// ```
    /// use std::time::Duration;
    /// use tripline_sdk::{BreakerConfig, CircuitBreaker, Error, Policy, Refusal};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// let breaker = CircuitBreaker::new("stock", BreakerConfig::new()).unwrap();
    /// let policy = Policy::builder("stock")
    ///     .breaker(breaker.clone())
    ///     .timeout(Duration::from_secs(1))
    ///     .build()
    ///     .unwrap();
    /// breaker.trip();
    /// let refused = policy.call(async || Ok::<_, String>(7)).await;
    /// assert!(matches!(refused, Err(Error::Refused(Refusal::Breaker(_)))));
    /// # }
    /// ```
    pub fn breaker<B: Clock>(self, breaker: CircuitBreaker<B>) -> PolicyBuilder<C, B> {
        let Self {
            parts,
            mut order,
            retries_rejections,
        } = self;
        order.push(Part::Breaker);
        let parts = Parts {
            breaker: Some(breaker),
            name: parts.name,
            clock: parts.clock,
            chance: parts.chance,
            deadline: parts.deadline,
            retry: parts.retry,
            budget: parts.budget,
            timeout: parts.timeout,
            limiter: parts.limiter,
            bulkhead: parts.bulkhead,
            listener: parts.listener,
        };
        PolicyBuilder {
            parts,
            order,
            retries_rejections,
        }
    }

    /// The time one try may take.
    ///
    /// ```
    /// use std::time::Duration;
    /// use tripline_sdk::{Error, Policy, Refusal};
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() {
    /// let after = Duration::from_secs(1);
    /// let policy = Policy::builder("stock").timeout(after).build().unwrap();
    /// let hangs = async || std::future::pending::<Result<u32, String>>().await;
    /// assert_eq!(policy.call(hangs).await, Err(Error::Refused(Refusal::Timeout { after })));
    /// # }
    /// ```
    pub fn timeout(self, timeout: Duration) -> Self {
        self.with(Part::Timeout, |parts| parts.timeout = Some(timeout))
    }

    /// Limits the rate of tries.
    ///
    /// ```
    /// use std::time::Duration;
    /// use tripline_sdk::{Error, FixedWindow, Policy, Refusal};
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() {
    /// let policy = Policy::builder("stock")
    ///     .rate_limit(FixedWindow::new(1, Duration::from_secs(60)))
    ///     .build()
    ///     .unwrap();
    /// let stock = async || Ok::<_, String>(7);
    /// assert_eq!(policy.call(stock).await, Ok(7));
    /// let refused = policy.call(stock).await;
    /// assert!(matches!(refused, Err(Error::Refused(Refusal::RateLimited { .. }))));
    /// # }
    /// ```
    pub fn rate_limit(self, limiter: impl RateLimit + 'static) -> Self {
        self.with(Part::RateLimit, |parts| {
            parts.limiter = Some(Arc::new(limiter));
        })
    }

    /// Caps the tries at once.
    ///
    /// ```
    /// use tripline_sdk::{Bulkhead, Error, Policy, Refusal};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// let bulkhead = Bulkhead::new(1);
    /// let policy = Policy::builder("stock").bulkhead(bulkhead.clone()).build().unwrap();
    /// let place = bulkhead.try_enter(); // somebody else's call
    /// let refused = policy.call(async || Ok::<_, String>(7)).await;
    /// assert_eq!(refused, Err(Error::Refused(Refusal::BulkheadFull)));
    /// # drop(place);
    /// # }
    /// ```
    pub fn bulkhead(self, bulkhead: Bulkhead) -> Self {
        self.with(Part::Bulkhead, |parts| parts.bulkhead = Some(bulkhead))
    }

    /// Reports retries, timeouts, refusals and fallbacks to `listener`, for example
    /// `telemetry::Telemetry`. A breaker has a listener of its own.
    ///
    /// ```
    /// use std::sync::Arc;
    /// use tripline_sdk::{Listener, Policy, Transition, WatchedPolicy};
    /// struct Print;
    /// impl Listener for Print {
    ///     fn on_transition(&self, _: &str, _: &Transition) {}
    ///     fn on_policy_created(&self, policy: WatchedPolicy) {
    ///         policy.read(|name, counts| println!("{name}: {counts:?}"));
    ///     }
    /// }
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// let policy = Policy::builder("stock").listen(Print).build().unwrap();
    /// # }
    /// ```
    pub fn listen(self, listener: impl Listener + 'static) -> Self {
        self.listen_shared(Arc::new(listener))
    }

    /// The same with a listener others have too.
    ///
    /// ```
    /// use std::sync::{Arc, Mutex};
    /// use tripline_sdk::{Listener, Policy, Transition, WatchedPolicy};
    /// #[derive(Default)]
    /// struct Names(Mutex<Vec<String>>);
    /// impl Listener for Names {
    ///     fn on_transition(&self, _: &str, _: &Transition) {}
    ///     fn on_policy_created(&self, policy: WatchedPolicy) {
    ///         policy.read(|name, _| self.0.lock().unwrap().push(name.to_owned()));
    ///     }
    /// }
    /// let names = Arc::new(Names::default());
    /// for name in ["stock", "orders"] {
    ///     Policy::builder(name).listen_shared(names.clone()).build()?;
    /// }
    /// assert_eq!(*names.0.lock().unwrap(), ["stock", "orders"]);
    /// # Ok::<(), tripline_sdk::PolicyError>(())
    /// ```
    pub fn listen_shared(mut self, listener: Arc<dyn Listener>) -> Self {
        self.parts.listener = Some(listener);
        self
    }

    /// Makes the jitter of the retry repeatable.
    ///
    /// ```
    /// use tokio::time::Instant;
    /// use tripline_sdk::{Policy, RetryConfig};
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() {
    /// let waits = async || {
    ///     let builder = Policy::builder("stock").retry(RetryConfig::default());
    ///     let policy = builder.seed(7).build().unwrap();
    ///     let start = Instant::now();
    ///     assert!(policy.call(async || Err::<u32, _>("down")).await.is_err());
    ///     start.elapsed().as_millis()
    /// };
    /// assert_eq!(waits().await, waits().await);
    /// # }
    /// ```
    pub fn seed(mut self, seed: u64) -> Self {
        self.parts.chance = Chance::seeded(seed);
        self
    }

    /// The policy.
    ///
    /// ```
    /// use std::time::Duration;
    /// use tripline_sdk::{Part, Policy, PolicyError};
    /// let second = Duration::from_secs(1);
    /// assert!(Policy::builder("stock").timeout(second).build().is_ok());
    /// let refused = Policy::builder("stock").timeout(second).timeout(second).build();
    /// assert_eq!(refused.unwrap_err(), PolicyError::Twice(Part::Timeout));
    /// ```
    ///
    /// # Errors
    /// An order or a combination that would do harm, and why.
    pub fn build(self) -> Result<Policy<C, D>, PolicyError> {
        order::check(&self.order, self.retries_rejections)?;
        let parts = self.parts;
        let present = PartsPresent {
            deadline: parts.deadline.is_some(),
            retry: parts.retry.is_some(),
            timeout: parts.timeout.is_some(),
            rate_limit: parts.limiter.is_some(),
            bulkhead: parts.bulkhead.is_some(),
            hedge: false,
        };
        let tally = Arc::new(Tally::new(
            &parts.name,
            present,
            parts.budget.clone(),
            parts.bulkhead.clone(),
            parts.listener.clone(),
        ));
        if let Some(listener) = &parts.listener {
            // Only its weak end leaves: telemetry keeps no policy alive.
            let weak = Arc::downgrade(&tally);
            listener.on_policy_created(WatchedPolicy(weak));
        }
        Ok(Policy {
            parts: Arc::new(parts),
            tally,
        })
    }
}
