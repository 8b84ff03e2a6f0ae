//! Rows as a decoder hands them over, and the Arrow columns they become.
//!
//! Times are nanoseconds since the Unix epoch as OTLP sends them (`u64`, 0 = unknown). A column pair holds
//! each: a nullable TIMESTAMP_NS, and an *exception* that keeps the number when the timestamp cannot
//! (0, beyond `i64`, or a time that was filled in); see [`time_columns`].

/// Finishes builders into a record batch of these columns; for the modules below.
macro_rules! finish {
    ($($name:literal => $builder:expr),+ $(,)?) => {
        super::record_batch(vec![$(($name, ::std::sync::Arc::new($builder.finish()) as ::arrow::array::ArrayRef)),+])
    };
}

mod logs;
mod metrics;
mod spans;

use std::sync::Arc;

use arrow::array::{ArrayRef, StringBuilder, TimestampNanosecondBuilder, UInt64Builder};
use arrow::datatypes::{Field, Schema};
use arrow::record_batch::RecordBatch;

pub use logs::{LogColumns, LogRow};
pub use metrics::{
    ExemplarRow, HistogramPointRow, MetricBatches, MetricColumns, NumberPointRow, NumberValue,
    SeriesRow,
};
pub use spans::{SpanColumns, SpanRow};

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

/// Schema URL of a resource that is no sender: a change reported to the API is kept with the service it is about, which
/// did not say it itself and is listed only if it sends something.
pub const REPORTED_SCHEMA: &str = "tripline:reported";

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
