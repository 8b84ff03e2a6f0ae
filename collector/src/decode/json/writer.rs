//! The messages as OTLP/JSON text: what `tripline export` writes, and what the decoder's tests read.
//!
//! Proto3 JSON with OTLP's exceptions: defaults left out, 64-bit integers as strings, ids in hex, enums as
//! numbers, non-finite doubles as words, bytes as base64.

use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, EntityRef, InstrumentationScope, KeyValue};
use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs, ScopeLogs};
use opentelemetry_proto::tonic::metrics::v1::exponential_histogram_data_point::Buckets;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::summary_data_point::ValueAtQuantile;
use opentelemetry_proto::tonic::metrics::v1::{
    Exemplar, ExponentialHistogramDataPoint, HistogramDataPoint, Metric, NumberDataPoint,
    ResourceMetrics, ScopeMetrics, SummaryDataPoint, exemplar, number_data_point,
};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::span::{Event, Link};
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span, Status};
use tripline_storage::attributes::AttributesWriter;

use super::base64;

/// One line of a traces file.
pub(in crate::decode) fn traces_text(request: &ExportTraceServiceRequest) -> String {
    Json::text_of(|json| {
        json.list(
            "resourceSpans",
            &request.resource_spans,
            Json::resource_spans,
        );
    })
}

/// One line of a metrics file.
pub(in crate::decode) fn metrics_text(request: &ExportMetricsServiceRequest) -> String {
    Json::text_of(|json| {
        json.list(
            "resourceMetrics",
            &request.resource_metrics,
            Json::resource_metrics,
        );
    })
}

/// One line of a logs file.
pub(in crate::decode) fn logs_text(request: &ExportLogsServiceRequest) -> String {
    Json::text_of(|json| json.list("resourceLogs", &request.resource_logs, Json::resource_logs))
}

/// JSON text under construction. The attribute writer's punctuation serves any JSON.
struct Json(AttributesWriter);

impl Json {
    fn text_of(members: impl FnOnce(&mut Self)) -> String {
        let mut json = Self(AttributesWriter::new());
        json.object(members);
        json.0.as_str().to_owned()
    }

    fn object(&mut self, members: impl FnOnce(&mut Self)) {
        self.0.begin_object();
        members(self);
        self.0.end();
    }

    /// A message field, left out when it is not set.
    fn message<T>(&mut self, key: &'static str, value: Option<&T>, members: fn(&mut Self, &T)) {
        if let Some(value) = value {
            self.0.fixed_key(key);
            self.object(|json| members(json, value));
        }
    }

    /// A repeated message.
    fn list<T>(&mut self, key: &'static str, items: &[T], members: fn(&mut Self, &T)) {
        if items.is_empty() {
            return;
        }
        self.0.fixed_key(key);
        self.0.begin_array();
        for item in items {
            self.object(|json| members(json, item));
        }
        self.0.end();
    }

    fn text(&mut self, key: &'static str, value: &str) {
        if !value.is_empty() {
            self.0.fixed_key(key);
            self.0.string(value);
        }
    }

    fn texts(&mut self, key: &'static str, values: &[String]) {
        if !values.is_empty() {
            self.0.fixed_key(key);
            self.0.begin_array();
            values.iter().for_each(|value| self.0.string(value));
            self.0.end();
        }
    }

    fn id(&mut self, key: &'static str, value: &[u8]) {
        if !value.is_empty() {
            self.0.fixed_key(key);
            self.0.hex(value);
        }
    }

    /// A 32-bit number or an enum.
    fn number(&mut self, key: &'static str, value: impl Into<i64>) {
        let value = value.into();
        if value != 0 {
            self.0.fixed_key(key);
            self.0.int(value);
        }
    }

    /// A 64-bit number.
    fn long(&mut self, key: &'static str, value: u64) {
        if value != 0 {
            self.0.fixed_key(key);
            self.0.string(&value.to_string());
        }
    }

    fn longs(&mut self, key: &'static str, values: &[u64]) {
        if !values.is_empty() {
            self.0.fixed_key(key);
            self.0.begin_array();
            values
                .iter()
                .for_each(|value| self.0.string(&value.to_string()));
            self.0.end();
        }
    }

