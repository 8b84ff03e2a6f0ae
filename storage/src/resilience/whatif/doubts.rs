//! What had to be assumed of a life, because nothing that is recorded says it. It is said beside the answer.

use std::ops::Range;

use tripline_sdk::{BreakerConfig, WindowConfig};

use super::births::Birth;
use super::history::{Change, Ended, History, Start};
use super::untold::has_untold;

/// What had to be assumed of a life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Doubt {
    /// Its state at the beginning: closed, or half-open without probes.
    State,
    /// That its window held nothing from before the calls that were read.
    Window,
    /// When it was made, from which the steps of its window are counted.
    Origin,
    /// Its settings: those of others, or later ones of its own.
    Settings,
    /// That a report of settings is of a change, not of a making.
    Report,
    /// The moment it began anew.
    Restart,
    /// That no calls went through it but those that spans tell.
    Untold,
}

/// What is recorded of a life besides its history.
pub(super) struct Evidence<'a> {
    /// From its beginning, if that is known, until the next one's.
    pub time: Range<i64>,
    /// Its beginning.
    pub birth: Option<Birth>,
    /// Calls say when its clock began.
    pub is_clocked: bool,
    /// It was told settings before what is asked for.
    pub is_told: bool,
    /// Reports of its instance that may be of a change or of a making; times.
    pub unclear: &'a [i64],
    /// Changes before what is asked for.
    pub before: &'a [Change],
    /// Calls were read from here on.
    pub read_from: i64,
}

impl Evidence<'_> {
    /// What was assumed for this history of it, in order.
    pub(super) fn doubts(&self, history: &History) -> Vec<Doubt> {
        let mut doubts = Vec::new();
        let began_before = self.time.start < history.from;
        if began_before && self.is_state_unknown(history) {
            doubts.push(Doubt::State);
        } else if began_before && !self.is_remembered(history) {
            doubts.push(Doubt::Window);
        }
        let is_stepped = history
            .settings
            .iter()
            .any(|told| matches!(told.config.window, WindowConfig::Time { .. }));
        if is_stepped && self.birth.is_none() && !self.is_clocked {
            doubts.push(Doubt::Origin);
        }
        if !self.is_told {
            doubts.push(Doubt::Settings);
        }
        let looked_at = self.read_from..history.until;
        let is_looked_at = |at: &i64| self.time.contains(at) && looked_at.contains(at);
        if self.unclear.iter().any(is_looked_at) {
            doubts.push(Doubt::Report);
        }
        if self
            .birth
            .is_some_and(|birth| !birth.is_reported && looked_at.contains(&birth.at))
        {
            doubts.push(Doubt::Restart);
        }
        if has_untold(&history.calls) {
            doubts.push(Doubt::Untold);
        }
        doubts
    }

    /// Whether nothing says in which state it was when the range began: neither a change before nor the first one in it,
    /// nor that it was made before and did not change since.
    fn is_state_unknown(&self, history: &History) -> bool {
        let next = history.changes.first();
        let is_told = next.is_some_and(|next| matches!(next.from.as_str(), "closed" | "open"));
        self.birth.is_none() && self.before.is_empty() && !is_told
    }

    /// Whether everything that counts at the beginning is among the calls that were read.
    fn is_remembered(&self, history: &History) -> bool {
        let last = self.before.last();
        let since = last.map_or(self.time.start, |last| last.at);
        // Whatever opened it, an open breaker has no window.
        let has_none =
            last.map_or_else(|| history.start != Start::Closed, |last| last.to == "open");
        if has_none || since >= self.read_from {
            return true;
        }
        let earlier = &history.calls[..history.calls.len() - history.asked().len()];
        let is_calm = |config: &BreakerConfig| {
            let has_success = || earlier.iter().any(|call| call.ended == Ended::Success);
            config.consecutive_failures.is_none() || has_success()
        };
        let is_full = |config: &BreakerConfig| match config.window {
            WindowConfig::Time { length, .. } => {
                let read = history.from.saturating_sub(self.read_from);
                u128::from(read.unsigned_abs()) >= 2 * length.as_nanos()
            }
            WindowConfig::Count { size } => {
                let results = earlier
                    .iter()
                    .filter(|call| matches!(call.ended, Ended::Success | Ended::Failure));
                results.count() >= size as usize
            }
        };
        let told = history.settings.first();
        history.start == Start::Closed
            && told.is_some_and(|told| is_full(&told.config) && is_calm(&told.config))
    }
}
