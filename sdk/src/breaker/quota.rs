//! How many breakers of a group may be open at once.
//!
//! When most peers look bad, the fault is more likely here or in the network than in all of them,
//! and refusing everything would turn a partial failure into a total one.

use crate::sync::{AtomicU64, Ordering};

/// Shared by the breakers of a group: `{open 32 | members 32}`.
#[derive(Debug)]
pub(crate) struct OpenQuota {
    counts: AtomicU64,
    max_percent: u64,
}

impl OpenQuota {
    pub(crate) fn new(max_percent: u8) -> Self {
        Self {
            counts: AtomicU64::new(0),
            max_percent: u64::from(max_percent.min(100)),
        }
    }

    pub(crate) fn join(&self) {
        self.counts.fetch_add(1, Ordering::AcqRel);
    }

    pub(crate) fn leave(&self) {
        self.counts.fetch_sub(1, Ordering::AcqRel);
    }

    /// Takes a place among the open ones, if one is left. The first is always granted: a group of
    /// one still has a breaker.
    pub(crate) fn try_open(&self) -> bool {
        let mut current = self.counts.load(Ordering::Acquire);
        loop {
            let (open, members) = (current >> 32, current & u64::from(u32::MAX));
            if open > 0 && (open + 1) * 100 > self.max_percent * members {
                return false;
            }
            let next = current + (1 << 32);
            match self.counts.compare_exchange_weak(
                current,
                next,
                Ordering::AcqRel,
                Ordering::Acquire,
            ) {
                Ok(_) => return true,
                Err(seen) => current = seen,
            }
        }
    }

    pub(crate) fn close(&self) {
        self.counts.fetch_sub(1 << 32, Ordering::AcqRel);
    }

    pub(crate) fn open(&self) -> u64 {
        self.counts.load(Ordering::Acquire) >> 32
    }
}
