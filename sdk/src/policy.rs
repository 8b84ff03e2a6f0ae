//! A policy: the parts that guard one kind of call, in the one order that works.
//!
//! From the outside in: a deadline over everything, a fallback, the retry with its budget, the
//! circuit breaker, the timeout of one try, the rate limit and the bulkhead. Per-try timeouts thus
//! count as failures, every try is judged by the breaker, a rejection ends the retrying and costs
//! no budget, and a full bulkhead says nothing about the peer.

mod builder;
mod call;
mod order;
mod service;

pub use builder::PolicyBuilder;
pub use order::{Part, PolicyError};
pub use service::{TryFuture, TryService};

use std::any::TypeId;
use std::sync::Arc;
use std::time::Duration;

use tower_layer::Layer;

use crate::breaker::{CircuitBreaker, Listener};
use crate::bulkhead::Bulkhead;
use crate::clock::Clock;
use crate::layer::{RetryLayer, RetryService};
use crate::limit::RateLimit;
use crate::random::Chance;
use crate::retry::{RetryBudget, RetryConfig};
use crate::tally::Tally;
use crate::tokio_clock::TokioClock;

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
}

/// Whether a moment of one clock is one of the other.
fn one_clock<C: Clock, D: Clock>() -> bool {
    C::SHARES_ORIGIN && TypeId::of::<C>() == TypeId::of::<D>()
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
