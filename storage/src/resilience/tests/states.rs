//! States through time: silences, restarts, intervals and days, the same from hot, sealed and merged segments, and the
//! same in lanes and on edges.

mod drawn;
mod gone;
mod restarts;
mod silences;
mod summed;

use super::fixture::{Log, Point, append, logs, metrics, rows};
use crate::store::Store;

const SECOND: u64 = 1_000_000_000;
const HOUR: u64 = 3_600 * SECOND;

/// What one export of an instance says: its state, and how many calls it has refused since it began.
fn export(store: &Store, instance: &str, time: u64, state: &str, rejected: f64) {
    let name = r#""circuit_breaker.name":"payment""#;
    let mut points: Vec<Point<'static>> = ["closed", "open", "half_open"]
        .iter()
        .map(|word| {
            let attributes = format!(r#"{{{name},"circuit_breaker.state":"{word}"}}"#);
            let is_it = f64::from(u8::from(*word == state));
            ("circuit_breaker.state", "gauge", attributes, time, is_it)
        })
        .collect();
    let attributes = format!(r#"{{{name},"circuit_breaker.outcome":"rejected"}}"#);
    points.push(("circuit_breaker.calls", "sum", attributes, time, rejected));
    append(store, metrics("cart", instance, &points));
}

fn change(store: &Store, instance: &str, time: u64, generation: u64, from: &str, to: &str) {
    let attributes = format!(
        r#"{{"circuit_breaker.name":"payment","circuit_breaker.from_state":"{from}","circuit_breaker.to_state":"{to}","circuit_breaker.generation":{generation}}}"#
    );
    let event = Log {
        time,
        event: "circuit_breaker.state_changed",
        attributes: &attributes,
        ..Log::default()
    };
    append(store, logs("cart", instance, &[event]));
}

/// Every interval of an instance, in seconds since `start`.
fn intervals(store: &Store, instance: &str, start: u64) -> Vec<String> {
    let sql = format!(
        "SELECT state, (start_time_unix_nano::BIGINT - {start}) // {SECOND}, (end_time_unix_nano::BIGINT - {start}) // {SECOND},
         evidence, reason FROM breaker_intervals WHERE service_instance_id = '{instance}'
         ORDER BY start_time, end_time NULLS LAST"
    );
    rows(store, &sql)
}

/// An hour without exports, after five minutes with them; open before it and after.
fn with_an_hour_of_silence(store: &Store, start: u64) {
    for at in 0..30 {
        let state = if at < 20 { "closed" } else { "open" };
        export(store, "pod-1", start + at * 10 * SECOND, state, 0.0);
    }
    for at in 0..30 {
        let time = start + HOUR + at * 10 * SECOND;
        export(store, "pod-1", time, "open", 0.0);
    }
}
