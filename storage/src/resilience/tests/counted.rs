//! Counters of entries that moved by several in one export: every entry is a change, in an order that a breaker can
//! take, told since a start or since the export before.

use super::fixture::{Point, append, hot_and_sealed, metrics, now, rows};
use crate::model::{LanesQuery, TimeRange};
use crate::query::{Session, activity, breaker, review};
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
fn expected(story: &[&str], knows_first: bool) -> Vec<String> {
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
        // An export that counted nothing says that nothing was until then.
        since = until;
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
            for (service, knows_first) in [
                ("since-start", true),
                ("since-last", false),
                ("since-start-shown", true),
                ("since-last-shown", true),
            ] {
                for (name, story) in STORIES {
                    let sql = format!(
                        "SELECT from_state, to_state, (time_lo_unix_nano::BIGINT - {start}) // {SECOND},
                         ceil((time_unix_nano::BIGINT - {start}) / 1e9)::BIGINT
                         FROM breaker_transitions WHERE service_name = '{service}' AND name = '{name}' ORDER BY time"
                    );
                    let found = rows(store, &sql);
                    let story = expected(story, knows_first);
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

/// Calls of two breakers: one whose library makes a counter when it first counts, and one that had refused calls before
/// anybody listened, and whose instruments are stamped one after the other.
fn tell_of_calls(store: &Store, start: u64) {
    for export in 0..6_u32 {
        let time = start + u64::from(export) * INTERVAL * SECOND;
        let passed = f64::from(100 * (export + 1));
        let outcomes = match export.checked_sub(3) {
            None => vec![("success", passed)],
            Some(since) => vec![
                ("success", passed),
                ("rejected", f64::from(40 + 5 * since)),
                ("failure", 12.0),
            ],
        };
        let late: Vec<Point<'static>> = outcomes
            .into_iter()
            .map(|(outcome, count)| {
                let attributes = format!(
                    r#"{{"circuit_breaker.name":"late","circuit_breaker.outcome":"{outcome}"}}"#
                );
                ("circuit_breaker.calls", "sum", attributes, time, count)
            })
            .collect();
        append(store, metrics("late", "pod-1", &late));
        let refused = f64::from(70 + 3 * (export / 5));
        let (calls, not_permitted) = (
            "resilience4j.circuitbreaker.calls",
            "resilience4j.circuitbreaker.not.permitted.calls",
        );
        for (name, kind, time, count) in [
            (calls, "successful", time, passed),
            (not_permitted, "not_permitted", time + 20_000, refused),
        ] {
            let attributes = format!(r#"{{"kind":"{kind}","name":"early"}}"#);
            let point = (name, "sum", attributes, time, count);
            append(store, metrics("early", "pod-1", &[point]));
        }
    }
}

#[test]
fn a_counter_that_is_made_when_it_first_counts_began_at_nothing() {
    let start = now() - 600 * SECOND;
    let at = |second: u64| i64::try_from(start + second * SECOND).expect("before 2262");
    let range = TimeRange {
        from_unix_nano: at(0) - 1,
        to_unix_nano: at(300),
    };
    hot_and_sealed(
        |store| tell_of_calls(store, start),
        |store| {
            let reader = store.reader().expect("a reader");
            let session = Session::new(&reader);
            let ids = rows(
                store,
                "SELECT breaker_id FROM breakers ORDER BY service_name",
            );
            let calls: Vec<_> = ids
                .iter()
                .map(|id| {
                    let found = breaker(&session, id).expect("an answer");
                    let found = found.expect("the breaker").breaker;
                    let calls = activity(&session, &found, range).expect("an answer").calls;
                    (found.name, calls.ok, calls.failed, calls.rejected)
                })
                .collect();
            assert_eq!(
                calls,
                [
                    ("early".to_owned(), Some(500), None, Some(3)),
                    ("late".to_owned(), Some(500), Some(12), Some(50)),
                ]
            );
            let query = LanesQuery {
                range,
                scope: Default::default(),
                service: None,
                breaker_id: None,
                limit: 10,
            };
            let mut refused: Vec<_> = review(&session, &query)
                .expect("a review")
                .items
                .into_iter()
                .map(|one| (one.name, one.refused))
                .collect();
            refused.sort_unstable();
            let expected = [("early".to_owned(), Some(3)), ("late".to_owned(), Some(50))];
            assert_eq!(refused, expected);
        },
    );
}
