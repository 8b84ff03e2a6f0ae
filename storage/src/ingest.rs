//! What comes in: one [`Batch`] per request, already in columns.
//!
//! A batch is self-contained: rows name their resource, scope and series by an index into the batch's own
//! tables; the writer thread maps these to segment-local numbers. Attribute maps arrive as hot-encoded text
//! ([`crate::attributes`]). Nothing here knows which protocol the data came by.

mod facts;
mod recent;
mod rows;

use arrow::array::RecordBatch;

pub use facts::{PeerKind, SpanFacts, is_proxy_resource};
pub(crate) use recent::{GENERATION_MAX, RecentSpans, SpanIdentity, service_identity};
pub(crate) use rows::identity;
pub use rows::{
    ExemplarRow, HistogramPointRow, LogColumns, LogRow, MetricBatches, MetricColumns,
    NumberPointRow, NumberValue, REPORTED_SCHEMA, ResourceRow, ScopeRow, SeriesRow, SpanColumns,
    SpanRow, time_columns,
};

/// One request's worth of one signal; committed whole or not at all.
#[derive(Debug)]
pub struct Batch {
    /// Resources, by the index rows refer to.
    pub resources: Vec<ResourceRow>,
    /// Scopes, by the index rows refer to.
    pub scopes: Vec<ScopeRow>,
    /// The rows of the one signal.
    pub rows: Rows,
    /// Bytes this batch counts for in the queue (decoded request size).
    pub bytes: usize,
}

/// The rows of one signal.
#[derive(Debug)]
#[expect(
    clippy::large_enum_variant,
    reason = "one value a request, moved twice; a box would only add an allocation"
)]
pub enum Rows {
    /// Spans.
    Spans(SpanColumns),
    /// Log records.
    Logs(LogColumns),
    /// Metric streams, their points and exemplars.
    Metrics(MetricColumns),
}

/// Rows of one signal as record batches.
#[derive(Debug)]
pub(crate) enum PreparedRows {
    Spans(RecordBatch),
    Logs(RecordBatch),
    Metrics(MetricBatches),
}

impl Batch {
    /// Items as OTLP counts them: spans, log records, or data points.
    pub fn items(&self) -> usize {
        match &self.rows {
            Rows::Spans(spans) => spans.len(),
            Rows::Logs(logs) => logs.len(),
            Rows::Metrics(metrics) => metrics.points(),
        }
    }
}
