//! Running a statement that passed the guard: values of its PIVOTs, types of its columns, then its rows, in
//! the format asked for, until a bound is reached.

use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use arrow::record_batch::RecordBatch;
use duckdb::{ArrowStream, Connection};

use super::gate::FUNCTION_SCHEMA;
use super::guard::{self, Checked, CheckedKind, Pivots};
use super::output::{Column, Encoder, Ending, Format};
use super::watchdog::Watch;
use super::{Permit, SqlError};
use crate::ask;
use crate::segment::views::RELATIONS;
use crate::store::Reader;

/// What to run, and how much of it.
#[derive(Debug, Clone)]
pub struct Request {
    /// The statement.
    pub query: String,
    /// Rows at most; `None` is the default, more than the maximum is the maximum.
    pub limit: Option<u64>,
    /// Time at most, likewise.
    pub timeout: Option<Duration>,
    /// The format of the answer.
    pub format: Format,
}

/// What a complete answer was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Summary {
    /// Rows written.
    pub rows: u64,
    /// Whether there were more.
    pub truncated: bool,
    /// From the start to the last row.
    pub elapsed: Duration,
}

/// Whoever takes the bytes wants no more of them.
#[derive(Debug, Clone, Copy)]
pub struct Gone;

/// Takes the answer's bytes.
pub type Emit<'a> = dyn FnMut(Vec<u8>) -> Result<(), Gone> + 'a;

/// Relations of breakers that nothing is concluded for.
const REPORTED: [&str; 2] = ["breaker_samples", "breaker_config"];
/// Words of statements that list relations, or spell names otherwise.
const HIDING: [&str; 6] = [
    "show",
    "information_schema",
    "duckdb_",
    "pg_",
    "query_table",
    "u&",
];
/// Bytes collected before they are handed on.
const CHUNK_BYTES: usize = 64 * 1024;

impl Permit {
    /// Runs one statement on `reader` and hands the answer's bytes to `emit` as they come. After an error
    /// whatever was emitted is no complete document of its format.
    ///
    /// Of breakers it reads what pages read: what is concluded by now, with callees and traces that calls tell.
    ///
    /// The thread that calls this needs a stack of [`STACK_BYTES`]: DuckDB plans nested queries recursively.
    pub fn run(
        &self,
        reader: &Reader,
        request: &Request,
        emit: &mut Emit<'_>,
    ) -> Result<Summary, SqlError> {
        let connection = reader.connection();
        let limits = self.gate.limits();
        let timeout = request
            .timeout
            .unwrap_or(limits.timeout_default)
            .min(limits.timeout_max);
        let started = Instant::now();
        let checked = guard::check(&request.query)?;
        let watch = self
            .gate
            .watchdog()
            .watch(connection.interrupt_handle(), timeout);
        let mut run = Run {
            connection,
            watch: &watch,
            started,
            rows_left: request
                .limit
                .unwrap_or(limits.rows_default)
                .min(limits.rows_max),
            bytes_left: limits.bytes_max,
            rows: 0,
            emitted: false,
        };
        provide(reader, &request.query)
            .and_then(|()| run.statement(&checked, request.format, emit))
            .map_err(|error| match error {
                SqlError::Gone => SqlError::Gone,
                error => watch.stopped().unwrap_or(error),
            })
    }
}

/// Makes the relations that a statement names, and draws the conclusions about breakers that it asks for. One that hides
/// names finds every relation, of breakers the views, which lack what only calls tell.
fn provide(reader: &Reader, query: &str) -> Result<(), SqlError> {
    let mut query = query.to_ascii_lowercase();
    let named: Vec<&str> = RELATIONS
        .iter()
        .map(|(name, _)| *name)
        .filter(|name| query.contains(name))
        .collect();
    // Of a relation that is not there the engine names those that are. To make them all takes most of a second.
    let is_unknown = named.is_empty() && query.contains("from");
    if is_unknown || HIDING.iter().any(|word| query.contains(word)) {
        reader.views()?;
    }
    for relation in REPORTED {
        query = query.replace(relation, "");
    }
    let is_concluded = |name: &&str| name.starts_with("breaker") && !REPORTED.contains(name);
    if query.contains("breaker_") || query.contains("breakers") {
        reader.conclude()?;
    }
    let others: Vec<&str> = named
        .into_iter()
        .filter(|name| !is_concluded(name))
        .collect();
    Ok(reader.provide(&others)?)
}

/// Lines above a statement when it runs: one of [`readable`], one of [`ask::unplanned`].
const WRAPPING_LINES: usize = 2;

