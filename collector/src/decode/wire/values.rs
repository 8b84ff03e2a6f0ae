//! Attribute values from the wire into the hot encoding; the twin of [`super::super::values`].

use tripline_storage::attributes::AttributesWriter;

use super::{Field, Fields, Read, Unusual, set_once};
use crate::decode::drops::{DropReason, Drops};

/// Values nest no deeper here; protobuf's own limit (100 messages) begins to bite past it.
const NESTING_MAX: u32 = 20;

/// What facts are made of.
#[derive(Clone, Copy)]
pub(super) enum Noted<'a> {
    Text(&'a str),
    Int(i64),
    Double(f64),
    Other,
}

/// One `KeyValue`, fields found.
struct Attribute<'a> {
    key: &'a str,
    value: &'a [u8],
    has_index: bool,
}

impl<'a> Attribute<'a> {
    fn of(message: &'a [u8]) -> Read<Self> {
        let (mut key, mut value, mut index) = ("", None, 0);
        let mut fields = Fields::of(message);
        while let Some((number, field)) = fields.next()? {
            match number {
                1 => key = field.text()?,
                2 => set_once(&mut value, field)?,
                3 => index = field.int32()?,
                _ => {}
            }
        }
        // An absent value and an empty one are written alike.
        Ok(Self {
            key,
            value: value.unwrap_or_default(),
            has_index: index != 0,
        })
    }
}

/// Writes one attribute of a map; `note` sees it if it is kept.
pub(super) fn write_attribute<'a>(
    writer: &mut AttributesWriter,
    message: &'a [u8],
    drops: &mut Drops,
    note: &mut impl FnMut(&'a str, Noted<'a>),
) -> Read<()> {
    write_nested(writer, message, drops, NESTING_MAX, note)
}

fn write_nested<'a>(
    writer: &mut AttributesWriter,
    message: &'a [u8],
    drops: &mut Drops,
    left: u32,
    note: &mut impl FnMut(&'a str, Noted<'a>),
) -> Read<()> {
    let attribute = Attribute::of(message)?;
    if attribute.has_index {
        drops.add(DropReason::StringIndex);
    }
    let nameless = attribute.has_index && attribute.key.is_empty();
    if nameless || !writer.key(attribute.key) {
        if !nameless {
            drops.add(DropReason::DuplicateKey);
        }
        // Not written, yet it must be readable: the request is refused as a whole if it is not.
        let mut unused = AttributesWriter::new();
        write_value(&mut unused, attribute.value, &mut Drops::default(), left)?;
        return Ok(());
    }
    let noted = write_value(writer, attribute.value, drops, left)?;
    note(attribute.key, noted);
    Ok(())
}

/// Writes an `AnyValue`.
fn write_value<'a>(
    writer: &mut AttributesWriter,
    message: &'a [u8],
    drops: &mut Drops,
    left: u32,
) -> Read<Noted<'a>> {
    let mut value = None;
    let mut fields = Fields::of(message);
    while let Some((number, field)) = fields.next()? {
        // Members of one oneof: the last would win, or merge.
        if (1..=8).contains(&number) && value.replace((number, field)).is_some() {
            return Err(Unusual);
        }
    }
    let Some((number, field)) = value else {
        writer.empty();
        return Ok(Noted::Other);
    };
    Ok(match number {
        1 => {
            let text = field.text()?;
            writer.string(text);
            Noted::Text(text)
        }
        2 => {
            writer.bool(field.varint()? != 0);
            Noted::Other
        }
        3 => {
            let value = field.varint()? as i64;
            writer.int(value);
            Noted::Int(value)
        }
        4 => {
            let value = f64::from_bits(field.fixed64()?);
            writer.double(value);
            Noted::Double(value)
        }
        5 => {
            write_array(writer, field, drops, left.checked_sub(1).ok_or(Unusual)?)?;
            Noted::Other
        }
        6 => {
            write_list(writer, field, drops, left.checked_sub(1).ok_or(Unusual)?)?;
            Noted::Other
        }
        7 => {
            writer.bytes(field.bytes()?);
            Noted::Other
        }
        _ => {
            field.int32()?;
            drops.add(DropReason::StringIndex);
            writer.empty();
            Noted::Other
        }
    })
}

fn write_array(
    writer: &mut AttributesWriter,
    array: Field<'_>,
    drops: &mut Drops,
    left: u32,
) -> Read<()> {
    writer.begin_array();
    let mut fields = Fields::of(array.bytes()?);
    while let Some((number, field)) = fields.next()? {
        if number == 1 {
            write_value(writer, field.bytes()?, drops, left)?;
        }
    }
    writer.end();
    Ok(())
}

fn write_list(
    writer: &mut AttributesWriter,
    list: Field<'_>,
    drops: &mut Drops,
    left: u32,
) -> Read<()> {
    let mut fields = Fields::of(list.bytes()?);
    let mut first = fields;
    let wrap = loop {
        match first.next()? {
            Some((1, field)) => {
                let attribute = Attribute::of(field.bytes()?)?;
                if !attribute.key.is_empty() || !attribute.has_index {
                    break attribute.key.starts_with('$');
                }
            }
            Some(_) => {}
            None => break false,
        }
    };
    if wrap {
        writer.begin_object();
        writer.fixed_key("$kvlist");
    }
    writer.begin_object();
    while let Some((number, field)) = fields.next()? {
        if number == 1 {
            write_nested(writer, field.bytes()?, drops, left, &mut |_, _| {})?;
        }
    }
    writer.end();
    if wrap {
        writer.end();
    }
    Ok(())
}
