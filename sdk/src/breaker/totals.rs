//! Counters that only grow, striped so that threads do not share a line.

use crate::sync::{Line, Ordering, thread_number};

use super::Totals;

#[derive(Clone, Copy)]
pub(crate) enum Counter {
    Success,
    Failure,
    SlowSuccess,
    SlowFailure,
    Ignored,
    Cancelled,
    Rejected,
    WouldReject,
    Admitted,
    Stale,
}

#[derive(Debug)]
pub(crate) struct Counters {
    stripes: Box<[Line]>,
}

impl Counters {
    pub(crate) fn new(stripes: u8) -> Self {
        let stripes = usize::from(stripes).clamp(1, 64).next_power_of_two();
        Self {
            stripes: (0..stripes).map(|_| Line::zeroed()).collect(),
        }
    }

    #[inline]
    pub(crate) fn add(&self, counter: Counter) {
        let stripe = thread_number() & (self.stripes.len() - 1);
        self.stripes[stripe].0[counter as usize].fetch_add(1, Ordering::Relaxed);
    }

    /// Admitted is read last: a call that is counted as finished is counted as admitted.
    pub(crate) fn totals(&self) -> Totals {
        let sum = |counter: Counter| {
            self.stripes
                .iter()
                .map(|line| line.0[counter as usize].load(Ordering::Acquire))
                .sum()
        };
        let finished = Totals {
            success: sum(Counter::Success),
            failure: sum(Counter::Failure),
            slow_success: sum(Counter::SlowSuccess),
            slow_failure: sum(Counter::SlowFailure),
            ignored: sum(Counter::Ignored),
            cancelled: sum(Counter::Cancelled),
            rejected: sum(Counter::Rejected),
            would_reject: sum(Counter::WouldReject),
            stale: sum(Counter::Stale),
            admitted: 0,
        };
        Totals {
            admitted: sum(Counter::Admitted),
            ..finished
        }
    }
}
