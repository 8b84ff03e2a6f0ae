//! The receivers: OTLP over gRPC and over HTTP, one export path behind both.
//!
//! ```text
//! listen (accept, TLS, keepalive) -> route (content type, path) -> grpc | http -> export (admit, decode, append)
//! ```
//! A success answer means the store has committed. Every refusal is one row of the table in [`Refusal`], so both
//! protocols say the same thing and a client always knows whether and when to try again. Nothing here knows SQL.

mod auth;
mod budget;
mod config;
mod cors;
mod counters;
mod decompress;
mod export;
mod gate;
mod grpc;
mod http;
mod lifetime;
mod listen;
mod media;
mod refusal;
mod route;
mod secret;
mod sink;
mod tls;

use std::future::Future;
use std::sync::Arc;

use auth::Authenticator;
use budget::Budget;
use gate::Gate;
use tls::Tls;

pub use config::{
    AuthConfig, ConfigError, CorsConfig, CredentialConfig, GrpcConfig, HttpConfig, ListenConfig,
    ReceiveConfig, TlsConfig, TlsVersion,
};
pub use counters::{Counters, Tally, Traffic, Transport};
pub use listen::Listener;
pub use refusal::Refusal;
pub use secret::Secret;
pub use sink::Sink;

/// Whether these settings can be used.
///
/// # Errors
/// They contradict each other, or TLS cannot be loaded.
pub fn check(config: &ReceiveConfig) -> Result<(), ConfigError> {
    config.validate()?;
    load_tls(&config.grpc.listen)?;
    load_tls(&config.http.listen)?;
    Ok(())
}

fn load_tls(listen: &ListenConfig) -> Result<Option<Arc<Tls>>, ConfigError> {
    let tls = listen.tls.clone().map(Tls::load).transpose()?;
    Ok(tls.map(Arc::new))
}

/// What both receivers share: settings, the memory budget, the counters, and the store.
#[derive(Clone)]
pub struct Receiver {
    config: Arc<ReceiveConfig>,
    auth: Arc<Authenticator>,
    budget: Budget,
    counters: Arc<Counters>,
    sink: Sink,
    gate: Gate,
    grpc_tls: Option<Arc<Tls>>,
    http_tls: Option<Arc<Tls>>,
}

impl Receiver {
    /// Checks the settings and builds the shared state; nothing listens yet.
    ///
    /// # Errors
    /// The settings contradict each other, or TLS cannot be loaded.
    pub fn new(config: ReceiveConfig, sink: Sink) -> Result<Self, ConfigError> {
        config.validate()?;
        Ok(Self {
            grpc_tls: load_tls(&config.grpc.listen)?,
            http_tls: load_tls(&config.http.listen)?,
            auth: Arc::new(Authenticator::new(&config.auth)),
            budget: Budget::new(config.in_flight_bytes_max),
            counters: Arc::new(Counters::default()),
            config: Arc::new(config),
            sink,
            gate: Gate::new(),
        })
    }

    /// The counters both receivers count into.
    pub fn counters(&self) -> &Arc<Counters> {
        &self.counters
    }

    /// Bytes of requests held now, and the bound.
    pub fn bytes_in_flight(&self) -> (usize, usize) {
        (self.budget.held(), self.config.in_flight_bytes_max)
    }

    /// Everything this module knows, as Prometheus text.
    pub fn write_prometheus(&self, out: &mut String) {
        self.counters.write_prometheus(out);
        let (held, limit) = self.bytes_in_flight();
        counters::write_gauge(
            out,
            "tripline_receiver_bytes_in_flight",
            "bytes of requests held",
            held,
        );
        counters::write_gauge(
            out,
            "tripline_receiver_bytes_in_flight_max",
            "their bound",
            limit,
        );
    }
}

/// Serves OTLP/gRPC on `listener` until `shutdown` resolves, then finishes what is in flight.
///
/// When it returns, nothing that came by this listener reaches the store any more.
pub async fn serve_grpc(
    listener: Listener,
    receiver: Receiver,
    shutdown: impl Future<Output = ()> + Send,
) {
    let settings = receiver.config.grpc.listen.clone();
    let tls = receiver.grpc_tls.clone();
    listen::serve(listener, receiver, settings, tls, shutdown).await;
}

/// Serves OTLP/HTTP on `listener` until `shutdown` resolves; otherwise as [`serve_grpc`].
pub async fn serve_http(
    listener: Listener,
    receiver: Receiver,
    shutdown: impl Future<Output = ()> + Send,
) {
    let settings = receiver.config.http.listen.clone();
    let tls = receiver.http_tls.clone();
    listen::serve(listener, receiver, settings, tls, shutdown).await;
}
