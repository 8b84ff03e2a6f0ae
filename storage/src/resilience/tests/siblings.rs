//! What refuses beside a breaker and says only how many it would still let through.

use super::fixture::{Point, append, hot_and_sealed, metrics, now, rows};

const SECOND: u64 = 1_000_000_000;

#[test]
fn a_cap_without_permits_is_saturated_and_a_rate_that_owes_some_is_throttling() {
    let start = now() - 1_000 * SECOND;
    let (cap, rate) = (
        "resilience4j.bulkhead.available.concurrent.calls",
        "resilience4j.ratelimiter.available.permissions",
    );
    // Of a cap of 25, and of a rate of 10 a period: used up, three owed, given anew.
    let told: [(&'static str, &[f64]); 2] = [
        (cap, &[25.0, 4.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 7.0, 25.0]),
        (rate, &[10.0, 0.0, -3.0, -1.0, 0.0, 10.0]),
    ];
    hot_and_sealed(
        |store| {
            for (metric, permits) in told {
                let points: Vec<Point<'static>> = (0..)
                    .zip(permits)
                    .map(|(export, left)| {
                        let time = start + export * 10 * SECOND;
                        (metric, "gauge", r#"{"name":"b"}"#.to_owned(), time, *left)
                    })
                    .collect();
                append(store, metrics("shop", "pod-1", &points));
            }
        },
        |store| {
            let changes = format!(
                "SELECT pattern, from_state, to_state, (time_lo_unix_nano::BIGINT - {start}) // {SECOND},
                 (time_unix_nano::BIGINT - {start}) // {SECOND} FROM breaker_transitions ORDER BY pattern, time"
            );
            assert_eq!(
                rows(store, &changes),
                [
                    "bulkhead closed saturated 10 20",
                    "bulkhead saturated closed 70 80",
                    "rate_limit closed throttling 10 20",
                    "rate_limit throttling closed 30 40",
                ]
            );
            let samples = "SELECT pattern, state, min(permits_left), max(permits_left) FROM breaker_samples GROUP BY ALL ORDER BY ALL";
            assert_eq!(
                rows(store, samples),
                [
                    "bulkhead closed 4 25",
                    "bulkhead saturated 0 0",
                    "rate_limit closed 0 10",
                    "rate_limit throttling -3 -1",
                ]
            );
        },
    );
}
