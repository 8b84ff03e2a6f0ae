//! Traces larger than an answer may be: what is left out is counted, and the earliest stay.

use std::time::SystemTime;

use super::*;
use crate::query::trace_rows;

/// Rows of one batch.
const BATCH: usize = 20_000;

/// An hour ago: nothing of it expires while it is looked at.
fn an_hour_ago() -> u64 {
    let now = SystemTime::UNIX_EPOCH.elapsed().expect("after 1970");
    (now.as_secs() - 3_600) * 1_000_000_000
}

/// Spans of trace 1 with these numbers, each a nanosecond after the one before.
fn send_spans(store: &Store, base: u64, numbers: &[u64]) {
    for part in numbers.chunks(BATCH) {
        let mut columns = SpanColumns::default();
        for &number in part {
            columns.push(&SpanRow {
                trace_id: 1_u128.to_be_bytes(),
                span_id: (number + 1).to_be_bytes(),
                name: "work",
                kind: "internal",
                start_unix_nano: base + number,
                end_unix_nano: base + number + 1,
                status_code: "unset",
                attributes: "{}",
                ..SpanRow::default()
            });
        }
        append(store, "shop", Rows::Spans(columns));
    }
}

fn send_logs(store: &Store, base: u64, number: u64) {
    let mut logs = LogColumns::default();
    for number in 0..number {
        logs.push(&LogRow {
            time_unix_nano: base + number,
            severity_number: 9,
            body: Some("done"),
            body_type: Some("string"),
            trace_id: Some(1_u128.to_be_bytes()),
            attributes: "{}",
            ..LogRow::default()
        });
    }
    append(store, "shop", Rows::Logs(logs));
}

#[test]
fn log_records_beyond_an_answer_leave_the_spans_whole() {
    let id = format!("{:032x}", 1);
    for (sent, shown, is_cut) in [(10_000, 10_000, false), (10_002, 10_000, true)] {
        let dir = tempfile::tempdir().expect("a directory");
        let store = open(dir.path());
        let base = an_hour_ago();
        send_spans(&store, base, &[0, 1, 2, 3, 4]);
        send_logs(&store, base, sent);
        for state in ["hot", "sealed"] {
            let reader = store.reader().expect("a reader");
            let session = Session::new(&reader);
            let found = trace(&session, &id).expect("an answer").expect("a trace");
            assert_eq!((found.spans.len(), found.total_spans), (5, 5), "{state}");
            assert_eq!(
                (found.logs.len(), found.total_logs, found.truncated),
                (shown, sent, is_cut),
                "{state}"
            );
            let rows = trace_rows(&session, &id).expect("rows");
            assert_eq!((rows.items.len(), rows.truncated), (5, false), "{state}");
            drop(reader);
            store.seal_now().expect("sealed");
        }
    }
}

#[test]
fn spans_beyond_an_answer_are_counted_each_once_and_the_earliest_are_told() {
    let id = format!("{:032x}", 1);
    let dir = tempfile::tempdir().expect("a directory");
    let store = open(dir.path());
    let base = an_hour_ago();
    // The latest first, and one of them twice.
    let numbers: Vec<u64> = (0..=100_000).rev().chain([0]).collect();
    send_spans(&store, base, &numbers);
    let reader = store.reader().expect("a reader");
    let session = Session::new(&reader);
    let found = trace(&session, &id).expect("an answer").expect("a trace");
    // 100,000 rows are read.
    assert_eq!(
        (found.spans.len(), found.total_spans, found.truncated),
        (99_999, 100_001, true)
    );
    let last = found.spans.last().expect("spans");
    assert_eq!(last.start_time_unix_nano, base + 99_998);
    let rows = trace_rows(&session, &id).expect("rows");
    assert_eq!((rows.items.len(), rows.truncated), (100_000, true));
    let has = |number: u64| {
        let start = format!("\"start_time_unix_nano\":{},", base + number);
        rows.items.iter().any(|row| row.contains(&start))
    };
    assert!(has(0) && has(99_998) && !has(99_999) && !has(100_000));
}
