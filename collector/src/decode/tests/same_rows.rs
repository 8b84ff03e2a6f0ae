//! One message, two encodings: the same rows, the same drops, the same answer.

use proptest::prelude::*;
use prost::Message as _;

use super::*;

fn same_rows<S: Signal>(request: &S::Request) -> Result<(), TestCaseError>
where
    S::Request: Clone + PartialEq,
{
    let bytes = request.encode_to_vec();
    let json = S::encode_json(request);
    // The text is JSON by another parser's measure too.
    let parsed: Result<serde_json::Value, _> = serde_json::from_str(&json);
    prop_assert!(parsed.is_ok(), "{json}");
    let protobuf = Tables::of(S::from_protobuf(&bytes, ARRIVAL).expect("our own encoding"));
    let from_json = S::from_json(json.as_bytes(), ARRIVAL);
    let from_json = from_json.map_err(|error| TestCaseError::fail(format!("{error}: {json}")))?;
    let from_json = Tables::of(from_json);
    prop_assert_eq!(protobuf.fingerprint(), from_json.fingerprint());
    // And the messages themselves: what has no column yet is compared too.
    let again = S::decode_json(json.as_bytes()).expect("decoded above");
    prop_assert_eq!(again.encode_to_vec(), bytes);
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(128) })]

    #[test]
    fn json_and_protobuf_of_traces_give_the_same_rows(request in arbitrary::traces()) {
        same_rows::<Traces>(&request)?;
    }

    #[test]
    fn json_and_protobuf_of_logs_give_the_same_rows(request in arbitrary::logs()) {
        same_rows::<Logs>(&request)?;
    }

    #[test]
    fn json_and_protobuf_of_metrics_give_the_same_rows(request in arbitrary::metrics()) {
        same_rows::<Metrics>(&request)?;
    }

    /// The reader without structs against the one with them, on bodies also damaged at random.
    #[test]
    fn the_wire_reader_gives_the_rows_of_the_structs(
        request in arbitrary::traces(), damage in proptest::collection::vec((any::<u16>(), any::<u8>()), 0..3)
    ) {
        let whole = request.encode_to_vec();
        let mut bodies = vec![whole.clone()];
        let mut damaged = whole;
        for (at, byte) in damage {
            if !damaged.is_empty() {
                let at = usize::from(at) % damaged.len();
                damaged[at] = byte;
                bodies.push(damaged.clone());
                bodies.push(damaged[..at].to_vec());
            }
        }
        for body in bodies {
            let reference = crate::decode::from_structs::<Traces>(&body, ARRIVAL);
            let got = Traces::from_protobuf(&body, ARRIVAL);
            match (got, reference) {
                (Ok(got), Ok(reference)) => {
                    prop_assert_eq!(&got.dropped, &reference.dropped);
                    prop_assert_eq!(Tables::of(got).fingerprint(), Tables::of(reference).fingerprint());
                }
                (Err(got), Err(reference)) => prop_assert_eq!(got, reference),
                (got, reference) => prop_assert!(false, "{got:?} {reference:?}"),
            }
        }
    }

    /// The plain case does not fall back.
    #[test]
    fn the_wire_reader_reads_what_exporters_send(request in arbitrary::traces()) {
        prop_assert!(crate::decode::wire::traces(&request.encode_to_vec()).is_ok());
    }

    /// Accepted = stored + rejected, for every signal.
    #[test]
    fn every_item_is_stored_or_counted(traces in arbitrary::traces(), metrics in arbitrary::metrics()) {
        let sent: usize = traces.resource_spans.iter()
            .flat_map(|resource| &resource.scope_spans).map(|scope| scope.spans.len()).sum();
        let got = Traces::into_batch(traces, ARRIVAL);
        prop_assert_eq!(sent as u64, got.batch.items() as u64 + got.rejected());

        use opentelemetry_proto::tonic::metrics::v1::metric::Data;
        let sent: usize = metrics.resource_metrics.iter()
            .flat_map(|resource| &resource.scope_metrics).flat_map(|scope| &scope.metrics)
            .map(|metric| match &metric.data {
                Some(Data::Gauge(data)) => data.data_points.len(),
                Some(Data::Sum(data)) => data.data_points.len(),
                Some(Data::Histogram(data)) => data.data_points.len(),
                Some(Data::ExponentialHistogram(data)) => data.data_points.len(),
                Some(Data::Summary(data)) => data.data_points.len(),
                None => 0,
            }).sum();
        let got = Metrics::into_batch(metrics, ARRIVAL);
        prop_assert_eq!(sent as u64, got.batch.items() as u64 + got.rejected());
    }

    /// What the hot encoding says is what was sent, but for string indexes and duplicate keys.
    #[test]
    fn c01_values_come_back_from_the_hot_encoding(any in arbitrary::any_value(), attributes in arbitrary::attributes()) {
        use crate::decode::{Drops, hot, values};
        let mut writer = tripline_storage::attributes::AttributesWriter::new();
        values::write_value(&mut writer, any.value.as_ref(), &mut Drops::default());
        let once = writer.as_str().to_owned();
        let back = hot::value(&once).map_err(|error| TestCaseError::fail(format!("{error}: {once}")))?;
        writer.clear();
        values::write_value(&mut writer, back.value.as_ref(), &mut Drops::default());
        prop_assert_eq!(&once, writer.as_str());
        if !format!("{any:?}").contains("Strindex(") && !format!("{any:?}").contains("KvlistValue") {
            prop_assert_eq!(format!("{:?}", any), format!("{:?}", back));
        }
        writer.clear();
        values::write_attributes(&mut writer, &attributes, &mut Drops::default(), |_, _| {});
        let once = writer.as_str().to_owned();
        let back = hot::attributes(&once).map_err(|error| TestCaseError::fail(format!("{error}: {once}")))?;
        writer.clear();
        values::write_attributes(&mut writer, &back, &mut Drops::default(), |_, _| {});
        prop_assert_eq!(&once, writer.as_str());
    }

    #[test]
    fn bytes_at_random_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200), text in ".{0,200}") {
        for body in [bytes.as_slice(), text.as_bytes()] {
            let _ = Traces::from_protobuf(body, 0);
            let _ = Metrics::from_protobuf(body, 0);
            let _ = Logs::from_protobuf(body, 0);
            let _ = Traces::from_json(body, 0);
            let _ = Metrics::from_json(body, 0);
            let _ = Logs::from_json(body, 0);
        }
    }
}

