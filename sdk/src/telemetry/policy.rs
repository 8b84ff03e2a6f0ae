//! Policies' parts as metrics: each reads the counts of every policy when it is collected.

use std::sync::{Arc, Mutex};

use opentelemetry::KeyValue;
use opentelemetry::metrics::Meter;

use super::{lock, names};
use crate::report::{PolicyCounts, PolicyEvent, WatchedPolicy};

pub(super) type Policies = Arc<Mutex<Vec<WatchedPolicy>>>;

/// What one policy says under one metric: attributes besides the name, and a count.
type Points = Vec<(Vec<KeyValue>, u64)>;

/// Registers the instruments.
pub(super) fn observe(meter: &Meter, policies: &Policies) {
    let counter = |name: &'static str,
                   described: &'static str,
                   unit: &'static str,
                   named: &'static str,
                   points: fn(&PolicyCounts) -> Points| {
        let policies = Arc::clone(policies);
        meter
            .u64_observable_counter(name)
            .with_description(described)
            .with_unit(unit)
            .with_callback(move |counter| {
                for_each(&policies, &mut |policy, counts| {
                    for (mut attributes, count) in points(counts) {
                        attributes.push(KeyValue::new(named, policy.to_owned()));
                        counter.observe(count, &attributes);
                    }
                });
            })
            .build();
    };
    counter(
        names::RETRY_CALLS,
        "Calls by how they ended",
        "{call}",
        names::RETRY_NAME,
        retried,
    );
    counter(
        names::RETRY_ATTEMPTS,
        "Tries",
        "{attempt}",
        names::RETRY_NAME,
        |counts| one(counts.parts.retry, counts.tries),
    );
    counter(
        names::RETRY_BUDGET_EXHAUSTED,
        "Retries the budget did not pay for",
        "{attempt}",
        names::RETRY_NAME,
        |counts| one(counts.parts.retry, counts.budget_exhausted),
    );
    counter(
        names::TIMEOUT_CALLS,
        "Tries and calls by whether they were in time",
        "{call}",
        names::TIMEOUT_NAME,
        in_time,
    );
    counter(
        names::RATE_LIMITER_CALLS,
        "Tries by what the limit said",
        "{call}",
        names::RATE_LIMITER_NAME,
        limited,
    );
    counter(
        names::BULKHEAD_CALLS,
        "Tries by whether there was room",
        "{call}",
        names::BULKHEAD_NAME,
        roomed,
    );
    counter(
        names::FALLBACK_CALLS,
        "Calls the fallback answered",
        "{call}",
        names::FALLBACK_NAME,
        |counts| one(counts.fell_back > 0, counts.fell_back),
    );
    counter(
        names::HEDGE_CALLS,
        "Calls by which try answered",
        "{call}",
        names::HEDGE_NAME,
        hedged,
    );
    counter(
        names::HEDGE_ATTEMPTS,
        "Tries",
        "{attempt}",
        names::HEDGE_NAME,
        |counts| one(counts.parts.hedge, hedge_tries(counts)),
    );
    bulkhead_gauges(meter, policies);
}

fn bulkhead_gauges(meter: &Meter, policies: &Policies) {
    let gauge = |name: &'static str, described: &'static str, read: fn(&PolicyCounts) -> u64| {
        let policies = Arc::clone(policies);
        meter
            .u64_observable_gauge(name)
            .with_description(described)
            .with_unit("{call}")
            .with_callback(move |gauge| {
                for_each(&policies, &mut |policy, counts| {
                    if counts.parts.bulkhead {
                        let name = KeyValue::new(names::BULKHEAD_NAME, policy.to_owned());
                        gauge.observe(read(counts), &[name]);
                    }
                });
            })
            .build();
    };
    gauge(
        names::BULKHEAD_IN_FLIGHT,
        "Calls in the bulkhead",
        |counts| counts.in_flight,
    );
    gauge(names::BULKHEAD_MAX, "Calls there is room for", |counts| {
        counts.in_flight_max
    });
}

