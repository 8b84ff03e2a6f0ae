//! What nobody holds any more, and where its last holder leaves it.
//!
//! A drop may be on any thread, so it only notes what may go; the store's steward does the rest.

use std::collections::HashSet;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use crate::sync::{Bell, locked};

/// What nobody holds any more.
#[derive(Debug)]
pub(crate) enum Retired {
    /// The view schema of a set.
    Schema(u64),
    /// Conclusions about breakers.
    Conclusions(u64),
    /// An attached file; `unlink` when its rows are elsewhere or expired.
    Segment {
        alias: String,
        path: PathBuf,
        unlink: bool,
    },
}

/// Where drops leave what may go.
#[derive(Debug, Clone, Default)]
pub(crate) struct Retirement(Arc<State>);

#[derive(Debug, Default)]
struct State {
    retired: Mutex<Vec<Retired>>,
    doomed: Mutex<HashSet<u64>>,
    numbers: AtomicU64,
    bell: Bell,
}

impl Retirement {
    /// The bell that rings when something retires.
    pub(crate) fn bell(&self) -> &Bell {
        &self.0.bell
    }

    /// A number that nothing else of this store has that retires.
    pub(crate) fn number(&self) -> u64 {
        self.0.numbers.fetch_add(1, Ordering::Relaxed)
    }

    /// The segment's file goes when its last holder does.
    pub(crate) fn doom(&self, id: u64) {
        locked(&self.0.doomed).insert(id);
    }

    /// It stays after all.
    pub(crate) fn spare(&self, id: u64) {
        locked(&self.0.doomed).remove(&id);
    }

    pub(crate) fn retire_segment(&self, id: u64, alias: String, path: PathBuf) {
        let unlink = locked(&self.0.doomed).remove(&id);
        self.push(Retired::Segment {
            alias,
            path,
            unlink,
        });
    }

    /// Takes what retired since, in order.
    pub(crate) fn take(&self) -> Vec<Retired> {
        std::mem::take(&mut *locked(&self.0.retired))
    }

    /// Puts back what could not be done yet.
    pub(crate) fn push(&self, retired: Retired) {
        locked(&self.0.retired).push(retired);
        self.0.bell.ring();
    }

    /// Puts back without waking anybody: to be tried at the next tick.
    pub(crate) fn defer(&self, retired: Retired) {
        locked(&self.0.retired).push(retired);
    }
}
