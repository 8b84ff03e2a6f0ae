//! Metric streams, their points and exemplars.

use arrow::array::{
    ArrayBuilder as _, Float64Builder, Int32Builder, Int64Builder, ListBuilder, StringBuilder,
    UInt32Builder, UInt64Builder,
};
use arrow::record_batch::RecordBatch;

use super::{TimeBuilder, hex_or_null};

/// One metric stream; identity is every field but description and metadata.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct SeriesRow {
    /// Index into [`Batch::resources`](crate::ingest::Batch::resources).
    pub resource: u32,
    /// Index into [`Batch::scopes`](crate::ingest::Batch::scopes).
    pub scope: u32,
    /// Name.
    pub name: String,
    /// Unit (UCUM).
    pub unit: String,
    /// `gauge`, `sum`, `histogram`, `exponential_histogram`, `summary`.
    pub kind: &'static str,
    /// `delta`, `cumulative`, `unspecified`, or a number as text; `None` for gauge and summary.
    pub temporality: Option<String>,
    /// `None` where it does not apply.
    pub is_monotonic: Option<bool>,
    /// Attributes of the stream's points, hot-encoded with sorted keys.
    pub attributes: String,
    /// Description.
    pub description: String,
    /// `metadata` of the metric, hot-encoded.
    pub metadata: Option<String>,
}

/// The value of a number point or exemplar: the two stay apart.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum NumberValue {
    /// `as_int`.
    Int(i64),
    /// `as_double`.
    Double(f64),
}

/// A gauge's or sum's point.
#[derive(Debug, Clone, Copy)]
pub struct NumberPointRow {
    /// Index into [`MetricColumns::series`].
    pub series: u32,
    /// Nanoseconds since the epoch; never 0.
    pub time_unix_nano: u64,
    /// 0 = unknown.
    pub start_unix_nano: u64,
    /// All 32 bits; bit 0 = no recorded value.
    pub flags: u32,
    /// `None` with the no-recorded-value flag.
    pub value: Option<NumberValue>,
}

/// A point of a histogram, exponential histogram or summary.
#[derive(Debug, Clone, Default)]
pub struct HistogramPointRow<'a> {
    /// Index into [`MetricColumns::series`].
    pub series: u32,
    /// Nanoseconds since the epoch; never 0.
    pub time_unix_nano: u64,
    /// 0 = unknown.
    pub start_unix_nano: u64,
    /// All 32 bits.
    pub flags: u32,
    /// Number of values.
    pub count: u64,
    /// Absent is not 0.
    pub sum: Option<f64>,
    /// Absent is not 0.
    pub min: Option<f64>,
    /// Absent is not 0.
    pub max: Option<f64>,
    /// Histogram: counts per bucket.
    pub bucket_counts: Option<&'a [u64]>,
    /// Histogram: inclusive upper bounds.
    pub explicit_bounds: Option<&'a [f64]>,
    /// Exponential histogram: base = 2^(2^-scale).
    pub scale: Option<i32>,
    /// Exponential histogram.
    pub zero_count: Option<u64>,
    /// Exponential histogram.
    pub zero_threshold: Option<f64>,
    /// Exponential histogram.
    pub positive_offset: Option<i32>,
    /// Exponential histogram.
    pub positive_counts: Option<&'a [u64]>,
    /// Exponential histogram.
    pub negative_offset: Option<i32>,
    /// Exponential histogram.
    pub negative_counts: Option<&'a [u64]>,
    /// Summary: quantiles, in [0, 1].
    pub quantiles: Option<&'a [f64]>,
    /// Summary: value of each quantile.
    pub quantile_values: Option<&'a [f64]>,
}

/// An exemplar of any point.
#[derive(Debug, Clone)]
pub struct ExemplarRow<'a> {
    /// Index into [`MetricColumns::series`].
    pub series: u32,
    /// Time of the point it came with.
    pub point_unix_nano: u64,
    /// Its own time.
    pub time_unix_nano: u64,
    /// Its value; `None` when unset.
    pub value: Option<NumberValue>,
    /// `None` when not associated.
    pub trace_id: Option<[u8; 16]>,
    /// `None` when not associated.
    pub span_id: Option<[u8; 8]>,
    /// `filtered_attributes`, hot-encoded.
    pub filtered_attributes: &'a str,
}

type U64List = ListBuilder<UInt64Builder>;
type F64List = ListBuilder<Float64Builder>;

#[derive(Debug, Default)]
struct NumberPoints {
    series: UInt32Builder,
    time: TimeBuilder,
    start: TimeBuilder,
    flags: UInt32Builder,
    value_int: Int64Builder,
    value_double: Float64Builder,
}

#[derive(Debug, Default)]
struct HistogramPoints {
    series: UInt32Builder,
    time: TimeBuilder,
    start: TimeBuilder,
    flags: UInt32Builder,
    count: UInt64Builder,
    sum: Float64Builder,
    min: Float64Builder,
    max: Float64Builder,
    bucket_counts: U64List,
    explicit_bounds: F64List,
    scale: Int32Builder,
    zero_count: UInt64Builder,
    zero_threshold: Float64Builder,
    positive_offset: Int32Builder,
    positive_counts: U64List,
    negative_offset: Int32Builder,
    negative_counts: U64List,
    quantiles: F64List,
    quantile_values: F64List,
}

#[derive(Debug, Default)]
struct Exemplars {
    series: UInt32Builder,
    point_time: TimeBuilder,
    time: TimeBuilder,
    value_int: Int64Builder,
    value_double: Float64Builder,
    trace_id: StringBuilder,
    span_id: StringBuilder,
    filtered_attributes: StringBuilder,
}

