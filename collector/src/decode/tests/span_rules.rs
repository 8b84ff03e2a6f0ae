//! `CONFORMANCE.md` 1.9.

use super::*;

#[test]
fn p01_invalid_ids_reject_the_span_and_not_the_batch() {
    let good = format!("{{{IDS}}}");
    for (bad, word) in [
        (r#"{"spanId":"eee19b7ec3c1b174"}"#, "trace_id"),
        (
            r#"{"traceId":"5b8e","spanId":"eee19b7ec3c1b174"}"#,
            "trace_id",
        ),
        (
            r#"{"traceId":"00000000000000000000000000000000","spanId":"eee19b7ec3c1b174"}"#,
            "trace_id",
        ),
        (
            r#"{"traceId":"5b8efff798038103d269b633813fc60c"}"#,
            "span_id",
        ),
        (
            r#"{"traceId":"5b8efff798038103d269b633813fc60c","spanId":"0000000000000000"}"#,
            "span_id",
        ),
    ] {
        let got = tables::<Traces>(&format!(
            r#"{{"resourceSpans":[{{"scopeSpans":[{{"spans":[{bad},{good}]}}]}}]}}"#
        ));
        assert_eq!((got.rows(0), got.decoded_rejected), (1, 1), "{bad}");
        assert!(
            got.reason
                .contains(&format!("rejected 1 spans with an invalid {word}")),
            "{}",
            got.reason
        );
    }
}

#[test]
fn p02_an_empty_or_zero_parent_is_a_root() {
    for parent in [
        r#""parentSpanId":"""#,
        r#""parentSpanId":"0000000000000000""#,
        "",
    ] {
        assert_eq!(span(parent).cell("parent_span_id"), "NULL");
    }
    assert_eq!(
        span(r#""parentSpanId":"00F067AA0BA902B7""#).cell("parent_span_id"),
        "00f067aa0ba902b7"
    );
    assert_eq!(span(r#""parentSpanId":"00f0""#).decoded_rejected, 1);
}

#[test]
fn p03_kinds_and_status_are_words_and_unknown_numbers_stay() {
    for (number, word) in [
        (0, "unspecified"),
        (2, "server"),
        (5, "consumer"),
        (9, "9"),
        (-1, "-1"),
    ] {
        assert_eq!(span(&format!(r#""kind":{number}"#)).cell("kind"), word);
    }
    for (number, word) in [(0, "unset"), (1, "ok"), (2, "error"), (7, "7")] {
        let got = span(&format!(r#""status":{{"code":{number},"message":"why"}}"#));
        assert_eq!(
            (got.cell("status_code"), got.cell("status_message")),
            (word.into(), "why".into())
        );
    }
    assert_eq!(span("").cell("status_code"), "unset");
}

#[test]
fn p04_odd_times_are_accepted() {
    let got = span(r#""startTimeUnixNano":"20","endTimeUnixNano":"5""#);
    assert_eq!(got.cell("duration_ns"), "-15");
    let got = span(r#""startTimeUnixNano":"20""#);
    assert_eq!(
        (got.cell("duration_ns"), got.cell("end_exception")),
        ("NULL".into(), "0".into())
    );
    let got = span(r#""endTimeUnixNano":"20""#);
    assert_eq!(
        (
            got.cell("start_time"),
            got.cell("start_exception"),
            got.cell("end_exception")
        ),
        ("NULL".into(), "0".into(), "20".into())
    );
}

#[test]
fn p05_p06_flags_and_trace_state_are_kept_as_sent() {
    let got = span(r#""flags":4294967295,"traceState":" rojo=1 , a=b""#);
    assert_eq!(got.cell("flags"), "4294967295");
    assert_eq!(got.cell("trace_state"), " rojo=1 , a=b");
}

#[test]
fn p07_events_keep_their_order_and_counts() {
    let got = span(
        r#""events":[{"timeUnixNano":"18446744073709551615","name":"b","droppedAttributesCount":3,
            "attributes":[{"key":"k","value":{"intValue":"1"}}]},{"name":"a"}]"#,
    );
    assert_eq!(
        got.cell("events"),
        concat!(
            r#"[{"time_unix_nano":18446744073709551615,"name":"b","attributes":{"k":1},"dropped_attributes_count":3},"#,
            r#"{"time_unix_nano":0,"name":"a","attributes":{},"dropped_attributes_count":0}]"#
        )
    );
    assert_eq!(span("").cell("events"), "NULL");
}

#[test]
fn p08_links_keep_even_invalid_ids() {
    let got = span(
        r#""links":[{"traceId":"5B8E","spanId":"","traceState":"s","flags":257,"droppedAttributesCount":1}]"#,
    );
    assert_eq!(
        got.cell("links"),
        r#"[{"trace_id":"5b8e","span_id":"","trace_state":"s","attributes":{},"dropped_attributes_count":1,"flags":257}]"#
    );
}

#[test]
fn p09_dropped_counts_are_kept() {
    let got =
        span(r#""droppedAttributesCount":1,"droppedEventsCount":2,"droppedLinksCount":4294967295"#);
    assert_eq!(got.cell("dropped_attributes_count"), "1");
    assert_eq!(got.cell("dropped_events_count"), "2");
    assert_eq!(got.cell("dropped_links_count"), "4294967295");
}

#[test]
fn p10_a_span_id_twice_is_two_rows() {
    let one = format!("{{{IDS}}}");
    let got = tables::<Traces>(&format!(
        r#"{{"resourceSpans":[{{"scopeSpans":[{{"spans":[{one},{one}]}}]}}]}}"#
    ));
    assert_eq!((got.rows(0), got.decoded_rejected), (2, 0));
}

#[test]
fn a_span_names_its_peer_its_proxy_and_its_weight() {
    let got = span(
        r#""attributes":[{"key":"db.system.name","value":{"stringValue":"postgresql"}},
            {"key":"db.namespace","value":{"stringValue":"shop"}},
            {"key":"SampleRate","value":{"intValue":"4"}}]"#,
    );
    assert_eq!(
        (
            got.cell("peer"),
            got.cell("peer_kind"),
            got.cell("weight"),
            got.cell("sidecar")
        ),
        (
            "postgresql:shop".into(),
            "database".into(),
            "4.0".into(),
            "false".into()
        )
    );
    let envoy = tables::<Traces>(&format!(
        r#"{{"resourceSpans":[{{"resource":{{"attributes":[{{"key":"telemetry.sdk.name","value":{{"stringValue":"envoy"}}}}]}},
            "scopeSpans":[{{"spans":[{{{IDS}}}]}}]}}]}}"#
    ));
    assert_eq!(envoy.cell("sidecar"), "true");
}
