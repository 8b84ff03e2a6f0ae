//! The rate limit and the bulkhead: both refuse at once rather than queue.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use pin_project_lite::pin_project;
use tower_layer::Layer;
use tower_service::Service;

use crate::bulkhead::{Bulkhead, Place};
use crate::clock::Clock;
use crate::limit::RateLimit;
use crate::refusal::Refusal;
use crate::tokio_clock::TokioClock;

/// Limits the rate of calls. Clones of the service share the limit.
///
/// ```
/// use std::time::Duration;
/// use tower::{Layer, ServiceExt, service_fn};
/// use tripline_sdk::layer::RateLimitLayer;
/// use tripline_sdk::{FixedWindow, Refusal};
/// # #[tokio::main(flavor = "current_thread", start_paused = true)]
/// # async fn main() {
/// let layer = RateLimitLayer::new(FixedWindow::new(1, Duration::from_secs(60)));
/// let service = layer.layer(service_fn(async |(): ()| Ok::<_, Refusal>(())));
/// assert!(service.clone().oneshot(()).await.is_ok());
/// assert!(matches!(service.oneshot(()).await, Err(Refusal::RateLimited { .. })));
/// # }
/// ```
#[derive(Clone)]
pub struct RateLimitLayer<C: Clock = TokioClock> {
    limiter: Arc<dyn RateLimit>,
    clock: C,
}

impl RateLimitLayer {
    /// Limits by `limiter`, on the runtime's clock.
    ///
    /// ```
    /// use std::sync::Arc;
    /// use std::time::Duration;
    /// use tower::{Layer, ServiceExt, service_fn};
    /// use tripline_sdk::layer::RateLimitLayer;
    /// use tripline_sdk::{FixedWindow, Refusal};
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() {
    /// let limiter = Arc::new(FixedWindow::new(1, Duration::from_secs(60)));
    /// let answers = service_fn(async |(): ()| Ok::<_, Refusal>(7));
    /// let stock = RateLimitLayer::new(Arc::clone(&limiter)).layer(answers);
    /// let orders = RateLimitLayer::new(limiter).layer(answers);
    /// assert_eq!(stock.oneshot(()).await, Ok(7));
    /// assert!(orders.oneshot(()).await.is_err(), "one limit for both");
    /// # }
    /// ```
    #[must_use]
    pub fn new(limiter: impl RateLimit + 'static) -> Self {
        Self {
            limiter: Arc::new(limiter),
            clock: TokioClock::default(),
        }
    }
}

impl<S, C: Clock> Layer<S> for RateLimitLayer<C> {
    type Service = RateLimitService<S, C>;
    fn layer(&self, inner: S) -> Self::Service {
        RateLimitService {
            inner,
            limiter: Arc::clone(&self.limiter),
            clock: self.clock.clone(),
        }
    }
}

/// The service of [`RateLimitLayer`].
///
/// ```
/// use std::time::Duration;
/// use tower::{Layer, ServiceExt, service_fn};
/// use tripline_sdk::layer::{RateLimitLayer, RateLimitService};
/// use tripline_sdk::{Gcra, Refusal};
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let layer = RateLimitLayer::new(Gcra::per(100, Duration::from_secs(1)));
/// let service: RateLimitService<_> = layer.layer(service_fn(async |(): ()| Ok::<_, Refusal>(7)));
/// assert_eq!(service.oneshot(()).await, Ok(7));
/// # }
/// ```
#[derive(Clone)]
pub struct RateLimitService<S, C: Clock = TokioClock> {
    inner: S,
    limiter: Arc<dyn RateLimit>,
    clock: C,
}

impl<S: Service<R>, R, C: Clock> Service<R> for RateLimitService<S, C>
where
    S::Error: From<Refusal>,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = LimitFuture<S::Future>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: R) -> Self::Future {
        let decision = self.limiter.check(1, self.clock.now());
        if !decision.allowed {
            let retry_after = decision.retry_after;
            return LimitFuture::refused(Refusal::RateLimited { retry_after });
        }
        LimitFuture::running(self.inner.call(request), None)
    }
}

