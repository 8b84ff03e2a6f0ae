//! States as pages draw them: lanes, edges, and the SQL behind one breaker's page.

use super::super::fixture::{Span, append, hot_and_sealed, metrics, now, rows, spans};
use super::{HOUR, SECOND, export, with_an_hour_of_silence};
use crate::model::{Breaker, BreakersQuery, GraphQuery, LanesQuery, TimeRange, TransitionsQuery};
use crate::query::{Session, activity, breakers, graph, how, lanes, transitions};

#[test]
fn lanes_and_edges_know_the_same_silence() {
    let start = now() - 3 * HOUR;
    let at = |seconds: u64| i64::try_from(start + seconds * SECOND).expect("before 2262");
    hot_and_sealed(
        |store| {
            let call = Span {
                time: start,
                peer: Some("payment"),
                number: 1,
                ..Span::default()
            };
            append(store, spans("cart", "pod-1", &[call]));
            with_an_hour_of_silence(store, start);
        },
        |store| {
            let reader = store.reader().expect("a reader");
            let session = Session::new(&reader);
            let query = LanesQuery {
                range: TimeRange {
                    from_unix_nano: at(0),
                    to_unix_nano: at(4_000),
                },
                scope: Default::default(),
                service: None,
                breaker_id: None,
                limit: 10,
            };
            let page = lanes(&session, &query).expect("lanes");
            let lane = page.items.first().expect("a lane");
            let last = lane.segments.last().expect("a segment");
            let told = format!(
                "SELECT trips, open_at_the_end, instances_at_the_end FROM ({})",
                how::breaker_lanes(&query)
            );
            let drawn_last = format!("{} {} {}", lane.trips, last.open, last.of);
            assert_eq!(rows(store, &told), [drawn_last]);
            // Of a moment at which it refuses, of another service, and of no range at all.
            let narrow = |from: u64, to: u64, service: &str| LanesQuery {
                range: TimeRange {
                    from_unix_nano: at(from),
                    to_unix_nano: at(to),
                },
                service: Some(service.to_owned()),
                ..query.clone()
            };
            let asked = |query: LanesQuery| {
                let sql = how::breaker_lanes(&query);
                rows(
                    store,
                    &format!("SELECT trips, open_at_the_end, instances_at_the_end FROM ({sql})"),
                )
            };
            assert_eq!(asked(narrow(220, 250, "cart")), ["0 1 1"]);
            assert_eq!(asked(narrow(0, 250, "cart")), ["1 1 1"]);
            assert!(asked(narrow(0, 250, "it's none")).is_empty());
            let states = how::breaker_states(&crate::model::BreakersQuery {
                service: Some("cart".to_owned()),
                limit: 10,
                ..crate::model::BreakersQuery::default()
            });
            let listed = rows(store, &format!("SELECT service_name, name FROM ({states})"));
            assert_eq!(listed, ["cart payment"]);
            let drawn: Vec<(String, i64, u32, u32)> = lane
                .segments
                .iter()
                .map(|s| {
                    let length = (s.to_unix_nano - s.from_unix_nano) / SECOND as i64;
                    (s.state.clone(), length, s.open, s.of)
                })
                .collect();
            let expected = [
                ("closed", 200, 0, 1),
                ("open", 90, 1, 1),
                ("stale", 3_310, 0, 0),
                ("open", 290, 1, 1),
                ("stale", 110, 0, 0),
            ];
            let expected: Vec<(String, i64, u32, u32)> = expected
                .map(|(state, length, open, of)| (state.to_owned(), length, open, of))
                .into();
            assert_eq!(drawn, expected);
            assert_eq!((lane.trips, lane.refusing_ns), (1, 380 * SECOND));
            for (seconds, state) in [
                (100, "closed"),
                (250, "open"),
                (2_000, "stale"),
                (3_700, "open"),
                (3_950, "stale"),
            ] {
                let query = GraphQuery {
                    range: TimeRange {
                        from_unix_nano: at(0) - 1,
                        to_unix_nano: at(seconds),
                    },
                    scope: Default::default(),
                    service: None,
                    edges_max: 10,
                };
                let graph = graph(&session, &query).expect("the graph");
                let states: Vec<&str> = graph
                    .edges
                    .iter()
                    .flat_map(|edge| &edge.breakers)
                    .map(|breaker| breaker.state.as_str())
                    .collect();
                assert_eq!(states, [state], "after {seconds} s");
                let listed = listed_at(&session, at(seconds));
                assert_eq!(listed.len(), 1, "after {seconds} s");
                let refusing = u32::from(state == "open");
                assert_eq!(
                    (listed[0].state.as_str(), listed[0].instances_open),
                    (state, refusing),
                    "after {seconds} s"
                );
            }
            assert!(listed_at(&session, at(0) - SECOND as i64).is_empty());
        },
    );
}

