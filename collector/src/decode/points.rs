//! Metrics to columns: streams, their points, their exemplars.

use std::collections::HashMap;

use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::{
    Exemplar, ExponentialHistogramDataPoint, HistogramDataPoint, Metric, NumberDataPoint,
    SummaryDataPoint, exemplar, number_data_point,
};
use tripline_storage::attributes::AttributesWriter;
use tripline_storage::ingest::{
    ExemplarRow, HistogramPointRow, MetricColumns, NumberPointRow, NumberValue, SeriesRow,
};

use super::checks;
use super::drops::{DropReason, Drops};
use super::envelope::association;
use super::values::{write_attributes, write_sorted};
use super::words;

/// Encodes metric after metric, reusing its buffers.
#[derive(Default)]
pub(super) struct MetricEncoder {
    pub(super) columns: MetricColumns,
    attributes: AttributesWriter,
}

/// The streams of one metric: a template, and the index of each attribute set seen.
struct Streams {
    template: SeriesRow,
    seen: HashMap<String, u32>,
}

impl Streams {
    fn new(template: SeriesRow) -> Self {
        Self {
            template,
            seen: HashMap::new(),
        }
    }
}

/// A point's stream and time: what its exemplars hang on.
#[derive(Clone, Copy)]
struct PointKey {
    series: u32,
    time_unix_nano: u64,
}

impl MetricEncoder {
    pub(super) fn push(&mut self, resource: u32, scope: u32, metric: &Metric, drops: &mut Drops) {
        let Some(data) = &metric.data else {
            return drops.add(DropReason::MetricKind);
        };
        let mut streams = Streams::new(self.template(resource, scope, metric, data, drops));
        match data {
            Data::Gauge(gauge) => {
                gauge
                    .data_points
                    .iter()
                    .for_each(|point| self.number(&mut streams, point, drops));
            }
            Data::Sum(sum) => {
                warn_unspecified(sum.aggregation_temporality, sum.data_points.len(), drops);
                sum.data_points
                    .iter()
                    .for_each(|point| self.number(&mut streams, point, drops));
            }
            Data::Histogram(histogram) => {
                warn_unspecified(
                    histogram.aggregation_temporality,
                    histogram.data_points.len(),
                    drops,
                );
                histogram
                    .data_points
                    .iter()
                    .for_each(|point| self.histogram(&mut streams, point, drops));
            }
            Data::ExponentialHistogram(histogram) => {
                warn_unspecified(
                    histogram.aggregation_temporality,
                    histogram.data_points.len(),
                    drops,
                );
                histogram
                    .data_points
                    .iter()
                    .for_each(|point| self.exponential(&mut streams, point, drops));
            }
            Data::Summary(summary) => {
                summary
                    .data_points
                    .iter()
                    .for_each(|point| self.summary(&mut streams, point, drops));
            }
        }
    }

    /// What all streams of a metric have in common.
    fn template(
        &mut self,
        resource: u32,
        scope: u32,
        metric: &Metric,
        data: &Data,
        drops: &mut Drops,
    ) -> SeriesRow {
        let (kind, temporality, is_monotonic) = match data {
            Data::Gauge(_) => ("gauge", None, None),
            Data::Sum(sum) => (
                "sum",
                Some(sum.aggregation_temporality),
                Some(sum.is_monotonic),
            ),
            Data::Histogram(histogram) => {
                ("histogram", Some(histogram.aggregation_temporality), None)
            }
            Data::ExponentialHistogram(histogram) => (
                "exponential_histogram",
                Some(histogram.aggregation_temporality),
                None,
            ),
            Data::Summary(_) => ("summary", None, None),
        };
        let metadata = (!metric.metadata.is_empty()).then(|| {
            self.attributes.clear();
            write_attributes(&mut self.attributes, &metric.metadata, drops, |_, _| {});
            self.attributes.as_str().to_owned()
        });
        SeriesRow {
            resource,
            scope,
            name: metric.name.clone(),
            unit: metric.unit.clone(),
            kind,
            temporality: temporality.map(words::temporality),
            is_monotonic,
            attributes: String::new(),
            description: metric.description.clone(),
            metadata,
        }
    }

    /// The index of the stream with these attributes.
    fn series(&mut self, streams: &mut Streams, attributes: &[KeyValue], drops: &mut Drops) -> u32 {
        self.attributes.clear();
        write_sorted(&mut self.attributes, attributes, drops, |_, _| {});
        let text = self.attributes.as_str();
        if let Some(series) = streams.seen.get(text) {
            return *series;
        }
        let series = u32::try_from(self.columns.series.len())
            .expect("a body of 64 MiB holds fewer than 2^32 streams");
        self.columns.series.push(SeriesRow {
            attributes: text.to_owned(),
            ..streams.template.clone()
        });
        streams.seen.insert(text.to_owned(), series);
        series
    }

