//! One span of a trace against the whole trace: over files, hot and sealed, sent again, of odd times.

use std::time::SystemTime;

use super::*;
use crate::query::span;

const SECOND: u64 = 1_000_000_000;

/// Nine spans of one trace, each below the one of half its number, in two sealed files and a hot one; every third has two
/// log records. One has no time, one is of a time beyond what the engine's times reach.
fn sent(store: &Store) {
    let now = SystemTime::UNIX_EPOCH.elapsed().expect("after 1970");
    let base = (now.as_secs() - 3_600) * SECOND;
    for round in 0..3_u64 {
        let numbers = round * 3 + 1..round * 3 + 4;
        for _ in 0..2 {
            let mut columns = SpanColumns::default();
            for number in numbers.clone() {
                let (start, end) = match number {
                    4 => (0, 0),
                    8 => (u64::MAX - 9, u64::MAX - 1),
                    _ => (base + number * SECOND, base + (number + 1) * SECOND),
                };
                columns.push(&SpanRow {
                    trace_id: 1_u128.to_be_bytes(),
                    span_id: number.to_be_bytes(),
                    parent_span_id: (number > 1).then(|| (number / 2).to_be_bytes()),
                    name: "work",
                    kind: "internal",
                    start_unix_nano: start,
                    end_unix_nano: end,
                    status_code: "unset",
                    attributes: r#"{"a":1}"#,
                    ..SpanRow::default()
                });
            }
            append(store, "shop", Rows::Spans(columns));
        }
        let mut logs = LogColumns::default();
        for number in numbers.filter(|number| number.is_multiple_of(3)) {
            for at in 0..2 {
                logs.push(&LogRow {
                    time_unix_nano: base + number * SECOND + at,
                    severity_number: 9,
                    body: Some("done"),
                    body_type: Some("string"),
                    trace_id: Some(1_u128.to_be_bytes()),
                    span_id: Some(number.to_be_bytes()),
                    attributes: "{}",
                    ..LogRow::default()
                });
            }
        }
        append(store, "shop", Rows::Logs(logs));
        if round < 2 {
            store.seal_now().expect("sealed");
        }
    }
}

#[test]
fn a_span_by_itself_is_as_its_trace_has_it() {
    let dir = tempfile::tempdir().expect("a directory");
    let store = open(dir.path());
    sent(&store);
    let reader = store.reader().expect("a reader");
    let session = Session::new(&reader);
    let id = format!("{:032x}", 1);
    let whole = trace(&session, &id).expect("an answer").expect("a trace");
    assert_eq!(whole.spans.len(), 9);
    let timed = || {
        let spans = whole.spans.iter();
        spans.filter(|span| span.start_time_unix_nano > 0)
    };
    let first = timed().map(|span| span.start_time_unix_nano).min();
    let last = timed().map(|span| span.end_time_unix_nano).max();
    for known in &whole.spans {
        let found = span(&session, &id, &known.span_id.to_uppercase());
        let found = found.expect("an answer").expect("a span");
        let of = &known.span_id;
        assert_eq!(&found.span, known);
        let below = whole.spans.iter();
        let below = below.filter(|other| other.parent_span_id.as_ref() == Some(of));
        assert!(found.below.iter().eq(below), "{:?}", found.below);
        let logs = whole.logs.iter();
        let logs = logs.filter(|log| log.span_id.as_ref() == Some(of));
        assert!(found.logs.iter().eq(logs), "{:?}", found.logs);
        assert_eq!(found.total_logs, found.logs.len() as u64);
        let bounds = (found.trace_start_unix_nano, found.trace_end_unix_nano);
        assert_eq!((Some(bounds.0), Some(bounds.1)), (first, last));
        let is_in_time = i64::try_from(known.start_time_unix_nano).is_ok_and(|ns| ns > 0);
        assert_eq!(found.beside.is_some(), is_in_time, "{of}");
    }
    assert_eq!(
        span(&session, &id, &"9".repeat(16)).expect("an answer"),
        None
    );
    assert!(span(&session, &id, "9").is_err());
}