fn for_each(policies: &Policies, look: &mut dyn FnMut(&str, &PolicyCounts)) {
    let watched = {
        let mut kept = lock(policies);
        kept.retain(|policy| policy.read(|_, _| ()).is_some());
        kept.clone()
    };
    for policy in &watched {
        policy.read(|name, counts| look(name, counts));
    }
}

fn one(present: bool, count: u64) -> Points {
    if present {
        vec![(Vec::new(), count)]
    } else {
        Vec::new()
    }
}

fn by(name: &'static str, values: &[(&'static str, u64)]) -> Points {
    let point = |(value, count): &(&'static str, u64)| (vec![KeyValue::new(name, *value)], *count);
    values.iter().map(point).collect()
}

fn hedged(counts: &PolicyCounts) -> Points {
    if !counts.parts.hedge {
        return Vec::new();
    }
    by(
        names::HEDGE_RESULT,
        &[
            ("not_needed", counts.hedge_not_needed),
            ("first_won", counts.hedge_first_won),
            ("second_won", counts.hedge_second_won),
            ("both_failed", counts.hedge_both_failed),
        ],
    )
}

fn hedge_tries(counts: &PolicyCounts) -> u64 {
    let twice = counts.hedge_first_won + counts.hedge_second_won + counts.hedge_both_failed;
    counts.hedge_not_needed + 2 * twice
}

/// In resilience4j's words.
fn retried(counts: &PolicyCounts) -> Points {
    if !counts.parts.retry {
        return Vec::new();
    }
    by(
        names::RETRY_RESULT,
        &[
            ("successful_without_retry", counts.succeeded_without_retry),
            ("successful_with_retry", counts.succeeded_with_retry),
            ("failed_without_retry", counts.failed_without_retry),
            ("failed_with_retry", counts.failed_with_retry),
        ],
    )
}

fn in_time(counts: &PolicyCounts) -> Points {
    let mut points = Vec::new();
    let mut scope = |scope: &'static str, in_time: u64, late: u64| {
        for (mut attributes, count) in by(
            names::TIMEOUT_RESULT,
            &[("completed", in_time), ("timed_out", late)],
        ) {
            attributes.push(KeyValue::new(names::TIMEOUT_SCOPE, scope));
            points.push((attributes, count));
        }
    };
    if counts.parts.timeout {
        let begun = counts.tries - counts.breaker_rejected.min(counts.tries);
        scope("try", begun - counts.timed_out.min(begun), counts.timed_out);
    }
    if counts.parts.deadline {
        let finished = counts.succeeded_without_retry
            + counts.succeeded_with_retry
            + counts.failed_without_retry
            + counts.failed_with_retry;
        scope("call", finished, counts.deadline_exceeded);
    }
    points
}

fn limited(counts: &PolicyCounts) -> Points {
    if !counts.parts.rate_limit {
        return Vec::new();
    }
    let asked = counts.tries - counts.breaker_rejected.min(counts.tries);
    let permitted = asked - counts.rate_limited.min(asked);
    by(
        names::RATE_LIMITER_RESULT,
        &[("permitted", permitted), ("rejected", counts.rate_limited)],
    )
}

fn roomed(counts: &PolicyCounts) -> Points {
    if !counts.parts.bulkhead {
        return Vec::new();
    }
    let asked = counts.tries - (counts.breaker_rejected + counts.rate_limited).min(counts.tries);
    let permitted = asked - counts.bulkhead_full.min(asked);
    by(
        names::BULKHEAD_RESULT,
        &[("permitted", permitted), ("rejected", counts.bulkhead_full)],
    )
}

