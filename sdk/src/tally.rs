//! Counts what the parts of one policy do. Every try passes one place, so two calls a try are all
//! it takes, in a policy's `call` and in its layers alike.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::breaker::Listener;
use crate::bulkhead::Bulkhead;
use crate::refusal::Refusal;
use crate::report::{PartsPresent, PolicyCounts, PolicyEvent, ReadPolicy};
use crate::retry::RetryBudget;

/// How a call that could have been hedged went.
#[derive(Clone, Copy)]
pub(crate) enum Hedged {
    /// There was one try, by choice or for want of budget.
    NotNeeded,
    /// There were two, and the first answered.
    First,
    /// There were two, and the second answered.
    Second,
    /// There were two, and both failed.
    Failed,
}

/// The counts of a policy, and who hears of it.
pub(crate) struct Tally {
    name: Box<str>,
    parts: PartsPresent,
    budget: Option<Arc<RetryBudget>>,
    bulkhead: Option<Bulkhead>,
    listener: Option<Arc<dyn Listener>>,
    /// Tries that others followed: with the last one of each call, all of them.
    retried_tries: AtomicU64,
    breaker_rejected: AtomicU64,
    timed_out: AtomicU64,
    rate_limited: AtomicU64,
    bulkhead_full: AtomicU64,
    deadline_exceeded: AtomicU64,
    fell_back: AtomicU64,
    /// By success and by whether there were retries.
    finished: [[AtomicU64; 2]; 2],
    /// By [`Hedged`].
    hedged: [AtomicU64; 4],
}

impl std::fmt::Debug for Tally {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tally")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

impl Tally {
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn new(
        name: &str,
        parts: PartsPresent,
        budget: Option<Arc<RetryBudget>>,
        bulkhead: Option<Bulkhead>,
        listener: Option<Arc<dyn Listener>>,
    ) -> Self {
        Self {
            name: name.into(),
            parts,
            budget,
            bulkhead,
            listener,
            retried_tries: AtomicU64::new(0),
            breaker_rejected: AtomicU64::new(0),
            timed_out: AtomicU64::new(0),
            rate_limited: AtomicU64::new(0),
            bulkhead_full: AtomicU64::new(0),
            deadline_exceeded: AtomicU64::new(0),
            fell_back: AtomicU64::new(0),
            finished: Default::default(),
            hedged: Default::default(),
        }
    }

    /// A try ended, or was refused.
    pub(crate) fn tried(&self, refusal: Option<&Refusal>) {
        match refusal {
            Some(Refusal::Breaker(_)) => add(&self.breaker_rejected),
            Some(Refusal::Timeout { after }) if self.parts.timeout => {
                add(&self.timed_out);
                self.tell(PolicyEvent::TimedOut { after: *after });
            }
            Some(Refusal::RateLimited { .. }) if self.parts.rate_limit => {
                add(&self.rate_limited);
                self.tell(PolicyEvent::RateLimited);
            }
            Some(Refusal::BulkheadFull) if self.parts.bulkhead => {
                add(&self.bulkhead_full);
                self.tell(PolicyEvent::BulkheadFull);
            }
            _ => {}
        }
    }

    /// A try ended, and another will be made.
    pub(crate) fn tries_again(&self) {
        add(&self.retried_tries);
    }

    /// A call ended after so many tries.
    pub(crate) fn finished(&self, tries: u32, succeeded: bool) {
        let retried = tries > 1;
        add(&self.finished[usize::from(succeeded)][usize::from(retried)]);
        if retried {
            self.tell(PolicyEvent::Retried { tries, succeeded });
        }
    }

    /// A call ended that could have been hedged.
    pub(crate) fn hedged(&self, how: Hedged) {
        add(&self.hedged[how as usize]);
        if !matches!(how, Hedged::NotNeeded) {
            self.tell(PolicyEvent::Hedged {
                second_won: matches!(how, Hedged::Second),
            });
        }
    }

    pub(crate) fn exceeded(&self, after: Duration) {
        add(&self.deadline_exceeded);
        self.tell(PolicyEvent::DeadlineExceeded { after });
    }

    pub(crate) fn fell_back(&self) {
        add(&self.fell_back);
        self.tell(PolicyEvent::FellBack);
    }

    fn tell(&self, event: PolicyEvent) {
        if let Some(listener) = &self.listener {
            listener.on_policy_event(&self.name, event);
        }
    }
}

fn add(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}

impl ReadPolicy for Tally {
    fn name(&self) -> &str {
        &self.name
    }

    fn counts(&self) -> PolicyCounts {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let [[failed, failed_retried], [succeeded, succeeded_retried]] = &self.finished;
        let last_tries = [failed, failed_retried, succeeded, succeeded_retried].map(read);
        PolicyCounts {
            parts: self.parts,
            tries: read(&self.retried_tries) + last_tries.iter().sum::<u64>(),
            breaker_rejected: read(&self.breaker_rejected),
            timed_out: read(&self.timed_out),
            rate_limited: read(&self.rate_limited),
            bulkhead_full: read(&self.bulkhead_full),
            deadline_exceeded: read(&self.deadline_exceeded),
            succeeded_without_retry: read(succeeded),
            succeeded_with_retry: read(succeeded_retried),
            failed_without_retry: read(failed),
            failed_with_retry: read(failed_retried),
            budget_exhausted: self.budget.as_ref().map_or(0, |budget| budget.exhausted()),
            fell_back: read(&self.fell_back),
            hedge_not_needed: read(&self.hedged[Hedged::NotNeeded as usize]),
            hedge_first_won: read(&self.hedged[Hedged::First as usize]),
            hedge_second_won: read(&self.hedged[Hedged::Second as usize]),
            hedge_both_failed: read(&self.hedged[Hedged::Failed as usize]),
            in_flight: self.bulkhead.as_ref().map_or(0, Bulkhead::in_flight),
            in_flight_max: self.bulkhead.as_ref().map_or(0, Bulkhead::max),
        }
    }
}
