//! Refused calls, by whatever says so: errors of spans and of log records, with a name for the breaker and without.

use super::fixture::{Log, Span, append, logs, now, open, rows, spans};
use crate::query::Session;
use crate::store::Store;

const SECOND: u64 = 1_000_000_000;

const BROKEN: &str = r#"[{"name":"exception","time_unix_nano":1700000000000000000,"attributes":{"exception.type":"Polly.CircuitBreaker.BrokenCircuitException","exception.message":"The circuit is now open"}}]"#;

/// Origin and name of every refusal of a trace of one span.
fn refusals(store: &Store, number: u8) -> Vec<String> {
    let reader = store.reader().expect("a reader");
    let session = Session::new(&reader);
    let id = format!("{number:02x}").repeat(16);
    let trace = crate::query::trace(&session, &id).expect("an answer");
    let refusals = trace.expect("the trace").refusals;
    refusals
        .into_iter()
        .map(|refusal| format!("{} {:?}", refusal.origin, refusal.name))
        .collect()
}

#[test]
fn the_waterfall_shows_a_refusal_by_peer_and_one_that_nobody_names() {
    let time = now() - 10 * SECOND;
    let calls = [
        Span {
            time,
            events: Some(BROKEN),
            peer: Some("stock"),
            number: 1,
            ..Span::default()
        },
        Span {
            time,
            status_message: "call failed: circuit breaker is open",
            number: 2,
            ..Span::default()
        },
        Span {
            time,
            status_message: "connection refused",
            number: 3,
            ..Span::default()
        },
    ];
    let dir = tempfile::tempdir().expect("a directory");
    let store = open(dir.path());
    append(&store, spans("cart", "pod-1", &calls));
    for _ in 0..2 {
        assert_eq!(refusals(&store, 1), [r#"polly "stock""#]);
        assert_eq!(refusals(&store, 2), [r#"gobreaker """#]);
        assert!(refusals(&store, 3).is_empty());
        // A breaker without a name is none.
        assert_eq!(rows(&store, "SELECT name FROM breakers"), ["stock"]);
        store.seal_now().expect("sealed");
    }
}

#[test]
fn error_logs_are_evidence_by_message_in_attributes_and_in_bodies() {
    let time = now() - 10 * SECOND;
    let at = |seconds: u64, body: Option<&'static str>, attributes: &'static str| Log {
        time: time + seconds * SECOND,
        body,
        attributes,
        ..Log::default()
    };
    let records = [
        at(
            0,
            Some("call failed"),
            r#"{"circuit_breaker.name":"a","error":"stock: circuit breaker is open"}"#,
        ),
        at(
            1,
            Some("call failed: circuit breaker is open"),
            r#"{"circuitBreakerName":"b"}"#,
        ),
        at(
            2,
            Some("circuit breaker is open"),
            r#"{"error.message":"circuit breaker is open","peer.service":"c"}"#,
        ),
        // Nobody says which.
        at(3, Some("circuit breaker is open"), "{}"),
        // Not where errors are, and not what is said.
        at(
            4,
            Some("fine"),
            r#"{"circuit_breaker.name":"d","help":"what a circuit breaker is open to"}"#,
        ),
        at(
            5,
            Some("the circuit breaker is opener than ever"),
            r#"{"circuit_breaker.name":"e"}"#,
        ),
    ];
    let dir = tempfile::tempdir().expect("a directory");
    let store = open(dir.path());
    append(&store, logs("cart", "pod-1", &records));
    assert_eq!(
        rows(
            &store,
            "SELECT name, state, raw_state, peer_service, evidence, confidence, origin FROM breaker_samples ORDER BY time"
        ),
        [
            "a open stock: circuit breaker is open - log 80 gobreaker",
            "b open call failed: circuit breaker is open - log 80 gobreaker",
            "c open circuit breaker is open c log 80 gobreaker",
        ]
    );
}

/// What the spans of a service prove: state, pattern, breaker and origin of each sample.
fn proven(calls: &[Span<'_>]) -> Vec<String> {
    let dir = tempfile::tempdir().expect("a directory");
    let store = open(dir.path());
    append(&store, spans("cart", "pod-1", calls));
    rows(
        &store,
        "SELECT state, pattern, name, origin FROM breaker_samples ORDER BY time",
    )
}

#[test]
fn the_type_of_an_error_may_be_an_attribute_of_the_span() {
    let time = now() - 100 * SECOND;
    let attributes = [
        r#"{"error.type":"io.github.resilience4j.circuitbreaker.CallNotPermittedException"}"#,
        r#"{"error.type":"pybreaker.CircuitBreakerError"}"#,
        r#"{"exception.message":"CircuitBreaker 'pay' is FORCED_OPEN and does not permit further calls","exception.type":"io.github.resilience4j.circuitbreaker.CallNotPermittedException"}"#,
        r#"{"error.type":"java.net.ConnectException"}"#,
        r#"{"error.type":"com.netflix.hystrix.exception.HystrixRuntimeException"}"#,
    ];
    let calls: Vec<Span<'_>> = (1..)
        .zip(attributes)
        .map(|(number, attributes)| Span {
            time: time + u64::from(number) * SECOND,
            attributes,
            peer: Some("stock"),
            number,
            ..Span::default()
        })
        .collect();
    assert_eq!(
        proven(&calls),
        [
            "open breaker stock resilience4j",
            "open breaker stock pybreaker",
            "forced_open breaker pay resilience4j",
        ]
    );
}

#[test]
fn a_status_says_who_refused_and_in_which_state() {
    // A callee each: of equal states of one breaker only the first and the last are kept.
    const PEERS: [&str; 11] = ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k"];
    let time = now() - 100 * SECOND;
    let messages = [
        "CircuitBreaker 'pay' is OPEN and does not permit further calls",
        "call failed: CircuitBreaker 'pay' is HALF_OPEN and does not permit further calls",
        "Bulkhead 'pay' is full and does not permit further calls",
        "RateLimiter 'pay' does not permit further calls",
        "The circuit is now open and is not allowing calls.",
        "The circuit is manually held open and is not allowing calls.",
        "com.alibaba.csp.sentinel.slots.block.degrade.DegradeException: null",
        "Get \"http://stock\": circuit open",
        "the circuit opened",
        "CircuitBreakerError: Timeout not elapsed yet, circuit breaker still open",
        "CircuitBreakerError: Failures threshold reached, circuit breaker opened",
    ];
    let calls: Vec<Span<'_>> = (1..)
        .zip(messages)
        .map(|(number, status_message)| Span {
            time: time + u64::from(number) * SECOND,
            status_message,
            peer: Some(PEERS[usize::from(number) - 1]),
            number,
            ..Span::default()
        })
        .collect();
    let expected = [
        "open breaker pay resilience4j",
        "half_open breaker pay resilience4j",
        "saturated bulkhead pay resilience4j",
        "throttling rate_limit pay resilience4j",
        "open breaker e polly",
        "forced_open breaker f polly",
        "open breaker g sentinel",
        "open breaker h go-kit",
        "open breaker j pybreaker",
        "open breaker k pybreaker",
    ];
    assert_eq!(proven(&calls), expected);

    // The call that tripped it was not refused.
    let dir = tempfile::tempdir().expect("a directory");
    let store = open(dir.path());
    append(&store, spans("cart", "pod-1", &calls));
    assert_eq!(refusals(&store, 10), [r#"pybreaker "j""#]);
    assert!(refusals(&store, 11).is_empty());
}

#[test]
fn too_many_requests_are_a_breakers_unless_somebody_answered_so() {
    const TOO_MANY: &str = r#"[{"name":"exception","time_unix_nano":1700000000000000000,"attributes":{"exception.type":"*errors.errorString","exception.message":"too many requests"}}]"#;
    const OF_A_CLIENT: &str = r#"[{"name":"exception","time_unix_nano":1700000000000000000,"attributes":{"exception.type":"*shop.Answer","exception.message":"too many requests"}}]"#;
    let time = now() - 100 * SECOND;
    let calls = [
        ("a", "{}", TOO_MANY),
        ("b", r#"{"http.response.status_code":429}"#, TOO_MANY),
        (
            "c",
            r#"{"error.type":"429","http.status_code":429}"#,
            TOO_MANY,
        ),
        (
            "d",
            r#"{"rpc.grpc.status_code":8,"rpc.system":"grpc"}"#,
            TOO_MANY,
        ),
        ("e", r#"{"http.request.method":"GET"}"#, TOO_MANY),
        // An answer, though nothing says which: no breaker is named, and gobreaker has no type of its own.
        ("f", "{}", OF_A_CLIENT),
        ("g", "{}", "[]"),
        ("h", r#"{"circuit_breaker.name":"h"}"#, OF_A_CLIENT),
    ];
    let calls: Vec<Span<'_>> = (1..)
        .zip(calls)
        .map(|(number, (peer, attributes, events))| Span {
            time: time + u64::from(number) * SECOND,
            attributes,
            events: Some(events),
            status_message: "too many requests",
            peer: Some(peer),
            number,
        })
        .collect();
    let expected = [
        "half_open breaker a gobreaker",
        "half_open breaker e gobreaker",
        "half_open breaker h gobreaker",
    ];
    // The exceptions are of another time than their spans.
    let mut found = proven(&calls);
    found.sort();
    assert_eq!(found, expected);
    let dir = tempfile::tempdir().expect("a directory");
    let store = open(dir.path());
    append(&store, spans("cart", "pod-1", &calls));
    assert_eq!(refusals(&store, 1), [r#"gobreaker "a""#]);
    assert!(refusals(&store, 6).is_empty());
    assert!(refusals(&store, 2).is_empty());
}

#[test]
fn a_refusal_in_the_body_of_a_record_is_one() {
    let body = "request failed: CircuitBreaker 'pay' is OPEN and does not permit further calls";
    let record = Log {
        time: now() - 10 * SECOND,
        body: Some(body),
        attributes: "{}",
        ..Log::default()
    };
    let dir = tempfile::tempdir().expect("a directory");
    let store = open(dir.path());
    append(&store, logs("cart", "pod-1", &[record]));
    assert_eq!(
        rows(&store, "SELECT name, state, origin FROM breaker_samples"),
        ["pay open resilience4j"]
    );
}

#[test]
fn one_refusal_is_one_breakers_whatever_says_it() {
    const NO_NAME: &str = r#"[{"name":"exception","time_unix_nano":1700000000000000000,"attributes":{"exception.type":"io.github.resilience4j.circuitbreaker.CallNotPermittedException"}}]"#;
    const NAMED: &str = r#"[{"name":"exception","time_unix_nano":1700000000000000000,"attributes":{"exception.type":"io.github.resilience4j.circuitbreaker.CallNotPermittedException","exception.message":"CircuitBreaker 'six' is FORCED_OPEN and does not permit further calls"}}]"#;
    let time = now() - 100 * SECOND;
    let calls = [
        // By attributes, and by an error that knows but the callee.
        (
            r#"{"circuit_breaker.key":"eu","circuit_breaker.name":"one","circuit_breaker.outcome":"rejected"}"#,
            Some(NO_NAME),
        ),
        (
            r#"{"acme.circuit_breaker.name":"two","acme.circuit_breaker.state":"open"}"#,
            Some(BROKEN),
        ),
        // The name is all that the attributes say.
        (r#"{"circuit_breaker.name":"three"}"#, Some(BROKEN)),
        (
            r#"{"circuit_breaker.name":"four","error.type":"pybreaker.CircuitBreakerError"}"#,
            None,
        ),
        // Whoever is closed refuses nothing: it is the callee's.
        (
            r#"{"circuit_breaker.name":"five","circuit_breaker.state":"closed"}"#,
            Some(BROKEN),
        ),
        // An error that knows the name and the state better.
        (
            r#"{"circuit_breaker.name":"six","circuit_breaker.outcome":"rejected"}"#,
            Some(NAMED),
        ),
        // Another policy's refusal is its own.
        (
            r#"{"circuit_breaker.name":"seven","circuit_breaker.state":"half_open","error.type":"Polly.RateLimiting.RateLimiterRejectedException"}"#,
            None,
        ),
    ];
    let calls: Vec<Span<'_>> = (1..)
        .zip(calls)
        .map(|(number, (attributes, events))| Span {
            time: time + u64::from(number) * SECOND,
            attributes,
            events,
            peer: Some("stock"),
            number,
            ..Span::default()
        })
        .collect();
    let dir = tempfile::tempdir().expect("a directory");
    let store = open(dir.path());
    append(&store, spans("cart", "pod-1", &calls));
    assert_eq!(
        rows(
            &store,
            "SELECT pattern, name, key, string_agg(DISTINCT state, '+' ORDER BY state) FROM breaker_samples
             GROUP BY ALL ORDER BY ALL"
        ),
        [
            "breaker five - closed",
            "breaker four - open",
            "breaker one eu open",
            "breaker seven - half_open",
            "breaker six - forced_open+open",
            "breaker stock - open",
            "breaker three - open",
            "breaker two - open",
            "rate_limit stock - throttling",
        ]
    );
    for (number, refusal) in [
        (1, r#"tripline-sdk "one""#),
        (2, r#"generic "two""#),
        (3, r#"polly "three""#),
        (4, r#"pybreaker "four""#),
        (5, r#"polly "stock""#),
        (6, r#"tripline-sdk "six""#),
        (7, r#"polly "stock""#),
    ] {
        assert_eq!(refusals(&store, number), [refusal], "{number}");
    }
}

#[test]
fn the_error_of_a_record_is_of_the_breaker_that_stands_beside_it() {
    let record = |attributes: &'static str, seconds: u64| Log {
        time: now() - (10 - seconds) * SECOND,
        body: Some("call failed"),
        attributes,
        ..Log::default()
    };
    let records = [
        record(
            r#"{"circuit_breaker.key":"eu","circuit_breaker.name":"pay","exception.type":"Polly.CircuitBreaker.BrokenCircuitException","peer.service":"stock"}"#,
            0,
        ),
        record(
            r#"{"circuit_breaker.name":"pay","circuit_breaker.state":"closed","exception.type":"Polly.CircuitBreaker.BrokenCircuitException","peer.service":"stock"}"#,
            1,
        ),
    ];
    let dir = tempfile::tempdir().expect("a directory");
    let store = open(dir.path());
    append(&store, logs("cart", "pod-1", &records));
    assert_eq!(
        rows(
            &store,
            "SELECT name, key, state, peer_service FROM breaker_samples ORDER BY time"
        ),
        ["pay eu open stock", "stock - open stock"]
    );
}

/// These columns of the samples that log records make, one a second, each a body and attributes.
fn told_by(columns: &str, records: &[(&str, &str)]) -> Vec<String> {
    let begin = now() - 100 * SECOND;
    let records: Vec<Log<'_>> = (0..)
        .zip(records.iter().copied())
        .map(|(number, (body, attributes))| Log {
            time: begin + number * SECOND,
            body: Some(body),
            attributes,
            ..Log::default()
        })
        .collect();
    let dir = tempfile::tempdir().expect("a directory");
    let store = open(dir.path());
    append(&store, logs("cart", "pod-1", &records));
    let sql = format!("SELECT {columns} FROM breaker_samples ORDER BY time");
    rows(&store, &sql)
}

#[test]
fn the_error_of_a_record_is_of_the_breaker_that_is_named_beside_it_in_any_word() {
    let records = [
        r#"{"breaker":"a","err":"circuit breaker is open"}"#,
        r#"{"error":"circuit breaker is open","name":"b"}"#,
        r#"{"breaker":"c","err":"hystrix: circuit open"}"#,
        r#"{"err":"circuit breaker open","name":"d"}"#,
        // The callee is better than a name of nobody knows what.
        r#"{"err":"circuit breaker is open","name":"logger","peer.service":"e"}"#,
        r#"{"breaker":"f","err":"too many requests"}"#,
        r#"{"err":"too many requests","name":"g"}"#,
        r#"{"breaker":"h","err":"too many requests","status":429}"#,
        // Sentinel's errors do not say of which resource they are.
        r#"{"exception.message":"","exception.type":"com.alibaba.csp.sentinel.slots.block.degrade.DegradeException","resource":"GET:/i"}"#,
        r#"{"exception.message":"","exception.type":"com.alibaba.csp.sentinel.slots.block.degrade.DegradeException"}"#,
        "2026-11-23 07:00:00|1|GET:/j,DegradeException,default,origin|61,0",
    ];
    // A document is attributes, any other text the body.
    let records = records.map(|told| match told.starts_with('{') {
        true => ("call failed", told),
        false => (told, "{}"),
    });
    assert_eq!(
        told_by("name, state, evidence, origin", &records),
        [
            "a open log gobreaker",
            "b open log gobreaker",
            "c open log go-kit",
            "d open log failsafe",
            "e open log gobreaker",
            "f half_open log gobreaker",
            "GET:/i open log sentinel",
            "GET:/j open log sentinel",
        ]
    );
}

#[test]
fn a_body_of_members_says_which_error_of_which_breaker() {
    let records = [
        r#"{"level":"error","msg":"call failed","error":"circuit breaker is open","circuit_breaker.name":"pay"}"#,
        r#"level=error msg="call failed" err="too many requests" circuit_breaker.name=price"#,
        // Nobody says which.
        r#"{"msg":"call failed","error":"circuit breaker is open"}"#,
    ];
    assert_eq!(
        told_by(
            "name, state, raw_state, origin",
            &records.map(|body| (body, "{}"))
        ),
        [
            "pay open circuit breaker is open gobreaker",
            "price half_open too many requests gobreaker",
        ]
    );
}
