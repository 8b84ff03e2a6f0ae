//! Roll-ups over hot and sealed segments against a naive count over the same spans.

mod oracle;
mod workload;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::{Duration, Instant};

use super::{BUCKET_NS, ByBucket, EdgeCalls, ServiceSpans, Summed, Totals};
use crate::fixture::{open, small};
use crate::model::{Scope, TimeRange};
use crate::segment::files;
use crate::store::{Store, StoreConfig, StoreStats};
use oracle::{Counts, Edge, Red, edges_of, red_of};
use workload::{Sent, Workload};

/// Reads `service_edges` summed over segments.
fn stored_edges(store: &Store) -> BTreeMap<Edge, Counts> {
    let reader = store.reader().expect("a reader");
    let mut statement = reader
        .views()
        .expect("views")
        .prepare(
            "SELECT epoch_ns(bucket_start), environment, caller, callee_environment, callee, kind, is_async, \
             coalesce(inferred, ''), basis, sum(calls)::BIGINT, sum(errors)::BIGINT, sum(weight)::BIGINT, \
             sum(error_weight)::BIGINT, sum(duration_sum_ns)::BIGINT, sum(list_sum(map_values(duration_histogram)))::BIGINT \
             FROM service_edges GROUP BY ALL",
        )
        .expect("a view");
    let rows = statement
        .query_map([], |row| {
            let edge = Edge {
                bucket: row.get(0)?,
                caller: (row.get(1)?, row.get(2)?),
                callee: (row.get(3)?, row.get(4)?),
                kind: row.get(5)?,
                inferred: row.get(7)?,
                basis: row.get(8)?,
            };
            assert_eq!(row.get::<_, bool>(6)?, edge.kind == "messaging");
            assert_eq!(
                row.get::<_, i64>(14)?,
                row.get::<_, i64>(9)?,
                "every call is in the histogram"
            );
            Ok((
                edge,
                [
                    row.get(9)?,
                    row.get(10)?,
                    row.get(11)?,
                    row.get(12)?,
                    row.get(13)?,
                ],
            ))
        })
        .expect("rows");
    rows.map(|row| row.expect("a row")).collect()
}

fn stored_red(store: &Store) -> BTreeMap<Red, Counts> {
    let reader = store.reader().expect("a reader");
    let mut statement = reader
        .views()
        .expect("views")
        .prepare(
            "SELECT epoch_ns(bucket_start), environment, service_name, name, kind, sidecar, basis, \
             sum(calls)::BIGINT, sum(errors)::BIGINT, sum(weight)::BIGINT, \
             sum(error_weight)::BIGINT, sum(duration_sum_ns)::BIGINT \
             FROM red GROUP BY ALL",
        )
        .expect("a view");
    let rows = statement
        .query_map([], |row| {
            let red = Red {
                bucket: row.get(0)?,
                service: (row.get(1)?, row.get(2)?),
                name: row.get(3)?,
                kind: row.get(4)?,
                sidecar: row.get(5)?,
                basis: row.get(6)?,
            };
            Ok((
                red,
                [
                    row.get(7)?,
                    row.get(8)?,
                    row.get(9)?,
                    row.get(10)?,
                    row.get(11)?,
                ],
            ))
        })
        .expect("rows");
    rows.map(|row| row.expect("a row")).collect()
}

fn check(store: &Store, sent: &[Sent], when: &str) {
    let red = red_of(sent);
    assert_eq!(stored_red(store), red, "red {when}");
    let edges = edges_of(sent);
    // As pages ask: from what is kept and what is rolled up ahead.
    let everything = TimeRange {
        from_unix_nano: 0,
        to_unix_nano: i64::MAX,
    };
    let buckets: BTreeSet<i64> = red.keys().map(|red| red.bucket).collect();
    let middle = *buckets.iter().nth(buckets.len() / 2).expect("spans");
    let cut = TimeRange {
        from_unix_nano: middle + 1,
        to_unix_nano: middle + 2 * BUCKET_NS,
    };
    both_ways(store, when);
    for range in [everything, cut] {
        assert_eq!(
            summed_edges(store, range),
            edges_in(&edges, range),
            "sums of edges {when}, {range:?}"
        );
        assert_eq!(
            summed_services(store, range),
            services_in(&red, range),
            "sums of services {when}, {range:?}"
        );
    }
    assert_eq!(stored_edges(store), edges, "service_edges {when}");
}

/// Spans in memory and in files make the same calls.
fn both_ways(store: &Store, when: &str) {
    let reader = store.reader().expect("a reader");
    let (set, conn) = (reader.segments(), reader.views().expect("views"));
    let everything = TimeRange {
        from_unix_nano: 0,
        to_unix_nano: i64::MAX,
    };
    let made = |edges: ByBucket<EdgeCalls>| -> BTreeMap<String, String> {
        let told = edges.within(everything).map(|sum| {
            let of = format!("{} {:?}", sum.bucket_start, sum.of);
            let basis = (sum.is_sampled, sum.is_unknown, sum.duration_ns);
            let counts = (sum.calls, sum.errors, sum.weight, sum.error_weight);
            (of, format!("{counts:?} {basis:?} {:?}", sum.durations))
        });
        told.collect()
    };
    let in_memory = set.open_edges_in_memory(conn).expect("edges");
    let by_engine = set.open_edges_by_engine(conn, everything).expect("edges");
    assert_eq!(made(in_memory), made(by_engine), "{when}");
}

