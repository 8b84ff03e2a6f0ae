//! The way out: what a call counts as, and whether that decides anything.

use std::time::Duration;

use crate::clock::Moment;
use crate::sync::{lock, thread_number};
use crate::window::{Finished, Sums};

use super::super::criteria::Trip;
use super::super::half_open::{ProbeResult, Verdict};
use super::super::totals::Counter;
use super::super::word::Word;
use super::super::{CallId, CallOutcome, CloseOn, OnDrop, Outcome, Reason, Transition};
use super::transition::{Cause, Changes};
use super::{Admission, Era, Kind, Machine};

/// A result on its way to whoever decides.
struct Report {
    finished: Finished,
    start: Moment,
    end: Moment,
    hint: Option<Duration>,
    /// Dropped rather than answered.
    dropped: bool,
}

impl Machine {
    /// Records the result of a call. `call` names it, and is asked
    /// only if the result can matter to a transition.
    ///
    /// ```
    /// use tripline_sdk::{BreakerConfig, CallId, Machine, Moment, Outcome};
    /// let machine = Machine::new(BreakerConfig::new().only_consecutive(1), Moment::ZERO)?;
    /// let call = machine.admit(Moment::ZERO, &mut |_| {}).expect("closed");
    /// let id = CallId { trace_id: 7, span_id: 1 };
    /// let mut tripped_by = None;
    /// machine.record(call, Outcome::Failure, Moment::from_millis(3), || id, &mut |change| {
    ///     tripped_by = change.tripped_by;
    /// });
    /// assert_eq!(tripped_by, Some(id));
    /// # Ok::<(), tripline_sdk::InvalidConfig>(())
    /// ```
    #[expect(
        clippy::needless_pass_by_value,
        reason = "an admission is spent by accounting for it"
    )]
    #[inline]
    pub fn record(
        &self,
        admission: Admission,
        outcome: Outcome,
        now: Moment,
        call: impl FnOnce() -> CallId,
        announce: &mut dyn FnMut(&Transition),
    ) {
        let slow = self
            .hot
            .criteria
            .is_slow(now.nanos_since(admission.start()));
        if outcome != Outcome::Success || slow || !self.record_usual(&admission, now) {
            self.record_unusual(&admission, outcome, slow, now, call, announce);
        }
    }

    /// Counts a quick success of a closed breaker, which decides nothing. False, and nothing is
    /// written, if it is anything else.
    #[inline(always)]
    fn record_usual(&self, admission: &Admission, now: Moment) -> bool {
        let word = self.word();
        if !admission.counts_in(word.generation()) || self.hot.criteria.judges_successes() {
            return false;
        }
        let thread = thread_number();
        if !self
            .window
            .record_success(thread, word.era(), admission.start(), now)
        {
            return false;
        }
        self.counters.add_on(thread, Counter::Success);
        if self.hot.criteria.counts_runs() {
            self.run.0.succeed(word.generation());
        }
        true
    }

    #[inline(never)]
    fn record_unusual(
        &self,
        admission: &Admission,
        outcome: Outcome,
        slow: bool,
        now: Moment,
        call: impl FnOnce() -> CallId,
        announce: &mut dyn FnMut(&Transition),
    ) {
        let failed = outcome.is_failure();
        self.counters.add(match (outcome, slow) {
            (Outcome::Ignore, _) => Counter::Ignored,
            (_, false) if failed => Counter::Failure,
            (_, true) if failed => Counter::SlowFailure,
            (_, false) => Counter::Success,
            (_, true) => Counter::SlowSuccess,
        });
        if outcome == Outcome::Ignore {
            return self.give_back(admission, now, announce);
        }
        let hint = match outcome {
            Outcome::Overload { retry_after } => retry_after,
            Outcome::Success | Outcome::Failure | Outcome::Ignore => None,
        };
        let report = Report {
            finished: Finished { failed, slow },
            start: admission.start(),
            end: now,
            hint,
            dropped: false,
        };
        self.settle_report(admission, &report, call, announce);
    }

    /// What a result will count as.
    pub(crate) fn outcome_of(
        &self,
        admission: &Admission,
        outcome: Outcome,
        now: Moment,
    ) -> CallOutcome {
        let slow = self
            .hot
            .criteria
            .is_slow(now.nanos_since(admission.start()));
        match (outcome, slow) {
            (Outcome::Ignore, _) => CallOutcome::Ignored,
            (Outcome::Success, false) => CallOutcome::Success,
            (Outcome::Success, true) => CallOutcome::SlowSuccess,
            (Outcome::Failure | Outcome::Overload { .. }, false) => CallOutcome::Failure,
            (Outcome::Failure | Outcome::Overload { .. }, true) => CallOutcome::SlowFailure,
        }
    }

    /// Accounts for a call that was dropped without a result. `panicked` says whether a panic
    /// unwound through it.
    ///
    /// ```
    /// use tripline_sdk::{BreakerConfig, CallId, Machine, Moment};
    /// let machine = Machine::new(BreakerConfig::new(), Moment::ZERO)?;
    /// let now = Moment::ZERO;
    /// for panicked in [false, true] {
    ///     let call = machine.admit(now, &mut |_| {}).expect("closed");
    ///     machine.cancel(call, panicked, now, CallId::default, &mut |_| {});
    /// }
    /// let totals = machine.snapshot(now).totals;
    /// assert_eq!((totals.cancelled, totals.failure), (1, 1), "a panic is a failure");
    /// # Ok::<(), tripline_sdk::InvalidConfig>(())
    /// ```
    pub fn cancel(
        &self,
        admission: Admission,
        panicked: bool,
        now: Moment,
        call: impl FnOnce() -> CallId,
        announce: &mut dyn FnMut(&Transition),
    ) {
        if panicked {
            return self.record(admission, Outcome::Failure, now, call, announce);
        }
        self.counters.add(Counter::Cancelled);
        let slow = self
            .hot
            .criteria
            .is_slow(now.nanos_since(admission.start()));
        let failed = lock(&self.era).config.on_drop == OnDrop::Failure;
        if !failed && !slow {
            return self.give_back(&admission, now, announce);
        }
        let finished = Finished { failed, slow };
        let report = Report {
            finished,
            start: admission.start(),
            end: now,
            hint: None,
            dropped: true,
        };
        self.settle_report(&admission, &report, call, announce);
    }

    #[inline]
    fn settle_report(
        &self,
        admission: &Admission,
        report: &Report,
        call: impl FnOnce() -> CallId,
        announce: &mut dyn FnMut(&Transition),
    ) {
        if admission.kind() == Kind::Bypass {
            return;
        }
        let word = self.word();
        if word.generation() != admission.generation() {
            self.counters.add(Counter::Stale);
            return;
        }
        if let Kind::Probe { ticket } = admission.kind() {
            return self.probe_reported(admission.generation(), ticket, report, call(), announce);
        }
        let Finished { failed, slow } = report.finished;
        if !self
            .window
            .record(word.era(), report.finished, report.start, report.end)
        {
            self.counters.add(Counter::Stale);
            return;
        }
        if !failed && !report.dropped && self.hot.criteria.counts_runs() {
            self.run.0.succeed(word.generation());
        }
        if failed || slow || self.hot.criteria.judges_successes() {
            self.trouble(word, report, call(), announce);
        }
    }

    /// A failing or slow call of a closed breaker: the only kind that can trip it, unless
    /// successes are judged too.
    #[cold]
    fn trouble(
        &self,
        word: Word,
        report: &Report,
        call: CallId,
        announce: &mut dyn FnMut(&Transition),
    ) {
        if (report.finished.failed || report.finished.slow)
            && !call.is_unknown()
            && let Ok(mut recent) = self.recent.0.try_lock()
        {
            // A contended list skips a call: there are plenty to choose from.
            recent.push(call, report.end);
        }
        if report.finished.failed && self.hot.criteria.counts_runs() {
            self.run.0.fail(word.generation());
        }
        if self.judge(word, report.end).is_none() {
            return;
        }
        self.locked(report.end, announce, |era, changes| {
            // Somebody else may have tripped it since; then this result is already history.
            let now_word = self.word();
            if now_word.generation() != word.generation() {
                return;
            }
            let Some((trip, window)) = self.judge(now_word, report.end) else {
                return;
            };
            if !self.take_quota(era) {
                return;
            }
            let cause = Cause {
                at: report.end,
                reason: trip.reason,
                window,
                threshold: Some(trip.threshold),
                hint: report.hint,
                call: (!call.is_unknown()).then_some(call),
            };
            self.open(era, &cause, changes);
        });
    }

    fn judge(&self, word: Word, now: Moment) -> Option<(Trip, Sums)> {
        let run = self.run.0.length(word.generation());
        let sums = self.window.sums(word.era(), now);
        self.hot.criteria.judge(sums, run).map(|trip| (trip, sums))
    }

    /// A call that says nothing: a probe gives its permit back, anything else leaves no trace.
    fn give_back(&self, admission: &Admission, now: Moment, announce: &mut dyn FnMut(&Transition)) {
        let Kind::Probe { ticket } = admission.kind() else {
            return;
        };
        self.locked(now, announce, |era, _| {
            if self.word().generation() == admission.generation() && era.half_open.take_back(ticket)
            {
                self.publish_probes(era);
            }
        });
    }

    #[cold]
    fn probe_reported(
        &self,
        generation: u64,
        ticket: u32,
        report: &Report,
        call: CallId,
        announce: &mut dyn FnMut(&Transition),
    ) {
        self.locked(report.end, announce, |era, changes| {
            if self.word().generation() != generation || !era.half_open.take_back(ticket) {
                self.counters.add(Counter::Stale);
                return;
            }
            let Finished { failed, slow } = report.finished;
            // A probe that was given up on after the slow threshold found a peer that hangs.
            era.half_open.report(ProbeResult {
                failed: failed || report.dropped,
                slow,
            });
            self.publish_probes(era);
            let cause = Cause {
                at: report.end,
                reason: Reason::ProbeFailed,
                window: era.half_open.results(),
                threshold: None,
                hint: report.hint,
                call: (!call.is_unknown()).then_some(call),
            };
            self.decide(era, cause, changes);
        });
    }

    /// Closes or reopens, if the probes have decided it.
    pub(super) fn decide(&self, era: &mut Era, cause: Cause, changes: &mut Changes) {
        match era.half_open.verdict(&era.config) {
            Some(Verdict::Close) => {
                self.close(
                    era,
                    &Cause {
                        reason: Reason::ProbeOk,
                        hint: None,
                        ..cause
                    },
                    changes,
                );
            }
            Some(Verdict::Reopen(reason)) => {
                let reason = if cause.reason == Reason::HalfOpenTimeout {
                    cause.reason
                } else {
                    reason
                };
                let threshold = match era.config.half_open.close_on {
                    CloseOn::Ratios if reason == Reason::SlowRate => {
                        era.config.slow_calls.map(|slow| slow.ratio)
                    }
                    CloseOn::Ratios => era.config.failure_ratio,
                    CloseOn::Successes(needed) => Some(f64::from(needed)),
                };
                self.open(
                    era,
                    &Cause {
                        reason,
                        threshold,
                        ..cause
                    },
                    changes,
                );
            }
            None => {}
        }
    }
}
