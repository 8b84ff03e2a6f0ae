//! Metrics, their points and exemplars.

use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::metrics::v1::exponential_histogram_data_point::Buckets;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::summary_data_point::ValueAtQuantile;
use opentelemetry_proto::tonic::metrics::v1::{
    AggregationTemporality, Exemplar, ExponentialHistogram, ExponentialHistogramDataPoint, Gauge,
    Histogram, HistogramDataPoint, Metric, NumberDataPoint, ResourceMetrics, ScopeMetrics, Sum,
    Summary, SummaryDataPoint, exemplar, number_data_point,
};

use super::fields;
use super::reader::{Parsed, Reader};
use super::values::{attributes, resource, scope};

pub(in crate::decode) fn metrics_request(
    r: &mut Reader<'_>,
) -> Parsed<ExportMetricsServiceRequest> {
    let mut request = ExportMetricsServiceRequest::default();
    fields!(r, request, { "resourceMetrics" => resource_metrics = r.list(resource_metrics)?, });
    Ok(request)
}

fn resource_metrics(r: &mut Reader<'_>) -> Parsed<ResourceMetrics> {
    let mut message = ResourceMetrics::default();
    fields!(r, message, {
        "resource" => resource = Some(resource(r)?),
        "scopeMetrics" => scope_metrics = r.list(scope_metrics)?,
        "schemaUrl" => schema_url = r.text()?,
    });
    Ok(message)
}

fn scope_metrics(r: &mut Reader<'_>) -> Parsed<ScopeMetrics> {
    let mut message = ScopeMetrics::default();
    fields!(r, message, {
        "scope" => scope = Some(scope(r)?),
        "metrics" => metrics = r.list(metric)?,
        "schemaUrl" => schema_url = r.text()?,
    });
    Ok(message)
}

fn metric(r: &mut Reader<'_>) -> Parsed<Metric> {
    let mut metric = Metric::default();
    fields!(r, metric, {
        "name" => name = r.text()?,
        "description" => description = r.text()?,
        "unit" => unit = r.text()?,
        "metadata" => metadata = attributes(r)?,
    } one of data {
        "gauge" => Data::Gauge(gauge(r)?),
        "sum" => Data::Sum(sum(r)?),
        "histogram" => Data::Histogram(histogram(r)?),
        "exponentialHistogram" => Data::ExponentialHistogram(exponential_histogram(r)?),
        "summary" => Data::Summary(summary(r)?),
    });
    Ok(metric)
}

fn gauge(r: &mut Reader<'_>) -> Parsed<Gauge> {
    let mut gauge = Gauge::default();
    fields!(r, gauge, { "dataPoints" => data_points = r.list(number_point)?, });
    Ok(gauge)
}

fn sum(r: &mut Reader<'_>) -> Parsed<Sum> {
    let mut sum = Sum::default();
    fields!(r, sum, {
        "dataPoints" => data_points = r.list(number_point)?,
        "aggregationTemporality" => aggregation_temporality = temporality(r)?,
        "isMonotonic" => is_monotonic = r.boolean()?,
    });
    Ok(sum)
}

fn histogram(r: &mut Reader<'_>) -> Parsed<Histogram> {
    let mut histogram = Histogram::default();
    fields!(r, histogram, {
        "dataPoints" => data_points = r.list(histogram_point)?,
        "aggregationTemporality" => aggregation_temporality = temporality(r)?,
    });
    Ok(histogram)
}

fn exponential_histogram(r: &mut Reader<'_>) -> Parsed<ExponentialHistogram> {
    let mut histogram = ExponentialHistogram::default();
    fields!(r, histogram, {
        "dataPoints" => data_points = r.list(exponential_point)?,
        "aggregationTemporality" => aggregation_temporality = temporality(r)?,
    });
    Ok(histogram)
}

fn summary(r: &mut Reader<'_>) -> Parsed<Summary> {
    let mut summary = Summary::default();
    fields!(r, summary, { "dataPoints" => data_points = r.list(summary_point)?, });
    Ok(summary)
}

fn temporality(r: &mut Reader<'_>) -> Parsed<i32> {
    r.enumeration(|name| AggregationTemporality::from_str_name(name).map(i32::from))
}

