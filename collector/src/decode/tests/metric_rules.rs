//! `CONFORMANCE.md` 1.11.

use super::*;

const NUMBERS: usize = 0;
const HISTOGRAMS: usize = 1;
const EXEMPLARS: usize = 2;

fn gauge(point: &str) -> Tables {
    metric(&format!(r#""gauge":{{"dataPoints":[{{{point}}}]}}"#))
}

fn histogram(point: &str) -> Tables {
    metric(&format!(
        r#""histogram":{{"aggregationTemporality":2,"dataPoints":[{{"timeUnixNano":"5",{point}}}]}}"#
    ))
}

fn exponential(point: &str) -> Tables {
    metric(&format!(
        r#""exponentialHistogram":{{"aggregationTemporality":1,"dataPoints":[{{"timeUnixNano":"5",{point}}}]}}"#
    ))
}

fn summary(quantiles: &str) -> Tables {
    metric(&format!(
        r#""summary":{{"dataPoints":[{{"timeUnixNano":"5","count":"2","sum":3.5,"quantileValues":[{quantiles}]}}]}}"#
    ))
}

/// The point is refused, for this reason and no other.
fn assert_rejected(got: &Tables, why: &str) {
    assert_eq!(
        (
            got.rows(NUMBERS) + got.rows(HISTOGRAMS),
            got.decoded_rejected
        ),
        (0, 1),
        "{why}"
    );
    assert!(
        got.reason.starts_with("rejected 1 ") && got.reason.contains(why),
        "{}",
        got.reason
    );
}

#[test]
fn m01_a_metric_of_an_unknown_kind_is_skipped_and_counted() {
    let got = tables::<Metrics>(
        r#"{"resourceMetrics":[{"scopeMetrics":[{"metrics":[{"name":"new","sketch":{"dataPoints":[{}]}},
            {"name":"old","gauge":{"dataPoints":[{"timeUnixNano":1,"asInt":1}]}}]}]}]}"#,
    );
    assert_eq!((got.rows(NUMBERS), got.decoded_rejected), (1, 0));
    assert!(
        got.reason
            .starts_with("1 metrics with no data of a kind known here"),
        "{}",
        got.reason
    );
}

