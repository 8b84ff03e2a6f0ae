//! The time window: the calls of the last `length`, in slices that fall out one by one.

use std::time::Duration;

use crate::clock::{Moment, nanos};

use super::{EpochRing, Finished, Sums};

const CALLS: usize = 0;
const FAILURES: usize = 1;
const SLOW: usize = 2;

/// A ring of slices; see [`EpochRing`] for how it stays exact without a lock.
#[derive(Debug)]
pub(crate) struct TimeWindow {
    ring: EpochRing<3>,
}

impl TimeWindow {
    pub(crate) fn new(length: Duration, buckets: u16, stripes: u8) -> Self {
        let width_ns = (nanos(length) / u64::from(buckets.max(1))).max(1);
        Self {
            ring: EpochRing::new(usize::from(buckets), width_ns, usize::from(stripes)),
        }
    }

    /// A call counts in the slice in which it *began*, if that is still remembered. A call that
    /// outlasted the whole window counts now: forgetting it would hide exactly the hangs.
    #[inline]
    pub(crate) fn record(
        &self,
        thread: usize,
        era: u8,
        call: Finished,
        start: Moment,
        end: Moment,
    ) -> bool {
        let current = self.ring.epoch(end);
        let began = self.ring.epoch(start);
        let epoch = if self.ring.is_live(began, current) {
            began
        } else {
            current
        };
        // Another thread's clock may have moved the slot on; then the call counts as of now.
        let epoch = if self.ring.add(thread, era, epoch, CALLS) {
            epoch
        } else if epoch != current && self.ring.add(thread, era, current, CALLS) {
            current
        } else {
            return false;
        };
        if call.failed {
            self.ring.add(thread, era, epoch, FAILURES);
        }
        if call.slow {
            self.ring.add(thread, era, epoch, SLOW);
        }
        true
    }

    /// [`TimeWindow::record`] of a quick success. False if it was not counted: its slot or era has
    /// moved on, or it outlasted the window.
    #[inline(always)]
    pub(crate) fn record_success(
        &self,
        thread: usize,
        era: u8,
        start: Moment,
        end: Moment,
    ) -> bool {
        let (began, current) = (self.ring.epoch(start), self.ring.epoch(end));
        self.ring.is_live(began, current) && self.ring.add(thread, era, began, CALLS)
    }

    pub(crate) fn sums(&self, era: u8, now: Moment) -> Sums {
        let [calls, failures, slow] = self.ring.sums(era, now);
        Sums {
            calls,
            failures,
            slow,
        }
    }

    pub(crate) fn begin(&self, era: u8) {
        self.ring.begin(era);
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    const OK: Finished = Finished {
        failed: false,
        slow: false,
    };
    const FAILED: Finished = Finished {
        failed: true,
        slow: false,
    };

    fn at(seconds: u64) -> Moment {
        Moment::from_millis(seconds * 1_000)
    }

    fn window() -> TimeWindow {
        TimeWindow::new(Duration::from_secs(10), 10, 2)
    }

    #[test]
    fn calls_fall_out_slice_by_slice() {
        let window = window();
        for second in 0..10 {
            window.record(0, 0, FAILED, at(second), at(second));
        }
        assert_eq!(window.sums(0, at(9)).failures, 10);
        assert_eq!(window.sums(0, at(12)).failures, 7);
        assert_eq!(window.sums(0, at(19)).failures, 0);
    }

    #[test]
    fn a_late_result_lands_in_the_slice_of_its_start() {
        let window = window();
        window.record(0, 0, FAILED, at(1), at(8));
        assert_eq!(window.sums(0, at(10)).failures, 1);
        assert_eq!(window.sums(0, at(11)).failures, 0, "second 1 is forgotten");
    }

    #[test]
    fn a_call_that_outlasts_the_window_counts_when_it_ends() {
        let window = window();
        window.record(0, 0, FAILED, at(1), at(31));
        assert_eq!(window.sums(0, at(31)).failures, 1);
    }

    #[test]
    fn threads_of_different_stripes_add_up() {
        let window = window();
        for thread in 0..8 {
            window.record(thread, 0, OK, at(1), at(1));
        }
        assert_eq!(window.sums(0, at(1)).calls, 8);
    }
}
