//! Whom breakers guard and which calls opened them, where only the calls of their owners tell: seeded spans beside
//! gauges and logs, hot and sealed, as pages, people's SQL and what-if see it.

use std::time::{Duration, Instant};

use super::fixture::{Log, Point, append, batch, logs, metrics, now, open, resource, rows};
use crate::ingest::{
    ExemplarRow, MetricColumns, NumberPointRow, NumberValue, Rows, SeriesRow, SpanColumns, SpanRow,
};
use crate::model::{
    Breaker, BreakerTransition, BreakersQuery, FindingsQuery, GraphQuery, IncidentsQuery,
    TimeRange, TransitionsQuery, WhatIfQuery,
};
use crate::query::{self, Session};
use crate::resilience::PeerRule;
use crate::sql::{Format, Gate, Limits, Request, STACK_BYTES};
use crate::store::{Store, StoreConfig};

const SECOND: u64 = 1_000_000_000;
const MS: u64 = 1_000_000;
/// By which name `shop` calls `inventory`.
const ADDRESS: &str = "10.0.0.7:8080";

/// A span of a few milliseconds; a call when it has a peer.
#[derive(Clone, Copy)]
struct Call<'a> {
    trace: u8,
    span: u8,
    parent: Option<u8>,
    kind: &'a str,
    start: u64,
    length: u64,
    failed: bool,
    message: &'a str,
    peer: Option<&'a str>,
    attributes: &'a str,
}

/// A call to `peer` in a trace of its own.
fn to(peer: &str, trace: u8, start: u64, failed: bool) -> Call<'_> {
    Call {
        trace,
        span: trace,
        parent: None,
        kind: "client",
        start,
        length: 4 * MS,
        failed,
        message: "",
        peer: Some(peer),
        attributes: "{}",
    }
}