/// Stack for [`Permit::run`].
pub const STACK_BYTES: usize = 64 << 20;

struct Run<'a> {
    connection: &'a Connection,
    watch: &'a Watch,
    started: Instant,
    rows_left: u64,
    bytes_left: u64,
    rows: u64,
    emitted: bool,
}

impl Run<'_> {
    fn statement(
        &mut self,
        checked: &Checked,
        format: Format,
        emit: &mut Emit<'_>,
    ) -> Result<Summary, SqlError> {
        self.find_our_functions()?;
        let text = match checked.kind() {
            CheckedKind::Query | CheckedKind::Explain => checked.text().to_owned(),
            CheckedKind::Pivot(pivots) => self.completed(pivots)?,
        };
        let (text, columns) = match checked.kind() {
            CheckedKind::Explain => (
                self.planned(&text),
                vec![Column::text("explain_key"), Column::text("explain_value")],
            ),
            CheckedKind::Query | CheckedKind::Pivot(_) => self.described_with_numbers(text)?,
        };
        if matches!(checked.kind(), CheckedKind::Explain) {
            let mut statement = self.connection.prepare(&text)?;
            let batches = statement.stream_arrow([])?;
            return self.rows(batches, columns, format, emit);
        }
        let text = guard::check(&readable(&text, &columns))?.text().to_owned();
        let wrapped = |error: duckdb::Error| SqlError::from(error).below(WRAPPING_LINES);
        let sql = ask::unplanned(&text, "?");
        let mut statement = self.connection.prepare(&sql).map_err(wrapped)?;
        let batches = statement.stream_arrow([""]).map_err(wrapped)?;
        self.rows(batches, columns, format, emit)
            .map_err(|error| error.below(WRAPPING_LINES))
    }

    /// Our functions come after the relations in the search path, and before DuckDB's.
    fn find_our_functions(&self) -> Result<(), SqlError> {
        let path: String =
            self.connection
                .query_row("SELECT current_setting('search_path')", [], |row| {
                    row.get(0)
                })?;
        if path.split(',').any(|schema| schema == FUNCTION_SCHEMA) {
            return Ok(());
        }
        let path = if path.is_empty() {
            "main".to_owned()
        } else {
            path.replace('\'', "''")
        };
        Ok(self
            .connection
            .execute_batch(&format!("SET search_path = '{path},{FUNCTION_SCHEMA}'"))?)
    }

    /// The statement with the values of all its PIVOTs, one PIVOT after the other.
    fn completed(&self, first: &Pivots) -> Result<String, SqlError> {
        let mut checked = guard::check(&self.with_values(first)?)?;
        while let CheckedKind::Pivot(next) = checked.kind() {
            checked = guard::check(&self.with_values(next)?)?;
        }
        Ok(checked.text().to_owned())
    }

    fn with_values(&self, pivots: &Pivots) -> Result<String, SqlError> {
        let mut values: Vec<Vec<String>> = Vec::new();
        for lookup in pivots.lookups() {
            let checked = guard::check(&lookup)?;
            let mut statement = self.connection.prepare(checked.text())?;
            let found = statement
                .query_map([], |row| row.get::<_, String>(0))?
                .collect::<Result<Vec<_>, _>>()?;
            if found.len() > guard::PIVOT_VALUES_MAX || found.is_empty() {
                let reason = match found.len() {
                    0 => "PIVOT found no values to make columns of; name them: ON … IN (…)"
                        .to_owned(),
                    _ => format!(
                        "PIVOT would make more than {} columns; name the values: ON … IN (…)",
                        guard::PIVOT_VALUES_MAX
                    ),
                };
                return Err(SqlError::Invalid { message: reason });
            }
            values.push(found);
        }
        Ok(pivots.filled(|number| values[number].clone()))
    }

    /// The statement with numbers of attributes read as such, and its columns under the names of the one that was written.
    fn described_with_numbers(&self, text: String) -> Result<(String, Vec<Column>), SqlError> {
        let mut columns = self.describe(&text)?;
        for numeric in checked_with_numbers(&text) {
            let Ok(described) = self.described(&numeric) else {
                continue;
            };
            if described.len() == columns.len() {
                for (column, described) in columns.iter_mut().zip(described) {
                    column.sql_type = described.sql_type;
                }
                return Ok((numeric, columns));
            }
        }
        Ok((text, columns))
    }

    /// The EXPLAIN of what would run.
    fn planned(&self, text: &str) -> String {
        checked_with_numbers(text)
            .find(|numeric| self.connection.prepare(numeric).is_ok())
            .unwrap_or_else(|| text.to_owned())
    }

    fn describe(&self, text: &str) -> Result<Vec<Column>, SqlError> {
        self.described(text)
            .map_err(|error| SqlError::from(error).below(1))
    }

    fn described(&self, text: &str) -> duckdb::Result<Vec<Column>> {
        let mut statement = self.connection.prepare(&format!("DESCRIBE\n{text}"))?;
        let columns = statement.query_map([], |row| {
            Ok(Column {
                name: row.get(0)?,
                sql_type: row.get(1)?,
            })
        })?;
        columns.collect()
    }

    fn rows(
        &mut self,
        mut batches: ArrowStream<'_>,
        columns: Vec<Column>,
        format: Format,
        emit: &mut Emit<'_>,
    ) -> Result<Summary, SqlError> {
        let mut encoder = Encoder::new(format, columns, &batches.get_schema())?;
        let mut truncated = false;
        let outcome = loop {
            match batches.next() {
                None => break Ok(()),
                Some(Err(error)) => break Err(SqlError::from(error)),
                Some(Ok(batch)) => match self.batch(&batch, &mut encoder, emit) {
                    Ok(ControlFlow::Continue(())) => {}
                    Ok(ControlFlow::Break(())) => {
                        truncated = true;
                        break Ok(());
                    }
                    Err(error) => break Err(error),
                },
            }
            if let Some(stopped) = self.watch.stopped() {
                break Err(stopped);
            }
        };
        match outcome {
            Ok(()) => {
                let elapsed = self.started.elapsed();
                let last = encoder.finish(Ending { truncated, elapsed })?;
                emit(last).map_err(|Gone| SqlError::Gone)?;
                Ok(Summary {
                    rows: self.rows,
                    truncated,
                    elapsed,
                })
            }
            Err(error) => {
                if self.emitted {
                    let _ = emit(encoder.broken());
                }
                Err(error)
            }
        }
    }

    /// Encodes what may still be shown of a batch; breaks when something had to be left out.
    fn batch(
        &mut self,
        batch: &RecordBatch,
        encoder: &mut Encoder,
        emit: &mut Emit<'_>,
    ) -> Result<ControlFlow<()>, SqlError> {
        let rows = batch.num_rows() as u64;
        let shown = rows.min(self.rows_left);
        if shown > 0 {
            let shown_rows = usize::try_from(shown).expect("at most the rows of a batch");
            let written = encoder.write(
                &batch.slice(0, shown_rows),
                usize::try_from(self.bytes_left).unwrap_or(usize::MAX),
            )?;
            self.rows += written.rows as u64;
            self.rows_left -= written.rows as u64;
            if encoder.pending() >= CHUNK_BYTES {
                self.hand_on(encoder.take(), emit)?;
            }
            if written.rows < shown_rows || self.bytes_left == 0 {
                return Ok(ControlFlow::Break(()));
            }
        }
        Ok(if shown < rows {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        })
    }

    fn hand_on(&mut self, bytes: Vec<u8>, emit: &mut Emit<'_>) -> Result<(), SqlError> {
        self.bytes_left = self.bytes_left.saturating_sub(bytes.len() as u64);
        self.emitted = true;
        emit(bytes).map_err(|Gone| SqlError::Gone)
    }
}

fn checked_with_numbers(text: &str) -> impl Iterator<Item = String> {
    guard::with_numbers(text)
        .into_iter()
        .filter(|numeric| guard::check(numeric).is_ok())
}

/// The statement with columns named by their number, for two may share a name. VARIANT has no form outside of DuckDB,
/// so columns of it (or with it inside) are read as JSON, and those of the engine's own types as text.
fn readable(text: &str, columns: &[Column]) -> String {
    let text = guard::without_semicolon(text);
    let mut select = Vec::with_capacity(columns.len());
    let mut names = Vec::with_capacity(columns.len());
    for (number, column) in columns.iter().enumerate() {
        let name = format!("column_{number}");
        select.push(if column.has_variant() {
            format!("CAST({name} AS JSON) AS {name}")
        } else if column.is_of_the_engine() {
            format!("CAST({name} AS VARCHAR) AS {name}")
        } else {
            name.clone()
        });
        names.push(name);
    }
    format!(
        "SELECT {} FROM (\n{text}\n) AS result({})",
        select.join(", "),
        names.join(", ")
    )
}
