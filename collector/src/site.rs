//! The door for people and programs: pages and API on one address, behind one guard.

mod guard;

use std::net::SocketAddr;

use axum::{Router, middleware};

use crate::api::{self, AppState};
use crate::pages;

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

/// Every route of the pages and the API.
pub fn router(state: AppState) -> Router {
    let guarded = middleware::from_fn_with_state(state.clone(), guard::protect);
    api::router()
        .merge(pages::router())
        .layer(guarded)
        .with_state(state)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn beyond_loopback_needs_a_token_or_a_word() {
        let loopback: SocketAddr = "127.0.0.1:7070".parse().expect("an address");
        let open: SocketAddr = "0.0.0.0:7070".parse().expect("an address");
        assert!(check_bind(loopback, false, false).is_ok());
        assert!(check_bind("[::1]:0".parse().expect("an address"), false, false).is_ok());
        assert!(check_bind(open, false, false).is_err());
        assert!(check_bind(open, true, false).is_ok());
        assert!(check_bind(open, false, true).is_ok());
    }
}
