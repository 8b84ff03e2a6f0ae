//! Roll-ups over hot and sealed segments against a naive count over the same spans.

mod oracle;
mod workload;

use std::collections::BTreeMap;

use crate::fixture::open;
use crate::model::{Scope, TimeRange};
use crate::store::Store;
use oracle::{Edge, Red, edges_of, red_of};
use workload::{Sent, Workload};

/// Reads `service_edges` summed over segments.
fn stored_edges(store: &Store) -> BTreeMap<Edge, [i64; 4]> {
    let reader = store.reader().expect("a reader");
    let mut statement = reader
        .connection()
        .prepare(
            "SELECT epoch_ns(bucket_start), environment, caller, callee_environment, callee, kind, is_async, \
             coalesce(inferred, ''), basis, sum(calls)::BIGINT, sum(errors)::BIGINT, sum(weight)::BIGINT, \
             sum(duration_sum_ns)::BIGINT, sum(list_sum(map_values(duration_histogram)))::BIGINT \
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
                row.get::<_, i64>(13)?,
                row.get::<_, i64>(9)?,
                "every call is in the histogram"
            );
            Ok((
                edge,
                [row.get(9)?, row.get(10)?, row.get(11)?, row.get(12)?],
            ))
        })
        .expect("rows");
    rows.map(|row| row.expect("a row")).collect()
}

fn stored_red(store: &Store) -> BTreeMap<Red, [i64; 4]> {
    let reader = store.reader().expect("a reader");
    let mut statement = reader
        .connection()
        .prepare(
            "SELECT epoch_ns(bucket_start), environment, service_name, name, kind, sidecar, basis, \
             sum(calls)::BIGINT, sum(errors)::BIGINT, sum(weight)::BIGINT, sum(duration_sum_ns)::BIGINT \
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
            Ok((red, [row.get(7)?, row.get(8)?, row.get(9)?, row.get(10)?]))
        })
        .expect("rows");
    rows.map(|row| row.expect("a row")).collect()
}

fn check(store: &Store, sent: &[Sent], when: &str) {
    assert_eq!(stored_red(store), red_of(sent), "red {when}");
    let edges = edges_of(sent);
    assert_eq!(summed_edges(store), summed(&edges), "sums of edges {when}");
    assert_eq!(stored_edges(store), edges, "service_edges {when}");
}

/// Caller, callee, kind and which end is inferred.
type Pair = (String, String, String, String);

/// Edges of every time, added up.
fn summed(edges: &BTreeMap<Edge, [i64; 4]>) -> BTreeMap<Pair, [i64; 3]> {
    let mut sums = BTreeMap::new();
    for (edge, [calls, errors, weight, _]) in edges {
        let pair = (
            format!("{:?}", edge.caller),
            format!("{:?}", edge.callee),
            edge.kind.clone(),
            edge.inferred.clone(),
        );
        let sum: &mut [i64; 3] = sums.entry(pair).or_default();
        for (sum, add) in sum.iter_mut().zip([calls, errors, weight]) {
            *sum += add;
        }
    }
    sums
}

/// The same as the graph asks for it: from what is kept of whole segments, where there are any.
fn summed_edges(store: &Store) -> BTreeMap<Pair, [i64; 3]> {
    let reader = store.reader().expect("a reader");
    let everything = TimeRange {
        from_unix_nano: 0,
        to_unix_nano: i64::MAX,
    };
    let set = reader.segments();
    let sums = set
        .edge_sums(reader.connection(), everything, ("", &[]), |_| true)
        .expect("sums");
    let mut all = BTreeMap::new();
    for sum in sums {
        let node = |(scope, name): (Scope, String)| {
            format!("{:?}", (scope.environment.unwrap_or_default(), name))
        };
        let pair = (
            node(sum.caller),
            node(sum.callee),
            sum.kind,
            sum.inferred.unwrap_or_default(),
        );
        let of: &mut [i64; 3] = all.entry(pair).or_default();
        of[0] += sum.totals.calls as i64;
        of[1] += sum.totals.errors as i64;
        of[2] += sum.totals.weight as i64;
    }
    all
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
