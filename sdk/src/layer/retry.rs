//! Trying again, on a budget.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use pin_project_lite::pin_project;
use tokio::time::{Sleep, sleep};
use tower_layer::Layer;
use tower_service::Service;

use crate::breaker::Outcome;
use crate::classify::{Classify, DefaultClassifier};
use crate::clock::Clock;
use crate::random::Chance;
use crate::refusal::{MaybeRefused, Refusal};
use crate::retry::{BudgetConfig, RetryBudget, RetryConfig};
use crate::tally::Tally;
use crate::tokio_clock::TokioClock;

/// Repeats failed calls after a backoff, as long as the budget pays for it. What a breaker (or any
/// other part that did not reach the peer) refused is final and costs nothing.
///
/// ```
/// use std::sync::atomic::{AtomicU32, Ordering};
/// use tower::{Layer, ServiceExt, service_fn};
/// use tripline_sdk::layer::{GuardLayer, RetryLayer};
/// use tripline_sdk::RetryConfig;
/// # #[tokio::main(flavor = "current_thread", start_paused = true)]
/// # async fn main() {
/// static TRIES: AtomicU32 = AtomicU32::new(0);
/// let flaky = service_fn(async |(): ()| match TRIES.fetch_add(1, Ordering::SeqCst) {
///     2 => Ok(7),
///     _ => Err("down"),
/// });
/// let service = RetryLayer::new(RetryConfig::default()).layer(GuardLayer.layer(flaky));
/// assert_eq!(service.oneshot(()).await, Ok(7));
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct RetryLayer<C: Clock = TokioClock, K = DefaultClassifier> {
    shared: Arc<Shared<C>>,
    classify: K,
}

/// What all services of a layer share: one pointer to clone a call.
#[derive(Debug)]
struct Shared<C> {
    plan: Option<Plan<C>>,
    /// Where a policy counts tries and calls: every try passes here, retried or not.
    tally: Option<Arc<Tally>>,
}

#[derive(Debug)]
struct Plan<C> {
    config: RetryConfig,
    budget: Arc<RetryBudget>,
    chance: Chance,
    clock: C,
}

impl RetryLayer {
    /// Retries on a budget of its own, on the runtime's clock.
    ///
    /// ```
    /// use std::sync::atomic::{AtomicU32, Ordering};
    /// use tower::{Layer, ServiceExt, service_fn};
    /// use tripline_sdk::RetryConfig;
    /// use tripline_sdk::layer::{GuardLayer, RetryLayer};
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() {
    /// static TRIES: AtomicU32 = AtomicU32::new(0);
    /// let failing = service_fn(async |(): ()| {
    ///     TRIES.fetch_add(1, Ordering::SeqCst);
    ///     Err::<(), _>("down")
    /// });
    /// let twice = RetryConfig { max_attempts: 2, ..RetryConfig::default() };
    /// let service = RetryLayer::new(twice).layer(GuardLayer.layer(failing));
    /// assert!(service.oneshot(()).await.is_err());
    /// assert_eq!(TRIES.load(Ordering::SeqCst), 2);
    /// # }
    /// ```
    #[must_use]
    pub fn new(config: RetryConfig) -> Self {
        let clock = TokioClock::default();
        let budget = Arc::new(RetryBudget::new(BudgetConfig::default(), clock.now()));
        Self::of_policy(Some((config, budget)), clock, None)
    }
}

impl<C: Clock> RetryLayer<C> {
    pub(crate) fn of_policy(
        parts: Option<(RetryConfig, Arc<RetryBudget>)>,
        clock: C,
        tally: Option<Arc<Tally>>,
    ) -> Self {
        let plan = parts.map(|(config, budget)| Plan {
            config,
            budget,
            chance: Chance::from_entropy(),
            clock,
        });
        Self {
            shared: Arc::new(Shared { plan, tally }),
            classify: DefaultClassifier,
        }
    }
}

impl<C: Clock, K> RetryLayer<C, K> {
    /// Lets `classify` say what a failure is.
    ///
    /// ```
    /// use std::sync::atomic::{AtomicU16, Ordering};
    /// use tower::{Layer, ServiceExt, service_fn};
    /// use tripline_sdk::layer::RetryLayer;
    /// use tripline_sdk::{Outcome, Refusal, RetryConfig};
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() {
    /// let by_status = |result: Result<&u16, &Refusal>| match result {
    ///     Ok(status) if *status < 500 => Outcome::Success,
    ///     _ => Outcome::Failure,
    /// };
    /// static STATUS: AtomicU16 = AtomicU16::new(503);
    /// let busy_once = async |(): ()| Ok::<_, Refusal>(STATUS.swap(200, Ordering::SeqCst));
    /// let layer = RetryLayer::new(RetryConfig::default()).classify(by_status);
    /// let service = layer.layer(service_fn(busy_once));
    /// assert_eq!(service.oneshot(()).await, Ok(200), "the second answer");
    /// # }
    /// ```
    #[must_use]
    pub fn classify<L>(self, classify: L) -> RetryLayer<C, L> {
        RetryLayer {
            shared: self.shared,
            classify,
        }
    }
}

impl<S, C: Clock, K: Clone> Layer<S> for RetryLayer<C, K> {
    type Service = RetryService<S, C, K>;
    fn layer(&self, inner: S) -> Self::Service {
        RetryService {
            inner,
            shared: Arc::clone(&self.shared),
            classify: self.classify.clone(),
        }
    }
}

/// The service of [`RetryLayer`].
///
/// ```
/// use tower::{Layer, ServiceExt, service_fn};
/// use tripline_sdk::layer::{RetryLayer, RetryService};
/// use tripline_sdk::{Refusal, RetryConfig};
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let layer = RetryLayer::new(RetryConfig::default());
/// let service: RetryService<_> = layer.layer(service_fn(async |(): ()| Ok::<_, Refusal>(7)));
/// assert_eq!(service.oneshot(()).await, Ok(7));
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct RetryService<S, C: Clock = TokioClock, K = DefaultClassifier> {
    inner: S,
    shared: Arc<Shared<C>>,
    classify: K,
}

impl<S, R, C, K> Service<R> for RetryService<S, C, K>
where
    S: Service<R> + Clone,
    S::Error: MaybeRefused,
    R: Clone,
    C: Clock,
    K: Classify<S::Response, S::Error> + Clone,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = RetryFuture<S, R, C, K>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: R) -> Self::Future {
        // The service that is ready goes into the future; its clone has to get ready anew.
        let clone = self.inner.clone();
        let mut service = std::mem::replace(&mut self.inner, clone);
        let state = State::Calling {
            call: service.call(request.clone()),
        };
        RetryFuture {
            service,
            request,
            shared: Arc::clone(&self.shared),
            classify: self.classify.clone(),
            attempt: 1,
            waited: Duration::ZERO,
            state,
        }
    }
}

