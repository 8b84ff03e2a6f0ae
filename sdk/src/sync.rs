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

/// A number per thread, handed out in order, so that threads spread over stripes evenly.
#[cfg(not(loom))]
#[inline]
pub(crate) fn thread_number() -> usize {
    use std::cell::Cell;
    use std::sync::atomic::AtomicUsize;
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    thread_local! {
        static NUMBER: Cell<usize> = const { Cell::new(usize::MAX) };
    }
    // A thread that is already tearing down its locals still gets an answer.
    NUMBER
        .try_with(|number| {
            if number.get() == usize::MAX {
                number.set(NEXT.fetch_add(1, Ordering::Relaxed));
            }
            number.get()
        })
        .unwrap_or(0)
}

/// Under loom every thread writes the same stripe: the model wants the collisions.
#[cfg(loom)]
pub(crate) fn thread_number() -> usize {
    0
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
