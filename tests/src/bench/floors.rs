//! Raw floors of the same run, in this process on one thread: decoding alone, DuckDB appending the same columns.

use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use duckdb::arrow::array::RecordBatch;
use duckdb::arrow::compute::concat_batches;
use duckdb::arrow::datatypes::{DataType, Schema};
use duckdb::{Config, Connection};
use prost::Message as _;
use tripline_collector::decode::{Signal as _, Traces};
use tripline_storage::ingest::Rows;

use super::shapes;

const ARRIVAL: u64 = 1_790_000_000_000_000_000;
/// Batches of one transaction: 10,240 spans.
const COMMIT_BATCHES: usize = 20;

/// What one span costs.
pub struct Floors {
    /// Protobuf into columns.
    pub decode: Duration,
    /// The same columns appended to a table of a file and committed, 10,240 spans a transaction.
    pub append: Duration,
}

/// CPU time per span over `batches` prepared requests.
pub fn measure(batches: u64) -> Result<Floors> {
    let bodies: Vec<Vec<u8>> = (0..batches)
        .map(|batch| shapes::spans(batch, ARRIVAL).encode_to_vec())
        .collect();
    let started = cpu()?;
    let mut columns: Vec<RecordBatch> = Vec::new();
    for body in &bodies {
        match Traces::from_protobuf(body, ARRIVAL)?.batch.rows {
            Rows::Spans(spans) => columns.push(spans.finish()),
            _ => bail!("these are spans"),
        }
    }
    let decode = cpu()? - started;
    let spans = columns.iter().map(RecordBatch::num_rows).sum::<usize>();
    let spans = u32::try_from(spans)?.max(1);
    Ok(Floors {
        decode: decode / spans,
        append: append(&columns)? / spans,
    })
}

fn append(batches: &[RecordBatch]) -> Result<Duration> {
    let directory = tempfile::tempdir()?;
    let conn = Connection::open_with_flags(
        directory.path().join("floor.duckdb"),
        Config::default().threads(1)?,
    )?;
    // As the server's writer has it: no checkpoint among the commits.
    conn.execute_batch("SET checkpoint_threshold = '1TB'")?;
    let schema = batches.first().context("no batches")?.schema();
    conn.execute_batch(&create(&schema)?)?;
    let started = cpu()?;
    for group in batches.chunks(COMMIT_BATCHES) {
        conn.execute_batch("BEGIN")?;
        let mut appender = conn.appender("spans")?;
        appender.append_record_batch(concat_batches(&schema, group)?)?;
        appender.flush()?;
        drop(appender);
        conn.execute_batch("COMMIT")?;
    }
    Ok(cpu()? - started)
}

fn create(schema: &Schema) -> Result<String> {
    let mut columns = Vec::new();
    for field in schema.fields() {
        let sql_type = match field.data_type() {
            DataType::Utf8 => "VARCHAR",
            DataType::Boolean => "BOOLEAN",
            DataType::UInt8 => "UTINYINT",
            DataType::UInt16 => "USMALLINT",
            DataType::UInt32 => "UINTEGER",
            DataType::UInt64 => "UBIGINT",
            DataType::Int64 => "BIGINT",
            DataType::Float64 => "DOUBLE",
            DataType::Timestamp(_, _) => "TIMESTAMP_NS",
            other => bail!("no column type for {other}"),
        };
        columns.push(format!("\"{}\" {sql_type}", field.name()));
    }
    Ok(format!("CREATE TABLE spans ({})", columns.join(", ")))
}

/// What this thread has computed so far, from the kernel.
pub fn cpu() -> Result<Duration> {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat")?;
    let nanos = text.split(' ').next().context("schedstat is empty")?;
    Ok(Duration::from_nanos(nanos.parse()?))
}
