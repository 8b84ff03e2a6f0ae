//! What a service is asked to do: the same from sums that are kept as from all roll-ups at once.

use std::collections::BTreeMap;
use std::time::SystemTime;

use super::*;
use crate::model::{OperationSummary, ServiceQuery};
use crate::query::service;
use crate::query::service::{operations_by_engine, operations_in_memory};

const SECOND: u64 = 1_000_000_000;
/// Spans of a round and service, a second apart: six buckets.
const ROUND: u64 = 60;

/// Operations, and how many there are.
type Found = (Vec<OperationSummary>, u64);

/// A store that holds what came an hour ago for good, and when that was: the start of a bucket.
fn opened(dir: &std::path::Path, compaction_fan_in: usize) -> (Store, u64) {
    let store = Store::open(StoreConfig {
        compaction_fan_in,
        hot_age_max: Duration::from_secs(3_600),
        maintenance_interval: Duration::from_millis(20),
        ..fixture::small(dir)
    })
    .expect("a store");
    let now = SystemTime::UNIX_EPOCH.elapsed().expect("after 1970");
    (store, (now.as_secs() / 10 * 10 - 3_600) * SECOND)
}

/// Every fifth span is a call it made, the others are calls it got, of so many names.
fn name_and_kind(number: u64, names: u64) -> (String, &'static str) {
    if number % 5 == 4 {
        ("call".to_owned(), "client")
    } else {
        (format!("GET /{}", number % names), "server")
    }
}

/// One round of spans of `shop`, of the same in another environment, and of `pay`.
fn sent(store: &Store, base: u64, round: u64, names: u64) {
    for (sender, (service, environment)) in [("shop", "prod"), ("shop", "dev"), ("pay", "prod")]
        .into_iter()
        .enumerate()
    {
        let mut columns = SpanColumns::default();
        for number in round * ROUND..(round + 1) * ROUND {
            let (name, kind) = name_and_kind(number, names);
            let id = number * 10 + sender as u64 + 1;
            let start = base + number * SECOND;
            columns.push(&SpanRow {
                trace_id: u128::from(id).to_be_bytes(),
                span_id: id.to_be_bytes(),
                name: &name,
                kind,
                start_unix_nano: start,
                end_unix_nano: start + number * 7_919 % 97 * 100_000,
                status_code: if number.is_multiple_of(7) {
                    "error"
                } else {
                    "unset"
                },
                attributes: "{}",
                weight: [None, Some(1.0), Some(4.0)][number as usize % 3],
                ..SpanRow::default()
            });
        }
        let resource = ResourceRow {
            service_name: Some(service.to_owned()),
            environment: Some(environment.to_owned()),
            attributes: "{}".to_owned(),
            ..ResourceRow::default()
        };
        append_from(store, resource, Rows::Spans(columns));
    }
}

/// The operations of `shop`, of production or of both environments, in a range of seconds after `base`.
fn asked(base: u64, (from, to): (i64, i64), is_own: bool) -> ServiceQuery {
    let at = |seconds: i64| base as i64 + seconds * SECOND as i64;
    let prod = Scope {
        environment: Some("prod".to_owned()),
        ..Scope::default()
    };
    ServiceQuery {
        service: "shop".to_owned(),
        range: TimeRange {
            from_unix_nano: at(from),
            to_unix_nano: at(to),
        },
        scope: Scope::default(),
        own: is_own.then_some(prod),
        steps: 10,
    }
}

/// From sums, unless there are too many, and from all roll-ups.
fn both(session: &Session<'_>, query: &ServiceQuery) -> (Option<Found>, Found) {
    session
        .run(|conn| {
            let set = session.set();
            Ok((
                operations_in_memory(set, conn, query)?,
                operations_by_engine(set, conn, query)?,
            ))
        })
        .expect("operations")
}

/// Name, calls and failures of what was sent up to a number, of the buckets that touch the range; the busiest first.
fn by_hand(
    until: u64,
    (from, to): (i64, i64),
    names: u64,
    senders: u64,
) -> Vec<(String, u64, u64)> {
    let mut counts: BTreeMap<String, (u64, u64)> = BTreeMap::new();
    for number in 0..until {
        let bucket = (number / 10 * 10) as i64;
        let (name, kind) = name_and_kind(number, names);
        if kind == "server" && from.div_euclid(10) * 10 <= bucket && bucket < to {
            let (calls, errors) = counts.entry(name).or_default();
            *calls += senders;
            *errors += if number.is_multiple_of(7) { senders } else { 0 };
        }
    }
    let counts = counts.into_iter();
    let mut all: Vec<_> = counts
        .map(|(name, (calls, errors))| (name, calls, errors))
        .collect();
    all.sort_by_key(|(_, calls, _)| std::cmp::Reverse(*calls));
    all
}

