//! What-if: the recorded calls of the past against other settings, by the same state machine.
//!
//! The answer has a limit that cannot be coded away: a call that was refused back then was not
//! recorded, and a peer that would have been spared might have recovered sooner.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::Duration;

use crate::clock::Moment;

use super::{Admission, BreakerConfig, CallId, InvalidConfig, Machine, Outcome, State, Transition};

/// One call as it happened.
///
/// ```
/// use std::time::Duration;
/// use tripline_sdk::{CallId, Moment, Outcome, RecordedCall};
/// let call = RecordedCall {
///     start: Moment::from_millis(10),
///     duration: Duration::from_millis(200),
///     outcome: Outcome::Failure,
///     call: CallId::default(),
/// };
/// assert_eq!(call.end(), Moment::from_millis(210));
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RecordedCall {
    /// When it was made.
    pub start: Moment,
    /// How long it took.
    pub duration: Duration,
    /// How it ended.
    pub outcome: Outcome,
    /// Its trace.
    pub call: CallId,
}

impl RecordedCall {
    /// When it ended.
    ///
    /// ```
    /// use std::time::Duration;
    /// use tripline_sdk::{CallId, Moment, Outcome, RecordedCall};
    /// let call = RecordedCall {
    ///     start: Moment::from_millis(100),
    ///     duration: Duration::from_millis(25),
    ///     outcome: Outcome::Success,
    ///     call: CallId::default(),
    /// };
    /// assert_eq!(call.end(), Moment::from_millis(125));
    /// ```
    #[must_use]
    pub fn end(&self) -> Moment {
        self.start + self.duration
    }
}

/// What a breaker with these settings would have done.
///
/// ```
/// let report = tripline_sdk::replay(tripline_sdk::BreakerConfig::new(), &[]).unwrap();
/// assert_eq!(report.trips(), 0);
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ReplayReport {
    /// Every transition, in order.
    pub transitions: Vec<Transition>,
    /// Calls it would have let through.
    pub admitted: u64,
    /// Calls it would have refused that failed: saved.
    pub rejected_failures: u64,
    /// Calls it would have refused that succeeded: lost.
    pub rejected_successes: u64,
    /// Time callers would not have spent waiting for calls it would have refused.
    pub waiting_saved: Duration,
}

impl ReplayReport {
    /// How often it would have opened from closed.
    ///
    /// ```
    /// use std::time::Duration;
    /// use tripline_sdk::{BreakerConfig, CallId, Moment, Outcome, RecordedCall, replay};
    /// let failed_at = |millis| RecordedCall {
    ///     start: Moment::from_millis(millis),
    ///     duration: Duration::from_millis(1),
    ///     outcome: Outcome::Failure,
    ///     call: CallId::default(),
    /// };
    /// let calls = [failed_at(0), failed_at(60_000)];
    /// let report = replay(BreakerConfig::new().only_consecutive(1), &calls)?;
    /// assert_eq!(report.transitions.len(), 3, "open, half-open and open again");
    /// assert_eq!(report.trips(), 1, "a probe that fails is no new trip");
    /// # Ok::<(), tripline_sdk::InvalidConfig>(())
    /// ```
    #[must_use]
    pub fn trips(&self) -> usize {
        let from_closed = |change: &&Transition| change.from == State::Closed;
        self.transitions
            .iter()
            .filter(|change| change.to == State::Open)
            .filter(from_closed)
            .count()
    }
}

/// Runs `calls`, ordered by start, through a breaker with these settings. Set a seed: jitter is
/// then the same in every run (without one, seed 0 is used).
///
/// ```
/// use std::time::Duration;
/// use tripline_sdk::{BreakerConfig, CallId, Moment, Outcome, RecordedCall, replay};
///
/// let outage: Vec<_> = (0..100)
///     .map(|n| RecordedCall {
///         start: Moment::from_millis(n * 10),
///         duration: Duration::from_millis(5),
///         outcome: Outcome::Failure,
///         call: CallId::default(),
///     })
///     .collect();
/// let report = replay(BreakerConfig::new(), &outage)?;
/// assert_eq!(report.trips(), 1);
/// assert_eq!((report.admitted, report.rejected_failures), (20, 80));
/// # Ok::<(), tripline_sdk::InvalidConfig>(())
/// ```
///
/// # Errors
/// Settings that cannot work.
pub fn replay(
    config: BreakerConfig,
    calls: &[RecordedCall],
) -> Result<ReplayReport, InvalidConfig> {
    let config = BreakerConfig {
        seed: config.seed.or(Some(0)),
        ..config
    };
    let begin = calls.first().map_or(Moment::ZERO, |call| call.start);
    let machine = Machine::new(config, begin)?;
    let mut report = ReplayReport::default();
    let mut admissions: Vec<Option<Admission>> = Vec::with_capacity(calls.len());
    // Calls in flight, the one that ends first on top; ties in the order they were made.
    let mut ends: BinaryHeap<Reverse<(Moment, usize)>> = BinaryHeap::new();
    for (index, call) in calls.iter().enumerate() {
        while let Some(&Reverse((end, ended))) = ends.peek()
            && end <= call.start
        {
            ends.pop();
            finish(
                &machine,
                &mut admissions[ended],
                &calls[ended],
                end,
                &mut report,
            );
        }
        let admitted = machine.admit(call.start, &mut |change| report.transitions.push(*change));
        report.count(admitted.is_ok(), call);
        if admitted.is_ok() {
            ends.push(Reverse((call.end(), index)));
        }
        admissions.push(admitted.ok());
    }
    while let Some(Reverse((end, ended))) = ends.pop() {
        finish(
            &machine,
            &mut admissions[ended],
            &calls[ended],
            end,
            &mut report,
        );
    }
    Ok(report)
}

impl ReplayReport {
    fn count(&mut self, admitted: bool, call: &RecordedCall) {
        if admitted {
            self.admitted += 1;
            return;
        }
        self.waiting_saved += call.duration;
        if call.outcome.is_failure() {
            self.rejected_failures += 1;
        } else {
            self.rejected_successes += 1;
        }
    }
}

fn finish(
    machine: &Machine,
    admission: &mut Option<Admission>,
    call: &RecordedCall,
    end: Moment,
    report: &mut ReplayReport,
) {
    if let Some(admission) = admission.take() {
        let announce = &mut |change: &Transition| report.transitions.push(*change);
        machine.record(admission, call.outcome, end, || call.call, announce);
    }
}