    fn double_value(&mut self, value: f64) {
        if value.is_nan() {
            self.0.string("NaN");
        } else if value.is_infinite() {
            self.0
                .string(if value > 0.0 { "Infinity" } else { "-Infinity" });
        } else {
            self.0.double(value);
        }
    }

    fn optional_double(&mut self, key: &'static str, value: Option<f64>) {
        if let Some(value) = value {
            self.0.fixed_key(key);
            self.double_value(value);
        }
    }

    /// A double without presence: only positive zero is the default.
    fn double(&mut self, key: &'static str, value: f64) {
        self.optional_double(key, (value.to_bits() != 0).then_some(value));
    }

    fn doubles(&mut self, key: &'static str, values: &[f64]) {
        if !values.is_empty() {
            self.0.fixed_key(key);
            self.0.begin_array();
            values.iter().for_each(|value| self.double_value(*value));
            self.0.end();
        }
    }

    fn any_value(&mut self, any: &AnyValue) {
        let Some(value) = &any.value else { return };
        match value {
            Value::StringValue(text) => {
                self.0.fixed_key("stringValue");
                self.0.string(text);
            }
            Value::BoolValue(value) => {
                self.0.fixed_key("boolValue");
                self.0.bool(*value);
            }
            Value::IntValue(value) => {
                self.0.fixed_key("intValue");
                self.0.string(&value.to_string());
            }
            Value::DoubleValue(value) => {
                self.0.fixed_key("doubleValue");
                self.double_value(*value);
            }
            Value::ArrayValue(array) => {
                self.message("arrayValue", Some(array), |json, array| {
                    json.list("values", &array.values, Self::any_value);
                });
            }
            Value::KvlistValue(list) => {
                self.message("kvlistValue", Some(list), |json, list| {
                    json.list("values", &list.values, Self::attribute);
                });
            }
            Value::BytesValue(bytes) => {
                let mut text = String::new();
                base64::encode_into(&mut text, bytes);
                self.0.fixed_key("bytesValue");
                self.0.string(&text);
            }
            Value::StringValueStrindex(index) => {
                self.0.fixed_key("stringValueStrindex");
                self.0.int(i64::from(*index));
            }
        }
    }

    fn attribute(&mut self, attribute: &KeyValue) {
        self.text("key", &attribute.key);
        self.message("value", attribute.value.as_ref(), Self::any_value);
        self.number("keyStrindex", attribute.key_strindex);
    }

    fn attributes(&mut self, attributes: &[KeyValue]) {
        self.list("attributes", attributes, Self::attribute);
    }

