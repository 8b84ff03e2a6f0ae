//! A cascade of three services, seeded span by span, is one incident attributed to where it began.

use super::*;
use crate::fixture::{self, open};
use crate::ingest::{LogColumns, LogRow, ResourceRow, Rows, SpanColumns, SpanRow};
use crate::model::BreakersQuery;
use crate::query::breakers;
use crate::store::Store;

const S: u64 = 1_000_000_000;
/// A round minute; times in the story are seconds after it.
const BASE: u64 = 1_800_000_000 * S;

fn append(store: &Store, service: &str, instance: &str, version: &str, rows: Rows) {
    let resource = ResourceRow {
        service_name: Some(service.to_owned()),
        service_instance_id: Some(instance.to_owned()),
        service_version: (!version.is_empty()).then(|| version.to_owned()),
        attributes: "{}".to_owned(),
        ..ResourceRow::default()
    };
    fixture::append(store, fixture::batch(vec![resource], rows));
}

/// The spans of all requests, by who sends them; psp before and after its new version.
#[derive(Default)]
struct Spans {
    checkout: SpanColumns,
    payment: SpanColumns,
    psp: [SpanColumns; 2],
}

/// One request: checkout → payment → psp, two a second.
struct Request {
    at: u64,
    /// psp fails.
    psp_fails: bool,
    /// payment's breaker refuses.
    payment_refuses: bool,
    /// checkout's breaker refuses.
    checkout_refuses: bool,
}

impl Request {
    fn of(number: u64) -> Self {
        let at = BASE + number * S / 2;
        let second = number / 2;
        Self {
            at,
            psp_fails: (200..230).contains(&second),
            payment_refuses: (206..230).contains(&second),
            checkout_refuses: (212..230).contains(&second) && number.is_multiple_of(2),
        }
    }

    fn trace(&self) -> [u8; 16] {
        u128::from(self.at).to_be_bytes()
    }

    fn span(&self, number: u8) -> [u8; 8] {
        (self.at + u64::from(number)).to_be_bytes()
    }

    fn send(&self, spans: &mut Spans) {
        let fails = self.psp_fails;
        let status = |failed: bool| if failed { "error" } else { "unset" };
        let breaker = |name: &str, refuses: bool| {
            let outcome = match (refuses, fails) {
                (true, _) => "rejected",
                (false, true) => "failure",
                _ => "success",
            };
            format!(r#"{{"circuit_breaker.name":"{name}","circuit_breaker.outcome":"{outcome}"}}"#)
        };
        let push = |columns: &mut SpanColumns,
                    number: u8,
                    parent: Option<u8>,
                    kind: &'static str,
                    ms: [u64; 2],
                    failed: bool,
                    attributes: &str,
                    peer: Option<&'static str>| {
            columns.push(&SpanRow {
                trace_id: self.trace(),
                span_id: self.span(number),
                parent_span_id: parent.map(|parent| self.span(parent)),
                name: if parent.is_none() {
                    "POST /buy"
                } else {
                    "work"
                },
                kind,
                start_unix_nano: self.at + ms[0] * 1_000_000,
                end_unix_nano: self.at + ms[1] * 1_000_000,
                status_code: status(failed),
                attributes,
                peer,
                peer_kind: peer.map(|_| "service"),
                ..SpanRow::default()
            });
        };
        // Refused by checkout's own breaker, it answers with a default.
        let root_fails = fails && !self.checkout_refuses;
        push(
            &mut spans.checkout,
            0,
            None,
            "server",
            [0, 40],
            root_fails,
            &breaker("payment", self.checkout_refuses),
            None,
        );
        if !self.checkout_refuses {
            push(
                &mut spans.checkout,
                1,
                Some(0),
                "client",
                [1, 39],
                fails,
                r#"{"error.type":"503"}"#,
                Some("payment"),
            );
        }
        if self.checkout_refuses {
            return;
        }
        push(
            &mut spans.payment,
            2,
            Some(1),
            "server",
            [2, 38],
            fails,
            &breaker("psp", self.payment_refuses),
            None,
        );
        if !self.payment_refuses {
            push(
                &mut spans.payment,
                3,
                Some(2),
                "client",
                [3, 37],
                fails,
                r#"{"error.type":"DEADLINE_EXCEEDED"}"#,
                Some("psp"),
            );
        }
        if self.payment_refuses {
            return;
        }
        push(
            &mut spans.psp[usize::from(self.at >= BASE + 190 * S)],
            4,
            Some(3),
            "server",
            [4, 36],
            fails,
            r#"{"error.type":"bank"}"#,
            None,
        );
    }
}

