//! R8: a name is one name however it is spelt, of metrics, of attributes, of spans and of their events.

use super::fixture::{Point, Span, append, metrics, now, open, rows, spans};

const SECOND: u64 = 1_000_000_000;

fn samples(points: &[Point<'_>], columns: &str) -> Vec<String> {
    let dir = tempfile::tempdir().expect("a directory");
    let store = open(dir.path());
    append(&store, metrics("cart", "pod-1", points));
    rows(
        &store,
        &format!("SELECT {columns} FROM breaker_samples ORDER BY ALL"),
    )
}

#[test]
fn our_metrics_are_the_same_through_prometheus_and_under_the_proposed_alias() {
    let time = now() - 10 * SECOND;
    for (state, calls, [name, of_state, outcome]) in [
        (
            "circuit_breaker.state",
            "circuit_breaker.calls",
            [
                "circuit_breaker.name",
                "circuit_breaker.state",
                "circuit_breaker.outcome",
            ],
        ),
        (
            "circuit_breaker_state",
            "circuit_breaker_calls_total",
            [
                "circuit_breaker_name",
                "circuit_breaker_state",
                "circuit_breaker_outcome",
            ],
        ),
        (
            "circuitbreaker.state",
            "circuitbreaker.calls",
            [
                "circuitbreaker.name",
                "circuitbreaker.state",
                "circuitbreaker.outcome",
            ],
        ),
    ] {
        let points: [Point<'_>; 3] = [
            (
                state,
                "gauge",
                format!(r#"{{"{name}":"pay","{of_state}":"open"}}"#),
                time,
                1.0,
            ),
            (
                state,
                "gauge",
                format!(r#"{{"{name}":"pay","{of_state}":"closed"}}"#),
                time,
                0.0,
            ),
            (
                calls,
                "sum",
                format!(r#"{{"{name}":"pay","{outcome}":"rejected"}}"#),
                time,
                7.0,
            ),
        ];
        assert_eq!(
            samples(&points, "origin, name, state, rejected, confidence"),
            ["tripline-sdk pay open 7 60"],
            "{state}"
        );
    }
}

#[test]
fn foreign_labels_are_found_in_their_other_spelling() {
    let time = now() - 10 * SECOND;
    let points: [Point<'_>; 2] = [
        (
            "failsafe_circuit_breaker_state_change_count_total",
            "sum",
            r#"{"failsafe_circuit_breaker_name":"stock","failsafe_circuit_breaker_state":"open"}"#
                .to_owned(),
            time,
            2.0,
        ),
        (
            "resilience_polly_pipeline_duration_milliseconds",
            "sum",
            r#"{"exception_type":"Polly.CircuitBreaker.BrokenCircuitException","pipeline_name":"price"}"#
                .to_owned(),
            time,
            5.0,
        ),
    ];
    assert_eq!(
        samples(&points, "origin, name, entered.open, rejected"),
        ["failsafe stock 2 -", "polly price - 5"]
    );
}

#[test]
fn resilience4js_order_of_states_is_its_own() {
    let start = now() - 100 * SECOND;
    let points: Vec<Point<'_>> = (0..7_u8)
        .map(|number| {
            let time = start + u64::from(number) * SECOND;
            let attributes = r#"{"name":"pay"}"#.to_owned();
            let name = "resilience4j_circuitbreaker_state";
            (name, "gauge", attributes, time, f64::from(number))
        })
        .collect();
    assert_eq!(
        samples(&points, "time, origin, state")
            .iter()
            .map(|row| row.rsplit_once(' ').map_or("", |(_, state)| state))
            .collect::<Vec<_>>(),
        [
            "closed",
            "open",
            "half_open",
            "disabled",
            "forced_open",
            "metrics_only",
            "unknown",
        ]
    );
}

#[test]
fn who_is_nobody_to_the_mesh_is_no_callee() {
    let time = now() - 10 * SECOND;
    let points: Vec<Point<'_>> = [
        "payment",
        "payment.shop.svc.cluster.local",
        "unknown",
        "PassthroughCluster",
        "BlackHoleCluster",
    ]
    .into_iter()
    .flat_map(|callee| {
        let of = |flags: &str| {
            let attributes =
                format!(r#"{{"destination_service_name":"{callee}","response_flags":"{flags}"}}"#);
            ("istio_requests_total", "sum", attributes, time, 1.0)
        };
        [of("UO"), of("UH")]
    })
    .collect();
    assert_eq!(
        samples(&points, "name, pattern, rejected, failed"),
        ["payment concurrency_cap 2 -", "payment ejection - 2"]
    );
}

#[test]
fn a_prefix_is_the_users_in_metrics_in_spans_and_in_events() {
    let time = now() - 10 * SECOND;
    let points: [Point<'_>; 3] = [
        (
            "acme.circuit_breaker.state",
            "gauge",
            r#"{"acme.circuit_breaker.name":"pay","acme.circuit_breaker.state":"half-open"}"#
                .to_owned(),
            time,
            1.0,
        ),
        (
            "acme_circuitbreaker_calls_total",
            "sum",
            r#"{"circuitbreaker_name":"pay","outcome":"rejected"}"#.to_owned(),
            time,
            4.0,
        ),
        (
            "acme_circuit_breaker_transitions_total",
            "sum",
            r#"{"acme_circuit_breaker_name":"pay","to":"open"}"#.to_owned(),
            time,
            2.0,
        ),
    ];
    assert_eq!(
        samples(&points, "origin, name, state, rejected, entered.open"),
        ["generic pay half_open 4 2"]
    );

    let dir = tempfile::tempdir().expect("a directory");
    let store = open(dir.path());
    let events = format!(
        r#"[{{"name":"acme.circuit_breaker.transitioned","time_unix_nano":{time},"attributes":{{"acme.circuit_breaker.name":"stock","from":"closed","to":"open"}}}}]"#
    );
    let refused = Span {
        time,
        attributes: r#"{"acme.circuitbreaker.name":"pay","acme.circuitbreaker.outcome":"rejected"}"#,
        events: Some(&events),
        number: 1,
        ..Span::default()
    };
    append(&store, spans("cart", "pod-1", &[refused]));
    assert_eq!(
        rows(&store, "SELECT origin, name, state FROM breaker_samples"),
        ["generic pay open"]
    );
    assert_eq!(
        rows(
            &store,
            "SELECT origin, name, from_state, to_state FROM breaker_transitions WHERE name = 'stock'"
        ),
        ["generic stock closed open"]
    );
}
