//! Our own logs: structured, on stderr, so that stdout stays one machine-readable line.

use anyhow::Context as _;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::EnvFilter;

use crate::config::{LogFormat, LogSection};

/// Whether the settings can be used.
pub fn check(section: &LogSection) -> anyhow::Result<()> {
    filter(section).map(drop)
}

/// A word alone is a level here; the crate takes any other for the name of a module, and then logs nothing else.
fn filter(section: &LogSection) -> anyhow::Result<EnvFilter> {
    let level = &section.level;
    let mut words = level.split(',').map(str::trim);
    let is_level = |word: &str| !word.is_empty() && word.parse::<LevelFilter>().is_ok();
    let is_known = words.all(|word| word.contains('=') || is_level(word));
    anyhow::ensure!(
        is_known,
        "log.level '{level}' is not a level (error, warn, info, debug, trace, off) or a filter (target=level, …)"
    );
    EnvFilter::try_new(level)
        .with_context(|| format!("log.level '{level}' is not a level or a filter"))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_level_is_a_word_that_is_known_or_of_a_target() {
        let is_taken = |level: &str| {
            let section = LogSection {
                level: level.to_owned(),
                ..LogSection::default()
            };
            check(&section).is_ok()
        };
        for level in [
            "info",
            "WARN",
            "off",
            "warn,tripline_storage::ask=trace",
            "tower=debug",
        ] {
            assert!(is_taken(level), "{level}");
        }
        for level in ["loud", "", "info,loud", "tower=loud"] {
            assert!(!is_taken(level), "{level}");
        }
    }
}
