//! Attribute values as OTLP has them: eight kinds, kept apart.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::exact;

/// Attributes in the order they were sent.
pub type Attributes = Vec<Attribute>;

/// One attribute.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Attribute {
    /// Name.
    pub key: String,
    /// Value; in JSON `{"string":"…"}`, `{"int":5}`, …, `"empty"`.
    pub value: AttributeValue,
}

/// A value of one of OTLP's eight kinds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AttributeValue {
    /// Text.
    String(String),
    /// `true` or `false`.
    Bool(bool),
    /// 64-bit signed.
    Int(#[serde(with = "exact")] i64),
    /// Also NaN, infinities and -0.0.
    Double(#[serde(with = "exact::double")] f64),
    /// Lower-case hex.
    Bytes(String),
    /// Values in order.
    Array(Vec<AttributeValue>),
    /// Named values in order.
    Kvlist(Attributes),
    /// No value.
    Empty,
}

impl fmt::Display for AttributeValue {
    /// As a person reads it: text bare, everything else as JSON would have it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::String(text) => f.write_str(text),
            Self::Bool(value) => write!(f, "{value}"),
            Self::Int(value) => write!(f, "{value}"),
            Self::Double(value) => write!(f, "{value}"),
            Self::Bytes(hex) => write!(f, "0x{hex}"),
            Self::Array(values) => {
                f.write_str("[")?;
                for (at, value) in values.iter().enumerate() {
                    if at > 0 {
                        f.write_str(", ")?;
                    }
                    quoted(value, f)?;
                }
                f.write_str("]")
            }
            Self::Kvlist(entries) => {
                f.write_str("{")?;
                for (at, entry) in entries.iter().enumerate() {
                    if at > 0 {
                        f.write_str(", ")?;
                    }
                    write!(f, "{:?}: ", entry.key)?;
                    quoted(&entry.value, f)?;
                }
                f.write_str("}")
            }
            Self::Empty => Ok(()),
        }
    }
}

fn quoted(value: &AttributeValue, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    match value {
        AttributeValue::String(text) => write!(f, "{text:?}"),
        AttributeValue::Empty => f.write_str("null"),
        other => write!(f, "{other}"),
    }
}