pin_project! {
    /// The future of [`RetryService`].
    ///
    /// ```
    /// use tower::{Layer, Service, ServiceExt, service_fn};
    /// use tripline_sdk::layer::{RetryFuture, RetryLayer};
    /// use tripline_sdk::{Refusal, RetryConfig};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// let stock = service_fn(async |(): ()| Ok::<_, Refusal>(7));
    /// let mut service = RetryLayer::new(RetryConfig::default()).layer(stock);
    /// let call: RetryFuture<_, _, _, _> = service.ready().await.unwrap().call(());
    /// assert_eq!(call.await, Ok(7));
    /// # }
    /// ```
    #[must_use = "futures do nothing unless polled"]
    pub struct RetryFuture<S, R, C: Clock, K>
    where
        S: Service<R>,
    {
        service: S,
        request: R,
        shared: Arc<Shared<C>>,
        classify: K,
        attempt: u32,
        waited: Duration,
        #[pin]
        state: State<S::Future>,
    }
}

pin_project! {
    #[project = StateProjection]
    enum State<F> {
        Calling { #[pin] call: F },
        Waiting { #[pin] sleep: Sleep },
        Readying,
    }
}

impl<S, R, C, K> Future for RetryFuture<S, R, C, K>
where
    S: Service<R>,
    S::Error: MaybeRefused,
    R: Clone,
    C: Clock,
    K: Classify<S::Response, S::Error>,
{
    type Output = Result<S::Response, S::Error>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        loop {
            match this.state.as_mut().project() {
                StateProjection::Calling { call } => {
                    let result = ready!(call.poll(context));
                    let outcome = this.classify.classify(result.as_ref());
                    let refusal = result.as_ref().err().and_then(MaybeRefused::refusal);
                    let Shared { plan, tally } = &**this.shared;
                    if let Some(tally) = tally {
                        tally.tried(refusal);
                    }
                    let Some(delay) = plan.as_ref().and_then(|plan| {
                        plan.next_delay(*this.attempt, *this.waited, outcome, refusal)
                    }) else {
                        if let Some(tally) = tally {
                            let refused = refusal.is_some_and(|refusal| !refusal.reached_peer());
                            tally.finished(*this.attempt, !refused && !outcome.is_failure());
                        }
                        return Poll::Ready(result);
                    };
                    if let Some(tally) = tally {
                        tally.tries_again();
                    }
                    *this.waited = delay;
                    *this.attempt += 1;
                    this.state.set(State::Waiting {
                        sleep: sleep(delay),
                    });
                }
                StateProjection::Waiting { sleep } => {
                    ready!(sleep.poll(context));
                    this.state.set(State::Readying);
                }
                StateProjection::Readying => {
                    ready!(this.service.poll_ready(context))?;
                    let call = this.service.call(this.request.clone());
                    this.state.set(State::Calling { call });
                }
            }
        }
    }
}

impl<C: Clock> Plan<C> {
    fn next_delay(
        &self,
        attempt: u32,
        waited: Duration,
        outcome: Outcome,
        refusal: Option<&Refusal>,
    ) -> Option<Duration> {
        if refusal.is_some_and(|refusal| !refusal.reached_peer()) {
            return None;
        }
        if attempt == 1 {
            // Calls pay, retries do not: else retries would pay for retries.
            self.budget.earn();
        }
        let hint = match outcome {
            Outcome::Success | Outcome::Ignore => return None,
            Outcome::Failure => None,
            Outcome::Overload { retry_after } => retry_after,
        };
        let delay = self
            .config
            .next_delay(attempt, waited, hint, &self.chance)?;
        self.budget.try_withdraw(self.clock.now()).then_some(delay)
    }
}
