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
pub(crate) fn run(shared: &Shared, mut clock: SteadyClock) {
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

/// Tells a wall clock that jumped from one that went on: a jump must not expire everything at once. A jump while the store
/// was closed shows in how far the clock is from the newest arrival that is stored.
#[derive(Debug)]
pub(crate) struct SteadyClock {
    wall_ns: i64,
    at: Instant,
    /// Since when it goes steadily; `None` = since always.
    jumped_at: Option<Instant>,
}

/// The wall clock may be set by this much without being distrusted (leap seconds, NTP).
const JUMP_NS: i64 = 600 * 1_000_000_000;
/// A store may have been closed, or without anything to take, for this long without its clock being distrusted. After a
/// longer rest expiry waits for [`PROBATION`], no more.
const REST_NS: i64 = 86_400 * 1_000_000_000;
/// How long a clock that jumped must go steadily before it is believed.
const PROBATION: Duration = Duration::from_secs(3_600);

impl SteadyClock {
    /// A clock that is believed at once if it goes on from the newest arrival, or where there is none.
    fn at_start(newest_ns: Option<i64>, wall_ns: i64, at: Instant) -> Self {
        let rest = newest_ns.map_or(0, |newest| wall_ns.saturating_sub(newest));
        let goes_on = (-JUMP_NS..=REST_NS).contains(&rest);
        if !goes_on {
            tracing::warn!(
                rest_seconds = rest / 1_000_000_000,
                "the wall clock is far from the newest stored arrival; nothing expires by age for an hour"
            );
        }
        Self {
            wall_ns,
            at,
            jumped_at: (!goes_on).then_some(at),
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
        let mut clock = SteadyClock::at_start(None, 0, start);
        assert!(clock.is_steady(5 * second, at(5)));
        let year = 365 * 86_400 * second;
        assert!(!clock.is_steady(year, at(10)), "a year in five seconds");
        assert!(!clock.is_steady(year + 3_000 * second, at(3_010)));
        assert!(clock.is_steady(year + 3_700 * second, at(3_710)));
        assert!(!clock.is_steady(0, at(3_715)), "and back");
    }

    #[test]
    fn a_clock_that_is_far_from_what_is_stored_is_believed_only_an_hour_after_the_start() {
        let (start, second) = (Instant::now(), 1_000_000_000_i64);
        let at = |seconds: u64| start + Duration::from_secs(seconds);
        let day = 86_400 * second;
        let now = 20_000 * day;
        for (newest, is_believed) in [
            (None, true),
            (Some(now), true),
            (Some(now - day / 2), true),
            // Set back by less than anybody minds.
            (Some(now + 300 * second), true),
            (Some(now - 30 * day), false),
            (Some(now - 365 * day), false),
            (Some(now + 3_600 * second), false),
            (Some(i64::MIN), false),
        ] {
            let mut clock = SteadyClock::at_start(newest, now, start);
            assert_eq!(clock.is_steady(now, at(0)), is_believed, "{newest:?}");
            let later = clock.is_steady(now + 3_000 * second, at(3_000));
            assert_eq!(later, is_believed, "{newest:?}");
            let after = clock.is_steady(now + 3_700 * second, at(3_700));
            assert!(after, "{newest:?}: it went steadily for an hour");
        }
    }
}
