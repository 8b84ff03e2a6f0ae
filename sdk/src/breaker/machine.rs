//! The state machine: every call's way in and out, and every transition.
//!
//! The usual call (closed, succeeding, in time) loads one word on its way in and writes its
//! window slot and its total on its way out; it takes no lock. Everything that changes the state
//! happens under one lock, in which no foreign code runs: transitions are collected there and
//! announced after it is released, so each is announced exactly once and a listener may call back.
//!
//! Time only enters as an argument. Whatever was due before now (the open time ending, a lease
//! running out) is *settled* first, at the moment it was due, so the machine ends up in the same
//! state whether a timer looked in between or not.

use std::sync::Arc;
use std::time::Duration;

use crate::clock::{Moment, nanos};
use crate::random::Chance;
use crate::sync::{AtomicU64, Mutex, MutexGuard, Ordering, lock};
use crate::window::{Finished, Sums, Window};

use super::criteria::{Criteria, Run, Trip};
use super::half_open::{HalfOpenEra, ProbeResult, Verdict, lease_deadline};
use super::quota::OpenQuota;
use super::recent::RecentCalls;
use super::totals::{Counter, Counters};
use super::word::{Phase, Word};
use super::{
    BreakerConfig, CallId, CallOutcome, CloseOn, InvalidConfig, Mode, OnDrop, Outcome, Reason,
    RejectReason, Rejection, Snapshot, State, Transition, WindowConfig,
};

/// No server hint and no jitter makes an open time shorter than this.
const OPEN_MIN: Duration = Duration::from_millis(1);

/// The right to make one call, and what is needed to account for it.
///
/// Hand it back to [`Machine::record`] or [`Machine::cancel`]. One that is lost costs nothing in
/// a closed breaker and a failed probe, after its lease, in a half-open one.
#[must_use = "an admitted call has to be recorded or cancelled"]
#[derive(Debug)]
pub struct Admission {
    generation: u64,
    start: Moment,
    kind: Kind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// Counts in the window.
    Counted,
    /// Decides whether a half-open breaker closes.
    Probe { ticket: u32 },
    /// Would have been refused, were the breaker enforcing: counts in no window.
    Bypass,
}

impl Admission {
    /// When the call was let through.
    #[must_use]
    pub fn start(&self) -> Moment {
        self.start
    }

    /// Whether this call is one of the probes of a half-open breaker.
    #[must_use]
    pub fn is_probe(&self) -> bool {
        matches!(self.kind, Kind::Probe { .. })
    }
}

/// A circuit breaker without clock, name or listener: pure state, fed with moments.
///
/// This is what [`CircuitBreaker`](crate::CircuitBreaker) wraps, and what a replay of recorded
/// calls runs against. Transitions go to the closure given to each call that can cause one.
///
/// ```
/// use tripline_sdk::{BreakerConfig, CallId, Machine, Moment, Outcome, State};
///
/// let machine = Machine::new(BreakerConfig::new().only_consecutive(2), Moment::ZERO).unwrap();
/// let mut seen = Vec::new();
/// for millis in [1, 2] {
///     let now = Moment::from_millis(millis);
///     let call = machine.admit(now, &mut |_| {}).unwrap();
///     machine.record(call, Outcome::Failure, now, CallId::default, &mut |t| seen.push(t.to));
/// }
/// assert_eq!(seen, [State::Open]);
/// assert!(machine.admit(Moment::from_millis(3), &mut |_| {}).is_err());
/// ```
#[derive(Debug)]
pub struct Machine {
    hot: Hot,
    window: Window,
    counters: Counters,
    run: Apart<Run>,
    chance: Apart<Chance>,
    recent: Apart<Mutex<RecentCalls>>,
    era: Mutex<Era>,
}

