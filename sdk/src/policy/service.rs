//! One try under a policy as a service: breaker, per-try timeout, rate limit and bulkhead in one
//! step, with one look at the clock on the way in and one pointer to all of its parts.
//!
//! It does what the layers of [`crate::layer`] do one inside the other, in the same order.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use pin_project_lite::pin_project;
use tower_service::Service;

use super::{Parts, one_clock};
use crate::breaker::{OwnedPermit, Rejection};
use crate::bulkhead::{Bulkhead, Place};
use crate::classify::{Classify, DefaultClassifier};
use crate::clock::{Clock, Moment};
use crate::layer::{InTime, Readiness};
use crate::refusal::{MaybeRefused, Refusal};
use crate::tokio_clock::TokioClock;

/// The service inside a [`PolicyService`](crate::PolicyService): makes one try.
///
/// ```
/// use std::time::Duration;
/// use tower::{Layer, ServiceExt, service_fn};
/// use tripline_sdk::layer::RetryService;
/// use tripline_sdk::{Policy, Refusal, TryService};
/// # #[tokio::main(flavor = "current_thread", start_paused = true)]
/// # async fn main() {
/// let policy = Policy::builder("stock").timeout(Duration::from_secs(1)).build().unwrap();
/// let hangs = service_fn(async |(): ()| std::future::pending::<Result<(), Refusal>>().await);
/// let service: RetryService<TryService<_>> = policy.layer(hangs);
/// assert!(matches!(service.oneshot(()).await, Err(Refusal::Timeout { .. })));
/// # }
/// ```
pub struct TryService<S, C: Clock = TokioClock, D: Clock = C> {
    inner: S,
    parts: Arc<Parts<C, D>>,
    readiness: Readiness,
}

impl<S, C: Clock, D: Clock> TryService<S, C, D> {
    pub(super) fn new(inner: S, parts: Arc<Parts<C, D>>) -> Self {
        Self {
            inner,
            parts,
            readiness: Readiness::default(),
        }
    }
}

impl<S: Clone, C: Clock, D: Clock> Clone for TryService<S, C, D> {
    /// A clone has to find out for itself whether the service inside is ready.
    fn clone(&self) -> Self {
        Self::new(self.inner.clone(), Arc::clone(&self.parts))
    }
}

impl<S: std::fmt::Debug, C: Clock, D: Clock> std::fmt::Debug for TryService<S, C, D> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TryService")
            .field("inner", &self.inner)
            .field("policy", &self.parts.name)
            .finish_non_exhaustive()
    }
}

impl<S, R, C, D> Service<R> for TryService<S, C, D>
where
    S: Service<R>,
    S::Error: From<Refusal> + MaybeRefused,
    C: Clock,
    D: Clock,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = TryFuture<S::Future, D>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.readiness
            .poll::<R, _, _>(&mut self.inner, self.parts.breaker.as_ref(), context)
    }

    fn call(&mut self, request: R) -> Self::Future {
        let now = self.parts.clock.now();
        let permit = match self.parts.acquire_owned(now).transpose() {
            Ok(permit) => permit,
            Err(rejection) => return TryFuture::refused(Refusal::Breaker(rejection), None),
        };
        if let Some(rejection) = self.readiness.missing() {
            return TryFuture::refused(Refusal::Breaker(rejection), None);
        }
        match self.parts.limit(now) {
            Err(refusal) => TryFuture::refused(refusal, permit),
            Ok(place) => {
                self.readiness.spend();
                TryFuture {
                    inner: Some(InTime::optional(
                        self.inner.call(request),
                        crate::deadline::bounded(self.parts.timeout),
                    )),
                    refused: None,
                    permit,
                    place,
                }
            }
        }
    }
}

impl<C: Clock, D: Clock> Parts<C, D> {
    fn acquire_owned(&self, now: Moment) -> Option<Result<OwnedPermit<D>, Rejection>> {
        let breaker = self.breaker.as_ref()?;
        Some(if one_clock::<C, D>() {
            breaker.acquire_owned_at(now)
        } else {
            breaker.acquire_owned()
        })
    }

    /// A place in the bulkhead, if there is one and the rate allows the call.
    fn limit(&self, now: Moment) -> Result<Option<Place>, Refusal> {
        if let Some(limiter) = &self.limiter {
            let decision = limiter.check(1, now);
            if !decision.allowed {
                let retry_after = decision.retry_after;
                return Err(Refusal::RateLimited { retry_after });
            }
        }
        match self.bulkhead.as_ref().map(Bulkhead::try_enter) {
            Some(None) => Err(Refusal::BulkheadFull),
            place => Ok(place.flatten()),
        }
    }
}

pin_project! {
    /// The future of [`TryService`]. Dropped, it gives everything back, and accounts for the call
    /// as cancelled.
    ///
    /// ```
    /// use tower::{Layer, Service, ServiceExt, service_fn};
    /// use tripline_sdk::layer::GuardLayer;
    /// use tripline_sdk::{Bulkhead, Policy};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// let bulkhead = Bulkhead::new(1);
    /// let policy = Policy::builder("stock").bulkhead(bulkhead.clone()).build().unwrap();
    /// let stock = GuardLayer.layer(service_fn(async |(): ()| Ok::<_, String>(7)));
    /// let mut service = policy.layer(stock);
    /// let call = service.ready().await.unwrap().call(());
    /// assert_eq!(bulkhead.in_flight(), 1);
    /// drop(call);
    /// assert_eq!(bulkhead.in_flight(), 0);
    /// # }
    /// ```
    #[must_use = "futures do nothing unless polled"]
    #[derive(Debug)]
    pub struct TryFuture<F, D: Clock = TokioClock> {
        #[pin]
        inner: Option<InTime<F>>,
        refused: Option<Refusal>,
        permit: Option<OwnedPermit<D>>,
        place: Option<Place>,
    }
}

impl<F, D: Clock> TryFuture<F, D> {
    fn refused(refusal: Refusal, permit: Option<OwnedPermit<D>>) -> Self {
        Self {
            inner: None,
            refused: Some(refusal),
            permit,
            place: None,
        }
    }
}

impl<F, T, E, D> Future for TryFuture<F, D>
where
    F: Future<Output = Result<T, E>>,
    E: From<Refusal> + MaybeRefused,
    D: Clock,
{
    type Output = Result<T, E>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let result = match this.inner.as_pin_mut() {
            None => Err(this
                .refused
                .take()
                .expect("polled after it was ready")
                .into()),
            Some(inner) => ready!(inner.poll(context))
                .unwrap_or_else(|after| Err(Refusal::Timeout { after }.into())),
        };
        *this.place = None;
        if let Some(permit) = this.permit.take() {
            permit.finish(DefaultClassifier.classify(result.as_ref()));
        }
        Poll::Ready(result)
    }
}
