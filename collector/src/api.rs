//! The UI and API's router; its endpoints live in the modules below.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use tripline_storage::store::Store;

use crate::config::Config;
use crate::operations::listening::Addresses;
use crate::receive::Receiver;

/// What handlers share.
#[derive(Clone)]
pub struct AppState {
    /// The store.
    pub store: Arc<Store>,
    /// The effective configuration.
    pub config: Arc<Config>,
    /// The bound addresses.
    pub addresses: Arc<Addresses>,
    /// The receivers, for their counters.
    pub receiver: Receiver,
}

impl AppState {
    /// Shares these among handlers.
    pub fn new(
        store: Arc<Store>,
        config: &Config,
        addresses: &Addresses,
        receiver: Receiver,
    ) -> Self {
        Self {
            store,
            config: Arc::new(config.clone()),
            addresses: Arc::new(addresses.clone()),
            receiver,
        }
    }
}

/// Refuses to serve UI and API beyond loopback to everybody.
///
/// # Errors
/// The address is not loopback, no token is set and `--insecure` was not given.
pub fn check_bind(address: SocketAddr, has_token: bool, insecure: bool) -> anyhow::Result<()> {
    anyhow::ensure!(
        address.ip().is_loopback() || has_token || insecure,
        "{address} is reachable from elsewhere: set ui.token (TRIPLINE_UI__TOKEN), or say --insecure"
    );
    Ok(())
}

/// Every route of the UI and API.
pub fn router(_state: AppState) -> Router {
    Router::new()
}
