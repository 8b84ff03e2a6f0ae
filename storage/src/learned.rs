//! What the numbers of breakers mean: said by people, kept beside the data in one small JSON file.
//!
//! A gauge of an unknown encoding gives the state `unknown`, and no number is ever guessed. Somebody who knows, or who
//! agrees with what [`crate::query::encodings()`] proposes, says it here; from then on the relations of breakers have the
//! state in place of `unknown`, for what is stored already too. The rows stay as they are.

use std::path::Path;

use crate::json_file::JsonFile;
use crate::model::{LearnedState, STATES};
use crate::resilience::folded;

/// Meanings at most.
pub const MEANINGS_MAX: usize = 1_000;
/// Longest name of a metric or of a service, characters.
pub const NAME_CHARS_MAX: usize = 255;
/// The state that takes a meaning back.
pub const FORGET: &str = "unknown";

/// Its name in the data directory.
pub const LEARNED_FILE: &str = "learned-states.json";

/// Why a meaning was not learned.
#[derive(Debug, thiserror::Error)]
pub enum LearnError {
    /// The name is empty or too long.
    #[error("the names of a metric and of a service have 1 to {NAME_CHARS_MAX} characters")]
    Name,
    /// It is no number.
    #[error("the value is a number")]
    Value,
    /// It is no state, or none a report can mean.
    #[error("the state is a canonical one that can be reported, or unknown to forget it")]
    State,
    /// There are too many.
    #[error("there are {MEANINGS_MAX} meanings already; forget one first")]
    Full,
    /// The file could not be written.
    #[error("the file of learned states cannot be written")]
    Io(#[from] std::io::Error),
    /// The engine did not take it; it does after a restart.
    #[error("the store could not take it over")]
    Engine(#[from] duckdb::Error),
}

impl LearnedState {
    /// What a person says, checked and in canonical form.
    ///
    /// # Errors
    /// It is no name, no number or no state.
    pub fn new(
        metric: &str,
        service: Option<&str>,
        value: &str,
        state: &str,
        now_unix_nano: u64,
    ) -> Result<Self, LearnError> {
        let is_name = |name: &str| (1..=NAME_CHARS_MAX).contains(&name.chars().count());
        let (metric, service) = (metric.trim(), service.map(str::trim));
        if !is_name(metric) || service.is_some_and(|service| !is_name(service)) {
            return Err(LearnError::Name);
        }
        let value: f64 = value.trim().parse().map_err(|_| LearnError::Value)?;
        if !value.is_finite() {
            return Err(LearnError::Value);
        }
        if !STATES.contains(&state) || state == "stale" {
            return Err(LearnError::State);
        }
        Ok(Self {
            metric: folded(metric),
            service: service.map(str::to_owned),
            value: value.to_string(),
            state: state.to_owned(),
            learned_unix_nano: now_unix_nano,
        })
    }

    /// What samples report that have this number.
    pub(crate) fn raw_state(&self) -> String {
        format!("{}={}", self.metric, self.value)
    }

    fn is_about_the_same(&self, other: &Self) -> bool {
        (&self.metric, &self.service, &self.value) == (&other.metric, &other.service, &other.value)
    }
}

/// The learned states of a data directory.
#[derive(Debug)]
pub(crate) struct LearnedStates {
    file: JsonFile<Vec<LearnedState>>,
}

impl LearnedStates {
    /// Reads them; no file is none. A file that cannot be read is kept aside and told.
    pub(crate) fn open(data_dir: &Path) -> std::io::Result<Self> {
        let file = JsonFile::open(data_dir.join(LEARNED_FILE), "learned states")?;
        Ok(Self { file })
    }

    /// All of them, by metric, service and value.
    pub(crate) fn list(&self) -> Vec<LearnedState> {
        self.file.kept().clone()
    }

    /// Keeps one in place of what was known of that number; the state `unknown` forgets it. `take_over` is told all of
    /// them while nobody else may change them.
    pub(crate) fn learn(
        &self,
        learned: LearnedState,
        take_over: impl FnOnce(&[LearnedState]) -> Result<(), duckdb::Error>,
    ) -> Result<(), LearnError> {
        let mut kept = self.file.kept();
        let mut changed: Vec<LearnedState> = kept
            .iter()
            .filter(|known| !known.is_about_the_same(&learned))
            .cloned()
            .collect();
        if learned.state != FORGET {
            if changed.len() >= MEANINGS_MAX {
                return Err(LearnError::Full);
            }
            changed.push(learned);
        }
        let key = |learned: &LearnedState| {
            let service = learned.service.clone();
            (learned.metric.clone(), service, learned.value.clone())
        };
        changed.sort_by_cached_key(key);
        self.file.replace(&mut kept, changed)?;
        Ok(take_over(&kept)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(value: &str, state: &str) -> LearnedState {
        LearnedState::new("my.circuit_breaker.state", None, value, state, 1).expect("a meaning")
    }

    #[test]
    fn meanings_survive_a_restart_and_the_last_word_counts() {
        let dir = tempfile::tempdir().expect("a directory");
        let states = LearnedStates::open(dir.path()).expect("opened");
        for learned in [
            said("1", "open"),
            said("0.50", "half_open"),
            said("1", "closed"),
        ] {
            states.learn(learned, |_| Ok(())).expect("learned");
        }
        let states = LearnedStates::open(dir.path()).expect("opened again");
        let all = |states: &LearnedStates| -> Vec<String> {
            let all = states.list();
            let line = |known: &LearnedState| format!("{} {}", known.raw_state(), known.state);
            all.iter().map(line).collect()
        };
        assert_eq!(
            all(&states),
            [
                "my_circuit_breaker_state=0.5 half_open",
                "my_circuit_breaker_state=1 closed"
            ]
        );
        let mut told = 0;
        let forget = said("1.0", FORGET);
        let take_over = |all: &[LearnedState]| {
            told = all.len();
            Ok(())
        };
        states.learn(forget, take_over).expect("forgotten");
        assert_eq!((told, all(&states).len()), (1, 1));
    }

    #[test]
    fn what_is_no_meaning_is_refused() {
        for (metric, service, value, state) in [
            ("", None, "1", "open"),
            ("m", Some(" "), "1", "open"),
            ("m", None, "one", "open"),
            ("m", None, "inf", "open"),
            ("m", None, "1", "ajar"),
            ("m", None, "1", "stale"),
        ] {
            let refused = LearnedState::new(metric, service, value, state, 0);
            assert!(refused.is_err(), "{metric} {value} {state}");
        }
    }
}
