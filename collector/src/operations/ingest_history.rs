//! What the receivers had counted at moments of the last day, so that a page can say what happened in its range.

use std::collections::VecDeque;
use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::receive::{Counters, Tally};

/// Between two notes: how exact the start and the end of a range are.
const EVERY: Duration = Duration::from_secs(30);
/// A day of notes, about 250 kB.
const NOTES_MAX: usize = 2_880;

/// The notes; clones share them.
#[derive(Debug, Clone)]
pub struct IngestHistory(Arc<Mutex<Notes>>);

#[derive(Debug)]
struct Notes {
    /// Time in nanoseconds since the epoch and what had been counted then, oldest first; never empty.
    kept: VecDeque<(u64, Tally)>,
    /// The first is of the start, when nothing had been counted.
    is_whole: bool,
}

/// What was counted in a range.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Counted {
    /// The numbers.
    pub tally: Tally,
    /// From when on.
    pub since: Since,
}

/// Where a count starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Since {
    /// With the range.
    Range,
    /// With the server, which is younger than the range: nanoseconds since the epoch.
    Start(u64),
    /// With the oldest note, nanoseconds since the epoch: what was before is not known any more.
    Oldest(u64),
}

impl IngestHistory {
    /// Starts when nothing has been counted.
    pub fn new(started_ns: u64) -> Self {
        Self(Arc::new(Mutex::new(Notes {
            kept: VecDeque::from([(started_ns, Tally::default())]),
            is_whole: true,
        })))
    }

    /// What `counters` counted from `from_ns` until `to_ns`; `None` of a range that ended before the first note.
    pub fn counted(
        &self,
        (from_ns, to_ns): (u64, u64),
        now_ns: u64,
        counters: &Counters,
    ) -> Option<Counted> {
        let notes = self.lock();
        let (oldest_ns, oldest) = *notes.kept.front()?;
        if to_ns < oldest_ns {
            return None;
        }
        let at = |time_ns: u64| {
            let until = notes.kept.iter().rev().find(|(noted, _)| *noted <= time_ns);
            until.map_or(oldest, |(_, tally)| *tally)
        };
        let every_ns = u64::try_from(EVERY.as_nanos()).unwrap_or(u64::MAX);
        let end = if to_ns.saturating_add(every_ns) >= now_ns {
            counters.tally()
        } else {
            at(to_ns)
        };
        let since = if from_ns >= oldest_ns {
            Since::Range
        } else if notes.is_whole {
            Since::Start(oldest_ns)
        } else {
            Since::Oldest(oldest_ns)
        };
        Some(Counted {
            tally: end.since(&at(from_ns)),
            since,
        })
    }

    /// Notes what is counted every half a minute, until `stopped`.
    pub async fn keep(self, counters: Arc<Counters>, stopped: impl Future<Output = ()>) {
        let mut stopped = std::pin::pin!(stopped);
        let mut ticks = tokio::time::interval(EVERY);
        loop {
            tokio::select! {
                () = &mut stopped => return,
                _ = ticks.tick() => {
                    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
                    let now_ns = u64::try_from(since.as_nanos()).unwrap_or(u64::MAX);
                    self.note(now_ns, counters.tally());
                }
            }
        }
    }

    fn note(&self, now_ns: u64, tally: Tally) {
        let mut notes = self.lock();
        if notes.kept.len() >= NOTES_MAX {
            notes.kept.pop_front();
            notes.is_whole = false;
        }
        notes.kept.push_back((now_ns, tally));
    }

    fn lock(&self) -> MutexGuard<'_, Notes> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::receive::{Refusal, Transport};

    const MINUTE: u64 = 60_000_000_000;

    /// One refusal a minute, noted at the end of each.
    fn refused_each_minute(minutes: u64) -> (IngestHistory, Counters) {
        let history = IngestHistory::new(MINUTE);
        let counters = Counters::default();
        for minute in 2..=minutes {
            counters.refuse_stray(Transport::Http, &Refusal::NotServed);
            history.note(minute * MINUTE, counters.tally());
        }
        (history, counters)
    }

    #[test]
    fn a_range_has_what_was_counted_in_it() {
        let (history, counters) = refused_each_minute(100);
        let now = 100 * MINUTE;
        let refused = |from: u64, to: u64| {
            let counted = history.counted((from * MINUTE, to * MINUTE), now, &counters);
            counted.map(|counted| (counted.tally.requests(Transport::Http).1, counted.since))
        };
        assert_eq!(refused(90, 100), Some((10, Since::Range)));
        assert_eq!(refused(40, 60), Some((20, Since::Range)));
        assert_eq!(refused(0, 100), Some((99, Since::Start(MINUTE))));
        assert_eq!(history.counted((0, MINUTE - 1), now, &counters), None);
        // What came after the last note counts too, in a range that ends now.
        counters.refuse_stray(Transport::Http, &Refusal::NotServed);
        assert_eq!(refused(90, 100), Some((11, Since::Range)));
        assert_eq!(refused(40, 60), Some((20, Since::Range)));
    }

    #[test]
    fn notes_are_bounded_and_what_is_forgotten_is_said() {
        let minutes = NOTES_MAX as u64 + 11;
        let (history, counters) = refused_each_minute(minutes);
        assert_eq!(history.lock().kept.len(), NOTES_MAX);
        let now = minutes * MINUTE;
        let counted = history.counted((0, now), now, &counters).expect("notes");
        assert_eq!(counted.since, Since::Oldest(12 * MINUTE));
        assert_eq!(counted.tally.requests(Transport::Http).1, minutes - 12);
    }
}
