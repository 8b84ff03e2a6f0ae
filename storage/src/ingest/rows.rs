//! Rows as a decoder hands them over, and the Arrow columns they become.
//!
//! Times are nanoseconds since the Unix epoch as OTLP sends them (`u64`, 0 = unknown). A column pair holds
//! each: a nullable TIMESTAMP_NS, and an *exception* that keeps the number when the timestamp cannot
//! (0, beyond `i64`, or a time that was filled in); see [`time_columns`].

use std::sync::Arc;

use arrow::array::{
    ArrayBuilder, ArrayRef, BooleanBuilder, Float64Builder, Int32Builder, Int64Builder,
    ListBuilder, StringBuilder, TimestampNanosecondBuilder, UInt32Builder, UInt64Builder,
};
use arrow::datatypes::{Field, Schema};
use arrow::record_batch::RecordBatch;

use super::SpanIdentity;

/// A resource: who sent it. `id` is a hash of everything else, so equal resources have equal ids.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct ResourceRow {
    /// `service.name`.
    pub service_name: Option<String>,
    /// `service.namespace`.
    pub service_namespace: Option<String>,
    /// `service.version`.
    pub service_version: Option<String>,
    /// `service.instance.id`.
    pub service_instance_id: Option<String>,
    /// `deployment.environment.name`, else `deployment.environment`.
    pub environment: Option<String>,
    /// `k8s.cluster.name`.
    pub cluster: Option<String>,
    /// All attributes, hot-encoded.
    pub attributes: String,
    /// Schema URL of the resource.
    pub schema_url: Option<String>,
    /// `dropped_attributes_count`.
    pub dropped_attributes_count: u32,
    /// `entity_refs` as JSON text (`[{"schema_url":…,"type":…,"id_keys":[…],"description_keys":[…]}]`).
    pub entity_refs: Option<String>,
}

/// An instrumentation scope: which library wrote it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct ScopeRow {
    /// Name; empty for an unknown scope.
    pub name: String,
    /// Version.
    pub version: String,
    /// All attributes, hot-encoded.
    pub attributes: String,
    /// Schema URL of the scope and its items.
    pub schema_url: Option<String>,
    /// `dropped_attributes_count`.
    pub dropped_attributes_count: u32,
}

/// A hash that names a resource or scope in every segment (FNV-1a over the fields with separators; identity,
/// not security: rows still carry all fields).
pub(crate) fn identity<T: std::hash::Hash>(value: &T) -> u64 {
    struct Fnv(u64);
    impl std::hash::Hasher for Fnv {
        fn finish(&self) -> u64 {
            self.0
        }
        fn write(&mut self, bytes: &[u8]) {
            for byte in bytes {
                self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
            }
        }
    }
    use std::hash::Hasher as _;
    let mut hasher = Fnv(0xcbf2_9ce4_8422_2325);
    value.hash(&mut hasher);
    hasher.finish()
}

impl ResourceRow {
    /// The public `resource_id`.
    pub fn id(&self) -> u64 {
        identity(self)
    }
}

impl ScopeRow {
    /// The public `scope_id`.
    pub fn id(&self) -> u64 {
        identity(self)
    }
}

/// Splits an OTLP time into (TIMESTAMP_NS value, exception): a representable non-zero time has no exception.
pub fn time_columns(unix_nano: u64) -> (Option<i64>, Option<u64>) {
    match i64::try_from(unix_nano) {
        Ok(nanos) if nanos > 0 => (Some(nanos), None),
        _ => (None, Some(unix_nano)),
    }
}

