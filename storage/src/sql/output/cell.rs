//! One value as JSON.
//!
//! Integers beyond 2^53 and decimals are strings, NaN and infinities too; times are RFC 3339 with nine digits
//! in UTC; BLOB is lower-case hex; lists are arrays, structs and maps objects; JSON is itself.

use std::fmt::Write as _;

use arrow::array::{Array, ArrayRef, AsArray, FixedSizeListArray, ListArray};
use arrow::datatypes::{
    DataType, Date32Type, Date64Type, Decimal32Type, Decimal64Type, Decimal128Type, Decimal256Type,
    Field, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type,
    IntervalDayTimeType, IntervalMonthDayNanoType, IntervalUnit, IntervalYearMonthType,
    Time32MillisecondType, Time32SecondType, Time64MicrosecondType, Time64NanosecondType, TimeUnit,
    TimestampMicrosecondType, TimestampMillisecondType, TimestampNanosecondType,
    TimestampSecondType, UInt8Type, UInt16Type, UInt32Type, UInt64Type,
};

use super::civil;
use crate::attributes::escape_into;

/// Integers of greater size are not exact in a JSON reader that uses doubles.
const EXACT_MAX: u64 = 1 << 53;

/// Appends the value at `row`. `field` says which texts are JSON.
pub(super) fn write(text: &mut String, array: &dyn Array, field: &Field, row: usize) {
    if array.is_null(row) {
        text.push_str("null");
        return;
    }
    if is_json(field) && write_json(text, array, row) {
        return;
    }
    match array.data_type() {
        DataType::Null => text.push_str("null"),
        DataType::Boolean => text.push_str(if array.as_boolean().value(row) {
            "true"
        } else {
            "false"
        }),
        DataType::Int8 => signed(text, array.as_primitive::<Int8Type>().value(row).into()),
        DataType::Int16 => signed(text, array.as_primitive::<Int16Type>().value(row).into()),
        DataType::Int32 => signed(text, array.as_primitive::<Int32Type>().value(row).into()),
        DataType::Int64 => signed(text, array.as_primitive::<Int64Type>().value(row)),
        DataType::UInt8 => unsigned(text, array.as_primitive::<UInt8Type>().value(row).into()),
        DataType::UInt16 => unsigned(text, array.as_primitive::<UInt16Type>().value(row).into()),
        DataType::UInt32 => unsigned(text, array.as_primitive::<UInt32Type>().value(row).into()),
        DataType::UInt64 => unsigned(text, array.as_primitive::<UInt64Type>().value(row)),
        DataType::Float32 => single(text, array.as_primitive::<Float32Type>().value(row)),
        DataType::Float64 => double(text, array.as_primitive::<Float64Type>().value(row)),
        DataType::Decimal32(..) => quoted(
            text,
            &array.as_primitive::<Decimal32Type>().value_as_string(row),
        ),
        DataType::Decimal64(..) => quoted(
            text,
            &array.as_primitive::<Decimal64Type>().value_as_string(row),
        ),
        DataType::Decimal128(..) => quoted(
            text,
            &array.as_primitive::<Decimal128Type>().value_as_string(row),
        ),
        DataType::Decimal256(..) => quoted(
            text,
            &array.as_primitive::<Decimal256Type>().value_as_string(row),
        ),
        DataType::Utf8 => escape_into(text, array.as_string::<i32>().value(row)),
        DataType::LargeUtf8 => escape_into(text, array.as_string::<i64>().value(row)),
        DataType::Utf8View => escape_into(text, array.as_string_view().value(row)),
        DataType::Binary => hex(text, array.as_binary::<i32>().value(row)),
        DataType::LargeBinary => hex(text, array.as_binary::<i64>().value(row)),
        DataType::BinaryView => hex(text, array.as_binary_view().value(row)),
        DataType::FixedSizeBinary(_) => hex(text, array.as_fixed_size_binary().value(row)),
        DataType::Date32
        | DataType::Date64
        | DataType::Time32(_)
        | DataType::Time64(_)
        | DataType::Timestamp(..)
        | DataType::Interval(_) => {
            text.push('"');
            moment(text, array, row);
            text.push('"');
        }
        DataType::List(child) => {
            let list: &ListArray = array.as_list::<i32>();
            elements(text, &list.value(row), child);
        }
        DataType::LargeList(child) => elements(text, &array.as_list::<i64>().value(row), child),
        DataType::FixedSizeList(child, _) => {
            let list: &FixedSizeListArray = array.as_fixed_size_list();
            elements(text, &list.value(row), child);
        }
        DataType::Struct(fields) => {
            let columns = array.as_struct().columns();
            object(
                text,
                fields
                    .iter()
                    .zip(columns)
                    .map(|(field, column)| (field.name().clone(), column, field.as_ref(), row)),
            );
        }
        DataType::Map(..) => map(text, array, row),
        DataType::Dictionary(_, _) => {
            let dictionary = array.as_any_dictionary();
            let key = dictionary.normalized_keys()[row];
            write(text, dictionary.values().as_ref(), field, key);
        }
        DataType::Union(fields, _) => {
            let union = array.as_union();
            let id = union.type_id(row);
            match fields.iter().find(|(candidate, _)| *candidate == id) {
                Some((_, field)) => write(
                    text,
                    union.child(id).as_ref(),
                    field,
                    union.value_offset(row),
                ),
                None => text.push_str("null"),
            }
        }
        other => quoted(text, &format!("a value of {other} has no JSON form")),
    }
}

