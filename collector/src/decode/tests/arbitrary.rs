//! Messages at random: every field, every kind, valid and not.

use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{
    AnyValue, ArrayValue, EntityRef, InstrumentationScope, KeyValue, KeyValueList,
};
use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs, ScopeLogs};
use opentelemetry_proto::tonic::metrics::v1::exponential_histogram_data_point::Buckets;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::summary_data_point::ValueAtQuantile;
use opentelemetry_proto::tonic::metrics::v1::{
    Exemplar, ExponentialHistogram, ExponentialHistogramDataPoint, Gauge, Histogram,
    HistogramDataPoint, Metric, NumberDataPoint, ResourceMetrics, ScopeMetrics, Sum, Summary,
    SummaryDataPoint, exemplar, number_data_point,
};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::span::{Event, Link};
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span, Status};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

use crate::decode::{Logs, Metrics, Signal, Traces};

type TracesRequest = <Traces as Signal>::Request;
type LogsRequest = <Logs as Signal>::Request;
type MetricsRequest = <Metrics as Signal>::Request;

fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => "[a-z.]{0,6}",
        1 => any::<String>(),
        1 => Just("service.name".to_owned()),
        1 => Just("$bytes".to_owned()),
        1 => Just("$kvlist".to_owned()),
        1 => Just("\"\\\u{0}\n\u{1f600}".to_owned()),
    ]
}

fn time() -> impl Strategy<Value = u64> {
    prop_oneof![
        Just(0),
        Just(1 << 63),
        Just(u64::MAX),
        any::<u64>(),
        1..u64::MAX >> 1
    ]
}

fn double() -> impl Strategy<Value = f64> {
    prop_oneof![
        any::<f64>(),
        Just(-0.0),
        Just(f64::INFINITY),
        Just(f64::NEG_INFINITY),
        // One NaN: a text cannot say which.
        Just(f64::NAN),
    ]
    .prop_map(|value| if value.is_nan() { f64::NAN } else { value })
}

/// Without presence: protobuf has no negative zero there.
fn plain_double() -> impl Strategy<Value = f64> {
    double().prop_map(|value| if value == 0.0 { 0.0 } else { value })
}

fn id(length: usize) -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        6 => vec(any::<u8>(), length),
        1 => Just(vec![]),
        1 => Just(vec![0; length]),
        1 => vec(any::<u8>(), 0..20),
    ]
}

pub(super) fn any_value() -> impl Strategy<Value = AnyValue> {
    let leaf = prop_oneof![
        text().prop_map(Value::StringValue),
        any::<bool>().prop_map(Value::BoolValue),
        any::<i64>().prop_map(Value::IntValue),
        double().prop_map(Value::DoubleValue),
        vec(any::<u8>(), 0..5).prop_map(Value::BytesValue),
        any::<i32>().prop_map(Value::StringValueStrindex),
    ];
    let leaf = option::weighted(0.9, leaf).prop_map(|value| AnyValue { value });
    leaf.prop_recursive(3, 12, 3, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..3).prop_map(|values| Value::ArrayValue(ArrayValue { values })),
            vec(key_value(inner), 0..3)
                .prop_map(|values| Value::KvlistValue(KeyValueList { values })),
        ]
        .prop_map(|value| AnyValue { value: Some(value) })
    })
}

fn key_value(value: impl Strategy<Value = AnyValue>) -> impl Strategy<Value = KeyValue> {
    let index = prop_oneof![9 => Just(0), 1 => any::<i32>()];
    (text(), option::weighted(0.9, value), index).prop_map(|(key, value, key_strindex)| KeyValue {
        key,
        value,
        key_strindex,
    })
}

pub(super) fn attributes() -> impl Strategy<Value = Vec<KeyValue>> {
    vec(key_value(any_value()), 0..4)
}

fn resource() -> impl Strategy<Value = Option<Resource>> {
    let entity = (text(), text(), vec(text(), 0..2), vec(text(), 0..2)).prop_map(
        |(schema_url, r#type, id_keys, description_keys)| EntityRef {
            schema_url,
            r#type,
            id_keys,
            description_keys,
        },
    );
    option::of((attributes(), any::<u32>(), vec(entity, 0..2)).prop_map(
        |(attributes, dropped_attributes_count, entity_refs)| Resource {
            attributes,
            dropped_attributes_count,
            entity_refs,
        },
    ))
}

fn scope() -> impl Strategy<Value = Option<InstrumentationScope>> {
    option::of((text(), text(), attributes(), any::<u32>()).prop_map(
        |(name, version, attributes, dropped_attributes_count)| InstrumentationScope {
            name,
            version,
            attributes,
            dropped_attributes_count,
        },
    ))
}

