//! `tripline sql "…"`: the API's answer in a shell, over a running server or a data directory at rest.
//!
//! The directory's lock tells which: a server that holds it has announced its address there. At rest the command
//! takes the lock itself, replays what a crash left, and runs the same guard over the same views.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, bail};
use clap::ValueEnum;
use http_body_util::{BodyExt as _, Full};
use hyper_util::rt::TokioIo;
use tripline_storage::sql::{Format, Gate, Gone, Request, STACK_BYTES};
use tripline_storage::store::{Store, lock_holder};

use super::ServeFlags;
use crate::config::Config;

/// Arguments of `tripline sql`.
#[derive(Debug, clap::Args)]
pub struct SqlArgs {
    /// One read-only statement
    query: String,
    /// How the answer is written
    #[arg(long, value_enum, default_value_t = Shape::Table)]
    format: Shape,
    /// Rows at most
    #[arg(long, value_name = "N")]
    limit: Option<u64>,
    /// Milliseconds at most
    #[arg(long, value_name = "MS")]
    timeout: Option<u64>,
    /// Where telemetry is kept [default: ./tripline-data]
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
    /// Configuration file (TOML)
    #[arg(long, value_name = "FILE", env = "TRIPLINE_CONFIG")]
    config: Option<PathBuf>,
}

/// Formats of a shell.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum Shape {
    Table,
    Json,
    Csv,
    Ndjson,
    Arrow,
    Parquet,
}

impl Shape {
    fn format(self) -> Format {
        match self {
            Self::Table => Format::Table,
            Self::Json => Format::Json,
            Self::Csv => Format::Csv,
            Self::Ndjson => Format::Ndjson,
            Self::Arrow => Format::Arrow,
            Self::Parquet => Format::Parquet,
        }
    }
}

/// Runs the statement where the data is.
pub(super) fn run(args: SqlArgs) -> anyhow::Result<()> {
    let flags = ServeFlags {
        data_dir: args.data_dir.clone(),
        config: args.config.clone(),
        ..ServeFlags::default()
    };
    let config = flags.load()?;
    if !config.data_dir.is_dir() {
        bail!(
            "there is no data directory {}; --data-dir names another",
            config.data_dir.display()
        );
    }
    match lock_holder(&config.data_dir)? {
        Some(holder) => ask_server(&config, &holder.addresses, &args),
        None => run_at_rest(config, args),
    }
}

/// Posts the statement to the server that holds the directory.
fn ask_server(config: &Config, announced: &str, args: &SqlArgs) -> anyhow::Result<()> {
    let address = server_address(announced).with_context(|| {
        format!(
            "the data directory {} is in use, and its holder serves no API",
            config.data_dir.display()
        )
    })?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let stream = tokio::net::TcpStream::connect(&address).await.with_context(|| format!("cannot reach {address}"))?;
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
        let connection = tokio::spawn(connection);
        let body = serde_json::json!({ "query": args.query, "limit": args.limit, "timeout_ms": args.timeout });
        let mut request = http::Request::post("/api/v1/sql")
            .header(http::header::HOST, &address)
            .header(http::header::CONTENT_TYPE, "application/json")
            .header(http::header::ACCEPT, args.format.format().media_type());
        if let Some(token) = &config.ui.token {
            request = request.header(http::header::AUTHORIZATION, format!("Bearer {token}"));
        }
        let response = sender.send_request(request.body(Full::new(bytes::Bytes::from(body.to_string())))?).await?;
        let status = response.status();
        if !status.is_success() {
            let problem = response.into_body().collect().await?.to_bytes();
            let problem: serde_json::Value = serde_json::from_slice(&problem).unwrap_or_default();
            bail!("{}", problem["detail"].as_str().unwrap_or(status.as_str()));
        }
        let mut body = response.into_body();
        let mut out = std::io::stdout().lock();
        while let Some(frame) = body.frame().await {
            if let Ok(data) = frame.context("the answer broke off")?.into_data() {
                out.write_all(&data)?;
            }
        }
        out.flush()?;
        connection.abort();
        Ok(())
    })
}

/// The UI and API address a server announced.
pub(super) fn server_address(announced: &str) -> Option<String> {
    let announced: serde_json::Value = serde_json::from_str(announced).ok()?;
    Some(announced["http"].as_str()?.to_owned())
}

/// Opens the store and runs the statement in this process.
fn run_at_rest(config: Config, args: SqlArgs) -> anyhow::Result<()> {
    let work = move || {
        let store = open(&config, &config.data_dir)?;
        let request = Request {
            query: args.query,
            limit: args.limit,
            timeout: args.timeout.map(Duration::from_millis),
            format: args.format.format(),
        };
        let reader = store.reader()?;
        let gate = Gate::new(reader.connection(), config.sql.to_limits())?;
        let permit = gate.admit()?;
        let mut out = std::io::stdout().lock();
        permit.run(reader.connection(), &request, &mut |bytes| {
            out.write_all(&bytes).map_err(|_| Gone)
        })?;
        out.flush()?;
        drop((permit, gate, reader));
        store.close(Duration::from_secs(10));
        Ok(())
    };
    let thread = std::thread::Builder::new()
        .stack_size(STACK_BYTES)
        .spawn(work)?;
    thread
        .join()
        .map_err(|_| anyhow::anyhow!("the statement's thread panicked"))?
}

/// Opens the store of a directory at rest.
fn open(config: &Config, data_dir: &Path) -> anyhow::Result<std::sync::Arc<Store>> {
    let store = Store::open(config.store.to_store_config(data_dir.to_owned()))
        .with_context(|| format!("cannot open the data directory {}", data_dir.display()))?;
    Ok(std::sync::Arc::new(store))
}