/// Caps the calls at once. Clones of the service share the cap.
///
/// ```
/// use tower::{Layer, ServiceExt, service_fn};
/// use tripline_sdk::layer::BulkheadLayer;
/// use tripline_sdk::{Bulkhead, Refusal};
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let layer = BulkheadLayer::new(Bulkhead::new(0));
/// let service = layer.layer(service_fn(async |(): ()| Ok::<_, Refusal>(())));
/// assert_eq!(service.oneshot(()).await, Err(Refusal::BulkheadFull));
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct BulkheadLayer {
    bulkhead: Bulkhead,
}

impl BulkheadLayer {
    /// Caps by `bulkhead`.
    ///
    /// ```
    /// use tower::{Layer, ServiceExt, service_fn};
    /// use tripline_sdk::layer::BulkheadLayer;
    /// use tripline_sdk::{Bulkhead, Refusal};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// let bulkhead = Bulkhead::new(1);
    /// let answers = service_fn(async |(): ()| Ok::<_, Refusal>(7));
    /// let service = BulkheadLayer::new(bulkhead.clone()).layer(answers);
    /// let place = bulkhead.try_enter();
    /// assert_eq!(service.clone().oneshot(()).await, Err(Refusal::BulkheadFull));
    /// drop(place);
    /// assert_eq!(service.oneshot(()).await, Ok(7));
    /// # }
    /// ```
    #[must_use]
    pub const fn new(bulkhead: Bulkhead) -> Self {
        Self { bulkhead }
    }
}

impl<S> Layer<S> for BulkheadLayer {
    type Service = BulkheadService<S>;
    fn layer(&self, inner: S) -> BulkheadService<S> {
        BulkheadService {
            inner,
            bulkhead: self.bulkhead.clone(),
        }
    }
}

/// The service of [`BulkheadLayer`].
///
/// ```
/// use tower::{Layer, ServiceExt, service_fn};
/// use tripline_sdk::layer::{BulkheadLayer, BulkheadService};
/// use tripline_sdk::{Bulkhead, Refusal};
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let layer = BulkheadLayer::new(Bulkhead::new(8));
/// let service: BulkheadService<_> = layer.layer(service_fn(async |(): ()| Ok::<_, Refusal>(7)));
/// assert_eq!(service.oneshot(()).await, Ok(7));
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct BulkheadService<S> {
    inner: S,
    bulkhead: Bulkhead,
}

impl<S: Service<R>, R> Service<R> for BulkheadService<S>
where
    S::Error: From<Refusal>,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = LimitFuture<S::Future>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: R) -> Self::Future {
        match self.bulkhead.try_enter() {
            None => LimitFuture::refused(Refusal::BulkheadFull),
            place => LimitFuture::running(self.inner.call(request), place),
        }
    }
}

pin_project! {
    /// The future of the limiting services: a refusal, or the call and the place it holds.
    ///
    /// ```
    /// use tower::{Layer, Service, ServiceExt, service_fn};
    /// use tripline_sdk::layer::{BulkheadLayer, LimitFuture};
    /// use tripline_sdk::{Bulkhead, Refusal};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// let bulkhead = Bulkhead::new(8);
    /// let answers = service_fn(async |(): ()| Ok::<_, Refusal>(7));
    /// let mut service = BulkheadLayer::new(bulkhead.clone()).layer(answers);
    /// let call: LimitFuture<_> = service.ready().await.unwrap().call(());
    /// assert_eq!(bulkhead.in_flight(), 1);
    /// assert_eq!(call.await, Ok(7));
    /// assert_eq!(bulkhead.in_flight(), 0);
    /// # }
    /// ```
    #[derive(Debug)]
    pub struct LimitFuture<F> {
        #[pin]
        inner: Option<F>,
        refused: Option<Refusal>,
        place: Option<Place>,
    }
}

impl<F> LimitFuture<F> {
    fn refused(refusal: Refusal) -> Self {
        Self {
            inner: None,
            refused: Some(refusal),
            place: None,
        }
    }

    fn running(inner: F, place: Option<Place>) -> Self {
        Self {
            inner: Some(inner),
            refused: None,
            place,
        }
    }
}

impl<F: Future<Output = Result<T, E>>, T, E: From<Refusal>> Future for LimitFuture<F> {
    type Output = Result<T, E>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let Some(inner) = this.inner.as_pin_mut() else {
            let refused = this.refused.take().expect("polled after it was ready");
            return Poll::Ready(Err(refused.into()));
        };
        let result = inner.poll(context);
        if result.is_ready() {
            *this.place = None;
        }
        result
    }
}
