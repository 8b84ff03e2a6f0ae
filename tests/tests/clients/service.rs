//! One client service: started against a server, driven, and its telemetry looked up.

use std::io::{BufRead as _, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use serde_json::Value;

use crate::harness::Tripline;

/// A virtual machine under an agent on a busy two-core machine takes its time.
pub const START_PATIENCE: Duration = Duration::from_secs(120);

/// Orders placed by [`check`]; each is one trace.
const ORDERS: i64 = 5;

/// The OTLP protocol of a run, by the name of the `OTEL_EXPORTER_OTLP_PROTOCOL` variable.
#[derive(Clone, Copy, Debug)]
pub enum Protocol {
    Grpc,
    HttpProtobuf,
    HttpJson,
}

impl Protocol {
    fn name(self) -> &'static str {
        match self {
            Self::Grpc => "grpc",
            Self::HttpProtobuf => "http/protobuf",
            Self::HttpJson => "http/json",
        }
    }
}

/// Whether the stock SDK of a language sends exemplars.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exemplars {
    Sent,
    /// Named in the README, not faked.
    NotSent,
}

/// The directory of a prepared client.
pub fn place(language: &str) -> Result<PathBuf> {
    let clients = std::env::var_os("XTASK_CLIENTS_DIR").map_or_else(
        || PathBuf::from(env!("CARGO_TARGET_TMPDIR")).with_file_name("clients"),
        PathBuf::from,
    );
    let place = clients.join(language);
    ensure!(
        place.join(".built").exists(),
        "the {language} client is not prepared: run `cargo xtask clients`"
    );
    Ok(place)
}

/// A running client service.
pub struct Service {
    child: Child,
    address: String,
}

impl Service {
    /// Starts it and waits for its address.
    pub fn start(mut command: Command, server: &Tripline, protocol: Protocol) -> Result<Self> {
        let endpoint = match protocol {
            Protocol::Grpc => server.otlp_grpc(),
            Protocol::HttpProtobuf | Protocol::HttpJson => server.otlp_http(),
        };
        let mut child = command
            .env("OTEL_SERVICE_NAME", "shop")
            .env(
                "OTEL_RESOURCE_ATTRIBUTES",
                "service.version=1.0.0,service.namespace=tests",
            )
            .env("OTEL_EXPORTER_OTLP_ENDPOINT", format!("http://{endpoint}"))
            .env("OTEL_EXPORTER_OTLP_PROTOCOL", protocol.name())
            .env("OTEL_EXPORTER_OTLP_INSECURE", "true")
            .env("OTEL_TRACES_EXPORTER", "otlp")
            .env("OTEL_METRICS_EXPORTER", "otlp")
            .env("OTEL_LOGS_EXPORTER", "otlp")
            .env("OTEL_METRICS_EXEMPLAR_FILTER", "trace_based")
            .env("OTEL_METRIC_EXPORT_INTERVAL", "1000")
            .env("OTEL_BSP_SCHEDULE_DELAY", "200")
            .env("OTEL_BLRP_SCHEDULE_DELAY", "200")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .context("cannot start the client service")?;
        let stdout = child.stdout.take().context("stdout is piped")?;
        let (sender, receiver) = std::sync::mpsc::sync_channel(1);
        std::thread::spawn(move || {
            let mut lines = BufReader::new(stdout).lines().map_while(Result::ok);
            let _ = sender.send(lines.find(|line| line.contains("\"listening\"")));
            lines.for_each(drop);
        });
        let mut service = Self {
            child,
            address: String::new(),
        };
        let Ok(Some(line)) = receiver.recv_timeout(START_PATIENCE) else {
            bail!("the client service did not start; its standard error is above");
        };
        let line: Value = serde_json::from_str(&line)?;
        line["listening"]
            .as_str()
            .context("no address")?
            .clone_into(&mut service.address);
        Ok(service)
    }

    /// Status and body of a GET.
    pub async fn get(&self, server: &Tripline, path: &str) -> Result<(u16, String)> {
        let url = format!("http://{}{path}", self.address);
        let response = server.client.get(url).send().await?;
        Ok((response.status().as_u16(), response.text().await?))
    }

    /// The JSON a GET that takes its time answers.
    pub async fn get_within(
        &self,
        server: &Tripline,
        path: &str,
        patience: Duration,
    ) -> Result<Value> {
        let request = server.client.get(format!("http://{}{path}", self.address));
        let response = request.timeout(patience).send().await?;
        ensure!(
            response.status() == 200,
            "{path} answered {}",
            response.status()
        );
        Ok(response.json().await?)
    }

