//! What the clones of a breaker share, and the way of a call through it: at any time, or in turns
//! where a listener records the call by itself.

use std::sync::Arc;

use super::WatchedBreaker;
use super::settings::ToldSettings;
use crate::breaker::turns::Turns;
use crate::breaker::wall::WallClock;
use crate::breaker::{
    Admission, BreakerConfig, CallId, CallOutcome, CallTimes, Listener, Machine, Origin, Outcome,
    RejectReason, Rejection, State, Transition,
};
use crate::clock::{Clock, Moment};

/// What clones share.
pub(crate) struct Shared<C> {
    pub(super) name: Box<str>,
    pub(super) key: Option<Box<str>>,
    pub(super) machine: Machine,
    pub(super) clock: C,
    pub(super) wall: WallClock,
    pub(super) turns: Turns,
    pub(super) listener: Option<Arc<dyn Listener>>,
    pub(super) settings: ToldSettings,
}

/// A call that was let through and has not ended.
#[derive(Debug)]
pub(crate) struct Passage {
    admission: Admission,
    /// The number of the turn in which it was let through; zero if it took none.
    turn: u64,
}

/// How a call ended.
#[derive(Clone, Copy)]
enum Ending {
    /// Its caller said how.
    Told(Outcome),
    /// Its permit was dropped.
    Dropped,
    /// The same, as its thread panicked.
    Panicked,
}

impl Passage {
    pub(crate) fn is_probe(&self) -> bool {
        self.admission.is_probe()
    }

    /// The same call, for a permit that is about to be gone.
    #[inline]
    pub(crate) fn again(&self) -> Self {
        Self {
            admission: self.admission.again(),
            turn: self.turn,
        }
    }
}

impl<C> std::fmt::Debug for Shared<C> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CircuitBreaker")
            .field("name", &self.name)
            .field("key", &self.key)
            .field("machine", &self.machine)
            .finish_non_exhaustive()
    }
}

