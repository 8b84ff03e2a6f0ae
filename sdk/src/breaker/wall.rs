//! Moments of a breaker's own clock as times of the wall clock.
//!
//! Telemetry tells calls and transitions by times that lie exactly as far apart as the breaker's
//! moments, so that a replay of what was told sees what the breaker saw, to the nanosecond. Hence
//! they do not take the wall clock's word each by each: it is taken for the origin of the breaker's
//! clock, and again when somebody set the wall clock.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::clock::{Clock, Moment, nanos};

/// When a call went through a breaker, as the breaker measured it: by these times it counted.
///
/// The times of all calls and transitions of a breaker lie exactly as far apart as its moments,
/// unless the wall clock was set in between.
///
/// ```
/// use std::time::Duration;
/// use tripline_sdk::CallTimes;
/// let times = CallTimes {
///     clock_start_unix_nano: 1_000,
///     admitted_unix_nano: 1_700,
///     duration: Duration::from_nanos(40),
///     admitted_sequence: Some(1),
///     ended_sequence: Some(2),
/// };
/// let moment = times.admitted_unix_nano - times.clock_start_unix_nano;
/// assert_eq!(moment, 700, "on the breaker's own clock");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CallTimes {
    /// When the breaker's clock was at its origin, from which the steps of a window of time are
    /// counted; nanoseconds since the Unix epoch.
    pub clock_start_unix_nano: u64,
    /// When the call was let through, or refused; nanoseconds since the Unix epoch.
    pub admitted_unix_nano: u64,
    /// From then until its result; zero if it was refused.
    pub duration: Duration,
    /// The turn in which the breaker let the call through, or refused it, counted from one: in which
    /// order it did what it did in the same nanosecond. Only of calls that a listener tells
    /// ([`Listener::tells_call`](crate::Listener::tells_call)).
    pub admitted_sequence: Option<u64>,
    /// The turn in which its result counted; none if it was refused.
    pub ended_sequence: Option<u64>,
}

/// A wall clock that is further off than this was set.
const SET: Duration = Duration::from_millis(100);
/// Clocks that were read further apart than this say nothing of one another.
const APART: Duration = Duration::from_millis(1);

/// When the origin of a breaker's clock was.
#[derive(Debug, Default)]
pub(super) struct WallClock {
    /// Nanoseconds since 1970; zero until somebody asks.
    start: AtomicU64,
}

impl WallClock {
    /// By the wall clock, a call that was let through and ended at these moments of `clock`, in no
    /// turn.
    pub(super) fn times(&self, clock: &impl Clock, admitted: Moment, ended: Moment) -> CallTimes {
        let start = self.start(clock);
        CallTimes {
            clock_start_unix_nano: start,
            admitted_unix_nano: start.saturating_add(admitted.as_nanos()),
            duration: ended.since(admitted),
            admitted_sequence: None,
            ended_sequence: None,
        }
    }

    /// By the wall clock, this moment of `clock`.
    pub(super) fn time(&self, clock: &impl Clock, at: Moment) -> SystemTime {
        let nanos = self.start(clock).saturating_add(at.as_nanos());
        UNIX_EPOCH + Duration::from_nanos(nanos)
    }

    /// Nanoseconds since 1970 of the origin of `clock`, the same each time unless somebody set the
    /// wall clock.
    fn start(&self, clock: &impl Clock) -> u64 {
        let known = self.start.load(Ordering::Relaxed);
        let before = clock.now();
        let wall = SystemTime::now().duration_since(UNIX_EPOCH);
        let apart = clock.now().since(before);
        let start = wall.map_or(0, nanos).saturating_sub(before.as_nanos());
        let was_set = Duration::from_nanos(known.abs_diff(start)) > SET && apart <= APART;
        if known != 0 && !was_set {
            return known;
        }
        // Of several that ask at once the first decides for all.
        self.start
            .compare_exchange(known, start, Ordering::Relaxed, Ordering::Relaxed)
            .map_or_else(|other| other, |_| start)
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use crate::clock::ManualClock;

    fn unix_nano() -> u64 {
        SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .map_or(0, nanos)
    }

    #[test]
    fn the_origin_stays_until_the_wall_clock_is_another() {
        let (clock, wall) = (ManualClock::default(), WallClock::default());
        clock.advance(Duration::from_secs(3_600));
        let earliest = unix_nano();
        let start = wall.start(&clock);
        assert!(start + 3_600_000_000_000 >= earliest);
        // They differ, but by less than somebody would set.
        clock.advance(Duration::from_millis(20));
        let again = wall.start(&clock);
        let is_slow = unix_nano() - earliest > 50_000_000;
        assert!(again == start || is_slow);
        // For the wall clock this is an hour that it did not see: it was set.
        clock.advance(Duration::from_secs(3_600));
        let anew = wall.start(&clock);
        let moved = Duration::from_nanos(again - anew);
        assert!(moved > Duration::from_secs(3_500), "{moved:?}");
        assert_eq!(wall.start(&clock), anew);
    }
}
