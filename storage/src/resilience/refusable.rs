//! Which attributes of spans tell of refused calls, for questions that look for these among many spans. What comes of them
//! is for the rules to say; here is only what is worth reading.
//!
//! Questions ask for a key by its name: of a rule for any key that ends so it is the plain one, and other spellings, which
//! the rules know too, are left out.

use std::collections::{BTreeMap, BTreeSet};

use super::errors::{ERROR_MESSAGES, ERROR_TYPES};
use super::index::Recognisers;
use super::rules::Strings;

impl Recognisers {
    /// Attributes that name the outcome of a call through a policy of these kinds, each with the words that mean it was
    /// refused; without words where the attribute alone says so.
    pub(crate) fn outcomes(
        &'static self,
        patterns: &[&str],
    ) -> BTreeMap<&'static str, Vec<&'static str>> {
        let mut outcomes: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for span in &self.spans {
            let rule = &span.rule;
            if rule.rejected.is_empty() || !patterns.contains(&span.pattern(&self.origins)) {
                continue;
            }
            let sources = rule.fields.get("outcome");
            for source in sources.map_or(&[][..], Strings::as_slice) {
                let is_literal = source.starts_with('=');
                let key = match (is_literal, &rule.attribute) {
                    (true, Some(attribute)) => plain(attribute),
                    _ => plain(source),
                };
                let Some(key) = key else { continue };
                let words = outcomes.entry(key).or_default();
                for word in rule.rejected.iter().filter(|_| !is_literal) {
                    if !words.contains(&word.as_str()) {
                        words.push(word);
                    }
                }
            }
        }
        outcomes
    }

    /// Every attribute that rules for refused calls of these kinds read.
    pub(crate) fn read_in_spans(&'static self, patterns: &[&str]) -> BTreeSet<&'static str> {
        let mut read: BTreeSet<&str> = BTreeSet::new();
        for span in &self.spans {
            let rule = &span.rule;
            if rule.rejected.is_empty() || !patterns.contains(&span.pattern(&self.origins)) {
                continue;
            }
            let fields = rule.fields.values().flat_map(Strings::as_slice);
            let named = fields.chain(&rule.attribute).chain(rule.needs.keys());
            read.extend(named.filter_map(|source| plain(source)));
        }
        for rejection in &self.rejections {
            let rule = &rejection.rule;
            let of_file = &self.origins[rejection.origin].pattern;
            if !patterns.contains(&rule.pattern.as_ref().unwrap_or(of_file).as_str()) {
                continue;
            }
            let conditions = rule.needs.keys().chain(rule.unless.keys());
            let named = rule.breaker.iter().chain(conditions);
            read.extend(named.filter_map(|source| plain(source)));
        }
        read.extend(ERROR_TYPES);
        read.extend(&ERROR_MESSAGES[..2]);
        read
    }
}

/// The attribute that a source is; none where it is a hole or a literal.
fn plain(source: &str) -> Option<&str> {
    let (name, _) = source.split_once(" | ").unwrap_or((source, ""));
    let name = name.trim_start_matches('*');
    (!name.starts_with(['@', '='])).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATTERNS: [&str; 3] = ["breaker", "ejection", "concurrency_cap"];

    /// Names and words are put into SQL as they are.
    fn is_plain(text: &str) -> bool {
        let plain = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
        !text.is_empty() && text.chars().all(plain)
    }

    #[test]
    fn outcomes_are_those_of_the_shipped_rules() {
        let outcomes = Recognisers::shipped().outcomes(&PATTERNS);
        let of = |key: &str| outcomes.get(key).map(Vec::as_slice);
        assert_eq!(
            of("circuit_breaker.outcome"),
            Some(&["rejected", "not_permitted", "short_circuited"][..])
        );
        assert_eq!(
            of("resilience4j.circuit_breaker.outcome"),
            Some(&["rejected"][..])
        );
        assert_eq!(of("response_flags"), Some(&["UO", "UH"][..]));
        assert_eq!(of("http.response.header.x-envoy-overloaded"), Some(&[][..]));
        for (key, words) in &outcomes {
            assert!(is_plain(key) && words.iter().all(|word| is_plain(word)));
        }
        assert_eq!(of("rate_limiter.result"), None);
    }

    #[test]
    fn what_is_read_has_every_outcome_and_what_errors_say() {
        let shipped = Recognisers::shipped();
        let read = shipped.read_in_spans(&PATTERNS);
        assert!(read.iter().all(|key| is_plain(key)), "{read:?}");
        for key in shipped.outcomes(&PATTERNS).keys() {
            assert!(read.contains(key), "{key}");
        }
        for key in [
            "error.type",
            "exception.type",
            "exception.message",
            "circuit_breaker.name",
            "circuit_breaker.key",
            "circuit_breaker.state",
            "resilience4j.circuit_breaker.name",
            "opossum.name",
            "upstream_cluster.name",
        ] {
            assert!(read.contains(key), "{key} is not among {read:?}");
        }
        assert!(!read.contains("rate_limiter.name"), "{read:?}");
    }
}
