//! Other libraries' breakers: their defaults as settings here, and the rules in which they differ.
//!
//! From each project's sources at the version named. A foreign breaker is never promised to be reproduced: its
//! baseline says how many of its recorded trips the replay finds.

use serde_json::{Map, Value, json};

/// What is known of one library.
pub struct Library {
    /// Origin, as recognisers name it.
    pub origin: &'static str,
    /// Its defaults.
    pub defaults: Map<String, Value>,
    /// Rules that have no counterpart here.
    pub differs: &'static [&'static str],
}

/// The library of an origin, if it is known.
pub fn library(origin: &str) -> Option<Library> {
    let folded = origin.replace(['-', ' '], "_").to_lowercase();
    let (origin, defaults, differs): (_, Value, &'static [&'static str]) = if folded
        .contains("resilience4j")
    {
        (
            "resilience4j",
            json!({"window.kind": "count", "window.size": 100, "minimum_calls": 100, "failure_ratio_threshold": 0.5,
                "open.base_s": 60, "open.max_s": 60, "open.multiplier": 1, "half_open.permits": 10, "half_open.concurrent": 10}),
            &[
                "resilience4j 2: results of an earlier state count in the present one",
                "resilience4j 2: the wait in open state runs on the wall clock",
            ],
        )
    } else if folded.contains("gobreaker") {
        (
            "gobreaker",
            json!({"window.kind": "time", "window.length_s": 86400, "window.buckets": 1, "minimum_calls": 1,
                "consecutive_failures_threshold": 6, "open.base_s": 60, "open.max_s": 60, "open.multiplier": 1,
                "half_open.permits": 1, "half_open.concurrent": 1, "half_open.close_on": 1}),
            &["gobreaker 2: Interval clears its counts at fixed moments instead of sliding"],
        )
    } else if folded.contains("hystrix") {
        (
            "hystrix",
            json!({"window.kind": "time", "window.length_s": 10, "window.buckets": 10, "minimum_calls": 20,
                "failure_ratio_threshold": 0.5, "open.base_s": 5, "open.max_s": 5, "open.multiplier": 1,
                "half_open.permits": 1, "half_open.concurrent": 1, "half_open.close_on": 1}),
            &["Hystrix 1.5: health counts are taken every 500 ms, not at each call"],
        )
    } else if folded.contains("pybreaker") {
        (
            "pybreaker",
            json!({"minimum_calls": 1, "consecutive_failures_threshold": 5, "open.base_s": 60, "open.max_s": 60,
                "open.multiplier": 1, "half_open.permits": 1, "half_open.concurrent": 1, "half_open.close_on": 1}),
            &["pybreaker 1: half-open admits every caller until the first result"],
        )
    } else if folded.contains("opossum") {
        (
            "opossum",
            json!({"window.kind": "time", "window.length_s": 10, "window.buckets": 10, "minimum_calls": 1,
                "failure_ratio_threshold": 0.5, "open.base_s": 30, "open.max_s": 30, "open.multiplier": 1,
                "half_open.permits": 1, "half_open.concurrent": 1, "half_open.close_on": 1}),
            &["opossum 8: its window moves by a timer, and a timeout (10 s) counts when it fires"],
        )
    } else if folded.contains("polly") {
        (
            "polly",
            json!({"window.kind": "time", "window.length_s": 30, "window.buckets": 10, "minimum_calls": 100,
                "failure_ratio_threshold": 0.1, "open.base_s": 5, "open.max_s": 5, "open.multiplier": 1,
                "half_open.permits": 1, "half_open.concurrent": 1, "half_open.close_on": 1}),
            &["Polly 8: judges only when a call fails, never when one succeeds"],
        )
    } else {
        return None;
    };
    let Value::Object(defaults) = defaults else {
        return None;
    };
    Some(Library {
        origin,
        defaults,
        differs,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resilience::whatif::settings;

    #[test]
    fn every_librarys_defaults_are_settings() {
        for name in [
            "resilience4j",
            "gobreaker",
            "Hystrix",
            "pybreaker",
            "opossum",
            "polly",
        ] {
            let library = library(name).expect(name);
            settings::read(&library.defaults).expect(name);
            assert!(!library.differs.is_empty());
        }
        assert!(library("somebody's own").is_none());
    }
}