/// Whether the field's text is JSON, by the mark DuckDB puts on it.
fn is_json(field: &Field) -> bool {
    field
        .metadata()
        .get("ARROW:extension:name")
        .is_some_and(|name| name == "arrow.json")
}

/// The field as one whose text is JSON.
pub(super) fn as_json(field: &Field) -> Field {
    let mut metadata = field.metadata().clone();
    metadata.insert("ARROW:extension:name".to_owned(), "arrow.json".to_owned());
    field.clone().with_metadata(metadata)
}

fn write_json(text: &mut String, array: &dyn Array, row: usize) -> bool {
    let json = match array.data_type() {
        DataType::Utf8 => array.as_string::<i32>().value(row),
        DataType::LargeUtf8 => array.as_string::<i64>().value(row),
        DataType::Utf8View => array.as_string_view().value(row),
        _ => return false,
    };
    super::json::embed(text, json);
    true
}

fn signed(text: &mut String, value: i64) {
    if value.unsigned_abs() > EXACT_MAX {
        let _ = write!(text, "\"{value}\"");
    } else {
        let _ = write!(text, "{value}");
    }
}

fn unsigned(text: &mut String, value: u64) {
    if value > EXACT_MAX {
        let _ = write!(text, "\"{value}\"");
    } else {
        let _ = write!(text, "{value}");
    }
}

fn double(text: &mut String, value: f64) {
    if value.is_nan() {
        text.push_str("\"NaN\"");
    } else if value.is_infinite() {
        text.push_str(if value > 0.0 {
            "\"Infinity\""
        } else {
            "\"-Infinity\""
        });
    } else {
        let _ = write!(text, "{value:?}");
    }
}

/// The shortest text of a single, not of the double next to it.
fn single(text: &mut String, value: f32) {
    if value.is_finite() {
        let _ = write!(text, "{value:?}");
    } else {
        double(text, value.into());
    }
}

fn quoted(text: &mut String, value: &str) {
    escape_into(text, value);
}

fn hex(text: &mut String, bytes: &[u8]) {
    text.push('"');
    for byte in bytes {
        let _ = write!(text, "{byte:02x}");
    }
    text.push('"');
}

fn elements(text: &mut String, values: &ArrayRef, field: &Field) {
    text.push('[');
    for row in 0..values.len() {
        if row > 0 {
            text.push(',');
        }
        write(text, values.as_ref(), field, row);
    }
    text.push(']');
}

fn object<'a>(
    text: &mut String,
    members: impl Iterator<Item = (String, &'a ArrayRef, &'a Field, usize)>,
) {
    text.push('{');
    for (number, (name, column, field, row)) in members.enumerate() {
        if number > 0 {
            text.push(',');
        }
        escape_into(text, &name);
        text.push(':');
        write(text, column.as_ref(), field, row);
    }
    text.push('}');
}

