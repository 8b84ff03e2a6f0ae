//! A second try when the first is slow.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use pin_project_lite::pin_project;
use tokio::time::{Sleep, sleep};
use tower_layer::Layer;
use tower_service::Service;

use crate::breaker::{CircuitBreaker, Listener, State};
use crate::clock::{Clock, Moment};
use crate::hedge::HedgePolicy;
use crate::report::{PartsPresent, WatchedPolicy};
use crate::retry::{BudgetConfig, RetryBudget};
use crate::tally::{Hedged, Tally};
use crate::tokio_clock::TokioClock;

/// Sends a call a second time when the first is slower than usual, and takes whichever answers
/// first; the other is dropped, which a breaker inside counts as cancelled.
///
/// Put it inside the retry and outside the breaker, so that each try is judged. It pays from the
/// retry's budget, so that both together stay within it: without budget, without a usual latency
/// yet, and while the breaker it was shown is not closed, there is no second try. Only for calls
/// that may happen twice.
///
/// ```
/// use std::sync::Arc;
/// use std::sync::atomic::{AtomicU32, Ordering};
/// use std::time::Duration;
/// use tower::{Layer, ServiceExt, service_fn};
/// use tripline_sdk::HedgePolicy;
/// use tripline_sdk::layer::HedgeLayer;
/// # #[tokio::main(flavor = "current_thread", start_paused = true)]
/// # async fn main() {
/// let usual = HedgePolicy::at_quantile(0.95, Duration::from_millis(1));
/// (0..100).for_each(|_| usual.observe(Duration::from_millis(10)));
///
/// static TRIES: AtomicU32 = AtomicU32::new(0);
/// let stock = service_fn(async |(): ()| {
///     if TRIES.fetch_add(1, Ordering::SeqCst) == 0 {
///         std::future::pending::<()>().await; // the first try hangs
///     }
///     Ok::<_, std::io::Error>(7)
/// });
/// let hedged = HedgeLayer::new("stock", usual).layer(stock);
/// assert_eq!(hedged.oneshot(()).await.unwrap(), 7);
/// assert_eq!(TRIES.load(Ordering::SeqCst), 2);
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct HedgeLayer<C: Clock = TokioClock, D: Clock = TokioClock> {
    plan: Plan<C, D>,
}

#[derive(Debug)]
struct Plan<C: Clock, D: Clock> {
    hedge: Arc<HedgePolicy>,
    budget: Arc<RetryBudget>,
    /// Whether the calls pay into the budget here, because nobody else does it.
    feeds_budget: bool,
    breaker: Option<CircuitBreaker<D>>,
    clock: C,
    tally: Arc<Tally>,
}

impl<C: Clock, D: Clock> Clone for Plan<C, D> {
    fn clone(&self) -> Self {
        Self {
            hedge: Arc::clone(&self.hedge),
            budget: Arc::clone(&self.budget),
            feeds_budget: self.feeds_budget,
            breaker: self.breaker.clone(),
            clock: self.clock.clone(),
            tally: Arc::clone(&self.tally),
        }
    }
}

