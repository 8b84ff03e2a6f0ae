//! Which signal an OTLP/JSON document is of.

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

/// The signal of a document, by its first telling key; `None` when it has none.
///
/// # Errors
/// The document is no JSON object.
pub fn signal_of(body: &[u8]) -> Result<Option<SignalKind>, Malformed> {
    let text = std::str::from_utf8(body).map_err(|error| {
        Malformed::new("", &format!("not UTF-8 at byte {}", error.valid_up_to()))
    })?;
    let mut kind = None;
    let read = read(text, |r| {
        r.message(|r, key| {
            kind = match key {
                "resourceSpans" => Some(SignalKind::Traces),
                "resourceMetrics" => Some(SignalKind::Metrics),
                "resourceLogs" => Some(SignalKind::Logs),
                _ => return r.skip(),
            };
            // The rest is the decoder's to judge.
            Err(r.fault("found"))
        })
    });
    if kind.is_none() {
        read?;
    }
    Ok(kind)
}
