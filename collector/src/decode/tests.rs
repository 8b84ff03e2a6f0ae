//! The checklist of `CONFORMANCE.md` at the level of decoding: one line, one test with its id in the name.
//!
//! Inputs are JSON because it is readable; `same_rows` holds JSON and protobuf together.

mod arbitrary;
mod common_rules;
mod json_rules;
mod log_rules;
mod metric_rules;
mod same_rows;
mod span_rules;

use arrow::array::Array;
use arrow::record_batch::RecordBatch;
use arrow::util::display::array_value_to_string;
use tripline_storage::ingest::{Rows, SeriesRow};

use super::{Decoded, Logs, Metrics, Signal, Traces};

const ARRIVAL: u64 = 1_700_000_000_000_000_000;

/// The record batches of a decoded request, by table name.
struct Tables {
    decoded_rejected: u64,
    reason: String,
    resources: Vec<tripline_storage::ingest::ResourceRow>,
    scopes: Vec<tripline_storage::ingest::ScopeRow>,
    series: Vec<SeriesRow>,
    tables: Vec<RecordBatch>,
}

impl Tables {
    fn of(decoded: Decoded) -> Self {
        let (decoded_rejected, reason) = (decoded.rejected(), decoded.reason().unwrap_or_default());
        let (series, tables) = match decoded.batch.rows {
            Rows::Spans(spans) => (vec![], vec![spans.finish()]),
            Rows::Logs(logs) => (vec![], vec![logs.finish()]),
            Rows::Metrics(metrics) => {
                let batches = metrics.finish();
                (
                    batches.series,
                    vec![batches.numbers, batches.histograms, batches.exemplars],
                )
            }
        };
        Self {
            decoded_rejected,
            reason,
            resources: decoded.batch.resources,
            scopes: decoded.batch.scopes,
            series,
            tables,
        }
    }

    fn cell_of(&self, table: usize, column: &str, row: usize) -> String {
        let array = self.tables[table].column_by_name(column).expect(column);
        if array.is_null(row) {
            return "NULL".to_owned();
        }
        array_value_to_string(array, row).expect("printable")
    }

    /// A cell of the first row of the first table.
    fn cell(&self, column: &str) -> String {
        self.cell_of(0, column, 0)
    }

    fn rows(&self, table: usize) -> usize {
        self.tables[table].num_rows()
    }

    /// Everything there is, as text (`PartialEq` of floats would not hold for NaN).
    fn fingerprint(&self) -> String {
        let mut columns = Vec::new();
        for (at, table) in self.tables.iter().enumerate() {
            let names: Vec<String> = table
                .schema()
                .fields()
                .iter()
                .map(|field| field.name().clone())
                .collect();
            for row in 0..table.num_rows() {
                columns.extend(names.iter().map(|name| self.cell_of(at, name, row)));
            }
        }
        format!(
            "{} {} {:?} {:?} {:?} {columns:?}",
            self.decoded_rejected, self.reason, self.resources, self.scopes, self.series
        )
    }
}

fn tables<S: Signal>(json: &str) -> Tables {
    Tables::of(S::from_json(json.as_bytes(), ARRIVAL).expect("valid OTLP/JSON"))
}

const IDS: &str = r#""traceId":"5b8efff798038103d269b633813fc60c","spanId":"eee19b7ec3c1b174""#;

/// A request of one span with these fields besides its ids.
fn span(fields: &str) -> Tables {
    let comma = if fields.is_empty() { "" } else { "," };
    tables::<Traces>(&format!(
        r#"{{"resourceSpans":[{{"scopeSpans":[{{"spans":[{{{IDS}{comma}{fields}}}]}}]}}]}}"#
    ))
}

/// A request of one log record.
fn log(fields: &str) -> Tables {
    tables::<Logs>(&format!(
        r#"{{"resourceLogs":[{{"scopeLogs":[{{"logRecords":[{{{fields}}}]}}]}}]}}"#
    ))
}

/// A request of one metric.
fn metric(fields: &str) -> Tables {
    tables::<Metrics>(&format!(
        r#"{{"resourceMetrics":[{{"scopeMetrics":[{{"metrics":[{{"name":"m",{fields}}}]}}]}}]}}"#
    ))
}
