//! Other libraries' breakers: their defaults as settings here, and the rules in which they differ.
//!
//! From each project's sources at the version named. A foreign breaker is never promised to be reproduced: its
//! baseline says how many of its recorded trips the replay finds.

use serde_json::{Map, Value};

/// What is known of one library.
pub struct Library {
    /// Origin, as recognisers name it.
    pub origin: &'static str,
    /// Its defaults.
    pub defaults: Map<String, Value>,
    /// Rules that have no counterpart here.
    pub differs: &'static [&'static str],
}

/// A library as the table has it.
struct Known {
    /// Parts of origins, in lower case with underscores.
    words: &'static [&'static str],
    origin: &'static str,
    /// JSON.
    defaults: &'static str,
    differs: &'static [&'static str],
}

const LIBRARIES: &[Known] = &[
    Known {
        words: &["resilience4j"],
        origin: "resilience4j",
        defaults: r#"{"window.kind": "count", "window.size": 100, "minimum_calls": 100,
            "failure_ratio_threshold": 0.5, "open.base_s": 60, "open.max_s": 60, "open.multiplier": 1,
            "half_open.permits": 10, "half_open.concurrent": 10}"#,
        differs: &[
            "resilience4j 2: results of an earlier state count in the present one",
            "resilience4j 2: the wait in open state runs on the wall clock",
        ],
    },
    Known {
        words: &["gobreaker"],
        origin: "gobreaker",
        defaults: r#"{"window.kind": "time", "window.length_s": 86400, "window.buckets": 1, "minimum_calls": 1,
            "consecutive_failures_threshold": 6, "open.base_s": 60, "open.max_s": 60, "open.multiplier": 1,
            "half_open.permits": 1, "half_open.concurrent": 1, "half_open.close_on": 1}"#,
        differs: &["gobreaker 2: Interval clears its counts at fixed moments instead of sliding"],
    },
    Known {
        words: &["hystrix"],
        origin: "hystrix",
        defaults: r#"{"window.kind": "time", "window.length_s": 10, "window.buckets": 10, "minimum_calls": 20,
            "failure_ratio_threshold": 0.5, "open.base_s": 5, "open.max_s": 5, "open.multiplier": 1,
            "half_open.permits": 1, "half_open.concurrent": 1, "half_open.close_on": 1}"#,
        differs: &["Hystrix 1.5: health counts are taken every 500 ms, not at each call"],
    },
    Known {
        words: &["pybreaker"],
        origin: "pybreaker",
        defaults: r#"{"minimum_calls": 1, "consecutive_failures_threshold": 5, "open.base_s": 60, "open.max_s": 60,
            "open.multiplier": 1, "half_open.permits": 1, "half_open.concurrent": 1,
            "half_open.close_on": 1}"#,
        differs: &["pybreaker 1: half-open admits every caller until the first result"],
    },
    Known {
        words: &["opossum"],
        origin: "opossum",
        defaults: r#"{"window.kind": "time", "window.length_s": 10, "window.buckets": 10, "minimum_calls": 1,
            "failure_ratio_threshold": 0.5, "open.base_s": 30, "open.max_s": 30, "open.multiplier": 1,
            "half_open.permits": 1, "half_open.concurrent": 1, "half_open.close_on": 1}"#,
        differs: &[
            "opossum 8: its window moves by a timer, and a timeout (10 s) counts when it fires",
        ],
    },
    Known {
        words: &["polly"],
        origin: "polly",
        defaults: r#"{"window.kind": "time", "window.length_s": 30, "window.buckets": 10, "minimum_calls": 100,
            "failure_ratio_threshold": 0.1, "open.base_s": 5, "open.max_s": 5, "open.multiplier": 1,
            "half_open.permits": 1, "half_open.concurrent": 1, "half_open.close_on": 1}"#,
        differs: &["Polly 8: judges only when a call fails, never when one succeeds"],
    },
    Known {
        words: &["failsafe"],
        origin: "failsafe",
        defaults: r#"{"window.kind": "count", "window.size": 1, "minimum_calls": 1,
            "consecutive_failures_threshold": 1, "open.base_s": 60, "open.max_s": 60, "open.multiplier": 1,
            "half_open.permits": 1, "half_open.concurrent": 1, "half_open.close_on": 1}"#,
        differs: &[
            "Failsafe 3: half-open gives a permit back with each result, so its number bounds what runs at once, not what is tried",
            "Failsafe 3: thresholds of m among n look at the last n results, beginning with an empty list, not at a share",
        ],
    },
    Known {
        words: &["microprofile", "smallrye"],
        origin: "microprofile-ft",
        defaults: r#"{"window.kind": "count", "window.size": 20, "minimum_calls": 20, "failure_ratio_threshold": 0.5,
            "open.base_s": 5, "open.max_s": 5, "open.multiplier": 1, "half_open.permits": 1,
            "half_open.concurrent": 1, "half_open.close_on": 1}"#,
        differs: &[
            "MicroProfile Fault Tolerance 4.1: exceptions outside failOn count as successes, whatever the span says",
            "MicroProfile Fault Tolerance 4.1: half-open admits successThreshold trial calls, and the first that fails opens it",
        ],
    },
    Known {
        words: &["sentinel"],
        origin: "sentinel",
        defaults: r#"{"window.kind": "time", "window.length_s": 1, "window.buckets": 1, "minimum_calls": 5,
            "failure_ratio_threshold": 0.5, "open.base_s": 10, "open.max_s": 10, "open.multiplier": 1,
            "half_open.permits": 1, "half_open.concurrent": 1, "half_open.close_on": 1}"#,
        differs: &[
            "Sentinel 1.8: a rule has no default threshold or time; half of the calls and 10 s are assumed",
            "Sentinel 1.8: compares with more than, so that exactly the threshold does not trip",
            "Sentinel 1.8: its statistics forget everything at fixed moments instead of sliding",
        ],
    },
    Known {
        words: &["tower_resilience"],
        origin: "tower-resilience",
        defaults: r#"{"window.kind": "count", "window.size": 100, "minimum_calls": 100,
            "failure_ratio_threshold": 0.5, "open.base_s": 30, "open.max_s": 30, "open.multiplier": 1,
            "half_open.permits": 1, "half_open.concurrent": 1, "half_open.close_on": 1}"#,
        differs: &[
            "tower-resilience 0.14: one failed probe opens it again, however many are permitted",
            "tower-resilience 0.14: a call that is dropped leaves no trace in the window",
        ],
    },
    Known {
        words: &["dapr"],
        origin: "dapr",
        defaults: r#"{"window.kind": "time", "window.length_s": 86400, "window.buckets": 1, "minimum_calls": 1,
            "consecutive_failures_threshold": 6, "open.base_s": 60, "open.max_s": 60, "open.multiplier": 1,
            "half_open.permits": 1, "half_open.concurrent": 1, "half_open.close_on": 1}"#,
        differs: &[
            "Dapr 1: its breaker is gobreaker's; interval clears the counts at fixed moments instead of sliding",
            "Dapr 1: a trip expression of one's own is not known here; more than 5 failures in a row are assumed",
            "Dapr 1: retries inside the policy are results of their own, which the caller's spans do not show",
        ],
    },
    Known {
        words: &["armeria"],
        origin: "armeria",
        defaults: r#"{"window.kind": "time", "window.length_s": 20, "window.buckets": 20, "minimum_calls": 10,
            "failure_ratio_threshold": 0.5, "open.base_s": 10, "open.max_s": 10, "open.multiplier": 1,
            "half_open.permits": 1, "half_open.concurrent": 1, "half_open.close_on": 1}"#,
        differs: &[
            "Armeria 1.31: compares with more than, so that exactly the threshold does not trip",
            "Armeria 1.31: counts reach its decision once a second, and another probe is let through every 3 s",
        ],
    },
    Known {
        words: &["finagle"],
        origin: "finagle",
        defaults: r#"{"window.kind": "time", "window.length_s": 30, "window.buckets": 10, "minimum_calls": 5,
            "failure_ratio_threshold": 0.2, "consecutive_failures_threshold": 5, "open.base_s": 5,
            "open.max_s": 300, "open.multiplier": 2, "half_open.permits": 1, "half_open.concurrent": 1,
            "half_open.close_on": 1}"#,
        differs: &[
            "Finagle 24: counts for each endpoint, not for the service",
            "Finagle 24: an endpoint stays dead for half of the back-off and a random part of the other half",
        ],
    },
    Known {
        words: &["goresilience"],
        origin: "goresilience",
        defaults: r#"{"window.kind": "time", "window.length_s": 10, "window.buckets": 10, "minimum_calls": 20,
            "failure_ratio_threshold": 0.2, "open.base_s": 5, "open.max_s": 5, "open.multiplier": 1,
            "half_open.permits": 1, "half_open.concurrent": 1, "half_open.close_on": 1}"#,
        differs: &[
            "goresilience 0.2: compares the share of errors with MinimumRequestToOpen per cent, not with ErrorPercentThresholdToOpen, so that by default 20 % opens it",
            "goresilience 0.2: half-open admits every caller until enough of them have returned",
            "goresilience 0.2: refused calls count as errors in its window",
        ],
    },
    Known {
        words: &["linkerd"],
        origin: "linkerd",
        defaults: r#"{"minimum_calls": 1, "consecutive_failures_threshold": 7, "open.base_s": 1, "open.max_s": 60,
            "open.multiplier": 2, "half_open.permits": 1, "half_open.concurrent": 1,
            "half_open.close_on": 1}"#,
        differs: &[
            "Linkerd 2: counts for each endpoint, not for the service",
            "Linkerd 2: its penalty has jitter (half of it)",
        ],
    },
    Known {
        words: &["envoy", "istio"],
        origin: "envoy",
        defaults: r#"{"minimum_calls": 1, "consecutive_failures_threshold": 5, "open.base_s": 30, "open.max_s": 300,
            "open.multiplier": 2, "half_open.permits": 1, "half_open.concurrent": 1,
            "half_open.close_on": 1}"#,
        differs: &[
            "Envoy: counts for each host, and at most so many hosts are ejected at once (10 %)",
            "Envoy: a host comes back without a probe, and the time out grows by 30 s a time instead of doubling",
        ],
    },
];

