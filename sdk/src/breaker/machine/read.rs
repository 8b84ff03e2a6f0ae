//! What can be seen of a breaker. Reading changes nothing, so a dashboard may look at any time.

use crate::clock::Moment;
use crate::sync::{Ordering, lock};
use crate::window::Sums;

use super::super::word::{Phase, Word};
use super::super::{BreakerConfig, Mode, Snapshot, State};
use super::Machine;

impl Machine {
    /// Closed, enforcing: needs no clock.
    #[inline]
    pub(crate) fn is_plainly_closed(&self) -> bool {
        self.word().is_plainly_closed()
    }

    /// When [`Machine::tick`] next has something to do, if ever.
    ///
    /// ```
    /// use std::time::Duration;
    /// use tripline_sdk::{BreakerConfig, Machine, Moment, OpenTime};
    /// let config = BreakerConfig::new().open(OpenTime::fixed(Duration::from_secs(5)));
    /// let machine = Machine::new(config, Moment::ZERO)?;
    /// assert_eq!(machine.next_wakeup(), None, "a closed breaker waits for nothing");
    /// machine.trip(Moment::ZERO, &mut |_| {});
    /// assert_eq!(machine.next_wakeup(), Some(Moment::from_millis(5_000)));
    /// # Ok::<(), tripline_sdk::InvalidConfig>(())
    /// ```
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
    ///
    /// ```
    /// use std::time::Duration;
    /// use tripline_sdk::{BreakerConfig, Machine, Moment, OpenTime, State};
    /// let config = BreakerConfig::new().open(OpenTime::fixed(Duration::from_secs(5)));
    /// let machine = Machine::new(config, Moment::ZERO)?;
    /// machine.trip(Moment::ZERO, &mut |_| {});
    /// assert_eq!(machine.state(Moment::from_millis(4_999)), State::Open);
    /// assert_eq!(machine.state(Moment::from_millis(5_000)), State::HalfOpen);
    /// # Ok::<(), tripline_sdk::InvalidConfig>(())
    /// ```
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
    ///
    /// ```
    /// use std::time::Duration;
    /// use tripline_sdk::{BreakerConfig, Machine, Moment, OpenTime, State};
    /// let config = BreakerConfig::new().open(OpenTime::fixed(Duration::from_secs(5)));
    /// let machine = Machine::new(config, Moment::ZERO)?;
    /// machine.trip(Moment::ZERO, &mut |_| {});
    /// let snapshot = machine.snapshot(Moment::from_millis(1_000));
    /// assert_eq!(snapshot.next_probe_at, Some(Moment::from_millis(5_000)));
    /// assert_eq!(snapshot.time_in(State::Open), Duration::from_secs(1));
    /// # Ok::<(), tripline_sdk::InvalidConfig>(())
    /// ```
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
    ///
    /// ```
    /// use tripline_sdk::{BreakerConfig, Machine, Moment};
    /// let machine = Machine::new(BreakerConfig::new().minimum_calls(50), Moment::ZERO)?;
    /// assert_eq!(machine.config().minimum_calls, 50);
    /// # Ok::<(), tripline_sdk::InvalidConfig>(())
    /// ```
    #[must_use]
    pub fn config(&self) -> BreakerConfig {
        lock(&self.era).config
    }

    pub(super) fn effective(&self, word: Word) -> State {
        match word.mode() {
            Mode::Enforcing => phase_state(word.phase()),
            mode => mode_state(mode),
        }
    }
}

pub(super) fn phase_state(phase: Phase) -> State {
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
