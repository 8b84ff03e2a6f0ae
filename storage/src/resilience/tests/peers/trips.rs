//! Which calls opened a breaker: the last that failed beside it, or an example of its own counter.

use std::time::{Duration, Instant};

use super::super::fixture::{append, batch, now, open, resource, rows};
use super::{ADDRESS, Call, SECOND, breakers, gauge, hot_and_sealed, range, spans, to};
use crate::ingest::{ExemplarRow, MetricColumns, NumberPointRow, NumberValue, Rows, SeriesRow};
use crate::model::{
    Breaker, BreakerTransition, GraphQuery, IncidentsQuery, TransitionsQuery, WhatIfQuery,
};
use crate::query::{self, Session};
use crate::sql::{Format, Gate, Limits, Request, STACK_BYTES};
use crate::store::{Store, StoreConfig};

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

fn id(trace: u8) -> String {
    format!("{trace:02x}").repeat(16)
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

/// The answer of people's SQL, as JSON text.
fn asked(store: &Store, sql: &str) -> String {
    let run = || {
        let reader = store.reader().expect("a reader");
        let gate = Gate::new(&reader, Limits::default()).expect("a gate");
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
fn what_another_breaker_refused_opened_nothing() {
    let start = now() - 600 * SECOND;
    let told = |message: &'static str, call: Call<'static>| Call { message, ..call };
    let at = |second: u64| start + second * SECOND;
    let own = r#"{"circuit_breaker.name":"psp"}"#;
    // A breaker of whom nobody knows the callee, and calls that tell of another; then one that names it.
    let others = [
        told("the circuit of psp said no", to("psp", 4, at(4), true)),
        told("the circuit of ledger-2 said no", to("psp", 5, at(5), true)),
        Call {
            attributes: own,
            ..to("psp", 6, at(6), true)
        },
        to("bank", 7, at(7), false),
        to("mail", 8, at(8), false),
    ];
    let named = told("the circuit of ledger said no", to("psp", 3, at(3), true));
    for (calls, cause) in [
        (&others[..], None),
        (&[&others[..], &[named]].concat()[..], Some(id(3))),
    ] {
        hot_and_sealed(
            |store| {
                gauge(store, at(0), "ledger", "closed");
                spans(store, "shop", "p1", calls);
                gauge(store, at(10), "ledger", "open");
            },
            |store| {
                let reader = store.reader().expect("a reader");
                let of_ledger = trips(&Session::new(&reader))
                    .into_iter()
                    .filter(|trip| trip.name == "ledger");
                let causes: Vec<Option<String>> = of_ledger.map(|trip| trip.trace_id).collect();
                assert_eq!(causes, std::slice::from_ref(&cause));
            },
        );
    }
    // To its own callee such a call is a failure like others.
    hot_and_sealed(
        |store| {
            gauge(store, at(0), "inventory-cb", "closed");
            let calls = [
                to(ADDRESS, 1, at(1), false),
                told(
                    "the circuit at the warehouse said no",
                    to(ADDRESS, 5, at(5), true),
                ),
            ];
            spans(store, "shop", "p1", &calls);
            answers(store, &calls[..1]);
            gauge(store, at(10), "inventory-cb", "open");
        },
        |store| {
            let reader = store.reader().expect("a reader");
            let trips = trips(&Session::new(&reader));
            let own = trips.iter().find(|trip| trip.name == "inventory-cb");
            assert_eq!(own.expect("a trip").trace_id, Some(id(5)));
        },
    );
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
