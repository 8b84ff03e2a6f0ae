//! How long each operation of a trace took, with and without what it called.

use std::collections::BTreeMap;

use super::tree::Tree;
use crate::model::SpanRecord;

/// One operation of one service.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct StatisticsRow {
    /// Service; empty when not reported.
    pub service_name: String,
    /// Name of the spans.
    pub name: String,
    /// Spans.
    pub spans: u64,
    /// Of these, failed.
    pub errors: u64,
    /// Sum of their durations, nanoseconds.
    pub total_ns: u64,
    /// Sum of the time no child of theirs was running, nanoseconds.
    pub self_ns: u64,
    /// Longest, nanoseconds.
    pub max_ns: u64,
}

/// By span: its length less the union of its children inside it, nanoseconds.
pub fn self_times(spans: &[SpanRecord]) -> Vec<u64> {
    let tree = Tree::of(spans);
    (0..spans.len())
        .map(|at| {
            let (start, end) = tree.intervals[at];
            let mut covered_to = start;
            let mut alone = 0;
            for &child in &tree.children[at] {
                let (from, to) = tree.intervals[child];
                let (from, to) = (from.clamp(start, end), to.clamp(start, end));
                alone += from.saturating_sub(covered_to);
                covered_to = covered_to.max(to);
            }
            alone + end.saturating_sub(covered_to)
        })
        .collect()
}

/// One row an operation, most time of its own first.
pub fn statistics(spans: &[SpanRecord]) -> Vec<StatisticsRow> {
    let mut rows: BTreeMap<(&str, &str), StatisticsRow> = BTreeMap::new();
    for (span, self_ns) in spans.iter().zip(self_times(spans)) {
        let service = span.service_name.as_deref().unwrap_or("");
        let row = rows
            .entry((service, &span.name))
            .or_insert_with(|| StatisticsRow {
                service_name: service.to_owned(),
                name: span.name.clone(),
                ..StatisticsRow::default()
            });
        let length = span
            .end_time_unix_nano
            .saturating_sub(span.start_time_unix_nano);
        row.spans += 1;
        row.errors += u64::from(span.status_code == "error");
        row.total_ns = row.total_ns.saturating_add(length);
        row.self_ns = row.self_ns.saturating_add(self_ns);
        row.max_ns = row.max_ns.max(length);
    }
    let mut rows: Vec<StatisticsRow> = rows.into_values().collect();
    rows.sort_by_key(|row| std::cmp::Reverse(row.self_ns));
    rows
}
