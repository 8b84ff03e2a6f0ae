//! Counters of entries that moved by several in one export: every entry is a change, in an order that a breaker can
//! take, told since a start or since the export before.

use super::fixture::{Point, append, hot_and_sealed, metrics, now, rows};
use crate::store::Store;

const SECOND: u64 = 1_000_000_000;
/// Seconds between two exports.
const INTERVAL: u64 = 10;
const STATES: [&str; 3] = ["closed", "open", "half_open"];

/// A breaker: its name, the states it entered before each export but the first, by their first letters.
type Story = (&'static str, &'static [&'static str]);

const STORIES: [Story; 12] = [
    ("once-around", &["O", "HC"]),
    ("around-in-one", &["OHC"]),
    ("around-and-again", &["OHC", "", "O"]),
    ("probing", &["OH"]),
    ("failed-probe", &["OHO"]),
    ("two-failed-probes", &["O", "HOHO"]),
    ("passed-after-failed", &["OHOHC"]),
    ("twice-around", &["OHCOHC"]),
    ("closed-and-tripped", &["O", "HCO"]),
    ("from-a-probe", &["O", "H", "OHC"]),
    ("closed-by-hand", &["O", "C", "", "O"]),
    ("closed-by-hand-and-around", &["O", "C", "OHC"]),
];

fn state(letter: char) -> &'static str {
    match letter {
        'O' => "open",
        'H' => "half_open",
        _ => "closed",
    }
}

/// Exports every story under the service named after the kind of counter; with the state as a gauge if asked for.
fn tell(store: &Store, service: &str, kind: &'static str, start: u64, has_gauge: bool) {
    for (name, story) in STORIES {
        let mut entered = [0.0; 3];
        let mut held = "closed";
        for (export, letters) in (0..).zip(std::iter::once(&"").chain(story)) {
            if kind == "delta" {
                entered = [0.0; 3];
            }
            for letter in letters.chars() {
                held = state(letter);
                for (count, known) in entered.iter_mut().zip(STATES) {
                    *count += f64::from(u8::from(known == held));
                }
            }
            let time = start + export * INTERVAL * SECOND;
            let mut points: Vec<Point<'static>> = Vec::new();
            for (count, known) in entered.into_iter().zip(STATES) {
                let of = |key: &str| {
                    format!(
                        r#"{{"circuit_breaker.name":"{name}","circuit_breaker.{key}":"{known}"}}"#
                    )
                };
                let counted = "circuit_breaker.transitions";
                points.push((counted, kind, of("to_state"), time, count));
                if has_gauge {
                    let holds = f64::from(u8::from(known == held));
                    points.push(("circuit_breaker.state", "gauge", of("state"), time, holds));
                }
            }
            append(store, metrics(service, "pod-1", &points));
        }
    }
}

/// What should be found of a story: states before and after, and the seconds between which each change was.
fn expected(story: &[&str], knows_first: bool, has_gauge: bool) -> Vec<String> {
    let mut before = if knows_first { "closed" } else { "-" };
    let mut all = Vec::new();
    let mut since = 0;
    for (export, letters) in (1..).zip(story) {
        let until = export * INTERVAL;
        for letter in letters.chars() {
            let after = state(letter);
            all.push(format!("{before} {after} {since} {until}"));
            before = after;
        }
        // An export that counted nothing tells nothing of counters alone.
        if !letters.is_empty() || has_gauge {
            since = until;
        }
    }
    all
}

#[test]
fn every_entry_that_was_counted_is_a_change_in_an_order_that_can_be() {
    let start = now() - 3_600 * SECOND;
    hot_and_sealed(
        |store| {
            for (service, kind, has_gauge) in [
                ("since-start", "sum", false),
                ("since-last", "delta", false),
                ("since-start-shown", "sum", true),
                ("since-last-shown", "delta", true),
            ] {
                tell(store, service, kind, start, has_gauge);
            }
        },
        |store| {
            for (service, knows_first, has_gauge) in [
                ("since-start", true, false),
                ("since-last", false, false),
                ("since-start-shown", true, true),
                ("since-last-shown", true, true),
            ] {
                for (name, story) in STORIES {
                    let sql = format!(
                        "SELECT from_state, to_state, (time_lo_unix_nano::BIGINT - {start}) // {SECOND},
                         ceil((time_unix_nano::BIGINT - {start}) / 1e9)::BIGINT
                         FROM breaker_transitions WHERE service_name = '{service}' AND name = '{name}' ORDER BY time"
                    );
                    let found = rows(store, &sql);
                    let story = expected(story, knows_first, has_gauge);
                    assert_eq!(found, story, "{service} {name}");
                }
            }
            let trips = "SELECT service_name, sum(trips) FROM breaker_days GROUP BY 1 ORDER BY 1";
            assert_eq!(
                rows(store, trips),
                [
                    "since-last 17",
                    "since-last-shown 17",
                    "since-start 17",
                    "since-start-shown 17"
                ]
            );
        },
    );
}
