//! `CONFORMANCE.md` 1.8, 1.13.

use super::*;

#[test]
fn c01_all_eight_kinds_stay_apart() {
    let got = span(
        r#""attributes":[
            {"key":"s","value":{"stringValue":"1"}},{"key":"i","value":{"intValue":"1"}},
            {"key":"d","value":{"doubleValue":1.0}},{"key":"b","value":{"boolValue":true}},
            {"key":"y","value":{"bytesValue":"AQ=="}},{"key":"e","value":{}},{"key":"m"},
            {"key":"z","value":{"doubleValue":-0.0}},{"key":"x","value":{"intValue":"9223372036854775807"}},
            {"key":"","value":{"stringValue":""}},
            {"key":"a","value":{"arrayValue":{"values":[{"stringValue":"x"},{"doubleValue":"-Infinity"}]}}},
            {"key":"k","value":{"kvlistValue":{"values":[{"key":"$bytes","value":{"stringValue":"00"}}]}}}]"#,
    );
    assert_eq!(
        got.cell("attributes"),
        concat!(
            r#"{"s":"1","i":1,"d":1.0,"b":true,"y":{"$bytes":"01"},"e":null,"m":null,"z":-0.0,"#,
            r#""x":9223372036854775807,"":"","a":["x",{"$double":"-Infinity"}],"k":{"$kvlist":{"$bytes":"00"}}}"#
        )
    );
}

#[test]
fn c02_of_duplicate_keys_the_first_stays_and_the_rest_is_counted() {
    let json = format!(
        r#"{{"resourceSpans":[{{"scopeSpans":[{{"spans":[{{{IDS},"attributes":[
        {{"key":"k","value":{{"intValue":1}}}},{{"key":"k","value":{{"intValue":2}}}}]}}]}}]}}]}}"#
    );
    let decoded = Traces::from_json(json.as_bytes(), ARRIVAL).expect("valid");
    assert_eq!(
        decoded
            .dropped
            .count(crate::decode::DropReason::DuplicateKey),
        1
    );
    let got = Tables::of(decoded);
    assert_eq!(
        (got.cell("attributes"), got.reason),
        (r#"{"k":1}"#.into(), String::new())
    );
}

#[test]
fn c03_string_indexes_are_absent_and_said() {
    let got = span(
        r#""attributes":[{"keyStrindex":3,"value":{"intValue":1}},{"key":"v","value":{"stringValueStrindex":4}}]"#,
    );
    assert_eq!(got.cell("attributes"), r#"{"v":null}"#);
    assert_eq!(got.decoded_rejected, 0);
    assert!(
        got.reason.contains("string_value_strindex"),
        "{}",
        got.reason
    );
}

#[test]
fn c04_c10_a_missing_resource_is_unknown_service() {
    let got = span("");
    assert_eq!(
        got.resources[0].service_name.as_deref(),
        Some("unknown_service")
    );
    assert_eq!(got.resources[0].attributes, "{}");
    let got = tables::<Traces>(&format!(
        r#"{{"resourceSpans":[{{"resource":{{"droppedAttributesCount":7,"attributes":[
            {{"key":"service.name","value":{{"stringValue":""}}}},
            {{"key":"deployment.environment","value":{{"stringValue":"old"}}}},
            {{"key":"deployment.environment.name","value":{{"stringValue":"new"}}}},
            {{"key":"k8s.cluster.name","value":{{"stringValue":"c"}}}},
            {{"key":"service.instance.id","value":{{"intValue":5}}}}]}},"scopeSpans":[{{"spans":[{{{IDS}}}]}}]}}]}}"#
    ));
    let resource = &got.resources[0];
    assert_eq!(resource.service_name.as_deref(), Some("unknown_service"));
    assert_eq!(resource.environment.as_deref(), Some("new"));
    assert_eq!(resource.cluster.as_deref(), Some("c"));
    assert_eq!(resource.service_instance_id.as_deref(), Some("5"));
    assert_eq!(resource.dropped_attributes_count, 7);
}

