//! Whether the wall clock can be believed when age is measured with it.

use std::time::{Duration, Instant};

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
    pub(super) fn at_start(newest_ns: Option<i64>, wall_ns: i64, at: Instant) -> Self {
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
    pub(super) fn is_steady(&mut self, wall_ns: i64, at: Instant) -> bool {
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
