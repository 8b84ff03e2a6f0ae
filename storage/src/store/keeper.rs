//! The keeper thread: keeps the number of files small and deletes what is too old.
//!
//! Compaction merges sealed segments of one size class; expiry replaces raw segments by a history segment that
//! has only roll-ups and breaker history, and drops histories in their turn. Both are builds like a seal, so the
//! same rename commits them.

mod clock;
mod expiry;

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use self::clock::SteadyClock;
use self::expiry::Expiry;
use super::{SegmentSet, Shared, StoreError, merge};
use crate::segment::{Segment, SegmentState};

/// Rows a compaction makes at most: about 4 GB.
const MERGED_ROWS_MAX: u64 = 64_000_000;
/// While full hot segments wait, the sealer has more use for time and memory than a compaction, until there are so many
/// groups to be merged: questions are planned over each file.
const GROUPS_MAX: usize = 2;
/// A merged segment spans at most this fraction of the retention, so that expiry stays fine-grained.
const AGE_FRACTION: i64 = 8;

/// The clock at start, to be looked at before anything new comes in: what is stored says whether to believe it.
pub(crate) fn clock_at_start(shared: &Shared) -> SteadyClock {
    let set = shared.catalog.lease();
    let newest_ns = set
        .segments
        .iter()
        .filter(|segment| segment.state != SegmentState::Hot)
        .map(|segment| segment.meta.ingest_range.1)
        .max();
    SteadyClock::at_start(newest_ns, shared.catalog.now_ns(), Instant::now())
}

/// Runs until the store closes.
pub(crate) fn run(shared: &Shared, clock: SteadyClock) {
    let mut expiry = Expiry::new(clock);
    while !shared.closing.load(Relaxed) {
        shared.reserve.keep();
        let expired = expiry.expire(shared);
        shared.counters.outcome("retention", &expired);
        let compacted = compact(shared);
        shared.counters.outcome("compaction", &compacted);
        if !matches!(compacted, Ok(true)) {
            shared.keeper.wait(shared.config.maintenance_interval);
        }
    }
}

/// Merges one group of segments, if there is one to merge.
fn compact(shared: &Shared) -> Result<bool, StoreError> {
    let set = shared.catalog.lease();
    let (raw, histories) = (by_age(&set, false), by_age(&set, true));
    drop(set);
    let config = &shared.config;
    let sealed = raw.len() + histories.len();
    if shared.rotation.waiting() > 1 && sealed < GROUPS_MAX * config.compaction_fan_in {
        return Ok(false);
    }
    let span_max = |age: Duration| i64::try_from(age.as_nanos()).unwrap_or(i64::MAX) / AGE_FRACTION;
    for (is_history, candidates, age) in [
        (false, raw, config.retention_age),
        (true, histories, config.history_age),
    ] {
        let Some(group) = choose(&candidates, config.compaction_fan_in, span_max(age)) else {
            continue;
        };
        let started = Instant::now();
        if is_history {
            merge::to_history(shared, "compact", &group)?;
        } else {
            merge::raw(shared, &group)?;
        }
        shared
            .counters
            .record(|work| &mut work.compactions, started.elapsed());
        return Ok(true);
    }
    Ok(false)
}

/// The sealed segments, raw ones or histories, oldest first by when their rows came in, as age counts for retention.
/// Their numbers do not tell: a compaction takes its number when it begins, so what was sealed shortly before, and is
/// younger than all of its rows, has a smaller one.
fn by_age(set: &SegmentSet, is_history: bool) -> Vec<Arc<Segment>> {
    let mut sealed: Vec<Arc<Segment>> = set
        .segments
        .iter()
        .filter(|segment| {
            segment.state == SegmentState::Sealed && segment.meta.is_history == is_history
        })
        .cloned()
        .collect();
    sealed.sort_by_key(|segment| segment.meta.ingest_range.1);
    sealed
}

/// The oldest `fan_in` segments of a size class that has so many; `segments` are in the order of their age.
fn choose(segments: &[Arc<Segment>], fan_in: usize, span_max_ns: i64) -> Option<Vec<Arc<Segment>>> {
    let fan_in = fan_in.max(2);
    let class = |segment: &Segment| (segment.rows() + 1).ilog(fan_in as u64);
    let mut classes: Vec<u32> = segments.iter().map(|segment| class(segment)).collect();
    classes.sort_unstable();
    classes.dedup();
    for wanted in classes {
        let same: Vec<Arc<Segment>> = segments
            .iter()
            .filter(|segment| class(segment) == wanted)
            .cloned()
            .collect();
        // A window that is too wide in time may be followed by one that is not.
        let fits = |group: &&[Arc<Segment>]| {
            let (first, last) = merge::ingest_range(group);
            let rows: u64 = group.iter().map(|segment| segment.rows()).sum();
            last.saturating_sub(first) <= span_max_ns && rows <= MERGED_ROWS_MAX
        };
        if let Some(group) = same.windows(fan_in).find(fits) {
            return Some(group.to_vec());
        }
    }
    None
}
