//! The formats of an answer, written as rows come.
//!
//! Guarantee: an answer cut short by a failure is no valid document of its format. JSON and Parquet miss their
//! end; CSV, NDJSON and Arrow streams, which have none, get an ending no parser accepts.

mod cell;
pub(crate) mod civil;
mod csv;
mod json;
mod table;

use std::sync::Arc;
use std::time::Duration;

use arrow::datatypes::{Schema, SchemaRef};
use arrow::ipc::writer::StreamWriter;
use arrow::record_batch::RecordBatch;
use parquet::arrow::ArrowWriter;

use super::SqlError;
pub use csv::cell as csv_cell;

/// A format of the answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Format {
    /// One JSON document: columns, rows, whether it was cut, how long it took.
    #[default]
    Json,
    /// RFC 4180 with a header, cells neutralised against formulas.
    Csv,
    /// One JSON object a line.
    Ndjson,
    /// Arrow IPC stream.
    Arrow,
    /// Parquet.
    Parquet,
    /// Aligned text for a terminal.
    Table,
}

impl Format {
    /// Its media type.
    pub fn media_type(self) -> &'static str {
        match self {
            Self::Json => "application/json",
            Self::Csv => "text/csv; charset=utf-8; header=present",
            Self::Ndjson => "application/x-ndjson",
            Self::Arrow => "application/vnd.apache.arrow.stream",
            Self::Parquet => "application/vnd.apache.parquet",
            Self::Table => "text/plain; charset=utf-8",
        }
    }

    /// The format of a media type (without parameters, lower case).
    pub fn of_media_type(media_type: &str) -> Option<Self> {
        Some(match media_type {
            "application/json" | "application/*" | "*/*" => Self::Json,
            "text/csv" | "text/*" => Self::Csv,
            "application/x-ndjson" | "application/ndjson" | "application/jsonl" => Self::Ndjson,
            "application/vnd.apache.arrow.stream" => Self::Arrow,
            "application/vnd.apache.parquet" => Self::Parquet,
            "text/plain" => Self::Table,
            _ => return None,
        })
    }
}

/// A column of a result.
#[derive(Debug, Clone)]
pub(super) struct Column {
    /// Its name; several may have the same.
    pub(super) name: String,
    /// Its type as DuckDB prints it.
    pub(super) sql_type: String,
}

impl Column {
    pub(super) fn text(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            sql_type: "VARCHAR".to_owned(),
        }
    }

    /// Whether it is or contains a VARIANT.
    pub(super) fn has_variant(&self) -> bool {
        self.sql_type.contains("VARIANT")
    }

    /// Whether nothing outside of DuckDB holds its values: Arrow has them as the bytes inside, without their offset, or
    /// with one bit less than they need.
    pub(super) fn is_of_the_engine(&self) -> bool {
        matches!(
            self.sql_type.as_str(),
            "BIT" | "BIGNUM" | "UHUGEINT" | "TIME WITH TIME ZONE"
        )
    }

    /// Whether its text is JSON.
    fn is_json(&self) -> bool {
        self.sql_type == "JSON" || self.has_variant()
    }
}

/// What a format that can say so says at its end.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ending {
    pub(super) truncated: bool,
    pub(super) elapsed: Duration,
}

/// What of a batch was written.
#[derive(Debug, Clone, Copy)]
pub(super) struct Written {
    pub(super) rows: usize,
}

/// A result being written.
pub(super) enum Encoder {
    Json {
        columns: Vec<Column>,
        text: Vec<u8>,
        is_first: bool,
    },
    Csv {
        columns: Vec<Column>,
        text: Vec<u8>,
    },
    Ndjson {
        columns: Vec<Column>,
        keys: Vec<String>,
        text: Vec<u8>,
    },
    Arrow {
        schema: SchemaRef,
        writer: Box<StreamWriter<Vec<u8>>>,
    },
    Parquet {
        schema: SchemaRef,
        writer: Box<ArrowWriter<Vec<u8>>>,
    },
    Table(table::Table),
}

impl Encoder {
    pub(super) fn new(
        format: Format,
        columns: Vec<Column>,
        schema: &SchemaRef,
    ) -> Result<Self, SqlError> {
        Ok(match format {
            Format::Json => Self::Json {
                text: json::head(&columns),
                columns,
                is_first: true,
            },
            Format::Csv => Self::Csv {
                text: csv::head(&columns),
                columns,
            },
            Format::Ndjson => Self::Ndjson {
                keys: json::keys(&columns),
                columns,
                text: Vec::new(),
            },
            Format::Arrow => {
                let schema = named(schema, columns.iter().map(|column| &column.name));
                let writer = StreamWriter::try_new(Vec::new(), &schema).map_err(unsupported)?;
                Self::Arrow {
                    schema,
                    writer: Box::new(writer),
                }
            }
            Format::Parquet => {
                // Its writer panics where it should refuse.
                if let Some(column) = columns.iter().find(|c| c.sql_type.contains("UNION(")) {
                    return Err(unsupported(format!("{} is a UNION", column.name)));
                }
                // Readers find its columns by name.
                let keys = json::keys(&columns);
                let schema = named(schema, keys.iter());
                let writer = ArrowWriter::try_new(Vec::new(), Arc::clone(&schema), None)
                    .map_err(unsupported)?;
                Self::Parquet {
                    schema,
                    writer: Box::new(writer),
                }
            }
            Format::Table => Self::Table(table::Table::new(columns)),
        })
    }

