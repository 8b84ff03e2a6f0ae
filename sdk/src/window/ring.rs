//! The ring under everything that counts per slice of time: striped, tagged counters.
//!
//! A counter is one word, `{era 8 | lap 24 | count 32}`. The tag says which slice of time the count
//! belongs to, so a slot is reset by the first write of a new lap, in the same compare-and-swap
//! that counts it: no count is lost to a reset, none leaks from one slice into another. A lap of
//! the default ten seconds comes round again after five years.

use crate::clock::Moment;
use crate::sync::{AtomicU64, Lane, Line, Ordering};

const COUNT_BITS: u32 = 32;
const LAP_MASK: u64 = (1 << 24) - 1;
const WORDS_A_LINE: usize = 16;

/// `K` counters for each of `buckets` slices of time.
#[derive(Debug)]
pub(crate) struct EpochRing<const K: usize> {
    lines: Box<[Line]>,
    lines_a_stripe: usize,
    stripes: usize,
    buckets: Divisor,
    width: Divisor,
}

/// A slice of time: where its counters are and what tag they carry.
#[derive(Clone, Copy)]
struct Slice {
    index: usize,
    tag: u32,
}

impl<const K: usize> EpochRing<K> {
    /// `buckets` slices of `width_ns` each; `stripes` as in [`Lane`].
    pub(crate) fn new(buckets: usize, width_ns: u64, stripes: usize) -> Self {
        let buckets = buckets.max(1);
        let stripes = stripes.clamp(1, 64);
        let lines_a_stripe = (buckets * K).div_ceil(WORDS_A_LINE);
        Self {
            lines: (0..stripes * lines_a_stripe)
                .map(|_| Line::zeroed())
                .collect(),
            lines_a_stripe,
            stripes,
            buckets: Divisor::new(buckets as u64),
            width: Divisor::new(width_ns),
        }
    }

    /// The slice `moment` falls into.
    #[inline]
    pub(crate) fn epoch(&self, moment: Moment) -> u64 {
        self.width.divide(moment.as_nanos())
    }

    /// Whether slice `epoch` is still remembered at slice `current`.
    #[inline]
    pub(crate) fn is_live(&self, epoch: u64, current: u64) -> bool {
        epoch <= current && current - epoch < self.buckets.value
    }

    #[inline]
    fn slice(&self, era: u8, epoch: u64) -> Slice {
        let lap = self.buckets.divide(epoch);
        Slice {
            index: (epoch - lap * self.buckets.value) as usize,
            tag: (u32::from(era) << 24) | (lap & LAP_MASK) as u32,
        }
    }

    #[inline]
    fn cell(&self, stripe: usize, bucket: usize, counter: usize) -> &AtomicU64 {
        let word = bucket * K + counter;
        &self.lines[stripe * self.lines_a_stripe + word / WORDS_A_LINE].0[word % WORDS_A_LINE]
    }

    /// Adds one to `counter` in slice `epoch`; false if the slot already belongs to a later slice
    /// or era.
    #[inline(always)]
    pub(crate) fn add(&self, thread: usize, era: u8, epoch: u64, counter: usize) -> bool {
        let slice = self.slice(era, epoch);
        let lane = Lane::of(thread, self.stripes);
        let cell = self.cell(lane.index, slice.index, counter);
        if lane.owned {
            // Nobody else counts here. An era that begins at this very moment stamps the cell
            // before or after this store; after it, the old tag stays, and counts for nobody.
            let next = counted(cell.load(Ordering::Relaxed), slice.tag);
            if let Some(next) = next {
                cell.store(next, Ordering::Release);
            }
            return next.is_some();
        }
        add_shared(cell, slice.tag)
    }

    /// The counts of all live slices of `era`, in the order last counter to first: a caller that
    /// writes counter 0 first then never sees a part larger than the whole.
    pub(crate) fn sums(&self, era: u8, now: Moment) -> [u64; K] {
        let current = self.epoch(now);
        let oldest = current.saturating_sub(self.buckets.value - 1);
        let mut sums = [0; K];
        for counter in (0..K).rev() {
            for stripe in 0..self.stripes {
                for epoch in oldest..=current {
                    let slice = self.slice(era, epoch);
                    let word = self
                        .cell(stripe, slice.index, counter)
                        .load(Ordering::Acquire);
                    if tag_of(word) == slice.tag {
                        sums[counter] += word & u64::from(u32::MAX);
                    }
                }
            }
        }
        sums
    }

    /// Empties every slot and stamps it with `era`, so that only this era can count from here on.
    pub(crate) fn begin(&self, era: u8) {
        let empty = u64::from(era) << (24 + COUNT_BITS);
        for cell in self.lines.iter().flat_map(|line| &line.0) {
            cell.store(empty, Ordering::Release);
        }
    }
}