#[test]
fn m02_name_unit_description_and_metadata_are_kept() {
    let got = metric(
        r#""unit":"By","description":"d","metadata":[{"key":"prometheus.type","value":{"stringValue":"unknown"}}],
            "gauge":{"dataPoints":[{"timeUnixNano":1,"asInt":1}]}"#,
    );
    let series = &got.series[0];
    assert_eq!(
        (
            series.name.as_str(),
            series.unit.as_str(),
            series.description.as_str()
        ),
        ("m", "By", "d")
    );
    assert_eq!(
        series.metadata.as_deref(),
        Some(r#"{"prometheus.type":"unknown"}"#)
    );
}

#[test]
fn m03_temporality_and_monotonicity_are_kept_and_unspecified_is_said() {
    let sum = |fields: &str| {
        metric(&format!(
            r#""sum":{{{fields}"dataPoints":[{{"timeUnixNano":1,"asInt":1}}]}}"#
        ))
    };
    for (number, word) in [(1, "delta"), (2, "cumulative"), (9, "9")] {
        let got = sum(&format!(
            r#""isMonotonic":true,"aggregationTemporality":{number},"#
        ));
        assert_eq!(got.series[0].temporality.as_deref(), Some(word));
        assert_eq!(
            (got.series[0].is_monotonic, got.reason.as_str()),
            (Some(true), "")
        );
    }
    let got = sum("");
    assert_eq!(got.series[0].temporality.as_deref(), Some("unspecified"));
    assert_eq!((got.rows(NUMBERS), got.decoded_rejected), (1, 0));
    assert!(
        got.reason.contains("aggregation_temporality"),
        "{}",
        got.reason
    );
}

#[test]
fn m04_ints_and_doubles_stay_apart_and_a_point_without_value_is_rejected() {
    let got = gauge(r#""timeUnixNano":"5","asInt":"9223372036854775807""#);
    assert_eq!(
        (got.cell("value_int"), got.cell("value_double")),
        ("9223372036854775807".into(), "NULL".into())
    );
    let got = gauge(r#""timeUnixNano":"5","asDouble":"NaN""#);
    assert_eq!(
        (got.cell("value_int"), got.cell("value_double")),
        ("NULL".into(), "NaN".into())
    );
    assert_rejected(&gauge(r#""timeUnixNano":"5""#), "without a value");
}

#[test]
fn m05_a_point_without_time_is_rejected() {
    assert_rejected(&gauge(r#""asInt":1"#), "time_unix_nano");
}

#[test]
fn m06_a_point_with_no_recorded_value_is_kept_without_values() {
    let got = gauge(r#""timeUnixNano":"5","flags":257,"asInt":7"#);
    assert_eq!(
        (got.cell("value_int"), got.cell("flags")),
        ("NULL".into(), "257".into())
    );
    let got =
        histogram(r#""flags":1,"count":"5","sum":2,"bucketCounts":["1"],"explicitBounds":[1,0]"#);
    assert_eq!(
        (got.rows(HISTOGRAMS), got.cell_of(HISTOGRAMS, "sum", 0)),
        (1, "NULL".into())
    );
}

#[test]
fn m07_histogram_bucket_count_mismatch_is_rejected() {
    assert_rejected(
        &histogram(r#""count":"3","bucketCounts":["1","2"],"explicitBounds":[1,2]"#),
        "do not fit",
    );
    assert_rejected(
        &histogram(r#""count":"3","explicitBounds":[1]"#),
        "do not fit",
    );
}

#[test]
fn m07_histogram_bounds_must_increase_strictly() {
    for bounds in ["[2,1]", "[1,1]", r#"[1,"NaN"]"#] {
        let point =
            format!(r#""count":"3","bucketCounts":["1","1","1"],"explicitBounds":{bounds}"#);
        assert_rejected(&histogram(&point), "strictly increasing");
    }
}

#[test]
fn m07_histogram_buckets_must_add_up_to_the_count() {
    assert_rejected(
        &histogram(r#""count":"4","bucketCounts":["1","2"],"explicitBounds":[1]"#),
        "add up",
    );
    let max = u64::MAX;
    let overflow = format!(r#""count":"0","bucketCounts":["{max}","1"],"explicitBounds":[1]"#);
    assert_rejected(&histogram(&overflow), "add up");
}

#[test]
fn m07_a_histogram_keeps_absent_apart_from_zero() {
    let got =
        histogram(r#""count":"3","sum":0,"bucketCounts":["1",2],"explicitBounds":["Infinity"]"#);
    let cell = |column| got.cell_of(HISTOGRAMS, column, 0);
    assert_eq!(
        (cell("sum"), cell("min"), cell("max")),
        ("0.0".into(), "NULL".into(), "NULL".into())
    );
    assert_eq!(
        (cell("bucket_counts"), cell("explicit_bounds")),
        ("[1, 2]".into(), "[inf]".into())
    );
    let got = histogram(r#""count":"3""#);
    assert_eq!(got.cell_of(HISTOGRAMS, "bucket_counts", 0), "[]");
}

#[test]
fn m08_an_exponential_histogram_is_kept_whole() {
    let got = exponential(
        r#""count":"6","scale":-3,"zeroCount":"1","zeroThreshold":0.5,
            "positive":{"offset":-2,"bucketCounts":["2","3"]},"min":-1.5"#,
    );
    let cell = |column| got.cell_of(HISTOGRAMS, column, 0);
    assert_eq!(
        (cell("scale"), cell("zero_count"), cell("zero_threshold")),
        ("-3".into(), "1".into(), "0.5".into())
    );
    assert_eq!(
        (cell("positive_offset"), cell("positive_bucket_counts")),
        ("-2".into(), "[2, 3]".into())
    );
    assert_eq!(
        (cell("negative_offset"), cell("negative_bucket_counts")),
        ("NULL".into(), "NULL".into())
    );
    assert_eq!((cell("min"), cell("sum")), ("-1.5".into(), "NULL".into()));
}

#[test]
fn m08_buckets_beyond_a_double_are_rejected() {
    for (scale, offset) in [
        (0, 1024),
        (0, -1076),
        (20, i32::MAX),
        (-11, 1),
        (i32::MIN, 1),
    ] {
        let point = format!(
            r#""count":"1","scale":{scale},"positive":{{"offset":{offset},"bucketCounts":["1"]}}"#
        );
        assert_rejected(&exponential(&point), "beyond the range");
    }
    for (scale, offset) in [
        (0, 1023),
        (0, -1075),
        (-11, 0),
        (-11, -1),
        (i32::MIN, 0),
        (20, 0),
    ] {
        let point = format!(
            r#""count":"1","scale":{scale},"positive":{{"offset":{offset},"bucketCounts":["1","0"]}}"#
        );
        assert_eq!(exponential(&point).rows(HISTOGRAMS), 1, "{scale} {offset}");
    }
}

#[test]
fn m08_exponential_buckets_must_add_up_to_the_count() {
    assert_rejected(&exponential(r#""count":"1","zeroCount":"2""#), "add up");
}

#[test]
fn m09_summary_quantiles_are_checked() {
    let got = summary(r#"{"value":1},{"quantile":0.5,"value":"NaN"},{"quantile":1,"value":2}"#);
    assert_eq!(got.cell_of(HISTOGRAMS, "quantiles", 0), "[0.0, 0.5, 1.0]");
    assert_eq!(
        got.cell_of(HISTOGRAMS, "quantile_values", 0),
        "[1.0, NaN, 2.0]"
    );
    for bad in [
        r#"{"quantile":1.1}"#,
        r#"{"quantile":-0.1}"#,
        r#"{"quantile":"NaN"}"#,
        r#"{"quantile":0.5},{"quantile":0.5}"#,
        r#"{"quantile":0.5,"value":-1}"#,
    ] {
        assert_rejected(&summary(bad), "invalid quantiles");
    }
}

#[test]
fn m10_exemplars_hang_on_their_point() {
    let got = gauge(
        r#""timeUnixNano":"5","asInt":1,"exemplars":[{"timeUnixNano":"4","asDouble":2.5,
            "traceId":"5b8efff798038103d269b633813fc60c","spanId":"eee19b7ec3c1b174",
            "filteredAttributes":[{"key":"user","value":{"stringValue":"u"}}]},{"asInt":"3"},{"traceId":"5b"}]"#,
    );
    let cell = |column, row| got.cell_of(EXEMPLARS, column, row);
    assert_eq!(got.rows(EXEMPLARS), 3);
    assert_eq!(
        (cell("value_double", 0), cell("value_int", 1)),
        ("2.5".into(), "3".into())
    );
    assert_eq!(cell("trace_id", 0), "5b8efff798038103d269b633813fc60c");
    assert_eq!(
        (cell("trace_id", 2), cell("value_int", 2)),
        ("NULL".into(), "NULL".into())
    );
    assert_eq!(cell("filtered_attributes", 0), r#"{"user":"u"}"#);
    assert!(
        got.reason.contains("trace_id or span_id values"),
        "{}",
        got.reason
    );
}

#[test]
fn m11_a_stream_is_the_same_whatever_the_order_of_its_attributes() {
    let point =
        |attributes: &str| format!(r#"{{"timeUnixNano":5,"asInt":1,"attributes":[{attributes}]}}"#);
    let (a, b) = (
        r#"{"key":"a","value":{"intValue":1}}"#,
        r#"{"key":"b","value":{"intValue":2}}"#,
    );
    let points = [
        point(&format!("{a},{b}")),
        point(&format!("{b},{a}")),
        point(a),
    ];
    let got = metric(&format!(
        r#""gauge":{{"dataPoints":[{}]}}"#,
        points.join(",")
    ));
    assert_eq!(got.series.len(), 2);
    assert_eq!(got.series[0].attributes, r#"{"a":1,"b":2}"#);
    assert_eq!(
        (
            got.cell_of(NUMBERS, "series_ix", 1),
            got.cell_of(NUMBERS, "series_ix", 2)
        ),
        ("0".into(), "1".into())
    );
}
