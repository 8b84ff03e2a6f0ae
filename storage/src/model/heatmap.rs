//! Durations over time, and what tells some spans from the others.

use serde::{Deserialize, Serialize};

use super::{TimeRange, TraceQuery, exact};

/// Asks how long the spans that fit took, over time.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct HeatmapQuery {
    /// Which spans; its range must be given.
    pub spans: TraceQuery,
    /// Steps of time.
    pub columns: u32,
}

/// Spans by start and duration. Row `r` holds durations from 2^(r/2) ns to below 2^((r+1)/2) ns.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Heatmap {
    /// Start of the first column.
    #[serde(with = "exact")]
    pub from_unix_nano: i64,
    /// Width of a column.
    #[serde(with = "exact")]
    pub column_ns: i64,
    /// Columns.
    pub columns: u32,
    /// Cells with spans in them, by column and row.
    pub cells: Vec<HeatmapCell>,
    /// Spans that fit, each once.
    pub spans: u64,
}

/// One cell.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct HeatmapCell {
    /// From 0.
    pub column: u32,
    /// From 0.
    pub row: u32,
    /// Spans in it.
    pub spans: u64,
    /// Of these, failed.
    pub errors: u64,
}

impl Heatmap {
    /// Shortest duration of a row, nanoseconds.
    pub fn row_from_ns(row: u32) -> u64 {
        2_f64.powf(f64::from(row) / 2.0).ceil() as u64
    }
}

/// Asks what tells the spans of a box in the heatmap from the other spans that fit.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct DifferencesQuery {
    /// Which spans; its range must be given.
    pub spans: TraceQuery,
    /// The box.
    pub selection: Selection,
}

/// A box in the heatmap: from inclusive, to exclusive.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Selection {
    /// Start of the spans.
    #[serde(with = "exact")]
    pub from_unix_nano: i64,
    /// Start of the spans, exclusive.
    #[serde(with = "exact")]
    pub to_unix_nano: i64,
    /// Shortest.
    #[serde(with = "exact")]
    pub min_ns: i64,
    /// Longest, exclusive.
    #[serde(with = "exact")]
    pub max_ns: i64,
}

impl Selection {
    /// The time of it.
    pub fn range(&self) -> TimeRange {
        TimeRange {
            from_unix_nano: self.from_unix_nano,
            to_unix_nano: self.to_unix_nano,
        }
    }
}

/// Attributes by how differently they are spread.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Differences {
    /// Spans of the box looked at.
    pub selected: u64,
    /// Other spans looked at.
    pub others: u64,
    /// There were more: these are samples, the same ones for the same data.
    pub is_sampled: bool,
    /// The greatest difference first.
    pub items: Vec<Difference>,
    /// Differences in all, those that were left out of the list included.
    #[serde(default)]
    pub total: u64,
}

/// One value of one attribute or field.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Difference {
    /// Its name as a filter has it: `http.route`, `resource.k8s.pod.name`, `service`.
    pub key: String,
    /// Its value as a filter has it.
    pub value: String,
    /// Spans of the box with it.
    pub selected: u64,
    /// Other spans with it.
    pub others: u64,
    /// Share among the selected minus share among the others, -1 to 1.
    pub difference: f64,
    /// A filter that finds it: `key = value`.
    pub filter: String,
}
