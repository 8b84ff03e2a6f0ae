//! The rules of W3C Trace Context and Baggage, each against a real server over HTTP: what it makes
//! of the headers of a request is seen in what it sends on.
#![cfg(not(loom))]
#![expect(clippy::unwrap_used, reason = "a test that cannot go on stops")]

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::OnceLock;

use axum::Router;
use axum::extract::State;
use axum::routing::get;
use http::{HeaderMap, Request, Response};
use opentelemetry::metrics::MeterProvider;
use opentelemetry::trace::TracerProvider;
use opentelemetry_sdk::metrics::SdkMeterProvider;
use opentelemetry_sdk::trace::SdkTracerProvider;
use tower::{Layer, ServiceExt, service_fn};
use tripline_sdk::instrument::{Instrument, REQUEST_ID};

const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
const PARENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

/// A server that calls on, and answers with the headers it called on with.
async fn call_on(State(instrument): State<Instrument>) -> String {
    let peer = instrument
        .client()
        .layer(service_fn(async |request: Request<String>| {
            let headers = request.headers().iter();
            let lines =
                headers.map(|(name, value)| format!("{name}: {}\n", value.to_str().unwrap()));
            Ok::<_, std::convert::Infallible>(Response::new(lines.collect::<String>()))
        }));
    let request = Request::get("http://peer.example/")
        .body(String::new())
        .unwrap();
    peer.oneshot(request).await.unwrap().into_body().text()
}

trait Text {
    fn text(self) -> String;
}

impl Text for tripline_sdk::instrument::TracedBody<String> {
    fn text(self) -> String {
        let collected = http_body_util::BodyExt::collect(self);
        let bytes = futures::executor::block_on(collected).unwrap().to_bytes();
        String::from_utf8(bytes.to_vec()).unwrap()
    }
}

/// One server for all tests, on a thread of its own.
fn server() -> SocketAddr {
    static SERVER: OnceLock<SocketAddr> = OnceLock::new();
    *SERVER.get_or_init(|| {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        listener.set_nonblocking(true).unwrap();
        std::thread::spawn(move || {
            let tracer = SdkTracerProvider::builder().build().tracer("test");
            let meter = SdkMeterProvider::builder().build().meter("test");
            let instrument = Instrument::new(tracer, &meter);
            let app = Router::new()
                .route("/", get(call_on))
                .layer(instrument.server())
                .with_state(instrument.clone());
            let edge = Router::new()
                .route("/edge", get(call_on))
                .layer(instrument.server().at_the_edge())
                .with_state(instrument);
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build();
            runtime.unwrap().block_on(async {
                let listener = tokio::net::TcpListener::from_std(listener).unwrap();
                axum::serve(listener, app.merge(edge)).await.unwrap();
            });
        });
        address
    })
}

struct Answer {
    head: String,
    sent_on: BTreeMap<String, String>,
}

impl Answer {
    fn header(&self, name: &str) -> Option<&str> {
        self.sent_on.get(name).map(String::as_str)
    }

    fn trace_id(&self) -> &str {
        self.header("traceparent")
            .unwrap()
            .split('-')
            .nth(1)
            .unwrap()
    }

    fn continues(&self) -> bool {
        self.trace_id() == TRACE
    }
}

fn ask(headers: &[&str]) -> Answer {
    ask_at("/", headers)
}

/// Sends header lines exactly as they are.
fn ask_at(path: &str, headers: &[&str]) -> Answer {
    let mut stream = TcpStream::connect(server()).unwrap();
    let lines = headers
        .iter()
        .map(|line| format!("{line}\r\n"))
        .collect::<String>();
    let request = format!("GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n{lines}\r\n");
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("HTTP/1.1 200"), "{answer}");
    let sent_on = body
        .lines()
        .filter_map(|line| line.split_once(": "))
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    Answer {
        head: head.to_ascii_lowercase(),
        sent_on,
    }
}