fn told(found: &Found) -> Vec<(String, u64, u64)> {
    let told = |one: &OperationSummary| (one.name.clone(), one.calls, one.errors);
    found.0.iter().map(told).collect()
}

/// Segments that a range holds whole.
fn count_whole(session: &Session<'_>, query: &ServiceQuery) -> usize {
    let segments = session.set().segments().iter();
    segments
        .filter(|segment| segment.has_all_calls_in(query.range))
        .count()
}

/// Whole buckets, parts of them, with all files and through the middle of each, and where nothing is.
const RANGES: [(i64, i64); 7] = [
    (-100, 1_000),
    (0, 300),
    (35, 1_000),
    (-100, 215),
    (95, 201),
    (250, 260),
    (-900, -600),
];

fn check(store: &Store, base: u64, until: u64, what: &str) {
    let reader = store.reader().expect("a reader");
    let session = Session::new(&reader);
    for seconds in RANGES {
        for (is_own, senders) in [(true, 1), (false, 2)] {
            let query = asked(base, seconds, is_own);
            // What was kept the first time answers the second.
            for _ in 0..2 {
                let (from_sums, by_engine) = both(&session, &query);
                assert_eq!(from_sums.as_ref(), Some(&by_engine), "{what} {seconds:?}");
                let expected = by_hand(until, seconds, 6, senders);
                assert_eq!(told(&by_engine), expected, "{what} {seconds:?}");
                assert_eq!(by_engine.1, expected.len() as u64, "{what} {seconds:?}");
            }
        }
    }
}

#[test]
fn operations_are_the_same_from_kept_sums_however_a_range_cuts_hot_sealed_and_merged_segments() {
    let dir = tempfile::tempdir().expect("a directory");
    let (store, base) = opened(dir.path(), 3);
    sent(&store, base, 0, 6);
    check(&store, base, ROUND, "hot");
    store.seal_now().expect("sealed");
    check(&store, base, ROUND, "sealed");
    for round in 1..3 {
        sent(&store, base, round, 6);
        store.seal_now().expect("sealed");
    }
    let until = Instant::now() + Duration::from_secs(60);
    while store.stats().segments_sealed > 1 {
        assert!(Instant::now() < until, "never merged");
        std::thread::sleep(Duration::from_millis(20));
    }
    check(&store, base, 3 * ROUND, "merged");
    sent(&store, base, 3, 6);
    store.seal_now().expect("sealed");
    sent(&store, base, 4, 6);
    check(&store, base, 5 * ROUND, "merged, sealed and hot");
    let reader = store.reader().expect("a reader");
    let session = Session::new(&reader);
    let whole = |seconds| count_whole(&session, &asked(base, seconds, true));
    assert!(whole((-100, 1_000)) >= 2 && whole((35, 1_000)) >= 1);
    assert_eq!(whole((95, 201)), 0);
}

#[test]
fn names_of_a_segment_that_are_too_many_are_counted_by_the_engine() {
    let dir = tempfile::tempdir().expect("a directory");
    let (store, base) = opened(dir.path(), 100);
    let query = asked(base, RANGES[0], true);
    sent(&store, base, 0, 45);
    for what in ["hot", "sealed"] {
        let reader = store.reader().expect("a reader");
        let session = Session::new(&reader);
        let (from_sums, by_engine) = both(&session, &query);
        assert_eq!(from_sums, None, "{what}");
        assert_eq!(told(&by_engine), by_hand(ROUND, RANGES[0], 45, 1), "{what}");
        let found = service(&session, &query).expect("a service");
        assert_eq!(
            (found.operations, found.operations_total),
            by_engine,
            "{what}"
        );
        drop(reader);
        store.seal_now().expect("sealed");
    }
}

#[test]
fn operations_of_a_range_that_are_too_many_to_be_kept_are_counted_by_the_engine() {
    let dir = tempfile::tempdir().expect("a directory");
    let (store, base) = opened(dir.path(), 100);
    let query = asked(base, RANGES[0], true);
    // 21 of all services in each segment.
    for round in 0..3 {
        sent(&store, base, round, 6);
        store.seal_now().expect("sealed");
        let reader = store.reader().expect("a reader");
        let (from_sums, by_engine) = both(&Session::new(&reader), &query);
        assert_eq!(from_sums.is_none(), round == 2, "{round}");
        let expected = by_hand((round + 1) * ROUND, RANGES[0], 6, 1);
        assert_eq!(told(&by_engine), expected, "{round}");
    }
}
