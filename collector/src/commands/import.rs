//! `tripline import`: OTLP JSON lines (plain, gzip or zstd) and exported Parquet files into the store.
//!
//! Offline it opens the data directory itself; when a server holds it, the lines are posted to it over
//! OTLP/HTTP. Either way a line counts only when it is committed, and the first one that cannot be read ends the
//! import with its file and line: everything before it is stored. Where one cannot be stored, the import ends with its
//! file and line too, and says what became of those that were handed over with it.

mod lines;
mod server;
mod target;

use std::fs::File;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use tripline_storage::export::parquet_rows;

use super::{ServeFlags, print_line};
use crate::config::Config;
use crate::decode::rows::{LogRows, MetricRows, Requests, SpanRows};
use crate::decode::{Signal, SignalKind, signals_of};
use lines::Lines;
use target::Target;

/// Rows of a Parquet file that make one request.
const PARQUET_REQUEST_ITEMS: usize = 1_000;

/// Arguments of `tripline import`.
#[derive(Debug, clap::Args)]
pub struct ImportArgs {
    /// Files, or directories of files: .jsonl, with a request a line; .json, whose requests may span lines; both also as .gz
    /// or .zst; .parquet
    #[arg(required = true, value_name = "FILE|DIR")]
    paths: Vec<PathBuf>,
    /// Where telemetry is kept [default: ./tripline-data]
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
    /// Configuration file (TOML)
    #[arg(long, value_name = "FILE", env = "TRIPLINE_CONFIG")]
    config: Option<PathBuf>,
    /// Bearer token of a running server's receivers
    #[arg(
        long,
        value_name = "TOKEN",
        env = "TRIPLINE_IMPORT_TOKEN",
        hide_env_values = true
    )]
    token: Option<String>,
}

/// What was done.
#[derive(Debug, Default, serde::Serialize)]
struct Imported {
    event: &'static str,
    files: u64,
    requests: u64,
    /// Requests among them that say nothing: `{}`, which OTLP allows and which names no signal.
    empty: u64,
    items: u64,
    rejected: u64,
    to: String,
}

pub(super) fn run(args: ImportArgs) -> anyhow::Result<()> {
    let ImportArgs {
        paths,
        data_dir,
        config,
        token,
    } = args;
    let flags = ServeFlags {
        data_dir,
        config,
        ..ServeFlags::default()
    };
    let (imported, outcome) = import(&files_of(&paths)?, &flags.load()?, token)?;
    // Nothing was done where the first file could not be opened.
    if outcome.is_ok() || imported.files > 0 {
        print_line(&serde_json::to_string(&imported).expect("plain numbers serialise"));
    }
    outcome
}

/// Loads the Parquet and JSON lines files of directories into the configured store, which nobody may hold.
pub(super) fn load(paths: &[PathBuf], config: &Config) -> anyhow::Result<()> {
    let mut files = files_of(paths)?;
    files.retain(|file| is_parquet(file) || file.extension().is_some_and(|end| end == "jsonl"));
    import(&files, config, None)?.1
}

/// What was done, and how it ended.
fn import(
    files: &[PathBuf],
    config: &Config,
    token: Option<String>,
) -> anyhow::Result<(Imported, anyhow::Result<()>)> {
    let mut target = Target::open(config, token)?;
    let mut imported = Imported {
        event: "imported",
        to: target.name(),
        ..Imported::default()
    };
    let outcome = files.iter().try_for_each(|file| {
        File::open(file)
            .map_err(anyhow::Error::new)
            .and_then(|_| {
                imported.files += 1;
                import_file(file, &mut target, &mut imported)
            })
            .with_context(|| format!("cannot import {}", file.display()))
    });
    // What was handed over before an error is finished too, and told; where it cannot be stored, that came first.
    let flushed = target.finish(&mut |answer| imported.count(answer));
    Ok((imported, flushed.and(outcome)))
}

impl Imported {
    fn count(&mut self, answer: target::Answer) {
        self.items += answer.items - answer.rejected.min(answer.items);
        self.rejected += answer.rejected;
    }
}