impl HedgeLayer {
    /// Hedges on a budget of its own, on the runtime's clock.
    ///
    /// ```
    /// use std::sync::atomic::{AtomicU32, Ordering};
    /// use std::time::Duration;
    /// use tower::{Layer, ServiceExt, service_fn};
    /// use tripline_sdk::HedgePolicy;
    /// use tripline_sdk::layer::HedgeLayer;
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() {
    /// static TRIES: AtomicU32 = AtomicU32::new(0);
    /// let slow = service_fn(async |(): ()| {
    ///     TRIES.fetch_add(1, Ordering::SeqCst);
    ///     tokio::time::sleep(Duration::from_secs(30)).await;
    ///     Ok::<_, String>(7)
    /// });
    /// let usual = HedgePolicy::at_quantile(0.95, Duration::from_millis(1));
    /// assert_eq!(HedgeLayer::new("stock", usual).layer(slow).oneshot(()).await, Ok(7));
    /// assert_eq!(TRIES.load(Ordering::SeqCst), 1, "nothing is usual yet");
    /// # }
    /// ```
    #[must_use]
    pub fn new(name: &str, hedge: HedgePolicy) -> Self {
        let clock = TokioClock::default();
        let budget = Arc::new(RetryBudget::new(BudgetConfig::default(), clock.now()));
        let tally = Arc::new(tally(name, &budget, None));
        Self {
            plan: Plan {
                hedge: Arc::new(hedge),
                budget,
                feeds_budget: true,
                breaker: None,
                clock,
                tally,
            },
        }
    }
}

fn tally(name: &str, budget: &Arc<RetryBudget>, listener: Option<Arc<dyn Listener>>) -> Tally {
    let parts = PartsPresent {
        hedge: true,
        ..PartsPresent::default()
    };
    Tally::new(name, parts, Some(Arc::clone(budget)), None, listener)
}

impl<C: Clock, D: Clock> HedgeLayer<C, D> {
    /// Pays from a budget that a retry around it fills.
    ///
    /// ```
    /// use std::sync::Arc;
    /// use std::time::Duration;
    /// use tower::{Layer, ServiceExt, service_fn};
    /// use tripline_sdk::layer::HedgeLayer;
    /// use tripline_sdk::{BudgetConfig, HedgePolicy, Moment, RetryBudget};
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() {
    /// let usual = HedgePolicy::at_quantile(0.95, Duration::from_millis(1));
    /// (0..100).for_each(|_| usual.observe(Duration::from_millis(10)));
    /// let slow = service_fn(async |(): ()| {
    ///     tokio::time::sleep(Duration::from_secs(1)).await;
    ///     Ok::<_, String>(7)
    /// });
    /// let nothing = BudgetConfig { ratio: 0.0, min_per_second: 0.0, ..BudgetConfig::default() };
    /// let budget = Arc::new(RetryBudget::new(nothing, Moment::ZERO));
    /// let layer = HedgeLayer::new("stock", usual).budget(Arc::clone(&budget));
    /// assert_eq!(layer.layer(slow).oneshot(()).await, Ok(7));
    /// assert_eq!(budget.exhausted(), 1, "nothing paid for a second try");
    /// # }
    /// ```
    #[must_use]
    pub fn budget(mut self, budget: Arc<RetryBudget>) -> Self {
        self.plan.budget = budget;
        self.plan.feeds_budget = false;
        self
    }

    /// Sends no second try unless `breaker`, the one inside, is closed.
    ///
    /// ```
    /// use std::sync::atomic::{AtomicU32, Ordering};
    /// use std::time::Duration;
    /// use tower::{Layer, ServiceExt, service_fn};
    /// use tripline_sdk::layer::HedgeLayer;
    /// use tripline_sdk::{BreakerConfig, CircuitBreaker, HedgePolicy};
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() {
    /// let usual = HedgePolicy::at_quantile(0.95, Duration::from_millis(1));
    /// (0..100).for_each(|_| usual.observe(Duration::from_millis(10)));
    /// static TRIES: AtomicU32 = AtomicU32::new(0);
    /// let slow = service_fn(async |(): ()| {
    ///     TRIES.fetch_add(1, Ordering::SeqCst);
    ///     tokio::time::sleep(Duration::from_secs(1)).await;
    ///     Ok::<_, String>(7)
    /// });
    /// let breaker = CircuitBreaker::new("stock", BreakerConfig::new()).unwrap();
    /// breaker.trip();
    /// let layer = HedgeLayer::new("stock", usual).while_closed(breaker);
    /// assert_eq!(layer.layer(slow).oneshot(()).await, Ok(7));
    /// assert_eq!(TRIES.load(Ordering::SeqCst), 1, "no second try of an open breaker");
    /// # }
    /// ```
    #[must_use]
    pub fn while_closed<B: Clock>(self, breaker: CircuitBreaker<B>) -> HedgeLayer<C, B> {
        let Plan {
            hedge,
            budget,
            feeds_budget,
            clock,
            tally,
            ..
        } = self.plan;
        HedgeLayer {
            plan: Plan {
                hedge,
                budget,
                feeds_budget,
                breaker: Some(breaker),
                clock,
                tally,
            },
        }
    }

    /// Reports calls and tries to `listener`, for example `telemetry::Telemetry`.
    ///
    /// ```
    /// use std::sync::{Arc, OnceLock};
    /// use std::time::Duration;
    /// use tower::{Layer, ServiceExt, service_fn};
    /// use tripline_sdk::layer::HedgeLayer;
    /// use tripline_sdk::{HedgePolicy, Listener, Transition, WatchedPolicy};
    /// #[derive(Clone, Default)]
    /// struct Watch(Arc<OnceLock<WatchedPolicy>>);
    /// impl Listener for Watch {
    ///     fn on_transition(&self, _: &str, _: &Transition) {}
    ///     fn on_policy_created(&self, policy: WatchedPolicy) {
    ///         self.0.set(policy).expect("one layer");
    ///     }
    /// }
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// let watch = Watch::default();
    /// let usual = HedgePolicy::at_quantile(0.95, Duration::from_millis(1));
    /// let layer = HedgeLayer::new("stock", usual).listen(watch.clone());
    /// let stock = layer.layer(service_fn(async |(): ()| Ok::<_, String>(7)));
    /// assert_eq!(stock.oneshot(()).await, Ok(7));
    /// let watched = watch.0.get().expect("told when the layer was made");
    /// assert_eq!(watched.read(|_, counts| counts.hedge_not_needed), Some(1));
    /// # }
    /// ```
    #[must_use]
    pub fn listen(mut self, listener: impl Listener + 'static) -> Self {
        let listener: Arc<dyn Listener> = Arc::new(listener);
        let name = self.plan.tally.name().to_owned();
        let tally = tally(&name, &self.plan.budget, Some(Arc::clone(&listener)));
        self.plan.tally = Arc::new(tally);
        // Only its weak end leaves: telemetry keeps nothing alive.
        let weak = Arc::downgrade(&self.plan.tally);
        listener.on_policy_created(WatchedPolicy(weak));
        self
    }
}

impl<S, C: Clock, D: Clock> Layer<S> for HedgeLayer<C, D> {
    type Service = HedgeService<S, C, D>;
    fn layer(&self, inner: S) -> Self::Service {
        HedgeService {
            inner,
            plan: self.plan.clone(),
        }
    }
}

/// The service of [`HedgeLayer`].
///
/// ```
/// use std::time::Duration;
/// use tower::{Layer, ServiceExt, service_fn};
/// use tripline_sdk::HedgePolicy;
/// use tripline_sdk::layer::{HedgeLayer, HedgeService};
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let usual = HedgePolicy::at_quantile(0.95, Duration::from_millis(1));
/// let service: HedgeService<_> =
///     HedgeLayer::new("stock", usual).layer(service_fn(async |(): ()| Ok::<_, String>(7)));
/// assert_eq!(service.oneshot(()).await, Ok(7));
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct HedgeService<S, C: Clock = TokioClock, D: Clock = TokioClock> {
    inner: S,
    plan: Plan<C, D>,
}

impl<S, R, C, D> Service<R> for HedgeService<S, C, D>
where
    S: Service<R> + Clone,
    R: Clone,
    C: Clock,
    D: Clock,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = HedgeFuture<S, R, C, D>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: R) -> Self::Future {
        let plan = self.plan.clone();
        let started = plan.clock.now();
        if plan.feeds_budget {
            plan.budget.deposit(started);
        }
        // The service that is ready makes the first try; its clone has to get ready anew.
        let spare = self.inner.clone();
        let mut service = std::mem::replace(&mut self.inner, spare.clone());
        HedgeFuture {
            first: Some(service.call(request.clone())),
            wait: plan.hedge.delay().map(sleep),
            second: Second::None,
            service: spare,
            request,
            started,
            plan,
            failed: None,
        }
    }
}

pin_project! {
    /// The future of [`HedgeService`]. Dropped, it drops the tries in flight.
    ///
    /// ```
    /// use std::time::Duration;
    /// use tower::{Layer, Service, ServiceExt, service_fn};
    /// use tripline_sdk::HedgePolicy;
    /// use tripline_sdk::layer::{HedgeFuture, HedgeLayer};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// let usual = HedgePolicy::at_quantile(0.95, Duration::from_millis(1));
    /// let stock = service_fn(async |(): ()| Ok::<_, String>(7));
    /// let mut service = HedgeLayer::new("stock", usual).layer(stock);
    /// let call: HedgeFuture<_, _, _, _> = service.ready().await.unwrap().call(());
    /// assert_eq!(call.await, Ok(7));
    /// # }
    /// ```
    #[must_use = "futures do nothing unless polled"]
    pub struct HedgeFuture<S, R, C: Clock, D: Clock>
    where
        S: Service<R>,
    {
        #[pin]
        first: Option<S::Future>,
        #[pin]
        wait: Option<Sleep>,
        #[pin]
        second: Second<S::Future>,
        service: S,
        request: R,
        started: Moment,
        plan: Plan<C, D>,
        // What one try failed with, while the other is still under way.
        failed: Option<S::Error>,
    }
}

pin_project! {
    #[project = SecondProjection]
    enum Second<F> {
        None,
        Readying,
        Calling { #[pin] call: F },
    }
}

impl<S, R, C, D> Future for HedgeFuture<S, R, C, D>
where
    S: Service<R>,
    R: Clone,
    C: Clock,
    D: Clock,
{
    type Output = Result<S::Response, S::Error>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        if let Some(first) = this.first.as_mut().as_pin_mut()
            && let Poll::Ready(result) = first.poll(context)
        {
            this.first.set(None);
            let second = this.second.as_mut().project();
            let under_way = matches!(second, SecondProjection::Calling { .. });
            match result {
                Ok(answer) => {
                    let alone = !under_way && this.failed.is_none();
                    let how = if alone {
                        Hedged::NotNeeded
                    } else {
                        Hedged::First
                    };
                    this.plan.won(*this.started, how);
                    return Poll::Ready(Ok(answer));
                }
                Err(error) if under_way => *this.failed = Some(error),
                // A failure that came before a second try is the retry's business.
                Err(error) => {
                    let alone = this.failed.is_none();
                    let how = if alone {
                        Hedged::NotNeeded
                    } else {
                        Hedged::Failed
                    };
                    this.plan.tally.hedged(how);
                    return Poll::Ready(Err(error));
                }
            }
        }
        if let Some(wait) = this.wait.as_mut().as_pin_mut()
            && wait.poll(context).is_ready()
        {
            this.wait.set(None);
            if this.plan.may_hedge() {
                this.second.set(Second::Readying);
            }
        }
        loop {
            match this.second.as_mut().project() {
                SecondProjection::None => return Poll::Pending,
                SecondProjection::Readying => match this.service.poll_ready(context) {
                    Poll::Pending => return Poll::Pending,
                    // The first try is still under way: a second that cannot begin is none.
                    Poll::Ready(Err(_)) => this.second.set(Second::None),
                    Poll::Ready(Ok(())) => {
                        let call = this.service.call(this.request.clone());
                        this.second.set(Second::Calling { call });
                    }
                },
                SecondProjection::Calling { call } => match call.poll(context) {
                    Poll::Pending => return Poll::Pending,
                    Poll::Ready(Ok(answer)) => {
                        this.plan.won(*this.started, Hedged::Second);
                        return Poll::Ready(Ok(answer));
                    }
                    Poll::Ready(Err(error)) => {
                        this.second.set(Second::None);
                        if this.first.is_none() {
                            this.plan.tally.hedged(Hedged::Failed);
                            // The first try's error is the older news, and as good as this one.
                            return Poll::Ready(Err(this.failed.take().unwrap_or(error)));
                        }
                        *this.failed = Some(error);
                        return Poll::Pending;
                    }
                },
            }
        }
    }
}

impl<C: Clock, D: Clock> Plan<C, D> {
    fn may_hedge(&self) -> bool {
        let closed = |breaker: &CircuitBreaker<D>| breaker.state() == State::Closed;
        self.breaker.as_ref().is_none_or(closed) && self.budget.try_withdraw(self.clock.now())
    }

    fn won(&self, started: Moment, how: Hedged) {
        self.hedge.observe(self.clock.now().since(started));
        self.tally.hedged(how);
    }
}
