//! Which signals an OTLP/JSON document is of.

use super::Malformed;
use super::json::read;

/// One of the three signals, as a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum SignalKind {
    /// `resourceSpans`.
    Traces,
    /// `resourceMetrics`.
    Metrics,
    /// `resourceLogs`.
    Logs,
}

impl SignalKind {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Traces, Self::Metrics, Self::Logs];

    /// The last segment of the HTTP path.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Traces => "traces",
            Self::Metrics => "metrics",
            Self::Logs => "logs",
        }
    }
}

/// The signals of a document, by its telling keys in their order. A request has one; a file may hold more in one object.
///
/// # Errors
/// The document is no JSON object.
pub fn signals_of(body: &[u8]) -> Result<Vec<SignalKind>, Malformed> {
    let text = std::str::from_utf8(body).map_err(|error| {
        Malformed::new("", &format!("not UTF-8 at byte {}", error.valid_up_to()))
    })?;
    let mut kinds: Vec<SignalKind> = Vec::new();
    let read = read(text, |r| {
        r.message(|r, key| {
            let kind = match key {
                "resourceSpans" => Some(SignalKind::Traces),
                "resourceMetrics" => Some(SignalKind::Metrics),
                "resourceLogs" => Some(SignalKind::Logs),
                _ => None,
            };
            if let Some(kind) = kind
                && !kinds.contains(&kind)
            {
                kinds.push(kind);
            }
            r.skip()
        })
    });
    // With a signal, the rest is the decoder's to judge.
    if kinds.is_empty() {
        read?;
    }
    Ok(kinds)
}
