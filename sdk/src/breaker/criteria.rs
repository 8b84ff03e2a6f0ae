//! What trips a closed breaker, readable without a lock so that a failing call can decide alone.

use crate::clock::nanos;
use crate::sync::{AtomicU64, Ordering, fence};
use crate::window::Sums;

use super::{BreakerConfig, Reason};

/// "Not configured", for thresholds kept as bits of a double or as a count.
const UNSET: u64 = u64::MAX;

#[derive(Debug)]
pub(crate) struct Criteria {
    slow_ns: AtomicU64,
    minimum: AtomicU64,
    failure_ratio: AtomicU64,
    slow_ratio: AtomicU64,
    failure_count: AtomicU64,
    consecutive: AtomicU64,
    judges_successes: AtomicU64,
}

/// A criterion that is met.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Trip {
    pub(crate) reason: Reason,
    pub(crate) threshold: f64,
}

impl Criteria {
    pub(crate) fn new(config: &BreakerConfig) -> Self {
        let criteria = Self {
            slow_ns: AtomicU64::new(UNSET),
            minimum: AtomicU64::new(1),
            failure_ratio: AtomicU64::new(UNSET),
            slow_ratio: AtomicU64::new(UNSET),
            failure_count: AtomicU64::new(UNSET),
            consecutive: AtomicU64::new(UNSET),
            judges_successes: AtomicU64::new(0),
        };
        criteria.set(config);
        criteria
    }

    pub(crate) fn set(&self, config: &BreakerConfig) {
        let ratio = |ratio: Option<f64>| ratio.map_or(UNSET, f64::to_bits);
        let count = |count: Option<u32>| count.map_or(UNSET, u64::from);
        let slow = config.slow_calls;
        self.slow_ns.store(
            slow.map_or(UNSET, |slow| nanos(slow.threshold)),
            Ordering::Relaxed,
        );
        self.minimum
            .store(u64::from(config.effective_minimum()), Ordering::Relaxed);
        self.failure_ratio
            .store(ratio(config.failure_ratio), Ordering::Relaxed);
        self.slow_ratio
            .store(ratio(slow.map(|slow| slow.ratio)), Ordering::Relaxed);
        self.failure_count
            .store(count(config.failure_count), Ordering::Relaxed);
        self.consecutive
            .store(count(config.consecutive_failures), Ordering::Relaxed);
        self.judges_successes
            .store(u64::from(config.judge_successes), Ordering::Relaxed);
    }

    /// Whether a call that took this long is slow. Never, unless slow calls are configured.
    #[inline]
    pub(crate) fn is_slow(&self, elapsed_ns: u64) -> bool {
        let threshold = self.slow_ns.load(Ordering::Relaxed);
        elapsed_ns >= threshold && threshold != UNSET
    }

    #[inline]
    pub(crate) fn counts_runs(&self) -> bool {
        self.consecutive.load(Ordering::Relaxed) != UNSET
    }

    /// Whether a success in time can trip it.
    #[inline]
    pub(crate) fn judges_successes(&self) -> bool {
        self.judges_successes.load(Ordering::Relaxed) != 0
    }

    pub(crate) fn minimum(&self) -> u64 {
        self.minimum.load(Ordering::Relaxed)
    }

    /// The first criterion that is met. The run is asked first: it is the quickest to see a total
    /// outage, while the ratios see a partial one.
    pub(crate) fn judge(&self, sums: Sums, run: u64) -> Option<Trip> {
        if sums.calls < self.minimum() {
            return None;
        }
        let consecutive = self.consecutive.load(Ordering::Relaxed);
        if consecutive != UNSET && run >= consecutive {
            return Some(Trip {
                reason: Reason::Consecutive,
                threshold: consecutive as f64,
            });
        }
        let over = |threshold: &AtomicU64, ratio: Option<f64>, reason| {
            let bits = threshold.load(Ordering::Relaxed);
            let threshold = (bits != UNSET).then(|| f64::from_bits(bits))?;
            (ratio? >= threshold).then_some(Trip { reason, threshold })
        };
        let count = self.failure_count.load(Ordering::Relaxed);
        over(
            &self.failure_ratio,
            sums.failure_ratio(),
            Reason::FailureRate,
        )
        .or_else(|| over(&self.slow_ratio, sums.slow_ratio(), Reason::SlowRate))
        .or_else(|| {
            (count != UNSET && sums.failures >= count).then_some(Trip {
                reason: Reason::FailureCount,
                threshold: count as f64,
            })
        })
    }
}

/// Failures in a row, of one generation: `{generation 32 | run 32}`.
#[derive(Debug)]
pub(crate) struct Run(AtomicU64);

impl Run {
    pub(crate) fn new() -> Self {
        Self(AtomicU64::new(0))
    }

    /// A success ends the run. In the usual case there is none, and nothing is written.
    #[inline]
    pub(crate) fn succeed(&self, generation: u64) {
        let mut current = self.0.load(Ordering::Relaxed);
        while current as u32 != 0 && (current >> 32) as u32 == generation as u32 {
            let ended = current >> 32 << 32;
            match self
                .0
                .compare_exchange_weak(current, ended, Ordering::AcqRel, Ordering::Relaxed)
            {
                Ok(_) => return,
                Err(seen) => current = seen,
            }
        }
    }

    /// A failure prolongs it; a failure of another generation starts it over.
    pub(crate) fn fail(&self, generation: u64) {
        let mut current = self.0.load(Ordering::Relaxed);
        loop {
            let tag = u64::from(generation as u32) << 32;
            let length = if current >> 32 << 32 == tag {
                current as u32
            } else {
                0
            };
            let next = tag | u64::from(length.saturating_add(1));
            match self
                .0
                .compare_exchange_weak(current, next, Ordering::AcqRel, Ordering::Relaxed)
            {
                Ok(_) => return,
                Err(seen) => current = seen,
            }
        }
    }

    /// How long the run of `generation` is. The fence pairs with those of other threads that
    /// failed at the same time: one of them sees all of the failures.
    pub(crate) fn length(&self, generation: u64) -> u64 {
        fence(Ordering::SeqCst);
        let current = self.0.load(Ordering::Acquire);
        if (current >> 32) as u32 == generation as u32 {
            u64::from(current as u32)
        } else {
            0
        }
    }
}
