//! A small search for better settings: a grid around the recorded ones, and what of it nothing else beats.

use std::time::Duration;

use tripline_sdk::{BreakerConfig, WindowConfig};

use super::history::{Ended, History};
use super::replay::{Replayed, replay};
use super::settings::{self, Edits, SettingsError};

/// What counts: less of each is better.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Cost {
    /// Refused calls that would have succeeded.
    pub rejected_good: u64,
    /// Failed calls let through.
    pub failures_let_through: u64,
    /// Mean time to detect, nanoseconds; of trips that happened.
    pub detect_ns: u64,
}

impl Cost {
    fn of(runs: &[Replayed], failures: u64) -> Self {
        let avoided: u64 = runs.iter().map(|run| run.avoided_failures).sum();
        let times: Vec<u64> = runs
            .iter()
            .flat_map(|run| run.detect_ns.iter().copied())
            .collect();
        let count = u64::try_from(times.len()).unwrap_or(1).max(1);
        Self {
            rejected_good: runs.iter().map(|run| run.rejected_good).sum(),
            failures_let_through: failures.saturating_sub(avoided),
            detect_ns: times.iter().sum::<u64>() / count,
        }
    }

    /// Whether this is no worse in any respect and better in one.
    pub fn dominates(&self, other: &Self) -> bool {
        let no_worse = self.rejected_good <= other.rejected_good
            && self.failures_let_through <= other.failures_let_through
            && self.detect_ns <= other.detect_ns;
        no_worse && self != other
    }
}

/// Changes of settings that are worth a look, with what they cost; none is beaten by another in every respect. Those
/// looked at are around `base`.
pub fn pareto(base: &BreakerConfig, histories: &[&History]) -> Vec<(Edits, Cost, Vec<Replayed>)> {
    let failures: u64 = histories
        .iter()
        .flat_map(|history| history.asked())
        .map(|call| u64::from(call.ended == Ended::Failure))
        .sum();
    let mut found: Vec<(Edits, Cost, Vec<Replayed>)> = Vec::new();
    for config in grid(base) {
        let edits = settings::differences(base, &config);
        let run = |history: &&History| {
            let told = settings::all_edited(&history.settings, &edits)?;
            replay(&told, history, &[])
        };
        let runs: Result<Vec<Replayed>, SettingsError> = histories.iter().map(run).collect();
        let Ok(runs) = runs else { continue };
        let cost = Cost::of(&runs, failures);
        let is_beaten = found
            .iter()
            .any(|(_, known, _)| known.dominates(&cost) || *known == cost);
        if !is_beaten {
            found.retain(|(_, known, _)| !cost.dominates(known));
            found.push((edits, cost, runs));
        }
    }
    found.sort_by_key(|(_, cost, _)| (cost.rejected_good, cost.failures_let_through));
    found
}

/// The recorded settings, and each of the usual knobs turned.
fn grid(base: &BreakerConfig) -> Vec<BreakerConfig> {
    let mut grid = vec![*base];
    let ratios: &[Option<f64>] = if base.failure_ratio.is_some() {
        &[Some(0.25), Some(0.5), Some(0.75)]
    } else {
        &[None]
    };
    for ratio in ratios {
        for minimum in [0.5, 1.0, 2.0] {
            for open in [0.5, 1.0, 2.0] {
                for window in [0.5, 1.0, 2.0] {
                    let scaled =
                        |length: Duration| length.mul_f64(window).max(Duration::from_millis(1));
                    let minimum = (f64::from(base.minimum_calls) * minimum).ceil().max(1.0) as u32;
                    let mut config = BreakerConfig {
                        minimum_calls: minimum,
                        failure_ratio: ratio.or(base.failure_ratio),
                        window: match base.window {
                            WindowConfig::Time { length, buckets } => WindowConfig::Time {
                                length: scaled(length),
                                buckets,
                            },
                            WindowConfig::Count { size } => WindowConfig::Count {
                                size: (f64::from(size) * window).ceil().max(1.0) as u32,
                            },
                        },
                        ..*base
                    };
                    config.open.base = base.open.base.mul_f64(open);
                    config.open.max = base.open.max.max(config.open.base);
                    if config.validate().is_ok() && !grid.contains(&config) {
                        grid.push(config);
                    }
                }
            }
        }
    }
    grid
}