/// The library of an origin, if it is known.
pub fn library(origin: &str) -> Option<Library> {
    let folded = origin.replace(['-', ' '], "_").to_lowercase();
    let known = LIBRARIES
        .iter()
        .find(|known| known.words.iter().any(|word| folded.contains(word)))?;
    Some(Library {
        origin: known.origin,
        defaults: serde_json::from_str(known.defaults).ok()?,
        differs: known.differs,
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
            "failsafe",
            "failsafe-go",
            "microprofile-ft",
            "SmallRye",
            "sentinel",
            "tower-resilience",
            "dapr",
            "armeria",
            "finagle",
            "goresilience",
            "linkerd",
            "envoy",
        ] {
            let library = library(name).expect(name);
            settings::read(&library.defaults).expect(name);
            assert!(!library.differs.is_empty());
        }
        assert!(library("somebody's own").is_none());
    }

    #[test]
    fn every_recogniser_of_a_breaker_has_rules_or_is_known_to_have_none() {
        for (file, text) in crate::resilience::SHIPPED {
            let origin = text.lines().find_map(|line| {
                let value = line.strip_prefix("origin = ")?;
                Some(value.trim().trim_matches('"'))
            });
            let origin = origin.expect(file);
            // Ours, which needs none; wrappers of several libraries; one whose sources were not at hand; one that retries
            // alone; anybody's.
            let none = [
                "tripline-sdk",
                "go-kit",
                "spring-cloud",
                "ojp",
                "grpc",
                "generic",
            ];
            let has_none = none.contains(&origin);
            assert_eq!(library(origin).is_none(), has_none, "{origin}");
        }
    }
}