impl<C: Clock> Shared<C> {
    pub(super) fn origin(&self) -> Origin<'_> {
        Origin {
            name: &self.name,
            key: self.key.as_deref(),
        }
    }

    #[inline]
    fn announce(&self, change: &Transition) {
        if let Some(listener) = &self.listener {
            let at = self.wall.time(&self.clock, change.at);
            listener.on_announced(self.origin(), change, at);
        }
    }

    fn announce_all(&self, changes: &[Transition]) {
        for change in changes {
            self.announce(change);
        }
    }

    /// Tells the first settings of a breaker, and those that it was given meanwhile.
    pub(super) fn tell_made(&self, made: Moment, watched: impl FnOnce() -> WatchedBreaker) {
        let telling = self.settings.first(made);
        if let Some(listener) = &self.listener {
            listener.on_created(watched());
        }
        let first = telling.config;
        self.announce_config(telling.since, &first);
        drop(telling);
        // Who changed them while they were told has left it to this thread.
        if self.machine.config() != first {
            self.tell_news();
        }
    }

    fn announce_config(&self, at: Moment, config: &BreakerConfig) {
        if let Some(listener) = &self.listener {
            let at = self.wall.time(&self.clock, at);
            listener.on_configured(self.origin(), config, at);
        }
    }

    fn current_call(&self) -> CallId {
        self.listener
            .as_ref()
            .map(|listener| listener.current_call())
            .unwrap_or_default()
    }

    #[inline]
    pub(super) fn admit(&self, now: Moment) -> Result<Passage, Rejection> {
        let Some(listener) = self.listener.as_deref() else {
            let admitted = self.machine.admit(now, &mut |_| {});
            return admitted.map(|admission| Passage { admission, turn: 0 });
        };
        if listener.tells_call() {
            return self.admit_in_turn(listener);
        }
        let admitted = self.machine.admit(now, &mut |change| self.announce(change));
        if let Err(rejection) = &admitted {
            let times = move || self.wall.times(&self.clock, now, now);
            self.tell_refused(listener, *rejection, &times);
        }
        admitted.map(|admission| Passage { admission, turn: 0 })
    }

    #[inline(never)]
    fn admit_in_turn(&self, listener: &dyn Listener) -> Result<Passage, Rejection> {
        let turn = self.turns.take(&self.clock, |now, announce| {
            (now, self.machine.admit(now, announce))
        });
        let (now, admitted) = turn.result;
        self.announce_all(&turn.changes);
        if let Err(rejection) = &admitted {
            let times = move || CallTimes {
                admitted_sequence: Some(turn.number),
                ..self.wall.times(&self.clock, now, now)
            };
            self.tell_refused(listener, *rejection, &times);
        }
        admitted.map(|admission| Passage {
            admission,
            turn: turn.number,
        })
    }

    fn tell_refused(
        &self,
        listener: &dyn Listener,
        rejection: Rejection,
        times: &dyn Fn() -> CallTimes,
    ) {
        let state = match rejection.reason {
            RejectReason::Open => State::Open,
            RejectReason::HalfOpen => State::HalfOpen,
            RejectReason::ForcedOpen => State::ForcedOpen,
            RejectReason::Ramp => State::Closed,
        };
        listener.on_call(self.origin(), state, CallOutcome::Rejected, times);
    }

    /// A probe of a health check; its refusal is no call that anybody is told of.
    pub(super) fn admit_probe(&self) -> Result<Passage, Rejection> {
        let turn = self.turns.take(&self.clock, |now, announce| {
            self.machine.admit_probe(now, announce)
        });
        self.announce_all(&turn.changes);
        turn.result.map(|admission| Passage {
            admission,
            turn: turn.number,
        })
    }

    #[inline]
    pub(crate) fn record(&self, passage: Passage, outcome: Outcome) {
        self.end(passage, Ending::Told(outcome));
    }

    pub(crate) fn cancel(&self, passage: Passage) {
        let ending = if std::thread::panicking() {
            Ending::Panicked
        } else {
            Ending::Dropped
        };
        self.end(passage, ending);
    }

    #[inline(always)]
    fn end(&self, passage: Passage, ending: Ending) {
        let Passage { admission, turn } = passage;
        let listener = self.listener.as_deref();
        if let (Some(listener), true) = (listener, turn != 0) {
            return self.end_in_turn(listener, admission, turn, ending);
        }
        let announce = &mut |change: &Transition| self.announce(change);
        let now = self.clock.now();
        if let Some(listener) = listener {
            let outcome = self.outcome(&admission, ending, now);
            let start = admission.start();
            let times = move || self.wall.times(&self.clock, start, now);
            listener.on_call(self.origin(), self.met(&admission), outcome, &times);
        }
        self.account(admission, ending, now, || self.current_call(), announce);
    }

    /// Ends a call that was let through in a turn in another one.
    #[inline(never)]
    fn end_in_turn(
        &self,
        listener: &dyn Listener,
        admission: Admission,
        admitted: u64,
        ending: Ending,
    ) {
        let (start, call) = (admission.start(), listener.current_call());
        let turn = self.turns.take(&self.clock, |now, announce| {
            let outcome = self.outcome(&admission, ending, now);
            let met = self.met(&admission);
            self.account(admission, ending, now, || call, announce);
            (met, outcome, now)
        });
        let (met, outcome, now) = turn.result;
        let times = move || CallTimes {
            admitted_sequence: Some(admitted),
            ended_sequence: Some(turn.number),
            ..self.wall.times(&self.clock, start, now)
        };
        listener.on_call(self.origin(), met, outcome, &times);
        self.announce_all(&turn.changes);
    }

    #[inline(always)]
    fn account(
        &self,
        admission: Admission,
        ending: Ending,
        now: Moment,
        call: impl FnOnce() -> CallId,
        announce: &mut dyn FnMut(&Transition),
    ) {
        let machine = &self.machine;
        match ending {
            Ending::Told(outcome) => machine.record(admission, outcome, now, call, announce),
            Ending::Dropped => machine.cancel(admission, false, now, call, announce),
            Ending::Panicked => machine.cancel(admission, true, now, call, announce),
        }
    }

    /// What a call will count as.
    #[inline]
    fn outcome(&self, admission: &Admission, ending: Ending, now: Moment) -> CallOutcome {
        match ending {
            Ending::Told(outcome) => self.machine.outcome_of(admission, outcome, now),
            Ending::Panicked => self.machine.outcome_of(admission, Outcome::Failure, now),
            Ending::Dropped => CallOutcome::Cancelled,
        }
    }

    /// The state a call met when it was let through.
    fn met(&self, admission: &Admission) -> State {
        if self.machine.is_plainly_closed() && !admission.is_probe() {
            return State::Closed;
        }
        match self.machine.state(admission.start()) {
            // Where somebody else decides a probe is a call like any other.
            state @ (State::MetricsOnly | State::ForcedOpen | State::Disabled) => state,
            _ if admission.is_probe() => State::HalfOpen,
            State::Closed | State::Open | State::HalfOpen => State::Closed,
        }
    }

    /// Acts in a turn, and announces after it what came of it.
    pub(super) fn in_turn<R>(
        &self,
        act: impl FnOnce(&Machine, Moment, &mut dyn FnMut(&Transition)) -> R,
    ) -> R {
        let turn = self.turns.take(&self.clock, |now, announce| {
            act(&self.machine, now, announce)
        });
        self.announce_all(&turn.changes);
        turn.result
    }

    /// Changes settings in a turn, then tells those in force for as long as there are newer ones than
    /// were told.
    pub(super) fn configure<R>(
        &self,
        act: impl FnOnce(&Machine, Moment, &mut dyn FnMut(&Transition)) -> R,
    ) -> R {
        let result = self.in_turn(|machine, now, announce| {
            let before = machine.config();
            let result = act(machine, now, announce);
            if machine.config() != before {
                self.settings.changed(now);
            }
            result
        });
        self.tell_news();
        result
    }

    fn tell_news(&self) {
        let news = || self.in_turn(|machine, _, _| self.settings.news(machine.config()));
        while let Some(telling) = news() {
            self.announce_config(telling.since, &telling.config);
        }
    }
}
