//! Changes of state as people log them, and names as they are really exported.

use tempfile::TempDir;

use super::fixture::{Log, Point, append, logs, metrics, now, open, rows};
use crate::ingest::{Batch, NumberPointRow, NumberValue, Rows, SeriesRow};
use crate::store::Store;

const SECOND: u64 = 1_000_000_000;

/// A store in a directory of its own that holds this.
fn store_with(batch: Batch) -> (TempDir, Store) {
    let dir = tempfile::tempdir().expect("a directory");
    let store = open(dir.path());
    append(&store, batch);
    (dir, store)
}

/// Origin, breaker and states of every change that these bodies tell, with these attributes.
fn told(bodies: &[&str], attributes: &str) -> Vec<String> {
    let time = now() - 100 * SECOND;
    let records: Vec<Log<'_>> = (0..)
        .zip(bodies.iter().copied())
        .map(|(number, body)| Log {
            time: time + number * 2 * SECOND,
            body: Some(body),
            attributes,
            ..Log::default()
        })
        .collect();
    let (_dir, store) = store_with(logs("cart", "pod-1", &records));
    rows(
        &store,
        "SELECT name, from_state, to_state FROM breaker_transitions WHERE evidence = 'log' ORDER BY time",
    )
}

#[test]
fn a_change_of_state_is_understood_in_the_words_of_whoever_logs_it() {
    let bodies = [
        // As Dapr logs it.
        r#"Circuit breaker "pay1" changed state from closed to open"#,
        "Circuit breaker 'pay2' state changed: closed -> open",
        "Circuit Breaker pay3: closed -> open",
        "circuit breaker [pay4] changed from [closed] to [open]",
        "Circuit breaker pay5 transitioned from CLOSED to OPEN",
        "breaker pay6: closed → open",
        "circuit pay7: closed -> open",
        "Circuit breaker pay8 state change from Closed to Open.",
        "CircuitBreaker 'pay9' changed state from CLOSED to OPEN",
    ];
    let expected: Vec<String> = (1..=bodies.len())
        .map(|number| format!("pay{number} closed open"))
        .collect();
    assert_eq!(told(&bodies, "{}"), expected);
    let others = [
        "breaker box: lid -> closet",
        "circuit board moved from shelf to bin",
        "circuit breaker pay changed from blue to green",
    ];
    assert!(told(&others, "{}").is_empty());
}

