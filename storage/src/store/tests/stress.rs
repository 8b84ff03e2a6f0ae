//! Queries while everything moves: rotation, sealing, compaction and leases, all the time.

use std::ops::Range;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};
use std::time::{Duration, Instant};

use super::fixture::{append, config, hex, log, resource, scope, spans, trace};
use crate::ingest::{Batch, Rows, SpanColumns, SpanRow};
use crate::model::{GraphQuery, ScopeFilter, ServiceOrder, ServicesQuery, TimeRange};
use crate::query::{Session, graph, services};
use crate::store::{Reader, Store, StoreConfig, StoreStats, now_ns};

/// Spans of a round.
const ROUND: u64 = 40;
/// Spans of a trace.
const TRACE: u64 = 8;

#[test]
fn no_query_fails_and_no_row_is_missing_or_doubled_while_segments_come_and_go() {
    let is_enough = |stats: &StoreStats| stats.seals.count > 6 && stats.compactions.count > 1;
    // What a client calls and what answers it may lie in different segments.
    under_load(None, &[0..6, 6..TRACE], is_enough, look);
}

/// Retention expires by bytes all the while: what is left is never doubled, a count of a trace is all or nothing, and
/// the calls in the roll-ups only grow.
#[test]
fn no_query_fails_and_no_call_is_lost_while_segments_expire() {
    let is_enough = |stats: &StoreStats| stats.segments_expired > 3;
    let whole = 0..TRACE;
    under_load(
        Some(1 << 20),
        std::slice::from_ref(&whole),
        is_enough,
        look_at_what_is_left,
    );
}

/// Traces of numbered spans, those at these places in their trace: `shop` calls `pay`, which calls `shop`, which calls
/// `pay` again.
fn calls(numbers: Range<u64>, places: &Range<u64>) -> Batch {
    let now = u64::try_from(now_ns()).expect("after 1970");
    let mut columns = SpanColumns::default();
    for number in numbers.filter(|number| places.contains(&(number % TRACE))) {
        let place = number % TRACE;
        columns.push(&SpanRow {
            // Two spans of each service in turns.
            resource: u32::from(place / 2 % 2 == 1),
            trace_id: trace(number / TRACE),
            span_id: (number + 1).to_be_bytes(),
            parent_span_id: (place > 0).then(|| number.to_be_bytes()),
            name: "GET /",
            kind: if place.is_multiple_of(2) {
                "server"
            } else {
                "client"
            },
            start_unix_nano: now,
            end_unix_nano: now + 1_000,
            status_code: "ok",
            attributes: "{}",
            ..SpanRow::default()
        });
    }
    Batch {
        resources: vec![resource("shop"), resource("pay")],
        scopes: vec![scope()],
        rows: Rows::Spans(columns),
        bytes: 10_000,
    }
}

/// Calls of a trace from `shop` to `pay`.
const CALLS: u64 = 2;

/// Appends as fast as it goes, each round in as many batches as there are `places`, while two readers `look`, which gets
/// the store, the number of spans acknowledged and that of its round: for at least eight seconds, until the store has
/// done enough.
fn under_load(
    retention_bytes: Option<u64>,
    places: &[Range<u64>],
    is_enough: impl Fn(&StoreStats) -> bool + Sync,
    look: impl Fn(&Store, &AtomicU64, u64) + Sync,
) {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let store = Store::open(StoreConfig {
        compaction_fan_in: 3,
        // The first compactions sort, later ones keep runs.
        sorted_rows_max: 1_000,
        hot_rows_max: 200,
        maintenance_interval: Duration::from_millis(10),
        retention_bytes,
        ..config(dir.path())
    });
    let store = store.expect("open");
    let (acknowledged, is_over) = (AtomicU64::new(0), AtomicBool::new(false));
    let (started, least, most) = (
        Instant::now(),
        Duration::from_secs(8),
        Duration::from_secs(90),
    );
    let goes_on = || {
        let passed = started.elapsed();
        passed <= most && (passed <= least || !is_enough(&store.stats()))
    };
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut next = 0;
            while goes_on() {
                for places in places {
                    append(&store, calls(next..next + ROUND, places)).expect("appended");
                }
                next += ROUND;
                acknowledged.store(next, SeqCst);
                append(&store, log("shop", "x")).expect("appended");
            }
            is_over.store(true, SeqCst);
        });
        for reader in 0..2 {
            let (store, acknowledged, is_over, look) = (&store, &acknowledged, &is_over, &look);
            scope.spawn(move || {
                let mut rounds = 0_u64;
                while !is_over.load(SeqCst) {
                    rounds += 1;
                    look(store, acknowledged, rounds + reader);
                }
                assert!(rounds > 3, "{rounds} rounds");
            });
        }
    });
    let stats = store.stats();
    assert!(is_enough(&stats), "{stats:?}");
    assert_eq!(stats.last_error, None);
}