/// Caller, callee, kind and which end is inferred.
type Pair = (String, String, String, String);
/// Service and rank.
type Ranked = (String, u8);

fn is_in(range: TimeRange, bucket: i64) -> bool {
    bucket > range.from_unix_nano - BUCKET_NS && bucket < range.to_unix_nano
}

/// Edges of a range, added up.
fn edges_in(edges: &BTreeMap<Edge, Counts>, range: TimeRange) -> BTreeMap<Pair, [i64; 4]> {
    let mut sums = BTreeMap::new();
    for (edge, counts) in edges {
        let pair = (
            format!("{:?}", edge.caller),
            format!("{:?}", edge.callee),
            edge.kind.clone(),
            edge.inferred.clone(),
        );
        if is_in(range, edge.bucket) {
            add(sums.entry(pair).or_default(), counts);
        }
    }
    sums
}

/// Spans of a range by service and rank, added up.
fn services_in(red: &BTreeMap<Red, Counts>, range: TimeRange) -> BTreeMap<Ranked, [i64; 4]> {
    let mut sums = BTreeMap::new();
    for (red, counts) in red {
        let rank = match (red.kind.as_str(), red.sidecar) {
            ("server" | "consumer", false) => 1,
            ("server" | "consumer", true) => 2,
            ("client" | "producer", false) => 3,
            ("client" | "producer", true) => 4,
            _ => 5,
        };
        if is_in(range, red.bucket) {
            let of = (format!("{:?}", red.service), rank);
            add(sums.entry(of).or_default(), counts);
        }
    }
    sums
}

/// All but the durations.
fn add(sums: &mut [i64; 4], counts: &Counts) {
    for (sum, count) in sums.iter_mut().zip(counts) {
        *sum += count;
    }
}

fn counts(totals: &Totals) -> [i64; 4] {
    [
        totals.calls as i64,
        totals.errors as i64,
        totals.weight as i64,
        totals.error_weight as i64,
    ]
}

fn node((scope, name): (Scope, String)) -> String {
    format!("{:?}", (scope.environment.unwrap_or_default(), name))
}

/// Edges as the graph asks for them; their steps add up to the same.
fn summed_edges(store: &Store, range: TimeRange) -> BTreeMap<Pair, [i64; 4]> {
    let reader = store.reader().expect("a reader");
    let (set, conn) = (reader.segments(), reader.views().expect("views"));
    let mut steps: HashMap<EdgeCalls, [Totals; 2]> = HashMap::new();
    set.each_edge_bucket(conn, range, |sum| {
        let of = EdgeCalls {
            is_minus: false,
            ..sum.of.clone()
        };
        steps.entry(of).or_default()[usize::from(sum.of.is_minus)].add(sum);
    })
    .expect("steps");
    let mut steps: HashMap<EdgeCalls, Totals> = steps
        .into_iter()
        .map(|(of, [mut totals, minus])| {
            totals.take_away(&minus);
            (of, totals)
        })
        .collect();
    steps.retain(|_, totals| totals.calls > 0);
    let sums = set.edge_sums(conn, range, |_| true).expect("sums");
    assert_eq!(steps.len(), sums.len());
    sums.into_iter()
        .map(|Summed { of, totals }| {
            assert_eq!(counts(&steps[&of]), counts(&totals));
            let inferred = of.inferred.unwrap_or_default();
            let pair = (node(of.caller), node(of.callee), of.kind, inferred);
            (pair, counts(&totals))
        })
        .collect()
}

/// Services as the pages ask for them; their steps add up to the same.
fn summed_services(store: &Store, range: TimeRange) -> BTreeMap<Ranked, [i64; 4]> {
    let reader = store.reader().expect("a reader");
    let (set, conn) = (reader.segments(), reader.views().expect("views"));
    let mut steps: HashMap<ServiceSpans, Totals> = HashMap::new();
    set.each_service_bucket(conn, range, |sum| {
        steps.entry(sum.of.clone()).or_default().add(sum);
    })
    .expect("steps");
    let sums = set.service_sums(conn, range, |_| true).expect("sums");
    assert_eq!(steps.len(), sums.len());
    sums.into_iter()
        .map(|Summed { of, totals }| {
            assert_eq!(counts(&steps[&of]), counts(&totals));
            (
                (node((of.scope, of.service_name)), of.rank),
                counts(&totals),
            )
        })
        .collect()
}

#[test]
fn a_hot_segment_alone_equals_a_count_over_its_spans() {
    for seed in 0..4 {
        let dir = tempfile::tempdir().expect("a directory");
        let store = open(dir.path());
        let sent = Workload::new(seed).everything(60);
        workload::append(&store, &sent, seed);
        check(&store, &sent, &format!("hot, seed {seed}"));
    }
}

