//! `tripline sql "…"`: one read-only query from a shell.
//!
//! The data directory's LOCK says whether a server runs; then the query goes to it. Otherwise the directory is
//! opened here (which takes the lock and replays what a crash left) and the same guard and views answer.

pub(super) mod client;

use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use tripline_storage::sql::{Format, Gate, Gone, Request, STACK_BYTES, SqlError};
use tripline_storage::store::{Store, lock_holder};

use super::ServeFlags;
use crate::api::sql::limits;
use crate::config::{Config, HumanDuration};

/// Arguments of `tripline sql`.
#[derive(Debug, clap::Args)]
pub struct SqlArgs {
    /// The query; `-` reads it from stdin
    #[arg(allow_hyphen_values = true, value_parser = statement)]
    pub query: String,
    /// How to print the result
    #[arg(long, value_enum, default_value_t = Output::Table)]
    pub format: Output,
    /// Where telemetry is kept [default: ./tripline-data]
    #[arg(long, value_name = "DIR")]
    pub data_dir: Option<PathBuf>,
    /// Most rows
    #[arg(long, value_name = "N")]
    pub limit: Option<u64>,
    /// Longest time, like 30s
    #[arg(long, value_name = "TIME")]
    pub timeout: Option<HumanDuration>,
    /// Configuration file (TOML)
    #[arg(long, value_name = "FILE", env = "TRIPLINE_CONFIG")]
    pub config: Option<PathBuf>,
}

/// How to print.
#[derive(Debug, Clone, Copy, clap::ValueEnum)]
pub enum Output {
    /// Aligned columns
    Table,
    /// One JSON document
    Json,
    /// Comma-separated values
    Csv,
    /// One JSON object a line
    Ndjson,
    /// Arrow IPC stream
    Arrow,
    /// Parquet
    Parquet,
}

impl From<Output> for Format {
    fn from(output: Output) -> Self {
        match output {
            Output::Table => Self::Table,
            Output::Json => Self::Json,
            Output::Csv => Self::Csv,
            Output::Ndjson => Self::Ndjson,
            Output::Arrow => Self::Arrow,
            Output::Parquet => Self::Parquet,
        }
    }
}

/// A query as it is said on the command line: it may begin with a comment, which no option is.
pub(super) fn statement(text: &str) -> Result<String, &'static str> {
    let is_option = text.starts_with('-') && text != "-" && !text.contains(char::is_whitespace);
    if is_option {
        return Err("there is no such option, and no query begins like that");
    }
    Ok(text.to_owned())
}

pub(super) fn run(args: SqlArgs) -> anyhow::Result<()> {
    let flags = ServeFlags {
        data_dir: args.data_dir.clone(),
        config: args.config.clone(),
        ..ServeFlags::default()
    };
    let config = flags.load()?;
    let mut query = args.query;
    if query == "-" {
        query.clear();
        std::io::stdin()
            .read_to_string(&mut query)
            .context("cannot read the query from stdin")?;
    }
    let request = Request {
        query,
        limit: args.limit,
        timeout: args.timeout.map(HumanDuration::get),
        format: args.format.into(),
    };
    if ask(&config, request, &mut std::io::stdout())? {
        // On stderr: the result itself may be a file that says nothing of it.
        eprintln!(
            "tripline: the result was cut at the limit of rows or bytes; --limit asks for more rows"
        );
    }
    Ok(())
}

/// Runs one query wherever the configured data directory can be asked; the result goes to `out`. Whether it was cut.
pub(super) fn ask(
    config: &Config,
    request: Request,
    out: &mut (dyn std::io::Write + Send),
) -> anyhow::Result<bool> {
    let dir = config.data_dir.clone();
    ensure!(
        dir.is_dir(),
        "there is no data directory at {}; name it with --data-dir",
        dir.display()
    );
    match lock_holder(&dir).with_context(|| format!("cannot read {}/LOCK", dir.display()))? {
        Some(holder) => ask_server(config, &holder.addresses, holder.pid, &request, out),
        None => ask_directory(config, &dir, request, out),
    }
}

