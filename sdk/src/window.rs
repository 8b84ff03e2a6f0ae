//! Sliding windows: what the last calls were, in fixed memory, without a lock.
//!
//! A window answers one question, [`Sums`]: of the calls it still remembers, how many failed and
//! how many were slow? Writing a success is O(1) and touches one word; only a caller that recorded
//! a failure or a slow call needs the sums (a success cannot trip anything), so only it pays for
//! adding up.
//!
//! Every word carries the *era* it belongs to, and beginning an era stamps every word with it. A
//! result of an earlier era that arrives late finds another tag and is dropped by the same compare-and-swap that would have counted it: there is no
//! moment in between at which it could slip in.

mod count;
mod ring;
mod time;

pub(crate) use count::CountWindow;
pub(crate) use ring::EpochRing;
pub(crate) use time::TimeWindow;

use crate::clock::Moment;

/// What a window remembers, added up.
///
/// ```
/// use tripline_sdk::Sums;
/// let sums = Sums { calls: 20, failures: 5, slow: 0 };
/// assert_eq!(sums.failure_ratio(), Some(0.25));
/// assert_eq!(Sums::default().failure_ratio(), None);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sums {
    /// Calls that counted: successes and failures, not ignored or cancelled ones.
    pub calls: u64,
    /// Those of them that failed.
    pub failures: u64,
    /// Those of them that were slow, failed or not.
    pub slow: u64,
}

impl Sums {
    /// Failures per call, or nothing if there were no calls.
    ///
    /// ```
    /// use tripline_sdk::Sums;
    /// let sums = Sums { calls: 8, failures: 2, slow: 0 };
    /// assert_eq!(sums.failure_ratio(), Some(0.25));
    /// assert_eq!(Sums::default().failure_ratio(), None);
    /// ```
    #[must_use]
    pub fn failure_ratio(&self) -> Option<f64> {
        (self.calls > 0).then(|| self.failures as f64 / self.calls as f64)
    }

    /// Slow calls per call, or nothing if there were no calls.
    ///
    /// ```
    /// use tripline_sdk::Sums;
    /// let sums = Sums { calls: 8, failures: 0, slow: 4 };
    /// assert_eq!(sums.slow_ratio(), Some(0.5));
    /// assert_eq!(Sums::default().slow_ratio(), None);
    /// ```
    #[must_use]
    pub fn slow_ratio(&self) -> Option<f64> {
        (self.calls > 0).then(|| self.slow as f64 / self.calls as f64)
    }
}

/// One finished call, as a window stores it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Finished {
    pub(crate) failed: bool,
    pub(crate) slow: bool,
}

impl Finished {
    pub(crate) const QUICK_SUCCESS: Self = Self {
        failed: false,
        slow: false,
    };
}

/// Either kind of window, so that a breaker is one type whatever its window is.
#[derive(Debug)]
pub(crate) enum Window {
    Time(TimeWindow),
    Count(CountWindow),
}

impl Window {
    /// Counts a call of `era` that began at `start` and ended at `end`. False if it is of an
    /// older era and was dropped.
    #[inline]
    pub(crate) fn record(&self, era: u8, call: Finished, start: Moment, end: Moment) -> bool {
        match self {
            Self::Time(window) => {
                window.record(crate::sync::thread_number(), era, call, start, end)
            }
            Self::Count(window) => window.record(era, call),
        }
    }

    /// [`Window::record`] of a quick success by thread `thread`.
    #[inline(always)]
    pub(crate) fn record_success(
        &self,
        thread: usize,
        era: u8,
        start: Moment,
        end: Moment,
    ) -> bool {
        match self {
            Self::Time(window) => window.record_success(thread, era, start, end),
            Self::Count(window) => window.record(era, Finished::QUICK_SUCCESS),
        }
    }

    pub(crate) fn sums(&self, era: u8, now: Moment) -> Sums {
        match self {
            Self::Time(window) => window.sums(era, now),
            Self::Count(window) => window.sums(era),
        }
    }

    /// Forgets everything and begins `era`; callers hold the breaker's lock.
    pub(crate) fn begin(&self, era: u8) {
        match self {
            Self::Time(window) => window.begin(era),
            Self::Count(window) => window.begin(era),
        }
    }
}