#[test]
fn adding_up_ahead_changes_no_number() {
    for seed in 30..33 {
        let dir = tempfile::tempdir().expect("a directory");
        let store = open(dir.path());
        let sent = Workload::new(seed).everything(40);
        let times = |store: &Store| -> Vec<usize> {
            let reader = store.reader().expect("a reader");
            let segments = reader.segments().segments();
            segments.iter().map(|one| one.times_added_up()).collect()
        };
        let length = sent.len() / 4 + 1;
        for (part, now) in sent.chunks(length).enumerate() {
            let so_far = &sent[..part * length + now.len()];
            workload::append(&store, now, seed);
            check(&store, so_far, &format!("seed {seed}, {part} times more"));
        }
        assert!(times(&store).iter().any(|times| *times >= 3));
        store.seal_now().expect("sealed");
        check(&store, &sent, &format!("seed {seed}, sealed"));
        assert!(times(&store).iter().all(|times| *times == 0));
    }
}

#[test]
fn sealing_changes_no_number() {
    let dir = tempfile::tempdir().expect("a directory");
    let store = open(dir.path());
    let sent = Workload::new(11).everything(60);
    workload::append(&store, &sent, 11);
    store.seal_now().expect("sealed");
    check(&store, &sent, "sealed");
}

#[test]
fn calls_whose_spans_lie_in_several_segments_are_counted_once_each() {
    for seed in 20..24 {
        let dir = tempfile::tempdir().expect("a directory");
        let store = open(dir.path());
        let sent = Workload::new(seed).across_segments(40);
        let mut rest: &[Sent] = &sent;
        let mut so_far: Vec<Sent> = Vec::new();
        for part in 0..3 {
            let (now, later) = rest.split_at(rest.len() / (3 - part));
            workload::append(&store, now, seed);
            so_far.extend_from_slice(now);
            check(
                &store,
                &so_far,
                &format!("seed {seed}, {part} sealed, one hot"),
            );
            if part < 2 {
                store.seal_now().expect("sealed");
                check(
                    &store,
                    &so_far,
                    &format!("seed {seed}, {} sealed", part + 1),
                );
            }
            rest = later;
        }
    }
}

/// Waits until so many segments are sealed and so many are history.
fn until(store: &Store, segments: (usize, usize), what: &str) {
    let deadline = Instant::now() + Duration::from_secs(60);
    let are = |stats: &StoreStats| (stats.segments_sealed, stats.segments_history);
    while are(&store.stats()) != segments {
        assert!(Instant::now() < deadline, "never {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Bytes of the sealed segments that have their rows.
fn raw_bytes(store: &Store) -> u64 {
    let reader = store.reader().expect("a reader");
    let segments = reader.segments().segments().iter();
    let raw = segments.filter(|one| !one.is_text() && !one.is_history());
    raw.map(|one| files::size(&one.attachment.path)).sum()
}

#[test]
fn expiring_one_file_after_the_other_changes_no_number() {
    for seed in 50..53 {
        let dir = tempfile::tempdir().expect("a directory");
        let sent = Workload::new(seed).across_segments(40);
        let opened = |retention_bytes: Option<u64>| {
            let quick = StoreConfig {
                compaction_fan_in: 100,
                maintenance_interval: Duration::from_millis(50),
                retention_bytes,
                ..small(dir.path())
            };
            Store::open(quick).expect("a store")
        };
        let mut store = opened(None);
        for part in sent.chunks(sent.len() / 3 + 1) {
            workload::append(&store, part, seed);
            store.seal_now().expect("sealed");
        }
        for expired in 1..=3 {
            // There is no room for all of those that are left.
            let room = raw_bytes(&store) - 1;
            drop(store);
            store = opened(Some(room));
            let when = format!("{expired} expired, seed {seed}");
            until(&store, (3 - expired, expired), &when);
            check(&store, &sent, &when);
        }
    }
}

#[test]
fn compacting_and_expiring_change_no_number() {
    for seed in 40..43 {
        let dir = tempfile::tempdir().expect("a directory");
        let sent = Workload::new(seed).across_segments(40);
        let opened = |retention_age: Duration| {
            let quick = StoreConfig {
                compaction_fan_in: 3,
                maintenance_interval: Duration::from_millis(50),
                retention_age,
                ..small(dir.path())
            };
            Store::open(quick).expect("a store")
        };
        let long = Duration::from_secs(30 * 86_400);
        let store = opened(long);
        for part in sent.chunks(sent.len() / 3 + 1) {
            workload::append(&store, part, seed);
            store.seal_now().expect("sealed");
        }
        until(&store, (1, 0), &format!("compacted, seed {seed}"));
        check(&store, &sent, &format!("seed {seed}, compacted"));
        drop(store);
        let store = opened(Duration::from_millis(1));
        until(&store, (0, 1), &format!("expired, seed {seed}"));
        check(&store, &sent, &format!("seed {seed}, expired"));
        drop(store);
        let store = opened(long);
        check(&store, &sent, &format!("seed {seed}, opened again"));
    }
}