#[test]
fn a_request_without_a_parent_starts_a_trace() {
    let answer = ask(&[]);
    assert!(!answer.continues());
    assert!(answer.header("traceparent").unwrap().ends_with("-01"));
    assert_eq!(
        answer.header("tracestate"),
        None,
        "an empty one is not sent"
    );
}

#[test]
fn a_trace_is_continued_with_a_new_parent_id() {
    let answer = ask(&[&format!("traceparent: {PARENT}")]);
    assert!(answer.continues());
    let parent_id = answer
        .header("traceparent")
        .unwrap()
        .split('-')
        .nth(2)
        .unwrap()
        .to_owned();
    assert_ne!(parent_id, "b7ad6b7169203331");
    assert_eq!(parent_id.len(), 16);
}

#[test]
fn the_response_names_the_trace_as_the_request_id() {
    let answer = ask(&[&format!("traceparent: {PARENT}")]);
    assert!(
        answer.head.contains(&format!("{REQUEST_ID}: {TRACE}")),
        "{}",
        answer.head
    );
}

#[test]
fn the_sampling_decision_is_passed_on() {
    let unsampled = PARENT.replace("-01", "-00");
    let answer = ask(&[&format!("traceparent: {unsampled}")]);
    assert!(answer.continues() && answer.header("traceparent").unwrap().ends_with("-00"));
}

#[test]
fn header_names_have_no_case_and_values_no_outer_white_space() {
    assert!(ask(&[&format!("TraceParent:  \t{PARENT}\t ")]).continues());
    assert!(ask(&[&format!("TRACEPARENT:{PARENT}")]).continues());
    assert!(
        ask(&[&format!("trace-parent: {PARENT}")])
            .header("traceparent")
            .is_some()
    );
    assert!(!ask(&[&format!("trace-parent: {PARENT}")]).continues());
}

#[test]
fn two_parents_make_a_new_trace_even_if_they_agree() {
    let line = format!("traceparent: {PARENT}");
    assert!(!ask(&[&line, &line]).continues());
    let other = line.replace("b7ad", "b7ae");
    assert!(!ask(&[&line, &other]).continues());
}

#[test]
fn versions_are_compatible_forwards_only() {
    let with = |parent: String| ask(&[&format!("traceparent: {parent}")]);
    let later = |version: &str, tail: &str| with(format!("{version}{}{tail}", &PARENT[2..]));
    assert!(later("cc", "").continues());
    assert!(later("cc", "-what-the-future-says").continues());
    assert!(!later("cc", ".what-the-future-says").continues());
    assert!(!later("ff", "").continues());
    assert!(!later("00", "-more").continues());
    assert!(!later("0x", "").continues());
    assert!(!later("CC", "").continues());
    let sent = later("cc", "-tail");
    assert!(
        sent.header("traceparent").unwrap().starts_with("00-"),
        "we send what we speak"
    );
}

#[test]
fn malformed_parents_are_ignored_together_with_the_state() {
    for parent in [
        "00-00000000000000000000000000000000-b7ad6b7169203331-01",
        "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
        "00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01",
        "00-0af7651916cd43dd8448eb211c80319-b7ad6b7169203331-01",
        "00-0af7651916cd43dd8448eb211c80319c-b7ad6b716920333-01",
        "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-1",
        "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-.0",
        "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331",
        "garbage",
        "",
    ] {
        let answer = ask(&[&format!("traceparent: {parent}"), "tracestate: foo=1"]);
        assert!(!answer.continues(), "{parent}");
        assert_eq!(answer.header("tracestate"), None, "{parent}");
    }
}

fn state(lines: &[&str]) -> Option<String> {
    let parent = format!("traceparent: {PARENT}");
    let headers: Vec<&str> = [parent.as_str()]
        .into_iter()
        .chain(lines.iter().copied())
        .collect();
    let answer = ask(&headers);
    assert!(answer.continues(), "a bad state does not harm the parent");
    answer.header("tracestate").map(str::to_owned)
}