/// Read by every call, written by transitions only.
#[derive(Debug)]
#[repr(align(128))]
struct Hot {
    word: AtomicU64,
    /// When an open breaker may probe.
    open_until: AtomicU64,
    /// When the next lease of a half-open breaker runs out.
    lease_due: AtomicU64,
    /// `{permits 32 | concurrent 32}`; nothing concurrent for ordinary calls if probes are
    /// dedicated.
    probes: AtomicU64,
    criteria: Criteria,
}

/// Keeps what is written often off the lines of what is read often.
#[derive(Debug)]
#[repr(align(128))]
struct Apart<T>(T);

/// What only transitions need.
#[derive(Debug)]
struct Era {
    config: BreakerConfig,
    half_open: HalfOpenEra,
    /// Since when the state callers experience holds, and the computed one.
    since: Moment,
    computed_since: Moment,
    time_in: [Duration; 6],
    attempt: u32,
    ramp_from: Moment,
    /// What the window held when it tripped; shown while open.
    at_trip: Sums,
    quota: Option<Arc<OpenQuota>>,
    holds_quota: bool,
    suppressed: u64,
    suppressed_this_era: bool,
}

/// Transitions made under the lock, to be announced after it. Settling makes at most three in a
/// row (a lease runs out, the open time after it ends), and the caller's own comes on top.
#[derive(Default)]
struct Changes {
    made: [Option<Transition>; 6],
    count: usize,
}

impl Changes {
    fn push(&mut self, change: Transition) {
        if let Some(place) = self.made.get_mut(self.count) {
            *place = Some(change);
            self.count += 1;
        }
    }
}

/// What goes with a transition besides the states.
#[derive(Clone, Copy)]
struct Cause {
    at: Moment,
    reason: Reason,
    window: Sums,
    threshold: Option<f64>,
    hint: Option<Duration>,
    call: Option<CallId>,
}