/// One span. Ids are checked by the caller: never all-zero.
#[derive(Debug, Clone, Default)]
pub struct SpanRow<'a> {
    /// Index into [`super::Batch::resources`].
    pub resource: u32,
    /// Index into [`super::Batch::scopes`].
    pub scope: u32,
    /// 16 bytes.
    pub trace_id: [u8; 16],
    /// 8 bytes.
    pub span_id: [u8; 8],
    /// `None` for a root.
    pub parent_span_id: Option<[u8; 8]>,
    /// Verbatim.
    pub trace_state: &'a str,
    /// All 32 bits, as sent.
    pub flags: u32,
    /// Name.
    pub name: &'a str,
    /// Lower-case word (`server`), or the number as text when unknown to us.
    pub kind: &'a str,
    /// Nanoseconds since the epoch.
    pub start_unix_nano: u64,
    /// Nanoseconds since the epoch.
    pub end_unix_nano: u64,
    /// Lower-case word: `unset`, `ok`, `error`, or the number as text.
    pub status_code: &'a str,
    /// Message of the status.
    pub status_message: &'a str,
    /// Hot-encoded map.
    pub attributes: &'a str,
    /// Hot-encoded array of `{"time_unix_nano","name","attributes","dropped_attributes_count"}`, or `None`.
    pub events: Option<&'a str>,
    /// Hot-encoded array of `{"trace_id","span_id","trace_state","attributes","dropped_attributes_count","flags"}`.
    pub links: Option<&'a str>,
    /// Dropped attributes.
    pub dropped_attributes_count: u32,
    /// Dropped events.
    pub dropped_events_count: u32,
    /// Dropped links.
    pub dropped_links_count: u32,
    /// Callee named by the span.
    pub peer: Option<&'a str>,
    /// [`super::PeerKind::as_str`].
    pub peer_kind: Option<&'a str>,
    /// Written by a proxy beside the application.
    pub sidecar: bool,
    /// Spans this one stands for.
    pub weight: Option<f64>,
}

/// One log record.
#[derive(Debug, Clone, Default)]
pub struct LogRow<'a> {
    /// Index into [`super::Batch::resources`].
    pub resource: u32,
    /// Index into [`super::Batch::scopes`].
    pub scope: u32,
    /// As sent; 0 = unknown.
    pub time_unix_nano: u64,
    /// As sent; 0 = unknown.
    pub observed_unix_nano: u64,
    /// When we received it; the effective time when both others are 0.
    pub arrival_unix_nano: u64,
    /// As sent.
    pub severity_number: i32,
    /// Verbatim.
    pub severity_text: &'a str,
    /// Marks an event.
    pub event_name: &'a str,
    /// A string body verbatim, any other kind hot-encoded, `None` when absent.
    pub body: Option<&'a str>,
    /// Kind of the body: `string`, `bool`, `int`, `double`, `bytes`, `array`, `kvlist`, `empty`; `None` when absent.
    pub body_type: Option<&'a str>,
    /// `None` when not associated.
    pub trace_id: Option<[u8; 16]>,
    /// `None` when not associated.
    pub span_id: Option<[u8; 8]>,
    /// All 32 bits, as sent.
    pub flags: u32,
    /// Hot-encoded map.
    pub attributes: &'a str,
    /// Dropped attributes.
    pub dropped_attributes_count: u32,
}

/// One metric stream; identity is every field but description and metadata.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct SeriesRow {
    /// Index into [`super::Batch::resources`].
    pub resource: u32,
    /// Index into [`super::Batch::scopes`].
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

/// A pair of columns for one OTLP time.
#[derive(Debug, Default)]
struct TimeBuilder {
    time: TimestampNanosecondBuilder,
    exception: UInt64Builder,
}

impl TimeBuilder {
    fn push(&mut self, unix_nano: u64) {
        let (time, exception) = time_columns(unix_nano);
        self.time.append_option(time);
        self.exception.append_option(exception);
    }
}

fn hex_into(builder: &mut StringBuilder, bytes: &[u8]) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut text = [0_u8; 32];
    for (at, byte) in bytes.iter().enumerate() {
        text[2 * at] = DIGITS[usize::from(byte >> 4)];
        text[2 * at + 1] = DIGITS[usize::from(byte & 15)];
    }
    let text = std::str::from_utf8(&text[..2 * bytes.len()]).expect("hex digits are ASCII");
    builder.append_value(text);
}

