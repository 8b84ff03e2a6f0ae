//! The circuit breaker as a layer.
//!
//! The permit is taken in `call`, not in `poll_ready`: a service that is ready may never be
//! called, and a probe that waits for nobody would be a probe lost.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use pin_project_lite::pin_project;
use tower_layer::Layer;
use tower_service::Service;

use super::readiness::Readiness;
use crate::breaker::{CircuitBreaker, OwnedPermit, Rejection};
use crate::classify::{Classify, DefaultClassifier};
use crate::clock::Clock;
use crate::refusal::Refusal;
use crate::tokio_clock::TokioClock;

/// Guards a service with a [`CircuitBreaker`].
///
/// ```
/// use tower::{Layer, ServiceExt, service_fn};
/// use tripline_sdk::layer::{BreakerLayer, GuardLayer};
/// use tripline_sdk::{BreakerConfig, CircuitBreaker, State};
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let breaker = CircuitBreaker::new("stock", BreakerConfig::new().only_consecutive(1)).unwrap();
/// let failing = service_fn(async |(): ()| Err::<(), _>("down"));
/// let service = BreakerLayer::new(breaker.clone()).layer(GuardLayer.layer(failing));
/// assert!(service.clone().oneshot(()).await.unwrap_err().refusal().is_none());
/// assert_eq!(breaker.state(), State::Open);
/// assert!(service.oneshot(()).await.unwrap_err().refusal().is_some());
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct BreakerLayer<C: Clock = TokioClock, K = DefaultClassifier> {
    breaker: CircuitBreaker<C>,
    classify: K,
}

impl<C: Clock> BreakerLayer<C> {
    /// A layer that takes errors for failures.
    ///
    /// ```
    /// use tower::{Layer, ServiceExt, service_fn};
    /// use tripline_sdk::layer::{BreakerLayer, GuardLayer};
    /// use tripline_sdk::{BreakerConfig, CircuitBreaker};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// let breaker = CircuitBreaker::new("stock", BreakerConfig::new()).unwrap();
    /// let failing = GuardLayer.layer(service_fn(async |(): ()| Err::<(), _>("down")));
    /// let service = BreakerLayer::new(breaker.clone()).layer(failing);
    /// assert!(service.oneshot(()).await.is_err());
    /// assert_eq!(breaker.snapshot().totals.failure, 1);
    /// # }
    /// ```
    #[must_use]
    pub fn new(breaker: CircuitBreaker<C>) -> Self {
        Self {
            breaker,
            classify: DefaultClassifier,
        }
    }
}

impl<C: Clock, K> BreakerLayer<C, K> {
    /// Lets `classify` say what a failure is.
    ///
    /// ```
    /// use tower::{Layer, ServiceExt, service_fn};
    /// use tripline_sdk::layer::BreakerLayer;
    /// use tripline_sdk::{BreakerConfig, CircuitBreaker, Outcome, Refusal};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// let by_status = |result: Result<&u16, &Refusal>| match result {
    ///     Ok(status) if *status < 500 => Outcome::Success,
    ///     _ => Outcome::Failure,
    /// };
    /// let breaker = CircuitBreaker::new("stock", BreakerConfig::new()).unwrap();
    /// let layer = BreakerLayer::new(breaker.clone()).classify(by_status);
    /// let service = layer.layer(service_fn(async |(): ()| Ok::<u16, Refusal>(503)));
    /// assert_eq!(service.oneshot(()).await, Ok(503));
    /// assert_eq!(breaker.snapshot().totals.failure, 1, "an answer, but a failure");
    /// # }
    /// ```
    #[must_use]
    pub fn classify<L>(self, classify: L) -> BreakerLayer<C, L> {
        BreakerLayer {
            breaker: self.breaker,
            classify,
        }
    }
}

impl<S, C: Clock, K: Clone> Layer<S> for BreakerLayer<C, K> {
    type Service = BreakerService<S, C, K>;
    fn layer(&self, inner: S) -> Self::Service {
        let (breaker, classify) = (self.breaker.clone(), self.classify.clone());
        BreakerService {
            inner,
            breaker,
            classify,
            readiness: Readiness::default(),
        }
    }
}