fn number_point(r: &mut Reader<'_>) -> Parsed<NumberDataPoint> {
    let mut point = NumberDataPoint::default();
    fields!(r, point, {
        "attributes" => attributes = attributes(r)?,
        "startTimeUnixNano" => start_time_unix_nano = r.integer()?,
        "timeUnixNano" => time_unix_nano = r.integer()?,
        "exemplars" => exemplars = r.list(exemplar)?,
        "flags" => flags = r.integer()?,
    } one of value {
        "asDouble" => number_data_point::Value::AsDouble(r.double()?),
        "asInt" => number_data_point::Value::AsInt(r.integer()?),
    });
    Ok(point)
}

fn histogram_point(r: &mut Reader<'_>) -> Parsed<HistogramDataPoint> {
    let mut point = HistogramDataPoint::default();
    fields!(r, point, {
        "attributes" => attributes = attributes(r)?,
        "startTimeUnixNano" => start_time_unix_nano = r.integer()?,
        "timeUnixNano" => time_unix_nano = r.integer()?,
        "count" => count = r.integer()?,
        "sum" => sum = Some(r.double()?),
        "bucketCounts" => bucket_counts = r.list(Reader::integer)?,
        "explicitBounds" => explicit_bounds = r.list(Reader::double)?,
        "exemplars" => exemplars = r.list(exemplar)?,
        "flags" => flags = r.integer()?,
        "min" => min = Some(r.double()?),
        "max" => max = Some(r.double()?),
    });
    Ok(point)
}

fn exponential_point(r: &mut Reader<'_>) -> Parsed<ExponentialHistogramDataPoint> {
    let mut point = ExponentialHistogramDataPoint::default();
    fields!(r, point, {
        "attributes" => attributes = attributes(r)?,
        "startTimeUnixNano" => start_time_unix_nano = r.integer()?,
        "timeUnixNano" => time_unix_nano = r.integer()?,
        "count" => count = r.integer()?,
        "sum" => sum = Some(r.double()?),
        "scale" => scale = r.integer()?,
        "zeroCount" => zero_count = r.integer()?,
        "positive" => positive = Some(buckets(r)?),
        "negative" => negative = Some(buckets(r)?),
        "flags" => flags = r.integer()?,
        "exemplars" => exemplars = r.list(exemplar)?,
        "min" => min = Some(r.double()?),
        "max" => max = Some(r.double()?),
        "zeroThreshold" => zero_threshold = r.double()?,
    });
    Ok(point)
}

fn buckets(r: &mut Reader<'_>) -> Parsed<Buckets> {
    let mut buckets = Buckets::default();
    fields!(r, buckets, {
        "offset" => offset = r.integer()?,
        "bucketCounts" => bucket_counts = r.list(Reader::integer)?,
    });
    Ok(buckets)
}

fn summary_point(r: &mut Reader<'_>) -> Parsed<SummaryDataPoint> {
    let mut point = SummaryDataPoint::default();
    fields!(r, point, {
        "attributes" => attributes = attributes(r)?,
        "startTimeUnixNano" => start_time_unix_nano = r.integer()?,
        "timeUnixNano" => time_unix_nano = r.integer()?,
        "count" => count = r.integer()?,
        "sum" => sum = r.double()?,
        "quantileValues" => quantile_values = r.list(quantile)?,
        "flags" => flags = r.integer()?,
    });
    Ok(point)
}

fn quantile(r: &mut Reader<'_>) -> Parsed<ValueAtQuantile> {
    let mut quantile = ValueAtQuantile::default();
    fields!(r, quantile, {
        "quantile" => quantile = r.double()?,
        "value" => value = r.double()?,
    });
    Ok(quantile)
}

fn exemplar(r: &mut Reader<'_>) -> Parsed<Exemplar> {
    let mut exemplar = Exemplar::default();
    fields!(r, exemplar, {
        "filteredAttributes" => filtered_attributes = attributes(r)?,
        "timeUnixNano" => time_unix_nano = r.integer()?,
        "spanId" => span_id = r.hex()?,
        "traceId" => trace_id = r.hex()?,
    } one of value {
        "asDouble" => exemplar::Value::AsDouble(r.double()?),
        "asInt" => exemplar::Value::AsInt(r.integer()?),
    });
    Ok(exemplar)
}
