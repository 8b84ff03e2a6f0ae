//! Deletes what is older, or more, than the configuration keeps; what outlives it is written first.
//!
//! Writing takes room, which a full disk has not. Then the oldest segment alone is replaced by its history, in the room of the
//! reserve. Where even that fails for a minute the segment is deleted without its history: a store that can take nothing more
//! loses all that is sent. The log says both.

use std::slice;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::by_age;
use super::clock::SteadyClock;
use crate::segment::{Segment, files};
use crate::store::stats::Counters;
use crate::store::{Shared, StoreError, merge, reserve};

/// Attempts in a row for which a history finds no room before it is given up: a minute of them, as the keeper looks every five
/// seconds by default.
const TRIES_MAX: u32 = 12;

/// Retention, and how it goes.
#[derive(Debug)]
pub(super) struct Expiry {
    clock: SteadyClock,
    /// Attempts in a row that found no room, not even in the reserve.
    full_tries: u32,
}

impl Expiry {
    pub(super) fn new(clock: SteadyClock) -> Self {
        Self {
            clock,
            full_tries: 0,
        }
    }

    /// Deletes what is due.
    pub(super) fn expire(&mut self, shared: &Shared) -> Result<(), StoreError> {
        let config = &shared.config;
        let now = shared.catalog.now_ns();
        let is_steady = self.clock.is_steady(now, Instant::now());
        let before = |age: Duration| {
            let age = i64::try_from(age.as_nanos()).unwrap_or(i64::MAX);
            if is_steady {
                now.saturating_sub(age)
            } else {
                i64::MIN
            }
        };
        let set = shared.catalog.lease();
        let (raw, histories) = (by_age(&set, false), by_age(&set, true));
        drop(set);
        let (raw_before, history_before) =
            (before(config.retention_age), before(config.history_age));
        let mut kept_bytes: u64 = raw
            .iter()
            .map(|segment| files::size(&segment.attachment.path))
            .sum();
        let mut expired = Vec::new();
        for segment in raw {
            let is_too_much = config
                .retention_bytes
                .is_some_and(|limit| kept_bytes > limit);
            if segment.meta.ingest_range.1 < raw_before || is_too_much {
                kept_bytes -= files::size(&segment.attachment.path);
                expired.push(segment);
            }
        }
        let forgotten: Vec<u64> = histories
            .into_iter()
            .filter(|segment| segment.meta.ingest_range.1 < history_before)
            .map(|segment| segment.id)
            .collect();
        // These need no room, and leave some.
        if !forgotten.is_empty() {
            forget(shared, &forgotten)?;
            Counters::add(&shared.counters.expired, forgotten.len());
        }
        if expired.is_empty() {
            Ok(())
        } else {
            self.replace(shared, &expired)
        }
    }

    /// Puts what outlives them in the place of raw segments, oldest first.
    fn replace(&mut self, shared: &Shared, expired: &[Arc<Segment>]) -> Result<(), StoreError> {
        match merge::to_history(shared, "retain", expired) {
            Err(error) if reserve::is_full(&error) => self.make_room(shared, &expired[0]),
            written => self.written(shared, expired.len(), written),
        }
    }

    /// On a full disk: the oldest segment alone, in the room of the reserve.
    fn make_room(&mut self, shared: &Shared, oldest: &Arc<Segment>) -> Result<(), StoreError> {
        tracing::warn!("the disk is full; retention makes room in its reserve");
        let lent = shared.reserve.lend()?;
        let written = merge::to_history(shared, "retain", slice::from_ref(oldest));
        drop(lent);
        let is_full = written.as_ref().is_err_and(reserve::is_full);
        self.full_tries += 1;
        if !is_full || self.full_tries < TRIES_MAX {
            return self.written(shared, 1, written);
        }
        forget(shared, &[oldest.id])?;
        Counters::add(&shared.counters.given_up, 1);
        tracing::error!(
            file = %oldest.attachment.path.display(),
            rows = oldest.rows(),
            "the disk is full: an expired segment is deleted without its history"
        );
        self.full_tries = 0;
        Ok(())
    }

    fn written(
        &mut self,
        shared: &Shared,
        segments: usize,
        written: Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        written?;
        self.full_tries = 0;
        Counters::add(&shared.counters.expired, segments);
        Ok(())
    }
}

/// Takes segments out of the set; their files go with their last readers.
fn forget(shared: &Shared, ids: &[u64]) -> duckdb::Result<()> {
    ids.iter().for_each(|id| shared.retirement.doom(*id));
    shared.catalog.publish(|segments| {
        segments
            .iter()
            .filter(|segment| !ids.contains(&segment.id))
            .cloned()
            .collect()
    })
}