fn look_at_what_is_left(store: &Store, acknowledged: &AtomicU64, round: u64) {
    let before = acknowledged.load(SeqCst);
    let reader = store.reader().expect("a reader");
    reader.provide(&["spans", "red"]).expect("what is read");
    let conn = reader.connection();
    let (count, distinct): (u64, u64) = conn
        .query_row(
            "SELECT count(*), count(DISTINCT span_id) FROM spans",
            [],
            |row| Ok((row.get(0)?, row.get(1)?)),
        )
        .expect("a count");
    assert_eq!(count, distinct, "a span twice");
    if before > 0 {
        let trace = hex(&trace(round * 7_919 % before / TRACE));
        let sql = format!("SELECT count(*) FROM spans WHERE trace_id = '{trace}'");
        let of_trace: u64 = conn.query_row(&sql, [], |row| row.get(0)).expect("a trace");
        assert!(
            [0, TRACE].contains(&of_trace),
            "{of_trace} spans of a trace are left"
        );
    }
    let calls: u64 = conn
        .query_row(
            "SELECT coalesce(sum(calls), 0)::UBIGINT FROM red",
            [],
            |row| row.get(0),
        )
        .expect("roll-ups");
    let after = acknowledged.load(SeqCst) + ROUND;
    assert!(
        (before..=after).contains(&calls),
        "{calls} calls of {before} to {after} acknowledged"
    );
}

fn look(store: &Store, acknowledged: &AtomicU64, round: u64) {
    let before = acknowledged.load(SeqCst);
    let reader = store.reader().expect("a reader");
    reader
        .provide(&["spans", "logs", "resources", "service_edges", "red"])
        .expect("what is read");
    let conn = reader.connection();
    // Several statements on one lease: nothing it needs may go in between.
    let (count, distinct): (u64, u64) = conn
        .query_row(
            "SELECT count(*), count(DISTINCT span_id) FROM spans",
            [],
            |row| Ok((row.get(0)?, row.get(1)?)),
        )
        .expect("a count");
    assert!(count >= before, "{count} of {before} acknowledged");
    assert_eq!(count, distinct, "a span twice");
    if before > 0 {
        let number = round * 7_919 % before;
        let sql = format!(
            "SELECT count(*) FROM spans WHERE trace_id = '{}'",
            hex(&trace(number / TRACE))
        );
        assert_eq!(
            conn.query_row(&sql, [], |row| row.get::<_, u64>(0))
                .expect("a trace"),
            TRACE
        );
    }
    conn.query_row(
        "SELECT count(*) FROM logs l JOIN resources r USING (resource_id)",
        [],
        |row| row.get::<_, u64>(0),
    )
    .expect("a join");
    let sums = "SELECT (SELECT sum(calls) FROM red)::UBIGINT, \
                (SELECT coalesce(sum(calls), 0) FROM service_edges WHERE caller = 'shop' AND callee = 'pay')::UBIGINT";
    let (rolled_up, called): (Option<u64>, u64) = conn
        .query_row(sums, [], |row| Ok((row.get(0)?, row.get(1)?)))
        .expect("roll-ups");
    let (shown, drawn) = as_pages_ask(&reader);
    let after = acknowledged.load(SeqCst) + ROUND;
    for spans in [rolled_up.unwrap_or_default(), shown] {
        assert!(
            (before..=after).contains(&spans),
            "{spans} spans of {before} to {after} acknowledged"
        );
    }
    let of_traces = |spans: u64| spans / TRACE * CALLS;
    for calls in [called, drawn] {
        assert!(
            (of_traces(before)..=of_traces(after)).contains(&calls),
            "{calls} calls of {before} to {after} spans acknowledged"
        );
    }
}

/// Spans of all services, and calls from `shop` to `pay`.
fn as_pages_ask(reader: &Reader) -> (u64, u64) {
    let session = Session::new(reader);
    let range = TimeRange {
        from_unix_nano: 0,
        to_unix_nano: i64::MAX,
    };
    let question = ServicesQuery {
        range,
        scope: ScopeFilter::default(),
        order: ServiceOrder::default(),
        limit: 10,
    };
    let listed = services(&session, &question).expect("services").items;
    let question = GraphQuery {
        range,
        scope: ScopeFilter::default(),
        service: None,
        edges_max: 10,
    };
    let graph = graph(&session, &question).expect("a graph");
    let name = |node: usize| graph.nodes[node].name.as_str();
    let edges = graph.edges.iter();
    let of_shop = edges.filter(|edge| (name(edge.caller), name(edge.callee)) == ("shop", "pay"));
    (
        listed.iter().map(|service| service.spans).sum(),
        of_shop.map(|edge| edge.calls).sum(),
    )
}

#[test]
fn a_lease_keeps_its_segments_and_lets_them_go_at_its_end() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let store = Store::open(config(dir.path())).expect("open");
    append(&store, spans("shop", 0, 100)).expect("spans");
    let reader = store.reader().expect("a reader");
    store.seal_now().expect("sealed");
    append(&store, spans("shop", 100, 200)).expect("spans");
    let count = |reader: &Reader| -> u64 {
        reader
            .views()
            .expect("views")
            .query_row("SELECT count(*) FROM spans", [], |row| row.get(0))
            .expect("a count")
    };
    assert_eq!(count(&reader), 100, "its own set, though that was replaced");
    let hot_1 = dir.path().join("hot-0000000001.duckdb");
    assert!(hot_1.exists(), "leased");
    assert_eq!(count(&store.reader().expect("a reader")), 200);
    drop(reader);
    super::fixture::eventually("the replaced file is gone", || !hot_1.exists());
}
