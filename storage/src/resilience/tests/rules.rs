//! What a recogniser file may say, each with a file of its own.

use super::fixture::{Log, Span, logs, metrics, spans};
use crate::ingest::{Batch, Rows};
use crate::resilience::{Evidence, Recognisers};

const SECOND: u64 = 1_000_000_000;
const START: u64 = 1_700_000_000 * SECOND;

fn compiled(rules: &str) -> Recognisers {
    let text = format!("origin = \"mine\"\ntitle = \"Mine\"\nsource = [\"-\"]\n{rules}");
    Recognisers::compile([("mine", text.as_str())]).unwrap_or_else(|error| panic!("{error:?}"))
}

fn evidence(rules: &str, batch: Batch) -> Evidence {
    let rules = compiled(rules);
    let (resources, scopes) = (&batch.resources, &batch.scopes);
    match batch.rows {
        Rows::Spans(spans) => rules.in_spans(resources, scopes, &spans.finish()),
        Rows::Logs(logs) => rules.in_logs(resources, scopes, &logs.finish()),
        Rows::Metrics(metrics) => rules.in_metrics(resources, scopes, &metrics.finish()),
    }
}

#[test]
fn a_label_is_one_flag_of_several_or_like_a_pattern() {
    let rules = r#"
[[metric]]
name = "requests"
breaker = ["=cap"]
label = ["flags", "kind"]
sink = { UO = "rejected", "On*ed" = "entered.open" }
"#;
    let of = |attributes: &str| {
        let point = ("requests_total", "sum", attributes.to_owned(), START, 3.0);
        let samples = evidence(rules, metrics("cart", "pod-1", &[point])).samples;
        let sample = samples.into_iter().next()?;
        Some((sample.rejected, sample.entered[1]))
    };
    let refused = Some((Some(3), None));
    assert_eq!(of(r#"{"flags":"UO"}"#), refused);
    assert_eq!(of(r#"{"flags":"DC,UO"}"#), refused);
    assert_eq!(of(r#"{"flags":["DC","UO"]}"#), refused);
    assert_eq!(of(r#"{"flags":"-"}"#), None);
    assert_eq!(of(r#"{"flags":"UOX"}"#), None);
    assert_eq!(of(r#"{"kind":"Opened"}"#), None);
    assert_eq!(of(r#"{"kind":"OnCircuitOpened"}"#), Some((None, Some(3))));
    assert_eq!(of("{}"), None);
}

#[test]
fn needs_and_outcomes_are_one_flag_of_several() {
    let rules = r#"
[[span]]
attribute = "response_flags"
needs = { protocol = "h*" }
rejected = ["UO"]
rejected_state = "saturated"
fields = { breaker = "=cap", outcome = "response_flags" }
"#;
    let of = |attributes: &str| {
        let span = Span {
            time: START,
            attributes,
            number: 1,
            ..Span::default()
        };
        let samples = evidence(rules, spans("cart", "pod-1", &[span])).samples;
        samples.into_iter().next()?.state
    };
    let refused = Some("saturated");
    assert_eq!(of(r#"{"protocol":"h2","response_flags":"UO,DC"}"#), refused);
    assert_eq!(
        of(r#"{"protocol":["tcp","http"],"response_flags":["UO"]}"#),
        refused
    );
    assert_eq!(of(r#"{"protocol":"h2","response_flags":"DC"}"#), None);
    assert_eq!(of(r#"{"protocol":"tcp","response_flags":"UO"}"#), None);
}

#[test]
fn the_service_of_a_cluster_is_a_source() {
    let rules = r#"
[[span]]
attribute = "upstream"
rejected = ["UO"]
fields = { breaker = "upstream", peer = ["upstream | istio_service", "@peer"], outcome = "flags" }
"#;
    let of = |upstream: &str, peer: Option<&'static str>| {
        let attributes = format!(r#"{{"flags":"UO","upstream":"{upstream}"}}"#);
        let span = Span {
            time: START,
            attributes: &attributes,
            peer,
            number: 1,
            ..Span::default()
        };
        let samples = evidence(rules, spans("cart", "pod-1", &[span])).samples;
        samples.into_iter().next()?.subject.peer_service
    };
    let cluster = "outbound|8080||payment.shop.svc.cluster.local";
    assert_eq!(of(cluster, Some("else")).as_deref(), Some("payment"));
    assert_eq!(
        of("PassthroughCluster", Some("else")).as_deref(),
        Some("else")
    );
    assert_eq!(of("PassthroughCluster", None), None);
}

#[test]
fn events_are_known_by_patterns_where_nobody_knows_their_name() {
    let rules = r#"
[[log]]
event = ["known.circuit.transition"]
says = "transition"
fields = { breaker = "name", to = "=half_open" }

[[log]]
event = ["*circuit*transition*"]
says = "transition"
fields = { breaker = "name", from = "*from", to = "*to" }
"#;
    let attributes = r#"{"name":"pay","acme.from":"closed","acme.to":"open"}"#;
    let record = |event: &'static str| Log {
        time: START,
        event,
        attributes,
        ..Log::default()
    };
    let records = [
        record("acme.circuit.transition"),
        record("known.circuit.transition"),
        record("circuit.opened"),
        record("transition.of.circuit"),
    ];
    let found = evidence(rules, logs("cart", "pod-1", &records));
    let states: Vec<_> = found
        .transitions
        .iter()
        .map(|row| (row.from_state, row.to_state))
        .collect();
    // The known name first: names are looked up before patterns.
    assert_eq!(states, [(None, "half_open"), (Some("closed"), "open")]);

    let events = r#"[{"name":"acme.circuit.transition","time_unix_nano":1700000000000000007,"attributes":{"name":"pay","acme.from":"closed","acme.to":"open"}},{"name":"known.circuit.transition","time_unix_nano":1700000000000000008,"attributes":{"name":"pay"}},{"name":"no transition","time_unix_nano":1,"attributes":{}}]"#;
    let span = Span {
        time: START,
        events: Some(events),
        number: 1,
        ..Span::default()
    };
    let found = evidence(rules, spans("cart", "pod-1", &[span]));
    let mut states: Vec<_> = found
        .transitions
        .iter()
        .map(|row| (row.time_unix_nano % 1_000, row.to_state))
        .collect();
    states.sort_unstable();
    assert_eq!(states, [(7, "open"), (8, "half_open")]);
}

#[test]
fn a_rejection_may_ask_for_a_scope_and_for_attributes() {
    let rules = r#"
[[rejection]]
messages = ["too many requests"]
scope = ["lib"]
needs = { "rpc.system" = "*" }
breaker = ["breaker"]
state = "half_open"
"#;
    let of = |rules: &str, attributes: &str| {
        let record = Log {
            time: START,
            attributes,
            ..Log::default()
        };
        evidence(rules, logs("cart", "pod-1", &[record]))
            .samples
            .len()
    };
    let refused = r#"{"breaker":"pay","error":"too many requests","rpc.system":"grpc"}"#;
    assert_eq!(of(rules, refused), 1);
    assert_eq!(
        of(rules, r#"{"breaker":"pay","error":"too many requests"}"#),
        0
    );
    assert_eq!(of(&rules.replace("\"lib\"", "\"gobreaker\""), refused), 0);
}

#[test]
fn what_means_nothing_is_refused_with_its_reason() {
    for (rules, reason) in [
        (
            "[[span]]\nattribute = \"a\"\nfields = { breaker = \"a | nobody\" }",
            "nobody is no function",
        ),
        (
            "[[log]]\nevent = [\"*\"]\nsays = \"transition\"\nfields = { breaker = \"a\" }",
            "would be every event",
        ),
        (
            "[[metric]]\nname = \"a\"\nbreaker = [\"b\"]\nsink = { x = \"ok\" }",
            "no label",
        ),
    ] {
        let text = format!("origin = \"mine\"\ntitle = \"Mine\"\nsource = [\"-\"]\n{rules}");
        let error = Recognisers::compile([("mine", text.as_str())]).expect_err(rules);
        assert!(error.to_string().contains(reason), "{error}");
    }
}
