//! The questions pages and the API ask: one function a question, plain data out.
//!
//! Each takes a [`Session`]: a leased reader and a deadline.
//! Values travel as bound parameters, never as SQL text; the only text put together here are names of
//! segments, which the store makes itself. Lists are newest first unless asked and say when they were cut.
//! [`how`] writes the SQL that people are shown for a number, with literals; nothing runs it but the door for theirs.

mod activity;
mod beside;
mod breakers;
mod changes;
mod complete;
mod conditions;
mod coverage;
mod differences;
mod document;
mod encodings;
mod engine;
mod filter;
mod findings;
mod graph;
mod heatmap;
pub mod how;
mod incidents;
mod instances;
mod lanes;
mod live;
mod log_shape;
mod logs;
mod mesh;
mod metrics;
mod newest;
mod ordered;
mod plain;
mod points;
mod pulse;
mod refusals;
mod refused_spans;
mod requests;
mod review;
mod sample;
mod search;
mod sent;
mod service;
mod services;
mod session;
mod summaries;
mod trace;
mod whatif;

pub use activity::activity;
pub use beside::beside;
pub use breakers::{breaker, breakers, transitions};
pub use changes::{CHANGE_EVENT, changes};
pub use complete::complete;
pub use coverage::{coverage, near_misses};
pub use differences::differences;
pub use encodings::encodings;
pub use engine::engine_version;
pub use findings::findings;
pub use graph::{graph, graph_beside, graph_in_step};
pub use heatmap::heatmap;
pub use incidents::{incident, incidents};
pub use instances::instances;
pub use lanes::lanes;
pub use live::{covered, live_counts, scopes};
pub use log_shape::{log_histogram, log_patterns};
pub use logs::logs;
pub use mesh::mesh_calls;
pub use metrics::metrics;
pub use ordered::{trace_count, traces};
pub use points::{metric_heatmap, metric_points};
pub use pulse::{PulseSteps, pulse_steps, pulses};
pub use review::review;
pub use search::spans;
pub use service::{red_points, service};
pub use services::{service_names, services, services_by_spans};
pub use session::{QueryError, Session};
pub use trace::{span, trace, trace_rows};
pub use whatif::what_if;

#[cfg(test)]
mod tests;