/// The service of [`BreakerLayer`].
///
/// ```
/// use tower::{Layer, ServiceExt, service_fn};
/// use tripline_sdk::layer::{BreakerLayer, BreakerService};
/// use tripline_sdk::{BreakerConfig, CircuitBreaker, MonotonicClock, Refusal};
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let breaker = CircuitBreaker::new("stock", BreakerConfig::new()).unwrap();
/// let service: BreakerService<_, MonotonicClock> =
///     BreakerLayer::new(breaker).layer(service_fn(async |(): ()| Ok::<_, Refusal>(7)));
/// assert_eq!(service.oneshot(()).await, Ok(7));
/// # }
/// ```
#[derive(Debug)]
pub struct BreakerService<S, C: Clock = TokioClock, K = DefaultClassifier> {
    inner: S,
    breaker: CircuitBreaker<C>,
    classify: K,
    readiness: Readiness,
}

impl<S: Clone, C: Clock, K: Clone> Clone for BreakerService<S, C, K> {
    /// A clone has to find out for itself whether the service inside is ready.
    fn clone(&self) -> Self {
        Self {
            inner: self.inner.clone(),
            breaker: self.breaker.clone(),
            classify: self.classify.clone(),
            readiness: Readiness::default(),
        }
    }
}

impl<S, R, C, K> Service<R> for BreakerService<S, C, K>
where
    S: Service<R>,
    S::Error: From<Refusal>,
    C: Clock,
    K: Classify<S::Response, S::Error> + Clone,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = BreakerFuture<S::Future, C, K>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.readiness
            .poll::<R, _, _>(&mut self.inner, Some(&self.breaker), context)
    }

    fn call(&mut self, request: R) -> Self::Future {
        let refused = match (self.breaker.acquire_owned(), self.readiness.missing()) {
            (Err(rejection), _) | (Ok(_), Some(rejection)) => rejection,
            (Ok(permit), None) => {
                self.readiness.spend();
                let (inner, classify) = (self.inner.call(request), self.classify.clone());
                return BreakerFuture {
                    inner: Some(inner),
                    permit: Some(permit),
                    classify,
                    refused: None,
                };
            }
        };
        let (classify, refused) = (self.classify.clone(), Some(refused));
        BreakerFuture {
            inner: None,
            permit: None,
            classify,
            refused,
        }
    }
}

pin_project! {
    /// The future of [`BreakerService`]. Dropped, it accounts for the call as cancelled.
    ///
    /// ```
    /// use tower::{Layer, Service, ServiceExt, service_fn};
    /// use tripline_sdk::layer::{BreakerFuture, BreakerLayer};
    /// use tripline_sdk::{BreakerConfig, CircuitBreaker, MonotonicClock, Refusal};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// let breaker = CircuitBreaker::new("stock", BreakerConfig::new()).unwrap();
    /// let stock = service_fn(async |(): ()| Ok::<_, Refusal>(7));
    /// let mut service = BreakerLayer::new(breaker.clone()).layer(stock);
    /// let call: BreakerFuture<_, MonotonicClock> = service.ready().await.unwrap().call(());
    /// drop(call);
    /// assert_eq!(breaker.snapshot().totals.cancelled, 1);
    /// # }
    /// ```
    #[derive(Debug)]
    pub struct BreakerFuture<F, C: Clock = TokioClock, K = DefaultClassifier> {
        #[pin]
        inner: Option<F>,
        permit: Option<OwnedPermit<C>>,
        classify: K,
        refused: Option<Rejection>,
    }
}

impl<F, T, E, C, K> Future for BreakerFuture<F, C, K>
where
    F: Future<Output = Result<T, E>>,
    E: From<Refusal>,
    C: Clock,
    K: Classify<T, E>,
{
    type Output = Result<T, E>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let Some(inner) = this.inner.as_pin_mut() else {
            let refused = this.refused.take().expect("polled after it was ready");
            return Poll::Ready(Err(Refusal::Breaker(refused).into()));
        };
        let result = ready!(inner.poll(context));
        if let Some(permit) = this.permit.take() {
            permit.finish(this.classify.classify(result.as_ref()));
        }
        Poll::Ready(result)
    }
}
