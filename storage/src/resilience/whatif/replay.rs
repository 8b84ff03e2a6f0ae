//! Runs a history through the SDK's state machine.
//!
//! Calls enter by their start and leave by their end; what ends at a moment ends before what begins at it. Open times
//! are given, not drawn: with the recorded ones and the recorded settings the machine does again what it did. What an
//! operator or a health check did is done again at its recorded time.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::Duration;

use tripline_sdk::{
    Admission, BreakerConfig, CallId, Jitter, Machine, Mode, Moment, OpenTime, Outcome, Reason,
    State, Transition,
};

use super::history::{Change, Ended, History};
use super::settings::SettingsError;

/// What a breaker with some settings would have done with one history.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Replayed {
    /// Changes of state, in order; times are nanoseconds since 1970.
    pub changes: Vec<(i64, State, State, Reason)>,
    /// Calls let through.
    pub admitted: u64,
    /// Of these, calls that were refused back then: what would have become of them is not known.
    pub admitted_unknown: u64,
    /// Calls refused that succeeded back then.
    pub rejected_good: u64,
    /// Calls refused that failed back then.
    pub avoided_failures: u64,
    /// Calls refused that were refused back then too, or said nothing.
    pub rejected_other: u64,
    /// From the first failure of a run of them to the trip it led to, nanoseconds, a trip each.
    pub detect_ns: Vec<u64>,
    /// From the first success after a trip to closed again, nanoseconds, a recovery each.
    pub recover_ns: Vec<u64>,
    /// Nanoseconds not closed.
    pub open_ns: u64,
}

impl Replayed {
    /// Changes from closed to open.
    pub fn trips(&self) -> usize {
        let is_trip = |(_, from, to, _): &&(i64, State, State, Reason)| {
            *from == State::Closed && *to == State::Open
        };
        self.changes.iter().filter(is_trip).count()
    }
}

/// Replays `history` under `config`; the n-th opening lasts `open_times[n]`, later ones as the settings say, without
/// jitter.
///
/// # Errors
/// Settings that cannot work.
pub fn replay(
    config: &BreakerConfig,
    history: &History,
    open_times: &[Duration],
) -> Result<Replayed, SettingsError> {
    let begin = history
        .calls
        .first()
        .map_or(history.origin, |call| call.start);
    let origin = history.origin.min(begin);
    let mut run = Run {
        origin,
        config: *config,
        open_times,
        opened: 0,
        machine: Machine::new(
            with_open_time(config, open_times.first()),
            moment(origin, origin),
        )?,
        report: Replayed::default(),
        pending: Vec::new(),
        first_failure: None,
        first_success: None,
        since: origin,
    };
    let interventions: Vec<&Change> = history
        .changes
        .iter()
        .filter(|c| is_from_outside(c))
        .collect();
    let mut next_intervention = 0;
    let mut admissions: Vec<Option<Admission>> = Vec::with_capacity(history.calls.len());
    let mut ends: BinaryHeap<Reverse<(i64, usize)>> = BinaryHeap::new();
    for (index, call) in history.calls.iter().enumerate() {
        while let Some(&Reverse((end, ended))) = ends.peek()
            && end <= call.start
        {
            ends.pop();
            run.intervene(&interventions, &mut next_intervention, end)?;
            run.finish(admissions[ended].take(), history.calls[ended].ended, end)?;
        }
        run.intervene(&interventions, &mut next_intervention, call.start)?;
        let admission = run.admit(call.start)?;
        run.count(admission.is_some(), call.ended);
        if admission.is_some() {
            ends.push(Reverse((call.end(), index)));
        }
        admissions.push(admission);
    }
    while let Some(Reverse((end, ended))) = ends.pop() {
        run.intervene(&interventions, &mut next_intervention, end)?;
        run.finish(admissions[ended].take(), history.calls[ended].ended, end)?;
    }
    // What time alone causes is noticed by whoever comes next; the recorded changes say somebody came.
    if let Some(last) = history.changes.last() {
        run.intervene(&interventions, &mut next_intervention, last.at)?;
        let at = moment(origin, last.at);
        let mut made = std::mem::take(&mut run.pending);
        run.machine.tick(at, &mut |change| made.push(*change));
        run.pending = made;
        run.settle()?;
    }
    Ok(run.report)
}

fn moment(origin: i64, ns: i64) -> Moment {
    Moment::from_nanos(u64::try_from(ns - origin).unwrap_or(0))
}

/// Opens for exactly so long.
fn with_open_time(config: &BreakerConfig, length: Option<&Duration>) -> BreakerConfig {
    let open = match length.filter(|length| !length.is_zero()) {
        Some(length) => OpenTime {
            base: *length,
            multiplier: 1.0,
            max: *length,
            ..config.open
        },
        None => config.open,
    };
    BreakerConfig {
        open: OpenTime {
            jitter: Jitter::None,
            ..open
        },
        ..*config
    }
}