fn span() -> impl Strategy<Value = Span> {
    let event = (time(), text(), attributes(), any::<u32>()).prop_map(
        |(time_unix_nano, name, attributes, dropped_attributes_count)| Event {
            time_unix_nano,
            name,
            attributes,
            dropped_attributes_count,
        },
    );
    let link = (
        id(16),
        id(8),
        text(),
        attributes(),
        any::<u32>(),
        any::<u32>(),
    )
        .prop_map(
            |(trace_id, span_id, trace_state, attributes, dropped_attributes_count, flags)| Link {
                trace_id,
                span_id,
                trace_state,
                attributes,
                dropped_attributes_count,
                flags,
            },
        );
    let ids = (id(16), id(8), id(8));
    let words = (
        text(),
        text(),
        any::<u32>(),
        prop_oneof![0..7, any::<i32>()],
    );
    let status = option::of((text(), prop_oneof![0..4, any::<i32>()]));
    let counts = (any::<u32>(), any::<u32>(), any::<u32>());
    let lists = (attributes(), vec(event, 0..3), vec(link, 0..3));
    (ids, words, (time(), time()), lists, counts, status).prop_map(
        |(ids, words, times, lists, counts, status)| Span {
            trace_id: ids.0,
            span_id: ids.1,
            parent_span_id: ids.2,
            trace_state: words.0,
            name: words.1,
            flags: words.2,
            kind: words.3,
            start_time_unix_nano: times.0,
            end_time_unix_nano: times.1,
            attributes: lists.0,
            events: lists.1,
            links: lists.2,
            dropped_attributes_count: counts.0,
            dropped_events_count: counts.1,
            dropped_links_count: counts.2,
            status: status.map(|(message, code)| Status { message, code }),
        },
    )
}

pub(super) fn traces() -> impl Strategy<Value = TracesRequest> {
    let scope_spans =
        (scope(), vec(span(), 0..3), text()).prop_map(|(scope, spans, schema_url)| ScopeSpans {
            scope,
            spans,
            schema_url,
        });
    let resource_spans = (resource(), vec(scope_spans, 0..3), text()).prop_map(
        |(resource, scope_spans, schema_url)| ResourceSpans {
            resource,
            scope_spans,
            schema_url,
        },
    );
    vec(resource_spans, 0..3).prop_map(|resource_spans| TracesRequest { resource_spans })
}

fn log_record() -> impl Strategy<Value = LogRecord> {
    let words = (text(), text(), any::<i32>(), any::<u32>(), any::<u32>());
    let ids = (id(16), id(8));
    (
        time(),
        time(),
        words,
        option::of(any_value()),
        attributes(),
        ids,
    )
        .prop_map(
            |(time_unix_nano, observed_time_unix_nano, words, body, attributes, ids)| LogRecord {
                time_unix_nano,
                observed_time_unix_nano,
                severity_number: words.2,
                severity_text: words.0,
                body,
                attributes,
                dropped_attributes_count: words.3,
                flags: words.4,
                trace_id: ids.0,
                span_id: ids.1,
                event_name: words.1,
            },
        )
}

pub(super) fn logs() -> impl Strategy<Value = LogsRequest> {
    let scope_logs =
        (scope(), vec(log_record(), 0..3), text()).prop_map(|(scope, log_records, schema_url)| {
            ScopeLogs {
                scope,
                log_records,
                schema_url,
            }
        });
    let resource_logs = (resource(), vec(scope_logs, 0..3), text()).prop_map(
        |(resource, scope_logs, schema_url)| ResourceLogs {
            resource,
            scope_logs,
            schema_url,
        },
    );
    vec(resource_logs, 0..3).prop_map(|resource_logs| LogsRequest { resource_logs })
}

fn exemplar() -> impl Strategy<Value = Exemplar> {
    let value = prop_oneof![
        double().prop_map(exemplar::Value::AsDouble),
        any::<i64>().prop_map(exemplar::Value::AsInt),
    ];
    (attributes(), time(), id(8), id(16), option::of(value)).prop_map(
        |(filtered_attributes, time_unix_nano, span_id, trace_id, value)| Exemplar {
            filtered_attributes,
            time_unix_nano,
            span_id,
            trace_id,
            value,
        },
    )
}

/// What all points have: attributes, start, time, flags, exemplars.
fn point() -> impl Strategy<Value = (Vec<KeyValue>, u64, u64, u32, Vec<Exemplar>)> {
    let flags = prop_oneof![3 => Just(0), 1 => Just(1), 1 => any::<u32>()];
    (attributes(), time(), time(), flags, vec(exemplar(), 0..3))
}

fn number_point() -> impl Strategy<Value = NumberDataPoint> {
    let value = prop_oneof![
        double().prop_map(number_data_point::Value::AsDouble),
        any::<i64>().prop_map(number_data_point::Value::AsInt),
    ];
    (point(), option::weighted(0.9, value)).prop_map(|(point, value)| NumberDataPoint {
        attributes: point.0,
        start_time_unix_nano: point.1,
        time_unix_nano: point.2,
        flags: point.3,
        exemplars: point.4,
        value,
    })
}

/// Counts that add up most of the time.
fn counts() -> impl Strategy<Value = (Vec<u64>, u64)> {
    (
        vec(prop_oneof![0..9_u64, any::<u64>()], 0..4),
        prop_oneof![9 => Just(0), 1 => Just(1_u64)],
    )
        .prop_map(|(counts, off)| {
            let sum = counts
                .iter()
                .fold(off, |sum, count| sum.wrapping_add(*count));
            (counts, sum)
        })
}

