//! Stock OpenTelemetry SDKs of other languages against the real server.
//!
//! Each service of `tests/clients` is started with its ecosystem's own settings, driven with
//! requests, and what it did is then found by SQL and by the API. `cargo xtask clients` prepares
//! the services; a test whose service is not prepared fails and says so.

mod breakers;
mod flood;
mod go;
mod java;
mod node;
mod python;
mod readme;
mod recording;
mod rust;
mod service;

pub(crate) use service::place;
