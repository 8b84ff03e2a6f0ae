//! A timeout for each try.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use pin_project_lite::pin_project;
use tokio::time::{Sleep, sleep};
use tower_layer::Layer;
use tower_service::Service;

use crate::refusal::Refusal;

/// Gives up on a call after a while, with [`Refusal::Timeout`]; earlier if the request this call
/// serves has less time left.
///
/// ```
/// use std::time::Duration;
/// use tower::{Layer, ServiceExt, service_fn};
/// use tripline_sdk::Refusal;
/// use tripline_sdk::layer::TimeoutLayer;
/// # #[tokio::main(flavor = "current_thread", start_paused = true)]
/// # async fn main() {
/// let hangs = service_fn(async |(): ()| std::future::pending::<Result<(), Refusal>>().await);
/// let after = Duration::from_secs(1);
/// let answer = TimeoutLayer::new(after).layer(hangs).oneshot(()).await;
/// assert_eq!(answer, Err(Refusal::Timeout { after }));
/// # }
/// ```
#[derive(Clone, Copy, Debug)]
pub struct TimeoutLayer {
    after: Duration,
}

impl TimeoutLayer {
    /// Gives up `after` this long.
    ///
    /// ```
    /// use std::time::Duration;
    /// use tower::{Layer, ServiceExt, service_fn};
    /// use tripline_sdk::Refusal;
    /// use tripline_sdk::layer::TimeoutLayer;
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() {
    /// const LAYER: TimeoutLayer = TimeoutLayer::new(Duration::from_secs(1));
    /// let stock = service_fn(async |wait: Duration| {
    ///     tokio::time::sleep(wait).await;
    ///     Ok::<_, Refusal>(7)
    /// });
    /// let service = LAYER.layer(stock);
    /// assert_eq!(service.clone().oneshot(Duration::from_millis(900)).await, Ok(7));
    /// assert!(service.oneshot(Duration::from_millis(1_100)).await.is_err());
    /// # }
    /// ```
    #[must_use]
    pub const fn new(after: Duration) -> Self {
        Self { after }
    }
}

impl<S> Layer<S> for TimeoutLayer {
    type Service = TimeoutService<S>;
    fn layer(&self, inner: S) -> TimeoutService<S> {
        TimeoutService {
            inner,
            after: self.after,
        }
    }
}

/// The service of [`TimeoutLayer`].
///
/// ```
/// use std::time::Duration;
/// use tower::{Layer, ServiceExt, service_fn};
/// use tripline_sdk::Refusal;
/// use tripline_sdk::layer::{TimeoutLayer, TimeoutService};
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let layer = TimeoutLayer::new(Duration::from_secs(1));
/// let service: TimeoutService<_> = layer.layer(service_fn(async |(): ()| Ok::<_, Refusal>(7)));
/// assert_eq!(service.oneshot(()).await, Ok(7));
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct TimeoutService<S> {
    inner: S,
    after: Duration,
}

impl<S: Service<R>, R> Service<R> for TimeoutService<S>
where
    S::Error: From<Refusal>,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = TimeoutFuture<S::Future>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: R) -> Self::Future {
        TimeoutFuture {
            call: InTime::optional(
                self.inner.call(request),
                crate::deadline::bounded(Some(self.after)),
            ),
        }
    }
}

pin_project! {
    /// The future of [`TimeoutService`].
    ///
    /// ```
    /// use std::time::Duration;
    /// use tower::{Layer, Service, ServiceExt, service_fn};
    /// use tripline_sdk::Refusal;
    /// use tripline_sdk::layer::{TimeoutFuture, TimeoutLayer};
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() {
    /// let hangs = service_fn(async |(): ()| std::future::pending::<Result<(), Refusal>>().await);
    /// let mut service = TimeoutLayer::new(Duration::from_secs(1)).layer(hangs);
    /// let call: TimeoutFuture<_> = service.ready().await.unwrap().call(());
    /// assert!(matches!(call.await, Err(Refusal::Timeout { .. })));
    /// # }
    /// ```
    #[derive(Debug)]
    pub struct TimeoutFuture<F> {
        #[pin]
        call: InTime<F>,
    }
}

impl<F: Future<Output = Result<T, E>>, T, E: From<Refusal>> Future for TimeoutFuture<F> {
    type Output = Result<T, E>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let result = ready!(self.project().call.poll(context));
        Poll::Ready(result.unwrap_or_else(|after| Err(Refusal::Timeout { after }.into())))
    }
}

pin_project! {
    /// A future with a time limit, or the limit it exceeded. The clock starts when the future first
    /// has to wait: what is there at once costs neither a look at the clock nor a timer.
    #[derive(Debug)]
    pub(crate) struct InTime<F> {
        #[pin]
        inner: F,
        #[pin]
        sleep: Option<Sleep>,
        after: Option<Duration>,
    }
}

impl<F> InTime<F> {
    pub(crate) const fn optional(inner: F, after: Option<Duration>) -> Self {
        Self {
            inner,
            sleep: None,
            after,
        }
    }

    pub(crate) const fn new(inner: F, after: Duration) -> Self {
        Self {
            inner,
            sleep: None,
            after: Some(after),
        }
    }
}

impl<F: Future> Future for InTime<F> {
    type Output = Result<F::Output, Duration>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        // The result first: one that is there in time is not thrown away.
        if let Poll::Ready(result) = this.inner.poll(context) {
            return Poll::Ready(Ok(result));
        }
        let Some(after) = *this.after else {
            return Poll::Pending;
        };
        if this.sleep.is_none() {
            this.sleep.set(Some(sleep(after)));
        }
        let over = this.sleep.as_pin_mut().map(|sleep| sleep.poll(context));
        match over {
            Some(Poll::Ready(())) => Poll::Ready(Err(after)),
            _ => Poll::Pending,
        }
    }
}
