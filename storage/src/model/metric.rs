//! Metric streams, their points and exemplars.

use serde::{Deserialize, Serialize};

use super::{Attributes, Scope, ScopeFilter, TimeRange, exact};
use crate::filter::{Filter, Key};

/// Asks for the list of metrics.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct MetricsQuery {
    /// Only metrics with a point in it, if given.
    pub range: Option<TimeRange>,
    /// Scopes.
    pub scope: ScopeFilter,
    /// Service.
    pub service: Option<String>,
    /// Part of the name, case ignored.
    pub text: Option<String>,
    /// What a person wrote; must hold for a stream.
    #[serde(skip)]
    pub filter: Option<Filter>,
    /// At most so many, by name.
    pub limit: usize,
}

/// One metric: all streams of one name, unit and kind.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MetricSummary {
    /// Name.
    pub name: String,
    /// `gauge`, `sum`, `histogram`, `exponential_histogram`, `summary`.
    pub kind: String,
    /// UCUM.
    pub unit: String,
    /// `delta`, `cumulative`, …; `None` where it does not apply.
    pub temporality: Option<String>,
    /// `None` where it does not apply.
    pub is_monotonic: Option<bool>,
    /// Description.
    pub description: String,
    /// Distinct streams.
    pub streams: u64,
    /// Services that send it, by name.
    pub services: Vec<String>,
}

/// Asks for the points of one metric.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MetricPointsQuery {
    /// Name, exactly.
    pub name: String,
    /// Times of the points.
    pub range: TimeRange,
    /// Scopes.
    pub scope: ScopeFilter,
    /// Service.
    pub service: Option<String>,
    /// What a person wrote; must hold for a stream.
    #[serde(skip)]
    pub filter: Option<Filter>,
    /// Streams with the same value of it become one.
    #[serde(skip)]
    pub by: Option<Key>,
    /// At most so many streams, or groups of them.
    pub series_max: usize,
    /// At most so many points a stream: the newest. Groups have a point a step.
    pub points_max: usize,
}

/// Exemplars of a metric that are looked at.
pub const EXEMPLARS_COUNTED_MAX: u64 = 10_000;

/// Streams of one metric with their points.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct MetricPoints {
    /// Each with its points.
    pub series: Vec<MetricSeries>,
    /// Streams, groups or points were left out.
    pub truncated: bool,
    /// Streams in all, or groups.
    pub total_series: u64,
    /// Exemplars of these streams, shown or not; of more than [`EXEMPLARS_COUNTED_MAX`] so many.
    #[serde(default)]
    pub total_exemplars: u64,
    /// What the streams can be grouped by, as a filter writes it: attributes of theirs, and what else tells them
    /// apart.
    #[serde(default)]
    pub keys: Vec<String>,
    /// How the streams were grouped, if they were.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grouping: Option<Grouping>,
}

/// How streams became groups. Each is taken at its own level for the part of a step that it covers; levels are
/// added up, or for gauges averaged.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Grouping {
    /// The key, as a filter writes it.
    pub by: String,
    /// Length of a step.
    #[serde(with = "exact")]
    pub step_ns: i64,
    /// Streams in the groups.
    pub streams: u64,
    /// Streams in all.
    pub total_streams: u64,
}

/// A histogram's buckets over time, all streams together. `row` and `column` of a cell count from 0.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct MetricHeatmap {
    /// Start of the first column.
    #[serde(with = "exact")]
    pub from_unix_nano: i64,
    /// Width of a column.
    #[serde(with = "exact")]
    pub column_ns: i64,
    /// Columns.
    pub columns: u32,
    /// UCUM.
    pub unit: String,
    /// Lowest values first.
    pub rows: Vec<MetricHeatmapRow>,
    /// Those with values in them, by column and row.
    pub cells: Vec<MetricHeatmapCell>,
    /// Values in all.
    pub values: f64,
    /// Streams read.
    pub streams: u64,
    /// Streams in all.
    pub total_streams: u64,
}

/// Values above `low` up to `high`; `None` is without a bound.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct MetricHeatmapRow {
    /// Lower bound.
    pub low: Option<f64>,
    /// Upper bound.
    pub high: Option<f64>,
}

/// One cell.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct MetricHeatmapCell {
    /// Step of time.
    pub column: u32,
    /// Row of values.
    pub row: u32,
    /// Values in it: a point whose interval touches several steps counts in each by its share.
    pub values: f64,
}

/// One stream, or one group of them: then it has the attribute it was grouped by alone, and no id.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MetricSeries {
    /// 16 hex digits; the same in every segment.
    pub series_id: String,
    /// Scope of the service.
    #[serde(flatten)]
    pub scope: Scope,
    /// Service.
    pub service_name: Option<String>,
    /// Its instance.
    pub service_instance_id: Option<String>,
    /// `gauge`, `sum`, …
    pub kind: String,
    /// UCUM.
    pub unit: String,
    /// `delta`, `cumulative`, …
    pub temporality: Option<String>,
    /// `None` where it does not apply.
    pub is_monotonic: Option<bool>,
    /// Of the stream.
    pub attributes: Attributes,
    /// Oldest first.
    pub points: Vec<MetricPoint>,
    /// Newest first, at most 100.
    pub exemplars: Vec<ExemplarRecord>,
}

/// One point, with what charts need already computed.
///
/// Of a group it is a step, by its start: `value` is the sum of the streams' values (gauges: their mean, with the sum
/// in `sum`, the number of streams in `count`, the extremes in `min` and `max`; delta sums: the amount in the step),
/// `rate` the sum of their rates, quantiles those of their buckets together. Summaries' quantiles do not add up.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct MetricPoint {
    /// When.
    #[serde(with = "exact")]
    pub time_unix_nano: i64,
    /// Start of its interval; 0 = unknown.
    #[serde(with = "exact")]
    pub start_time_unix_nano: u64,
    /// Gauge or sum; `None` with the no-recorded-value flag, and for histograms. Not-a-number reads as `None`.
    pub value: Option<f64>,
    /// The value exactly, when it was sent as an integer.
    #[serde(with = "exact::option")]
    pub value_int: Option<i64>,
    /// Monotonic sums and the counts of histograms, per second since the point before; a counter's reset
    /// starts anew. `None` where it cannot be known.
    pub rate: Option<f64>,
    /// Histograms and summaries: values in the point.
    #[serde(with = "exact::option")]
    pub count: Option<u64>,
    /// Histograms and summaries.
    pub sum: Option<f64>,
    /// Smallest value.
    pub min: Option<f64>,
    /// Largest value.
    pub max: Option<f64>,
    /// Median of the values since the point before (cumulative) or in the point (delta).
    pub p50: Option<f64>,
    /// 95th percentile.
    pub p95: Option<f64>,
    /// 99th percentile.
    pub p99: Option<f64>,
}

/// An exemplar: a value with the trace it came from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ExemplarRecord {
    /// Metric it belongs to.
    pub metric_name: String,
    /// UCUM.
    pub unit: String,
    /// Service.
    pub service_name: Option<String>,
    /// Its own time; `None` when unknown.
    #[serde(with = "exact::option")]
    pub time_unix_nano: Option<i64>,
    /// Its value; `None` when unset or not a number.
    pub value: Option<f64>,
    /// The value exactly, when it was sent as an integer.
    #[serde(with = "exact::option")]
    pub value_int: Option<i64>,
    /// 32 hex digits.
    pub trace_id: Option<String>,
    /// 16 hex digits.
    pub span_id: Option<String>,
    /// Attributes the stream does not have.
    pub filtered_attributes: Attributes,
}
