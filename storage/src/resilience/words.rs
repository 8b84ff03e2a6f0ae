//! The canonical words, and what stands for them in the words of others.

use crate::model::STATES;

/// The state when the encoding of a report is not known.
pub(super) const UNKNOWN: &str = "unknown";

/// The canonical state of a word, in the spellings everybody agrees on.
pub(super) fn state(word: &str) -> Option<&'static str> {
    let folded: String = word
        .trim()
        .chars()
        .filter(char::is_ascii_alphanumeric)
        .map(|c| c.to_ascii_lowercase())
        .collect();
    Some(match folded.as_str() {
        "closed" | "close" => "closed",
        "open" | "opened" => "open",
        "halfopen" | "halfopened" => "half_open",
        "forcedopen" | "isolated" => "forced_open",
        "disabled" | "forceclosed" => "disabled",
        "metricsonly" => "metrics_only",
        "saturated" => "saturated",
        "throttling" => "throttling",
        "unknown" => UNKNOWN,
        _ => return None,
    })
}

/// One of [`STATES`] by its exact name.
pub(super) fn canonical(word: &str) -> Option<&'static str> {
    STATES.iter().copied().find(|state| *state == word)
}

/// The place of a state in counters by state: closed, open, half-open.
pub(super) fn counted(state: &str) -> Option<usize> {
    STATES[..3].iter().position(|known| *known == state)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spellings_fold_and_other_words_are_not_guessed() {
        for word in [
            "HALF_OPEN",
            "half-open",
            "halfOpen",
            "HalfOpen",
            "half open",
        ] {
            assert_eq!(state(word), Some("half_open"), "{word}");
        }
        assert_eq!(state("Isolated"), Some("forced_open"));
        assert_eq!(state("shut"), None);
        assert_eq!(state("1"), None);
        assert_eq!(counted("half_open"), Some(2));
        assert_eq!(counted("stale"), None);
    }
}
