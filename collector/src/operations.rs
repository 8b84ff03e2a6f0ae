//! What running a server needs besides its work: sockets, logs, health, metrics, signals.

pub mod health;
pub mod ingest_history;
pub mod listening;
pub mod logging;
pub mod prometheus;
pub mod query_times;
pub mod signals;
mod store_metrics;