/// The files named, directories read one level deep, in name order.
fn files_of(paths: &[PathBuf]) -> anyhow::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for path in paths {
        if !path.is_dir() {
            files.push(path.clone());
            continue;
        }
        let mut inside: Vec<PathBuf> = std::fs::read_dir(path)
            .and_then(|entries| {
                entries
                    .map(|entry| entry.map(|entry| entry.path()))
                    .collect()
            })
            .with_context(|| format!("cannot read the directory {}", path.display()))?;
        inside.retain(|file| file.is_file() && (is_parquet(file) || lines::is_readable(file)));
        inside.sort();
        anyhow::ensure!(
            !inside.is_empty(),
            "{} holds no .jsonl, .json or .parquet file (also with .gz or .zst)",
            path.display()
        );
        files.append(&mut inside);
    }
    Ok(files)
}

fn is_parquet(file: &Path) -> bool {
    file.extension()
        .is_some_and(|extension| extension == "parquet")
}

fn import_file(file: &Path, target: &mut Target, imported: &mut Imported) -> anyhow::Result<()> {
    if is_parquet(file) {
        return import_parquet(file, target, imported);
    }
    let mut lines = Lines::open(file)?;
    while let Some((number, line)) = lines.next()? {
        if line.trim_ascii().is_empty() {
            continue;
        }
        let place = format!("{}, line {number}", file.display());
        import_line(line, &place, target, imported).with_context(|| format!("line {number}"))?;
        target.settle(&mut |answer| imported.count(answer))?;
    }
    Ok(())
}

/// Sends one line, once for each signal in it; `place` is where it stands, for people.
fn import_line(
    line: &[u8],
    place: &str,
    target: &mut Target,
    imported: &mut Imported,
) -> anyhow::Result<()> {
    imported.requests += 1;
    let kinds = signals_of(line)?;
    if kinds.is_empty() {
        let is_empty = serde_json::from_slice::<serde_json::Map<String, serde_json::Value>>(line)
            .is_ok_and(|members| members.is_empty());
        anyhow::ensure!(
            is_empty,
            "no resourceSpans, resourceMetrics or resourceLogs in it"
        );
        imported.empty += 1;
    }
    for kind in kinds {
        target.send(kind, line, place.to_owned(), &mut |answer| {
            imported.count(answer);
        })?;
    }
    Ok(())
}

/// Which signal a Parquet file holds shows in its first row.
fn import_parquet(file: &Path, target: &mut Target, imported: &mut Imported) -> anyhow::Result<()> {
    let mut gather = Gather {
        file: file.display().to_string(),
        ..Gather::default()
    };
    parquet_rows(file, |row| {
        gather
            .push(row, target, imported)
            .map_err(|error| std::io::Error::other(format!("{error:#}")))
    })?;
    gather.flush(target, imported)
}

#[derive(Default)]
struct Gather {
    file: String,
    rows_read: u64,
    spans: SpanRows,
    logs: LogRows,
    metrics: MetricRows,
}

impl Gather {
    fn push(
        &mut self,
        row: &str,
        target: &mut Target,
        imported: &mut Imported,
    ) -> anyhow::Result<()> {
        self.rows_read += 1;
        let full = if row.contains("\"severity_number\":") {
            self.logs.push(row)?;
            self.logs.items()
        } else if row.contains("\"series_id\":") {
            self.metrics.push(row)?;
            self.metrics.items()
        } else {
            self.spans.push(row)?;
            self.spans.items()
        };
        if full < PARQUET_REQUEST_ITEMS {
            Ok(())
        } else {
            self.flush(target, imported)
        }
    }

    fn flush(&mut self, target: &mut Target, imported: &mut Imported) -> anyhow::Result<()> {
        let place = format!(
            "{}, the request that ends with row {}",
            self.file, self.rows_read
        );
        send_rows(
            &mut self.spans,
            SignalKind::Traces,
            &place,
            target,
            imported,
        )?;
        send_rows(&mut self.logs, SignalKind::Logs, &place, target, imported)?;
        send_rows(
            &mut self.metrics,
            SignalKind::Metrics,
            &place,
            target,
            imported,
        )
    }
}

fn send_rows<R: Requests>(
    rows: &mut R,
    kind: SignalKind,
    place: &str,
    target: &mut Target,
    imported: &mut Imported,
) -> anyhow::Result<()> {
    if rows.items() == 0 {
        return Ok(());
    }
    imported.requests += 1;
    let line = R::Signal::encode_json(&rows.take());
    let mut answered = |answer: target::Answer| imported.count(answer);
    target.send(kind, line.as_bytes(), place.to_owned(), &mut answered)?;
    target.settle(&mut answered)
}
