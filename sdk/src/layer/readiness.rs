//! Whether the service behind a breaker can be called: the same for the layer and for a policy.
//!
//! An open breaker answers without asking the service inside, because one that hangs would never
//! be ready. So a service may be called that was not asked; then its breaker has to refuse.

use std::task::{Context, Poll, ready};

use tower_service::Service;

use crate::breaker::{CircuitBreaker, RejectReason, Rejection, State};
use crate::clock::Clock;

/// Whether the service inside said that it is ready and has not been called since. Not to be
/// cloned: the clone of a service has to find out for itself.
#[derive(Debug, Default)]
pub(crate) struct Readiness(bool);

impl Readiness {
    /// Asks the service inside, unless the breaker is open.
    pub(crate) fn poll<R, S: Service<R>, C: Clock>(
        &mut self,
        inner: &mut S,
        breaker: Option<&CircuitBreaker<C>>,
        context: &mut Context<'_>,
    ) -> Poll<Result<(), S::Error>> {
        let refuses = |breaker: &CircuitBreaker<C>| {
            matches!(breaker.state(), State::Open | State::ForcedOpen)
        };
        if !self.0 && breaker.is_some_and(refuses) {
            return Poll::Ready(Ok(()));
        }
        let readiness = ready!(inner.poll_ready(context));
        self.0 = readiness.is_ok();
        Poll::Ready(readiness)
    }

    /// Why the service inside cannot be called although the breaker permits it: it began to probe
    /// since [`Readiness::poll`]. The permit goes back unused.
    pub(crate) fn missing(&self) -> Option<Rejection> {
        (!self.0).then_some(Rejection {
            reason: RejectReason::Open,
            retry_after: None,
        })
    }

    /// The service inside is called now.
    pub(crate) fn spend(&mut self) {
        self.0 = false;
    }
}
