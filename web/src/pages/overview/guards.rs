//! How the breakers of a service stand, in a phrase: the worst that is known of them, and of how many.

use tripline_storage::model::Breaker;

use crate::pages::breaker_marks::{glyph, has_states};
use crate::pages::ejection::{is_ejection, severity_of_breaker};

/// A phrase and the class it is shown in.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Standing {
    pub class: &'static str,
    pub text: String,
}

/// Of those that have states; `None` where none has.
pub(super) fn standing<'a>(breakers: impl Iterator<Item = &'a Breaker>) -> Option<Standing> {
    let all: Vec<&Breaker> = breakers
        .filter(|breaker| has_states(&breaker.pattern))
        .collect();
    let number = all.len();
    if number == 0 {
        return None;
    }
    let count = |wanted: fn(&Breaker) -> bool| all.iter().filter(|one| wanted(one)).count();
    let of = |some: usize| {
        if some == number {
            number.to_string()
        } else {
            format!("{some} of {number}")
        }
    };
    let say = |class, state: &str, some: usize, word: &str| {
        let text = format!("{} {} {word}", glyph(state), of(some));
        Some(Standing { class, text })
    };
    let open = count(|one| severity_of_breaker(one) == "bad");
    if open > 0 {
        return say("share bad", "open", open, "open");
    }
    let doubtful = count(|one| severity_of_breaker(one) == "warn" && one.state != "unknown");
    let ejecting = count(|one| severity_of_breaker(one) == "warn" && is_ejection(&one.pattern));
    if doubtful > 0 && doubtful == ejecting {
        let text = format!("◔ {} with hosts out", of(doubtful));
        let class = "share warn";
        return Some(Standing { class, text });
    }
    if doubtful > 0 {
        // What is full or throttles does not recover from anything.
        let with = |state: &str| all.iter().filter(|one| one.state == state).count();
        return match (with("half_open"), with("saturated"), with("throttling")) {
            (0, 0, throttling) => say("share warn", "throttling", throttling, "throttling"),
            (0, saturated, _) => say("share warn", "saturated", saturated, "saturated"),
            (probing, ..) => say("share warn", "half_open", probing, "recovering"),
        };
    }
    let closed = count(|one| severity_of_breaker(one) == "fine");
    if closed > 0 {
        return say("share fine", "closed", closed, "closed");
    }
    // Nothing good or bad is known of any: what most of them are.
    let often = |state: &str| all.iter().filter(|one| one.state == state).count();
    let most = all.iter().map(|one| one.state.as_str());
    let state = most.max_by_key(|state| often(state)).unwrap_or_default();
    say("quiet", state, often(state), &state.replace('_', " "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(states: &[&str]) -> String {
        let breakers: Vec<Breaker> = states
            .iter()
            .map(|state| Breaker {
                pattern: "breaker".to_owned(),
                state: (*state).to_owned(),
                ..Breaker::default()
            })
            .collect();
        let standing = standing(breakers.iter()).expect("breakers have states");
        format!("{}: {}", standing.class, standing.text)
    }

    #[test]
    fn only_a_breaker_that_is_closed_is_called_closed() {
        assert_eq!(of(&["closed", "closed"]), "share fine: ● 2 closed");
        assert_eq!(of(&["closed", "stale"]), "share fine: ● 1 of 2 closed");
        assert_eq!(of(&["stale", "stale"]), "quiet: … 2 stale");
        assert_eq!(
            of(&["disabled", "unknown", "unknown"]),
            "quiet: ? 2 of 3 unknown"
        );
    }

    #[test]
    fn the_worst_is_told_first() {
        assert_eq!(
            of(&["closed", "half_open", "open"]),
            "share bad: ○ 1 of 3 open"
        );
        assert_eq!(of(&["forced_open", "forced_open"]), "share bad: ○ 2 open");
        assert_eq!(
            of(&["closed", "half_open", "unknown"]),
            "share warn: ◐ 1 of 3 recovering"
        );
        assert_eq!(
            of(&["closed", "saturated", "saturated"]),
            "share warn: ◆ 2 of 3 saturated"
        );
        assert_eq!(of(&["throttling"]), "share warn: ◇ 1 throttling");
        let retries = Breaker {
            pattern: "retry".to_owned(),
            ..Breaker::default()
        };
        assert_eq!(standing([retries].iter()), None);
    }
}
