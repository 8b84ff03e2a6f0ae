//! Read-only SQL for people: the guard, the watchdog, the formats and the documentation of the relations.
//!
//! A statement passes [`guard::check`], runs on a reader's leased set of segments under the watchdog of a
//! [`Gate`], and leaves as bytes of one of the [`Format`]s. Beneath the guard stands a second wall, made of the
//! settings the store opens its database with: no file access outside the data directory, no extensions,
//! configuration locked.

mod error;
mod gate;
pub mod guard;
mod output;
mod run;
pub mod schema_docs;
#[cfg(test)]
mod tests;
mod watchdog;

pub use error::SqlError;
pub use gate::{Gate, Limits, Permit};
pub(crate) use output::civil::timestamp;
pub use output::{Format, csv_cell};
pub use run::{Emit, Gone, Request, STACK_BYTES, Summary};
