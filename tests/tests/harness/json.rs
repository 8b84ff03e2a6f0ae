//! The parts of OTLP's JSON that every test writes.

use serde_json::{Value, json};

/// An attribute of kind string.
pub fn text(key: &str, value: &str) -> Value {
    json!({"key": key, "value": {"stringValue": value}})
}
