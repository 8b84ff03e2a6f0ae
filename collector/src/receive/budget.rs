//! Admission by bytes in flight: a request holds a byte of the budget for each of its bytes we hold.
//!
//! Bytes are taken as they arrive, not as announced, so a large `Content-Length` alone blocks nobody. When the
//! budget is empty the request is refused at once with a hint when to try again: waiting would only move the
//! queue into our memory.

use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::refusal::Refusal;

/// When a refused client should come back: a few group commits later.
const RETRY_AFTER: Duration = Duration::from_secs(1);

#[derive(Clone)]
pub(super) struct Budget {
    bytes: Arc<Semaphore>,
    total: usize,
}

impl Budget {
    pub(super) fn new(total: usize) -> Self {
        Self {
            bytes: Arc::new(Semaphore::new(total)),
            total,
        }
    }

    pub(super) fn held(&self) -> usize {
        self.total - self.bytes.available_permits().min(self.total)
    }

    pub(super) fn seat(&self) -> Seat {
        Seat {
            budget: self.clone(),
            held: Arc::new(Mutex::new(None)),
        }
    }
}

/// The bytes one request holds; given back when the last clone is dropped.
#[derive(Clone)]
pub(super) struct Seat {
    budget: Budget,
    held: Arc<Mutex<Option<OwnedSemaphorePermit>>>,
}

impl Seat {
    /// Takes `count` bytes more.
    pub(super) fn add(&self, count: usize) -> Result<(), Refusal> {
        let overloaded = Refusal::Overloaded {
            retry_after: RETRY_AFTER,
        };
        let Ok(wanted) = u32::try_from(count) else {
            return Err(overloaded);
        };
        let Ok(more) = Arc::clone(&self.budget.bytes).try_acquire_many_owned(wanted) else {
            return Err(overloaded);
        };
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        match held.as_mut() {
            Some(permit) => permit.merge(more),
            None => *held = Some(more),
        }
        Ok(())
    }

    /// Takes bytes until it holds `count`.
    pub(super) fn grow_to(&self, count: usize) -> Result<(), Refusal> {
        let held = {
            let held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
            held.as_ref().map_or(0, OwnedSemaphorePermit::num_permits)
        };
        self.add(count.saturating_sub(held))
    }

    /// Gives back all but `count` bytes.
    pub(super) fn shrink_to(&self, count: usize) {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(permit) = held.as_mut() {
            let surplus = permit.num_permits().saturating_sub(count);
            drop(permit.split(surplus));
        }
    }
}

/// A request body whose bytes are taken from the budget as they arrive, up to `limit`.
pub(super) struct Metered<B> {
    body: B,
    seat: Seat,
    limit: usize,
    seen: usize,
}

impl<B> Metered<B> {
    pub(super) fn new(body: B, seat: Seat, limit: usize) -> Self {
        Self {
            body,
            seat,
            limit,
            seen: 0,
        }
    }

    /// The body itself, to be drained after a refusal.
    pub(super) fn into_inner(self) -> B {
        self.body
    }
}

impl<B> Body for Metered<B>
where
    B: Body<Data = Bytes> + Unpin,
    B::Error: std::fmt::Display,
{
    type Data = Bytes;
    type Error = Refusal;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Refusal>>> {
        let Some(next) = ready!(Pin::new(&mut self.body).poll_frame(context)) else {
            return Poll::Ready(None);
        };
        let frame = next.map_err(|error| Refusal::malformed("", &format!("request body: {error}")));
        let admitted = frame.and_then(|frame| {
            let count = frame.data_ref().map_or(0, Bytes::len);
            self.seen += count;
            if self.seen > self.limit {
                return Err(Refusal::TooLarge { limit: self.limit });
            }
            self.seat.add(count)?;
            Ok(frame)
        });
        Poll::Ready(Some(admitted))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_come_back_when_the_last_holder_goes() {
        let budget = Budget::new(100);
        let seat = budget.seat();
        seat.add(60).expect("room");
        assert!(matches!(seat.add(60), Err(Refusal::Overloaded { .. })));
        seat.add(40).expect("room");
        seat.shrink_to(70);
        assert_eq!(budget.held(), 70);
        seat.grow_to(60).expect("it has more");
        assert_eq!(budget.held(), 70);
        seat.grow_to(90).expect("room");
        assert!(matches!(seat.grow_to(101), Err(Refusal::Overloaded { .. })));
        seat.shrink_to(70);
        let other = seat.clone();
        drop(seat);
        assert_eq!(budget.held(), 70);
        drop(other);
        assert_eq!(budget.held(), 0);
    }
}
