//! A policy: the parts that guard one kind of call, in the one order that works.
//!
//! From the outside in: a deadline over everything, a fallback, the retry with its budget, the
//! circuit breaker, the timeout of one try, the rate limit and the bulkhead. Per-try timeouts thus
//! count as failures, every try is judged by the breaker, a rejection ends the retrying and costs
//! no budget, and a full bulkhead says nothing about the peer.

mod order;
mod service;

pub use order::{Part, PolicyError};

use std::any::TypeId;
use std::sync::Arc;
use std::time::Duration;

use tower_layer::Layer;

use crate::breaker::{CircuitBreaker, Listener, Outcome, Permit, Rejection};
use crate::bulkhead::Bulkhead;
use crate::classify::{Classify, DefaultClassifier};
use crate::clock::{Clock, Moment};
use crate::layer::{InTime, RetryLayer, RetryService};
use crate::limit::RateLimit;
use crate::random::Chance;
use crate::refusal::{Error, Refusal};
use crate::report::{PartsPresent, WatchedPolicy};
use crate::retry::{RetryBudget, RetryConfig};
use crate::tally::Tally;
use crate::tokio_clock::TokioClock;
pub use service::{TryFuture, TryService};

/// The parts that guard one kind of call. Clones share their state.
///
/// ```
/// use std::time::Duration;
/// use tripline_sdk::{
///     BreakerConfig, Bulkhead, CircuitBreaker, Error, Policy, RetryConfig, TokioClock,
/// };
///
/// # #[tokio::main(flavor = "current_thread", start_paused = true)]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let breaker = CircuitBreaker::builder("inventory", BreakerConfig::new())
///     .clock(TokioClock::default())
///     .build()?;
/// let policy = Policy::builder("inventory")
///     .deadline(Duration::from_secs(5))
///     .retry(RetryConfig::default())
///     .breaker(breaker)
///     .timeout(Duration::from_secs(1))
///     .bulkhead(Bulkhead::new(64))
///     .build()?;
///
/// let stock: Result<u32, Error<std::io::Error>> = policy.call(async || Ok(7)).await;
/// assert_eq!(stock.unwrap(), 7);
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Policy<C: Clock = TokioClock, D: Clock = C> {
    parts: Arc<Parts<C, D>>,
    tally: Arc<Tally>,
}

impl<C: Clock, D: Clock> Clone for Policy<C, D> {
    fn clone(&self) -> Self {
        Self {
            parts: Arc::clone(&self.parts),
            tally: Arc::clone(&self.tally),
        }
    }
}

struct Parts<C: Clock, D: Clock> {
    name: Box<str>,
    clock: C,
    chance: Chance,
    deadline: Option<Duration>,
    retry: Option<RetryConfig>,
    budget: Option<Arc<RetryBudget>>,
    breaker: Option<CircuitBreaker<D>>,
    timeout: Option<Duration>,
    limiter: Option<Arc<dyn RateLimit>>,
    bulkhead: Option<Bulkhead>,
    listener: Option<Arc<dyn Listener>>,
}

impl<C: Clock, D: Clock> std::fmt::Debug for Parts<C, D> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Policy")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

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
        let budget = Arc::new(RetryBudget::new(crate::retry::BudgetConfig::default(), now));
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

impl<C: Clock, D: Clock> Policy<C, D> {
    /// Its name.
    ///
    /// ```
    /// use tripline_sdk::Policy;
    /// let policy = Policy::builder("stock").build()?;
    /// assert_eq!(policy.name(), "stock");
    /// # Ok::<(), tripline_sdk::PolicyError>(())
    /// ```
    #[must_use]
    pub fn name(&self) -> &str {
        &self.parts.name
    }