fn hex_or_null(builder: &mut StringBuilder, bytes: Option<&[u8]>) {
    match bytes {
        Some(bytes) => hex_into(builder, bytes),
        None => builder.append_null(),
    }
}

fn text_or_null(builder: &mut StringBuilder, text: &str) {
    if text.is_empty() {
        builder.append_null();
    } else {
        builder.append_value(text);
    }
}

/// Names the columns and makes the record batch; every column of the hot table in order.
fn record_batch(columns: Vec<(&'static str, ArrayRef)>) -> RecordBatch {
    let fields: Vec<Field> = columns
        .iter()
        .map(|(name, array)| Field::new(*name, array.data_type().clone(), true))
        .collect();
    let arrays = columns.into_iter().map(|(_, array)| array).collect();
    RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays).expect("columns have equal lengths")
}

macro_rules! finish {
    ($($name:literal => $builder:expr),+ $(,)?) => {
        record_batch(vec![$(($name, Arc::new($builder.finish()) as ArrayRef)),+])
    };
}

/// Columns of spans, in the order of the hot table.
#[derive(Debug, Default)]
pub struct SpanColumns {
    resource: UInt32Builder,
    scope: UInt32Builder,
    trace_id: StringBuilder,
    span_id: StringBuilder,
    parent_span_id: StringBuilder,
    trace_state: StringBuilder,
    flags: UInt32Builder,
    name: StringBuilder,
    kind: StringBuilder,
    start: TimeBuilder,
    duration_ns: Int64Builder,
    end_exception: UInt64Builder,
    status_code: StringBuilder,
    status_message: StringBuilder,
    attributes: StringBuilder,
    events: StringBuilder,
    links: StringBuilder,
    dropped_attributes_count: UInt32Builder,
    dropped_events_count: UInt32Builder,
    dropped_links_count: UInt32Builder,
    peer: StringBuilder,
    peer_kind: StringBuilder,
    sidecar: BooleanBuilder,
    weight: Float64Builder,
    identities: Vec<SpanIdentity>,
}

impl SpanColumns {
    /// Adds a span.
    pub fn push(&mut self, row: &SpanRow<'_>) {
        self.resource.append_value(row.resource);
        self.scope.append_value(row.scope);
        hex_into(&mut self.trace_id, &row.trace_id);
        hex_into(&mut self.span_id, &row.span_id);
        hex_or_null(
            &mut self.parent_span_id,
            row.parent_span_id.as_ref().map(<[u8; 8]>::as_slice),
        );
        text_or_null(&mut self.trace_state, row.trace_state);
        self.flags.append_value(row.flags);
        self.name.append_value(row.name);
        self.kind.append_value(row.kind);
        self.start.push(row.start_unix_nano);
        match (
            time_columns(row.start_unix_nano).0,
            time_columns(row.end_unix_nano).0,
        ) {
            (Some(start), Some(end)) => {
                self.duration_ns.append_value(end - start);
                self.end_exception.append_null();
            }
            _ => {
                self.duration_ns.append_null();
                self.end_exception.append_value(row.end_unix_nano);
            }
        }
        self.status_code.append_value(row.status_code);
        text_or_null(&mut self.status_message, row.status_message);
        self.attributes.append_value(row.attributes);
        self.events.append_option(row.events);
        self.links.append_option(row.links);
        self.dropped_attributes_count
            .append_value(row.dropped_attributes_count);
        self.dropped_events_count
            .append_value(row.dropped_events_count);
        self.dropped_links_count
            .append_value(row.dropped_links_count);
        self.peer.append_option(row.peer);
        self.peer_kind.append_option(row.peer_kind);
        self.sidecar.append_value(row.sidecar);
        self.weight.append_option(row.weight);
        self.identities.push(SpanIdentity::new(
            row.trace_id,
            row.span_id,
            row.start_unix_nano,
        ));
    }

