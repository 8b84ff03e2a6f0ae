//! Circuit breakers and their siblings, recognised in telemetry of any origin.
//!
//! What comes in is looked at once, on the request's own task: [`Recognisers`] finds the items that say
//! something about a breaker and makes [`Evidence`] of them, which is committed in the transaction of the items
//! themselves. Attribute names, metric names, texts and encodings are data: one TOML file a recogniser in
//! `resilience/recognisers/`. States, inferred transitions and staleness are concluded by the public views
//! ([`views`]), never here.
//!
//! The rules (R1 to R8), the evidence ladder and the canonical states are those of the design's universal
//! model; the views' SQL says which line stands for which rule.

mod body;
mod clusters;
mod columns;
mod document;
mod errors;
mod evidence;
mod index;
mod logs;
mod metrics;
mod needles;
pub(crate) mod peer;
mod refusable;
mod rules;
mod source;
mod spans;
mod template;
mod told_calls;
pub(crate) mod views;
pub mod whatif;
mod wildcard;
mod words;

#[cfg(test)]
mod tests;

pub(crate) use evidence::EvidenceBatches;
pub use evidence::{ConfigRow, Evidence, SampleRow, Subject, TransitionRow};
pub use index::Recognisers;
pub(crate) use metrics::folded;
pub use peer::PeerRule;
pub use rules::{RecogniserFile, RulesError};
pub(crate) use told_calls::CallKeys;

/// Attributes of a span that a breaker of the SDK wrote on: whose call it is, and what became of it.
pub(crate) const BREAKER_KEYS: [&str; 3] = [
    "circuit_breaker.name",
    "circuit_breaker.key",
    "circuit_breaker.outcome",
];

/// The embedded recogniser files: name and text.
pub const SHIPPED: &[(&str, &str)] = include!(concat!(env!("OUT_DIR"), "/recognisers.rs"));
