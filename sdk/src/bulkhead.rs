//! The bulkhead: at most so many calls at once, so that one slow peer cannot take every task.

use std::sync::Arc;

use crate::sync::{AtomicU64, Ordering};

/// A cap on concurrent calls. Clones share it.
///
/// ```
/// use tripline_sdk::Bulkhead;
/// let bulkhead = Bulkhead::new(1);
/// let place = bulkhead.try_enter().expect("empty");
/// assert!(bulkhead.try_enter().is_none(), "full");
/// drop(place);
/// assert!(bulkhead.try_enter().is_some());
/// ```
#[derive(Clone, Debug)]
pub struct Bulkhead {
    shared: Arc<Places>,
}

#[derive(Debug)]
struct Places {
    max: AtomicU64,
    taken: AtomicU64,
    refused: AtomicU64,
}

impl Bulkhead {
    /// Room for `max` calls at once.
    ///
    /// ```
    /// let bulkhead = tripline_sdk::Bulkhead::new(8);
    /// assert_eq!((bulkhead.max(), bulkhead.in_flight()), (8, 0));
    /// ```
    #[must_use]
    pub fn new(max: u32) -> Self {
        Self {
            shared: Arc::new(Places {
                max: AtomicU64::new(u64::from(max)),
                taken: AtomicU64::new(0),
                refused: AtomicU64::new(0),
            }),
        }
    }

    /// A place, if one is free; a refusal is counted.
    ///
    /// ```
    /// let bulkhead = tripline_sdk::Bulkhead::new(1);
    /// let place = bulkhead.try_enter();
    /// assert!(place.is_some());
    /// assert!(bulkhead.try_enter().is_none(), "one is inside");
    /// ```
    #[must_use]
    pub fn try_enter(&self) -> Option<Place> {
        self.shared.take().then(|| Place {
            shared: Arc::clone(&self.shared),
        })
    }

    /// [`Bulkhead::try_enter`] for as long as this bulkhead is borrowed.
    #[cfg(feature = "tower")]
    pub(crate) fn try_borrow(&self) -> Option<BorrowedPlace<'_>> {
        let places = &*self.shared;
        // Made only when taken: dropping one that was never taken would free another's place.
        places.take().then(|| BorrowedPlace { places })
    }

    /// Changes the cap; calls inside finish.
    ///
    /// ```
    /// let bulkhead = tripline_sdk::Bulkhead::new(1);
    /// let first = bulkhead.try_enter();
    /// bulkhead.resize(2);
    /// assert!(bulkhead.try_enter().is_some(), "room for another");
    /// # drop(first);
    /// ```
    pub fn resize(&self, max: u32) {
        self.shared.max.store(u64::from(max), Ordering::Relaxed);
    }

    /// The cap.
    ///
    /// ```
    /// let bulkhead = tripline_sdk::Bulkhead::new(8);
    /// bulkhead.resize(4);
    /// assert_eq!(bulkhead.max(), 4);
    /// ```
    #[must_use]
    pub fn max(&self) -> u64 {
        self.shared.max.load(Ordering::Relaxed)
    }

    /// Calls inside.
    ///
    /// ```
    /// let bulkhead = tripline_sdk::Bulkhead::new(8);
    /// let places = [bulkhead.try_enter(), bulkhead.try_enter()];
    /// assert_eq!(bulkhead.in_flight(), 2);
    /// drop(places);
    /// assert_eq!(bulkhead.in_flight(), 0);
    /// ```
    #[must_use]
    pub fn in_flight(&self) -> u64 {
        self.shared.taken.load(Ordering::Relaxed)
    }

    /// Calls refused so far.
    ///
    /// ```
    /// let closed = tripline_sdk::Bulkhead::new(0);
    /// assert!(closed.try_enter().is_none());
    /// assert_eq!(closed.refused(), 1);
    /// ```
    #[must_use]
    pub fn refused(&self) -> u64 {
        self.shared.refused.load(Ordering::Relaxed)
    }
}

impl Places {
    /// Takes a place, if one is free.
    fn take(&self) -> bool {
        let max = self.max.load(Ordering::Relaxed);
        let mut taken = self.taken.load(Ordering::Relaxed);
        loop {
            if taken >= max {
                self.refused.fetch_add(1, Ordering::Relaxed);
                return false;
            }
            match self.taken.compare_exchange_weak(
                taken,
                taken + 1,
                Ordering::AcqRel,
                Ordering::Relaxed,
            ) {
                Ok(_) => return true,
                Err(seen) => taken = seen,
            }
        }
    }
}

/// A place that borrows its bulkhead.
#[cfg(feature = "tower")]
#[derive(Debug)]
pub(crate) struct BorrowedPlace<'a> {
    places: &'a Places,
}

#[cfg(feature = "tower")]
impl Drop for BorrowedPlace<'_> {
    fn drop(&mut self) {
        self.places.taken.fetch_sub(1, Ordering::AcqRel);
    }
}

/// A place in a [`Bulkhead`], free again when dropped.
///
/// ```
/// let bulkhead = tripline_sdk::Bulkhead::new(8);
/// let place = bulkhead.try_enter();
/// assert_eq!(bulkhead.in_flight(), 1);
/// # drop(place);
/// ```
#[must_use = "the place is free again when this is dropped"]
#[derive(Debug)]
pub struct Place {
    shared: Arc<Places>,
}

impl Drop for Place {
    fn drop(&mut self) {
        self.shared.taken.fetch_sub(1, Ordering::AcqRel);
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_frees_nobody_s_place() {
        let bulkhead = Bulkhead::new(1);
        let place = bulkhead.try_enter();
        assert!(bulkhead.try_enter().is_none());
        #[cfg(feature = "tower")]
        assert!(bulkhead.try_borrow().is_none());
        assert_eq!(bulkhead.in_flight(), 1);
        drop(place);
        assert_eq!(bulkhead.in_flight(), 0);
        #[cfg(feature = "tower")]
        drop(bulkhead.try_borrow());
        assert!(bulkhead.try_enter().is_some(), "room again");
    }
}
