//! Completion of a filter that is being written.

use serde::{Deserialize, Serialize};

/// What may replace the characters `from..to` (from 0) of the filter.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Completion {
    /// First character replaced.
    pub from: usize,
    /// First character kept.
    pub to: usize,
    /// Best first.
    pub items: Vec<CompletionItem>,
}

/// One suggestion.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CompletionItem {
    /// What to put there, quoted if need be.
    pub text: String,
    /// `field`, `attribute`, `operator`, `value` or `word`.
    pub kind: String,
    /// What it is, in words.
    pub detail: String,
    /// How often it was seen in the sample; fields come before everything.
    #[serde(skip)]
    pub count: u64,
}
