//! The count window: the last N calls, two bits each.
//!
//! A word holds 31 outcomes and two bits of the era they belong to. Writing replaces one outcome and
//! learns the one it replaced, so the running totals move by the difference and never need a scan.
//!
//! Two bits of era are enough there: a writer has just been let through by the head, which carries
//! eight, and no breaker can trip, probe, recover and trip again so often that the fourth era after
//! this one counts calls too, before it has written one word.

use crate::sync::{AtomicU64, Ordering};

use super::{Finished, Sums};

const OUTCOMES_A_WORD: usize = 31;
/// Of the era in a word of outcomes.
const SHORT_ERA_SHIFT: u32 = 62;
/// Of the era in the head and the totals.
const ERA_SHIFT: u32 = 56;
const FAILED_BIT: u64 = 1;
const SLOW_BIT: u64 = 2;
const PART_BITS: u32 = 28;
const PART_MASK: u64 = (1 << PART_BITS) - 1;

/// The largest count window: what the packed totals can hold.
pub(crate) const SIZE_MAX: u32 = PART_MASK as u32;

/// The last `size` outcomes.
#[derive(Debug)]
pub(crate) struct CountWindow {
    size: u64,
    /// `{era 8 | outcomes held 28 | next position 28}`.
    head: AtomicU64,
    /// `{era 8 | failures 28 | slow 28}`.
    totals: AtomicU64,
    /// `{era 2 | outcome 2 × 31}`.
    outcomes: Box<[AtomicU64]>,
}

impl CountWindow {
    pub(crate) fn new(size: u32) -> Self {
        let size = size.clamp(1, SIZE_MAX);
        let words = (size as usize).div_ceil(OUTCOMES_A_WORD);
        Self {
            size: u64::from(size),
            head: AtomicU64::new(0),
            totals: AtomicU64::new(0),
            outcomes: (0..words).map(|_| AtomicU64::new(0)).collect(),
        }
    }

    pub(crate) fn record(&self, era: u8, call: Finished) -> bool {
        let Some(slot) = self.reserve(era) else {
            return false;
        };
        let bits = u64::from(call.failed) * FAILED_BIT + u64::from(call.slow) * SLOW_BIT;
        let Some(replaced) = self.replace(era, slot, bits) else {
            return false;
        };
        self.move_totals(era, bits, replaced);
        true
    }

    /// The next position of this era.
    fn reserve(&self, era: u8) -> Option<usize> {
        let head = update(&self.head, ERA_SHIFT, era.into(), |value| {
            let held = (value >> PART_BITS) & PART_MASK;
            let next = (value & PART_MASK) + 1;
            value & (0xff << ERA_SHIFT)
                | (held + u64::from(held < self.size)) << PART_BITS
                | if next == self.size { 0 } else { next }
        })?;
        Some((head & PART_MASK) as usize)
    }

    /// Writes two bits and answers the two that were there (zero: a fast success, or nothing yet;
    /// both weigh nothing in the totals).
    fn replace(&self, era: u8, slot: usize, bits: u64) -> Option<u64> {
        let shift = 2 * (slot % OUTCOMES_A_WORD) as u32;
        let word = &self.outcomes[slot / OUTCOMES_A_WORD];
        let before = update(word, SHORT_ERA_SHIFT, short(era), |value| {
            value & !(3 << shift) | bits << shift
        })?;
        Some((before >> shift) & 3)
    }

    fn move_totals(&self, era: u8, now: u64, before: u64) {
        if now == before {
            return;
        }
        let part = |bits: u64| (bits & FAILED_BIT) << PART_BITS | (bits & SLOW_BIT) >> 1;
        // Both parts wrap inside their own field if a decrease is seen before its increase; the
        // next write puts that right, and a reader takes a wrapped part for zero.
        update(&self.totals, ERA_SHIFT, era.into(), |value| {
            let failures = ((value >> PART_BITS) + (part(now) >> PART_BITS))
                .wrapping_sub(part(before) >> PART_BITS);
            let slow = (value + (part(now) & 1)).wrapping_sub(part(before) & 1);
            value & (0xff << ERA_SHIFT) | (failures & PART_MASK) << PART_BITS | slow & PART_MASK
        });
    }

    pub(crate) fn sums(&self, era: u8) -> Sums {
        let totals = self.totals.load(Ordering::Acquire);
        let head = self.head.load(Ordering::Acquire);
        if (head >> ERA_SHIFT) as u8 != era {
            return Sums::default();
        }
        let calls = (head >> PART_BITS) & PART_MASK;
        let part = |value: u64| {
            let value = value & PART_MASK;
            if value > self.size {
                0
            } else {
                value.min(calls)
            }
        };
        Sums {
            calls,
            failures: part(totals >> PART_BITS),
            slow: part(totals),
        }
    }

    /// Empties everything and stamps it with `era`. Each word is swapped rather than stored, so that
    /// a writer that was just there is known to have been there before.
    pub(crate) fn begin(&self, era: u8) {
        for word in &self.outcomes {
            word.swap(short(era) << SHORT_ERA_SHIFT, Ordering::AcqRel);
        }
        let empty = u64::from(era) << ERA_SHIFT;
        self.totals.swap(empty, Ordering::AcqRel);
        self.head.swap(empty, Ordering::AcqRel);
    }
}

/// What a word of outcomes keeps of its era.
fn short(era: u8) -> u64 {
    u64::from(era & 3)
}

/// Changes a word of `era`, which it carries from bit `shift` up, and answers what it was; nothing
/// if it belongs to another era. What would stay the same is not written: a success that replaces a
/// success costs one look.
fn update(word: &AtomicU64, shift: u32, era: u64, change: impl Fn(u64) -> u64) -> Option<u64> {
    let mut current = word.load(Ordering::Acquire);
    loop {
        // Every word is stamped when an era begins: another stamp means another era began.
        if current >> shift != era {
            return None;
        }
        let next = change(current);
        if next == current {
            return Some(current);
        }
        match word.compare_exchange_weak(current, next, Ordering::AcqRel, Ordering::Acquire) {
            Ok(_) => return Some(current),
            Err(seen) => current = seen,
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::VecDeque;

    #[test]
    fn a_call_takes_two_bits_and_a_word_two_more() {
        assert_eq!(CountWindow::new(31_000).outcomes.len(), 1_000);
    }

    #[test]
    fn an_earlier_era_cannot_write() {
        let window = CountWindow::new(4);
        window.begin(9);
        assert!(!window.record(
            8,
            Finished {
                failed: true,
                slow: true
            }
        ));
        assert_eq!(window.sums(9), Sums::default());
    }

    proptest! {
        #[test]
        fn the_window_equals_a_queue_of_the_last_calls(
            size in 1_u32..70,
            calls in prop::collection::vec((any::<bool>(), any::<bool>()), 0..400),
        ) {
            let window = CountWindow::new(size);
            window.begin(3);
            let mut model = VecDeque::new();
            for (failed, slow) in calls {
                window.record(3, Finished { failed, slow });
                model.push_back((failed, slow));
                if model.len() > size as usize {
                    model.pop_front();
                }
                let expected = Sums {
                    calls: model.len() as u64,
                    failures: model.iter().filter(|call| call.0).count() as u64,
                    slow: model.iter().filter(|call| call.1).count() as u64,
                };
                prop_assert_eq!(window.sums(3), expected);
            }
        }
    }
}
