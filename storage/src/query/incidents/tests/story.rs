//! The story: a cascade of three services, span by span, and what their breakers say of it.

use crate::fixture;
use crate::ingest::{LogColumns, LogRow, ResourceRow, Rows, SpanColumns, SpanRow};
use crate::store::Store;

pub(super) const S: u64 = 1_000_000_000;
/// A round minute; times in the story are seconds after it.
pub(super) const BASE: u64 = 1_800_000_000 * S;

fn append(store: &Store, service: &str, instance: &str, version: &str, rows: Rows) {
    append_in(store, None, [service, instance, version], rows);
}

fn append_in(store: &Store, environment: Option<&str>, who: [&str; 3], rows: Rows) {
    let [service, instance, version] = who;
    let resource = ResourceRow {
        environment: environment.map(str::to_owned),
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
pub(super) struct Request {
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
        // What fails takes longer, but not so long that it is slow.
        let late = if fails { 10 } else { 0 };
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
            [0, 40 + late],
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
                [1, 39 + late],
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
            [2, 38 + late],
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
                [3, 37 + late],
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
            [4, 36 + late],
            fails,
            r#"{"error.type":"bank"}"#,
            None,
        );
    }
}

pub(super) fn change(
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
pub(super) fn send(store: &Store, requests: u64) {
    let mut spans = Spans::default();
    for number in 0..requests {
        Request::of(number).send(&mut spans);
    }
    spans.append(store, None);
}

/// The same services in another environment, which fail worse, have other versions, and of which a change is told.
pub(super) fn strangers(store: &Store) {
    let elsewhere = Some("elsewhere");
    let mut spans = Spans::default();
    for number in 0..540 {
        let like = Request::of(number);
        let stranger = Request {
            at: like.at + 1_000,
            psp_fails: (180..230).contains(&(number / 2)),
            ..like
        };
        stranger.send(&mut spans);
    }
    spans.append(store, elsewhere);
    let mut logs = LogColumns::default();
    logs.push(&LogRow {
        time_unix_nano: BASE + 196 * S,
        arrival_unix_nano: BASE + 196 * S,
        event_name: "tripline.change",
        attributes: r#"{"change.kind":"deploy","change.service":"psp"}"#,
        ..LogRow::default()
    });
    append_in(store, elsewhere, ["ops", "o", ""], Rows::Logs(logs));
}

/// Ways in from elsewhere: a gateway, one of whose two requests is a request of the story, and somebody else's.
pub(super) fn ways_in(store: &Store) {
    let of_story = Request::of(402);
    let lone = |offset: u64| u128::from(of_story.at + offset).to_be_bytes();
    let arrivals = [
        ("edge", "GET /buy", of_story.trace()),
        ("edge", "GET /ping", lone(1)),
        ("nowhere", "GET /", lone(2)),
    ];
    for (environment, name, trace_id) in arrivals {
        let mut columns = SpanColumns::default();
        columns.push(&SpanRow {
            trace_id,
            span_id: of_story.span(9),
            name,
            kind: "server",
            start_unix_nano: of_story.at - 1_000_000,
            end_unix_nano: of_story.at + 50_000_000,
            status_code: "unset",
            attributes: "{}",
            ..SpanRow::default()
        });
        let rows = Rows::Spans(columns);
        append_in(store, Some(environment), ["gateway", "g-1", "1.0"], rows);
    }
}

impl Spans {
    /// One batch for each sender and version.
    fn append(self, store: &Store, environment: Option<&str>) {
        let [old, new] = self.psp;
        let batches = [
            ("checkout", "c-1", "3.0", self.checkout),
            ("payment", "p-1", "2.0", self.payment),
            ("psp", "s-1", "1.0", old),
            ("psp", "s-1", "1.1", new),
        ];
        for (service, instance, version, columns) in batches {
            // Elsewhere they have versions of their own.
            let version = match environment {
                Some(environment) => format!("{version}-{environment}"),
                None => version.to_owned(),
            };
            let who = [service, instance, &version];
            append_in(store, environment, who, Rows::Spans(columns));
        }
    }
}

/// Four and a half minutes; psp fails from second 200 to 230 because of its new version.
pub(super) fn story(store: &Store) {
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
