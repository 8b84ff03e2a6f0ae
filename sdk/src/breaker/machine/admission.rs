//! What asking leads to, in two words: a call on its way, or a refusal.
//!
//! Both travel in registers. As an enum of two structs the answer would be written to memory and
//! read back in other widths, which costs more than all that decides it.

use std::time::Duration;

use crate::clock::Moment;

use super::super::half_open::TICKET_MASK;
use super::super::{RejectReason, Rejection};

/// `{generation 36 | ticket 24 | kind 4}`.
const GENERATION_SHIFT: u32 = 28;
const TICKET_SHIFT: u32 = 4;
const KIND_MASK: u64 = 0xf;

const COUNTED: u64 = 0;
const PROBE: u64 = 1;
const BYPASS: u64 = 2;
/// Kinds from here on are refusals, one a reason.
const REFUSED: u64 = 8;

/// The right to make one call, and what is needed to account for it.
///
/// Hand it back to [`Machine::record`] or [`Machine::cancel`]. One that is lost costs nothing in
/// a closed breaker and a failed probe, after its lease, in a half-open one.
///
/// ```
/// use tripline_sdk::{BreakerConfig, CallId, Machine, Moment};
/// let machine = Machine::new(BreakerConfig::new(), Moment::ZERO).unwrap();
/// let call = machine.admit(Moment::from_millis(5), &mut |_| {}).unwrap();
/// assert_eq!(call.start(), Moment::from_millis(5));
/// assert!(!call.is_probe(), "the breaker is closed");
/// machine.cancel(call, false, Moment::from_millis(6), CallId::default, &mut |_| {});
/// ```
#[must_use = "an admitted call has to be recorded or cancelled"]
#[derive(Debug)]
pub struct Admission {
    head: u64,
    start: Moment,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Counts in the window.
    Counted,
    /// Decides whether a half-open breaker closes.
    Probe { ticket: u32 },
    /// Would have been refused, were the breaker enforcing: counts in no window.
    Bypass,
}

impl Admission {
    /// When the call was let through.
    ///
    /// ```
    /// use tripline_sdk::{BreakerConfig, Machine, Moment};
    /// let machine = Machine::new(BreakerConfig::new(), Moment::ZERO)?;
    /// let call = machine.admit(Moment::from_millis(5), &mut |_| {}).expect("closed");
    /// assert_eq!(call.start(), Moment::from_millis(5));
    /// # Ok::<(), tripline_sdk::InvalidConfig>(())
    /// ```
    #[must_use]
    #[inline]
    pub fn start(&self) -> Moment {
        self.start
    }

    /// Whether this call is one of the probes of a half-open breaker.
    ///
    /// ```
    /// use tripline_sdk::{BreakerConfig, Machine, Moment};
    /// let machine = Machine::new(BreakerConfig::new(), Moment::ZERO)?;
    /// machine.trip(Moment::ZERO, &mut |_| {});
    /// let call = machine.admit(Moment::from_millis(60_000), &mut |_| {}).expect("half-open");
    /// assert!(call.is_probe());
    /// # Ok::<(), tripline_sdk::InvalidConfig>(())
    /// ```
    #[must_use]
    pub fn is_probe(&self) -> bool {
        self.head & KIND_MASK == PROBE
    }

    /// The same call, for a permit that is about to be gone.
    #[inline]
    pub(in crate::breaker) fn again(&self) -> Self {
        Self { ..*self }
    }

    /// Whether it counts in the window of this generation.
    #[inline]
    pub(super) fn counts_in(&self, generation: u64) -> bool {
        self.head == generation << GENERATION_SHIFT
    }

    pub(super) fn generation(&self) -> u64 {
        self.head >> GENERATION_SHIFT
    }

    pub(super) fn kind(&self) -> Kind {
        match self.head & KIND_MASK {
            COUNTED => Kind::Counted,
            PROBE => Kind::Probe {
                ticket: (self.head >> TICKET_SHIFT) as u32 & TICKET_MASK,
            },
            _ => Kind::Bypass,
        }
    }
}

/// What asking leads to, packed: `head` as in [`Admission`], and its start or, of a refusal, after how
/// many nanoseconds to ask again.
#[derive(Clone, Copy)]
pub(super) struct Answer {
    head: u64,
    nanos: u64,
}

/// It is not known when to ask again.
const UNKNOWN: u64 = u64::MAX;

impl Answer {
    #[inline]
    pub(super) fn admitted(generation: u64, start: Moment, kind: Kind) -> Self {
        let kind = match kind {
            Kind::Counted => COUNTED,
            Kind::Probe { ticket } => u64::from(ticket & TICKET_MASK) << TICKET_SHIFT | PROBE,
            Kind::Bypass => BYPASS,
        };
        Self {
            head: generation << GENERATION_SHIFT | kind,
            nanos: start.as_nanos(),
        }
    }

    #[inline]
    pub(super) fn refused(reason: RejectReason, retry_after_ns: Option<u64>) -> Self {
        Self {
            head: REFUSED + reason as u64,
            nanos: retry_after_ns.unwrap_or(UNKNOWN),
        }
    }

    #[inline(always)]
    pub(super) fn into_result(self) -> Result<Admission, Rejection> {
        if self.head & REFUSED == 0 {
            return Ok(Admission {
                head: self.head,
                start: Moment::from_nanos(self.nanos),
            });
        }
        Err(Rejection {
            reason: match self.head & KIND_MASK & !REFUSED {
                0 => RejectReason::Open,
                1 => RejectReason::HalfOpen,
                2 => RejectReason::ForcedOpen,
                _ => RejectReason::Ramp,
            },
            retry_after: (self.nanos != UNKNOWN).then(|| Duration::from_nanos(self.nanos)),
        })
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_call_comes_out_as_it_went_in(
            generation in 0_u64..1 << 36,
            start in any::<u64>(),
            kind in prop_oneof![
                Just(Kind::Counted),
                Just(Kind::Bypass),
                (0..=TICKET_MASK).prop_map(|ticket| Kind::Probe { ticket }),
            ],
        ) {
            let start = Moment::from_nanos(start);
            let call = Answer::admitted(generation, start, kind).into_result().unwrap();
            prop_assert_eq!((call.generation(), call.start(), call.kind()), (generation, start, kind));
            prop_assert_eq!(call.is_probe(), matches!(kind, Kind::Probe { .. }));
            prop_assert_eq!(call.counts_in(generation), kind == Kind::Counted);
            prop_assert!(!call.counts_in(generation ^ 1));
        }

        #[test]
        fn a_refusal_comes_out_as_it_went_in(
            reason in prop::sample::select(vec![
                RejectReason::Open, RejectReason::HalfOpen, RejectReason::ForcedOpen, RejectReason::Ramp,
            ]),
            after in prop::option::of(0..u64::MAX),
        ) {
            let refusal = Answer::refused(reason, after).into_result().unwrap_err();
            let retry_after = after.map(Duration::from_nanos);
            prop_assert_eq!(refusal, Rejection { reason, retry_after });
        }
    }
}
