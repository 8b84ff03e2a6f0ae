//! `CONFORMANCE.md` 1.3: every trap of OTLP/JSON.

use super::*;
use crate::decode::Malformed;

fn refused<S: Signal>(json: &str) -> Malformed {
    match S::from_json(json.as_bytes(), ARRIVAL) {
        Ok(_) => panic!("accepted: {json}"),
        Err(malformed) => malformed,
    }
}

/// The refusal of a request of one span.
fn refused_span(fields: &str) -> Malformed {
    refused::<Traces>(&format!(
        r#"{{"resourceSpans":[{{"scopeSpans":[{{"spans":[{{{IDS}}},{{{fields}}}]}}]}}]}}"#
    ))
}

#[test]
fn n01_ids_are_hex_of_any_case_and_never_base64() {
    let got = tables::<Traces>(
        r#"{"resourceSpans":[{"scopeSpans":[{"spans":[{"traceId":"5B8EFFF798038103D269B633813FC60C","spanId":"EEE19b7ec3c1b174"}]}]}]}"#,
    );
    assert_eq!(got.cell("trace_id"), "5b8efff798038103d269b633813fc60c");
    for id in [
        "W47/95gDgQPSabYzgT/GDA==",
        "0x5b8efff798038103d269b633813fc6",
        "5b8",
    ] {
        let malformed = refused_span(&format!(r#""traceId":"{id}""#));
        assert_eq!(
            malformed.field,
            "resourceSpans[0].scopeSpans[0].spans[1].traceId"
        );
        assert!(
            malformed.description.contains("is not hexadecimal"),
            "{malformed}"
        );
    }
}

#[test]
fn n02_enum_names_are_understood_or_refused_never_zero() {
    assert_eq!(span(r#""kind":"SPAN_KIND_SERVER""#).cell("kind"), "server");
    assert_eq!(span(r#""kind":"3""#).cell("kind"), "client");
    assert!(
        refused_span(r#""kind":"server""#)
            .description
            .contains("is not a number of this enum")
    );
    let got = metric(
        r#""sum":{"aggregationTemporality":"AGGREGATION_TEMPORALITY_DELTA","dataPoints":[{"timeUnixNano":1,"asInt":1}]}"#,
    );
    assert_eq!(got.series[0].temporality.as_deref(), Some("delta"));
}

#[test]
fn n03_n04_unknown_keys_are_ignored_whatever_their_value() {
    for value in [
        "1",
        "-1.5e-3",
        "null",
        "true",
        r#""\u00e9""#,
        "[]",
        "{}",
        r#"[{"a":[1,{"b":null}]},"x"]"#,
    ] {
        let got = span(&format!(
            r#""trace_id":{value},"new":{value},"status":{{"new":{value},"code":2}}"#
        ));
        assert_eq!(
            (got.cell("status_code"), got.rows(0)),
            ("error".into(), 1),
            "{value}"
        );
    }
}

#[test]
fn n05_n11_integers_are_numbers_or_strings_of_any_form() {
    for value in ["7", r#""7""#, "7.0", "7e0", r#""0.7e1""#, "700E-2"] {
        let got = span(&format!(
            r#""startTimeUnixNano":{value},"flags":{value},"droppedAttributesCount":{value},"kind":{value},
                "attributes":[{{"key":"i","value":{{"intValue":{value}}}}}]"#
        ));
        assert_eq!(
            (got.cell("flags"), got.cell("kind")),
            ("7".into(), "7".into()),
            "{value}"
        );
        assert_eq!(got.cell("attributes"), r#"{"i":7}"#, "{value}");
    }
    let got = span(r#""startTimeUnixNano":1.5e18"#);
    assert!(
        got.cell("start_time").starts_with("2017-07-14T02:40:00"),
        "{}",
        got.cell("start_time")
    );
    for value in [
        "7.5",
        r#""""#,
        r#"" 7""#,
        "-1",
        "18446744073709551616",
        "true",
        "[]",
        r#""0x7""#,
    ] {
        assert_eq!(
            refused_span(&format!(r#""startTimeUnixNano":{value}"#)).field,
            "resourceSpans[0].scopeSpans[0].spans[1].startTimeUnixNano",
            "{value}"
        );
    }
    refused_span(r#""flags":4294967296"#);
}

#[test]
fn n06_doubles_are_numbers_strings_or_words() {
    for (value, text) in [
        ("1", "1.0"),
        (r#""1.5""#, "1.5"),
        ("1e300", "1e300"),
        (r#""NaN""#, r#"{"$double":"NaN"}"#),
        (r#""Infinity""#, r#"{"$double":"Infinity"}"#),
        (r#""-Infinity""#, r#"{"$double":"-Infinity"}"#),
    ] {
        let got = span(&format!(
            r#""attributes":[{{"key":"d","value":{{"doubleValue":{value}}}}}]"#
        ));
        assert_eq!(got.cell("attributes"), format!(r#"{{"d":{text}}}"#));
    }
    for value in ["1e999", r#""nan""#, r#""""#, "true"] {
        refused_span(&format!(
            r#""attributes":[{{"key":"d","value":{{"doubleValue":{value}}}}}]"#
        ));
    }
}

/// The shapes of which the crate's serde support loses the whole metric without a word.
#[test]
fn n05_n06_a_metric_is_read_or_refused_but_never_lost() {
    for point in [
        r#""histogram":{"aggregationTemporality":"2","dataPoints":[{"timeUnixNano":1,"sum":"NaN","flags":"2"}]}"#,
        r#""histogram":{"dataPoints":[{"timeUnixNano":1,"count":"1","bucketCounts":["1","0"],"explicitBounds":["1.5"]}]}"#,
        r#""summary":{"dataPoints":[{"timeUnixNano":1,"sum":"NaN"}]}"#,
        r#""sum":{"isMonotonic":null,"dataPoints":[{"timeUnixNano":1,"asDouble":"5.5"}]}"#,
        r#""gauge":{"dataPoints":[{"timeUnixNano":1,"asDouble":"NaN","attributes":[{"key":"d","value":{"doubleValue":"NaN"}}]}]}"#,
        r#""exponentialHistogram":{"dataPoints":[{"timeUnixNano":1,"positive":{},"zeroThreshold":null}]}"#,
    ] {
        let got = metric(point);
        assert_eq!(
            (got.rows(0) + got.rows(1), got.decoded_rejected),
            (1, 0),
            "{point} {}",
            got.reason
        );
    }
    for point in [
        r#""histogram":{"dataPoints":[{"timeUnixNano":1,"count":"-1"}]}"#,
        r#""gauge":{"dataPoints":[{"timeUnixNano":1,"asInt":"9223372036854775808"}]}"#,
        r#""sum":{"aggregationTemporality":"DELTA"}"#,
        r#""gauge":{"dataPoints":[{"asInt":1,"asDouble":1.0}]}"#,
        r#""gauge":{},"sum":{}"#,
    ] {
        refused::<Metrics>(&format!(
            r#"{{"resourceMetrics":[{{"scopeMetrics":[{{"metrics":[{{"name":"m",{point}}}]}}]}}]}}"#
        ));
    }
}

#[test]
fn n07_bytes_are_base64_of_either_alphabet() {
    for text in ["+/8=", "-_8=", "-_8"] {
        let got = span(&format!(
            r#""attributes":[{{"key":"b","value":{{"bytesValue":"{text}"}}}}]"#
        ));
        assert_eq!(
            got.cell("attributes"),
            r#"{"b":{"$bytes":"fbff"}}"#,
            "{text}"
        );
    }
    refused_span(r#""attributes":[{"key":"b","value":{"bytesValue":"a"}}]"#);
}

#[test]
fn n08_null_is_unset_everywhere() {
    let got = span(
        r#""traceState":null,"parentSpanId":null,"flags":null,"name":null,"kind":null,"startTimeUnixNano":null,
            "attributes":null,"events":null,"links":null,"status":null,"droppedAttributesCount":null"#,
    );
    assert_eq!(
        (got.cell("name"), got.cell("kind"), got.cell("events")),
        (String::new(), "unspecified".into(), "NULL".into())
    );
    assert_eq!(tables::<Traces>(r#"{"resourceSpans":null}"#).rows(0), 0);
}

#[test]
fn n09_n10_empty_messages_are_values() {
    let got = span(
        r#""status":{},"attributes":[{"key":"a","value":{"arrayValue":{}}},{"key":"k","value":{"kvlistValue":{}}},
            {"value":{"intValue":1}},{"key":"e","value":{}}]"#,
    );
    assert_eq!(got.cell("attributes"), r#"{"a":[],"k":{},"":1,"e":null}"#);
}

#[test]
fn n12_what_is_no_json_is_refused_with_a_short_reason() {
    let long = format!(r#"{{"resourceSpans":"{}"}}"#, "x".repeat(100_000));
    let bad_key = format!(r#"{{"{}":}}"#, "k".repeat(100_000));
    for body in [
        "",
        " ",
        "{",
        "}",
        "[]",
        "null",
        "1",
        "{}{}",
        "{},",
        r#"{"a"}"#,
        r#"{"a":}"#,
        r#"{"a":1,}"#,
        r#"{'a':1}"#,
        r#"{"a":01}"#,
        r#"{"a":1.}"#,
        r#"{"a":+1}"#,
        r#"{"a":nul}"#,
        r#"{"a":"\x"}"#,
        r#"{"a":"\u12"}"#,
        r#"{"a":"\ud800"}"#,
        r#"{"a":"\ud800\u0041"}"#,
        r#"{"a":"\udc00"}"#,
        "{\"a\":\"\n\"}",
        r#"{"a":"b"#,
        r#"{"a":"b\"#,
        r#"{"a":[1,]}"#,
        r#"{"a":[1"#,
        r#"{"resourceSpans":{}}"#,
        r#"{"resourceSpans":[null]}"#,
        &long,
        &bad_key,
    ] {
        let malformed = refused::<Traces>(body);
        assert!(malformed.to_string().len() < 700, "{malformed}");
        assert!(!malformed.description.is_empty());
    }
    let malformed = Traces::from_json(b"{\"a\":\"\xff\"}", 0).expect_err("not UTF-8");
    assert_eq!(malformed.description, "the body is not UTF-8 at byte 6");
}

#[test]
fn n12_a_field_given_twice_is_refused_for_one_would_be_lost() {
    let malformed = refused_span(r#""name":"a","name":"b""#);
    assert!(malformed.description.contains("given twice"), "{malformed}");
    refused_span(r#""attributes":[{"key":"k","value":{"intValue":1,"stringValue":"a"}}]"#);
}

#[test]
fn n12_strings_keep_every_character() {
    let got = span(r#""name":"\"\\\/\b\f\n\r\t\u0000é\u00e9\ud83d\ude00😀""#);
    assert_eq!(got.cell("name"), "\"\\/\u{8}\u{c}\n\r\t\0éé😀😀");
}

/// Both encodings of a message of this nesting, decoded.
fn nested(levels: usize, open: &str, close: &str) -> (bool, bool) {
    let value = format!(r#"{}{{}}{}"#, open.repeat(levels), close.repeat(levels));
    let json = format!(
        r#"{{"resourceSpans":[{{"scopeSpans":[{{"spans":[{{{IDS},"attributes":[{{"key":"k","value":{value}}}]}}]}}]}}]}}"#
    );
    // Built without JSON: the limit must not be in the way of the other side.
    use opentelemetry_proto::tonic::common::v1::{
        AnyValue, ArrayValue, KeyValue, KeyValueList, any_value::Value,
    };
    use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span};
    let mut any = AnyValue::default();
    for _ in 0..levels {
        let value = if open.contains("array") {
            Value::ArrayValue(ArrayValue { values: vec![any] })
        } else {
            Value::KvlistValue(KeyValueList {
                values: vec![KeyValue {
                    value: Some(any),
                    ..Default::default()
                }],
            })
        };
        any = AnyValue { value: Some(value) };
    }
    let attribute = KeyValue {
        key: "k".into(),
        value: Some(any),
        key_strindex: 0,
    };
    let span = Span {
        trace_id: vec![1; 16],
        span_id: vec![1; 8],
        attributes: vec![attribute],
        ..Default::default()
    };
    let scope_spans = vec![ScopeSpans {
        spans: vec![span],
        ..Default::default()
    }];
    type Request = <Traces as Signal>::Request;
    let request = Request {
        resource_spans: vec![ResourceSpans {
            scope_spans,
            ..Default::default()
        }],
    };
    let bytes = prost::Message::encode_to_vec(&request);
    (
        Traces::from_json(json.as_bytes(), 0).is_ok(),
        Traces::from_protobuf(&bytes, 0).is_ok(),
    )
}

#[test]
fn l05_both_encodings_have_the_same_depth_limit() {
    let array = (r#"{"arrayValue":{"values":["#, "]}}");
    let list = (r#"{"kvlistValue":{"values":[{"value":"#, "}]}}");
    for (open, close) in [array, list] {
        let last = (1..100)
            .take_while(|levels| nested(*levels, open, close).0)
            .count();
        assert!((30..60).contains(&last), "{last}");
        for levels in [1, last - 1, last, last + 1, last + 2, 99] {
            let (json, protobuf) = nested(levels, open, close);
            assert_eq!(json, protobuf, "{levels} of {open}");
        }
    }
    let unknown = format!(r#"{{"x":{}{}}}"#, "[".repeat(100_000), "]".repeat(100_000));
    assert!(
        refused::<Traces>(&unknown)
            .description
            .contains("nested in an unknown field")
    );
    let deep = format!(
        r#"{{"resourceSpans":[{{"scopeSpans":[{{"spans":[{{"attributes":[{{"value":{}"#,
        array.0.repeat(100_000)
    );
    assert!(
        refused::<Traces>(&deep)
            .description
            .contains("more than 100 messages")
    );
}

#[test]
fn e09_error_texts_are_short_in_both_encodings() {
    let array = r#"{"arrayValue":{"values":["#;
    let json = format!(
        r#"{{"resourceSpans":[{{"scopeSpans":[{{"spans":[{{"attributes":[{{"value":{}"#,
        array.repeat(200)
    );
    assert!(refused::<Traces>(&json).to_string().len() < 700);
    let malformed = Traces::from_protobuf(&[0x0a, 0xff], 0).expect_err("truncated");
    assert!(!malformed.description.is_empty() && malformed.to_string().len() < 700);
}

#[test]
fn l06_text_that_is_not_utf8_is_malformed_in_protobuf() {
    let span = [0x2a, 2, 0xff, 0xfe];
    let scope = [&[0x12, span.len() as u8][..], &span].concat();
    let resource = [&[0x12, scope.len() as u8][..], &scope].concat();
    let request = [&[0x0a, resource.len() as u8][..], &resource].concat();
    let malformed = Traces::from_protobuf(&request, 0).expect_err("not UTF-8");
    assert!(malformed.description.contains("UTF-8"), "{malformed}");
}
