//! Two traces side by side, operation by operation.

use std::collections::BTreeMap;

use super::statistics::{StatisticsRow, statistics};
use crate::model::SpanRecord;

/// One operation in both traces; a default row where it does not happen.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ComparedRow {
    /// Service.
    pub service_name: String,
    /// Name of the spans.
    pub name: String,
    /// In the first trace.
    pub first: StatisticsRow,
    /// In the second.
    pub second: StatisticsRow,
}

impl ComparedRow {
    /// How much more time of its own the second trace spent here, nanoseconds.
    pub fn difference_ns(&self) -> i128 {
        i128::from(self.second.self_ns) - i128::from(self.first.self_ns)
    }
}

/// One row an operation of either, the greatest difference in own time first.
pub fn compare(first: &[SpanRecord], second: &[SpanRecord]) -> Vec<ComparedRow> {
    let mut rows: BTreeMap<(String, String), ComparedRow> = BTreeMap::new();
    let mut put = |row: StatisticsRow, is_second: bool| {
        let entry = rows
            .entry((row.service_name.clone(), row.name.clone()))
            .or_insert_with(|| ComparedRow {
                service_name: row.service_name.clone(),
                name: row.name.clone(),
                ..ComparedRow::default()
            });
        *(if is_second {
            &mut entry.second
        } else {
            &mut entry.first
        }) = row;
    };
    statistics(first)
        .into_iter()
        .for_each(|row| put(row, false));
    statistics(second)
        .into_iter()
        .for_each(|row| put(row, true));
    let mut rows: Vec<ComparedRow> = rows.into_values().collect();
    rows.sort_by_key(|row| std::cmp::Reverse(row.difference_ns().abs()));
    rows
}