#[test]
fn a_line_about_the_state_is_of_no_breaker_named_state() {
    let named = [
        "breaker state: pay closed -> half-open",
        "Circuit breaker stock state: closed -> open",
    ];
    assert_eq!(
        told(&named, "{}"),
        ["pay closed half_open", "stock closed open"]
    );
    let unnamed = [
        "breaker state: closed -> open",
        "circuit breaker state: closed -> open",
        "circuit breaker state changed from closed to open",
    ];
    assert!(told(&unnamed, "{}").is_empty());
    let found = told(&unnamed, r#"{"breaker":"pay"}"#);
    assert_eq!(found, ["pay closed open"; 3]);
    // Whose name has blanks.
    assert!(told(&["breaker state: my pay closed -> open"], "{}").is_empty());
}

#[test]
fn what_callbacks_log_is_of_the_breaker_that_an_attribute_names() {
    let bodies = [
        "circuit breaker opened",
        "Circuit breaker half-open",
        "circuit breaker closed",
        "Circuit breaker opened",
        r#"{"level":40,"msg":"circuit breaker half-opened"}"#,
        // A refused call.
        "circuit breaker half-open: too many probes",
    ];
    for attributes in [r#"{"breaker":"pay"}"#, r#"{"circuit_breaker.name":"pay"}"#] {
        assert_eq!(
            told(&bodies, attributes),
            [
                "pay - open",
                "pay open half_open",
                "pay half_open closed",
                "pay closed open",
                "pay open half_open",
            ],
            "{attributes}"
        );
    }
    assert!(told(&bodies, "{}").is_empty());
    // Linkerd's closes when it begins to refuse.
    let linkerd = ["Unified circuit breaker closed"];
    let found = told(&linkerd, r#"{"breaker":"pay"}"#);
    assert_eq!(found, ["failure-accrual - open"]);
}

#[test]
fn a_change_of_state_is_understood_by_its_attributes() {
    let bodies = [
        "circuit breaker state changed",
        "Circuit breaker changed state",
        "circuit breaker transition",
        "circuit breaker state transition",
    ];
    for attributes in [
        r#"{"from":"closed","name":"pay","to":"open"}"#,
        r#"{"breaker":"pay","from_state":"CLOSED","to_state":"OPEN"}"#,
        r#"{"circuit_breaker":"pay","new_state":"open","old_state":"closed"}"#,
    ] {
        let found = told(&bodies, attributes);
        assert_eq!(found, ["pay closed open"; 4], "{attributes}");
    }
    assert!(told(&bodies, r#"{"from":"here","name":"pay","to":"there"}"#).is_empty());
}

#[test]
fn a_change_of_state_is_understood_by_the_members_of_its_body() {
    let bodies = [
        r#"{"msg":"circuit breaker state change","name":"pay","from":"closed","to":"open"}"#,
        r#"{"level": "warn", "msg": "circuit breaker state changed", "name": "pay", "from": "closed", "to": "open"}"#,
        r#"level=warn msg="circuit breaker state change" name=pay from=closed to=open"#,
        // As `tracing-subscriber` writes fields, Zap in development, and Go's `log/slog` by default.
        r#"{"level":"WARN","fields":{"message":"circuit breaker state change","name":"pay","from":"closed","to":"open"},"span":{"name":"checkout"}}"#,
        "WARN\tcircuit breaker state change\t{\"name\": \"pay\", \"from\": \"closed\", \"to\": \"open\"}",
        r#"2026/11/22 10:00:00 WARN circuit breaker transition name="pay" from=closed to=open"#,
        // Polly's, as Serilog writes it.
        r#"{"@mt":"Resilience event occurred. EventName: '{EventName}'","EventName":"OnCircuitOpened","PipelineName":"pay"}"#,
    ];
    let mut expected = vec!["pay closed open"; 6];
    expected.push("pay - open");
    assert_eq!(told(&bodies, "{}"), expected);
    // What attributes say comes first.
    let found = told(&bodies[..1], r#"{"name":"stock"}"#);
    assert_eq!(found, ["stock closed open"]);
    let others = [
        // The name of the span, none of the breaker.
        r#"{"fields":{"message":"circuit breaker state change","from":"closed","to":"open"},"span":{"name":"checkout"}}"#,
        r#"{"msg":"circuit breaker state change","name":"pay","from":"here","to":"there"}"#,
        r#"msg="circuit breaker state change" filename{name=pay} ?from=closed &to=open"#,
    ];
    assert!(told(&others, "{}").is_empty());
    let long = format!("{} {}", bodies[2], "x".repeat(10_000));
    assert!(told(&[long.as_str()], "{}").is_empty());
}

#[test]
fn what_a_report_leaves_unsaid_of_the_state_before_is_what_was_told_before_it() {
    let polly = ["Opened", "HalfOpened", "Opened", "HalfOpened", "Closed"].map(|event| {
        format!("Resilience event occurred. EventName: 'OnCircuit{event}', Source: 'p/eu/breaker', Operation Key: '', Result: '503'")
    });
    let envoy = ["EJECT", "UNEJECT", "EJECT"].map(|action| {
        format!(
            r#"{{"type":"CONSECUTIVE_5XX","cluster_name":"e","upstream_url":"10.0.0.7:80","action":"{action}","num_ejections":1,"enforced":true}}"#
        )
    });
    let linkerd = ["closed", "reopened"].map(|word| {
        format!(
            "service{{ns=shop name=l port=80}}:endpoint{{addr=10.0.0.9:80}}: breaker: Consecutive failure-accrual breaker {word}"
        )
    });
    // Nobody half-opens but from open, and no host is ejected but from closed, even if nothing was told before.
    let late = "Resilience event occurred. EventName: 'OnCircuitHalfOpened', Source: 'q/eu/breaker', Operation Key: '', Result: '503'";
    let bodies: Vec<&str> = polly
        .iter()
        .chain(&envoy)
        .chain(&linkerd)
        .map(String::as_str)
        .chain([late])
        .collect();
    assert_eq!(
        told(&bodies, "{}"),
        [
            "p - open",
            "p open half_open",
            "p half_open open",
            "p open half_open",
            "p half_open closed",
            "e closed open",
            "e open closed",
            "e closed open",
            "l - open",
            "l open closed",
            "q open half_open",
        ]
    );
}

#[test]
fn pollys_pipeline_of_an_authority_is_the_same_in_text_and_in_attributes() {
    let told = |event: &str, source: &str| {
        format!(
            "Resilience event occurred. EventName: '{event}', Source: '{source}', Operation Key: '', Result: '503'"
        )
    };
    let opened = told("OnCircuitOpened", "client/https://payment:8443/breaker");
    let closed = told("OnCircuitClosed", "client/https://payment:8443/breaker");
    let unnamed = told("OnCircuitOpened", "client/(null)/breaker");
    let attributes = r#"{"EventName":"OnCircuitClosed","PipelineInstance":"https://payment:8443","PipelineName":"client"}"#;
    let time = now() - 100 * SECOND;
    let records: Vec<Log<'_>> = (0..)
        .zip([
            (opened.as_str(), "{}"),
            (closed.as_str(), attributes),
            (unnamed.as_str(), "{}"),
        ])
        .map(|(number, (body, attributes))| Log {
            time: time + number * 2 * SECOND,
            body: Some(body),
            attributes,
            ..Log::default()
        })
        .collect();
    let (_dir, store) = store_with(logs("cart", "pod-1", &records));
    assert_eq!(
        rows(
            &store,
            "SELECT name, key, to_state FROM breaker_transitions ORDER BY time"
        ),
        [
            "client https://payment:8443 open",
            "client https://payment:8443 closed",
            "client - open",
        ]
    );
}

#[test]
fn towers_own_line_is_of_the_breaker_that_a_field_names() {
    let body = ["Circuit state transition"];
    for name in ["breaker", "circuitbreaker", "circuit_breaker.name", "name"] {
        let attributes = format!(r#"{{"{name}":"pay","from":"Closed","to":"Open"}}"#);
        assert_eq!(told(&body, &attributes), ["pay closed open"], "{name}");
    }
    assert!(told(&body, r#"{"from":"Closed","to":"Open"}"#).is_empty());
}

#[test]
fn outliers_of_an_older_envoy_are_told_in_its_words() {
    let line = |action: &str, enforced: &str| {
        format!(
            r#"{{"time":"2026-11-23T07:00:00.000Z","secs_since_last_action":"-1","cluster":"payment","upstream_url":"10.0.0.7:8080","action":"{action}","type":"5xx","num_ejections":"1","enforced":"{enforced}"}}"#
        )
    };
    let time = now() - 100 * SECOND;
    let lines = [
        line("eject", "true"),
        line("uneject", "true"),
        line("eject", "false"),
    ];
    let records: Vec<Log<'_>> = (0..)
        .zip(&lines)
        .map(|(number, line)| Log {
            time: time + number * 2 * SECOND,
            body: Some(line.as_str()),
            ..Log::default()
        })
        .collect();
    let (_dir, store) = store_with(logs("cart", "pod-1", &records));
    assert_eq!(
        rows(
            &store,
            "SELECT name, key, pattern, to_state, reason FROM breaker_transitions ORDER BY time"
        ),
        [
            "payment 10.0.0.7:8080 ejection open outlier(consecutive_5xx)",
            "payment 10.0.0.7:8080 ejection closed outlier(consecutive_5xx)",
        ]
    );
}

#[test]
fn flags_of_an_access_log_may_be_attributes_and_come_after_others() {
    let cluster = "outbound|8080||payment.shop.svc.cluster.local";
    let text = |flags: &str| {
        format!(
            r#"[t] "GET /pay HTTP/1.1" 503 {flags} - - "-" 0 81 0 - "-" "-" "id" "payment:8080" "-" {cluster} - 10.0.0.1:80 10.0.0.2:1 - default"#
        )
    };
    let json =
        |flags: &str| format!(r#"{{"response_flags":"{flags}","upstream_cluster":"{cluster}"}}"#);
    let ejected = r#"{"action":"EJECT","cluster_name":"payment","enforced":true,"type":"CONSECUTIVE_5XX","upstream_url":"10.0.0.9:8080"}"#;
    let seen = |body: &str, attributes: &str| {
        let record = Log {
            time: now() - 100 * SECOND,
            body: Some(body),
            attributes,
            ..Log::default()
        };
        let (_dir, store) = store_with(logs("cart", "pod-1", &[record]));
        rows(
            &store,
            "SELECT name, pattern, state FROM breaker_samples
             UNION ALL SELECT name, pattern, to_state FROM breaker_transitions",
        )
    };
    let refused = ["payment concurrency_cap saturated"];
    for flags in ["UO", "UO,URX", "UF,UO", "UF,UO,URX"] {
        assert_eq!(seen(&json(flags), "{}"), refused, "JSON {flags}");
        assert_eq!(seen("", &json(flags)), refused, "attributes {flags}");
        assert_eq!(seen("access", &json(flags)), refused, "both {flags}");
        assert_eq!(seen(&text(flags), "{}"), refused, "text {flags}");
    }
    assert_eq!(seen("", ejected), ["payment ejection open"]);
    for flags in ["UF", "UF,URX", "-"] {
        assert!(seen("", &json(flags)).is_empty(), "{flags}");
        assert!(seen(&text(flags), "{}").is_empty(), "{flags}");
    }
}

#[test]
fn daprs_resources_have_the_tag_that_is_exported() {
    let time = now() - 10 * SECOND;
    let points: Vec<Point<'static>> = ["closed", "half-open", "open", "unknown"]
        .into_iter()
        .map(|status| {
            let attributes = format!(
                r#"{{"app_id":"cart","flow_direction":"outbound","name":"main","namespace":"shop","policy":"circuitbreaker","status":"{status}","target":"app_payment"}}"#
            );
            let holds = f64::from(u8::from(status == "open"));
            ("dapr_resiliency_cb_state", "gauge", attributes, time, holds)
        })
        .collect();
    let (_dir, store) = store_with(metrics("cart", "pod-1", &points));
    assert_eq!(
        rows(
            &store,
            "SELECT origin, name, key, state, peer_service FROM breaker_samples"
        ),
        ["dapr main app_payment open payment"]
    );
}

#[test]
fn the_name_of_an_event_may_be_an_attribute_and_our_own_may_have_the_proposed_spelling() {
    let time = now() - 100 * SECOND;
    let records = [
        Log {
            time,
            attributes: r#"{"circuitbreaker.key":"eu","circuitbreaker.minimum_calls":20,"circuitbreaker.name":"pay"}"#,
            event: "circuitbreaker.configured",
            ..Log::default()
        },
        Log {
            time: time + SECOND,
            attributes: r#"{"circuit_breaker.from_state":"closed","circuit_breaker.key":"eu","circuit_breaker.name":"pay","circuit_breaker.reason":"failure_rate","circuit_breaker.to_state":"open","event.name":"circuit_breaker.state_changed"}"#,
            ..Log::default()
        },
    ];
    let (_dir, store) = store_with(logs("cart", "pod-1", &records));
    assert_eq!(
        rows(&store, "SELECT name, key, config FROM breaker_config"),
        [r#"pay eu {"minimum_calls":20}"#]
    );
    assert_eq!(
        rows(
            &store,
            "SELECT name, key, from_state, to_state, reason, evidence FROM breaker_transitions"
        ),
        ["pay eu closed open failure_rate event"]
    );
}

#[test]
fn whom_a_statistic_is_of_may_be_in_its_name() {
    let time = now() - 10 * SECOND;
    let point = |name, value| (name, "gauge", "{}".to_owned(), time, value);
    let counter = |name, value| (name, "sum", "{}".to_owned(), time, value);
    let points: [Point<'_>; 6] = [
        point(
            "cluster.payment-service.circuit_breakers.default.rq_open",
            1.0,
        ),
        point(
            "envoy.cluster.stock.outlier_detection.ejections_active",
            1.0,
        ),
        counter(
            "cluster.outbound|80||quote.shop.svc.cluster.local.upstream_cx_overflow",
            4.0,
        ),
        counter("clnt/price/failure_accrual/removals", 2.0),
        // Of no cluster that anybody names.
        counter("cluster.upstream_cx_overflow", 4.0),
        counter("finagle/clnt/retries/requeues", 4.0),
    ];
    let (_dir, store) = store_with(metrics("cart", "pod-1", &points));
    assert_eq!(
        rows(
            &store,
            "SELECT name, key, pattern, state, rejected, entered.open FROM breaker_samples ORDER BY ALL"
        ),
        [
            "finagle_clnt - retry_budget - - -",
            "payment-service rq concurrency_cap saturated - -",
            "price - ejection - - 2",
            "quote cx concurrency_cap - 4 -",
            "stock - ejection open - -",
        ]
    );
}

#[test]
fn a_boolean_that_is_named_open_is_a_state_and_a_counter_of_that_name_is_none() {
    let start = now() - 60 * SECOND;
    let mut points: Vec<Point<'static>> = Vec::new();
    for (at, holds) in [(0, 0.0), (1, 1.0), (2, 1.0), (3, 0.0)] {
        let time = start + at * 10 * SECOND;
        let named = r#"{"name":"pay"}"#.to_owned();
        points.push(("payment_circuit_breaker_open", "gauge", named, time, holds));
        points.push((
            "stock.circuitbreaker.is_open",
            "gauge",
            "{}".to_owned(),
            time,
            holds,
        ));
    }
    let mut batch = metrics("cart", "pod-1", &points);
    // As a decoder says of a counter.
    if let Rows::Metrics(columns) = &mut batch.rows {
        columns.series.push(SeriesRow {
            name: "price_circuit_breaker_open_total".to_owned(),
            kind: "sum",
            temporality: Some("cumulative".to_owned()),
            is_monotonic: Some(true),
            attributes: "{}".to_owned(),
            ..SeriesRow::default()
        });
        columns.push_number(&NumberPointRow {
            series: u32::try_from(columns.series.len() - 1).expect("few"),
            time_unix_nano: start,
            start_unix_nano: 0,
            flags: 0,
            value: Some(NumberValue::Double(4.0)),
        });
    }
    let (_dir, store) = store_with(batch);
    assert_eq!(
        rows(
            &store,
            "SELECT origin, name, string_agg(state, ' ' ORDER BY time) FROM breaker_samples GROUP BY ALL ORDER BY ALL"
        ),
        [
            "generic pay closed open open closed",
            "generic stock closed open open closed",
        ]
    );
    assert_eq!(
        rows(
            &store,
            "SELECT name, from_state, to_state, evidence FROM breaker_transitions ORDER BY name, time"
        ),
        [
            "pay closed open gauge",
            "pay open closed gauge",
            "stock closed open gauge",
            "stock open closed gauge",
        ]
    );
}

#[test]
fn sentinels_blocked_calls_are_known_by_their_labels_whatever_the_application_is_called() {
    let start = now() - 60 * SECOND;
    let mut points: Vec<Point<'static>> = Vec::new();
    for (second, blocked, passed) in [(0, 0.0, 9.0), (1, 7.0, 2.0), (2, 0.0, 9.0), (3, 0.0, 9.0)] {
        for (kind, calls) in [("blockQps", blocked), ("passQps", passed), ("rt", 12.0)] {
            let attributes =
                format!(r#"{{"classification":"0","resource":"GET:/pay","type":"{kind}"}}"#);
            let time = start + second * SECOND;
            points.push(("shop_app", "gauge", attributes, time, calls));
        }
    }
    // The same words elsewhere.
    let other = r#"{"resource":"GET:/pay","type":"blockQps"}"#.to_owned();
    points.push(("other_app", "gauge", other, start, 3.0));
    let (_dir, store) = store_with(metrics("cart", "pod-1", &points));
    assert_eq!(
        rows(
            &store,
            "SELECT origin, name, ok, rejected, is_delta FROM breaker_samples ORDER BY time"
        ),
        [
            "sentinel GET:/pay 9 0 true",
            "sentinel GET:/pay 2 7 true",
            "sentinel GET:/pay 9 0 true",
            "sentinel GET:/pay 9 0 true",
        ]
    );
    let changes = format!(
        "SELECT from_state, to_state, (time_lo_unix_nano::BIGINT - {start}) // {SECOND}, (time_unix_nano::BIGINT - {start}) // {SECOND}
         FROM breaker_transitions ORDER BY time"
    );
    assert_eq!(
        rows(&store, &changes),
        ["closed open 0 1", "open closed 1 2"]
    );
}
