//! The store of Tripline: columns in, plain data out.
//!
//! With the feature `engine` (default) this crate is the only place in the house that knows DuckDB:
//! segments, sealing, retention, queries, the SQL guard. Without it the crate is just its plain data
//! types, which the pages share with the browser.
//!
//! It never knows OTLP, HTTP or HTML.

pub mod analysis;
pub mod calendar;
pub mod filter;
pub mod model;

#[cfg(feature = "engine")]
mod as_of;
#[cfg(feature = "engine")]
mod ask;
#[cfg(feature = "engine")]
pub mod attributes;
#[cfg(feature = "engine")]
mod empty;
#[cfg(feature = "engine")]
pub mod export;
#[cfg(all(test, feature = "engine"))]
mod fixture;
#[cfg(feature = "engine")]
pub mod ingest;
#[cfg(feature = "engine")]
mod json_file;
#[cfg(feature = "engine")]
pub mod learned;
#[cfg(feature = "engine")]
pub mod query;
#[cfg(feature = "engine")]
pub mod resilience;
#[cfg(feature = "engine")]
mod retirement;
#[cfg(feature = "engine")]
pub mod rollup;
#[cfg(feature = "engine")]
pub mod saved;
#[cfg(feature = "engine")]
pub mod segment;
#[cfg(feature = "engine")]
pub mod sql;
#[cfg(feature = "engine")]
pub mod store;
#[cfg(feature = "engine")]
mod sync;
