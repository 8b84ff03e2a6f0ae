//! Runs a history through the SDK's state machine.
//!
//! Calls enter by their start and leave by their end; in the same nanosecond in the order of their breaker's turns, and where
//! they say none what ends at a moment ends before what begins at it. Open times are given, not drawn: with the recorded
//! ones and the recorded settings the machine does again what it did. What an operator or a health check did is done again at
//! its recorded time, new settings among it, and before the calls of the same nanosecond: results of calls that were let
//! through before count for nothing after it.
//!
//! What comes before the time that is asked for is replayed and not counted. A closed breaker did not trip in it, so
//! there nothing trips here: only its window fills.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::iter::Peekable;
use std::time::Duration;
use std::vec::IntoIter;

use tripline_sdk::{
    Admission, BreakerConfig, CallId, Jitter, Machine, Moment, OpenTime, Outcome, Reason,
    SlowCalls, State, Transition,
};

use super::history::{Change, Ended, History, Start, Told};
use super::settings::SettingsError;
use super::spells::Spells;

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

/// Replays `history` under `settings`, each from its time on and the first from the beginning; without any, nothing is.
/// The n-th opening lasts `open_times[n]`, later ones as the settings say, without jitter.
///
/// # Errors
/// Settings that cannot work.
pub fn replay(
    settings: &[Told],
    history: &History,
    open_times: &[Duration],
) -> Result<Replayed, SettingsError> {
    let Some((first, later)) = settings.split_first() else {
        return Ok(Replayed::default());
    };
    let mut run = Run::begin(&first.config, later, history, open_times)?;
    let mut admissions: Vec<Option<Admission>> = Vec::with_capacity(history.calls.len());
    let mut ends: BinaryHeap<Reverse<(i64, u64, usize)>> = BinaryHeap::new();
    for (index, call) in history.calls.iter().enumerate() {
        let begins = (call.start, call.turns.admitted);
        while let Some(&Reverse((end, turn, ended))) = ends.peek()
            && (end, turn) <= begins
        {
            ends.pop();
            run.act(end)?;
            run.finish(admissions[ended].take(), history.calls[ended].ended, end)?;
        }
        run.act(call.start)?;
        let admission = run.admit(call.start)?;
        if call.start >= history.from {
            run.count(admission.is_some(), call.ended);
        }
        if admission.is_some() {
            ends.push(Reverse((call.end(), call.turns.ended, index)));
        }
        admissions.push(admission);
    }
    while let Some(Reverse((end, _, ended))) = ends.pop() {
        run.act(end)?;
        run.finish(admissions[ended].take(), history.calls[ended].ended, end)?;
    }
    // What time alone causes is noticed by whoever comes next; the recorded changes say somebody came.
    if let Some(last) = history.changes.last() {
        run.act(last.at)?;
        run.tick(last.at)?;
    }
    Ok(run.into_report())
}

fn moment(origin: i64, ns: i64) -> Moment {
    Moment::from_nanos(u64::try_from(ns.saturating_sub(origin)).unwrap_or(0))
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

/// The same, but nothing trips a closed breaker. Runs of failures and slow calls are counted all the same.
fn muted(config: &BreakerConfig) -> BreakerConfig {
    BreakerConfig {
        minimum_calls: u32::MAX,
        failure_ratio: None,
        failure_count: None,
        consecutive_failures: config.consecutive_failures.map(|_| u32::MAX),
        slow_calls: config
            .slow_calls
            .map(|slow| SlowCalls { ratio: 1.0, ..slow }),
        ..*config
    }
}

/// Whether its beginning lies before what is asked for, and nothing tripped in between.
fn begins_muted(history: &History) -> bool {
    let first = history.calls.first();
    history.start == Start::Closed && first.is_some_and(|first| first.start < history.from)
}

/// What was done to a breaker from outside.
#[derive(Debug, Clone)]
struct Act {
    at: i64,
    deed: Deed,
}

#[derive(Debug, Clone)]
enum Deed {
    Take(Box<BreakerConfig>),
    Trip,
    Reset,
}

/// In order; of what happened at the same time, changes of state first.
fn acts(first: &BreakerConfig, later: &[Told], history: &History) -> Vec<Act> {
    let deed = |change: &Change| match (change.to.as_str(), change.from.as_str()) {
        _ if !change.is_from_outside() => None,
        ("open", _) => Some(Deed::Trip),
        ("closed", "open" | "half_open" | "closed") => Some(Deed::Reset),
        // Who decides is among the settings.
        _ => None,
    };
    let mut acts: Vec<Act> = history
        .changes
        .iter()
        .filter_map(|change| {
            let deed = deed(change)?;
            Some(Act {
                at: change.at,
                deed,
            })
        })
        .collect();
    let is_muted = begins_muted(history);
    let take = |at: i64, config: BreakerConfig| Act {
        at,
        deed: Deed::Take(Box::new(config)),
    };
    acts.extend(later.iter().map(|told| {
        if is_muted && told.at < history.from {
            take(told.at, muted(&told.config))
        } else {
            take(told.at, told.config)
        }
    }));
    if is_muted {
        let holds = later.iter().rfind(|told| told.at <= history.from);
        acts.push(take(history.from, holds.map_or(*first, |told| told.config)));
    }
    acts.sort_by_key(|act| act.at);
    acts
}

struct Run<'a> {
    origin: i64,
    /// In force, but for open times.
    config: BreakerConfig,
    open_times: &'a [Duration],
    opened: usize,
    acts: Peekable<IntoIter<Act>>,
    machine: Machine,
    history: &'a History,
    report: Replayed,
    spells: Spells,
    pending: Vec<Transition>,
}

