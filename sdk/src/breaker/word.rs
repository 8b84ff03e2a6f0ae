//! The one word that decides most calls: who rules, which phase, how many probes, which era.
//!
//! `{mode 2 | phase 2 | issued 12 | in flight 12 | generation 36}`, replaced whole. Admission in
//! the usual case is one load of it; every transition is a store of it under the breaker's lock.

use super::Mode;

/// The most probes one half-open era can issue: twelve bits.
pub(crate) const PROBES_MAX: u16 = 4_095;

const PHASE_SHIFT: u32 = 2;
const ISSUED_SHIFT: u32 = 4;
const IN_FLIGHT_SHIFT: u32 = 16;
const GENERATION_SHIFT: u32 = 28;
const TWELVE_BITS: u64 = 0xfff;

/// What the machine computes, whatever the mode makes of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    Closed,
    Open,
    HalfOpen,
    /// Closed, but not yet letting everybody in.
    Ramping,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Word(pub(crate) u64);

impl Word {
    pub(crate) const fn new(mode: Mode, phase: Phase, generation: u64) -> Self {
        Self(generation << GENERATION_SHIFT | (phase as u64) << PHASE_SHIFT | mode as u64)
    }

    /// Enforcing and closed: the only thing the usual call has to know.
    #[inline]
    pub(crate) const fn is_plainly_closed(self) -> bool {
        self.0 & 0xf == 0
    }

    /// Enforcing and open: what a storm of refusals meets.
    #[inline]
    pub(crate) const fn is_plainly_open(self) -> bool {
        self.0 & 0xf == (Phase::Open as u64) << PHASE_SHIFT
    }

    #[inline]
    pub(crate) const fn mode(self) -> Mode {
        match self.0 & 3 {
            0 => Mode::Enforcing,
            1 => Mode::MetricsOnly,
            2 => Mode::ForcedOpen,
            _ => Mode::Disabled,
        }
    }

    #[inline]
    pub(crate) const fn phase(self) -> Phase {
        match self.0 >> PHASE_SHIFT & 3 {
            0 => Phase::Closed,
            1 => Phase::Open,
            2 => Phase::HalfOpen,
            _ => Phase::Ramping,
        }
    }

    #[inline]
    pub(crate) const fn issued(self) -> u16 {
        (self.0 >> ISSUED_SHIFT & TWELVE_BITS) as u16
    }

    #[inline]
    pub(crate) const fn in_flight(self) -> u16 {
        (self.0 >> IN_FLIGHT_SHIFT & TWELVE_BITS) as u16
    }

    #[inline]
    pub(crate) const fn generation(self) -> u64 {
        self.0 >> GENERATION_SHIFT
    }

    /// The tag its window entries carry.
    #[inline]
    pub(crate) const fn era(self) -> u8 {
        self.generation() as u8
    }

    pub(crate) const fn with_probes(self, issued: u16, in_flight: u16) -> Self {
        let cleared = self.0 & !(TWELVE_BITS << ISSUED_SHIFT) & !(TWELVE_BITS << IN_FLIGHT_SHIFT);
        Self(cleared | (issued as u64) << ISSUED_SHIFT | (in_flight as u64) << IN_FLIGHT_SHIFT)
    }

    pub(crate) const fn with_phase(self, phase: Phase) -> Self {
        Self(self.0 & !(3 << PHASE_SHIFT) | (phase as u64) << PHASE_SHIFT)
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn every_field_comes_back_as_it_went_in(
            mode in prop::sample::select(vec![
                Mode::Enforcing, Mode::MetricsOnly, Mode::ForcedOpen, Mode::Disabled,
            ]),
            phase in prop::sample::select(vec![
                Phase::Closed, Phase::Open, Phase::HalfOpen, Phase::Ramping,
            ]),
            issued in 0..=PROBES_MAX,
            in_flight in 0..=PROBES_MAX,
            generation in 0_u64..1 << 36,
        ) {
            let word = Word::new(mode, phase, generation).with_probes(issued, in_flight);
            prop_assert_eq!(word.mode(), mode);
            prop_assert_eq!(word.phase(), phase);
            prop_assert_eq!((word.issued(), word.in_flight()), (issued, in_flight));
            prop_assert_eq!(word.generation(), generation);
            prop_assert_eq!(word.with_phase(Phase::Closed).phase(), Phase::Closed);
            prop_assert_eq!(word.with_phase(Phase::Closed).generation(), generation);
        }
    }
}