/// An event as attributes of the caller's span.
pub(super) fn attributes(policy: &str, event: PolicyEvent) -> Vec<KeyValue> {
    let name = |key: &'static str| KeyValue::new(key, policy.to_owned());
    match event {
        PolicyEvent::Retried { tries, succeeded } => vec![
            name(names::RETRY_NAME),
            KeyValue::new(names::RETRY_ATTEMPT, i64::from(tries)),
            KeyValue::new(
                names::RETRY_RESULT,
                if succeeded {
                    "successful_with_retry"
                } else {
                    "failed_with_retry"
                },
            ),
        ],
        PolicyEvent::TimedOut { after } => timed_out(name, after, "try"),
        PolicyEvent::DeadlineExceeded { after } => timed_out(name, after, "call"),
        PolicyEvent::RateLimited => vec![
            name(names::RATE_LIMITER_NAME),
            KeyValue::new(names::RATE_LIMITER_RESULT, "rejected"),
        ],
        PolicyEvent::BulkheadFull => vec![
            name(names::BULKHEAD_NAME),
            KeyValue::new(names::BULKHEAD_RESULT, "rejected"),
        ],
        PolicyEvent::FellBack => vec![
            name(names::FALLBACK_NAME),
            KeyValue::new(names::FALLBACK_RESULT, "used"),
        ],
        PolicyEvent::Hedged { second_won } => vec![
            name(names::HEDGE_NAME),
            KeyValue::new(names::HEDGE_ATTEMPT, 2),
            KeyValue::new(
                names::HEDGE_RESULT,
                if second_won {
                    "second_won"
                } else {
                    "first_won"
                },
            ),
        ],
    }
}

/// The counter an event is counted by, and the attributes of its point.
pub(super) fn counted_as(policy: &str, event: PolicyEvent) -> (&'static str, Vec<KeyValue>) {
    let (metric, dimensions): (_, &[&str]) = match event {
        PolicyEvent::Retried { .. } => (
            names::RETRY_CALLS,
            &[names::RETRY_NAME, names::RETRY_RESULT],
        ),
        PolicyEvent::TimedOut { .. } | PolicyEvent::DeadlineExceeded { .. } => (
            names::TIMEOUT_CALLS,
            &[
                names::TIMEOUT_NAME,
                names::TIMEOUT_RESULT,
                names::TIMEOUT_SCOPE,
            ],
        ),
        PolicyEvent::RateLimited => (
            names::RATE_LIMITER_CALLS,
            &[names::RATE_LIMITER_NAME, names::RATE_LIMITER_RESULT],
        ),
        PolicyEvent::BulkheadFull => (
            names::BULKHEAD_CALLS,
            &[names::BULKHEAD_NAME, names::BULKHEAD_RESULT],
        ),
        PolicyEvent::FellBack => (names::FALLBACK_CALLS, &[names::FALLBACK_NAME]),
        PolicyEvent::Hedged { .. } => (
            names::HEDGE_CALLS,
            &[names::HEDGE_NAME, names::HEDGE_RESULT],
        ),
    };
    let mut attributes = attributes(policy, event);
    attributes.retain(|pair| dimensions.contains(&pair.key.as_str()));
    (metric, attributes)
}

/// The span of an event that refused a call or answered it in another's place.
pub(super) fn span_of(event: PolicyEvent) -> Option<&'static str> {
    match event {
        PolicyEvent::RateLimited => Some(names::SPAN_RATE_LIMITED),
        PolicyEvent::BulkheadFull => Some(names::SPAN_BULKHEAD_FULL),
        PolicyEvent::FellBack => Some(names::SPAN_FELL_BACK),
        _ => None,
    }
}

fn timed_out(
    name: impl Fn(&'static str) -> KeyValue,
    after: std::time::Duration,
    scope: &'static str,
) -> Vec<KeyValue> {
    vec![
        name(names::TIMEOUT_NAME),
        KeyValue::new(names::TIMEOUT_RESULT, "timed_out"),
        KeyValue::new(names::TIMEOUT_SCOPE, scope),
        KeyValue::new(names::TIMEOUT_DURATION, after.as_secs_f64()),
    ]
}
