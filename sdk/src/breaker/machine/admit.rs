//! The way in: the usual call reads one word; everything else asks the phase it meets.

use crate::clock::{Moment, nanos};
use crate::sync::Ordering;

use super::super::half_open::lease_deadline;
use super::super::totals::Counter;
use super::super::word::{Phase, Word};
use super::super::{Mode, RejectReason, Rejection, Transition};
use super::{Admission, Answer, Era, Kind, Machine};

impl Machine {
    /// Asks to make a call at `now`.
    ///
    /// ```
    /// use std::time::Duration;
    /// use tripline_sdk::{BreakerConfig, Machine, Moment, OpenTime};
    /// let config = BreakerConfig::new().open(OpenTime::fixed(Duration::from_secs(5)));
    /// let machine = Machine::new(config, Moment::ZERO)?;
    /// assert!(machine.admit(Moment::ZERO, &mut |_| {}).is_ok());
    /// machine.trip(Moment::ZERO, &mut |_| {});
    /// let refused = machine.admit(Moment::from_millis(1_000), &mut |_| {}).unwrap_err();
    /// assert_eq!(refused.retry_after, Some(Duration::from_secs(4)));
    /// # Ok::<(), tripline_sdk::InvalidConfig>(())
    /// ```
    ///
    /// # Errors
    /// The refusal, which is not counted in any window.
    #[inline(always)]
    pub fn admit(
        &self,
        now: Moment,
        announce: &mut dyn FnMut(&Transition),
    ) -> Result<Admission, Rejection> {
        let word = self.word();
        if word.is_plainly_closed() {
            return self
                .admitted(word.generation(), now, Kind::Counted)
                .into_result();
        }
        if word.is_plainly_open() {
            let until = Moment::from_nanos(self.hot.open_until.load(Ordering::Acquire));
            if now < until {
                let retry_after = until.nanos_since(now);
                return self
                    .reject(RejectReason::Open, Some(retry_after))
                    .into_result();
            }
        }
        self.admit_unusual(word, now, announce).into_result()
    }

    /// Asks for a probe even where ordinary calls get none ([`HalfOpen::dedicated_probes`]).
    ///
    /// ```
    /// use tripline_sdk::{BreakerConfig, Machine, Moment};
    /// let mut config = BreakerConfig::new();
    /// config.half_open.dedicated_probes = true;
    /// let machine = Machine::new(config, Moment::ZERO)?;
    /// machine.trip(Moment::ZERO, &mut |_| {});
    /// let later = Moment::from_millis(60_000);
    /// assert!(machine.admit(later, &mut |_| {}).is_err());
    /// assert!(machine.admit_probe(later, &mut |_| {}).expect("half-open").is_probe());
    /// # Ok::<(), tripline_sdk::InvalidConfig>(())
    /// ```
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
        .into_result()
    }

    #[cold]
    fn admit_unusual(
        &self,
        word: Word,
        now: Moment,
        announce: &mut dyn FnMut(&Transition),
    ) -> Answer {
        if word.mode() == Mode::ForcedOpen {
            return self.reject(RejectReason::ForcedOpen, None);
        }
        let verdict = match word.phase() {
            Phase::Closed => Ok((word.generation(), Kind::Counted)),
            Phase::Open => self.ask_open(now, announce),
            Phase::HalfOpen => self.ask_half_open(word, now, announce),
            Phase::Ramping => self.ask_ramping(now, announce),
        };
        match (verdict, word.mode()) {
            (Ok((generation, kind)), _) => self.admitted(generation, now, kind),
            (Err(rejection), Mode::Enforcing | Mode::ForcedOpen) => self.rejected(rejection),
            (Err(_), Mode::MetricsOnly | Mode::Disabled) => {
                self.counters.add(Counter::WouldReject);
                self.admitted(word.generation(), now, Kind::Bypass)
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

    fn issue_probe(&self, era: &mut Era, now: Moment, concurrent: u16) -> Answer {
        let issued = match self.word().phase() {
            Phase::Closed | Phase::Ramping => Err(Rejection {
                reason: RejectReason::Ramp,
                retry_after: None,
            }),
            Phase::Open | Phase::HalfOpen => self.issue(era, now, concurrent),
        };
        match issued {
            Ok((generation, kind)) => self.admitted(generation, now, kind),
            Err(rejection) => self.rejected(rejection),
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

    #[inline(always)]
    fn admitted(&self, generation: u64, start: Moment, kind: Kind) -> Answer {
        self.counters.add(Counter::Admitted);
        Answer::admitted(generation, start, kind)
    }

    fn rejected(&self, rejection: Rejection) -> Answer {
        self.reject(rejection.reason, rejection.retry_after.map(nanos))
    }

    #[inline]
    fn reject(&self, reason: RejectReason, retry_after_ns: Option<u64>) -> Answer {
        self.counters.add(Counter::Rejected);
        Answer::refused(reason, retry_after_ns)
    }
}

fn half_open_rejection(due: Moment, now: Moment) -> Rejection {
    let retry_after = (due != Moment::MAX).then(|| due.since(now));
    Rejection {
        reason: RejectReason::HalfOpen,
        retry_after,
    }
}
