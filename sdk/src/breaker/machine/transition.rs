//! Every change of the state, under the one lock: what is due is settled first, each thing at its
//! own moment, and what happened is announced after the lock is released.

use std::time::Duration;

use crate::clock::{Moment, nanos};
use crate::sync::{MutexGuard, Ordering, lock};
use crate::window::Sums;

use super::super::word::{Phase, Word};
use super::super::{CallId, Mode, Reason, Transition, WindowConfig};
use super::read::phase_state;
use super::{Era, Machine};

/// No server hint and no jitter makes an open time shorter than this.
const OPEN_MIN: Duration = Duration::from_millis(1);

/// Transitions made under the lock, to be announced after it. Settling makes at most three in a
/// row (a lease runs out, the open time after it ends), and the caller's own comes on top.
#[derive(Default)]
pub(super) struct Changes {
    made: [Option<Transition>; 6],
    count: usize,
}

impl Changes {
    pub(super) fn push(&mut self, change: Transition) {
        if let Some(place) = self.made.get_mut(self.count) {
            *place = Some(change);
            self.count += 1;
        }
    }
}

/// What goes with a transition besides the states.
#[derive(Clone, Copy)]
pub(super) struct Cause {
    pub(super) at: Moment,
    pub(super) reason: Reason,
    pub(super) window: Sums,
    pub(super) threshold: Option<f64>,
    pub(super) hint: Option<Duration>,
    pub(super) call: Option<CallId>,
}

impl Cause {
    pub(super) fn plain(at: Moment, reason: Reason) -> Self {
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

impl Machine {
    /// Runs `act` under the lock, after everything due has been settled, and announces what
    /// happened after the lock is released.
    pub(super) fn locked<R>(
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

    pub(super) fn close(&self, era: &mut Era, cause: &Cause, changes: &mut Changes) {
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

    pub(super) fn open(&self, era: &mut Era, cause: &Cause, changes: &mut Changes) {
        let before = self.word();
        if before.phase() != Phase::HalfOpen {
            let healthy = cause.at.nanos_since(era.computed_since);
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
    pub(super) fn start_over(&self, era: &mut Era, next: Word) {
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
    pub(super) fn take_quota(&self, era: &mut Era) -> bool {
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
    pub(super) fn enter(
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

    /// Puts the numbers of probes where callers can see them without the lock.
    pub(super) fn publish_probes(&self, era: &Era) {
        let half = &era.half_open;
        let due = half.next_deadline().map_or(u64::MAX, Moment::as_nanos);
        self.hot.lease_due.store(due, Ordering::Release);
        let word = self.word().with_probes(half.issued(), half.in_flight());
        self.hot.word.store(word.0, Ordering::Release);
    }
}
