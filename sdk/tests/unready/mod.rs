//! A service inside that is never ready.

use std::future::Ready;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};

use tower::Service;
use tripline_sdk::Refusal;

/// Never ready, and counts how often it was asked.
#[derive(Clone)]
pub struct Unready(pub Arc<AtomicUsize>);

impl Service<()> for Unready {
    type Response = ();
    type Error = Refusal;
    type Future = Ready<Result<(), Refusal>>;
    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Refusal>> {
        self.0.fetch_add(1, Ordering::SeqCst);
        Poll::Pending
    }
    fn call(&mut self, (): ()) -> Self::Future {
        panic!("called though it was never ready")
    }
}
