//! How a mistake in a setting is told: where it stands, what is wrong, and no secret that stands there.

use std::path::PathBuf;

use super::PREFIX;

/// A setting that cannot be used, and where it stands.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("cannot read the configuration file {}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The file is not TOML.
    #[error("{} is not valid TOML: {message}", path.display())]
    Syntax {
        /// The file.
        path: PathBuf,
        /// What the parser said, with line and column.
        message: String,
    },
    /// A key or value is not one of ours.
    #[error("{origin}: {message}")]
    Invalid {
        /// File, environment variable or flag.
        origin: String,
        /// What is wrong, with a suggestion where there is one.
        message: String,
    },
}

/// The error in one line, with the nearest known key when a key is unknown.
pub(super) fn explain(error: &toml::de::Error) -> String {
    let message = error.message();
    let mut words = message.split('`').skip(1).step_by(2);
    let suggestion = message
        .starts_with("unknown field")
        .then(|| {
            let unknown = words.next()?;
            words
                .map(|known| (strsim::damerau_levenshtein(unknown, known), known))
                .filter(|(distance, known)| *distance <= known.len().div_ceil(2))
                .min()
                .map(|(_, known)| format!("; did you mean `{known}`?"))
        })
        .flatten();
    format!(
        "{}{}{}",
        masked(message),
        suggestion.unwrap_or_default(),
        key_of(error).unwrap_or_default()
    )
}

/// The key a mistake is at, in parentheses; only the text of the whole error has it, in its last line.
fn key_of(error: &toml::de::Error) -> Option<String> {
    let text = error.to_string();
    let last = text.trim_end().lines().last()?;
    let key = last.strip_prefix("in `")?.strip_suffix('`')?;
    Some(format!(" ({key})"))
}

/// The message without the value that it refuses: that may be a secret, and a token of digits is a number where nobody put
/// quotes around it.
fn masked(message: &str) -> String {
    const KINDS: [&str; 3] = ["string", "integer", "floating point"];
    for wrong in ["invalid type: ", "invalid value: "] {
        let Some((found, expected)) = message
            .strip_prefix(wrong)
            .and_then(|rest| rest.rsplit_once(", expected "))
        else {
            continue;
        };
        if let Some(kind) = KINDS.iter().find(|kind| found.starts_with(**kind)) {
            return format!("{wrong}{kind}, expected {expected}");
        }
    }
    message.to_owned()
}

/// Adds how a variable names a key of a section, where an unknown one may be meant so but has a single underscore.
pub(super) fn spelled(error: ConfigError, path: &[String]) -> ConfigError {
    match error {
        ConfigError::Invalid { origin, message }
            if message.starts_with("unknown field")
                && matches!(path, [key] if key.contains('_')) =>
        {
            ConfigError::Invalid {
                origin,
                message: format!(
                    "{message}; two underscores part a section from its key: {PREFIX}STORE__RETENTION_AGE"
                ),
            }
        }
        other => other,
    }
}

/// Line and column, from 1, of a byte.
pub(super) fn place(text: &str, byte: usize) -> String {
    let before = text.get(..byte).unwrap_or(text);
    let line = before.matches('\n').count() + 1;
    let column = before.chars().rev().take_while(|c| *c != '\n').count() + 1;
    format!("line {line}, column {column}")
}
