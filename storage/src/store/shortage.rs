//! Said by the writer while a commit finds no memory: what holds some and can do without gives way.
//!
//! The engine has one limit for all it does. People's statements are bounded below it, but measured twenty times a
//! second, and one that was stopped takes its time to let go: between two looks, six at once can take all there is. An
//! acknowledgement is worth more than an answer, so while a shortage lasts the watchdog stops one statement after the other.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// The one flag, shared by the writer and whoever holds memory.
#[derive(Debug, Clone, Default)]
pub(crate) struct Shortage(Arc<AtomicBool>);

/// A shortage that lasts until this is dropped.
#[derive(Debug)]
pub(crate) struct Lasting(Shortage);

impl Shortage {
    /// It begins.
    pub(crate) fn begin(&self) -> Lasting {
        self.0.store(true, Ordering::Release);
        Lasting(self.clone())
    }

    /// Whether it lasts.
    pub(crate) fn lasts(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }
}

impl Drop for Lasting {
    fn drop(&mut self) {
        self.0.0.store(false, Ordering::Release);
    }
}
