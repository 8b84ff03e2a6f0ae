//! How a breaker is named and marked wherever it is shown: its state, its name, its page, how its callee is known.

use leptos::prelude::*;

use crate::address::name_segment;
use crate::frame::Frame;

/// A state as a word with its shape: told apart without colour.
pub(super) fn state_mark(state: &str) -> AnyView {
    let glyph = glyph(state);
    let class = format!("breaker-state {}", severity(state));
    view! { <span class=class><span aria-hidden="true">{glyph}</span>" "{state.replace('_', " ")}</span> }.into_any()
}

/// The shape of a state.
pub(super) fn glyph(state: &str) -> &'static str {
    match state {
        "closed" => "●",
        "open" => "○",
        "half_open" => "◐",
        "forced_open" => "⊗",
        "disabled" => "⊘",
        "metrics_only" => "◌",
        "saturated" => "◆",
        "throttling" => "◇",
        "stale" => "…",
        _ => "?",
    }
}

/// Whether a kind of policy has states: retries, timeouts, fallbacks and hedges only count.
pub(super) fn has_states(pattern: &str) -> bool {
    !matches!(pattern, "retry" | "timeout" | "fallback" | "hedge")
}

/// `bad` while it refuses, `warn` while it doubts or nobody knows, else `fine`.
pub(super) fn severity(state: &str) -> &'static str {
    match state {
        "open" | "forced_open" => "bad",
        "half_open" | "saturated" | "throttling" | "unknown" => "warn",
        "stale" | "disabled" | "metrics_only" => "quiet",
        _ => "fine",
    }
}

/// Its name, with its key where it has one.
pub(super) fn named(name: &str, key: Option<&str>) -> String {
    key.map_or_else(|| name.to_owned(), |key| format!("{name} / {key}"))
}

/// Where a breaker's page is.
pub(super) fn page_of(service: &str, name: &str, key: Option<&str>, frame: &Frame) -> String {
    frame.link(&path_of(service, name, key), &[])
}

/// The path of a breaker's page.
pub(super) fn path_of(service: &str, name: &str, key: Option<&str>) -> String {
    let key = key
        .map(|key| format!("/{}", name_segment(key)))
        .unwrap_or_default();
    format!(
        "/breakers/{}/{}{key}",
        name_segment(service),
        name_segment(name)
    )
}

/// What the callee of a breaker is inferred from; `None` where its own telemetry names it, or nothing does.
pub(super) fn inferred_by(evidence: Option<&str>) -> Option<&'static str> {
    match evidence? {
        "address" => Some("by address"),
        "trace" => Some("by its traces"),
        "user_rule" => Some("by your rule"),
        "name" => Some("by name"),
        "edge" => Some("the only callee"),
        _ => None,
    }
}
