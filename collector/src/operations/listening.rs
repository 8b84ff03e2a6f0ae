//! Binding the three addresses, and telling the world which they became.

use anyhow::Context as _;
use serde::Serialize;
use tokio::net::TcpListener;

use crate::config::Config;
use crate::receive::Listener;

/// The bound addresses; port 0 has become a real one.
#[derive(Debug, Clone, Serialize)]
pub struct Addresses {
    /// OTLP/gRPC, if served.
    pub otlp_grpc: Option<String>,
    /// OTLP/HTTP, if served.
    pub otlp_http: Option<String>,
    /// UI and API.
    pub http: String,
}

/// Listeners of everything that is served.
pub struct Listeners {
    /// OTLP/gRPC.
    pub otlp_grpc: Option<Listener>,
    /// OTLP/HTTP.
    pub otlp_http: Option<Listener>,
    /// UI and API.
    pub http: TcpListener,
    /// Their addresses.
    pub addresses: Addresses,
}

impl Listeners {
    /// Binds all or none; a port in use is an error that names the setting.
    pub async fn bind(config: &Config) -> anyhow::Result<Self> {
        let otlp_grpc = bind_optional("otlp_grpc", &config.otlp_grpc).await?;
        let otlp_http = bind_optional("otlp_http", &config.otlp_http).await?;
        let http = bind("http", &config.http.to_string()).await?;
        let addresses = Addresses {
            otlp_grpc: otlp_grpc.as_ref().map(Listener::address).transpose()?,
            otlp_http: otlp_http.as_ref().map(Listener::address).transpose()?,
            http: http.local_addr()?.to_string(),
        };
        Ok(Self {
            otlp_grpc,
            otlp_http,
            http,
            addresses,
        })
    }
}

async fn bind_optional(setting: &str, address: &str) -> anyhow::Result<Option<Listener>> {
    if address.is_empty() {
        return Ok(None);
    }
    let bound = Listener::bind(address).await;
    bound
        .map(Some)
        .with_context(|| cannot_listen(setting, address))
}

async fn bind(setting: &str, address: &str) -> anyhow::Result<TcpListener> {
    let bound = TcpListener::bind(address).await;
    bound.with_context(|| cannot_listen(setting, address))
}

fn cannot_listen(setting: &str, address: &str) -> String {
    format!("cannot listen on {address} ({setting}); another process may have the port")
}

impl Addresses {
    /// The line `{"event":"listening",…}` of stdout.
    pub fn line(&self) -> String {
        #[derive(Serialize)]
        struct Line<'a> {
            event: &'static str,
            #[serde(flatten)]
            addresses: &'a Addresses,
        }
        serde_json::to_string(&Line {
            event: "listening",
            addresses: self,
        })
        .expect("plain strings serialise")
    }
}