    fn number(&mut self, streams: &mut Streams, point: &NumberDataPoint, drops: &mut Drops) {
        if let Err(reason) = checks::number(point) {
            return drops.add(reason);
        }
        let series = self.series(streams, &point.attributes, drops);
        let value = point
            .value
            .filter(|_| !checks::no_recorded_value(point.flags));
        self.columns.push_number(&NumberPointRow {
            series,
            time_unix_nano: point.time_unix_nano,
            start_unix_nano: point.start_time_unix_nano,
            flags: point.flags,
            value: value.map(|value| match value {
                number_data_point::Value::AsInt(value) => NumberValue::Int(value),
                number_data_point::Value::AsDouble(value) => NumberValue::Double(value),
            }),
        });
        let key = PointKey {
            series,
            time_unix_nano: point.time_unix_nano,
        };
        self.exemplars(key, &point.exemplars, drops);
    }

    fn histogram(&mut self, streams: &mut Streams, point: &HistogramDataPoint, drops: &mut Drops) {
        if let Err(reason) = checks::histogram(point) {
            return drops.add(reason);
        }
        let series = self.series(streams, &point.attributes, drops);
        let mut row = HistogramPointRow {
            series,
            time_unix_nano: point.time_unix_nano,
            start_unix_nano: point.start_time_unix_nano,
            flags: point.flags,
            ..HistogramPointRow::default()
        };
        if !checks::no_recorded_value(point.flags) {
            row.count = point.count;
            (row.sum, row.min, row.max) = (point.sum, point.min, point.max);
            row.bucket_counts = Some(&point.bucket_counts);
            row.explicit_bounds = Some(&point.explicit_bounds);
        }
        self.columns.push_histogram(&row);
        let key = PointKey {
            series,
            time_unix_nano: point.time_unix_nano,
        };
        self.exemplars(key, &point.exemplars, drops);
    }

    fn exponential(
        &mut self,
        streams: &mut Streams,
        point: &ExponentialHistogramDataPoint,
        drops: &mut Drops,
    ) {
        if let Err(reason) = checks::exponential(point) {
            return drops.add(reason);
        }
        let series = self.series(streams, &point.attributes, drops);
        let mut row = HistogramPointRow {
            series,
            time_unix_nano: point.time_unix_nano,
            start_unix_nano: point.start_time_unix_nano,
            flags: point.flags,
            ..HistogramPointRow::default()
        };
        if !checks::no_recorded_value(point.flags) {
            row.count = point.count;
            (row.sum, row.min, row.max) = (point.sum, point.min, point.max);
            row.scale = Some(point.scale);
            row.zero_count = Some(point.zero_count);
            row.zero_threshold = Some(point.zero_threshold);
            row.positive_offset = point.positive.as_ref().map(|side| side.offset);
            row.positive_counts = point
                .positive
                .as_ref()
                .map(|side| side.bucket_counts.as_slice());
            row.negative_offset = point.negative.as_ref().map(|side| side.offset);
            row.negative_counts = point
                .negative
                .as_ref()
                .map(|side| side.bucket_counts.as_slice());
        }
        self.columns.push_histogram(&row);
        let key = PointKey {
            series,
            time_unix_nano: point.time_unix_nano,
        };
        self.exemplars(key, &point.exemplars, drops);
    }

    fn summary(&mut self, streams: &mut Streams, point: &SummaryDataPoint, drops: &mut Drops) {
        if let Err(reason) = checks::summary(point) {
            return drops.add(reason);
        }
        let series = self.series(streams, &point.attributes, drops);
        let quantiles: Vec<f64> = point.quantile_values.iter().map(|q| q.quantile).collect();
        let values: Vec<f64> = point.quantile_values.iter().map(|q| q.value).collect();
        let mut row = HistogramPointRow {
            series,
            time_unix_nano: point.time_unix_nano,
            start_unix_nano: point.start_time_unix_nano,
            flags: point.flags,
            ..HistogramPointRow::default()
        };
        if !checks::no_recorded_value(point.flags) {
            row.count = point.count;
            row.sum = Some(point.sum);
            row.quantiles = Some(&quantiles);
            row.quantile_values = Some(&values);
        }
        self.columns.push_histogram(&row);
    }

    fn exemplars(&mut self, point: PointKey, exemplars: &[Exemplar], drops: &mut Drops) {
        for exemplar in exemplars {
            self.attributes.clear();
            write_attributes(
                &mut self.attributes,
                &exemplar.filtered_attributes,
                drops,
                |_, _| {},
            );
            self.columns.push_exemplar(&ExemplarRow {
                series: point.series,
                point_unix_nano: point.time_unix_nano,
                time_unix_nano: exemplar.time_unix_nano,
                value: exemplar.value.map(|value| match value {
                    exemplar::Value::AsInt(value) => NumberValue::Int(value),
                    exemplar::Value::AsDouble(value) => NumberValue::Double(value),
                }),
                trace_id: association(&exemplar.trace_id, drops),
                span_id: association(&exemplar.span_id, drops),
                filtered_attributes: self.attributes.as_str(),
            });
        }
    }
}

/// The protocol forbids it, yet points without a temporality still carry numbers: stored, and said.
fn warn_unspecified(temporality: i32, points: usize, drops: &mut Drops) {
    if temporality == 0 {
        drops.add_many(DropReason::TemporalityUnspecified, points as u64);
    }
}