/// Metric streams with their points and exemplars.
#[derive(Debug, Default)]
pub struct MetricColumns {
    /// Streams, by the index points refer to.
    pub series: Vec<SeriesRow>,
    numbers: NumberPoints,
    histograms: HistogramPoints,
    exemplars: Exemplars,
}

/// What [`MetricColumns::finish`] leaves: one record batch a hot table, empty ones included.
#[derive(Debug)]
pub struct MetricBatches {
    /// Streams, by the index points refer to.
    pub series: Vec<SeriesRow>,
    /// Hot table `number_points`.
    pub numbers: RecordBatch,
    /// Hot table `histogram_points`.
    pub histograms: RecordBatch,
    /// Hot table `exemplars`.
    pub exemplars: RecordBatch,
}

fn u64_list(builder: &mut U64List, values: Option<&[u64]>) {
    builder.append_option(values.map(|values| values.iter().copied().map(Some)));
}

fn f64_list(builder: &mut F64List, values: Option<&[f64]>) {
    builder.append_option(values.map(|values| values.iter().copied().map(Some)));
}

fn number(int: &mut Int64Builder, double: &mut Float64Builder, value: Option<NumberValue>) {
    int.append_option(match value {
        Some(NumberValue::Int(value)) => Some(value),
        _ => None,
    });
    double.append_option(match value {
        Some(NumberValue::Double(value)) => Some(value),
        _ => None,
    });
}

impl MetricColumns {
    /// Adds a gauge's or sum's point.
    pub fn push_number(&mut self, row: &NumberPointRow) {
        let points = &mut self.numbers;
        points.series.append_value(row.series);
        points.time.push(row.time_unix_nano);
        points.start.push(row.start_unix_nano);
        points.flags.append_value(row.flags);
        number(&mut points.value_int, &mut points.value_double, row.value);
    }

    /// Adds a histogram's, exponential histogram's or summary's point.
    pub fn push_histogram(&mut self, row: &HistogramPointRow<'_>) {
        let points = &mut self.histograms;
        points.series.append_value(row.series);
        points.time.push(row.time_unix_nano);
        points.start.push(row.start_unix_nano);
        points.flags.append_value(row.flags);
        points.count.append_value(row.count);
        points.sum.append_option(row.sum);
        points.min.append_option(row.min);
        points.max.append_option(row.max);
        u64_list(&mut points.bucket_counts, row.bucket_counts);
        f64_list(&mut points.explicit_bounds, row.explicit_bounds);
        points.scale.append_option(row.scale);
        points.zero_count.append_option(row.zero_count);
        points.zero_threshold.append_option(row.zero_threshold);
        points.positive_offset.append_option(row.positive_offset);
        u64_list(&mut points.positive_counts, row.positive_counts);
        points.negative_offset.append_option(row.negative_offset);
        u64_list(&mut points.negative_counts, row.negative_counts);
        f64_list(&mut points.quantiles, row.quantiles);
        f64_list(&mut points.quantile_values, row.quantile_values);
    }

    /// Adds an exemplar.
    pub fn push_exemplar(&mut self, row: &ExemplarRow<'_>) {
        let exemplars = &mut self.exemplars;
        exemplars.series.append_value(row.series);
        exemplars.point_time.push(row.point_unix_nano);
        exemplars.time.push(row.time_unix_nano);
        number(
            &mut exemplars.value_int,
            &mut exemplars.value_double,
            row.value,
        );
        hex_or_null(
            &mut exemplars.trace_id,
            row.trace_id.as_ref().map(<[u8; 16]>::as_slice),
        );
        hex_or_null(
            &mut exemplars.span_id,
            row.span_id.as_ref().map(<[u8; 8]>::as_slice),
        );
        exemplars
            .filtered_attributes
            .append_value(row.filtered_attributes);
    }

    /// Data points so far (exemplars do not count).
    pub fn points(&self) -> usize {
        self.numbers.series.len() + self.histograms.series.len()
    }

    /// One record batch a hot table.
    pub fn finish(self) -> MetricBatches {
        let Self {
            series,
            mut numbers,
            mut histograms,
            mut exemplars,
        } = self;
        MetricBatches {
            series,
            numbers: finish!(
                "series_ix" => numbers.series, "time" => numbers.time.time,
                "time_exception" => numbers.time.exception, "start_time" => numbers.start.time,
                "start_exception" => numbers.start.exception, "flags" => numbers.flags,
                "value_int" => numbers.value_int, "value_double" => numbers.value_double),
            histograms: finish!(
                "series_ix" => histograms.series, "time" => histograms.time.time,
                "time_exception" => histograms.time.exception, "start_time" => histograms.start.time,
                "start_exception" => histograms.start.exception, "flags" => histograms.flags,
                "count" => histograms.count, "sum" => histograms.sum, "min" => histograms.min,
                "max" => histograms.max, "bucket_counts" => histograms.bucket_counts,
                "explicit_bounds" => histograms.explicit_bounds, "scale" => histograms.scale,
                "zero_count" => histograms.zero_count, "zero_threshold" => histograms.zero_threshold,
                "positive_offset" => histograms.positive_offset,
                "positive_bucket_counts" => histograms.positive_counts,
                "negative_offset" => histograms.negative_offset,
                "negative_bucket_counts" => histograms.negative_counts,
                "quantiles" => histograms.quantiles, "quantile_values" => histograms.quantile_values),
            exemplars: finish!(
                "series_ix" => exemplars.series, "point_time" => exemplars.point_time.time,
                "point_time_exception" => exemplars.point_time.exception,
                "time" => exemplars.time.time, "time_exception" => exemplars.time.exception,
                "value_int" => exemplars.value_int, "value_double" => exemplars.value_double,
                "trace_id" => exemplars.trace_id, "span_id" => exemplars.span_id,
                "filtered_attributes" => exemplars.filtered_attributes),
        }
    }
}