    /// Its circuit breaker.
    ///
    /// ```
    /// use std::time::Duration;
    /// use tripline_sdk::{BreakerConfig, CircuitBreaker, Policy, State};
    /// let breaker = CircuitBreaker::new("stock", BreakerConfig::new())?;
    /// let policy = Policy::builder("stock")
    ///     .breaker(breaker)
    ///     .timeout(Duration::from_secs(1))
    ///     .build()?;
    /// assert_eq!(policy.breaker().expect("it has one").state(), State::Closed);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn breaker(&self) -> Option<&CircuitBreaker<D>> {
        self.parts.breaker.as_ref()
    }

    /// Makes a call under this policy: `make` is asked for each try.
    ///
    /// It takes no longer than the request it serves has left, if that came with a deadline
    /// ([`Deadline`](crate::Deadline)).
    ///
    /// Dropping the future gives everything back; a try in flight counts as cancelled.
    ///
    /// ```
    /// use tripline_sdk::{Error, Policy};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// let policy = Policy::builder("stock").build().unwrap();
    /// assert_eq!(policy.call(async || Ok::<_, String>(7)).await, Ok(7));
    /// let failed = policy.call(async || Err::<u32, _>("down")).await;
    /// assert_eq!(failed, Err(Error::Call("down")));
    /// # }
    /// ```
    ///
    /// # Errors
    /// The refusal of a part, or what the last try failed with.
    pub async fn call<T, E, F, A>(&self, make: F) -> Result<T, Error<E>>
    where
        F: Fn() -> A,
        A: Future<Output = Result<T, E>>,
    {
        self.call_classified(make, &DefaultClassifier).await
    }

    /// [`Policy::call`], with a say in what counts as a failure.
    ///
    /// ```
    /// use std::time::Duration;
    /// use tripline_sdk::{BreakerConfig, CircuitBreaker, Error, Outcome, Policy};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// let by_status = |result: Result<&u16, &Error<String>>| match result {
    ///     Ok(status) if *status < 500 => Outcome::Success,
    ///     _ => Outcome::Failure,
    /// };
    /// let breaker = CircuitBreaker::new("stock", BreakerConfig::new()).unwrap();
    /// let policy = Policy::builder("stock")
    ///     .breaker(breaker.clone())
    ///     .timeout(Duration::from_secs(1))
    ///     .build()
    ///     .unwrap();
    /// let answer = policy.call_classified(async || Ok::<u16, String>(503), &by_status).await;
    /// assert_eq!(answer, Ok(503));
    /// assert_eq!(breaker.snapshot().totals.failure, 1, "an answer, but a failure");
    /// # }
    /// ```
    ///
    /// # Errors
    /// The refusal of a part, or what the last try failed with.
    pub async fn call_classified<T, E, F, A>(
        &self,
        make: F,
        classify: &impl Classify<T, Error<E>>,
    ) -> Result<T, Error<E>>
    where
        F: Fn() -> A,
        A: Future<Output = Result<T, E>>,
    {
        let tries = self.tries(&make, classify);
        match crate::deadline::bounded(self.parts.deadline) {
            None => tries.await,
            // Nobody waits for it any more.
            Some(Duration::ZERO) => {
                self.tally.exceeded(Duration::ZERO);
                Err(Error::Refused(Refusal::DeadlineExceeded))
            }
            Some(deadline) => InTime::new(tries, deadline).await.unwrap_or_else(|_| {
                self.tally.exceeded(deadline);
                Err(Error::Refused(Refusal::DeadlineExceeded))
            }),
        }
    }

    /// [`Policy::call`], with an answer for when it fails.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// let policy = tripline_sdk::Policy::builder("stock").build().unwrap();
    /// let call = async || Err::<u32, _>(std::io::Error::other("down"));
    /// assert_eq!(policy.call_or(call, async |_| 0).await, 0);
    /// # }
    /// ```
    pub async fn call_or<T, E, F, A, B>(&self, make: F, fallback: impl FnOnce(Error<E>) -> B) -> T
    where
        F: Fn() -> A,
        A: Future<Output = Result<T, E>>,
        B: Future<Output = T>,
    {
        match self.call(make).await {
            Ok(answer) => answer,
            Err(error) => {
                self.tally.fell_back();
                fallback(error).await
            }
        }
    }

    async fn tries<T, E, F, A>(
        &self,
        make: &F,
        classify: &impl Classify<T, Error<E>>,
    ) -> Result<T, Error<E>>
    where
        F: Fn() -> A,
        A: Future<Output = Result<T, E>>,
    {
        let parts = &*self.parts;
        let mut waited = Duration::ZERO;
        let mut attempt = 1;
        loop {
            let (result, outcome) = self.one_try(attempt, make, classify).await;
            self.tally
                .tried(result.as_ref().err().and_then(Error::refusal));
            let Some(delay) = parts.next_delay(attempt, waited, &result, outcome) else {
                let failed = outcome.is_none_or(Outcome::is_failure);
                self.tally.finished(attempt, !failed);
                return result;
            };
            self.tally.tries_again();
            tokio::time::sleep(delay).await;
            waited = delay;
            attempt += 1;
        }
    }

    /// One try, with what it counted as; nothing if the breaker refused it.
    async fn one_try<T, E, F, A>(
        &self,
        attempt: u32,
        make: &F,
        classify: &impl Classify<T, Error<E>>,
    ) -> (Result<T, Error<E>>, Option<Outcome>)
    where
        F: Fn() -> A,
        A: Future<Output = Result<T, E>>,
    {
        let parts = &*self.parts;
        // A look at the clock costs as much as a breaker: one for all of the way in.
        let now = parts.clock.now();
        let permit = match parts.acquire(now).transpose() {
            Ok(permit) => permit,
            Err(rejection) => return (Err(Refusal::Breaker(rejection).into()), None),
        };
        if let Some(budget) = parts.budget.as_ref().filter(|_| attempt == 1) {
            // Calls pay, retries do not: else retries would pay for retries.
            budget.earn();
        }
        let limited = self.limited(make, now);
        let result = match parts.timeout {
            None => limited.await,
            Some(after) => InTime::new(limited, after)
                .await
                .unwrap_or(Err(Error::Refused(Refusal::Timeout { after }))),
        };
        let outcome = classify.classify(result.as_ref());
        if let Some(permit) = permit {
            permit.finish(outcome);
        }
        (result, Some(outcome))
    }

    async fn limited<T, E, F, A>(&self, make: &F, now: Moment) -> Result<T, Error<E>>
    where
        F: Fn() -> A,
        A: Future<Output = Result<T, E>>,
    {
        let parts = &*self.parts;
        if let Some(limiter) = &parts.limiter {
            let decision = limiter.check(1, now);
            if !decision.allowed {
                let retry_after = decision.retry_after;
                return Err(Refusal::RateLimited { retry_after }.into());
            }
        }
        let place = parts.bulkhead.as_ref().map(Bulkhead::try_borrow);
        if matches!(place, Some(None)) {
            return Err(Refusal::BulkheadFull.into());
        }
        make().await.map_err(Error::Call)
    }
}

