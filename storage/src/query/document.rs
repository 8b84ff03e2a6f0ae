//! From the hot encoding's JSON text (or a VARIANT's JSON) back to attribute values.

use serde_json::Value;

use crate::model::{Attribute, AttributeValue, Attributes, SpanEvent, SpanLink};

/// An attribute map; text that is none reads as no attributes.
pub(super) fn attributes(text: Option<&str>) -> Attributes {
    match text.map(serde_json::from_str) {
        Some(Ok(Value::Object(map))) => entries(map),
        _ => Attributes::new(),
    }
}

/// A span's events.
pub(super) fn events(text: Option<&str>) -> Vec<SpanEvent> {
    objects(text)
        .map(|mut event| SpanEvent {
            time_unix_nano: number(&event, "time_unix_nano"),
            name: string(&mut event, "name").unwrap_or_default(),
            attributes: map(&mut event),
            dropped_attributes_count: count(&event, "dropped_attributes_count"),
        })
        .collect()
}

/// A span's links.
pub(super) fn links(text: Option<&str>) -> Vec<SpanLink> {
    objects(text)
        .map(|mut link| SpanLink {
            trace_id: string(&mut link, "trace_id").unwrap_or_default(),
            span_id: string(&mut link, "span_id").unwrap_or_default(),
            trace_state: string(&mut link, "trace_state").filter(|text| !text.is_empty()),
            flags: count(&link, "flags"),
            attributes: map(&mut link),
            dropped_attributes_count: count(&link, "dropped_attributes_count"),
        })
        .collect()
}

type Object = serde_json::Map<String, Value>;

fn objects(text: Option<&str>) -> impl Iterator<Item = Object> {
    let items = match text.map(serde_json::from_str) {
        Some(Ok(Value::Array(items))) => items,
        _ => Vec::new(),
    };
    items.into_iter().filter_map(|item| {
        if let Value::Object(object) = item {
            Some(object)
        } else {
            None
        }
    })
}

fn entries(map: Object) -> Attributes {
    map.into_iter()
        .map(|(key, value)| Attribute {
            key,
            value: decode(value),
        })
        .collect()
}

fn decode(value: Value) -> AttributeValue {
    match value {
        Value::Null => AttributeValue::Empty,
        Value::Bool(value) => AttributeValue::Bool(value),
        Value::String(text) => AttributeValue::String(text),
        Value::Array(values) => AttributeValue::Array(values.into_iter().map(decode).collect()),
        Value::Object(map) => special(map),
        Value::Number(number) => match number.as_i64() {
            Some(value) => AttributeValue::Int(value),
            None => AttributeValue::Double(number.as_f64().unwrap_or(f64::NAN)),
        },
    }
}

/// A kvlist, or one of the encoding's `{"$…": …}`.
fn special(mut map: Object) -> AttributeValue {
    if map.len() == 1 {
        match map.iter().next() {
            Some((key, Value::String(text))) if key == "$bytes" => {
                return AttributeValue::Bytes(text.clone());
            }
            Some((key, Value::String(text))) if key == "$double" => {
                return AttributeValue::Double(text.parse().unwrap_or(f64::NAN));
            }
            Some((key, Value::Object(_))) if key == "$kvlist" => {
                if let Some(Value::Object(inner)) = map.remove("$kvlist") {
                    return AttributeValue::Kvlist(entries(inner));
                }
            }
            _ => {}
        }
    }
    AttributeValue::Kvlist(entries(map))
}

fn map(object: &mut Object) -> Attributes {
    match object.remove("attributes") {
        Some(Value::Object(map)) => entries(map),
        _ => Attributes::new(),
    }
}

fn string(object: &mut Object, key: &str) -> Option<String> {
    match object.remove(key) {
        Some(Value::String(text)) => Some(text),
        _ => None,
    }
}

fn number(object: &Object, key: &str) -> u64 {
    match object.get(key) {
        Some(Value::String(text)) => text.parse().unwrap_or(0),
        Some(value) => value.as_u64().unwrap_or(0),
        None => 0,
    }
}

fn count(object: &Object, key: &str) -> u32 {
    u32::try_from(number(object, key)).unwrap_or(u32::MAX)
}
