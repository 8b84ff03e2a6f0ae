//! The keeper thread: keeps the number of files small and deletes what is too old.
//!
//! Compaction merges sealed segments of one size class; expiry replaces raw segments by a history segment that
//! has only roll-ups and breaker history, and drops histories in their turn. Both are builds like a seal, so the
//! same rename commits them.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use super::stats::Counters;
use super::{SegmentSet, Shared, StoreError, merge};
use crate::segment::{Segment, SegmentState, files};

/// Rows a compaction makes at most: about 4 GB.
const MERGED_ROWS_MAX: u64 = 64_000_000;
/// While full hot segments wait, the sealer has more use for time and memory than a compaction, until there are so many
/// groups to be merged: questions are planned over each file.
const GROUPS_MAX: usize = 2;
/// A merged segment spans at most this fraction of the retention, so that expiry stays fine-grained.
const AGE_FRACTION: i64 = 8;

/// Runs until the store closes.
pub(crate) fn run(shared: &Shared) {
    let mut clock = SteadyClock::new(shared.catalog.now_ns(), Instant::now());
    while !shared.closing.load(Relaxed) {
        let expired = expire(shared, &mut clock);
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

/// Deletes what is older, or more, than the configuration keeps.
fn expire(shared: &Shared, clock: &mut SteadyClock) -> Result<(), StoreError> {
    let config = &shared.config;
    let now = shared.catalog.now_ns();
    let is_steady = clock.is_steady(now, Instant::now());
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
    let (raw_before, history_before) = (before(config.retention_age), before(config.history_age));
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
    if !expired.is_empty() {
        let count = expired.len();
        merge::to_history(shared, "retain", &expired)?;
        Counters::add(&shared.counters.expired, count);
    }
    if !forgotten.is_empty() {
        forgotten.iter().for_each(|id| shared.retirement.doom(*id));
        shared.catalog.publish(|segments| {
            segments
                .iter()
                .filter(|segment| !forgotten.contains(&segment.id))
                .cloned()
                .collect()
        })?;
        Counters::add(&shared.counters.expired, forgotten.len());
    }
    Ok(())
}

/// Tells a wall clock that jumped from one that went on: a jump must not expire everything at once.
#[derive(Debug)]
struct SteadyClock {
    wall_ns: i64,
    at: Instant,
    /// Since when it goes steadily; `None` = since always.
    jumped_at: Option<Instant>,
}

/// The wall clock may be set by this much without being distrusted (leap seconds, NTP).
const JUMP_NS: i64 = 600 * 1_000_000_000;
/// How long a clock that jumped must go steadily before it is believed.
const PROBATION: Duration = Duration::from_secs(3_600);

impl SteadyClock {
    fn new(wall_ns: i64, at: Instant) -> Self {
        Self {
            wall_ns,
            at,
            jumped_at: None,
        }
    }

    /// Whether age may be measured with it now.
    fn is_steady(&mut self, wall_ns: i64, at: Instant) -> bool {
        let elapsed = i64::try_from(at.duration_since(self.at).as_nanos()).unwrap_or(i64::MAX);
        let jump = wall_ns.saturating_sub(self.wall_ns.saturating_add(elapsed));
        (self.wall_ns, self.at) = (wall_ns, at);
        if jump.saturating_abs() > JUMP_NS {
            tracing::warn!(
                jump_seconds = jump / 1_000_000_000,
                "the wall clock jumped; nothing expires by age for an hour"
            );
            self.jumped_at = Some(at);
        }
        self.jumped_at
            .is_none_or(|jumped_at| at.duration_since(jumped_at) >= PROBATION)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_jumped_is_believed_only_after_an_hour_of_going_steadily() {
        let (start, second) = (Instant::now(), 1_000_000_000_i64);
        let at = |seconds: u64| start + Duration::from_secs(seconds);
        let mut clock = SteadyClock::new(0, start);
        assert!(clock.is_steady(5 * second, at(5)));
        let year = 365 * 86_400 * second;
        assert!(!clock.is_steady(year, at(10)), "a year in five seconds");
        assert!(!clock.is_steady(year + 3_000 * second, at(3_010)));
        assert!(clock.is_steady(year + 3_700 * second, at(3_710)));
        assert!(!clock.is_steady(0, at(3_715)), "and back");
    }
}
