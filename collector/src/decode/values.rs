//! Attribute values to the hot encoding.
//!
//! Recursion is bounded by what decoded the message: both protobuf and JSON refuse more than 100 nested
//! messages.

use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use tripline_storage::attributes::AttributesWriter;

use super::drops::{DropReason, Drops};

/// Writes a whole attribute map; `note` sees each attribute that is kept.
pub(super) fn write_attributes<'a>(
    writer: &mut AttributesWriter,
    attributes: &'a [KeyValue],
    drops: &mut Drops,
    mut note: impl FnMut(&'a str, &'a Value),
) {
    writer.begin_object();
    for attribute in attributes {
        write_attribute(writer, attribute, drops, &mut note);
    }
    writer.end();
}

/// The same with the keys in order, so that equal maps have equal texts: for what has an identity.
pub(super) fn write_sorted<'a>(
    writer: &mut AttributesWriter,
    attributes: &'a [KeyValue],
    drops: &mut Drops,
    mut note: impl FnMut(&'a str, &'a Value),
) {
    if attributes.is_sorted_by(|a, b| a.key <= b.key) {
        return write_attributes(writer, attributes, drops, note);
    }
    let mut sorted: Vec<&KeyValue> = attributes.iter().collect();
    // Stable: the first of duplicate keys stays the first.
    sorted.sort_by(|a, b| a.key.cmp(&b.key));
    writer.begin_object();
    for attribute in sorted {
        write_attribute(writer, attribute, drops, &mut note);
    }
    writer.end();
}

fn write_attribute<'a>(
    writer: &mut AttributesWriter,
    attribute: &'a KeyValue,
    drops: &mut Drops,
    note: &mut impl FnMut(&'a str, &'a Value),
) {
    if attribute.key_strindex != 0 {
        drops.add(DropReason::StringIndex);
        if !has_key(attribute) {
            return;
        }
    }
    if !writer.key(&attribute.key) {
        drops.add(DropReason::DuplicateKey);
        return;
    }
    let value = attribute.value.as_ref().and_then(|any| any.value.as_ref());
    write_value(writer, value, drops);
    if let Some(value) = value {
        note(&attribute.key, value);
    }
}

/// Whether its key is text: an index into a table that nobody has is none.
fn has_key(attribute: &KeyValue) -> bool {
    attribute.key_strindex == 0 || !attribute.key.is_empty()
}

/// Writes one value; `None` is the empty one.
pub(super) fn write_value(writer: &mut AttributesWriter, value: Option<&Value>, drops: &mut Drops) {
    let Some(value) = value else {
        return writer.empty();
    };
    match value {
        Value::StringValue(text) => writer.string(text),
        Value::BoolValue(value) => writer.bool(*value),
        Value::IntValue(value) => writer.int(*value),
        Value::DoubleValue(value) => writer.double(*value),
        Value::BytesValue(bytes) => writer.bytes(bytes),
        Value::ArrayValue(array) => {
            writer.begin_array();
            for AnyValue { value } in &array.values {
                write_value(writer, value.as_ref(), drops);
            }
            writer.end();
        }
        Value::KvlistValue(list) => {
            // A first key that looks like one of our own markers must not be read as one; what is left out is no first.
            let wrap = list
                .values
                .iter()
                .find(|attribute| has_key(attribute))
                .is_some_and(|first| first.key.starts_with('$'));
            if wrap {
                writer.begin_object();
                writer.fixed_key("$kvlist");
            }
            write_attributes(writer, &list.values, drops, |_, _| {});
            if wrap {
                writer.end();
            }
        }
        Value::StringValueStrindex(_) => {
            drops.add(DropReason::StringIndex);
            writer.empty();
        }
    }
}
