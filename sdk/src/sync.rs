//! The atomics and the lock the policies are built on: std's, or loom's when the model checker
//! runs (`RUSTFLAGS="--cfg loom"`), so that what is checked is the very code that ships.

#[cfg(loom)]
pub(crate) use loom::sync::{
    Mutex, MutexGuard,
    atomic::{AtomicU64, Ordering, fence},
};
#[cfg(not(loom))]
pub(crate) use std::sync::{
    Mutex, MutexGuard,
    atomic::{AtomicU64, Ordering, fence},
};

/// Locks without caring for poison: no user code ever runs under these locks, so a panic cannot
/// leave the data behind them half written.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner)
}

/// Threads that may have a lane of their own: as many as a breaker can have stripes.
#[cfg(not(loom))]
const OWNERS_MAX: u32 = 64;

/// A small number that no other running thread has, for the first 64; a larger one that others may
/// have too, for the rest. A thread that ends gives its number back.
#[cfg(not(loom))]
#[inline(always)]
pub(crate) fn thread_number() -> usize {
    use std::cell::Cell;
    thread_local! {
        // No destructor: it can be read while the thread tears its locals down.
        static NUMBER: Cell<usize> = const { Cell::new(usize::MAX) };
    }
    let number = NUMBER.get();
    if number != usize::MAX {
        return number;
    }
    return claim(&NUMBER);

    #[cold]
    fn claim(number: &'static std::thread::LocalKey<Cell<usize>>) -> usize {
        use std::sync::atomic::AtomicUsize;
        static CLAIMED: AtomicU64 = AtomicU64::new(0);
        static SHARING: AtomicUsize = AtomicUsize::new(OWNERS_MAX as usize);
        /// Gives the number back; what is counted after that goes where others count too.
        struct Claim {
            number: &'static std::thread::LocalKey<Cell<usize>>,
            bit: u32,
        }
        impl Drop for Claim {
            fn drop(&mut self) {
                self.number.set(OWNERS_MAX as usize);
                // Release: the next owner goes on from what this one has counted.
                CLAIMED.fetch_and(!(1 << self.bit), Ordering::Release);
            }
        }
        thread_local! {
            static CLAIM: std::cell::OnceCell<Claim> = const { std::cell::OnceCell::new() };
        }
        let mut claimed = CLAIMED.load(Ordering::Relaxed);
        while claimed != u64::MAX {
            let bit = claimed.trailing_ones();
            match CLAIMED.compare_exchange_weak(
                claimed,
                claimed | 1 << bit,
                Ordering::Acquire,
                Ordering::Relaxed,
            ) {
                Ok(_) => {
                    number.set(bit as usize);
                    let claim = Claim { number, bit };
                    // A thread that is past its destructors could never give it back: dropping the
                    // claim does, at once.
                    let _ = CLAIM.try_with(|kept| kept.set(claim));
                    return number.get();
                }
                Err(seen) => claimed = seen,
            }
        }
        let shared = SHARING
            .fetch_add(1, Ordering::Relaxed)
            .max(OWNERS_MAX as usize);
        number.set(shared);
        shared
    }
}

/// Under loom every thread shares: the model wants the collisions.
#[cfg(loom)]
pub(crate) fn thread_number() -> usize {
    64
}

/// Which stripe a thread counts on, and whether it is the only one that writes there. An only
/// writer needs no read-modify-write, which costs more than all the rest of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Lane {
    pub(crate) index: usize,
    pub(crate) owned: bool,
}

/// Stripes that are shared by the threads that own none.
const SHARED_LANES: usize = 2;

impl Lane {
    /// The lane of thread `number` among so many stripes: the last ones are shared.
    #[inline(always)]
    pub(crate) fn of(number: usize, stripes: usize) -> Self {
        if number + SHARED_LANES < stripes {
            return Self {
                index: number,
                owned: true,
            };
        }
        let shared = SHARED_LANES.min(stripes);
        Self {
            index: stripes - shared + number % shared,
            owned: false,
        }
    }

    /// Adds one to a counter of this lane.
    #[inline]
    pub(crate) fn increment(self, counter: &AtomicU64) {
        if self.owned {
            let count = counter.load(Ordering::Relaxed);
            counter.store(count.wrapping_add(1), Ordering::Release);
        } else {
            counter.fetch_add(1, Ordering::Release);
        }
    }
}

/// Sixteen counters that share no cache line (nor its prefetched neighbour) with anything else.
#[derive(Debug)]
#[repr(align(128))]
pub(crate) struct Line(pub(crate) [AtomicU64; 16]);

impl Line {
    pub(crate) fn zeroed() -> Self {
        Self(std::array::from_fn(|_| AtomicU64::new(0)))
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn running_threads_have_different_numbers_and_ended_ones_give_theirs_back() {
        let here = thread_number();
        assert_eq!(here, thread_number());
        let round = || {
            let barrier = std::sync::Barrier::new(8);
            let mut numbers: Vec<usize> = std::thread::scope(|scope| {
                let threads: Vec<_> = (0..8)
                    .map(|_| {
                        scope.spawn(|| {
                            let number = thread_number();
                            barrier.wait();
                            number
                        })
                    })
                    .collect();
                threads
                    .into_iter()
                    .map(|thread| thread.join().expect("no panic"))
                    .collect()
            });
            numbers.sort_unstable();
            numbers.dedup();
            assert_eq!(numbers.len(), 8, "{numbers:?}");
            assert!(!numbers.contains(&here));
        };
        // Many more threads than there are numbers, but never many at once.
        (0..30).for_each(|_| round());
    }

    #[test]
    fn the_last_lanes_are_shared_and_the_others_owned() {
        for (stripes, owned) in [(1, 0), (2, 0), (3, 1), (5, 3), (64, 62)] {
            for thread in 0..200 {
                let lane = Lane::of(thread, stripes);
                assert!(lane.index < stripes);
                assert_eq!(lane.owned, thread < owned, "{thread} of {stripes}");
                assert_eq!(lane.owned, lane.index < owned);
            }
        }
    }
}