impl<'a> Run<'a> {
    fn begin(
        first: &BreakerConfig,
        later: &[Told],
        history: &'a History,
        open_times: &'a [Duration],
    ) -> Result<Self, SettingsError> {
        let config = if begins_muted(history) {
            muted(first)
        } else {
            *first
        };
        let earliest = history.calls.first().map(|call| call.start);
        let opened = match history.start {
            Start::Open { at, length } => Some((at, length)),
            Start::Closed => None,
        };
        let origin = [earliest, opened.map(|(at, _)| at)]
            .into_iter()
            .flatten()
            .fold(history.origin, i64::min);
        let length = opened.as_ref().map(|(_, length)| length);
        let begin = with_open_time(&config, length.or(open_times.first()));
        let machine = Machine::new(begin, moment(origin, origin))?;
        if let Some((at, _)) = opened {
            let at = moment(origin, at);
            machine.trip(at, &mut |_| {});
            let next = with_open_time(&config, open_times.first());
            machine.reconfigure(next, at, &mut |_| {})?;
        }
        Ok(Self {
            origin,
            config,
            open_times,
            opened: 0,
            acts: acts(first, later, history).into_iter().peekable(),
            machine,
            history,
            report: Replayed::default(),
            spells: Spells::new(history),
            pending: Vec::new(),
        })
    }

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
        self.spells.ended(ended, at);
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

    fn tick(&mut self, at: i64) -> Result<(), SettingsError> {
        let pending = &mut self.pending;
        self.machine
            .tick(moment(self.origin, at), &mut |change| pending.push(*change));
        self.settle()
    }

    /// Does what was done from outside until then.
    fn act(&mut self, until: i64) -> Result<(), SettingsError> {
        while let Some(act) = self.acts.next_if(|act| act.at <= until) {
            let now = moment(self.origin, act.at);
            let pending = &mut self.pending;
            let announce = &mut |change: &Transition| pending.push(*change);
            match act.deed {
                Deed::Trip => self.machine.trip(now, announce),
                Deed::Reset => self.machine.reset(now, announce),
                Deed::Take(config) => {
                    self.config = *config;
                    let next = with_open_time(&self.config, self.open_times.get(self.opened));
                    self.machine.reconfigure(next, now, announce)?;
                }
            }
            self.settle()?;
        }
        Ok(())
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
            let (from, to) = (change.from.as_str(), change.to.as_str());
            self.spells.changed(from, to, at);
            let is_before = at < self.history.from;
            if !is_before && at < self.history.until {
                let told = (at, change.from, change.to, change.reason);
                self.report.changes.push(told);
            }
            if change.to == State::Open {
                self.opened += usize::from(!is_before);
                let next = with_open_time(&self.config, self.open_times.get(self.opened));
                self.machine.reconfigure(next, change.at, &mut |_| {})?;
            }
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

    fn into_report(self) -> Replayed {
        Replayed {
            detect_ns: self.spells.detect_ns,
            recover_ns: self.spells.recover_ns,
            open_ns: self.spells.open_ns,
            ..self.report
        }
    }
}