#[test]
fn c05_c06_scopes_differing_in_any_field_stay_apart() {
    let scope = |fields: &str, url: &str| {
        format!(r#"{{"scope":{{"name":"s"{fields}}},"schemaUrl":"{url}","spans":[{{{IDS}}}]}}"#)
    };
    let scopes = [
        scope("", ""),
        scope(r#","version":"2""#, ""),
        scope(r#","attributes":[{"key":"k","value":{"intValue":1}}]"#, ""),
        scope(r#","droppedAttributesCount":1"#, ""),
        scope("", "https://example.org/1"),
    ];
    let got = tables::<Traces>(&format!(
        r#"{{"resourceSpans":[{{"schemaUrl":"https://example.org/r","scopeSpans":[{}]}}]}}"#,
        scopes.join(",")
    ));
    let ids: std::collections::HashSet<u64> = got
        .scopes
        .iter()
        .map(tripline_storage::ingest::ScopeRow::id)
        .collect();
    assert_eq!(ids.len(), 5);
    assert_eq!(
        got.scopes[4].schema_url.as_deref(),
        Some("https://example.org/1")
    );
    assert_eq!(
        got.resources[0].schema_url.as_deref(),
        Some("https://example.org/r")
    );
    assert_eq!(got.cell_of(0, "scope_ix", 4), "4");
}

#[test]
fn c07_entity_refs_are_kept_even_when_their_keys_are_missing() {
    let got = tables::<Logs>(
        r#"{"resourceLogs":[{"resource":{"entityRefs":[{"type":"host","idKeys":["host.id"]}]},
            "scopeLogs":[{"logRecords":[{}]}]}]}"#,
    );
    assert_eq!(
        got.resources[0].entity_refs.as_deref(),
        Some(r#"[{"schema_url":"","type":"host","id_keys":["host.id"],"description_keys":[]}]"#)
    );
}

#[test]
fn c08_times_beyond_i64_do_not_wrap() {
    let got = span(
        r#""startTimeUnixNano":"9223372036854775808","endTimeUnixNano":"18446744073709551615""#,
    );
    assert_eq!(got.cell("start_time"), "NULL");
    assert_eq!(got.cell("start_exception"), "9223372036854775808");
    assert_eq!(got.cell("end_exception"), "18446744073709551615");
    // The engine's infinity is no time either.
    let got = span(
        r#""startTimeUnixNano":"9223372036854775807","endTimeUnixNano":"9223372036854775807""#,
    );
    assert_eq!(got.cell("start_time"), "NULL");
    assert_eq!(got.cell("start_exception"), "9223372036854775807");
    assert_eq!(got.cell("end_exception"), "9223372036854775807");
}

/// A request as an exporter of proto 0.19 sent it: `instrumentation_library_spans` beside `scope_spans`, and an
/// unknown field on the span.
#[test]
fn c09_v01_v02_an_older_request_is_read_and_its_unknown_fields_ignored() {
    fn field(number: u32, bytes: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        prost::encoding::encode_key(number, prost::encoding::WireType::LengthDelimited, &mut out);
        prost::encoding::encode_varint(bytes.len() as u64, &mut out);
        out.extend_from_slice(bytes);
        out
    }
    let span = [
        field(1, &[7; 16]),
        field(2, &[8; 8]),
        field(5, b"old"),
        field(1000, b"?"),
    ]
    .concat();
    let library = field(1000, &field(2, &span));
    let scope = field(2, &field(2, &span));
    let request = field(1, &[library, scope].concat());
    let got = Tables::of(Traces::from_protobuf(&request, ARRIVAL).expect("readable"));
    assert_eq!((got.rows(0), got.cell("name")), (1, "old".into()));
}

#[test]
fn v01_the_examples_of_the_protocol_repository_are_read_whole() {
    let got = tables::<Traces>(include_str!("fixtures/trace.json"));
    assert_eq!(
        (got.rows(0), got.cell("name")),
        (1, "I'm a server span".into())
    );
    let got = tables::<Logs>(include_str!("fixtures/logs.json"));
    assert_eq!(
        (got.rows(0), got.cell("body")),
        (1, "Example log record".into())
    );
    let got = tables::<Logs>(include_str!("fixtures/events.json"));
    assert_eq!((got.rows(0), got.reason.as_str()), (1, ""));
    let got = tables::<Metrics>(include_str!("fixtures/metrics.json"));
    assert_eq!(
        (got.rows(0), got.rows(1), got.decoded_rejected),
        (2, 2, 0),
        "{}",
        got.reason
    );
}

#[test]
fn r02_empty_requests_and_envelopes_are_successes() {
    for body in [
        "{}",
        r#"{"resourceSpans":[]}"#,
        r#"{"resourceSpans":[{}]}"#,
        r#"{"resourceSpans":[{"scopeSpans":[{}]}]}"#,
    ] {
        let got = tables::<Traces>(body);
        assert_eq!(
            (got.rows(0), got.decoded_rejected, got.reason.as_str()),
            (0, 0, ""),
            "{body}"
        );
    }
    assert_eq!(
        Traces::from_protobuf(&[], 0)
            .expect("an empty request")
            .batch
            .items(),
        0
    );
}
