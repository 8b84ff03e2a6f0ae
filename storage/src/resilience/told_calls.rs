//! The attributes by which spans tell that they are a breaker's call, as the recognisers' rules for spans name them: questions
//! that look for calls among many spans read these alone.
//!
//! Questions ask for keys by their names. A rule that names no fixed ones (a key that only ends so, a literal, a part of a
//! value) is left out: its calls are not replayed, and the replay says how few it had.

use super::index::Recognisers;
use super::rules::{SpanRule, Strings};

/// Attributes of a breaker's call; of each kind the first that is there wins. None of them is empty.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct CallKeys {
    /// The breaker's name.
    pub names: Vec<&'static str>,
    /// Its key among those of this name.
    pub keys: Vec<&'static str>,
    /// How the call ended.
    pub outcomes: Vec<&'static str>,
}

impl CallKeys {
    /// All of them.
    pub fn all(&self) -> Vec<&'static str> {
        [&self.names[..], &self.keys[..], &self.outcomes[..]].concat()
    }
}

impl Recognisers {
    /// Those of the shipped rules, in the order of their files.
    pub(crate) fn call_keys(&'static self) -> CallKeys {
        let mut found = CallKeys::default();
        for span in &self.spans {
            let named = |field: &str| fixed(&span.rule, field);
            let (names, outcomes) = (named("breaker"), named("outcome"));
            let is_call = !names.is_empty() && !outcomes.is_empty();
            if !is_call || span.pattern(&self.origins) != "breaker" {
                continue;
            }
            add(&mut found.names, names);
            add(&mut found.keys, named("key"));
            add(&mut found.outcomes, outcomes);
        }
        found
    }
}

fn add(known: &mut Vec<&'static str>, keys: Vec<&'static str>) {
    for key in keys {
        if !known.contains(&key) {
            known.push(key);
        }
    }
}

/// The attributes whose whole values a rule takes for a field, by their own names.
fn fixed(rule: &'static SpanRule, field: &str) -> Vec<&'static str> {
    let sources = rule.fields.get(field).map_or(&[][..], Strings::as_slice);
    let is_fixed = |source: &&str| !source.starts_with(['@', '=', '*']) && !source.contains(" | ");
    sources
        .iter()
        .map(String::as_str)
        .filter(is_fixed)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resilience::BREAKER_KEYS;

    #[test]
    fn keys_of_calls_are_those_of_the_shipped_rules() {
        let found = Recognisers::shipped().call_keys();
        for (keys, key) in [
            (&found.names, BREAKER_KEYS[0]),
            (&found.keys, BREAKER_KEYS[1]),
            (&found.outcomes, BREAKER_KEYS[2]),
            (&found.names, "resilience4j.circuit_breaker.name"),
            (&found.outcomes, "resilience4j.circuit_breaker.outcome"),
        ] {
            assert!(keys.contains(&key), "{key}: {found:?}");
        }
        // Neither other policies' nor flags that a cap was full.
        for key in ["retry.result", "response_flags", "upstream_cluster.name"] {
            assert!(!found.all().contains(&key), "{key}: {found:?}");
        }
        // Names are put into SQL as they are.
        let is_plain = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
        assert!(found.all().iter().all(|key| key.chars().all(is_plain)));
    }
}