/// A key that is the marker's own name, with each kind of value that has a marker.
#[test]
fn c01_a_key_that_looks_like_a_marker_keeps_its_value() {
    use opentelemetry_proto::tonic::common::v1::any_value::Value;
    use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue, KeyValueList};

    use crate::decode::{Drops, hot, values};
    let list = |key: &str, value: Value| {
        let entry = KeyValue {
            key: key.to_owned(),
            value: Some(AnyValue { value: Some(value) }),
            key_strindex: 0,
        };
        Value::KvlistValue(KeyValueList {
            values: vec![entry],
        })
    };
    for inner in [
        Value::BytesValue(vec![0, 255]),
        Value::DoubleValue(f64::INFINITY),
        Value::StringValue("NaN".to_owned()),
        list("$double", Value::StringValue("NaN".to_owned())),
        list("$kvlist", list("a", Value::IntValue(1))),
    ] {
        let sent = list("$kvlist", inner);
        let mut writer = tripline_storage::attributes::AttributesWriter::new();
        values::write_value(&mut writer, Some(&sent), &mut Drops::default());
        let back = hot::value(writer.as_str()).expect("its own encoding");
        assert_eq!(back.value, Some(sent), "{}", writer.as_str());
    }
}

/// Found by the property above: an entry that is left out does not stand between a marker and its wrapping.
#[test]
fn c01_a_list_whose_first_entry_is_left_out_is_told_from_a_marker() {
    use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
    use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue, KeyValueList, any_value};
    use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span};

    use crate::decode::{Drops, hot, values};
    let entry = |key: &str, key_strindex: i32, value: Option<any_value::Value>| KeyValue {
        key: key.to_owned(),
        value: Some(AnyValue { value }),
        key_strindex,
    };
    let text = any_value::Value::StringValue("abcd".to_owned());
    let list = KeyValueList {
        values: vec![entry("", -1, None), entry("$bytes", 0, Some(text))],
    };
    let list = any_value::Value::KvlistValue(list);
    let mut writer = tripline_storage::attributes::AttributesWriter::new();
    values::write_value(&mut writer, Some(&list), &mut Drops::default());
    assert_eq!(writer.as_str(), r#"{"$kvlist":{"$bytes":"abcd"}}"#);
    let back = hot::value(writer.as_str()).expect("its own encoding");
    assert!(
        matches!(back.value, Some(any_value::Value::KvlistValue(_))),
        "{back:?}"
    );

    let mut span = Span {
        trace_id: vec![1; 16],
        span_id: vec![1; 8],
        ..Span::default()
    };
    span.attributes = vec![entry("a", 0, Some(list))];
    let sent = ExportTraceServiceRequest {
        resource_spans: vec![ResourceSpans {
            scope_spans: vec![ScopeSpans {
                spans: vec![span],
                ..ScopeSpans::default()
            }],
            ..ResourceSpans::default()
        }],
    };
    let bytes = sent.encode_to_vec();
    let by_wire = Traces::from_protobuf(&bytes, ARRIVAL).expect("a request");
    let by_structs = crate::decode::from_structs::<Traces>(&bytes, ARRIVAL).expect("a request");
    assert_eq!(
        Tables::of(by_wire).fingerprint(),
        Tables::of(by_structs).fingerprint()
    );
}
