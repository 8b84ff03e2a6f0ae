//! The hot encoding back into values: what export reads, and what proves that nothing was lost on the way in.
//!
//! See `tripline_storage::attributes` for the encoding. A stored VARIANT printed as JSON is the same text with
//! sorted keys, so one reader serves both.

use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, ArrayValue, KeyValue, KeyValueList};

use super::Malformed;
use super::json::{Parsed, Reader, number, read};

/// Values inside values: as deep as anything that came in can be.
const NESTING_MAX: u32 = 100;

/// Reads an attribute map.
///
/// # Errors
/// The text is no hot-encoded map.
pub fn attributes(text: &str) -> Result<Vec<KeyValue>, Malformed> {
    read(text, map)
}

/// An attribute map inside a larger document.
pub(super) fn map(r: &mut Reader<'_>) -> Parsed<Vec<KeyValue>> {
    let mut attributes = members(r, NESTING_MAX)?;
    resolve(&mut attributes);
    Ok(attributes)
}

/// Reads one value.
///
/// # Errors
/// The text is no hot-encoded value.
pub fn value(text: &str) -> Result<AnyValue, Malformed> {
    read(text, |r| {
        Ok(AnyValue {
            value: any(r, NESTING_MAX)?,
        })
    })
}

/// The members of an object as they are: a first `$kvlist` keeps its own members unread as markers.
fn members(r: &mut Reader<'_>, left: u32) -> Parsed<Vec<KeyValue>> {
    let mut list: Vec<KeyValue> = Vec::new();
    r.message(|r, key| {
        let value = if key == "$kvlist" && r.peek() == Some(b'{') {
            let values = members(r, deeper(r, left)?)?;
            Some(Value::KvlistValue(KeyValueList { values }))
        } else {
            any(r, left)?
        };
        list.push(KeyValue {
            key: key.to_owned(),
            value: Some(AnyValue { value }),
            key_strindex: 0,
        });
        Ok(())
    })?;
    Ok(list)
}

fn deeper(r: &Reader<'_>, left: u32) -> Parsed<u32> {
    left.checked_sub(1)
        .ok_or_else(|| r.fault("more than 100 values are nested"))
}

fn any(r: &mut Reader<'_>, left: u32) -> Parsed<Option<Value>> {
    if r.null()? {
        return Ok(None);
    }
    Ok(Some(match r.peek() {
        Some(b'"') => Value::StringValue(r.text()?),
        Some(b't' | b'f') => Value::BoolValue(r.boolean()?),
        Some(b'[') => {
            let left = deeper(r, left)?;
            let values = r.list(|r| {
                Ok(AnyValue {
                    value: any(r, left)?,
                })
            })?;
            Value::ArrayValue(ArrayValue { values })
        }
        Some(b'{') => {
            let left = deeper(r, left)?;
            object(members(r, left)?)
        }
        _ => {
            let text = r.number()?;
            // A point or an exponent makes it a double.
            match text.parse() {
                Ok(int) => Value::IntValue(int),
                Err(_) => Value::DoubleValue(
                    number::double(text).ok_or_else(|| r.fault("a number beyond a double"))?,
                ),
            }
        }
    }))
}

/// A kvlist, or one of the markers: they have exactly one member.
fn object(mut values: Vec<KeyValue>) -> Value {
    if let [
        KeyValue {
            key,
            value: Some(AnyValue { value: Some(inner) }),
            ..
        },
    ] = values.as_slice()
    {
        let marker = match (key.as_str(), inner) {
            ("$double", Value::StringValue(word)) => number::double(word).map(Value::DoubleValue),
            ("$bytes", Value::StringValue(hex)) => number::hex(hex).map(Value::BytesValue),
            ("$kvlist", Value::KvlistValue(list)) => {
                let mut values = list.values.clone();
                resolve(&mut values);
                Some(Value::KvlistValue(KeyValueList { values }))
            }
            _ => None,
        };
        if let Some(marker) = marker {
            return marker;
        }
    }
    resolve(&mut values);
    Value::KvlistValue(KeyValueList { values })
}

/// Among several members, and inside the marker, `$kvlist` is a key like any other: its value may be a marker after all.
fn resolve(values: &mut [KeyValue]) {
    for member in values.iter_mut().filter(|member| member.key == "$kvlist") {
        if let Some(AnyValue {
            value: Some(Value::KvlistValue(list)),
        }) = &mut member.value
        {
            let inner = object(std::mem::take(&mut list.values));
            member.value = Some(AnyValue { value: Some(inner) });
        }
    }
}
