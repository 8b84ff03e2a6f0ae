//! The half-open era: probes on leases, and the verdict over their results.
//!
//! A probe that is issued is either reported, given back, or its lease runs out. There is no
//! fourth way, so a lost probe cannot wedge the breaker.

use crate::clock::{Moment, nanos};
use crate::window::Sums;

use super::{BreakerConfig, CloseOn, Reason};

/// The largest ticket. They wrap: no two probes that are out at a time have the same, for fewer than
/// [`PROBES_MAX`](super::word::PROBES_MAX) are.
pub(crate) const TICKET_MASK: u32 = 0xff_ffff;

#[derive(Clone, Copy, Debug)]
struct Lease {
    ticket: u32,
    deadline: Moment,
}

/// The state of one half-open era; lives behind the breaker's lock.
#[derive(Debug)]
pub(crate) struct HalfOpenEra {
    leases: Vec<Lease>,
    next_ticket: u32,
    good: u16,
    results: Sums,
}

/// What a probe's result was.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ProbeResult {
    pub(crate) failed: bool,
    pub(crate) slow: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Close,
    Reopen(Reason),
}

impl HalfOpenEra {
    /// Room for every probe is made here, so that issuing one allocates nothing.
    pub(crate) fn new(permits: u16) -> Self {
        Self {
            leases: Vec::with_capacity(usize::from(permits)),
            next_ticket: 0,
            good: 0,
            results: Sums::default(),
        }
    }

    pub(crate) fn reserve(&mut self, permits: u16) {
        self.leases
            .reserve(usize::from(permits).saturating_sub(self.leases.len()));
    }

    /// Begins a new era. Tickets go on counting: a ticket of an earlier era fits nowhere.
    pub(crate) fn begin(&mut self) {
        self.leases.clear();
        self.good = 0;
        self.results = Sums::default();
    }

    pub(crate) fn issue(&mut self, deadline: Moment) -> u32 {
        self.next_ticket = self.next_ticket.wrapping_add(1) & TICKET_MASK;
        self.leases.push(Lease {
            ticket: self.next_ticket,
            deadline,
        });
        self.next_ticket
    }

    /// Takes a lease back; false if it ran out before.
    pub(crate) fn take_back(&mut self, ticket: u32) -> bool {
        let found = self.leases.iter().position(|lease| lease.ticket == ticket);
        found.map(|index| self.leases.swap_remove(index)).is_some()
    }

    pub(crate) fn report(&mut self, result: ProbeResult) {
        self.results.calls += 1;
        self.results.failures += u64::from(result.failed);
        self.results.slow += u64::from(result.slow);
        self.good += u16::from(!result.failed && !result.slow);
    }

    /// When the next lease runs out.
    pub(crate) fn next_deadline(&self) -> Option<Moment> {
        self.leases.iter().map(|lease| lease.deadline).min()
    }

    /// Takes the lease that ran out first, if one has by `now`, and counts it as a failed probe.
    pub(crate) fn expire(&mut self, now: Moment) -> Option<Moment> {
        let deadline = self.next_deadline().filter(|deadline| *deadline <= now)?;
        let index = self
            .leases
            .iter()
            .position(|lease| lease.deadline == deadline)?;
        self.leases.swap_remove(index);
        self.report(ProbeResult {
            failed: true,
            slow: true,
        });
        Some(deadline)
    }

    pub(crate) fn in_flight(&self) -> u16 {
        u16::try_from(self.leases.len()).unwrap_or(u16::MAX)
    }

    pub(crate) fn results(&self) -> Sums {
        self.results
    }

    /// Probes used up: in flight or reported, not those given back.
    pub(crate) fn issued(&self) -> u16 {
        self.in_flight()
            .saturating_add(u16::try_from(self.results.calls).unwrap_or(u16::MAX))
    }

    /// The verdict, as soon as there is one.
    pub(crate) fn verdict(&self, config: &BreakerConfig) -> Option<Verdict> {
        let permits = u64::from(config.half_open.permits);
        match config.half_open.close_on {
            CloseOn::Successes(needed) => self.verdict_by_successes(permits, u64::from(needed)),
            CloseOn::Ratios => self.verdict_by_ratios(permits, config),
        }
    }

    fn verdict_by_successes(&self, permits: u64, needed: u64) -> Option<Verdict> {
        let remaining = permits.saturating_sub(self.results.calls);
        if u64::from(self.good) >= needed {
            Some(Verdict::Close)
        } else if u64::from(self.good) + remaining < needed {
            Some(Verdict::Reopen(self.reason()))
        } else {
            None
        }
    }

    fn verdict_by_ratios(&self, permits: u64, config: &BreakerConfig) -> Option<Verdict> {
        let results = self.results;
        // Without a ratio to compare with, one failed probe is too many.
        let failure_limit = config.failure_ratio.unwrap_or(f64::MIN_POSITIVE);
        let slow_limit = config.slow_calls.map_or(f64::INFINITY, |slow| slow.ratio);
        let over = |failures: u64, slow: u64, calls: u64| {
            failures as f64 / calls as f64 >= failure_limit
                || slow as f64 / calls as f64 >= slow_limit
        };
        if !config.half_open.decide_early {
            let enough = permits.min(u64::from(config.effective_minimum()));
            if results.calls < enough {
                return None;
            }
            let reopen = over(results.failures, results.slow, results.calls);
            return Some(if reopen {
                Verdict::Reopen(self.reason())
            } else {
                Verdict::Close
            });
        }
        let remaining = permits.saturating_sub(results.calls);
        if over(results.failures, results.slow, permits) {
            Some(Verdict::Reopen(self.reason()))
        } else if !over(
            results.failures + remaining,
            results.slow + remaining,
            permits,
        ) {
            Some(Verdict::Close)
        } else {
            None
        }
    }

    fn reason(&self) -> Reason {
        if self.results.failures == 0 {
            Reason::SlowRate
        } else {
            Reason::ProbeFailed
        }
    }
}

/// When a probe issued now has to be back.
pub(crate) fn lease_deadline(config: &BreakerConfig, now: Moment) -> Moment {
    Moment::from_nanos(now.as_nanos().saturating_add(nanos(config.probe_lease())))
}
