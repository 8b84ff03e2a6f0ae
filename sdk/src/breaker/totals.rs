//! Counters that only grow, striped so that threads do not share a line.

use crate::sync::{Lane, Line, Ordering, thread_number};

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
        let stripes = usize::from(stripes).clamp(1, 64);
        Self {
            stripes: (0..stripes).map(|_| Line::zeroed()).collect(),
        }
    }

    #[inline]
    pub(crate) fn add(&self, counter: Counter) {
        self.add_on(thread_number(), counter);
    }

    /// [`Counters::add`] for a caller that knows its thread's number.
    #[inline(always)]
    pub(crate) fn add_on(&self, thread: usize, counter: Counter) {
        let lane = Lane::of(thread, self.stripes.len());
        lane.increment(&self.stripes[lane.index].0[counter as usize]);
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