impl Cause {
    fn plain(at: Moment, reason: Reason) -> Self {
        Self {
            at,
            reason,
            window: Sums::default(),
            threshold: None,
            hint: None,
            call: None,
        }
    }
}

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
    /// A closed breaker (or whatever `config.mode` makes of it) that starts at `now`.
    ///
    /// # Errors
    /// Settings that cannot work.
    pub fn new(config: BreakerConfig, now: Moment) -> Result<Self, InvalidConfig> {
        Self::in_group(config, now, None)
    }

    pub(crate) fn in_group(
        config: BreakerConfig,
        now: Moment,
        quota: Option<Arc<OpenQuota>>,
    ) -> Result<Self, InvalidConfig> {
        config.validate()?;
        if let Some(quota) = &quota {
            quota.join();
        }
        Ok(Self {
            hot: Hot {
                word: AtomicU64::new(Word::new(config.mode, Phase::Closed, 0).0),
                open_until: AtomicU64::new(0),
                lease_due: AtomicU64::new(u64::MAX),
                probes: AtomicU64::new(packed_probes(&config)),
                criteria: Criteria::new(&config),
            },
            window: config.build_window(),
            counters: Counters::new(config.stripes),
            run: Apart(Run::new()),
            chance: Apart(Chance::new(config.seed)),
            recent: Apart(Mutex::new(RecentCalls::default())),
            era: Mutex::new(Era {
                config,
                half_open: HalfOpenEra::new(config.half_open.permits),
                since: now,
                computed_since: now,
                time_in: [Duration::ZERO; 6],
                attempt: 0,
                ramp_from: now,
                at_trip: Sums::default(),
                quota,
                holds_quota: false,
                suppressed: 0,
                suppressed_this_era: false,
            }),
        })
    }

    /// Asks to make a call at `now`.
    ///
    /// # Errors
    /// The refusal, which is not counted in any window.
    #[inline]
    pub fn admit(
        &self,
        now: Moment,
        announce: &mut dyn FnMut(&Transition),
    ) -> Result<Admission, Rejection> {
        let word = self.word();
        if word.is_plainly_closed() {
            return Ok(self.admitted(word.generation(), now, Kind::Counted));
        }
        self.admit_unusual(word, now, announce)
    }

    /// Asks for a probe even where ordinary calls get none ([`HalfOpen::dedicated_probes`]).
    ///
    /// # Errors
    /// The refusal: it is not half-open, or its probes are out.
    ///
    /// [`HalfOpen::dedicated_probes`]: crate::HalfOpen::dedicated_probes
    pub fn admit_probe(
        &self,
        now: Moment,
        announce: &mut dyn FnMut(&Transition),
    ) -> Result<Admission, Rejection> {
        self.locked(now, announce, |era, _| {
            self.issue_probe(era, now, era.config.half_open.concurrent)
        })
    }

    fn admit_unusual(
        &self,
        word: Word,
        now: Moment,
        announce: &mut dyn FnMut(&Transition),
    ) -> Result<Admission, Rejection> {
        if word.mode() == Mode::ForcedOpen {
            return Err(self.reject(RejectReason::ForcedOpen, None));
        }
        let verdict = match word.phase() {
            Phase::Closed => Ok((word.generation(), Kind::Counted)),
            Phase::Open => self.ask_open(now, announce),
            Phase::HalfOpen => self.ask_half_open(word, now, announce),
            Phase::Ramping => self.ask_ramping(now, announce),
        };
        match (verdict, word.mode()) {
            (Ok((generation, kind)), _) => Ok(self.admitted(generation, now, kind)),
            (Err(rejection), Mode::Enforcing | Mode::ForcedOpen) => {
                Err(self.reject(rejection.reason, rejection.retry_after))
            }
            (Err(_), Mode::MetricsOnly | Mode::Disabled) => {
                self.counters.add(Counter::WouldReject);
                Ok(self.admitted(word.generation(), now, Kind::Bypass))
            }
        }
    }

    #[inline]
    fn ask_open(
        &self,
        now: Moment,
        announce: &mut dyn FnMut(&Transition),
    ) -> Result<(u64, Kind), Rejection> {
        let until = Moment::from_nanos(self.hot.open_until.load(Ordering::Acquire));
        if now < until {
            let retry_after = Some(until.since(now));
            return Err(Rejection {
                reason: RejectReason::Open,
                retry_after,
            });
        }
        self.ask_locked(now, announce)
    }

    fn ask_half_open(
        &self,
        word: Word,
        now: Moment,
        announce: &mut dyn FnMut(&Transition),
    ) -> Result<(u64, Kind), Rejection> {
        let probes = self.hot.probes.load(Ordering::Relaxed);
        let (permits, concurrent) = (probes >> 32, probes & u64::from(u32::MAX));
        let full = u64::from(word.issued()) >= permits || u64::from(word.in_flight()) >= concurrent;
        let lease_due = Moment::from_nanos(self.hot.lease_due.load(Ordering::Acquire));
        if full && now < lease_due {
            return Err(half_open_rejection(lease_due, now));
        }
        self.ask_locked(now, announce)
    }

    fn ask_ramping(
        &self,
        now: Moment,
        announce: &mut dyn FnMut(&Transition),
    ) -> Result<(u64, Kind), Rejection> {
        let share = self.locked(now, announce, |era, _| {
            let word = self.word();
            let ramp = era.config.ramp.filter(|_| word.phase() == Phase::Ramping);
            let share = ramp.map_or(1.0, |ramp| {
                let done = now.since(era.ramp_from).as_secs_f64() / ramp.over.as_secs_f64();
                ramp.from + (1.0 - ramp.from) * done
            });
            (word.generation(), share)
        });
        if self.chance.0.unit() < share.1 {
            Ok((share.0, Kind::Counted))
        } else {
            Err(Rejection {
                reason: RejectReason::Ramp,
                retry_after: None,
            })
        }
    }

    /// Something was due: settle it, then ask again.
    fn ask_locked(
        &self,
        now: Moment,
        announce: &mut dyn FnMut(&Transition),
    ) -> Result<(u64, Kind), Rejection> {
        self.locked(now, announce, |era, _| {
            let concurrent = self.hot.probes.load(Ordering::Relaxed) as u32;
            let word = self.word();
            match word.phase() {
                Phase::Closed | Phase::Ramping => Ok((word.generation(), Kind::Counted)),
                Phase::Open | Phase::HalfOpen => {
                    let concurrent = u16::try_from(concurrent).unwrap_or(u16::MAX);
                    self.issue(era, now, concurrent)
                }
            }
        })
    }

    fn issue_probe(
        &self,
        era: &mut Era,
        now: Moment,
        concurrent: u16,
    ) -> Result<Admission, Rejection> {
        let issued = match self.word().phase() {
            Phase::Closed | Phase::Ramping => Err(Rejection {
                reason: RejectReason::Ramp,
                retry_after: None,
            }),
            Phase::Open | Phase::HalfOpen => self.issue(era, now, concurrent),
        };
        match issued {
            Ok((generation, kind)) => Ok(self.admitted(generation, now, kind)),
            Err(rejection) => Err(self.reject(rejection.reason, rejection.retry_after)),
        }
    }

    /// Issues a probe if the era has one left. Callers hold the lock and have settled.
    fn issue(&self, era: &mut Era, now: Moment, concurrent: u16) -> Result<(u64, Kind), Rejection> {
        let word = self.word();
        if word.phase() != Phase::HalfOpen {
            let until = Moment::from_nanos(self.hot.open_until.load(Ordering::Acquire));
            let retry_after = Some(until.since(now));
            return Err(Rejection {
                reason: RejectReason::Open,
                retry_after,
            });
        }
        let half = &mut era.half_open;
        if half.issued() >= era.config.half_open.permits || half.in_flight() >= concurrent {
            let due = half.next_deadline().unwrap_or(now);
            return Err(half_open_rejection(due, now));
        }
        let ticket = half.issue(lease_deadline(&era.config, now));
        self.publish_probes(era);
        Ok((word.generation(), Kind::Probe { ticket }))
    }

    #[inline]
    fn admitted(&self, generation: u64, start: Moment, kind: Kind) -> Admission {
        self.counters.add(Counter::Admitted);
        Admission {
            generation,
            start,
            kind,
        }
    }

    #[inline]
    fn reject(&self, reason: RejectReason, retry_after: Option<Duration>) -> Rejection {
        self.counters.add(Counter::Rejected);
        Rejection {
            reason,
            retry_after,
        }
    }

    /// Records the result of a call and answers what it counted as. `call` names it, and is asked
    /// only if the result can matter to a transition.
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
        let slow = self.hot.criteria.is_slow(nanos(now.since(admission.start)));
        let failed = outcome.is_failure();
        self.counters.add(match (outcome, slow) {
            (Outcome::Ignore, _) => Counter::Ignored,
            (_, false) if failed => Counter::Failure,
            (_, true) if failed => Counter::SlowFailure,
            (_, false) => Counter::Success,
            (_, true) => Counter::SlowSuccess,
        });
        if outcome == Outcome::Ignore {
            return self.give_back(&admission, now, announce);
        }
        let hint = match outcome {
            Outcome::Overload { retry_after } => retry_after,
            Outcome::Success | Outcome::Failure | Outcome::Ignore => None,
        };
        let report = Report {
            finished: Finished { failed, slow },
            start: admission.start,
            end: now,
            hint,
            dropped: false,
        };
        self.settle_report(&admission, &report, call, announce);
    }

    /// What a result will count as.
    pub(crate) fn outcome_of(
        &self,
        admission: &Admission,
        outcome: Outcome,
        now: Moment,
    ) -> CallOutcome {
        let slow = self.hot.criteria.is_slow(nanos(now.since(admission.start)));
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
        let slow = self.hot.criteria.is_slow(nanos(now.since(admission.start)));
        let failed = lock(&self.era).config.on_drop == OnDrop::Failure;
        if !failed && !slow {
            return self.give_back(&admission, now, announce);
        }
        let finished = Finished { failed, slow };
        let report = Report {
            finished,
            start: admission.start,
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
        if admission.kind == Kind::Bypass {
            return;
        }
        let word = self.word();
        if word.generation() != admission.generation {
            self.counters.add(Counter::Stale);
            return;
        }
        if let Kind::Probe { ticket } = admission.kind {
            return self.probe_reported(admission.generation, ticket, report, call(), announce);
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
        if failed || slow {
            self.trouble(word, report, call(), announce);
        }
    }

    /// A failing or slow call of a closed breaker: the only kind that can trip it.
    #[cold]
    fn trouble(
        &self,
        word: Word,
        report: &Report,
        call: CallId,
        announce: &mut dyn FnMut(&Transition),
    ) {
        if !call.is_unknown()
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
        let Kind::Probe { ticket } = admission.kind else {
            return;
        };
        self.locked(now, announce, |era, _| {
            if self.word().generation() == admission.generation && era.half_open.take_back(ticket) {
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
    fn decide(&self, era: &mut Era, cause: Cause, changes: &mut Changes) {
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

    /// Lets time pass: ends an open time, expires leases, finishes a ramp. Timers call this so
    /// that a breaker without traffic moves on too.
    pub fn tick(&self, now: Moment, announce: &mut dyn FnMut(&Transition)) {
        self.locked(now, announce, |_, _| ());
    }

    /// When [`Machine::tick`] next has something to do, if ever.
    #[must_use]
    pub fn next_wakeup(&self) -> Option<Moment> {
        let era = lock(&self.era);
        match self.word().phase() {
            Phase::Closed => None,
            Phase::Open => Some(Moment::from_nanos(
                self.hot.open_until.load(Ordering::Acquire),
            )),
            Phase::HalfOpen => era.half_open.next_deadline(),
            Phase::Ramping => era.config.ramp.map(|ramp| era.ramp_from + ramp.over),
        }
    }

    /// What callers experience at `now`. Reads only.
    #[must_use]
    pub fn state(&self, now: Moment) -> State {
        let word = self.word();
        match word.mode() {
            Mode::Enforcing => self.computed(word, now),
            mode => mode_state(mode),
        }
    }

    fn computed(&self, word: Word, now: Moment) -> State {
        match word.phase() {
            Phase::Closed | Phase::Ramping => State::Closed,
            Phase::HalfOpen => State::HalfOpen,
            // The open time may be over though nobody came to notice.
            Phase::Open if now.as_nanos() < self.hot.open_until.load(Ordering::Acquire) => {
                State::Open
            }
            Phase::Open => State::HalfOpen,
        }
    }

    /// Everything about the breaker at `now`. Reads only.
    #[must_use]
    pub fn snapshot(&self, now: Moment) -> Snapshot {
        let era = lock(&self.era);
        let word = self.word();
        let computed = self.computed(word, now);
        let state = if word.mode() == Mode::Enforcing {
            computed
        } else {
            mode_state(word.mode())
        };
        let until = Moment::from_nanos(self.hot.open_until.load(Ordering::Acquire));
        let overdue = word.phase() == Phase::Open && computed == State::HalfOpen;
        let mut time_in = era.time_in;
        let held = self.effective(word);
        let split = if overdue && held != state {
            until.max(era.since)
        } else {
            now
        };
        time_in[held.index()] += split.since(era.since);
        time_in[state.index()] += now.since(split);
        let window = match computed {
            State::HalfOpen if overdue => Sums::default(),
            State::HalfOpen => era.half_open.results(),
            State::Open => era.at_trip,
            _ => self.window.sums(word.era(), now),
        };
        let judged = computed == State::Closed && window.calls >= self.hot.criteria.minimum();
        let permits = era.config.half_open.permits;
        Snapshot {
            state,
            computed,
            since: if overdue && held != state {
                until
            } else {
                era.since
            },
            generation: word.generation(),
            window,
            failure_ratio: window.failure_ratio().filter(|_| judged),
            slow_ratio: window
                .slow_ratio()
                .filter(|_| judged && era.config.slow_calls.is_some()),
            next_probe_at: (computed == State::Open).then_some(until),
            permits_left: match computed {
                State::HalfOpen if overdue => permits,
                State::HalfOpen => permits.saturating_sub(era.half_open.issued()),
                _ => 0,
            },
            totals: self.counters.totals(),
            time_in,
            suppressed_trips: era.suppressed,
        }
    }

    /// The settings in force.
    #[must_use]
    pub fn config(&self) -> BreakerConfig {
        lock(&self.era).config
    }

    /// Changes who decides. The state machine starts over, closed and with an empty window.
    pub fn set_mode(&self, mode: Mode, now: Moment, announce: &mut dyn FnMut(&Transition)) {
        self.locked(now, announce, |era, changes| {
            self.change_mode(era, mode, now, changes);
        });
    }

    fn change_mode(&self, era: &mut Era, mode: Mode, now: Moment, changes: &mut Changes) {
        let before = self.word();
        if before.mode() == mode {
            return;
        }
        era.config.mode = mode;
        let cause = Cause::plain(now, Reason::Manual);
        let next = Word::new(mode, Phase::Closed, before.generation() + 1);
        self.start_over(era, next);
        self.enter(era, next, &cause, None, changes);
    }

    /// Opens the breaker for something it cannot see itself, such as a failed health check. Does
    /// nothing unless it is closed or half-open.
    pub fn trip(&self, now: Moment, announce: &mut dyn FnMut(&Transition)) {
        self.locked(now, announce, |era, changes| {
            if self.word().phase() != Phase::Open && self.take_quota(era) {
                let window = self.window.sums(self.word().era(), now);
                let cause = Cause {
                    window,
                    ..Cause::plain(now, Reason::External)
                };
                self.open(era, &cause, changes);
            }
        });
    }

    /// Closes the breaker and forgets window and attempts.
    pub fn reset(&self, now: Moment, announce: &mut dyn FnMut(&Transition)) {
        self.locked(now, announce, |era, changes| {
            era.attempt = 0;
            self.close(era, &Cause::plain(now, Reason::Manual), changes);
            era.attempt = 0;
        });
    }

    /// Takes new settings. The window keeps what it holds.
    ///
    /// # Errors
    /// Settings that cannot work, or that change the window itself: its memory is fixed, so a
    /// different window needs a new breaker.
    pub fn reconfigure(
        &self,
        config: BreakerConfig,
        now: Moment,
        announce: &mut dyn FnMut(&Transition),
    ) -> Result<(), InvalidConfig> {
        config.validate()?;
        self.locked(now, announce, |era, changes| {
            if config.window != era.config.window || config.stripes != era.config.stripes {
                return Err(InvalidConfig {
                    setting: "window",
                    why: "cannot change while the breaker lives: make a new one",
                });
            }
            self.change_mode(era, config.mode, now, changes);
            era.half_open.reserve(config.half_open.permits);
            era.config = config;
            self.hot.criteria.set(&config);
            self.hot
                .probes
                .store(packed_probes(&config), Ordering::Relaxed);
            Ok(())
        })
    }

    #[inline]
    fn word(&self) -> Word {
        Word(self.hot.word.load(Ordering::Acquire))
    }

    /// Runs `act` under the lock, after everything due has been settled, and announces what
    /// happened after the lock is released.
    fn locked<R>(
        &self,
        now: Moment,
        announce: &mut dyn FnMut(&Transition),
        act: impl FnOnce(&mut Era, &mut Changes) -> R,
    ) -> R {
        let mut changes = Changes::default();
        let mut era: MutexGuard<'_, Era> = lock(&self.era);
        self.settle(&mut era, now, &mut changes);
        let result = act(&mut era, &mut changes);
        drop(era);
        for change in changes.made.iter().flatten() {
            announce(change);
        }
        result
    }

    /// Does what was due by `now`, in order, each thing at its own moment.
    fn settle(&self, era: &mut Era, now: Moment, changes: &mut Changes) {
        loop {
            let word = self.word();
            match word.phase() {
                Phase::Open => {
                    let until = Moment::from_nanos(self.hot.open_until.load(Ordering::Acquire));
                    if now < until {
                        return;
                    }
                    self.half_open(era, until, changes);
                }
                Phase::HalfOpen => {
                    let Some(deadline) = era.half_open.expire(now) else {
                        return;
                    };
                    self.publish_probes(era);
                    let results = era.half_open.results();
                    let cause = Cause {
                        window: results,
                        ..Cause::plain(deadline, Reason::HalfOpenTimeout)
                    };
                    self.decide(era, cause, changes);
                }
                Phase::Ramping => {
                    let over = era.config.ramp.map_or(Duration::ZERO, |ramp| ramp.over);
                    if now.since(era.ramp_from) >= over {
                        self.hot
                            .word
                            .store(word.with_phase(Phase::Closed).0, Ordering::Release);
                    }
                    return;
                }
                Phase::Closed => return,
            }
        }
    }

    fn half_open(&self, era: &mut Era, at: Moment, changes: &mut Changes) {
        let before = self.word();
        era.half_open.begin();
        self.hot.lease_due.store(u64::MAX, Ordering::Release);
        let next = Word::new(before.mode(), Phase::HalfOpen, before.generation() + 1);
        self.enter(
            era,
            next,
            &Cause::plain(at, Reason::WaitElapsed),
            None,
            changes,
        );
    }

    fn close(&self, era: &mut Era, cause: &Cause, changes: &mut Changes) {
        let before = self.word();
        let was_closed = matches!(before.phase(), Phase::Closed | Phase::Ramping);
        let ramps = era.config.ramp.is_some() && !was_closed;
        let phase = if ramps { Phase::Ramping } else { Phase::Closed };
        let next = Word::new(before.mode(), phase, before.generation() + 1);
        if era.config.open.decay.is_zero() {
            era.attempt = 0;
        }
        era.ramp_from = cause.at;
        self.start_over(era, next);
        self.enter(era, next, cause, None, changes);
    }

    fn open(&self, era: &mut Era, cause: &Cause, changes: &mut Changes) {
        let before = self.word();
        if before.phase() != Phase::HalfOpen {
            let healthy = nanos(cause.at.since(era.computed_since));
            let decayed = healthy.checked_div(nanos(era.config.open.decay));
            let decayed = u32::try_from(decayed.unwrap_or(u64::MAX)).unwrap_or(u32::MAX);
            era.attempt = era.attempt.saturating_sub(decayed);
        }
        era.attempt = era.attempt.saturating_add(1);
        era.at_trip = cause.window;
        let open_time = era.config.open;
        let spread = || {
            open_time
                .jitter
                .spread(open_time.nominal(era.attempt), &self.chance.0)
        };
        let hint = cause.hint.filter(|hint| !hint.is_zero());
        let open_for = hint.unwrap_or_else(spread).min(open_time.max).max(OPEN_MIN);
        let until = cause.at + open_for;
        self.hot
            .open_until
            .store(until.as_nanos(), Ordering::Release);
        let next = Word::new(before.mode(), Phase::Open, before.generation() + 1);
        self.enter(era, next, cause, Some(open_for), changes);
        self.forget_recent();
    }

    /// An empty window, an empty half-open era, nothing held: what every closed era starts with.
    fn start_over(&self, era: &mut Era, next: Word) {
        self.window.begin(next.era());
        era.half_open.begin();
        era.suppressed_this_era = false;
        self.hot.lease_due.store(u64::MAX, Ordering::Release);
        self.forget_recent();
        if std::mem::take(&mut era.holds_quota)
            && let Some(quota) = &era.quota
        {
            quota.close();
        }
    }

    /// A place among the open ones of the group; if there is none the breaker fails open, that
    /// is, it stays closed.
    fn take_quota(&self, era: &mut Era) -> bool {
        let enforcing = self.word().mode() == Mode::Enforcing;
        let Some(quota) = era.quota.as_ref().filter(|_| enforcing) else {
            return true;
        };
        if era.holds_quota || quota.try_open() {
            era.holds_quota = true;
            return true;
        }
        era.suppressed += u64::from(!std::mem::replace(&mut era.suppressed_this_era, true));
        false
    }

    /// Publishes `next`, keeps the books of time and notes the transition. Everything a reader of
    /// the new word relies on is stored before it.
    fn enter(
        &self,
        era: &mut Era,
        next: Word,
        cause: &Cause,
        open_for: Option<Duration>,
        changes: &mut Changes,
    ) {
        let before = self.word();
        self.hot.word.store(next.0, Ordering::Release);
        let (held, holds) = (self.effective(before), self.effective(next));
        let overruled = held == holds && next.mode() != Mode::Enforcing;
        let (from, to) = if overruled {
            (phase_state(before.phase()), phase_state(next.phase()))
        } else {
            (held, holds)
        };
        let lasted = cause.at.since(if overruled {
            era.computed_since
        } else {
            era.since
        });
        if held != holds {
            era.time_in[held.index()] += cause.at.since(era.since);
            era.since = cause.at;
        }
        era.computed_since = cause.at;
        if from == to || (overruled && next.mode() != Mode::MetricsOnly) {
            return;
        }
        changes.push(Transition {
            at: cause.at,
            generation: next.generation(),
            from,
            to,
            reason: cause.reason,
            shadow: overruled,
            window: cause.window,
            threshold: cause.threshold,
            open_for,
            attempt: era.attempt,
            lasted,
            tripped_by: cause.call,
            contributing: lock(&self.recent.0).since(self.oldest(era, cause.at)),
        });
    }

    /// The oldest moment the window remembers; a count window remembers its whole era.
    fn oldest(&self, era: &Era, now: Moment) -> Moment {
        match era.config.window {
            WindowConfig::Time { length, .. } => {
                Moment::from_nanos(now.as_nanos().saturating_sub(nanos(length)))
            }
            WindowConfig::Count { .. } => Moment::ZERO,
        }
    }

    fn forget_recent(&self) {
        lock(&self.recent.0).clear();
    }

    fn effective(&self, word: Word) -> State {
        match word.mode() {
            Mode::Enforcing => phase_state(word.phase()),
            mode => mode_state(mode),
        }
    }

    /// Puts the numbers of probes where callers can see them without the lock.
    fn publish_probes(&self, era: &Era) {
        let half = &era.half_open;
        let due = half.next_deadline().map_or(u64::MAX, Moment::as_nanos);
        self.hot.lease_due.store(due, Ordering::Release);
        let word = self.word().with_probes(half.issued(), half.in_flight());
        self.hot.word.store(word.0, Ordering::Release);
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        let era = lock(&self.era);
        if let Some(quota) = &era.quota {
            if era.holds_quota {
                quota.close();
            }
            quota.leave();
        }
    }
}

fn packed_probes(config: &BreakerConfig) -> u64 {
    let half = config.half_open;
    let concurrent = if half.dedicated_probes {
        0
    } else {
        half.concurrent
    };
    u64::from(half.permits) << 32 | u64::from(concurrent)
}

fn half_open_rejection(due: Moment, now: Moment) -> Rejection {
    let retry_after = (due != Moment::MAX).then(|| due.since(now));
    Rejection {
        reason: RejectReason::HalfOpen,
        retry_after,
    }
}

fn phase_state(phase: Phase) -> State {
    match phase {
        Phase::Closed | Phase::Ramping => State::Closed,
        Phase::Open => State::Open,
        Phase::HalfOpen => State::HalfOpen,
    }
}

fn mode_state(mode: Mode) -> State {
    match mode {
        Mode::Enforcing => State::Closed,
        Mode::MetricsOnly => State::MetricsOnly,
        Mode::ForcedOpen => State::ForcedOpen,
        Mode::Disabled => State::Disabled,
    }
}
