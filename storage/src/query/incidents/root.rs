//! The likely root of an incident. Pure: order of trips, what is open below, who fails by itself.
//!
//! Score of a breaker = 0.35 × precedence + 0.3 × (nothing open below it) + 0.35 × its callee's own trouble, after
//! "earliest trip whose peer fails by itself and has no open out-edges". Precedence is e^(−seconds after the first
//! trip / 10). Own trouble is the callee's failed share that its own callees do not explain, or 0.5 when it got at
//! least twice as slow and none of its callees did. From the winner's callee the search walks on to a callee of
//! *its* while that one explains most of the failures: it may have no breaker before it.

use super::links::Node;
use super::windows::{Pair, Windows};
use crate::model::{Clue, Incident, IncidentBreaker, Root, Scope};

const PRECEDENCE_DECAY_S: f64 = 10.0;
/// Slower than before by this factor, and by this much, is slow.
const SLOW_FACTOR: f64 = 2.0;
const SLOW_MIN_NS: f64 = 20e6;
/// A callee that accounts for this share of failures explains them.
const EXPLAINS: f64 = 0.5;
const WALK_MAX: usize = 8;

/// The likely root and its scope; `None` when no breaker's callee is known.
pub(super) fn root(incident: &Incident, windows: &Windows, window: usize) -> Option<(Root, Scope)> {
    let first = incident.start_unix_nano;
    let mut best: Option<(f64, &IncidentBreaker, Trouble)> = None;
    for breaker in &incident.breakers {
        let Some(peer) = peer(breaker, windows, window) else {
            continue;
        };
        let late = (breaker.trip.time_unix_nano - first) as f64 / 1e9;
        let trouble = Trouble::of(windows, window, &peer);
        let is_lowest = breaker.downstream.is_empty();
        let score = 0.35 * (-late / PRECEDENCE_DECAY_S).exp()
            + 0.3 * f64::from(u8::from(is_lowest))
            + 0.35 * (2.0 * trouble.own).min(1.0);
        if best.as_ref().is_none_or(|(known, ..)| score > *known) {
            best = Some((score, breaker, trouble));
        }
    }
    let (score, breaker, trouble) = best?;
    let mut evidence = Vec::new();
    let at = &breaker.trip;
    let position = incident
        .breakers
        .iter()
        .position(|other| other.breaker_id == breaker.breaker_id)
        .unwrap_or_default();
    let count = incident.breakers.len();
    if count > 1 {
        evidence.push(clue(
            "trip_order",
            format!(
                "{} → {} was number {} of {count} breakers to trip.",
                breaker.service_name,
                trouble.node.1,
                position + 1
            ),
            Some((at.time_unix_nano - first) as f64 / 1e9),
        ));
    }
    if breaker.downstream.is_empty() && count > 1 {
        evidence.push(clue(
            "no_open_callee",
            format!(
                "No breaker below {} is part of the incident.",
                trouble.node.1
            ),
            None,
        ));
    }
    let (trouble, walked) = descend(windows, window, trouble);
    evidence.extend(walked);
    evidence.extend(trouble.clues());
    let (scope, service) = trouble.node;
    let root = Root {
        service,
        breaker_id: breaker.breaker_id.clone(),
        score,
        evidence,
    };
    Some((root, scope))
}

fn peer(breaker: &IncidentBreaker, windows: &Windows, window: usize) -> Option<Node> {
    let name = breaker.peer.as_ref()?;
    let owner = (breaker.scope.clone(), breaker.service_name.clone());
    let known = windows
        .callees(window, &owner)
        .map(|(node, _)| node)
        .find(|(_, callee)| callee == name);
    Some(
        known
            .cloned()
            .unwrap_or_else(|| (breaker.scope.clone(), name.clone())),
    )
}

/// Walks on to the callee that explains the failures, while there is one.
fn descend(windows: &Windows, window: usize, mut trouble: Trouble) -> (Trouble, Vec<Clue>) {
    let mut clues = Vec::new();
    for _ in 0..WALK_MAX {
        let Some(below) = trouble.explained_by.clone() else {
            break;
        };
        clues.push(clue(
            "callee_fails",
            format!(
                "{}'s failures are calls to {} that fail.",
                trouble.node.1, below.1
            ),
            None,
        ));
        let next = Trouble::of(windows, window, &below);
        trouble = next;
    }
    (trouble, clues)
}

/// What ails a node, and whether it does so by itself.
struct Trouble {
    node: Node,
    pair: Pair,
    /// 0 to 1.
    own: f64,
    is_slow: bool,
    explained_by: Option<Node>,
}

impl Trouble {
    fn of(windows: &Windows, window: usize, node: &Node) -> Self {
        let pair = windows.answers(window, node).unwrap_or_default();
        let errors = pair[1].errors;
        let mut explained = 0;
        let mut worst: Option<(u64, &Node)> = None;
        let mut slow_callee = None;
        for (callee, sums) in windows.callees(window, node) {
            explained += sums[1].errors;
            if worst.is_none_or(|(known, _)| sums[1].errors > known) {
                worst = Some((sums[1].errors, callee));
            }
            if is_slow(sums) {
                slow_callee = Some(callee);
            }
        }
        let unexplained = errors.saturating_sub(explained) as f64 / pair[1].calls.max(1) as f64;
        let is_slow_itself = is_slow(&pair);
        let slow = if is_slow_itself && slow_callee.is_none() {
            0.5
        } else {
            0.0
        };
        let by_errors = worst
            .filter(|(failed, _)| errors > 0 && *failed as f64 >= EXPLAINS * errors as f64)
            .map(|(_, callee)| callee);
        let by_latency = slow_callee.filter(|_| is_slow_itself && errors == 0);
        Self {
            node: node.clone(),
            pair,
            own: unexplained.max(slow),
            is_slow: is_slow_itself,
            explained_by: by_errors.or(by_latency).cloned(),
        }
    }

    fn clues(&self) -> Vec<Clue> {
        let [before, during] = &self.pair;
        let name = &self.node.1;
        let mut clues = Vec::new();
        if during.errors > 0 {
            clues.push(clue(
                "own_errors",
                format!(
                    "{} of {} calls to {name} failed ({:.0} %, before {:.0} %), and none of its callees accounts for it.",
                    during.errors,
                    during.calls,
                    100.0 * during.error_share(),
                    100.0 * before.error_share()
                ),
                Some(during.error_share()),
            ));
        }
        if self.is_slow {
            clues.push(clue(
                "slow",
                format!(
                    "{name} took {:.0} ms on average, before {:.0} ms.",
                    during.mean_ns / 1e6,
                    before.mean_ns / 1e6
                ),
                Some(during.mean_ns / 1e9),
            ));
        }
        clues
    }
}

fn is_slow(pair: &Pair) -> bool {
    let [before, during] = pair;
    before.calls > 0
        && during.calls > 0
        && during.mean_ns >= SLOW_FACTOR * before.mean_ns
        && during.mean_ns - before.mean_ns >= SLOW_MIN_NS
}

fn clue(kind: &str, sentence: String, value: Option<f64>) -> Clue {
    Clue {
        kind: kind.to_owned(),
        sentence,
        value,
    }
}