    /// Writes rows until `bytes_max` more are pending.
    pub(super) fn write(
        &mut self,
        batch: &RecordBatch,
        bytes_max: usize,
    ) -> Result<Written, SqlError> {
        let rows = batch.num_rows();
        match self {
            Self::Json {
                columns,
                text,
                is_first,
            } => {
                for row in 0..rows {
                    if text.len() >= bytes_max {
                        return Ok(Written { rows: row });
                    }
                    if !std::mem::replace(is_first, false) {
                        text.push(b',');
                    }
                    json::row(text, columns, batch, row);
                }
            }
            Self::Csv { columns, text } => {
                for row in 0..rows {
                    if text.len() >= bytes_max {
                        return Ok(Written { rows: row });
                    }
                    csv::row(text, columns, batch, row);
                }
            }
            Self::Ndjson {
                columns,
                keys,
                text,
            } => {
                for row in 0..rows {
                    if text.len() >= bytes_max {
                        return Ok(Written { rows: row });
                    }
                    json::object_row(text, columns, keys, batch, row);
                }
            }
            Self::Arrow { schema, writer } => {
                if writer.get_ref().len() >= bytes_max {
                    return Ok(Written { rows: 0 });
                }
                writer
                    .write(&renamed(schema, batch)?)
                    .map_err(unsupported)?;
            }
            Self::Parquet { schema, writer } => {
                if writer.bytes_written() + writer.in_progress_size() >= bytes_max {
                    return Ok(Written { rows: 0 });
                }
                writer
                    .write(&renamed(schema, batch)?)
                    .map_err(unsupported)?;
                if writer.in_progress_size() > PARQUET_GROUP_BYTES {
                    writer.flush().map_err(unsupported)?;
                }
            }
            Self::Table(table) => {
                return Ok(Written {
                    rows: table.write(batch, bytes_max),
                });
            }
        }
        Ok(Written { rows })
    }

    /// Bytes ready to be handed on.
    pub(super) fn pending(&self) -> usize {
        match self {
            Self::Json { text, .. } | Self::Csv { text, .. } | Self::Ndjson { text, .. } => {
                text.len()
            }
            Self::Arrow { writer, .. } => writer.get_ref().len(),
            Self::Parquet { writer, .. } => writer.inner().len(),
            Self::Table(_) => 0,
        }
    }

    /// Takes the bytes that are ready.
    pub(super) fn take(&mut self) -> Vec<u8> {
        match self {
            Self::Json { text, .. } | Self::Csv { text, .. } | Self::Ndjson { text, .. } => {
                std::mem::take(text)
            }
            Self::Arrow { writer, .. } => std::mem::take(writer.get_mut()),
            Self::Parquet { writer, .. } => std::mem::take(writer.inner_mut()),
            Self::Table(_) => Vec::new(),
        }
    }

    /// The rest of a complete answer.
    pub(super) fn finish(self, ending: Ending) -> Result<Vec<u8>, SqlError> {
        Ok(match self {
            Self::Json { mut text, .. } => {
                json::tail(&mut text, ending);
                text
            }
            Self::Csv { text, .. } | Self::Ndjson { text, .. } => text,
            Self::Arrow { mut writer, .. } => {
                writer.finish().map_err(unsupported)?;
                std::mem::take(writer.get_mut())
            }
            Self::Parquet { writer, .. } => writer.into_inner().map_err(unsupported)?,
            Self::Table(table) => table.finish(ending),
        })
    }

    /// What makes a broken answer look broken.
    pub(super) fn broken(self) -> Vec<u8> {
        match self {
            // Their end is missing.
            Self::Json { .. } | Self::Parquet { .. } | Self::Table(_) => Vec::new(),
            // A quoted cell that never ends.
            Self::Csv { .. } => b"\"the result ends here because the query failed".to_vec(),
            // An object that never ends.
            Self::Ndjson { .. } => {
                b"{\"error\":\"the result ends here because the query failed\"".to_vec()
            }
            // A message that is announced and does not come.
            Self::Arrow { .. } => vec![0xFF, 0xFF, 0xFF, 0xFF, 0, 1, 0, 0],
        }
    }
}

/// Bytes of a Parquet row group in memory before it is written.
const PARQUET_GROUP_BYTES: usize = 16 << 20;

/// The schema with these names of its columns (a rewritten statement has names of ours).
fn named<'a>(schema: &SchemaRef, names: impl Iterator<Item = &'a String>) -> SchemaRef {
    let fields: Vec<_> = schema
        .fields()
        .iter()
        .zip(names)
        .map(|(field, name)| Arc::new(field.as_ref().clone().with_name(name)))
        .collect();
    Arc::new(Schema::new(fields))
}

fn renamed(schema: &SchemaRef, batch: &RecordBatch) -> Result<RecordBatch, SqlError> {
    RecordBatch::try_new(Arc::clone(schema), batch.columns().to_vec()).map_err(unsupported)
}

fn unsupported(error: impl std::fmt::Display) -> SqlError {
    SqlError::Unsupported {
        message: format!(
            "the format cannot hold this result ({error}); cast the column, for example to VARCHAR"
        ),
    }
}
