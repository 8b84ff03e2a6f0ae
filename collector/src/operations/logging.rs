//! Our own logs: structured, on stderr, so that stdout stays one machine-readable line.

use anyhow::Context as _;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::Directive;

use crate::config::{LogFormat, LogSection};

/// Whether the settings can be used.
pub fn check(section: &LogSection) -> anyhow::Result<()> {
    filter(section).map(drop)
}

/// A word alone is a level here; the crate takes any other for the name of a module, and then logs nothing else.
fn filter(section: &LogSection) -> anyhow::Result<EnvFilter> {
    let level = &section.level;
    let directives = directives(level);
    let is_level = |word: &str| word.parse::<LevelFilter>().is_ok();
    let is_known = |word: &&str| word.contains(['=', '[']) || is_level(word);
    anyhow::ensure!(
        !directives.is_empty() && directives.iter().all(is_known),
        "log.level '{level}' is not a level (error, warn, info, debug, trace, off) or a filter (target=level, …)"
    );
    let is_wrong = || format!("log.level '{level}' is not a level or a filter");
    // The crate would divide a directive that names several fields at the commas between them; alone it reads it whole.
    let (several, one): (Vec<&str>, Vec<&str>) = directives
        .into_iter()
        .partition(|directive| directive.contains(','));
    let mut filter = EnvFilter::try_new(one.join(",")).with_context(is_wrong)?;
    for directive in several {
        let directive: Directive = directive.parse().with_context(is_wrong)?;
        filter = filter.add_directive(directive);
    }
    Ok(filter)
}

/// What stands between commas that are not within brackets.
fn directives(level: &str) -> Vec<&str> {
    let mut depth = 0_usize;
    let divides = |c: char| {
        match c {
            '[' | '{' => depth += 1,
            ']' | '}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        c == ',' && depth == 0
    };
    let words = level.split(divides).map(str::trim);
    words.filter(|word| !word.is_empty()).collect()
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
            "tower=debug,",
            "[request]",
            "tower[{a,b}]=debug",
            "info,tower[request{a=1,b}]=trace,h2=off",
        ] {
            assert!(is_taken(level), "{level}");
        }
        for level in [
            "loud",
            "",
            ",",
            "info,loud",
            "tower=loud",
            "t[{a,b}]=loud",
            "t[{a,b",
        ] {
            assert!(!is_taken(level), "{level}");
        }
    }
}