/// Whether a moment of one clock is one of the other.
fn one_clock<C: Clock, D: Clock>() -> bool {
    C::SHARES_ORIGIN && TypeId::of::<C>() == TypeId::of::<D>()
}

impl<C: Clock, D: Clock> Parts<C, D> {
    /// A permit of the breaker, if there is one, for a call at `now`.
    fn acquire(&self, now: Moment) -> Option<Result<Permit<'_, D>, Rejection>> {
        let breaker = self.breaker.as_ref()?;
        Some(if one_clock::<C, D>() {
            breaker.acquire_at(now)
        } else {
            breaker.acquire()
        })
    }

    /// How long to wait before the next try; nothing if there is none. Rejections, and results
    /// that say nothing about the peer, are final and cost nothing.
    fn next_delay<T, E>(
        &self,
        attempt: u32,
        waited: Duration,
        result: &Result<T, Error<E>>,
        outcome: Option<Outcome>,
    ) -> Option<Duration> {
        let retry = self.retry.as_ref()?;
        let hint = match outcome? {
            Outcome::Success | Outcome::Ignore => return None,
            Outcome::Failure => result
                .as_ref()
                .err()
                .and_then(Error::refusal)
                .and_then(Refusal::retry_after),
            Outcome::Overload { retry_after } => retry_after,
        };
        let delay = retry.next_delay(attempt, waited, hint, &self.chance)?;
        let paid = self
            .budget
            .as_ref()
            .is_none_or(|budget| budget.try_withdraw(self.clock.now()));
        paid.then_some(delay)
    }
}

/// The stack a [`Policy`] puts around a service. Parts that are not configured pass through.
///
/// A deadline over all tries is not part of it: put a
/// [`TimeoutLayer`](crate::layer::TimeoutLayer) outside, or use [`Policy::call`].
///
/// ```
/// use tower::{Layer, ServiceExt, service_fn};
/// use tripline_sdk::{Bulkhead, Policy, PolicyService, Refusal};
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let policy = Policy::builder("stock").bulkhead(Bulkhead::new(8)).build().unwrap();
/// let service: PolicyService<_> = policy.layer(service_fn(async |(): ()| Ok::<_, Refusal>(7)));
/// assert_eq!(service.oneshot(()).await, Ok(7));
/// # }
/// ```
pub type PolicyService<S, C = TokioClock, D = C> = RetryService<TryService<S, C, D>, C>;

/// ```
/// use std::time::Duration;
/// use tower::{Layer, ServiceExt, service_fn};
/// use tripline_sdk::{Policy, Refusal};
/// # #[tokio::main(flavor = "current_thread", start_paused = true)]
/// # async fn main() {
/// let policy = Policy::builder("stock").timeout(Duration::from_secs(1)).build().unwrap();
/// let hangs = service_fn(async |(): ()| std::future::pending::<Result<(), Refusal>>().await);
/// assert!(policy.layer(hangs).oneshot(()).await.is_err());
/// # }
/// ```
impl<S, C: Clock, D: Clock> Layer<S> for Policy<C, D> {
    type Service = PolicyService<S, C, D>;

    fn layer(&self, inner: S) -> Self::Service {
        let parts = &self.parts;
        let retry = parts.retry.zip(parts.budget.clone());
        RetryLayer::of_policy(retry, parts.clock.clone(), Some(Arc::clone(&self.tally)))
            .layer(TryService::new(inner, Arc::clone(parts)))
    }
}
