//! By which attributes spans tell that they are a breaker's call, for questions that look for calls among many spans: what
//! the rules for spans of breakers say of them.
//!
//! Questions ask for keys by their names. A rule that names no fixed ones (a key that only ends so, a literal, a part of a
//! value) is left out: its calls are not replayed, and the replay says how few it had.

use super::index::Recognisers;
use super::rules::Strings;

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
        [&self.names[..], &self.keys, &self.outcomes].concat()
    }
}

impl Recognisers {
    /// Those of the shipped rules, in the order of their files.
    pub(crate) fn call_keys(&'static self) -> CallKeys {
        let mut found = CallKeys::default();
        for span in &self.spans {
            let named = |field: &str| {
                let sources = span.rule.fields.get(field);
                let sources = sources.map_or(&[][..], Strings::as_slice);
                sources.iter().filter_map(|source| fixed(source))
            };
            let is_call = named("breaker").next().is_some() && named("outcome").next().is_some();
            if !is_call || span.pattern(&self.origins) != "breaker" {
                continue;
            }
            add(&mut found.names, named("breaker"));
            add(&mut found.keys, named("key"));
            add(&mut found.outcomes, named("outcome"));
        }
        found
    }
}

fn add(known: &mut Vec<&'static str>, keys: impl Iterator<Item = &'static str>) {
    for key in keys {
        if !known.contains(&key) {
            known.push(key);
        }
    }
}

/// The attribute whose whole value a source is, by its own name.
fn fixed(source: &'static str) -> Option<&'static str> {
    let is_other = source.starts_with(['@', '=', '*']) || source.contains(" | ");
    (!is_other).then_some(source)
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