/// The list of breakers as they were at a time.
fn listed_at(session: &Session<'_>, at: i64) -> Vec<Breaker> {
    let then = BreakersQuery {
        at_unix_nano: Some(at),
        limit: 10,
        ..BreakersQuery::default()
    };
    breakers(session, &then).expect("breakers").items
}

#[test]
fn the_sql_behind_one_breakers_page_has_its_breaker_and_its_range() {
    let start = now() - HOUR;
    hot_and_sealed(
        |store| {
            for at in 0..30_u32 {
                let time = start + u64::from(at) * 10 * SECOND;
                let state = if at < 15 { "closed" } else { "open" };
                let refused = 2.0 * f64::from(at.saturating_sub(15));
                export(store, "pod-1", time, state, refused);
                // Another breaker of the same pod.
                let attributes =
                    r#"{"circuit_breaker.name":"psp","circuit_breaker.outcome":"rejected"}"#;
                let point = (
                    "circuit_breaker.calls",
                    "sum",
                    attributes.to_owned(),
                    time,
                    100.0 * f64::from(at),
                );
                append(store, metrics("cart", "pod-1", &[point]));
            }
        },
        |store| {
            let reader = store.reader().expect("a reader");
            let session = Session::new(&reader);
            let named = BreakersQuery {
                name: Some("payment".to_owned()),
                limit: 10,
                ..BreakersQuery::default()
            };
            let found = breakers(&session, &named)
                .expect("breakers")
                .items
                .remove(0);
            let at = |seconds: u64| {
                i64::try_from(start + seconds * SECOND).expect("within the range of time")
            };
            for (from, to, states, changes, refused) in [
                (100, 200, vec!["closed", "open"], 1, "rejected 8"),
                (200, 290, vec!["open"], 0, "rejected 18"),
            ] {
                let range = TimeRange {
                    from_unix_nano: at(from),
                    to_unix_nano: at(to),
                };
                let of_lane = LanesQuery {
                    range,
                    scope: Default::default(),
                    service: None,
                    breaker_id: Some(found.breaker_id.clone()),
                    limit: 1,
                };
                let of_changes = TransitionsQuery {
                    breaker_id: Some(found.breaker_id.clone()),
                    range: Some(range),
                    limit: 10,
                    ..TransitionsQuery::default()
                };
                let lane = lanes(&session, &of_lane).expect("lanes").items.remove(0);
                let drawn: Vec<&str> = lane.instances[0]
                    .segments
                    .iter()
                    .map(|segment| segment.state.as_str())
                    .collect();
                assert_eq!(drawn, states);
                let sql = how::breaker_intervals(&of_lane);
                let told = rows(store, &format!("SELECT state FROM ({sql})"));
                assert_eq!(told, states, "{sql}");

                let listed = transitions(&session, &of_changes).expect("transitions");
                let sql = how::breaker_changes(&of_changes);
                let told = rows(store, &format!("SELECT to_state FROM ({sql})"));
                assert_eq!(
                    (listed.items.len(), told.len()),
                    (changes, changes),
                    "{sql}"
                );

                let does = activity(&session, &found, range).expect("its work");
                let sql = how::breaker_calls(&found.breaker_id, range);
                let told = rows(store, &sql);
                assert_eq!(told, [refused], "{sql}");
                let counted = does.calls.rejected.map(|calls| format!("rejected {calls}"));
                assert_eq!(counted.as_deref(), Some(refused));

                let sql = how::breaker_windows(&found.breaker_id, range);
                assert!(rows(store, &sql).is_empty(), "it reports no window: {sql}");
            }
        },
    );
}