/// A map is an object; keys that are not text are their JSON as text.
fn map(text: &mut String, array: &dyn Array, row: usize) {
    let entries = array.as_map().value(row);
    let fields = entries.fields();
    let (keys, values) = (entries.column(0), entries.column(1));
    let members = (0..entries.len()).map(|entry| {
        let mut key = String::new();
        write(&mut key, keys.as_ref(), &fields[0], entry);
        let key = match serde_json::from_str::<String>(&key) {
            Ok(text) => text,
            Err(_) => key,
        };
        (key, values, fields[1].as_ref(), entry)
    });
    object(text, members);
}

fn moment(text: &mut String, array: &dyn Array, row: usize) {
    match array.data_type() {
        DataType::Date32 => match array.as_primitive::<Date32Type>().value(row) {
            i32::MAX => text.push_str("infinity"),
            days if days == -i32::MAX => text.push_str("-infinity"),
            days => civil::date(text, days.into()),
        },
        DataType::Date64 => civil::date(
            text,
            array
                .as_primitive::<Date64Type>()
                .value(row)
                .div_euclid(86_400_000),
        ),
        DataType::Time32(TimeUnit::Second) => civil::time(
            text,
            array.as_primitive::<Time32SecondType>().value(row).into(),
            0,
        ),
        DataType::Time32(_) => clock(
            text,
            array
                .as_primitive::<Time32MillisecondType>()
                .value(row)
                .into(),
            1_000,
        ),
        DataType::Time64(TimeUnit::Microsecond) => clock(
            text,
            array.as_primitive::<Time64MicrosecondType>().value(row),
            1_000_000,
        ),
        DataType::Time64(_) => clock(
            text,
            array.as_primitive::<Time64NanosecondType>().value(row),
            1_000_000_000,
        ),
        DataType::Timestamp(TimeUnit::Second, _) => stamp(
            text,
            array.as_primitive::<TimestampSecondType>().value(row),
            1,
        ),
        DataType::Timestamp(TimeUnit::Millisecond, _) => stamp(
            text,
            array.as_primitive::<TimestampMillisecondType>().value(row),
            1_000,
        ),
        DataType::Timestamp(TimeUnit::Microsecond, _) => stamp(
            text,
            array.as_primitive::<TimestampMicrosecondType>().value(row),
            1_000_000,
        ),
        DataType::Timestamp(TimeUnit::Nanosecond, _) => stamp(
            text,
            array.as_primitive::<TimestampNanosecondType>().value(row),
            1_000_000_000,
        ),
        DataType::Interval(IntervalUnit::MonthDayNano) => {
            let value = array.as_primitive::<IntervalMonthDayNanoType>().value(row);
            civil::interval(text, value.months, value.days, value.nanoseconds);
        }
        DataType::Interval(IntervalUnit::DayTime) => {
            let value = array.as_primitive::<IntervalDayTimeType>().value(row);
            civil::interval(
                text,
                0,
                value.days,
                i64::from(value.milliseconds) * 1_000_000,
            );
        }
        DataType::Interval(IntervalUnit::YearMonth) => {
            civil::interval(
                text,
                array.as_primitive::<IntervalYearMonthType>().value(row),
                0,
                0,
            );
        }
        _ => {}
    }
}

fn stamp(text: &mut String, value: i64, a_second: i64) {
    match value {
        i64::MAX => text.push_str("infinity"),
        value if value == -i64::MAX => text.push_str("-infinity"),
        value => civil::timestamp(text, value.div_euclid(a_second), nanos(value, a_second)),
    }
}

fn clock(text: &mut String, value: i64, a_second: i64) {
    civil::time(text, value.div_euclid(a_second), nanos(value, a_second));
}

fn nanos(value: i64, a_second: i64) -> u32 {
    u32::try_from(value.rem_euclid(a_second) * (1_000_000_000 / a_second)).expect("below a second")
}