#[test]
fn states_of_several_headers_are_joined_in_order() {
    assert_eq!(
        state(&[
            "tracestate: foo=1",
            "TraceState: bar=2 ,\tbaz=3",
            "tracestate:"
        ]),
        Some("foo=1,bar=2,baz=3".into())
    );
}

#[test]
fn a_state_of_thirty_two_members_is_the_longest() {
    let members = |count| {
        (0..count)
            .map(|n| format!("k{n}={n}"))
            .collect::<Vec<_>>()
            .join(",")
    };
    assert_eq!(
        state(&[&format!("tracestate: {}", members(32))]),
        Some(members(32))
    );
    assert_eq!(state(&[&format!("tracestate: {}", members(33))]), None);
    let split = format!("tracestate: {}", members(20));
    let rest = members(33).replace(&format!("{},", members(20)), "");
    assert_eq!(
        state(&[&split, &format!("tracestate: {rest}")]),
        None,
        "headers count together"
    );
}

#[test]
fn an_invalid_member_drops_the_whole_state() {
    for bad in [
        "foo",
        "FOO=1",
        "foo =1",
        "foo.bar=1",
        "@foo=1",
        "foo@=1",
        "foo@@bar=1",
        "foo=1=2",
    ] {
        assert_eq!(
            state(&[&format!("tracestate: good=1,{bad}")]),
            None,
            "{bad}"
        );
    }
    assert_eq!(
        state(&["tracestate: foo=1,,bar=2,"]),
        Some("foo=1,bar=2".into())
    );
    assert_eq!(
        state(&["tracestate: a0@vendor=1,b_-*/=x y"]),
        Some("a0@vendor=1,b_-*/=x y".into())
    );
}

#[test]
fn of_a_doubled_key_the_first_member_stays() {
    assert_eq!(
        state(&["tracestate: foo=1,bar=2,foo=3"]),
        Some("foo=1,bar=2".into())
    );
}

fn baggage(lines: &[&str]) -> Option<String> {
    ask(lines).header("baggage").map(str::to_owned)
}

#[test]
fn baggage_is_passed_on_with_its_properties() {
    let passed = baggage(&["baggage: user = ann%20b ; ttl=3"]);
    assert_eq!(passed.as_deref(), Some("user=ann%20b;ttl=3"));
    let mut members: Vec<String> = baggage(&["baggage: a=1", "Baggage: b=x=y,bad key=1"])
        .unwrap()
        .split(',')
        .map(str::to_owned)
        .collect();
    members.sort();
    assert_eq!(
        members,
        ["a=1", "b=x=y"],
        "headers are joined, invalid members dropped"
    );
}

#[test]
fn baggage_has_sixty_four_members_and_eight_kibibytes_at_most() {
    let many = (0..70)
        .map(|n| format!("k{n}=v"))
        .collect::<Vec<_>>()
        .join(",");
    assert_eq!(
        baggage(&[&format!("baggage: {many}")])
            .unwrap()
            .split(',')
            .count(),
        64
    );
    let long = format!("baggage: a=1,big={}", "x".repeat(8_192));
    assert_eq!(baggage(&[&long]).as_deref(), Some("a=1"));
}

#[test]
fn at_the_edge_strangers_neither_continue_traces_nor_bring_baggage() {
    let headers = [
        format!("traceparent: {PARENT}"),
        "baggage: admin=true".into(),
    ];
    let answer = ask_at("/edge", &[&headers[0], &headers[1], "tracestate: foo=1"]);
    assert!(!answer.continues());
    assert_eq!(answer.header("tracestate"), None);
    assert_eq!(answer.header("baggage"), None);
}

#[test]
fn a_stale_parent_in_a_forwarded_request_is_replaced() {
    let mut headers = HeaderMap::new();
    headers.append("traceparent", PARENT.parse().unwrap());
    headers.append("tracestate", "foo=1".parse().unwrap());
    tripline_sdk::propagation::inject(&opentelemetry::Context::new(), &mut headers);
    assert!(headers.is_empty());
}