/// Adds one to a cell that others add to as well.
#[inline(never)]
fn add_shared(cell: &AtomicU64, tag: u32) -> bool {
    let mut current = cell.load(Ordering::Relaxed);
    loop {
        let Some(next) = counted(current, tag) else {
            return false;
        };
        // AcqRel: whoever reads the count also sees what was counted before it.
        match cell.compare_exchange_weak(current, next, Ordering::AcqRel, Ordering::Relaxed) {
            Ok(_) => return true,
            Err(seen) => current = seen,
        }
    }
}

/// The first count of a slice takes the slot over, unless it belongs to a later one.
#[cold]
fn taken_over(current: u64, tag: u32) -> Option<u64> {
    (!is_later(current, tag)).then_some((u64::from(tag) << COUNT_BITS) | 1)
}

/// The cell's next value; nothing if it already belongs to a later slice or era.
#[inline(always)]
fn counted(current: u64, tag: u32) -> Option<u64> {
    if tag_of(current) != tag {
        return taken_over(current, tag);
    }
    // A full counter stays full: four billion calls in one slice of one stripe.
    Some(current + u64::from(current as u32 != u32::MAX))
}

#[inline]
fn tag_of(word: u64) -> u32 {
    (word >> COUNT_BITS) as u32
}

/// Whether what is in the slot is later than what wants to write. An empty slot of the same era
/// is never later: it has no slice yet.
#[inline]
fn is_later(word: u64, tag: u32) -> bool {
    let (era, other_era) = ((tag_of(word) >> 24) as u8, (tag >> 24) as u8);
    if era != other_era {
        // Every slot is stamped when an era begins. An older stamp is what an only writer left
        // behind that was overtaken by that beginning. (Eras count modulo 256.)
        return era.wrapping_sub(other_era) < 128;
    }
    let ahead = u64::from(tag_of(word)).wrapping_sub(u64::from(tag)) & LAP_MASK;
    word as u32 != 0 && ahead != 0 && ahead <= LAP_MASK / 2
}

/// Division by a number known only at run time, as a multiplication (a 64-bit division costs as
/// much as the rest of the record). Exact while `dividend × divisor < 2^64 × divisor /` one slice;
/// past that it drifts by less than one slice in 584 years, and never goes backwards.
#[derive(Debug)]
struct Divisor {
    value: u64,
    reciprocal: u64,
}

impl Divisor {
    fn new(value: u64) -> Self {
        let value = value.max(1);
        Self {
            value,
            reciprocal: (u64::MAX / value).saturating_add(1),
        }
    }

    #[inline]
    fn divide(&self, dividend: u64) -> u64 {
        if self.value == 1 {
            return dividend;
        }
        ((u128::from(dividend) * u128::from(self.reciprocal)) >> 64) as u64
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn a_multiplied_division_equals_the_divided_one_for_a_year_of_uptime() {
        const YEAR_NS: u64 = 31_536_000_000_000_000;
        for width in [1_u64, 3, 10, 100_000_000, 1_000_000_000, 6_000_000_007] {
            let divisor = Divisor::new(width);
            for step in 0..1_000 {
                let epoch = YEAR_NS / width / 1_000 * step;
                let middle = epoch.saturating_mul(width) + width / 2;
                assert_eq!(divisor.divide(middle), middle / width, "{middle} / {width}");
            }
        }
    }

    #[test]
    fn a_slot_of_a_past_lap_is_reset_by_the_write_that_reuses_it() {
        let ring = EpochRing::<1>::new(2, 10, 1);
        assert!(ring.add(0, 0, 0, 0) && ring.add(0, 0, 1, 0));
        assert_eq!(ring.sums(0, Moment::from_nanos(15)), [2]);
        assert!(ring.add(0, 0, 2, 0));
        assert_eq!(
            ring.sums(0, Moment::from_nanos(25)),
            [2],
            "slice 0 was forgotten"
        );
        assert_eq!(
            ring.sums(0, Moment::from_nanos(999)),
            [0],
            "all of it is past"
        );
        assert!(!ring.add(0, 0, 0, 0), "slice 0 gave its slot to slice 2");
    }

    #[test]
    fn a_write_of_an_earlier_era_is_dropped() {
        let ring = EpochRing::<1>::new(2, 10, 2);
        ring.begin(4);
        assert!(!ring.add(0, 3, 1, 0));
        assert!(ring.add(1, 4, 1, 0));
        assert_eq!(ring.sums(4, Moment::from_nanos(15)), [1]);
        assert_eq!(ring.sums(3, Moment::from_nanos(15)), [0]);
    }
}
