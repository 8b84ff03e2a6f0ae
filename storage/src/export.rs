//! Rows out of the store as they can be stored again: JSON objects or a Parquet file, both with the columns of
//! the public relations.
//!
//! Documents (attributes, events, links) are hot-encoded text in a string column, so that all eight kinds
//! of values survive, in any reader; metric doubles of a JSON row are text too, for JSON has no NaN.

use std::path::Path;

use arrow::array::{Array as _, AsArray as _};
use duckdb::{Connection, params};

use crate::store::{ReadError, Reader};

/// What can be exported: facts with all they refer to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Relation {
    /// `spans`.
    Spans,
    /// `logs`.
    Logs,
    /// `metric_points`, with their streams and exemplars.
    MetricPoints,
}

/// Spans; `$1` and `$2` bound their start, either may be NULL.
pub(crate) const SPANS_SQL: &str = include_str!("export/spans.sql");

impl Relation {
    fn sql(self) -> &'static str {
        match self {
            Self::Spans => SPANS_SQL,
            Self::Logs => include_str!("export/logs.sql"),
            Self::MetricPoints => include_str!("export/metric_points.sql"),
        }
    }
}

/// Event time in nanoseconds since the epoch, from inclusive, to exclusive.
#[derive(Debug, Clone, Copy, Default)]
pub struct TimeRange {
    /// `None` = from the beginning.
    pub from_unix_nano: Option<u64>,
    /// `None` = to the end.
    pub to_unix_nano: Option<u64>,
}

/// Where the statements take further rows than those of a range.
const MORE: &str = "-- {more}";

/// The statement that reads the rows of an incident, ready for the SQL guard: those of its range, and of the time from
/// `earlier_unix_nano` on what tells of a change, which are change events and the first span of each version.
///
/// A range without a beginning has nothing before it.
pub fn incident_text(relation: Relation, range: TimeRange, earlier_unix_nano: u64) -> String {
    let more = match relation {
        Relation::Spans => include_str!("export/first_of_versions.sql"),
        Relation::Logs => include_str!("export/change_events.sql"),
        Relation::MetricPoints => "",
    };
    let more = more.replace("$0", &earlier_unix_nano.to_string());
    let word = |ns: Option<u64>| ns.map_or_else(|| "NULL".to_owned(), |ns| ns.to_string());
    let sql = relation.sql().replace(MORE, &more);
    sql.replace("$1", &word(range.from_unix_nano))
        .replace("$2", &word(range.to_unix_nano))
}

/// How many rows a Parquet file has.
///
/// # Errors
/// The file cannot be read.
pub fn parquet_count(path: &Path) -> Result<u64, ReadError> {
    let conn = Connection::open_in_memory()?;
    let sql = "SELECT count(*)::UBIGINT FROM read_parquet($1)";
    let count = conn.query_row(sql, params![path.to_string_lossy()], |row| row.get(0))?;
    Ok(count)
}

/// Why rows did not come out.
#[derive(Debug, thiserror::Error)]
pub enum ExportError<E: std::error::Error + 'static> {
    /// The store could not be read.
    #[error("the store could not be read")]
    Read(#[from] ReadError),
    /// The taker of rows refused one.
    #[error("a row could not be written")]
    Row(#[source] E),
}

/// Hands every row to `each` as one JSON object, ordered by resource and scope. Streams: memory does not grow
/// with the number of rows.
///
/// # Errors
/// The store cannot be read, or `each` failed.
pub fn rows<E: std::error::Error + 'static>(
    reader: &Reader,
    relation: Relation,
    range: TimeRange,
    each: impl FnMut(&str) -> Result<(), E>,
) -> Result<u64, ExportError<E>> {
    let sql = format!("SELECT to_json(x)::VARCHAR FROM ({}) x", relation.sql());
    let views = reader.views().map_err(ReadError::Engine)?;
    stream(
        views,
        &sql,
        params![range.from_unix_nano, range.to_unix_nano],
        each,
    )
}

/// Writes the rows to a new Parquet file inside the data directory (the engine may write nowhere else).
///
/// # Errors
/// The store cannot be read or the file not be written.
pub fn parquet(
    reader: &Reader,
    relation: Relation,
    range: TimeRange,
    path: &Path,
) -> Result<u64, ReadError> {
    let sql = format!(
        "COPY ({}) TO $3 (FORMAT parquet, COMPRESSION zstd)",
        relation.sql()
    );
    let path = path.to_string_lossy();
    let written = reader.views()?.execute(
        &sql,
        params![range.from_unix_nano, range.to_unix_nano, path],
    )?;
    Ok(written as u64)
}

/// Reads a Parquet file written by [`parquet`], row by row as [`rows`] would give them.
///
/// # Errors
/// The file cannot be read, or `each` failed.
pub fn parquet_rows<E: std::error::Error + 'static>(
    path: &Path,
    each: impl FnMut(&str) -> Result<(), E>,
) -> Result<u64, ExportError<E>> {
    let conn = Connection::open_in_memory().map_err(ReadError::from)?;
    let sql = "SELECT to_json(x)::VARCHAR FROM read_parquet($1) x";
    stream(&conn, sql, params![path.to_string_lossy()], each)
}

fn stream<E: std::error::Error + 'static>(
    conn: &Connection,
    sql: &str,
    params: impl duckdb::Params,
    mut each: impl FnMut(&str) -> Result<(), E>,
) -> Result<u64, ExportError<E>> {
    let mut statement = conn.prepare(sql).map_err(ReadError::from)?;
    let mut count = 0;
    for batch in statement.stream_arrow(params).map_err(ReadError::from)? {
        let batch = batch.map_err(ReadError::from)?;
        let texts = batch.column(0).as_string::<i32>();
        for row in 0..texts.len() {
            each(texts.value(row)).map_err(ExportError::Row)?;
            count += 1;
        }
    }
    Ok(count)
}
