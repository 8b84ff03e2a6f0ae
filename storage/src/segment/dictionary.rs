//! Resources, scopes and streams as Arrow columns, in the order of their hot tables.

use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanArray, RecordBatch, StringArray, UInt32Array, UInt64Array};

use super::tables::{RESOURCES, SCOPES, SERIES, Table};
use crate::ingest::{ResourceRow, ScopeRow, SeriesRow};

/// A stream with the numbers its segment gave it.
#[derive(Debug)]
pub(super) struct NumberedSeries<'a> {
    pub id: u64,
    pub resource: u32,
    pub scope: u32,
    pub row: &'a SeriesRow,
}

/// Columns of the table `resources`.
pub(super) fn resources(rows: &[(u32, &ResourceRow)]) -> RecordBatch {
    let text =
        |field: fn(&ResourceRow) -> Option<&str>| texts(rows.iter().map(|(_, row)| field(row)));
    record_batch(
        &RESOURCES,
        vec![
            numbers(rows.iter().map(|(number, _)| *number)),
            ids(rows.iter().map(|(_, row)| row.id())),
            text(|row| row.service_name.as_deref()),
            text(|row| row.service_namespace.as_deref()),
            text(|row| row.service_version.as_deref()),
            text(|row| row.service_instance_id.as_deref()),
            text(|row| row.environment.as_deref()),
            text(|row| row.cluster.as_deref()),
            text(|row| Some(&row.attributes)),
            text(|row| row.schema_url.as_deref()),
            numbers(rows.iter().map(|(_, row)| row.dropped_attributes_count)),
            text(|row| row.entity_refs.as_deref()),
        ],
    )
}

/// Columns of the table `scopes`.
pub(super) fn scopes(rows: &[(u32, &ScopeRow)]) -> RecordBatch {
    let text = |field: fn(&ScopeRow) -> Option<&str>| texts(rows.iter().map(|(_, row)| field(row)));
    record_batch(
        &SCOPES,
        vec![
            numbers(rows.iter().map(|(number, _)| *number)),
            ids(rows.iter().map(|(_, row)| row.id())),
            text(|row| Some(&row.name)),
            text(|row| Some(&row.version)),
            text(|row| Some(&row.attributes)),
            text(|row| row.schema_url.as_deref()),
            numbers(rows.iter().map(|(_, row)| row.dropped_attributes_count)),
        ],
    )
}

/// Columns of the table `series`.
pub(super) fn series(rows: &[(u32, NumberedSeries<'_>)]) -> RecordBatch {
    let text = |field: fn(&SeriesRow) -> Option<&str>| {
        texts(rows.iter().map(|(_, series)| field(series.row)))
    };
    let monotonic: BooleanArray = rows
        .iter()
        .map(|(_, series)| series.row.is_monotonic)
        .collect();
    record_batch(
        &SERIES,
        vec![
            numbers(rows.iter().map(|(number, _)| *number)),
            ids(rows.iter().map(|(_, series)| series.id)),
            numbers(rows.iter().map(|(_, series)| series.resource)),
            numbers(rows.iter().map(|(_, series)| series.scope)),
            text(|row| Some(&row.name)),
            text(|row| Some(&row.unit)),
            text(|row| Some(row.kind)),
            text(|row| row.temporality.as_deref()),
            Arc::new(monotonic),
            text(|row| Some(&row.attributes)),
            text(|row| Some(&row.description)),
            text(|row| row.metadata.as_deref()),
        ],
    )
}

fn texts<'a>(values: impl Iterator<Item = Option<&'a str>>) -> ArrayRef {
    Arc::new(values.collect::<StringArray>())
}

fn numbers(values: impl Iterator<Item = u32>) -> ArrayRef {
    Arc::new(UInt32Array::from_iter_values(values))
}

fn ids(values: impl Iterator<Item = u64>) -> ArrayRef {
    Arc::new(UInt64Array::from_iter_values(values))
}

fn record_batch(table: &Table, columns: Vec<ArrayRef>) -> RecordBatch {
    RecordBatch::try_from_iter_with_nullable(
        table
            .columns
            .iter()
            .zip(columns)
            .map(|(column, array)| (column.name, array, true)),
    )
    .expect("one array a column, all of the rows' length")
}
