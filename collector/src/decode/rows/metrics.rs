//! `metric_points`, with their streams and exemplars.

use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::metrics::v1::exponential_histogram_data_point::Buckets;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::summary_data_point::ValueAtQuantile;
use opentelemetry_proto::tonic::metrics::v1::{
    Exemplar, ExponentialHistogram, ExponentialHistogramDataPoint, Gauge, Histogram,
    HistogramDataPoint, Metric, NumberDataPoint, ResourceMetrics, ScopeMetrics, Sum, Summary,
    SummaryDataPoint, exemplar, number_data_point,
};
use serde::Deserialize;

use super::{Envelope, Requests, document, double, doubles, id, json, number_of, optional_double};
use crate::decode::{Malformed, Metrics, Signal};

/// Rows of `metric_points` becoming requests: one metric with one point each, under shared envelopes.
#[derive(Default)]
pub struct MetricRows {
    request: <Metrics as Signal>::Request,
    last: Envelope,
    items: usize,
}

#[derive(Deserialize)]
struct Row {
    #[serde(flatten)]
    envelope: Envelope,
    name: String,
    r#type: String,
    unit: Option<String>,
    temporality: Option<String>,
    is_monotonic: Option<bool>,
    description: Option<String>,
    metadata: Option<String>,
    time_unix_nano: u64,
    start_time_unix_nano: u64,
    flags: u32,
    attributes: Option<String>,
    exemplars: Option<String>,
    value_int: Option<i64>,
    value_double: Option<String>,
    count: Option<u64>,
    sum: Option<String>,
    min: Option<String>,
    max: Option<String>,
    bucket_counts: Option<Vec<u64>>,
    explicit_bounds: Option<Vec<String>>,
    scale: Option<i32>,
    zero_count: Option<u64>,
    zero_threshold: Option<String>,
    positive_offset: Option<i32>,
    positive_bucket_counts: Option<Vec<u64>>,
    negative_offset: Option<i32>,
    negative_bucket_counts: Option<Vec<u64>>,
    quantiles: Option<Vec<String>>,
    quantile_values: Option<Vec<String>>,
}

#[derive(Deserialize)]
struct ExemplarRow {
    time_unix_nano: u64,
    value_int: Option<i64>,
    value_double: Option<String>,
    trace_id: Option<String>,
    span_id: Option<String>,
    filtered_attributes: Option<String>,
}

impl Requests for MetricRows {
    type Signal = Metrics;

    fn push(&mut self, row: &str) -> Result<(), Malformed> {
        let row: Row = json(row)?;
        let envelope = row.envelope.clone();
        let resources = &mut self.request.resource_metrics;
        let same_resource = self.items > 0 && self.last.resource_id == envelope.resource_id;
        if !same_resource {
            resources.push(ResourceMetrics {
                resource: Some(envelope.resource()?),
                scope_metrics: Vec::new(),
                schema_url: envelope.resource_schema_url(),
            });
        }
        let scopes = &mut resources.last_mut().expect("pushed above").scope_metrics;
        if !same_resource || self.last.scope_id != envelope.scope_id {
            scopes.push(ScopeMetrics {
                scope: Some(envelope.scope()?),
                metrics: Vec::new(),
                schema_url: envelope.scope_schema_url(),
            });
        }
        let metric = row.metric()?;
        scopes
            .last_mut()
            .expect("pushed above")
            .metrics
            .push(metric);
        self.items += 1;
        self.last = envelope;
        Ok(())
    }

    fn items(&self) -> usize {
        self.items
    }

    fn take(&mut self) -> <Metrics as Signal>::Request {
        std::mem::take(self).request
    }
}

impl Row {
    fn metric(self) -> Result<Metric, Malformed> {
        let name = self.name.clone();
        let unit = self.unit.clone().unwrap_or_default();
        let description = self.description.clone().unwrap_or_default();
        let metadata = document(self.metadata.as_deref())?;
        let data = Some(self.data()?);
        Ok(Metric {
            name,
            description,
            unit,
            metadata,
            data,
        })
    }

    fn temporality(&self) -> Result<i32, Malformed> {
        let word = self.temporality.as_deref().unwrap_or("unspecified");
        number_of(word, &["unspecified", "delta", "cumulative"])
    }