/// A row by the names of its columns, each cell as the JSON the API answers.
pub(super) type Row = serde_json::Map<String, serde_json::Value>;

/// The rows of one query, wherever the configured data directory can be asked.
pub(super) fn rows(
    config: &Config,
    query: &str,
    timeout: Option<Duration>,
) -> anyhow::Result<Vec<Row>> {
    let request = Request {
        query: query.to_owned(),
        limit: None,
        timeout,
        format: Format::Ndjson,
    };
    let mut text = Vec::new();
    ask(config, request, &mut text)?;
    text.split(|byte| *byte == b'\n')
        .filter(|line| !line.is_empty())
        .map(|line| serde_json::from_slice(line).context("the answer is not JSON lines"))
        .collect()
}

/// Sends the query to the process that holds the directory.
fn ask_server(
    config: &Config,
    addresses: &str,
    pid: Option<u32>,
    request: &Request,
    out: &mut dyn std::io::Write,
) -> anyhow::Result<bool> {
    let process = pid.map_or_else(|| "a process".to_owned(), |pid| format!("process {pid}"));
    let addresses: serde_json::Value = serde_json::from_str(addresses).unwrap_or_default();
    let Some(address) = addresses["http"].as_str() else {
        bail!(
            "{process} holds the data directory but does not serve SQL (yet); try again when it is done"
        );
    };
    let answer =
        client::post(address, config.ui.token.as_deref(), request, out).with_context(|| {
            format!("{process} holds the data directory and was asked at {address}")
        })?;
    match answer {
        client::Answer::Complete { is_truncated } => Ok(is_truncated),
        client::Answer::Problem(problem) => bail!(told_problem(&problem, &request.query)),
    }
}

/// Opens the directory here.
fn ask_directory(
    config: &Config,
    dir: &Path,
    request: Request,
    out: &mut (dyn std::io::Write + Send),
) -> anyhow::Result<bool> {
    let store = Store::open(config.reading_config())
        .with_context(|| format!("cannot open the data directory {}", dir.display()))?;
    let store = Arc::new(store);
    let limits = limits(&config.sql);
    let running = Arc::clone(&store);
    let query = move || {
        let reader = running.reader()?;
        let gate = Gate::new(&reader, limits)?;
        let outcome = gate.admit().and_then(|permit| {
            permit.run(&reader, &request, &mut |bytes| {
                out.write_all(&bytes).map_err(|_| Gone)
            })
        });
        match outcome {
            Ok(summary) => Ok(summary.truncated),
            Err(SqlError::Gone) => Ok(false),
            Err(error) => {
                let error = error.reported(&running);
                let problem = crate::api::sql::problem(error, &request.query).body();
                bail!(told_problem(&problem, &request.query))
            }
        }
    };
    let outcome = std::thread::scope(|scope| {
        std::thread::Builder::new()
            .name("sql-query".to_owned())
            .stack_size(STACK_BYTES)
            .spawn_scoped(scope, query)
            .context("no thread for the query")?
            .join()
            .unwrap_or_else(|_| bail!("the query panicked"))
    });
    store.close(Duration::from_secs(10));
    outcome
}

/// A problem document as text: what, and where in the query.
fn told_problem(problem: &serde_json::Value, query: &str) -> String {
    let mut text = format!(
        "{}: {}",
        problem["title"].as_str().unwrap_or("the query failed"),
        problem["detail"].as_str().unwrap_or_default()
    );
    if let (Some(line), Some(column)) = (problem["line"].as_u64(), problem["column"].as_u64()) {
        let shown = query
            .lines()
            .nth(usize::try_from(line - 1).unwrap_or(0))
            .unwrap_or_default();
        let indent = " ".repeat(usize::try_from(column - 1).unwrap_or(0).min(400));
        text.push_str(&format!(
            "\n  {shown}\n  {indent}^ line {line}, column {column}"
        ));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_is_told_with_its_place() {
        let problem =
            serde_json::json!({"title": "No", "detail": "because", "line": 2, "column": 3});
        assert_eq!(
            told_problem(&problem, "SELECT\n  x"),
            "No: because\n    x\n    ^ line 2, column 3"
        );
    }
}
