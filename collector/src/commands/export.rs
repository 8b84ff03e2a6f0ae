//! `tripline export`: stored telemetry as OTLP JSON lines or Parquet, one file a signal.
//!
//! Both import again to the same rows (`tripline import`). A file appears under its name when it is whole.

pub(super) mod bundle;
mod instant;

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use clap::ValueEnum;
use tripline_storage::export::{self, Relation, TimeRange};
use tripline_storage::store::{Reader, Store, lock_holder};

use super::{ServeFlags, print_line};
use crate::config::HumanDuration;
use crate::decode::rows::{LogRows, MetricRows, Requests, SpanRows};
use crate::decode::{Malformed, Signal, SignalKind};
use instant::Instant;

/// Items of one line: a request of the usual size.
const LINE_ITEMS: usize = 512;

/// Arguments of `tripline export`.
#[derive(Debug, clap::Args)]
pub struct ExportArgs {
    /// Directory the files are written to; made if missing
    #[arg(value_name = "DIR")]
    dir: PathBuf,
    /// Write the bundle of an incident instead: its id, a time in it, or from..to
    #[arg(long, value_name = "ID|TIME|FROM..TO", conflicts_with_all = ["format", "signal", "from", "to"])]
    incident: Option<bundle::Asked>,
    /// Longest time of one question about the incident, at most sql.timeout_max [default: 60s]
    #[arg(long, value_name = "TIME", requires = "incident")]
    timeout: Option<HumanDuration>,
    /// What to write
    #[arg(long, value_enum, default_value = "otlp-jsonl")]
    format: Format,
    /// Which signal; all when not given
    #[arg(long, value_enum)]
    signal: Vec<SignalKind>,
    /// Events from this time on (RFC 3339, now-15m, or nanoseconds since the epoch)
    #[arg(long, value_name = "TIME")]
    from: Option<Instant>,
    /// Events before this time
    #[arg(long, value_name = "TIME")]
    to: Option<Instant>,
    /// Where telemetry is kept [default: ./tripline-data]
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
    /// Configuration file (TOML)
    #[arg(long, value_name = "FILE", env = "TRIPLINE_CONFIG")]
    config: Option<PathBuf>,
}

/// The format of the files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// One OTLP/JSON request a line
    OtlpJsonl,
    /// The columns of the public relations, documents as JSON text
    Parquet,
}

/// Why a row did not become a line.
#[derive(Debug, thiserror::Error)]
enum LineError {
    #[error("a stored row cannot be read")]
    Row(#[from] Malformed),
    #[error("the file cannot be written")]
    File(#[from] io::Error),
}

pub(super) fn run(args: ExportArgs) -> anyhow::Result<()> {
    let flags = ServeFlags {
        data_dir: args.data_dir,
        config: args.config,
        ..ServeFlags::default()
    };
    let config = flags.load()?;
    if let Some(asked) = &args.incident {
        let timeout = args.timeout.map_or(bundle::TIMEOUT, HumanDuration::get);
        return bundle::write(&config, asked, &args.dir, timeout);
    }
    let data_dir = config.data_dir.clone();
    let shown = data_dir.display();
    if let Some(holder) = lock_holder(&data_dir)? {
        let pid = holder
            .pid
            .map_or_else(|| "another process".into(), |pid| format!("process {pid}"));
        anyhow::bail!(
            "{shown} is held by {pid}: stop it first, or ask it for Parquet through POST /api/v1/sql"
        );
    }
    anyhow::ensure!(data_dir.is_dir(), "there is no data directory {shown}");
    std::fs::create_dir_all(&args.dir)
        .with_context(|| format!("cannot make the directory {}", args.dir.display()))?;
    let range = TimeRange {
        from_unix_nano: args.from.map(|time| time.unix_nano),
        to_unix_nano: args.to.map(|time| time.unix_nano),
    };
    let signals = if args.signal.is_empty() {
        SignalKind::ALL.to_vec()
    } else {
        args.signal
    };
    let store = Store::open(config.reading_config())
        .with_context(|| format!("cannot open the data directory {shown}"))?;
    let outcome = store
        .reader()
        .map_err(anyhow::Error::from)
        .and_then(|reader| {
            let job = Job {
                reader,
                range,
                data_dir: &data_dir,
                dir: &args.dir,
            };
            signals
                .iter()
                .try_for_each(|signal| job.export(*signal, args.format))
        });
    Arc::new(store).close(Duration::from_secs(10));
    outcome
}

struct Job<'a> {
    reader: Reader,
    range: TimeRange,
    data_dir: &'a Path,
    dir: &'a Path,
}

impl Job<'_> {
    fn export(&self, signal: SignalKind, format: Format) -> anyhow::Result<()> {
        let relation = match signal {
            SignalKind::Traces => Relation::Spans,
            SignalKind::Metrics => Relation::MetricPoints,
            SignalKind::Logs => Relation::Logs,
        };
        let extension = if format == Format::Parquet {
            "parquet"
        } else {
            "jsonl"
        };
        let file = self.dir.join(format!("{}.{extension}", signal.as_str()));
        let rows = match (format, signal) {
            (Format::Parquet, _) => self.parquet(relation, &file),
            (Format::OtlpJsonl, SignalKind::Traces) => self.lines::<SpanRows>(relation, &file),
            (Format::OtlpJsonl, SignalKind::Metrics) => self.lines::<MetricRows>(relation, &file),
            (Format::OtlpJsonl, SignalKind::Logs) => self.lines::<LogRows>(relation, &file),
        }
        .with_context(|| format!("cannot export {}", file.display()))?;
        let told = serde_json::json!({
            "event": "exported", "signal": signal.as_str(), "rows": rows, "file": file,
        });
        print_line(&told.to_string());
        Ok(())
    }

    fn lines<R: Requests>(&self, relation: Relation, file: &Path) -> anyhow::Result<u64> {
        let partial = file.with_extension("partial");
        let mut out = BufWriter::new(File::create(&partial)?);
        let mut gathered = R::default();
        let rows = export::rows(&self.reader, relation, self.range, |row| {
            gathered.push(row)?;
            if gathered.items() >= LINE_ITEMS {
                write_line(&mut gathered, &mut out)
            } else {
                Ok(())
            }
        })?;
        write_line(&mut gathered, &mut out)?;
        out.into_inner()
            .map_err(io::IntoInnerError::into_error)?
            .sync_all()?;
        std::fs::rename(&partial, file)?;
        Ok(rows)
    }

    /// The engine may write inside the data directory only, so the file moves when it is done.
    fn parquet(&self, relation: Relation, file: &Path) -> anyhow::Result<u64> {
        let data_dir = self.data_dir.canonicalize()?;
        let inside = data_dir.join(format!("export-{}.parquet.tmp", std::process::id()));
        let written = export::parquet(&self.reader, relation, self.range, &inside)
            .map_err(anyhow::Error::from)
            .and_then(|rows| {
                // Another file system takes a copy.
                if std::fs::rename(&inside, file).is_err() {
                    std::fs::copy(&inside, file)?;
                }
                Ok(rows)
            });
        let _ = std::fs::remove_file(&inside);
        written
    }
}

fn write_line<R: Requests>(gathered: &mut R, out: &mut impl Write) -> Result<(), LineError> {
    if gathered.items() > 0 {
        let mut line = R::Signal::encode_json(&gathered.take());
        line.push('\n');
        out.write_all(line.as_bytes())?;
    }
    Ok(())
}