    fn data(self) -> Result<Data, Malformed> {
        let aggregation_temporality = self.temporality()?;
        let attributes = document(self.attributes.as_deref())?;
        let exemplars = self.exemplars()?;
        Ok(match self.r#type.as_str() {
            "gauge" => Data::Gauge(Gauge {
                data_points: vec![self.number(attributes, exemplars)?],
            }),
            "sum" => Data::Sum(Sum {
                is_monotonic: self.is_monotonic.unwrap_or(false),
                aggregation_temporality,
                data_points: vec![self.number(attributes, exemplars)?],
            }),
            "histogram" => Data::Histogram(Histogram {
                aggregation_temporality,
                data_points: vec![self.histogram(attributes, exemplars)?],
            }),
            "exponential_histogram" => Data::ExponentialHistogram(ExponentialHistogram {
                aggregation_temporality,
                data_points: vec![self.exponential(attributes, exemplars)?],
            }),
            "summary" => Data::Summary(Summary {
                data_points: vec![self.summary(attributes)?],
            }),
            other => return Err(Malformed::new(other, "not a kind of metric")),
        })
    }

    fn exemplars(&self) -> Result<Vec<Exemplar>, Malformed> {
        let Some(text) = &self.exemplars else {
            return Ok(Vec::new());
        };
        let rows: Vec<ExemplarRow> = json(text)?;
        rows.into_iter()
            .map(|row| {
                let double = optional_double(row.value_double.as_deref())?;
                Ok(Exemplar {
                    filtered_attributes: document(row.filtered_attributes.as_deref())?,
                    time_unix_nano: row.time_unix_nano,
                    span_id: id(row.span_id.as_deref())?,
                    trace_id: id(row.trace_id.as_deref())?,
                    value: (row.value_int.map(exemplar::Value::AsInt))
                        .or(double.map(exemplar::Value::AsDouble)),
                })
            })
            .collect()
    }

    fn number(
        self,
        attributes: Vec<KeyValue>,
        exemplars: Vec<Exemplar>,
    ) -> Result<NumberDataPoint, Malformed> {
        let double = optional_double(self.value_double.as_deref())?;
        Ok(NumberDataPoint {
            attributes,
            start_time_unix_nano: self.start_time_unix_nano,
            time_unix_nano: self.time_unix_nano,
            exemplars,
            flags: self.flags,
            value: (self.value_int.map(number_data_point::Value::AsInt))
                .or(double.map(number_data_point::Value::AsDouble)),
        })
    }

    fn histogram(
        self,
        attributes: Vec<KeyValue>,
        exemplars: Vec<Exemplar>,
    ) -> Result<HistogramDataPoint, Malformed> {
        Ok(HistogramDataPoint {
            attributes,
            start_time_unix_nano: self.start_time_unix_nano,
            time_unix_nano: self.time_unix_nano,
            count: self.count.unwrap_or(0),
            sum: optional_double(self.sum.as_deref())?,
            bucket_counts: self.bucket_counts.unwrap_or_default(),
            explicit_bounds: doubles(self.explicit_bounds)?,
            exemplars,
            flags: self.flags,
            min: optional_double(self.min.as_deref())?,
            max: optional_double(self.max.as_deref())?,
        })
    }

    fn exponential(
        self,
        attributes: Vec<KeyValue>,
        exemplars: Vec<Exemplar>,
    ) -> Result<ExponentialHistogramDataPoint, Malformed> {
        let buckets = |offset: Option<i32>, counts: Option<Vec<u64>>| {
            offset.map(|offset| Buckets {
                offset,
                bucket_counts: counts.unwrap_or_default(),
            })
        };
        Ok(ExponentialHistogramDataPoint {
            attributes,
            start_time_unix_nano: self.start_time_unix_nano,
            time_unix_nano: self.time_unix_nano,
            count: self.count.unwrap_or(0),
            sum: optional_double(self.sum.as_deref())?,
            scale: self.scale.unwrap_or(0),
            zero_count: self.zero_count.unwrap_or(0),
            positive: buckets(self.positive_offset, self.positive_bucket_counts),
            negative: buckets(self.negative_offset, self.negative_bucket_counts),
            flags: self.flags,
            exemplars,
            min: optional_double(self.min.as_deref())?,
            max: optional_double(self.max.as_deref())?,
            zero_threshold: self.zero_threshold.as_deref().map_or(Ok(0.0), double)?,
        })
    }

    fn summary(self, attributes: Vec<KeyValue>) -> Result<SummaryDataPoint, Malformed> {
        let quantiles = doubles(self.quantiles)?;
        let values = doubles(self.quantile_values)?;
        let pairs = quantiles.into_iter().zip(values);
        Ok(SummaryDataPoint {
            attributes,
            start_time_unix_nano: self.start_time_unix_nano,
            time_unix_nano: self.time_unix_nano,
            count: self.count.unwrap_or(0),
            sum: self.sum.as_deref().map_or(Ok(0.0), double)?,
            quantile_values: pairs
                .map(|(quantile, value)| ValueAtQuantile { quantile, value })
                .collect(),
            flags: self.flags,
        })
    }
}
