//! What operators and timers do to a breaker.

use crate::clock::Moment;
use crate::sync::Ordering;

use super::super::word::{Phase, Word};
use super::super::{BreakerConfig, InvalidConfig, Mode, Reason, Transition};
use super::transition::{Cause, Changes};
use super::{Era, Machine, packed_probes};

impl Machine {
    /// Lets time pass: ends an open time, expires leases, finishes a ramp. Timers call this so
    /// that a breaker without traffic moves on too.
    ///
    /// ```
    /// use std::time::Duration;
    /// use tripline_sdk::{BreakerConfig, Machine, Moment, OpenTime, State};
    /// let config = BreakerConfig::new().open(OpenTime::fixed(Duration::from_secs(5)));
    /// let machine = Machine::new(config, Moment::ZERO)?;
    /// machine.trip(Moment::ZERO, &mut |_| {});
    /// let mut seen = Vec::new();
    /// machine.tick(Moment::from_millis(9_000), &mut |change| seen.push((change.to, change.at)));
    /// assert_eq!(seen, [(State::HalfOpen, Moment::from_millis(5_000))], "when it was due");
    /// # Ok::<(), tripline_sdk::InvalidConfig>(())
    /// ```
    pub fn tick(&self, now: Moment, announce: &mut dyn FnMut(&Transition)) {
        self.locked(now, announce, |_, _| ());
    }

    /// Changes who decides. The state machine starts over, closed and with an empty window.
    ///
    /// ```
    /// use tripline_sdk::{BreakerConfig, Machine, Mode, Moment, State};
    /// let machine = Machine::new(BreakerConfig::new(), Moment::ZERO)?;
    /// let mut seen = Vec::new();
    /// machine.set_mode(Mode::ForcedOpen, Moment::ZERO, &mut |change| seen.push(change.to));
    /// assert_eq!(seen, [State::ForcedOpen]);
    /// assert!(machine.admit(Moment::ZERO, &mut |_| {}).is_err());
    /// # Ok::<(), tripline_sdk::InvalidConfig>(())
    /// ```
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
    ///
    /// ```
    /// use tripline_sdk::{BreakerConfig, Machine, Moment, Reason, State};
    /// let machine = Machine::new(BreakerConfig::new(), Moment::ZERO)?;
    /// let mut seen = Vec::new();
    /// for _ in 0..2 {
    ///     machine.trip(Moment::ZERO, &mut |change| seen.push((change.to, change.reason)));
    /// }
    /// assert_eq!(seen, [(State::Open, Reason::External)], "the second found it open");
    /// # Ok::<(), tripline_sdk::InvalidConfig>(())
    /// ```
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
    ///
    /// ```
    /// use tripline_sdk::{BreakerConfig, Machine, Moment, Reason, State};
    /// let machine = Machine::new(BreakerConfig::new(), Moment::ZERO)?;
    /// machine.trip(Moment::ZERO, &mut |_| {});
    /// let mut seen = Vec::new();
    /// machine.reset(Moment::from_millis(1), &mut |change| seen.push((change.to, change.reason)));
    /// assert_eq!(seen, [(State::Closed, Reason::Manual)]);
    /// # Ok::<(), tripline_sdk::InvalidConfig>(())
    /// ```
    pub fn reset(&self, now: Moment, announce: &mut dyn FnMut(&Transition)) {
        self.locked(now, announce, |era, changes| {
            era.attempt = 0;
            self.close(era, &Cause::plain(now, Reason::Manual), changes);
            era.attempt = 0;
        });
    }

    /// Takes new settings. The window keeps what it holds.
    ///
    /// ```
    /// use tripline_sdk::{BreakerConfig, Machine, Moment, WindowConfig};
    /// let machine = Machine::new(BreakerConfig::new(), Moment::ZERO)?;
    /// machine.reconfigure(BreakerConfig::new().minimum_calls(5), Moment::ZERO, &mut |_| {})?;
    /// assert_eq!(machine.config().minimum_calls, 5);
    /// let other_window = BreakerConfig::new().window(WindowConfig::Count { size: 100 });
    /// assert!(machine.reconfigure(other_window, Moment::ZERO, &mut |_| {}).is_err());
    /// # Ok::<(), tripline_sdk::InvalidConfig>(())
    /// ```
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
}
