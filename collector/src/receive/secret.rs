//! A configured secret: readable by the code that compares it, by nothing that prints.

use serde::{Deserialize, Serialize, Serializer};
use subtle::ConstantTimeEq as _;

/// What is printed instead.
const MASK: &str = "***";

/// Text that never appears in logs or configuration dumps.
#[derive(Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct Secret(String);

impl Secret {
    /// Wraps a text.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text itself.
    pub(super) fn expose(&self) -> &str {
        &self.0
    }

    /// Whether it is empty or the mask that printing leaves: a saved dump must not open the door.
    pub(super) fn is_placeholder(&self) -> bool {
        self.0.is_empty() || self.0 == MASK
    }

    /// Compares in a time that depends on the lengths only.
    pub(super) fn matches(&self, candidate: &[u8]) -> bool {
        self.0.as_bytes().ct_eq(candidate).into()
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(MASK)
    }
}

impl Serialize for Secret {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(MASK)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a03_a_secret_never_prints() {
        let secret = Secret::new("hunter2");
        assert_eq!(format!("{secret:?}"), "***");
        assert_eq!(serde_json::to_string(&secret).expect("a string"), "\"***\"");
        assert!(secret.matches(b"hunter2") && !secret.matches(b"hunter") && !secret.matches(b""));
    }
}
