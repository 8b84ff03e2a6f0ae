//! How well the replay repeats what happened, and what happened by itself.

use tripline_sdk::State;

use super::{OURS, mean};
use crate::model::{Baseline, Breaker, Outcome};
use crate::resilience::Recognisers;
use crate::resilience::whatif::history::{Call, Ended, History};
use crate::resilience::whatif::replay::Replayed;
use crate::resilience::whatif::spells::Spells;

/// A foreign trip this near to a replayed one is the same, nanoseconds.
const NEAR_NS: i64 = 10_000_000_000;

/// What the records say by themselves.
pub(super) fn happened(histories: &[&History]) -> Outcome {
    let mut sum = Outcome::default();
    let (mut detect, mut recover) = (Vec::new(), Vec::new());
    for history in histories {
        let is_refused = |call: &&Call| call.ended == Ended::Rejected;
        let calls = history.asked();
        let rejected = calls.iter().filter(is_refused).count() as u64;
        sum.rejected += rejected;
        sum.admitted += calls.len() as u64 - rejected;
        let trips = history.changes.iter().filter(|change| change.is_trip());
        sum.trips += trips.count() as u64;
        let spells = spells(history);
        sum.open_ns += spells.open_ns;
        detect.extend(spells.detect_ns);
        recover.extend(spells.recover_ns);
    }
    sum.detect_ns = mean(&detect);
    sum.recover_ns = mean(&recover);
    sum
}

/// How long its trips and recoveries took.
fn spells(history: &History) -> Spells {
    let mut spells = Spells::new(history);
    let mut calls: Vec<&Call> = history.calls.iter().collect();
    calls.sort_by_key(|call| call.end());
    let mut calls = calls.into_iter().peekable();
    for change in &history.changes {
        while let Some(call) = calls.next_if(|call| call.end() <= change.at) {
            spells.ended(call.ended, call.end());
        }
        spells.changed(&change.from, &change.to, change.at);
    }
    spells
}

/// The replay beside the record.
pub(super) fn baseline(
    breaker: &Breaker,
    histories: &[&History],
    replayed: &[Replayed],
) -> Baseline {
    let is_ours = breaker.origin == OURS;
    let mut found = Baseline {
        exact: is_ours,
        ..Baseline::default()
    };
    for (history, run) in histories.iter().zip(replayed) {
        let exactly = history.changes.len() == run.changes.len()
            && history.changes.iter().zip(&run.changes).all(
                |(recorded, (at, from, to, reason))| {
                    recorded.at == *at
                        && recorded.from == from.as_str()
                        && recorded.to == to.as_str()
                        && recorded.reason.as_deref() == Some(reason.as_str())
                },
            );
        found.exact &= exactly;
        let mut trips: Vec<i64> = run
            .changes
            .iter()
            .filter(|(_, from, to, _)| *from == State::Closed && *to == State::Open)
            .map(|(at, ..)| *at)
            .collect();
        for recorded in history.changes.iter().filter(|change| change.is_trip()) {
            found.trips += 1;
            let is_it = |at: &i64| *at >= recorded.lo - NEAR_NS && *at <= recorded.at + NEAR_NS;
            if let Some(same) = trips.iter().position(is_it) {
                trips.swap_remove(same);
                found.reproduced += 1;
            }
        }
        found.extra += u32::try_from(trips.len()).unwrap_or(u32::MAX);
    }
    let extra = match found.extra {
        0 => String::new(),
        extra => format!(", and {extra} that did not happen"),
    };
    found.sentence = format!(
        "reproduces {} of {} recorded trips{extra}{}",
        found.reproduced,
        found.trips,
        if found.exact {
            ", every transition to the nanosecond"
        } else {
            ""
        }
    );
    if !found.exact {
        found.differs = match Recognisers::shipped().replay_rules(&breaker.origin) {
            Some(rules) => rules.differs.clone(),
            None if is_ours => vec![
                "A span that does not say when its breaker counted the call stands for it as a whole: work before or after it in the same span moves its times.".to_owned(),
                "Where calls do not say in which of their breaker's turns they counted, those that ended within microseconds of one another may have counted in another order than they ended.".to_owned(),
                "Calls whose spans were not stored (sampling, retention) are missing from the window.".to_owned(),
                "The steps of a window of time are counted from the origin of its breaker's clock, where no span says when that was from when the breaker was made.".to_owned(),
            ],
            None => vec!["The rules of this library are not known.".to_owned()],
        };
    }
    found
}
