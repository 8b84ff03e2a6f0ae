//! The innermost layer: makes an error one that can carry a refusal.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use pin_project_lite::pin_project;
use tower_layer::Layer;
use tower_service::Service;

use crate::refusal::Error;

/// Turns errors `E` into [`Error<E>`].
///
/// ```
/// use tower::{Layer, ServiceExt, service_fn};
/// use tripline_sdk::Error;
/// use tripline_sdk::layer::GuardLayer;
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let service = GuardLayer.layer(service_fn(async |(): ()| Err::<(), _>("down")));
/// assert_eq!(service.oneshot(()).await, Err(Error::Call("down")));
/// # }
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct GuardLayer;

impl<S> Layer<S> for GuardLayer {
    type Service = GuardService<S>;
    fn layer(&self, inner: S) -> GuardService<S> {
        GuardService { inner }
    }
}

/// The service of [`GuardLayer`].
///
/// ```
/// use tower::{Layer, ServiceExt, service_fn};
/// use tripline_sdk::layer::{GuardLayer, GuardService};
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let service: GuardService<_> = GuardLayer.layer(service_fn(async |(): ()| Ok::<_, String>(7)));
/// assert_eq!(service.oneshot(()).await, Ok(7));
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct GuardService<S> {
    inner: S,
}

impl<S: Service<R>, R> Service<R> for GuardService<S> {
    type Response = S::Response;
    type Error = Error<S::Error>;
    type Future = GuardFuture<S::Future>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(context).map_err(Error::Call)
    }

    fn call(&mut self, request: R) -> Self::Future {
        GuardFuture {
            inner: self.inner.call(request),
        }
    }
}

pin_project! {
    /// The future of [`GuardService`].
    ///
    /// ```
    /// use tower::{Layer, Service, ServiceExt, service_fn};
    /// use tripline_sdk::Error;
    /// use tripline_sdk::layer::{GuardFuture, GuardLayer};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// let mut service = GuardLayer.layer(service_fn(async |(): ()| Err::<(), _>("down")));
    /// let call: GuardFuture<_> = service.ready().await.unwrap().call(());
    /// assert_eq!(call.await, Err(Error::Call("down")));
    /// # }
    /// ```
    #[derive(Debug)]
    pub struct GuardFuture<F> {
        #[pin]
        inner: F,
    }
}

impl<F: Future<Output = Result<T, E>>, T, E> Future for GuardFuture<F> {
    type Output = Result<T, Error<E>>;
    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        self.project().inner.poll(context).map_err(Error::Call)
    }
}
