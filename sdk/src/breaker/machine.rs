//! The state machine: every call's way in and out, and every transition.
//!
//! The usual call (closed, succeeding, in time) loads one word on its way in and writes its
//! window slot and its total on its way out; it takes no lock. Everything that changes the state
//! happens under one lock, in which no foreign code runs: transitions are collected there and
//! announced after it is released, so each is announced exactly once and a listener may call back.
//!
//! Time only enters as an argument. Whatever was due before now (the open time ending, a lease
//! running out) is *settled* first, at the moment it was due, so the machine ends up in the same
//! state whether a timer looked in between or not.

mod admission;
mod admit;
mod control;
mod read;
mod record;
mod transition;

pub use admission::Admission;
use admission::{Answer, Kind};

use std::sync::Arc;
use std::time::Duration;

use crate::clock::Moment;
use crate::random::Chance;
use crate::sync::{AtomicU64, Mutex, Ordering, lock};
use crate::window::{Sums, Window};

use super::criteria::{Criteria, Run};
use super::half_open::HalfOpenEra;
use super::quota::OpenQuota;
use super::recent::RecentCalls;
use super::totals::Counters;
use super::word::{Phase, Word};
use super::{BreakerConfig, InvalidConfig};

/// A circuit breaker without clock, name or listener: pure state, fed with moments.
///
/// This is what [`CircuitBreaker`](crate::CircuitBreaker) wraps, and what a replay of recorded
/// calls runs against. Transitions go to the closure given to each call that can cause one.
///
/// ```
/// use tripline_sdk::{BreakerConfig, CallId, Machine, Moment, Outcome, State};
///
/// let machine = Machine::new(BreakerConfig::new().only_consecutive(2), Moment::ZERO).unwrap();
/// let mut seen = Vec::new();
/// for millis in [1, 2] {
///     let now = Moment::from_millis(millis);
///     let call = machine.admit(now, &mut |_| {}).unwrap();
///     machine.record(call, Outcome::Failure, now, CallId::default, &mut |t| seen.push(t.to));
/// }
/// assert_eq!(seen, [State::Open]);
/// assert!(machine.admit(Moment::from_millis(3), &mut |_| {}).is_err());
/// ```
#[derive(Debug)]
pub struct Machine {
    hot: Hot,
    window: Window,
    counters: Counters,
    run: Apart<Run>,
    chance: Apart<Chance>,
    recent: Apart<Mutex<RecentCalls>>,
    era: Mutex<Era>,
}

/// Read by every call, written by transitions only.
#[derive(Debug)]
#[repr(align(128))]
struct Hot {
    word: AtomicU64,
    /// When an open breaker may probe.
    open_until: AtomicU64,
    /// When the next lease of a half-open breaker runs out.
    lease_due: AtomicU64,
    /// `{permits 32 | concurrent 32}`; nothing concurrent for ordinary calls if probes are
    /// dedicated.
    probes: AtomicU64,
    criteria: Criteria,
}

/// Keeps what is written often off the lines of what is read often.
#[derive(Debug)]
#[repr(align(128))]
struct Apart<T>(T);

/// What only transitions need.
#[derive(Debug)]
struct Era {
    config: BreakerConfig,
    half_open: HalfOpenEra,
    /// Since when the state callers experience holds, and the computed one.
    since: Moment,
    computed_since: Moment,
    time_in: [Duration; 6],
    attempt: u32,
    ramp_from: Moment,
    /// What the window held when it tripped; shown while open.
    at_trip: Sums,
    quota: Option<Arc<OpenQuota>>,
    holds_quota: bool,
    suppressed: u64,
    suppressed_this_era: bool,
}

impl Machine {
    /// A closed breaker (or whatever `config.mode` makes of it) that starts at `now`.
    ///
    /// ```
    /// use tripline_sdk::{BreakerConfig, Machine, Moment, State};
    /// let start = Moment::from_millis(7);
    /// let machine = Machine::new(BreakerConfig::new(), start)?;
    /// let snapshot = machine.snapshot(start);
    /// assert_eq!((snapshot.state, snapshot.since), (State::Closed, start));
    /// # Ok::<(), tripline_sdk::InvalidConfig>(())
    /// ```
    ///
    /// # Errors
    /// Settings that cannot work.
    pub fn new(config: BreakerConfig, now: Moment) -> Result<Self, InvalidConfig> {
        Self::in_group(config, now, None)
    }

    pub(crate) fn in_group(
        config: BreakerConfig,
        now: Moment,
        quota: Option<Arc<OpenQuota>>,
    ) -> Result<Self, InvalidConfig> {
        config.validate()?;
        if let Some(quota) = &quota {
            quota.join();
        }
        Ok(Self {
            hot: Hot {
                word: AtomicU64::new(Word::new(config.mode, Phase::Closed, 0).0),
                open_until: AtomicU64::new(0),
                lease_due: AtomicU64::new(u64::MAX),
                probes: AtomicU64::new(packed_probes(&config)),
                criteria: Criteria::new(&config),
            },
            window: config.build_window(),
            counters: Counters::new(config.stripes),
            run: Apart(Run::new()),
            chance: Apart(Chance::new(config.seed)),
            recent: Apart(Mutex::new(RecentCalls::default())),
            era: Mutex::new(Era {
                config,
                half_open: HalfOpenEra::new(config.half_open.permits),
                since: now,
                computed_since: now,
                time_in: [Duration::ZERO; 6],
                attempt: 0,
                ramp_from: now,
                at_trip: Sums::default(),
                quota,
                holds_quota: false,
                suppressed: 0,
                suppressed_this_era: false,
            }),
        })
    }

    #[inline]
    fn word(&self) -> Word {
        Word(self.hot.word.load(Ordering::Acquire))
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        let era = lock(&self.era);
        if let Some(quota) = &era.quota {
            if era.holds_quota {
                quota.close();
            }
            quota.leave();
        }
    }
}

fn packed_probes(config: &BreakerConfig) -> u64 {
    let half = config.half_open;
    let concurrent = if half.dedicated_probes {
        0
    } else {
        half.concurrent
    };
    u64::from(half.permits) << 32 | u64::from(concurrent)
}
