//! What-if: recorded calls of a breaker under other settings.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{TimeRange, exact};

/// Asks what would have been.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct WhatIfQuery {
    /// The breaker.
    pub breaker_id: String,
    /// The calls of this time.
    pub range: TimeRange,
    /// Settings that differ from the recorded ones, by their names; empty replays the recorded ones alone.
    pub edits: BTreeMap<String, String>,
    /// Also look for better settings.
    pub propose: bool,
    /// Calls read at most, oldest first.
    pub calls_max: usize,
}

/// What would have been.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct WhatIf {
    /// The breaker.
    pub breaker_id: String,
    /// The service that owns it.
    pub service_name: String,
    /// Its name.
    pub name: String,
    /// Which of a keyed family.
    pub key: Option<String>,
    /// Who reports it.
    pub origin: String,
    /// The calls of this time.
    pub range: Option<TimeRange>,
    /// Calls replayed, of all instances.
    pub calls: u64,
    /// More calls are stored than were read.
    pub truncated: bool,
    /// How much of the breaker's calls that is.
    pub coverage: CallCoverage,
    /// Why nothing was replayed, in words: too few of the calls are stored.
    pub refused: Option<String>,
    /// Instances replayed, each for itself.
    pub instances: u32,
    /// The newest settings of the range. The baseline is replayed under those of each instance and time.
    pub settings: BTreeMap<String, String>,
    /// Where those are from: `event`, `defaults of …`, `default of the SDK`.
    pub settings_source: String,
    /// How well the replay repeats what happened.
    pub baseline: Baseline,
    /// What happened, as recorded.
    pub happened: Outcome,
    /// The replay under the recorded settings.
    pub recorded: Outcome,
    /// The replay under the edited settings.
    pub edited: Option<Outcome>,
    /// Settings that no other tried ones beat in every respect.
    pub proposals: Vec<Proposal>,
    /// What this cannot know.
    pub limits: Vec<String>,
}

/// Where less of the calls than this is stored, nothing is replayed: a fifth missing moves most trips.
pub const COVERAGE_MIN: f64 = 0.8;

/// How much of what was called is stored, by the weights of the spans.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct CallCoverage {
    /// `all`, `sampled` (weights were used) or `unknown` (no weight is said; each span counts as one call).
    pub basis: String,
    /// Share of the calls that is stored, 0 to 1.
    pub share: f64,
    /// Calls that the stored ones stand for, about.
    pub estimated_calls: f64,
}

/// How well a replay under the recorded settings repeats the recorded transitions.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Baseline {
    /// Recorded trips.
    pub trips: u32,
    /// Of these, found by the replay (to the nanosecond if `exact`, else within ten seconds).
    pub reproduced: u32,
    /// Trips of the replay that were not recorded.
    pub extra: u32,
    /// Every transition of every instance came out the same: states, reason and time.
    pub exact: bool,
    /// In words: "reproduces 7 of 9 recorded trips".
    pub sentence: String,
    /// Rules that differ, where it is not exact.
    pub differs: Vec<String>,
}

impl Baseline {
    /// Whether it says little about the breaker: of all trips, recorded and made up, under 90 % are in both.
    pub fn is_weak(&self) -> bool {
        let trips = u64::from(self.trips) + u64::from(self.extra);
        u64::from(self.reproduced) * 10 < trips * 9
    }
}

/// What a breaker did, or would have done.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Outcome {
    /// Changes from closed to open.
    pub trips: u64,
    /// Calls let through.
    pub admitted: u64,
    /// Calls refused.
    pub rejected: u64,
    /// Of these, calls that succeeded back then.
    pub rejected_good: u64,
    /// Of these, calls that failed back then.
    pub avoided_failures: u64,
    /// Let through though refused back then: what would have become of them is not known.
    pub admitted_unknown: u64,
    /// From the first failure of a run to the trip, mean nanoseconds.
    #[serde(with = "exact::option")]
    pub detect_ns: Option<u64>,
    /// From the first success after a trip to closed, mean nanoseconds.
    #[serde(with = "exact::option")]
    pub recover_ns: Option<u64>,
    /// Nanoseconds from a trip to closed, summed over instances.
    #[serde(with = "exact")]
    pub open_ns: u64,
}

/// Settings worth a look.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Proposal {
    /// What differs from the recorded settings; empty for these themselves.
    pub edits: BTreeMap<String, String>,
    /// What they would have done.
    pub outcome: Outcome,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_baseline_is_weak_by_trips_that_it_misses_and_by_those_that_it_makes_up() {
        let is_weak = |trips: u32, reproduced: u32, extra: u32| {
            let baseline = Baseline {
                trips,
                reproduced,
                extra,
                ..Baseline::default()
            };
            baseline.is_weak()
        };
        assert!(!is_weak(0, 0, 0) && !is_weak(10, 9, 0) && !is_weak(10, 10, 1));
        assert!(is_weak(9, 8, 0) && is_weak(0, 0, 50) && is_weak(10, 10, 2));
    }
}
