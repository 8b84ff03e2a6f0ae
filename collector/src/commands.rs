//! The commands: what `tripline …` does, one file each.

pub mod assert;
mod check_config;
pub mod demo;
pub mod export;
pub mod import;
pub mod serve;
pub mod sql;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::config::{self, Config, Overrides};

/// Resilience you can see: OTLP in, DuckDB inside, SQL and pages out.
#[derive(Debug, Parser)]
#[command(name = "tripline", version, about, disable_version_flag = false)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Receive OTLP, store it, serve pages, API and SQL
    Serve(serve::ServeArgs),
    /// The same, with a small shop of services that break and recover one after another
    Demo(demo::DemoFlags),
    /// Run one read-only SQL query, over a running server or a data directory at rest
    Sql(sql::SqlArgs),
    /// Fail when a query over stored telemetry finds rows: resilience assertions for CI
    Assert(assert::AssertArgs),
    /// Load OTLP JSON lines or Parquet into the store
    Import(import::ImportArgs),
    /// Write stored telemetry as OTLP JSON lines or Parquet
    Export(export::ExportArgs),
    /// Print the effective configuration, without secrets
    CheckConfig(ServeFlags),
    /// Print the version
    Version,
}

/// Flags of every command that starts or describes a server.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct ServeFlags {
    /// Where telemetry is kept [default: ./tripline-data]
    #[arg(long, value_name = "DIR")]
    pub data_dir: Option<PathBuf>,
    /// Address of OTLP/gRPC, empty for none [default: 127.0.0.1:4317]
    #[arg(long, value_name = "ADDR")]
    pub otlp_grpc: Option<String>,
    /// Address of OTLP/HTTP, empty for none [default: 127.0.0.1:4318]
    #[arg(long, value_name = "ADDR")]
    pub otlp_http: Option<String>,
    /// Address of UI and API [default: 127.0.0.1:7070]
    #[arg(long, value_name = "ADDR")]
    pub http: Option<String>,
    /// Configuration file (TOML)
    #[arg(long, value_name = "FILE", env = "TRIPLINE_CONFIG")]
    pub config: Option<PathBuf>,
    /// Serve UI and API beyond loopback without a token
    #[arg(long)]
    pub insecure: bool,
}

impl ServeFlags {
    /// The effective configuration.
    pub fn load(&self) -> Result<Config, config::ConfigError> {
        let overrides = Overrides {
            data_dir: self.data_dir.clone(),
            otlp_grpc: self.otlp_grpc.clone(),
            otlp_http: self.otlp_http.clone(),
            http: self.http.clone(),
            insecure: self.insecure.then_some(true),
        };
        let environment = std::env::vars_os().filter_map(|(name, value)| {
            Some((name.into_string().ok()?, value.into_string().ok()?))
        });
        config::load(self.config.as_deref(), environment, &overrides)
    }
}

/// Runs the command line; every failure is one readable chain on stderr and a non-zero exit.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    let outcome = match cli.command {
        Command::Serve(args) => serve::run(&args),
        Command::Demo(flags) => demo::run(&flags),
        Command::Sql(args) => sql::run(args),
        Command::Assert(args) => return assert::run(&args),
        Command::Import(args) => import::run(args),
        Command::Export(args) => export::run(args),
        Command::CheckConfig(flags) => check_config::run(&flags),
        Command::Version => {
            print_line(&format!("tripline {}", env!("CARGO_PKG_VERSION")));
            Ok(())
        }
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("tripline: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// A line on stdout; a closed pipe is no error worth telling.
pub(crate) fn print_line(line: &str) {
    use std::io::Write as _;
    let mut out = std::io::stdout().lock();
    let _ = writeln!(out, "{line}").and_then(|()| out.flush());
}
