//! The exporters: OTLP over gRPC or HTTP, on the export thread.

mod client;
mod concurrent;
mod counted;
mod exemplars;

use std::fmt;
use std::path::Path;
use std::time::Duration;

use opentelemetry_otlp::tonic_types::transport::{Certificate, ClientTlsConfig, Identity};
use opentelemetry_otlp::{
    ExporterBuildError, LogExporter, MetricExporter, RetryPolicy, SpanExporter, WithExportConfig,
    WithHttpConfig, WithTonicConfig,
};
use tonic::transport::{Channel, Endpoint};

use super::environment::{self, Signal};
use super::{SetupError, runtime};
use crate::telemetry::exemplars::Exemplars;
use client::ExportClient;
pub(super) use concurrent::{Concurrent, Slots};
pub use counted::Exported;
pub(super) use counted::{Counted, Counts};
use exemplars::{MetricsClient, Wire};

/// How telemetry travels.
///
/// ```
/// use tripline_sdk::setup::Protocol;
/// assert_eq!("grpc".parse(), Ok(Protocol::Grpc));
/// assert_eq!("http/protobuf".parse(), Ok(Protocol::Http));
/// assert_eq!("http/json".parse(), Ok(Protocol::Json));
/// assert_eq!(Protocol::default().to_string(), "http/protobuf");
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Protocol {
    /// Protobuf over HTTP, by default to port 4318.
    #[default]
    Http,
    /// JSON over HTTP, by default to port 4318: larger and slower than protobuf, for peers that
    /// read nothing else.
    Json,
    /// gRPC, by default to port 4317.
    Grpc,
}

impl std::str::FromStr for Protocol {
    type Err = ();

    fn from_str(name: &str) -> Result<Self, ()> {
        match name {
            "http/protobuf" => Ok(Self::Http),
            "http/json" => Ok(Self::Json),
            "grpc" => Ok(Self::Grpc),
            _ => Err(()),
        }
    }
}

/// Where code sends everything.
#[derive(Clone, Debug)]
pub(super) struct Target {
    pub(super) endpoint: String,
    pub(super) protocol: Protocol,
}

fn protocol(signal: Signal, target: Option<&Target>) -> Result<Protocol, SetupError> {
    if let Some(target) = target {
        return Ok(target.protocol);
    }
    let Some(value) = environment::otlp(signal, "PROTOCOL") else {
        return Ok(Protocol::default());
    };
    value.parse().map_err(|()| SetupError::Variable {
        variable: "OTEL_EXPORTER_OTLP_PROTOCOL".into(),
        value,
        expected: "http/protobuf, http/json, grpc",
    })
}

/// The exporters differ in type but not in kind; this spells each of them out.
macro_rules! exporter {
    ($exporter:ident, $signal:expr, $target:expr) => {{
        let (signal, target): (Signal, Option<&Target>) = ($signal, $target);
        let runtime = runtime::handle().map_err(SetupError::Thread)?;
        let _entered = runtime.enter();
        let built = match protocol(signal, target)? {
            Protocol::Grpc => {
                let mut exporter = $exporter::builder().with_tonic();
                if let Some(target) = target {
                    exporter = exporter.with_endpoint(&target.endpoint);
                }
                exporter = WithTonicConfig::with_retry_policy(exporter, retries());
                if let Some(tls) = tls(signal)? {
                    exporter = exporter.with_tls_config(tls);
                }
                exporter.build()
            }
            protocol @ (Protocol::Http | Protocol::Json) => {
                let authority = pem(signal, "CERTIFICATE")?;
                let client =
                    ExportClient::new(runtime.clone(), authority.as_deref(), timeout(signal))
                        .map_err(|why| certificate_error(signal, why))?;
                let coding = match protocol {
                    Protocol::Json => opentelemetry_otlp::Protocol::HttpJson,
                    _ => opentelemetry_otlp::Protocol::HttpBinary,
                };
                let mut exporter = $exporter::builder()
                    .with_http()
                    .with_protocol(coding)
                    .with_http_client(client);
                exporter = WithHttpConfig::with_retry_policy(exporter, retries());
                if let Some(target) = target {
                    let base = target.endpoint.trim_end_matches('/');
                    exporter = exporter.with_endpoint(format!("{base}/v1/{}", signal.lower()));
                }
                exporter.build()
            }
        };
        built.map_err(|cause| exporter_error(signal, cause))
    }};
}

pub(super) fn spans(
    target: Option<&Target>,
    counts: Counts,
    slots: Slots,
) -> Result<Concurrent<Counted<SpanExporter>>, SetupError> {
    let inner = exporter!(SpanExporter, Signal::Traces, target)?;
    Concurrent::new(Counted { inner, counts }, slots).map_err(SetupError::Thread)
}

