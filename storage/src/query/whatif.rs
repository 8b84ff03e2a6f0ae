//! What a breaker would have done under other settings: rows of the store, replayed by the SDK's state machine.

use std::collections::BTreeSet;
use std::time::Duration;

use super::breakers::breaker;
use super::{QueryError, Session};
use crate::model::{COVERAGE_MIN, CallCoverage, Outcome, Proposal, WhatIf, WhatIfQuery};
use crate::resilience::whatif::history::{History, Told};
use crate::resilience::whatif::lives::Life;
use crate::resilience::whatif::replay::{Replayed, replay};
use crate::resilience::whatif::settings::{Edits, SettingsError};
use crate::resilience::whatif::{search, settings};

mod calls;
mod limits;
mod stored;
#[cfg(test)]
mod tests;
mod verdict;

/// The SDK's origin.
const OURS: &str = "tripline-sdk";
/// A search over more calls would keep people waiting.
const SEARCH_CALLS_MAX: usize = 50_000;

/// What would have been; `None` when no such breaker is known.
///
/// # Errors
/// [`QueryError::Settings`] for settings that cannot be read or cannot work.
pub fn what_if(session: &Session<'_>, query: &WhatIfQuery) -> Result<Option<WhatIf>, QueryError> {
    let Some(detail) = breaker(session, &query.breaker_id)? else {
        return Ok(None);
    };
    let stored = stored::read(session, &detail, query)?;
    let (lives, found) = (&stored.lives, stored.found);
    let histories: Vec<&History> = lives.iter().map(|life| &life.history).collect();
    let coverage = coverage(found);
    let breaker = &detail.breaker;
    let mut answer = WhatIf {
        breaker_id: query.breaker_id.clone(),
        service_name: breaker.service_name.clone(),
        name: breaker.name.clone(),
        key: breaker.key.clone(),
        origin: breaker.origin.clone(),
        range: Some(query.range),
        calls: found.taken as u64,
        truncated: found.calls > query.calls_max,
        refused: too_few(&coverage, found),
        limits: limits::limits(breaker, &stored, &coverage),
        coverage,
        instances: instances(lives),
        settings: settings::texts(&stored.settings.shown),
        settings_source: stored.settings.source.clone(),
        happened: verdict::happened(&histories),
        ..WhatIf::default()
    };
    if answer.refused.is_some() {
        return Ok(Some(answer));
    }
    let (replayed, edited) = run_both(&histories, &query.edits);
    let replayed = replayed?;
    answer.baseline = verdict::baseline(breaker, &histories, &replayed);
    answer.recorded = outcome(&replayed);
    let base = &stored.settings.base;
    if let Some(edited) = edited {
        // Also where no call is stored to replay them with.
        settings::edited(base, &query.edits).map_err(|error| refused(&error))?;
        answer.edited = Some(outcome(&edited?));
    }
    if query.propose && answer.calls as usize <= SEARCH_CALLS_MAX {
        answer.proposals = search::pareto(base, &histories)
            .into_iter()
            .map(|(edits, _, runs)| Proposal {
                edits,
                outcome: outcome(&runs),
            })
            .collect();
    } else if query.propose {
        answer.limits.push(format!(
            "No settings are proposed for more than {SEARCH_CALLS_MAX} calls: narrow the range."
        ));
    }
    Ok(Some(answer))
}

fn refused(error: &SettingsError) -> QueryError {
    tracing::debug!(%error, "settings refused");
    QueryError::Settings(error.to_string())
}

fn instances(lives: &[Life]) -> u32 {
    let all: BTreeSet<&str> = lives.iter().map(|life| life.instance.as_str()).collect();
    u32::try_from(all.len()).unwrap_or(u32::MAX)
}

/// What the stored calls stand for.
fn coverage(found: calls::Found) -> CallCoverage {
    let stored = found.taken as f64;
    let is_sampled = found.weight > stored;
    CallCoverage {
        basis: match (is_sampled, found.is_unknown) {
            (true, _) => "sampled",
            (false, true) => "unknown",
            (false, false) => "all",
        }
        .to_owned(),
        share: if is_sampled {
            stored / found.weight
        } else {
            1.0
        },
        estimated_calls: found.weight.max(stored),
    }
}

/// Why too little is stored to replay it, if it is.
fn too_few(coverage: &CallCoverage, found: calls::Found) -> Option<String> {
    (coverage.share < COVERAGE_MIN).then(|| {
        format!(
            "About {:.0} % of this breaker's calls are stored ({} of about {:.0}; the others were not sampled). Under {:.0} % \
             nothing is replayed: windows that much emptier than they were say nothing about what would have tripped.",
            coverage.share * 100.0,
            found.taken,
            coverage.estimated_calls,
            COVERAGE_MIN * 100.0
        )
    })
}

/// What became of each life.
type Runs = Result<Vec<Replayed>, QueryError>;

/// Replays under what was told and, if there are edits, with these laid over it: at once, since one takes as long as the
/// other.
fn run_both(histories: &[&History], edits: &Edits) -> (Runs, Option<Runs>) {
    let none = Edits::new();
    if edits.is_empty() {
        return (run(histories, &none), None);
    }
    std::thread::scope(|scope| {
        let edited = scope.spawn(|| run(histories, edits));
        let told = run(histories, &none);
        let edited = edited
            .join()
            .unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        (told, Some(edited))
    })
}

/// Replays each life under what it was told, with these edits laid over it.
fn run(histories: &[&History], edits: &Edits) -> Runs {
    let replayed = |history: &&History| {
        let told = settings::all_edited(&history.settings, edits)?;
        replay(&told, history, &open_times(history, &told))
    };
    histories
        .iter()
        .map(|history| replayed(history).map_err(|error| refused(&error)))
        .collect()
}

/// From the recorded openings, jitter and all; where the settings of open times were edited, from those, without jitter.
fn open_times(history: &History, edited: &[Told]) -> Vec<Duration> {
    let mut both = history.settings.iter().zip(edited);
    if both.all(|(told, edited)| told.config.open == edited.config.open) {
        history.open_times()
    } else {
        Vec::new()
    }
}

fn mean(times: &[u64]) -> Option<u64> {
    let count = u64::try_from(times.len()).ok().filter(|count| *count > 0)?;
    Some(times.iter().sum::<u64>() / count)
}

fn outcome(runs: &[Replayed]) -> Outcome {
    let sum = |of: fn(&Replayed) -> u64| runs.iter().map(of).sum::<u64>();
    let detect: Vec<u64> = runs.iter().flat_map(|run| run.detect_ns.clone()).collect();
    let recover: Vec<u64> = runs.iter().flat_map(|run| run.recover_ns.clone()).collect();
    Outcome {
        trips: runs.iter().map(|run| run.trips() as u64).sum(),
        admitted: sum(|run| run.admitted),
        rejected: sum(|run| run.rejected_good + run.avoided_failures + run.rejected_other),
        rejected_good: sum(|run| run.rejected_good),
        avoided_failures: sum(|run| run.avoided_failures),
        admitted_unknown: sum(|run| run.admitted_unknown),
        detect_ns: mean(&detect),
        recover_ns: mean(&recover),
        open_ns: sum(|run| run.open_ns),
    }
}