    /// Spans so far.
    pub fn len(&self) -> usize {
        self.resource.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// What names each span, but for its service.
    pub(crate) fn take_identities(&mut self) -> Vec<SpanIdentity> {
        std::mem::take(&mut self.identities)
    }

    /// The columns, in the order of the hot table `spans`, all but the last: only the writer knows `resent`.
    pub fn finish(mut self) -> RecordBatch {
        finish!(
            "resource_ix" => self.resource, "scope_ix" => self.scope, "trace_id" => self.trace_id,
            "span_id" => self.span_id, "parent_span_id" => self.parent_span_id,
            "trace_state" => self.trace_state, "flags" => self.flags, "name" => self.name,
            "kind" => self.kind, "start_time" => self.start.time,
            "start_exception" => self.start.exception, "duration_ns" => self.duration_ns,
            "end_exception" => self.end_exception, "status_code" => self.status_code,
            "status_message" => self.status_message, "attributes" => self.attributes,
            "events" => self.events, "links" => self.links,
            "dropped_attributes_count" => self.dropped_attributes_count,
            "dropped_events_count" => self.dropped_events_count,
            "dropped_links_count" => self.dropped_links_count, "peer" => self.peer,
            "peer_kind" => self.peer_kind, "sidecar" => self.sidecar, "weight" => self.weight)
    }
}

/// Columns of log records, in the order of the hot table.
#[derive(Debug, Default)]
pub struct LogColumns {
    resource: UInt32Builder,
    scope: UInt32Builder,
    time: TimestampNanosecondBuilder,
    time_exception: UInt64Builder,
    observed: TimeBuilder,
    severity_number: Int32Builder,
    severity_text: StringBuilder,
    event_name: StringBuilder,
    body: StringBuilder,
    body_type: StringBuilder,
    trace_id: StringBuilder,
    span_id: StringBuilder,
    flags: UInt32Builder,
    attributes: StringBuilder,
    dropped_attributes_count: UInt32Builder,
}

impl LogColumns {
    /// Adds a record. Its effective time is its own, else the observed, else the arrival's.
    pub fn push(&mut self, row: &LogRow<'_>) {
        self.resource.append_value(row.resource);
        self.scope.append_value(row.scope);
        let effective = [
            row.time_unix_nano,
            row.observed_unix_nano,
            row.arrival_unix_nano,
        ]
        .into_iter()
        .find_map(|unix_nano| time_columns(unix_nano).0);
        self.time.append_option(effective);
        self.time_exception
            .append_option(time_columns(row.time_unix_nano).1);
        self.observed.push(row.observed_unix_nano);
        self.severity_number.append_value(row.severity_number);
        text_or_null(&mut self.severity_text, row.severity_text);
        text_or_null(&mut self.event_name, row.event_name);
        self.body.append_option(row.body);
        self.body_type.append_option(row.body_type);
        hex_or_null(
            &mut self.trace_id,
            row.trace_id.as_ref().map(<[u8; 16]>::as_slice),
        );
        hex_or_null(
            &mut self.span_id,
            row.span_id.as_ref().map(<[u8; 8]>::as_slice),
        );
        self.flags.append_value(row.flags);
        self.attributes.append_value(row.attributes);
        self.dropped_attributes_count
            .append_value(row.dropped_attributes_count);
    }

    /// Records so far.
    pub fn len(&self) -> usize {
        self.resource.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The columns, in the order of the hot table `logs`.
    pub fn finish(mut self) -> RecordBatch {
        finish!(
            "resource_ix" => self.resource, "scope_ix" => self.scope, "time" => self.time,
            "time_exception" => self.time_exception, "observed_time" => self.observed.time,
            "observed_exception" => self.observed.exception,
            "severity_number" => self.severity_number, "severity_text" => self.severity_text,
            "event_name" => self.event_name, "body" => self.body, "body_type" => self.body_type,
            "trace_id" => self.trace_id, "span_id" => self.span_id, "flags" => self.flags,
            "attributes" => self.attributes,
            "dropped_attributes_count" => self.dropped_attributes_count)
    }
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