/// The exporter of the metrics, which takes `exemplars` along.
pub(super) fn metrics(
    target: Option<&Target>,
    exemplars: Exemplars,
    counts: Counts,
) -> Result<Counted<MetricExporter>, SetupError> {
    let signal = Signal::Metrics;
    let runtime = runtime::handle().map_err(SetupError::Thread)?;
    let _entered = runtime.enter();
    let (wire, endpoint) = match protocol(signal, target)? {
        protocol @ (Protocol::Http | Protocol::Json) => {
            let authority = pem(signal, "CERTIFICATE")?;
            let client = ExportClient::new(runtime.clone(), authority.as_deref(), timeout(signal))
                .map_err(|why| certificate_error(signal, why))?;
            let path = |target: &Target| {
                let base = target.endpoint.trim_end_matches('/');
                format!("{base}/v1/metrics")
            };
            let wire = Wire::Http {
                client: Box::new(client),
                json: protocol == Protocol::Json,
            };
            (wire, target.map(path))
        }
        Protocol::Grpc => {
            let wire = Wire::Grpc {
                runtime: runtime.clone(),
                channel: channel(signal, target)?,
                timeout: timeout(signal),
            };
            // Never dialled: the channel knows where to.
            (wire, Some("http://grpc.invalid/v1/metrics".to_owned()))
        }
    };
    let mut exporter = MetricExporter::builder()
        .with_http()
        .with_protocol(opentelemetry_otlp::Protocol::HttpBinary)
        .with_http_client(MetricsClient { exemplars, wire });
    exporter = WithHttpConfig::with_retry_policy(exporter, retries());
    if let Some(endpoint) = endpoint {
        exporter = exporter.with_endpoint(endpoint);
    }
    let built = exporter.build();
    let inner = built.map_err(|cause| exporter_error(signal, cause))?;
    Ok(Counted { inner, counts })
}

/// Where a signal goes over gRPC; connected when it is first needed.
fn channel(signal: Signal, target: Option<&Target>) -> Result<Channel, SetupError> {
    let address = target
        .map(|target| target.endpoint.clone())
        .or_else(|| environment::otlp(signal, "ENDPOINT"))
        .unwrap_or_else(|| "http://localhost:4317".into());
    let address = if address.contains("://") {
        address
    } else if environment::otlp(signal, "INSECURE").is_some_and(|v| v.eq_ignore_ascii_case("true"))
    {
        format!("http://{address}")
    } else {
        format!("https://{address}")
    };
    let refuse = |expected| SetupError::Variable {
        variable: "OTEL_EXPORTER_OTLP_ENDPOINT".into(),
        value: address.clone(),
        expected,
    };
    let endpoint = Endpoint::from_shared(address.clone()).map_err(|_| refuse("an address"))?;
    let secure = address.starts_with("https://");
    let tls = match tls(signal)? {
        None if secure => Some(ClientTlsConfig::new().with_enabled_roots()),
        tls => tls.filter(|_| secure),
    };
    let endpoint = match tls {
        Some(tls) => endpoint
            .tls_config(tls)
            .map_err(|_| refuse("an address with TLS settings that fit"))?,
        None => endpoint,
    };
    Ok(endpoint.connect_lazy())
}

pub(super) fn logs(
    target: Option<&Target>,
    counts: Counts,
    slots: Slots,
) -> Result<Concurrent<Counted<LogExporter>>, SetupError> {
    let inner = exporter!(LogExporter, Signal::Logs, target)?;
    Concurrent::new(Counted { inner, counts }, slots).map_err(SetupError::Thread)
}

fn exporter_error(signal: Signal, cause: ExporterBuildError) -> SetupError {
    SetupError::Exporter {
        signal: signal.lower(),
        cause,
    }
}

fn certificate_error(signal: Signal, why: String) -> SetupError {
    let path = environment::otlp(signal, "CERTIFICATE").unwrap_or_default();
    SetupError::Certificate { path, why }
}

/// The file the environment names, if it does.
fn pem(signal: Signal, name: &str) -> Result<Option<Vec<u8>>, SetupError> {
    let Some(path) = environment::otlp(signal, name) else {
        return Ok(None);
    };
    std::fs::read(Path::new(&path))
        .map(Some)
        .map_err(|error| SetupError::Certificate {
            path,
            why: error.to_string(),
        })
}

fn tls(signal: Signal) -> Result<Option<ClientTlsConfig>, SetupError> {
    let authority = pem(signal, "CERTIFICATE")?;
    let certificate = pem(signal, "CLIENT_CERTIFICATE")?;
    let key = pem(signal, "CLIENT_KEY")?;
    if authority.is_none() && certificate.is_none() {
        return Ok(None);
    }
    let mut tls = ClientTlsConfig::new().with_enabled_roots();
    if let Some(authority) = authority {
        tls = tls.ca_certificate(Certificate::from_pem(authority));
    }
    if let Some((certificate, key)) = certificate.zip(key) {
        tls = tls.identity(Identity::from_pem(certificate, key));
    }
    Ok(Some(tls))
}

/// As often as fits into the export timeout: a collector that restarts costs no telemetry. (Three
/// retries, the default, are over within a second.)
fn retries() -> RetryPolicy {
    RetryPolicy::recommended()
        .with_max_retries(20)
        .with_max_delay(Duration::from_secs(2))
}

fn timeout(signal: Signal) -> Duration {
    environment::otlp(signal, "TIMEOUT")
        .and_then(|millis| millis.parse().ok())
        .map_or(
            opentelemetry_otlp::OTEL_EXPORTER_OTLP_TIMEOUT_DEFAULT,
            Duration::from_millis,
        )
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Http => "http/protobuf",
            Self::Json => "http/json",
            Self::Grpc => "grpc",
        })
    }
}