fn histogram_point() -> impl Strategy<Value = HistogramDataPoint> {
    let values = (
        option::of(double()),
        option::of(double()),
        option::of(double()),
    );
    (point(), counts(), vec(double(), 4), any::<bool>(), values).prop_map(
        |(point, (bucket_counts, count), mut bounds, valid, (sum, min, max))| {
            bounds.retain(|bound| !bound.is_nan());
            bounds.sort_by(f64::total_cmp);
            if valid {
                bounds.truncate(bucket_counts.len().saturating_sub(1));
            }
            HistogramDataPoint {
                attributes: point.0,
                start_time_unix_nano: point.1,
                time_unix_nano: point.2,
                flags: point.3,
                exemplars: point.4,
                count,
                sum,
                bucket_counts,
                explicit_bounds: bounds,
                min,
                max,
            }
        },
    )
}

fn exponential_point() -> impl Strategy<Value = ExponentialHistogramDataPoint> {
    let offset = || prop_oneof![-5..5, any::<i32>()];
    let values = (
        option::of(double()),
        option::of(double()),
        option::of(double()),
        plain_double(),
    );
    (
        point(),
        option::of((offset(), counts())),
        option::of((offset(), counts())),
        offset(),
        any::<u8>(),
        values,
    )
        .prop_map(
            |(point, positive, negative, scale, zero_count, (sum, min, max, zero_threshold))| {
                let zero_count = u64::from(zero_count);
                let sides = [&positive, &negative];
                let count = sides
                    .into_iter()
                    .flatten()
                    .fold(zero_count, |sum, side| sum.wrapping_add(side.1.1));
                let buckets = |side: Option<(i32, (Vec<u64>, u64))>| {
                    side.map(|(offset, (bucket_counts, _))| Buckets {
                        offset,
                        bucket_counts,
                    })
                };
                ExponentialHistogramDataPoint {
                    attributes: point.0,
                    start_time_unix_nano: point.1,
                    time_unix_nano: point.2,
                    flags: point.3,
                    exemplars: point.4,
                    count,
                    sum,
                    scale,
                    zero_count,
                    positive: buckets(positive),
                    negative: buckets(negative),
                    min,
                    max,
                    zero_threshold,
                }
            },
        )
}

fn summary_point() -> impl Strategy<Value = SummaryDataPoint> {
    let quantile = (
        prop_oneof![0.0..=1.0, plain_double()],
        prop_oneof![0.0..9.0, plain_double()],
    )
        .prop_map(|(quantile, value)| ValueAtQuantile { quantile, value });
    (point(), any::<u64>(), plain_double(), vec(quantile, 0..3)).prop_map(
        |(point, count, sum, quantile_values)| SummaryDataPoint {
            attributes: point.0,
            start_time_unix_nano: point.1,
            time_unix_nano: point.2,
            flags: point.3,
            count,
            sum,
            quantile_values,
        },
    )
}

fn data() -> impl Strategy<Value = Data> {
    let temporality = || prop_oneof![0..4, any::<i32>()];
    prop_oneof![
        vec(number_point(), 0..4).prop_map(|data_points| Data::Gauge(Gauge { data_points })),
        (vec(number_point(), 0..4), temporality(), any::<bool>()).prop_map(
            |(data_points, aggregation_temporality, is_monotonic)| Data::Sum(Sum {
                data_points,
                aggregation_temporality,
                is_monotonic,
            })
        ),
        (vec(histogram_point(), 0..4), temporality()).prop_map(
            |(data_points, aggregation_temporality)| Data::Histogram(Histogram {
                data_points,
                aggregation_temporality,
            })
        ),
        (vec(exponential_point(), 0..4), temporality()).prop_map(
            |(data_points, aggregation_temporality)| {
                Data::ExponentialHistogram(ExponentialHistogram {
                    data_points,
                    aggregation_temporality,
                })
            }
        ),
        vec(summary_point(), 0..4).prop_map(|data_points| Data::Summary(Summary { data_points })),
    ]
}

pub(super) fn metrics() -> impl Strategy<Value = MetricsRequest> {
    let metric = (
        text(),
        text(),
        text(),
        attributes(),
        option::weighted(0.95, data()),
    )
        .prop_map(|(name, description, unit, metadata, data)| Metric {
            name,
            description,
            unit,
            metadata,
            data,
        });
    let scope_metrics =
        (scope(), vec(metric, 0..3), text()).prop_map(|(scope, metrics, schema_url)| {
            ScopeMetrics {
                scope,
                metrics,
                schema_url,
            }
        });
    let resource_metrics = (resource(), vec(scope_metrics, 0..2), text()).prop_map(
        |(resource, scope_metrics, schema_url)| ResourceMetrics {
            resource,
            scope_metrics,
            schema_url,
        },
    );
    vec(resource_metrics, 0..3).prop_map(|resource_metrics| MetricsRequest { resource_metrics })
}
