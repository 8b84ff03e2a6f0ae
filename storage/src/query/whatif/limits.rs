//! What a replay cannot know, in words.

use std::collections::BTreeSet;

use super::OURS;
use super::stored::{Stored, Whose};
use crate::model::{Breaker, CallCoverage};
use crate::resilience::whatif::doubts::Doubt;
use crate::resilience::whatif::history::Ended;
use crate::resilience::whatif::lives::Life;

/// All of it, what always holds first.
pub(super) fn limits(breaker: &Breaker, stored: &Stored, coverage: &CallCoverage) -> Vec<String> {
    let mut limits = vec![
        "A call that was refused has no outcome: where other settings would let it through, what would have become of it is not known.".to_owned(),
        "The callee is taken as it was: less load might have let it recover sooner, more might not have.".to_owned(),
        "Edited open times are replayed without jitter.".to_owned(),
    ];
    limits.extend(match stored.whose {
        Whose::Marked => None,
        Whose::OfEdge => Some(of_edge(breaker, "no call")),
        Whose::OfEdgeBesideRefused => Some(of_edge(breaker, "none but the calls it refused")),
    });
    match coverage.basis.as_str() {
        "sampled" => limits.push(format!(
            "About {:.0} % of the calls are stored: windows are that much emptier than they were.",
            coverage.share * 100.0
        )),
        "unknown" => limits.push(
            "The spans do not say whether others were left out (sampling): if so, windows were fuller than they are here."
                .to_owned(),
        ),
        _ => {}
    }
    if !stored.settings.is_reported {
        limits.push(
            "The breaker does not report its settings: defaults stand for them, and one that was told others did otherwise."
                .to_owned(),
        );
    }
    limits.extend(of_settings(stored));
    if breaker.origin == OURS {
        limits.extend(of_lives(&stored.lives));
    } else {
        limits.push("Only the SDK's breakers are reproduced exactly; others by the rules they share with it.".to_owned());
    }
    let has_rejected = stored
        .lives
        .iter()
        .flat_map(|life| life.history.asked())
        .any(|call| call.ended == Ended::Rejected);
    if !has_rejected {
        limits.push(
            "No refused call is recorded: time spent open looks like time without calls."
                .to_owned(),
        );
    }
    limits
}

/// Whose calls are taken for the breaker's.
fn of_edge(breaker: &Breaker, marked: &str) -> String {
    let callee = breaker
        .peer_service
        .as_ref()
        .or(breaker.peer_address.as_ref());
    let callee = callee.map_or("its callee", String::as_str);
    let known = match breaker.peer_evidence.as_deref() {
        Some("address") => ", which is inferred from its address",
        Some("trace") => ", which is inferred from its traces",
        Some("user_rule") => ", as a rule of the configuration says",
        Some("name") => ", which is inferred from its name",
        Some("edge") => ", which is inferred: nobody else is called",
        _ => "",
    };
    format!(
        "The breaker writes on {marked}: all calls of {} to {callee} are taken for its own{known}.",
        breaker.service_name
    )
}

/// What the settings shown are not.
fn of_settings(stored: &Stored) -> Vec<String> {
    let mut limits = Vec::new();
    let mut distinct = Vec::new();
    let all = stored.lives.iter().flat_map(|life| life.history.held());
    for told in all {
        if !distinct.contains(&told.config) {
            distinct.push(told.config);
        }
    }
    if distinct.len() > 1 {
        limits.push(format!(
            "It ran under {} different settings in this time, by instance or one after the other: each call is replayed under \
             those of its instance and time, with edits laid over them. Shown are the newest.",
            distinct.len()
        ));
    }
    if !stored.settings.strange.is_empty() {
        let names: Vec<&str> = stored.settings.strange.iter().map(String::as_str).collect();
        limits.push(format!(
            "Settings that are not known here are left out: {}.",
            names.join(", ")
        ));
    }
    if distinct.iter().any(|config| config.ramp.is_some()) {
        limits.push(
            "After closing it let calls in by chance, a growing share of them: other calls than then are let in here."
                .to_owned(),
        );
    }
    limits
}

/// Each doubt once, with the number of instances that it is about.
fn of_lives(lives: &[Life]) -> Vec<String> {
    let all: BTreeSet<Doubt> = lives.iter().flat_map(|life| life.doubts.clone()).collect();
    all.into_iter()
        .map(|doubt| {
            let doubted: BTreeSet<&str> = lives
                .iter()
                .filter(|life| life.doubts.contains(&doubt))
                .map(|life| life.instance.as_str())
                .collect();
            let of = match doubted.len() {
                1 => "1 instance".to_owned(),
                count => format!("{count} instances"),
            };
            match doubt {
                Doubt::State => format!(
                    "The state of {of} at the beginning of the range is not recorded: closed, with an empty window, is assumed."
                ),
                Doubt::Window => format!(
                    "The window of {of} may have held older calls at the beginning of the range than were read for it."
                ),
                Doubt::Origin => format!(
                    "When the breaker of {of} was made is not recorded: the steps of its window are counted from its first call."
                ),
                Doubt::Settings => format!(
                    "What {of} was told at first is not recorded: what it was told later, or else what others were told, stands for it."
                ),
                Doubt::Report => format!(
                    "Whether new settings of {of} changed its breaker or made it anew is not recorded: a change is assumed."
                ),
                Doubt::Restart => format!(
                    "When {of} began anew is known only from counters, to an interval of their export."
                ),
                Doubt::Untold => format!(
                    "The breaker of {of} counted more than spans tell: of several calls under one span the last is told, spans that \
                     were left out or lost tell none, and probes of a health check have none. Its windows were fuller than here."
                ),
            }
        })
        .collect()
}
