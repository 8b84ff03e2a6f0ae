//! `CONFORMANCE.md` 1.10.

use super::*;

#[test]
fn g01_the_time_is_the_records_own_else_observed_else_arrival() {
    for (fields, nanos, exception) in [
        (
            r#""timeUnixNano":"5","observedTimeUnixNano":"6""#,
            5,
            "NULL",
        ),
        (r#""observedTimeUnixNano":"6""#, 6, "0"),
        ("", ARRIVAL, "0"),
        (
            r#""timeUnixNano":"9223372036854775808","observedTimeUnixNano":"6""#,
            6,
            "9223372036854775808",
        ),
    ] {
        let got = log(fields);
        let times = &got.tables[0];
        let time = times.column_by_name("time").expect("time");
        let time = time
            .as_any()
            .downcast_ref::<arrow::array::TimestampNanosecondArray>();
        assert_eq!(
            time.expect("nanoseconds").value(0) as u64,
            nanos,
            "{fields}"
        );
        assert_eq!(got.cell("time_exception"), exception, "{fields}");
    }
}

#[test]
fn g02_severity_is_kept_as_sent() {
    let got = log(r#""severityNumber":77,"severityText":"wARN ""#);
    assert_eq!(
        (got.cell("severity_number"), got.cell("severity_text")),
        ("77".into(), "wARN ".into())
    );
}

#[test]
fn g03_a_body_is_any_value_or_absent() {
    for (body, text, kind) in [
        (r#""body":{"stringValue":"a\nb"}"#, "a\nb", "string"),
        (r#""body":{"stringValue":""}"#, "", "string"),
        (r#""body":{}"#, "null", "empty"),
        (r#""body":{"boolValue":false}"#, "false", "bool"),
        (
            r#""body":{"intValue":"-9223372036854775808"}"#,
            "-9223372036854775808",
            "int",
        ),
        (r#""body":{"doubleValue":1}"#, "1.0", "double"),
        (
            r#""body":{"doubleValue":"NaN"}"#,
            r#"{"$double":"NaN"}"#,
            "double",
        ),
        (
            r#""body":{"bytesValue":"AP8="}"#,
            r#"{"$bytes":"00ff"}"#,
            "bytes",
        ),
        (
            r#""body":{"arrayValue":{"values":[{"intValue":1},{},{"arrayValue":{}}]}}"#,
            "[1,null,[]]",
            "array",
        ),
        (
            r#""body":{"kvlistValue":{"values":[{"key":"a","value":{"boolValue":true}}]}}"#,
            r#"{"a":true}"#,
            "kvlist",
        ),
        ("", "NULL", "NULL"),
        (r#""body":null"#, "NULL", "NULL"),
    ] {
        let got = log(body);
        assert_eq!(
            (got.cell("body").as_str(), got.cell("body_type").as_str()),
            (text, kind),
            "{body}"
        );
    }
}

#[test]
fn g04_g06_g07_event_name_flags_and_dropped_count_are_kept() {
    let got = log(r#""eventName":"e","flags":257,"droppedAttributesCount":3"#);
    assert_eq!(
        (
            got.cell("event_name"),
            got.cell("flags"),
            got.cell("dropped_attributes_count")
        ),
        ("e".into(), "257".into(), "3".into())
    );
}

#[test]
fn g05_an_invalid_id_is_no_association_and_is_said() {
    let got = log(r#""traceId":"5b8e","spanId":"0000000000000000""#);
    assert_eq!(
        (got.cell("trace_id"), got.cell("span_id")),
        ("NULL".into(), "NULL".into())
    );
    assert_eq!((got.rows(0), got.decoded_rejected), (1, 0));
    assert!(
        got.reason.starts_with("1 trace_id or span_id values"),
        "{}",
        got.reason
    );
    let got = log(r#""traceId":"","spanId":"EEE19B7EC3C1B174""#);
    assert_eq!(
        (got.cell("span_id"), got.reason),
        ("eee19b7ec3c1b174".into(), String::new())
    );
}