/// Whether somebody outside the state machine caused it.
fn is_from_outside(change: &Change) -> bool {
    matches!(change.reason.as_deref(), Some("manual" | "external"))
}

struct Run<'a> {
    origin: i64,
    config: BreakerConfig,
    open_times: &'a [Duration],
    opened: usize,
    machine: Machine,
    report: Replayed,
    pending: Vec<Transition>,
    first_failure: Option<i64>,
    first_success: Option<i64>,
    since: i64,
}

impl Run<'_> {
    fn admit(&mut self, at: i64) -> Result<Option<Admission>, SettingsError> {
        let pending = &mut self.pending;
        let admitted = self
            .machine
            .admit(moment(self.origin, at), &mut |change| pending.push(*change));
        self.settle()?;
        Ok(admitted.ok())
    }

    fn finish(
        &mut self,
        admission: Option<Admission>,
        ended: Ended,
        at: i64,
    ) -> Result<(), SettingsError> {
        let Some(admission) = admission else {
            return Ok(());
        };
        match ended {
            Ended::Failure => {
                self.first_failure.get_or_insert(at);
                self.first_success = None;
            }
            Ended::Success => {
                self.first_success.get_or_insert(at);
                if self.machine.state(moment(self.origin, at)) == State::Closed {
                    // A run of failures is over when the window forgets it; three windows' length is not known here.
                    if self
                        .first_failure
                        .is_some_and(|first| at - first > 60_000_000_000)
                    {
                        self.first_failure = None;
                    }
                }
            }
            _ => {}
        }
        let now = moment(self.origin, at);
        let pending = &mut self.pending;
        let announce = &mut |change: &Transition| pending.push(*change);
        let outcome = match ended {
            Ended::Success => Outcome::Success,
            Ended::Failure => Outcome::Failure,
            Ended::Ignored | Ended::Rejected => Outcome::Ignore,
            Ended::Cancelled => {
                self.machine
                    .cancel(admission, false, now, CallId::default, announce);
                return self.settle();
            }
        };
        self.machine
            .record(admission, outcome, now, CallId::default, announce);
        self.settle()
    }

    /// Takes note of what the machine announced, and says how long the next opening will last.
    fn settle(&mut self) -> Result<(), SettingsError> {
        if self.pending.is_empty() {
            return Ok(());
        }
        for change in std::mem::take(&mut self.pending) {
            // What only would have happened is not among the recorded changes either.
            if change.shadow {
                continue;
            }
            let at = self.origin.saturating_add_unsigned(change.at.as_nanos());
            self.report
                .changes
                .push((at, change.from, change.to, change.reason));
            match (change.from, change.to) {
                (State::Closed, State::Open) => {
                    let first = self.first_failure.take().unwrap_or(at);
                    self.report
                        .detect_ns
                        .push(u64::try_from(at - first).unwrap_or(0));
                    self.since = at;
                    self.first_success = None;
                }
                (_, State::Closed) => {
                    let first = self.first_success.take().unwrap_or(at);
                    self.report
                        .recover_ns
                        .push(u64::try_from(at - first).unwrap_or(0));
                    self.report.open_ns += u64::try_from(at - self.since).unwrap_or(0);
                    self.first_failure = None;
                }
                _ => {}
            }
            if change.to == State::Open {
                self.opened += 1;
                let next = with_open_time(&self.config, self.open_times.get(self.opened));
                self.machine.reconfigure(next, change.at, &mut |_| {})?;
            }
        }
        Ok(())
    }

    /// Does what was done from outside until then.
    fn intervene(
        &mut self,
        changes: &[&Change],
        next: &mut usize,
        until: i64,
    ) -> Result<(), SettingsError> {
        while let Some(change) = changes.get(*next).filter(|change| change.at <= until) {
            *next += 1;
            let now = moment(self.origin, change.at);
            let mode = match change.to.as_str() {
                "forced_open" => Mode::ForcedOpen,
                "disabled" => Mode::Disabled,
                "metrics_only" => Mode::MetricsOnly,
                _ => Mode::Enforcing,
            };
            let pending = &mut self.pending;
            let announce = &mut |change: &Transition| pending.push(*change);
            match (change.to.as_str(), change.from.as_str()) {
                ("open", _) => self.machine.trip(now, announce),
                ("closed", "open" | "half_open" | "closed") => self.machine.reset(now, announce),
                _ => {
                    self.machine.set_mode(mode, now, announce);
                    self.config.mode = mode;
                }
            }
            self.settle()?;
        }
        Ok(())
    }

    fn count(&mut self, is_admitted: bool, ended: Ended) {
        let report = &mut self.report;
        match (is_admitted, ended) {
            (true, Ended::Rejected) => {
                report.admitted += 1;
                report.admitted_unknown += 1;
            }
            (true, _) => report.admitted += 1,
            (false, Ended::Success) => report.rejected_good += 1,
            (false, Ended::Failure) => report.avoided_failures += 1,
            (false, _) => report.rejected_other += 1,
        }
    }
}
