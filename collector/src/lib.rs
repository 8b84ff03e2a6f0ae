//! Tripline's collector: receives OTLP, refuses what must be refused, composes the house, starts and stops it.
//!
//! It never knows SQL text (that is `tripline-storage`) or HTML (that is `tripline-web`).

pub mod api;
pub mod commands;
pub mod config;
pub mod decode;
pub mod operations;
pub mod pages;
pub mod receive;
pub mod site;

/// Allocating is a tenth of what storing a span costs, and the pages of a burst go back to the system.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;
