//! Our own logs: structured, on stderr, so that stdout stays one machine-readable line.

use anyhow::Context as _;
use tracing_subscriber::EnvFilter;

use crate::config::{LogFormat, LogSection};

/// Whether the settings can be used.
pub fn check(section: &LogSection) -> anyhow::Result<()> {
    filter(section).map(drop)
}

fn filter(section: &LogSection) -> anyhow::Result<EnvFilter> {
    EnvFilter::try_new(&section.level)
        .with_context(|| format!("log.level '{}' is not a level or a filter", section.level))
}

/// Installs the subscriber; a second call (tests in one process) changes nothing.
pub fn init(section: &LogSection) -> anyhow::Result<()> {
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter(section)?)
        .with_writer(std::io::stderr);
    let _ = match section.format {
        LogFormat::Text => builder
            .with_ansi(std::io::IsTerminal::is_terminal(&std::io::stderr()))
            .try_init(),
        LogFormat::Json => builder.json().flatten_event(true).try_init(),
    };
    Ok(())
}