    /// SIGTERM, after which a stock SDK sends what it still holds.
    pub fn stop(mut self) -> Result<()> {
        let asked = Command::new("kill")
            .args(["-TERM", &self.child.id().to_string()])
            .status()?;
        ensure!(asked.success(), "cannot signal the client service");
        let deadline = Instant::now() + START_PATIENCE;
        while self.child.try_wait()?.is_none() {
            ensure!(
                Instant::now() < deadline,
                "the client service ignores SIGTERM"
            );
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(())
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Drives a client service over a protocol and finds by SQL and API what it must have sent.
pub async fn check(command: Command, protocol: Protocol, exemplars: Exemplars) -> Result<()> {
    let server = Tripline::start().await?;
    let service = Service::start(command, &server, protocol)?;
    let mut traces = Vec::new();
    for order in 1..=ORDERS {
        let (status, body) = service.get(&server, &format!("/orders/{order}")).await?;
        ensure!(status == 200, "the service answered {status}: {body}");
        let body: Value = serde_json::from_str(&body)?;
        traces.push(body["trace_id"].as_str().context("no trace id")?.to_owned());
    }
    let (status, _) = service.get(&server, "/fail").await?;
    ensure!(status == 500, "the failing route answered {status}");
    spans(&server, &traces).await?;
    logs(&server, &traces).await?;
    metrics(&server).await?;
    if exemplars == Exemplars::Sent {
        server.wait_for(EXEMPLARS, 1).await?;
    }
    api(&server, &traces[0]).await?;
    service.stop()?;
    if exemplars == Exemplars::NotSent {
        // The day this fails the SDK has learnt it: then the README's line has to go.
        let found = server.number(EXEMPLARS).await?;
        ensure!(
            found == 0,
            "this client sends exemplars now ({found}): correct the README"
        );
    }
    Ok(())
}

/// Exemplars that lead to a trace which is stored.
const EXEMPLARS: &str = "SELECT count(*) FROM exemplars JOIN spans USING (trace_id, span_id)";

/// Waits for a number that is known exactly: one more is as wrong as one less.
pub async fn exactly(server: &Tripline, query: &str, wanted: i64) -> Result<()> {
    let found = server.wait_for(query, wanted).await?;
    ensure!(found == wanted, "{query:?} answered {found}, not {wanted}");
    Ok(())
}

/// Server, inner and client span of each order in one trace, typed attributes, the failed one.
async fn spans(server: &Tripline, traces: &[String]) -> Result<()> {
    // An SDK that was not answered in time sends a span again: it is one span.
    const SPANS: &str = "SELECT count(DISTINCT span_id) FROM spans WHERE service_name = 'shop'";
    for (number, trace) in (1..).zip(traces) {
        let of = |condition: &str| format!("{SPANS} AND trace_id = '{trace}' AND {condition}");
        // The order's and the stock's handler, joined by the client span between them.
        exactly(server, &of("kind = 'server'"), 2).await?;
        exactly(server, &of("kind = 'client'"), 1).await?;
        let inner = of("name = 'price order' AND scope_name = 'shop'");
        exactly(server, &inner, 1).await?;
        let order = of(&format!("attributes.\"order.id\"::BIGINT = {number}"));
        exactly(server, &order, 1).await?;
    }
    exactly(server, &format!("{SPANS} AND name = 'price order'"), ORDERS).await?;
    let failed = format!("{SPANS} AND kind = 'server' AND status_code = 'error'");
    exactly(server, &failed, 1).await
}

/// The log line of each order leads to its span by trace id and span id.
async fn logs(server: &Tripline, traces: &[String]) -> Result<()> {
    for (number, trace) in (1..).zip(traces) {
        let joined = format!(
            "SELECT count(DISTINCT span_id) FROM logs JOIN spans USING (trace_id, span_id) \
             WHERE trace_id = '{trace}' AND body = 'order {number} placed'"
        );
        exactly(server, &joined, 1).await?;
    }
    let placed = "SELECT count(DISTINCT trace_id) FROM logs WHERE body LIKE 'order % placed'";
    exactly(server, placed, ORDERS).await?;
    let errors = "SELECT count(DISTINCT body) FROM logs WHERE severity_number >= 17 AND body LIKE 'payment of%'";
    exactly(server, errors, 1).await
}

/// The counter's and the histogram's streams, and what they add up to: orders are worth 1.5, 3, 4.5 and so on.
async fn metrics(server: &Tripline) -> Result<()> {
    for name in ["orders.placed", "order.amount"] {
        let stream = format!("SELECT count(*) FROM metrics WHERE name = '{name}'");
        exactly(server, &stream, 1).await?;
    }
    let placed =
        "SELECT coalesce(max(value), 0)::BIGINT FROM metric_points WHERE name = 'orders.placed'";
    exactly(server, placed, ORDERS).await?;
    let counted =
        "SELECT coalesce(max(count), 0)::BIGINT FROM metric_points WHERE name = 'order.amount'";
    exactly(server, counted, ORDERS).await?;
    let worth =
        "SELECT coalesce(max(2 * sum), 0)::BIGINT FROM metric_points WHERE name = 'order.amount'";
    exactly(server, worth, (1..=ORDERS).map(|order| 3 * order).sum()).await
}

/// The same by the API: the service, the trace with its log, the stream's name.
async fn api(server: &Tripline, trace: &str) -> Result<()> {
    let services = server.get("/api/v1/services").await?.to_string();
    ensure!(services.contains("\"shop\""), "no service: {services}");
    let found = server
        .get(&format!("/api/v1/traces/{trace}"))
        .await?
        .to_string();
    ensure!(found.contains("price order"), "no span: {found}");
    ensure!(found.contains(" placed"), "no log in the trace: {found}");
    let metrics = server.get("/api/v1/metrics").await?.to_string();
    ensure!(metrics.contains("orders.placed"), "no stream: {metrics}");
    Ok(())
}
