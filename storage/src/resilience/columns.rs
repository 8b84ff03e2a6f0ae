//! Columns of a batch that recognisers read, by their names.

use arrow::array::{Array as _, AsArray as _, RecordBatch, StringArray, UInt32Array};
use arrow::datatypes::{TimestampNanosecondType, UInt32Type};

/// A text column by name.
pub(super) fn text<'a>(batch: &'a RecordBatch, name: &str) -> &'a StringArray {
    batch
        .column_by_name(name)
        .expect("ingest builds this column")
        .as_string()
}

/// A column of indexes by name.
pub(super) fn index<'a>(batch: &'a RecordBatch, name: &str) -> &'a UInt32Array {
    batch
        .column_by_name(name)
        .expect("ingest builds this column")
        .as_primitive::<UInt32Type>()
}

/// Times from here on (the year 2255) are no evidence: sums of them would overflow.
pub(super) const TIME_END: i64 = 9_000_000_000_000_000_000;

/// A time by column and row.
pub(super) fn time(batch: &RecordBatch, name: &str, row: usize) -> Option<i64> {
    let column = batch
        .column_by_name(name)
        .expect("ingest builds this column")
        .as_primitive::<TimestampNanosecondType>();
    (!column.is_null(row))
        .then(|| column.value(row))
        .filter(|time| *time < TIME_END)
}

/// A text that is there.
pub(super) fn at(column: &StringArray, row: usize) -> Option<&str> {
    (!column.is_null(row)).then(|| column.value(row))
}