fn change(
    store: &Store,
    [service, instance]: [&str; 2],
    breaker: &str,
    at: u64,
    change: [&str; 2],
    generation: u64,
    trace: Option<&Request>,
) {
    let contributing = trace.map_or(String::new(), |_| {
        let other = Request::of(402).trace();
        let hex: String = other.iter().map(|byte| format!("{byte:02x}")).collect();
        format!(r#","circuit_breaker.contributing_trace_ids":["{hex}"],"circuit_breaker.failure_ratio":0.6,"circuit_breaker.window_calls":20,"circuit_breaker.threshold":0.5"#)
    });
    let [from, to] = change;
    let attributes = format!(
        r#"{{"circuit_breaker.name":"{breaker}","circuit_breaker.from_state":"{from}","circuit_breaker.to_state":"{to}","circuit_breaker.generation":{generation},"circuit_breaker.reason":"failure_rate","circuit_breaker.shadow":false{contributing}}}"#
    );
    let mut logs = LogColumns::default();
    logs.push(&LogRow {
        time_unix_nano: at,
        arrival_unix_nano: at,
        event_name: "circuit_breaker.state_changed",
        attributes: &attributes,
        trace_id: trace.map(Request::trace),
        span_id: trace.map(|request| request.span(2)),
        ..LogRow::default()
    });
    append(store, service, instance, "", Rows::Logs(logs));
}

/// The spans of the first `requests`, one batch for each sender: a batch is one commit.
fn send(store: &Store, requests: u64) {
    let mut spans = Spans::default();
    for number in 0..requests {
        Request::of(number).send(&mut spans);
    }
    let [old, new] = spans.psp;
    for (service, instance, version, columns) in [
        ("checkout", "c-1", "3.0", spans.checkout),
        ("payment", "p-1", "2.0", spans.payment),
        ("psp", "s-1", "1.0", old),
        ("psp", "s-1", "1.1", new),
    ] {
        append(store, service, instance, version, Rows::Spans(columns));
    }
}

/// Four and a half minutes; psp fails from second 200 to 230 because of its new version.
fn story(store: &Store) {
    send(store, 540);
    let at = |second: u64| BASE + second * S;
    let tripping = Request::of(2 * 206 - 1);
    change(
        store,
        ["payment", "p-1"],
        "psp",
        at(206),
        ["closed", "open"],
        1,
        Some(&tripping),
    );
    let second = Request::of(2 * 212 - 1);
    change(
        store,
        ["checkout", "c-1"],
        "payment",
        at(212),
        ["closed", "open"],
        1,
        Some(&second),
    );
    change(
        store,
        ["checkout", "c-2"],
        "payment",
        at(213),
        ["closed", "open"],
        1,
        None,
    );
    change(
        store,
        ["payment", "p-1"],
        "psp",
        at(221),
        ["open", "half_open"],
        2,
        None,
    );
    change(
        store,
        ["payment", "p-1"],
        "psp",
        at(222),
        ["half_open", "open"],
        3,
        None,
    );
    change(
        store,
        ["payment", "p-1"],
        "psp",
        at(231),
        ["open", "half_open"],
        4,
        None,
    );
    change(
        store,
        ["payment", "p-1"],
        "psp",
        at(232),
        ["half_open", "closed"],
        5,
        None,
    );
    for pod in ["c-1", "c-2"] {
        change(
            store,
            ["checkout", pod],
            "payment",
            at(233),
            ["open", "half_open"],
            2,
            None,
        );
        change(
            store,
            ["checkout", pod],
            "payment",
            at(234),
            ["half_open", "closed"],
            3,
            None,
        );
    }
    // Something else at the same time, on no common path.
    change(
        store,
        ["search", "x-1"],
        "index",
        at(210),
        ["closed", "open"],
        1,
        None,
    );
    let mut logs = LogColumns::default();
    logs.push(&LogRow {
        time_unix_nano: at(195),
        arrival_unix_nano: at(195),
        event_name: "tripline.change",
        attributes: r#"{"change.kind":"flag","change.service":"psp","change.description":"new-bank on"}"#,
        ..LogRow::default()
    });
    append(store, "ops", "o", "", Rows::Logs(logs));
}

fn query(to_second: u64) -> IncidentsQuery {
    IncidentsQuery {
        range: TimeRange {
            from_unix_nano: BASE as i64,
            to_unix_nano: (BASE + to_second * S) as i64,
        },
        scope: Default::default(),
        service: None,
        limit: 10,
        now_unix_nano: (BASE + to_second * S) as i64,
    }
}

#[test]
fn a_cascade_of_three_services_is_attributed_to_its_root() {
    let dir = tempfile::tempdir().expect("a directory");
    let store = open(dir.path());
    story(&store);
    check(&store);
    store.seal_now().expect("sealed");
    check(&store);
}

fn check(store: &Store) {
    let reader = store.reader().expect("a reader");
    let session = Session::new(&reader);
    let known = breakers(
        &session,
        &BreakersQuery {
            limit: 10,
            ..Default::default()
        },
    )
    .expect("breakers");
    assert_eq!(known.items.len(), 3);

    let page = incidents(&session, &query(270)).expect("incidents");
    let short: Vec<(usize, u32, &str)> = page
        .items
        .iter()
        .map(|i| (i.breakers.len(), i.trips, i.state.as_str()))
        .collect();
    assert_eq!(short, [(1, 1, "open"), (2, 3, "recovered")]);
    let incident = &page.items[1];
    let members: Vec<(&str, &str, u32, u32, u32)> = incident
        .breakers
        .iter()
        .map(|b| {
            (
                b.service_name.as_str(),
                b.peer.as_deref().unwrap_or("?"),
                b.trips,
                b.reopenings,
                b.instances,
            )
        })
        .collect();
    assert_eq!(
        members,
        [
            ("payment", "psp", 1, 1, 1),
            ("checkout", "payment", 2, 0, 2)
        ]
    );
    assert_eq!(incident.breakers[1].downstream, [0]);
    assert!(incident.breakers[0].downstream.is_empty());
    assert_eq!(incident.start_unix_nano, (BASE + 206 * S) as i64);
    assert_eq!(incident.end_unix_nano, Some((BASE + 234 * S) as i64));
    let root = incident.root.as_ref().expect("a root");
    assert_eq!(root.service, "psp");
    assert!(root.score > 0.9, "{root:?}");

    // By its id, and by any time in it.
    let now = (BASE + 600 * S) as i64;
    let whole = incident_of(&session, &incident.incident_id, now);
    let by_time = incident_of(&session, &(BASE + 215 * S).to_string(), now);
    assert_eq!(whole, by_time);
    let kinds: Vec<&str> = whole
        .incident
        .root
        .as_ref()
        .expect("a root")
        .evidence
        .iter()
        .map(|clue| clue.kind.as_str())
        .collect();
    assert_eq!(
        kinds,
        [
            "trip_order",
            "no_open_callee",
            "own_errors",
            "onset",
            "shared_traces"
        ]
    );

    let first = &whole.onsets[0];
    assert_eq!(
        first.time_unix_nano,
        (BASE + 200 * S) as i64,
        "{:?}",
        whole.onsets
    );
    assert_eq!(
        whole
            .onsets
            .iter()
            .filter(|onset| onset.what == "errors")
            .count(),
        3
    );

    blast(&whole.blast);
    let classes: Vec<(&str, &str, &str)> = whole
        .error_classes
        .iter()
        .map(|class| {
            (
                class.class.as_str(),
                class.label.as_str(),
                class.span_service.as_str(),
            )
        })
        .collect();
    assert_eq!(
        classes,
        [
            ("503", "tripped it", "payment"),
            ("DEADLINE_EXCEEDED", "tripped it", "psp")
        ]
    );

    let changes: Vec<(&str, &str, &str)> = whole
        .changes
        .iter()
        .map(|c| (c.kind.as_str(), c.service.as_str(), c.description.as_str()))
        .collect();
    assert_eq!(
        changes,
        [
            ("version", "psp", "1.1 appeared beside 1.0"),
            ("flag", "psp", "new-bank on")
        ]
    );
    assert!(whole.services_without_version.is_empty());

    assert_eq!(whole.recovery.verdict, "recovered");
    assert_eq!(
        (whole.recovery.probes, whole.recovery.probes_passed),
        (4, 3)
    );
    let open: Vec<u32> = whole.recovery.open.iter().map(|step| step.open).collect();
    assert_eq!(open, [1, 2, 3, 2, 3, 2, 0]);
    assert_eq!(whole.transitions.len(), 11);
}

/// 10 s before the trip to 1 s after the end: second 196 to 235, two requests a second, failing from 200 to 230; of
/// the last 18 s every other is answered by a default.
fn blast(found: &crate::model::BlastRadius) {
    let [entry] = found.entry_points.as_slice() else {
        panic!("{found:?}");
    };
    assert_eq!(
        (entry.service.as_str(), entry.name.as_str()),
        ("checkout", "POST /buy")
    );
    assert_eq!(
        (
            entry.requests,
            entry.failed,
            entry.degraded,
            entry.unaffected
        ),
        (78.0, 42.0, 18.0, 18.0)
    );
    assert_eq!(found.crossing_share, 1.0);
    assert_eq!(
        (found.one_in, found.counted, found.crossing_interval),
        (1, 78, None)
    );
}

/// Ids of the story begin with a time: one trace in four is chosen by its hash.
#[test]
fn of_many_spans_who_is_hurt_is_estimated_and_says_how_surely() {
    let dir = tempfile::tempdir().expect("a directory");
    let store = open(dir.path());
    story(&store);
    let estimate = || {
        let reader = store.reader().expect("a reader");
        let session = Session::new(&reader);
        let page = incidents(&session, &query(270)).expect("incidents");
        let now = (BASE + 600 * S) as i64;
        super::blast::blast_radius(&session, &page.items[1], now, 100.0).expect("an answer")
    };
    let hot = estimate();
    assert_eq!(hot.one_in, 4, "{hot:?}");
    let [entry] = hot.entry_points.as_slice() else {
        panic!("{hot:?}");
    };
    assert_eq!(entry.requests, 4.0 * hot.counted as f64);
    assert!((40.0..120.0).contains(&entry.requests), "{hot:?}");
    assert!(
        entry.failed > entry.degraded && entry.degraded > 0.0,
        "{hot:?}"
    );
    assert_eq!(
        entry.failed + entry.degraded + entry.unaffected,
        entry.requests
    );
    let (low, high) = hot.crossing_interval.expect("an interval");
    assert!((0.6..0.95).contains(&low) && high == 1.0, "{hot:?}");
    store.seal_now().expect("sealed");
    // Sealed, the story lies among the outliers, whose times nobody knows: all of them are taken to be in the range.
    let sealed = estimate();
    assert!(
        sealed.one_in > 1 && sealed.crossing_share == 1.0,
        "{sealed:?}"
    );
    let requests: f64 = sealed.entry_points.iter().map(|entry| entry.requests).sum();
    assert_eq!(requests, (sealed.one_in * sealed.counted) as f64);
}

fn incident_of(session: &Session<'_>, address: &str, now: i64) -> IncidentDetail {
    incident(session, address, None, now)
        .expect("an answer")
        .expect("an incident")
}

#[test]
fn while_it_lasts_it_is_open_and_says_where_it_goes() {
    let dir = tempfile::tempdir().expect("a directory");
    let store = open(dir.path());
    send(&store, 430);
    let at = |second: u64| BASE + second * S;
    change(
        &store,
        ["payment", "p-1"],
        "psp",
        at(206),
        ["closed", "open"],
        1,
        None,
    );
    change(
        &store,
        ["payment", "p-2"],
        "psp",
        at(214),
        ["closed", "open"],
        1,
        None,
    );
    let reader = store.reader().expect("a reader");
    let session = Session::new(&reader);
    let page = incidents(&session, &query(215)).expect("incidents");
    let [incident] = page.items.as_slice() else {
        panic!("{page:?}")
    };
    assert_eq!(
        (incident.state.as_str(), incident.end_unix_nano),
        ("open", None)
    );
    assert_eq!(incident.breakers[0].instances_open, 2);
    let whole = incident_of(&session, &incident.incident_id, at(215) as i64);
    assert_eq!(whole.recovery.verdict, "worsening", "{:?}", whole.recovery);
    let missing = super::incident(&session, "12", None, 13).expect("an answer");
    assert!(missing.is_none());
    assert!(super::incident(&session, "yesterday", None, 13).is_err());
}
