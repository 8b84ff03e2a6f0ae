//! Numbers of unknown meaning: what they may mean, and what is seen once somebody said it.

use super::fixture::{Point, Span, append, hot_and_sealed, metrics, now, open, rows, spans};
use crate::learned::{FORGET, LearnedStates};
use crate::model::{EncodingsQuery, LearnedState, TimeRange};
use crate::query::Session;
use crate::store::Store;

const SECOND: u64 = 1_000_000_000;
const GAUGE: &str = "checkout.circuit_breaker.state";
const FOLDED: &str = "checkout_circuit_breaker_state";

/// A gauge that is 0 for a while, 2 while calls are refused, then 0 again; and its counter.
fn fill(store: &Store, start: u64) {
    let (mut ok, mut rejected) = (0.0, 0.0);
    for at in 0..12_u64 {
        let number = if (4..8).contains(&at) { 2.0 } else { 0.0 };
        if number > 0.0 {
            rejected += 50.0;
        } else {
            ok += 50.0;
        }
        let time = start + at * 10 * SECOND;
        let name = r#""circuit_breaker.name":"pay""#;
        let of = |outcome: &str| format!(r#"{{{name},"outcome":"{outcome}"}}"#);
        let calls = "checkout.circuit_breaker.calls";
        let points: [Point<'_>; 3] = [
            (GAUGE, "gauge", format!("{{{name}}}"), time, number),
            (calls, "sum", of("success"), time, ok),
            (calls, "sum", of("rejected"), time, rejected),
        ];
        append(store, metrics("cart", "pod-1", &points));
    }
}

fn said(value: &str, state: &str) -> LearnedState {
    LearnedState::new(GAUGE, Some("cart"), value, state, 1).expect("a meaning")
}

fn states(store: &Store) -> Vec<String> {
    rows(
        store,
        "SELECT DISTINCT state, raw_state, learned FROM breaker_samples ORDER BY ALL",
    )
}

fn changes(store: &Store) -> Vec<String> {
    rows(
        store,
        "SELECT from_state, to_state, evidence, confidence FROM breaker_transitions ORDER BY time",
    )
}

#[test]
fn a_number_is_unknown_until_somebody_says_what_it_means() {
    let start = now() - 300 * SECOND;
    let dir = tempfile::tempdir().expect("a directory");
    let store = open(dir.path());
    fill(&store, start);
    let unknown = [
        format!("unknown {FOLDED}=0 false"),
        format!("unknown {FOLDED}=2 false"),
    ];
    assert_eq!(states(&store), unknown);

    let known = [
        format!("closed {FOLDED}=0 true"),
        format!("open {FOLDED}=2 true"),
    ];
    let turns = ["closed open learned 50", "open closed learned 50"];
    store.learn_state(said("0", "closed")).expect("learned");
    store.learn_state(said("2", "open")).expect("learned");
    assert_eq!(states(&store), known);
    assert_eq!(changes(&store), turns);
    let latest = "SELECT last_state, evidence, confidence FROM breaker_instances";
    assert_eq!(rows(&store, latest), ["closed learned 50"]);

    // Of sealed segments too, whose rows keep the number, and after a restart.
    store.seal_now().expect("sealed");
    assert_eq!((states(&store), changes(&store).len()), (known.to_vec(), 2));
    drop(store);
    let store = open(dir.path());
    assert_eq!(states(&store), known);
    assert_eq!(changes(&store), turns);

    // What is taken back is unknown again; nothing was rewritten.
    for value in ["0", "2"] {
        store.learn_state(said(value, FORGET)).expect("forgotten");
    }
    assert_eq!(states(&store), unknown);
    assert!(store.learned_states().is_empty());
    drop(store);
    let kept = LearnedStates::open(dir.path()).expect("read");
    assert!(kept.list().is_empty());
}

#[test]
fn the_pages_see_a_meaning_at_once_and_other_services_do_not() {
    let start = now() - 300 * SECOND;
    let dir = tempfile::tempdir().expect("a directory");
    let store = open(dir.path());
    fill(&store, start);
    let point = (GAUGE, "gauge", "{}".to_owned(), start, 2.0);
    append(&store, metrics("shop", "pod-1", &[point]));
    let found = || {
        let reader = store.reader().expect("a reader");
        let session = Session::new(&reader);
        let query = crate::model::TransitionsQuery {
            limit: 10,
            ..crate::model::TransitionsQuery::default()
        };
        let found = crate::query::transitions(&session, &query).expect("an answer");
        let of = |change: crate::model::BreakerTransition| {
            format!(
                "{} {} {}",
                change.service_name, change.to_state, change.evidence
            )
        };
        found.items.into_iter().map(of).collect::<Vec<String>>()
    };
    // Concluded before and after.
    let before = found();
    store.learn_state(said("0", "closed")).expect("learned");
    store.learn_state(said("2", "open")).expect("learned");
    assert!(!before.iter().any(|change| change.contains("learned")));
    assert_eq!(found(), ["cart closed learned", "cart open learned"]);
}

#[test]
fn what_held_while_calls_were_refused_is_offered_as_open() {
    let start = now() - 300 * SECOND;
    let dir = tempfile::tempdir().expect("a directory");
    let store = open(dir.path());
    fill(&store, start);
    let nanos = |ns: u64| i64::try_from(ns).expect("this century");
    let query = EncodingsQuery {
        range: TimeRange {
            from_unix_nano: nanos(start),
            to_unix_nano: nanos(start + 300 * SECOND),
        },
        service: None,
    };
    let offers = || {
        let reader = store.reader().expect("a reader");
        let session = Session::new(&reader);
        let learned = store.learned_states();
        let found = crate::query::encodings(&session, &query, learned).expect("an answer");
        found.offers
    };
    for _ in 0..2 {
        let found = offers();
        assert_eq!(found.len(), 1);
        assert_eq!((found[0].metric.as_str(), found[0].breakers), (FOLDED, 1));
        assert_eq!(found[0].service_name, "cart");
        let values: Vec<_> = found[0]
            .values
            .iter()
            .map(|seen| (seen.value.as_str(), seen.proposed.as_deref(), seen.refused))
            .collect();
        assert_eq!(values, [("0", Some("closed"), 0), ("2", Some("open"), 150)]);
        assert_eq!(
            found[0].values[1].because.as_deref(),
            Some("held while 100 % of 150 calls were refused")
        );
        store.seal_now().expect("sealed");
    }
    // What is learned stays on offer, with what was said.
    store.learn_state(said("2", "open")).expect("learned");
    let learned: Vec<_> = offers()[0]
        .values
        .iter()
        .map(|seen| seen.learned.clone())
        .collect();
    assert_eq!(learned, [None, Some("open".to_owned())]);
}

#[test]
fn counters_of_refused_calls_alone_tell_open_from_half_open() {
    let start = now() - 300 * SECOND;
    for counter in [
        "checkout_circuit_breaker_rejected_total",
        "checkout_circuit_breaker_rejections_total",
    ] {
        let dir = tempfile::tempdir().expect("a directory");
        let store = open(dir.path());
        let mut rejected = 0.0;
        for at in 0..24_u64 {
            let number = match at {
                8..14 => 2.0,
                14 => 1.0,
                _ => 0.0,
            };
            if number > 1.0 {
                rejected += 50.0;
            }
            let time = start + at * 10 * SECOND;
            let name = || r#"{"name":"pay"}"#.to_owned();
            let points: [Point<'_>; 2] = [
                (FOLDED, "gauge", name(), time, number),
                (counter, "sum", name(), time, rejected),
            ];
            append(&store, metrics("cart", "pod-1", &points));
        }
        let reader = store.reader().expect("a reader");
        let query = EncodingsQuery {
            range: TimeRange {
                from_unix_nano: i64::try_from(start).expect("a time"),
                to_unix_nano: i64::try_from(now()).expect("a time"),
            },
            service: None,
        };
        let session = Session::new(&reader);
        let found = crate::query::encodings(&session, &query, Vec::new()).expect("an answer");
        assert_eq!((found.offers.len(), found.offers[0].breakers), (1, 1));
        let proposed: Vec<(&str, Option<&str>)> = found.offers[0]
            .values
            .iter()
            .map(|seen| (seen.value.as_str(), seen.proposed.as_deref()))
            .collect();
        assert_eq!(
            proposed,
            [
                ("0", Some("closed")),
                ("1", Some("half_open")),
                ("2", Some("open"))
            ],
            "{counter}"
        );
    }
}

#[test]
fn a_refused_call_counts_for_the_number_that_held_then_and_for_no_other() {
    let start = now() - 300 * SECOND;
    hot_and_sealed(
        |store| {
            fill(store, start);
            let attributes =
                r#"{"circuit_breaker.name":"pay","circuit_breaker.outcome":"rejected"}"#;
            let refused = |instance: &str, number: u8, seconds: u64| {
                let span = Span {
                    time: start + seconds * SECOND,
                    attributes,
                    number,
                    ..Span::default()
                };
                append(store, spans("cart", instance, &[span]));
            };
            // The number is 0 until second 30, 2 from 40 to 70, and 0 again from 80 on.
            for (number, seconds) in (1..).zip([5, 40, 45, 46, 47, 69, 75, 85]) {
                refused("pod-1", number, seconds);
            }
            refused("pod-2", 100, 50);
        },
        |store| {
            let reader = store.reader().expect("a reader");
            let query = EncodingsQuery {
                range: TimeRange {
                    from_unix_nano: i64::try_from(start).expect("a time"),
                    to_unix_nano: i64::try_from(now()).expect("a time"),
                },
                service: None,
            };
            let session = Session::new(&reader);
            let found = crate::query::encodings(&session, &query, Vec::new()).expect("an answer");
            let refusals: Vec<(&str, u64)> = found.offers[0]
                .values
                .iter()
                .map(|number| (number.value.as_str(), number.refusals))
                .collect();
            assert_eq!(refusals, [("0", 2), ("2", 5)]);
        },
    );
}