    fn resource(&mut self, resource: &Resource) {
        self.attributes(&resource.attributes);
        self.number("droppedAttributesCount", resource.dropped_attributes_count);
        self.list(
            "entityRefs",
            &resource.entity_refs,
            |json, entity: &EntityRef| {
                json.text("schemaUrl", &entity.schema_url);
                json.text("type", &entity.r#type);
                json.texts("idKeys", &entity.id_keys);
                json.texts("descriptionKeys", &entity.description_keys);
            },
        );
    }

    fn scope(&mut self, scope: &InstrumentationScope) {
        self.text("name", &scope.name);
        self.text("version", &scope.version);
        self.attributes(&scope.attributes);
        self.number("droppedAttributesCount", scope.dropped_attributes_count);
    }

    fn resource_spans(&mut self, message: &ResourceSpans) {
        self.message("resource", message.resource.as_ref(), Self::resource);
        self.list("scopeSpans", &message.scope_spans, Self::scope_spans);
        self.text("schemaUrl", &message.schema_url);
    }

    fn scope_spans(&mut self, message: &ScopeSpans) {
        self.message("scope", message.scope.as_ref(), Self::scope);
        self.list("spans", &message.spans, Self::span);
        self.text("schemaUrl", &message.schema_url);
    }

    fn span(&mut self, span: &Span) {
        self.id("traceId", &span.trace_id);
        self.id("spanId", &span.span_id);
        self.text("traceState", &span.trace_state);
        self.id("parentSpanId", &span.parent_span_id);
        self.number("flags", span.flags);
        self.text("name", &span.name);
        self.number("kind", span.kind);
        self.long("startTimeUnixNano", span.start_time_unix_nano);
        self.long("endTimeUnixNano", span.end_time_unix_nano);
        self.attributes(&span.attributes);
        self.number("droppedAttributesCount", span.dropped_attributes_count);
        self.list("events", &span.events, |json, event: &Event| {
            json.long("timeUnixNano", event.time_unix_nano);
            json.text("name", &event.name);
            json.attributes(&event.attributes);
            json.number("droppedAttributesCount", event.dropped_attributes_count);
        });
        self.number("droppedEventsCount", span.dropped_events_count);
        self.list("links", &span.links, |json, link: &Link| {
            json.id("traceId", &link.trace_id);
            json.id("spanId", &link.span_id);
            json.text("traceState", &link.trace_state);
            json.attributes(&link.attributes);
            json.number("droppedAttributesCount", link.dropped_attributes_count);
            json.number("flags", link.flags);
        });
        self.number("droppedLinksCount", span.dropped_links_count);
        self.message("status", span.status.as_ref(), |json, status: &Status| {
            json.text("message", &status.message);
            json.number("code", status.code);
        });
    }

    fn resource_logs(&mut self, message: &ResourceLogs) {
        self.message("resource", message.resource.as_ref(), Self::resource);
        self.list("scopeLogs", &message.scope_logs, Self::scope_logs);
        self.text("schemaUrl", &message.schema_url);
    }

    fn scope_logs(&mut self, message: &ScopeLogs) {
        self.message("scope", message.scope.as_ref(), Self::scope);
        self.list("logRecords", &message.log_records, Self::log_record);
        self.text("schemaUrl", &message.schema_url);
    }

    fn log_record(&mut self, record: &LogRecord) {
        self.long("timeUnixNano", record.time_unix_nano);
        self.long("observedTimeUnixNano", record.observed_time_unix_nano);
        self.number("severityNumber", record.severity_number);
        self.text("severityText", &record.severity_text);
        self.message("body", record.body.as_ref(), Self::any_value);
        self.attributes(&record.attributes);
        self.number("droppedAttributesCount", record.dropped_attributes_count);
        self.number("flags", record.flags);
        self.id("traceId", &record.trace_id);
        self.id("spanId", &record.span_id);
        self.text("eventName", &record.event_name);
    }

    fn resource_metrics(&mut self, message: &ResourceMetrics) {
        self.message("resource", message.resource.as_ref(), Self::resource);
        self.list("scopeMetrics", &message.scope_metrics, Self::scope_metrics);
        self.text("schemaUrl", &message.schema_url);
    }

    fn scope_metrics(&mut self, message: &ScopeMetrics) {
        self.message("scope", message.scope.as_ref(), Self::scope);
        self.list("metrics", &message.metrics, Self::metric);
        self.text("schemaUrl", &message.schema_url);
    }

    fn metric(&mut self, metric: &Metric) {
        self.text("name", &metric.name);
        self.text("description", &metric.description);
        self.text("unit", &metric.unit);
        self.list("metadata", &metric.metadata, Self::attribute);
        let Some(data) = &metric.data else { return };
        match data {
            Data::Gauge(gauge) => self.message("gauge", Some(gauge), |json, gauge| {
                json.list("dataPoints", &gauge.data_points, Self::number_point);
            }),
            Data::Sum(sum) => self.message("sum", Some(sum), |json, sum| {
                json.list("dataPoints", &sum.data_points, Self::number_point);
                json.number("aggregationTemporality", sum.aggregation_temporality);
                if sum.is_monotonic {
                    json.0.fixed_key("isMonotonic");
                    json.0.bool(true);
                }
            }),
            Data::Histogram(histogram) => {
                self.message("histogram", Some(histogram), |json, histogram| {
                    json.list("dataPoints", &histogram.data_points, Self::histogram_point);
                    json.number("aggregationTemporality", histogram.aggregation_temporality);
                });
            }
            Data::ExponentialHistogram(histogram) => {
                self.message(
                    "exponentialHistogram",
                    Some(histogram),
                    |json, histogram| {
                        json.list(
                            "dataPoints",
                            &histogram.data_points,
                            Self::exponential_point,
                        );
                        json.number("aggregationTemporality", histogram.aggregation_temporality);
                    },
                );
            }
            Data::Summary(summary) => self.message("summary", Some(summary), |json, summary| {
                json.list("dataPoints", &summary.data_points, Self::summary_point);
            }),
        }
    }

    fn number_point(&mut self, point: &NumberDataPoint) {
        self.attributes(&point.attributes);
        self.long("startTimeUnixNano", point.start_time_unix_nano);
        self.long("timeUnixNano", point.time_unix_nano);
        match point.value {
            Some(number_data_point::Value::AsInt(value)) => {
                self.0.fixed_key("asInt");
                self.0.string(&value.to_string());
            }
            Some(number_data_point::Value::AsDouble(value)) => {
                self.optional_double("asDouble", Some(value));
            }
            None => {}
        }
        self.list("exemplars", &point.exemplars, Self::exemplar);
        self.number("flags", point.flags);
    }

    fn histogram_point(&mut self, point: &HistogramDataPoint) {
        self.attributes(&point.attributes);
        self.long("startTimeUnixNano", point.start_time_unix_nano);
        self.long("timeUnixNano", point.time_unix_nano);
        self.long("count", point.count);
        self.optional_double("sum", point.sum);
        self.longs("bucketCounts", &point.bucket_counts);
        self.doubles("explicitBounds", &point.explicit_bounds);
        self.list("exemplars", &point.exemplars, Self::exemplar);
        self.number("flags", point.flags);
        self.optional_double("min", point.min);
        self.optional_double("max", point.max);
    }

    fn exponential_point(&mut self, point: &ExponentialHistogramDataPoint) {
        let buckets = |json: &mut Self, buckets: &Buckets| {
            json.number("offset", buckets.offset);
            json.longs("bucketCounts", &buckets.bucket_counts);
        };
        self.attributes(&point.attributes);
        self.long("startTimeUnixNano", point.start_time_unix_nano);
        self.long("timeUnixNano", point.time_unix_nano);
        self.long("count", point.count);
        self.optional_double("sum", point.sum);
        self.number("scale", point.scale);
        self.long("zeroCount", point.zero_count);
        self.message("positive", point.positive.as_ref(), buckets);
        self.message("negative", point.negative.as_ref(), buckets);
        self.number("flags", point.flags);
        self.list("exemplars", &point.exemplars, Self::exemplar);
        self.optional_double("min", point.min);
        self.optional_double("max", point.max);
        self.double("zeroThreshold", point.zero_threshold);
    }

    fn summary_point(&mut self, point: &SummaryDataPoint) {
        self.attributes(&point.attributes);
        self.long("startTimeUnixNano", point.start_time_unix_nano);
        self.long("timeUnixNano", point.time_unix_nano);
        self.long("count", point.count);
        self.double("sum", point.sum);
        self.list(
            "quantileValues",
            &point.quantile_values,
            |json, q: &ValueAtQuantile| {
                json.double("quantile", q.quantile);
                json.double("value", q.value);
            },
        );
        self.number("flags", point.flags);
    }

    fn exemplar(&mut self, exemplar: &Exemplar) {
        self.list(
            "filteredAttributes",
            &exemplar.filtered_attributes,
            Self::attribute,
        );
        self.long("timeUnixNano", exemplar.time_unix_nano);
        self.id("spanId", &exemplar.span_id);
        self.id("traceId", &exemplar.trace_id);
        match exemplar.value {
            Some(exemplar::Value::AsInt(value)) => {
                self.0.fixed_key("asInt");
                self.0.string(&value.to_string());
            }
            Some(exemplar::Value::AsDouble(value)) => self.optional_double("asDouble", Some(value)),
            None => {}
        }
    }
}