fn spans(store: &Store, service: &str, instance: &str, calls: &[Call<'_>]) {
    let mut columns = SpanColumns::default();
    for call in calls {
        columns.push(&SpanRow {
            trace_id: [call.trace; 16],
            span_id: [call.span; 8],
            parent_span_id: call.parent.map(|parent| [parent; 8]),
            name: "work",
            kind: call.kind,
            start_unix_nano: call.start,
            end_unix_nano: call.start + call.length,
            status_code: if call.failed { "error" } else { "unset" },
            status_message: call.message,
            attributes: call.attributes,
            peer: call.peer,
            peer_kind: call.peer.map(|_| "external"),
            ..SpanRow::default()
        });
    }
    append(
        store,
        batch(resource(service, instance), "lib", Rows::Spans(columns)),
    );
}

/// `inventory` answers some of the calls.
fn answers(store: &Store, calls: &[Call<'_>]) {
    let servers: Vec<Call<'_>> = calls
        .iter()
        .map(|call| Call {
            span: call.span + 100,
            parent: Some(call.span),
            kind: "server",
            peer: None,
            ..*call
        })
        .collect();
    spans(store, "inventory", "i1", &servers);
}

/// What resilience4j's gauge of states exports: one series a state.
fn gauge(store: &Store, time: u64, breaker: &str, state: &str) {
    let points: Vec<Point<'_>> = ["closed", "open", "half_open"]
        .into_iter()
        .map(|word| {
            let attributes = format!(r#"{{"name":"{breaker}","state":"{word}"}}"#);
            let value = f64::from(u8::from(word == state));
            (
                "resilience4j.circuitbreaker.state",
                "gauge",
                attributes,
                time,
                value,
            )
        })
        .collect();
    append(store, metrics("shop", "p1", &points));
}

fn id(trace: u8) -> String {
    format!("{trace:02x}").repeat(16)
}

fn range(start: u64) -> TimeRange {
    TimeRange {
        from_unix_nano: i64::try_from(start - 60 * SECOND).expect("before 2262"),
        to_unix_nano: i64::try_from(start + 60 * SECOND).expect("before 2262"),
    }
}

fn trips(session: &Session<'_>) -> Vec<BreakerTransition> {
    let query = TransitionsQuery {
        limit: 100,
        ..TransitionsQuery::default()
    };
    let mut items = query::transitions(session, &query)
        .expect("transitions")
        .items;
    items.retain(|change| change.to_state == "open");
    items
}

fn breakers(session: &Session<'_>) -> Vec<Breaker> {
    let query = BreakersQuery {
        limit: 100,
        ..BreakersQuery::default()
    };
    query::breakers(session, &query).expect("breakers").items
}

/// Who is guarded, at which address, and how that is known.
fn peers(store: &Store) -> Vec<[String; 3]> {
    let reader = store.reader().expect("a reader");
    let word = |text: Option<String>| text.unwrap_or_else(|| "-".to_owned());
    breakers(&Session::new(&reader))
        .into_iter()
        .map(|breaker| {
            [
                breaker.peer_service,
                breaker.peer_address,
                breaker.peer_evidence,
            ]
            .map(word)
        })
        .collect()
}

/// The answer of people's SQL, as JSON text.
fn asked(store: &Store, sql: &str) -> String {
    let run = || {
        let reader = store.reader().expect("a reader");
        let gate = Gate::new(reader.connection(), Limits::default()).expect("a gate");
        let request = Request {
            query: sql.to_owned(),
            limit: None,
            timeout: None,
            format: Format::Ndjson,
        };
        let mut out = Vec::new();
        let permit = gate.admit().expect("free");
        let outcome = permit.run(&reader, &request, &mut |bytes| {
            out.extend(bytes);
            Ok(())
        });
        outcome.unwrap_or_else(|error| panic!("{sql}: {error:?}"));
        String::from_utf8(out).expect("text")
    };
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new()
            .stack_size(STACK_BYTES)
            .spawn_scoped(scope, run);
        thread.expect("a thread").join().expect("no panic")
    })
}

/// Runs the check on hot rows, on sealed ones, and after a restart.
fn hot_and_sealed(fill: impl Fn(&Store), check: impl Fn(&Store)) {
    let dir = tempfile::tempdir().expect("a directory");
    let store = open(dir.path());
    fill(&store);
    check(&store);
    store.seal_now().expect("sealed");
    check(&store);
    drop(store);
    check(&open(dir.path()));
}

/// Ten seconds in which a gauge goes from closed to open, among calls of every kind.
fn story(store: &Store, start: u64) {
    let at = |second: u64| start + second * SECOND;
    gauge(store, at(0), "inventory-cb", "closed");
    let refused = Call {
        message: "the circuit said no",
        length: 1_000,
        ..to(ADDRESS, 8, at(8), true)
    };
    let calls = [
        to(ADDRESS, 1, at(1), false),
        to(ADDRESS, 4, at(4), true),
        to(ADDRESS, 5, at(5), true),
        to("psp", 7, at(7), true),
        refused,
        to(ADDRESS, 12, at(12), true),
    ];
    spans(store, "shop", "p1", &calls);
    // Another instance is another window.
    spans(store, "shop", "p2", &[to(ADDRESS, 6, at(6), true)]);
    answers(store, &calls[..2]);
    gauge(store, at(10), "inventory-cb", "open");
}

#[test]
fn a_gauge_that_opened_beside_failing_calls_leads_to_the_last_of_them() {
    let start = now() - 600 * SECOND;
    hot_and_sealed(
        |store| story(store, start),
        |store| {
            let reader = store.reader().expect("a reader");
            let session = Session::new(&reader);
            let [trip]: [BreakerTransition; 1] = trips(&session).try_into().expect("one trip");
            assert_eq!(trip.trace_id, Some(id(5)), "{trip:?}");
            assert_eq!(trip.span_id.as_deref(), Some("0505050505050505"));
            assert_eq!(trip.trace_evidence.as_deref(), Some("inferred"));
            assert_eq!(trip.contributing_trace_ids, [id(4)]);
            assert_eq!(trip.evidence, "gauge");

            let [breaker]: [Breaker; 1] = breakers(&session).try_into().expect("one breaker");
            assert_eq!(breaker.peer_service.as_deref(), Some("inventory"));
            assert_eq!(breaker.peer_evidence.as_deref(), Some("name"));
            let last = breaker.last_trip.as_ref().expect("a trip");
            assert_eq!(
                (&last.trace_id, last.trace_evidence.as_deref()),
                (&id(5), Some("inferred"))
            );

            caused(&session);
            everybody_knows_the_callee(&session, start, &breaker.breaker_id);
            let sql = "SELECT trace_id, trace_evidence, peer_service FROM breaker_transitions WHERE to_state = 'open'";
            let told = asked(store, sql);
            for word in [id(5).as_str(), "inferred", "inventory"] {
                assert!(told.contains(word), "{told}");
            }
            // The evidence alone does not say it.
            assert_eq!(
                rows(
                    store,
                    "SELECT trace_id FROM breaker_transitions WHERE to_state = 'open'"
                ),
                ["-"]
            );
        },
    );
}

/// The trace knows what it may have tripped.
fn caused(session: &Session<'_>) {
    let trace = query::trace(session, &id(5)).expect("an answer");
    let caused = trace.expect("the trace").transitions;
    assert_eq!(caused.len(), 1, "{caused:?}");
    assert_eq!(caused[0].trace_id, Some(id(5)));
    assert_eq!(caused[0].trace_evidence.as_deref(), Some("inferred"));
}

fn everybody_knows_the_callee(session: &Session<'_>, start: u64, breaker_id: &str) {
    let graph = GraphQuery {
        range: range(start),
        scope: Default::default(),
        service: None,
        edges_max: 100,
    };
    let graph = query::graph(session, &graph).expect("a graph");
    let guarded: Vec<(&str, &str)> = graph
        .edges
        .iter()
        .flat_map(|edge| edge.breakers.iter().map(move |breaker| (edge, breaker)))
        .map(|(edge, breaker)| {
            (
                graph.nodes[edge.callee].name.as_str(),
                breaker.peer_evidence.as_str(),
            )
        })
        .collect();
    assert_eq!(guarded, [("inventory", "name")]);

    let incidents = IncidentsQuery {
        range: range(start),
        scope: Default::default(),
        service: None,
        limit: 10,
        now_unix_nano: range(start).to_unix_nano,
    };
    let page = query::incidents(session, &incidents).expect("incidents");
    let member = &page.items[0].breakers[0];
    assert_eq!(member.peer.as_deref(), Some("inventory"));
    assert_eq!(member.trip.trace_id, Some(id(5)));
    let address = &page.items[0].incident_id;
    let detail = query::incident(session, address, None, incidents.now_unix_nano)
        .expect("an answer")
        .expect("an incident");
    let tripped = detail
        .error_classes
        .iter()
        .find(|class| class.label == "tripped it");
    assert_eq!(
        tripped.map(|class| &class.trace_id),
        Some(&id(5)),
        "{:?}",
        detail.error_classes
    );

    let what_if = WhatIfQuery {
        breaker_id: breaker_id.to_owned(),
        range: range(start),
        edits: Default::default(),
        propose: false,
        calls_max: 1_000,
    };
    let answer = query::what_if(session, &what_if)
        .expect("an answer")
        .expect("a breaker");
    // Those of both instances, by the address.
    assert_eq!(answer.calls, 6);
    let is_said = answer
        .limits
        .iter()
        .any(|limit| limit.contains("inferred from its name"));
    assert!(is_said, "{:?}", answer.limits);
}

#[test]
fn calls_that_come_late_are_found_and_those_of_nobody_are_not() {
    let dir = tempfile::tempdir().expect("a directory");
    let store = open(dir.path());
    let start = now() - 600 * SECOND;
    let trace_of_trip = || {
        let reader = store.reader().expect("a reader");
        trips(&Session::new(&reader))[0].trace_id.clone()
    };
    gauge(&store, start, "inventory-cb", "closed");
    gauge(&store, start + 10 * SECOND, "inventory-cb", "open");
    assert_eq!(trace_of_trip(), None);
    // Calls of another service, calls long before, and calls that succeed.
    spans(
        &store,
        "cart",
        "p1",
        &[to(ADDRESS, 1, start + SECOND, true)],
    );
    let early = to(ADDRESS, 2, start - 30 * SECOND, true);
    spans(
        &store,
        "shop",
        "p1",
        &[early, to(ADDRESS, 3, start + SECOND, false)],
    );
    assert_eq!(trace_of_trip(), None);
    // A slow one is better than none, a failed one than a slow one.
    let slow = Call {
        length: 2 * SECOND,
        ..to(ADDRESS, 4, start + 6 * SECOND, false)
    };
    spans(&store, "shop", "p1", &[slow]);
    assert_eq!(trace_of_trip(), Some(id(4)));
    spans(
        &store,
        "shop",
        "p1",
        &[to(ADDRESS, 5, start + 2 * SECOND, true)],
    );
    assert_eq!(trace_of_trip(), Some(id(5)));
    // New evidence from which nobody has concluded yet.
    gauge(&store, start + 20 * SECOND, "other-cb", "closed");
    let reader = store.reader().expect("a reader");
    caused(&Session::new(&reader));
}

#[test]
fn an_instance_that_calls_under_another_name_is_its_service() {
    let dir = tempfile::tempdir().expect("a directory");
    let store = open(dir.path());
    let start = now() - 600 * SECOND;
    gauge(&store, start, "inventory-cb", "closed");
    gauge(&store, start + 10 * SECOND, "inventory-cb", "open");
    spans(
        &store,
        "shop",
        "host-17",
        &[to(ADDRESS, 5, start + 2 * SECOND, true)],
    );
    let reader = store.reader().expect("a reader");
    assert_eq!(trips(&Session::new(&reader))[0].trace_id, Some(id(5)));
}

#[test]
fn without_calls_an_example_of_the_breakers_own_counter_leads_on() {
    let start = now() - 600 * SECOND;
    let fill = |store: &Store| {
        gauge(store, start, "inventory-cb", "closed");
        gauge(store, start + 10 * SECOND, "inventory-cb", "open");
        let mut columns = MetricColumns::default();
        for (number, kind) in (0..).zip(["failed", "successful"]) {
            columns.series.push(SeriesRow {
                name: "resilience4j.circuitbreaker.calls".to_owned(),
                kind: "sum",
                temporality: Some("cumulative".to_owned()),
                attributes: format!(r#"{{"kind":"{kind}","name":"inventory-cb"}}"#),
                ..SeriesRow::default()
            });
            let time = start + (8 + u64::from(number)) * SECOND;
            columns.push_number(&NumberPointRow {
                series: number,
                time_unix_nano: time,
                start_unix_nano: 0,
                flags: 0,
                value: Some(NumberValue::Double(3.0)),
            });
            let trace = 3 + u8::try_from(number).expect("few");
            columns.push_exemplar(&ExemplarRow {
                series: number,
                point_unix_nano: time,
                time_unix_nano: time,
                value: Some(NumberValue::Double(1.0)),
                trace_id: Some([trace; 16]),
                span_id: Some([trace; 8]),
                filtered_attributes: "{}",
            });
        }
        append(
            store,
            batch(resource("shop", "p1"), "lib", Rows::Metrics(columns)),
        );
    };
    hot_and_sealed(fill, |store| {
        let reader = store.reader().expect("a reader");
        let trips = trips(&Session::new(&reader));
        assert_eq!(trips[0].trace_id, Some(id(3)), "{trips:?}");
        assert_eq!(trips[0].trace_evidence.as_deref(), Some("inferred"));
    });
}

#[test]
fn an_ejected_host_is_the_service_that_answers_there() {
    let start = now() - 600 * SECOND;
    let ejected = r#"{"type": "CONSECUTIVE_5XX", "cluster_name": "upstream", "upstream_url": "10.0.0.7:8080", "action": "EJECT", "num_ejections": 1, "enforced": true}"#;
    hot_and_sealed(
        |store| {
            let line = Log {
                time: start,
                body: Some(ejected),
                ..Log::default()
            };
            append(store, logs("mesh", "m1", &[line]));
            let known = Call {
                attributes: r#"{"server.address":"10.0.0.7","server.port":8080}"#,
                ..to("inventory", 1, start, false)
            };
            spans(store, "mesh", "m1", &[known, to("psp", 2, start, false)]);
        },
        |store| {
            assert_eq!(peers(store), [["inventory", ADDRESS, "address"]]);
            // What is reported is shown without looking at calls too.
            assert_eq!(
                rows(
                    store,
                    "SELECT peer_service, peer_address, peer_evidence FROM breakers"
                ),
                [format!("upstream {ADDRESS} reported")]
            );
        },
    );
}

#[test]
fn calls_under_a_breakers_own_spans_name_its_callee_and_several_are_a_finding() {
    let start = now() - 600 * SECOND;
    hot_and_sealed(
        |store| {
            let calls = [
                (1, "ledger", "closed"),
                (2, "psp", "open"),
                (3, "ledger", "closed"),
            ];
            for (trace, peer, state) in calls {
                let start = start + u64::from(trace) * SECOND;
                let own = format!(
                    r#"{{"resilience4j.circuit_breaker.name":"backend","resilience4j.circuit_breaker.state":"{state}"}}"#
                );
                let call = Call {
                    span: trace + 50,
                    parent: Some(trace),
                    ..to(peer, trace, start, false)
                };
                let around = Call {
                    span: trace,
                    parent: Some(trace + 20),
                    kind: "internal",
                    peer: None,
                    attributes: &own,
                    ..call
                };
                let beside = Call {
                    span: trace + 70,
                    parent: Some(trace + 20),
                    ..to("redis", trace, start, false)
                };
                spans(store, "shop", "p1", &[around, call, beside]);
            }
        },
        |store| {
            assert_eq!(peers(store), [["ledger", "-", "trace"]]);
            let reader = store.reader().expect("a reader");
            let query = FindingsQuery {
                range: range(start),
                scope: Default::default(),
                services: Vec::new(),
                limit: 10,
            };
            let found = query::findings(&Session::new(&reader), &query).expect("findings");
            let mut several = found
                .items
                .iter()
                .filter(|finding| finding.kind == "several_peers");
            let first = several.next().expect("a finding");
            assert_eq!((first.subject.as_str(), first.value), ("backend", 2.0));
            assert!(
                first.sentence.contains("(ledger, psp)"),
                "{}",
                first.sentence
            );
            assert!(several.next().is_none());
        },
    );
}

#[test]
fn what_a_person_says_of_a_callee_counts_from_the_next_start_on_and_is_stored_nowhere() {
    let dir = tempfile::tempdir().expect("a directory");
    let opened = |peer: Option<&str>| {
        let rule = |peer: &str| PeerRule {
            service: "shop".to_owned(),
            breaker: "back*".to_owned(),
            peer: peer.to_owned(),
        };
        let config = StoreConfig {
            data_dir: dir.path().to_owned(),
            threads: 2,
            memory_bytes_max: 256 << 20,
            peer_rules: peer.map(rule).into_iter().collect(),
            ..StoreConfig::default()
        };
        Store::open(config).expect("a store")
    };
    let start = now() - 60 * SECOND;
    let store = opened(Some("ledger"));
    // Two callees, neither named like the breaker.
    let calls = [to("psp", 1, start, false), to("redis", 2, start, false)];
    spans(&store, "shop", "p1", &calls);
    for at in 0..3 {
        gauge(&store, start + at * 10 * SECOND, "backend", "closed");
    }
    assert_eq!(peers(&store), [["ledger", "-", "user_rule"]]);
    store.seal_now().expect("sealed");
    assert_eq!(peers(&store), [["ledger", "-", "user_rule"]]);
    drop(store);
    let store = opened(None);
    assert_eq!(peers(&store), [["-", "-", "-"]]);
    drop(store);
    assert_eq!(peers(&opened(Some("psp"))), [["psp", "-", "user_rule"]]);
}

#[test]
fn the_trace_that_is_taken_for_the_cause_outlives_the_others() {
    let dir = tempfile::tempdir().expect("a directory");
    let config = || StoreConfig {
        data_dir: dir.path().to_owned(),
        retention_age: Duration::from_millis(300),
        ..StoreConfig::default()
    };
    let store = Store::open(config()).expect("a store");
    let start = now();
    story(&store, start - 20 * SECOND);
    store.seal_now().expect("sealed");
    let deadline = Instant::now() + Duration::from_secs(60);
    while store.stats().segments_sealed > 0 {
        assert!(Instant::now() < deadline, "nothing expired");
        std::thread::sleep(Duration::from_millis(50));
    }
    let check = |store: &Store| {
        let left = "SELECT DISTINCT substr(trace_id, 1, 2) FROM spans ORDER BY 1";
        assert_eq!(rows(store, left), ["04", "05"]);
        let reader = store.reader().expect("a reader");
        assert_eq!(trips(&Session::new(&reader))[0].trace_id, Some(id(5)));
    };
    check(&store);
    drop(store);
    check(&Store::open(config()).expect("a store"));
}
