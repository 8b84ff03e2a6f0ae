//! Calls that take turns of a breaker and that no span tells.

use super::{BASE, MS, SECOND, answers, resource};
use crate::fixture;
use crate::ingest::{Rows, SpanColumns, SpanRow};

#[test]
fn what_is_counted_and_in_no_span_is_a_limit_of_the_answer() {
    // A call takes two turns; of two calls under each span the second is told.
    for (turns_a_span, is_said) in [(2, false), (4, true)] {
        let dir = tempfile::tempdir().expect("a directory");
        let store = fixture::open(dir.path());
        let mut spans = SpanColumns::default();
        for number in 0..100_u64 {
            let (start, turn) = (BASE + number * SECOND, (number + 1) * turns_a_span);
            let attributes = format!(
                r#"{{"circuit_breaker.name":"payment","circuit_breaker.outcome":"success","circuit_breaker.state":"closed","circuit_breaker.admitted_unix_nano":{start},"circuit_breaker.duration_ns":{},"circuit_breaker.admitted_sequence":{},"circuit_breaker.ended_sequence":{turn}}}"#,
                20 * MS,
                turn - 1,
            );
            spans.push(&SpanRow {
                trace_id: u128::from(number + 1).to_be_bytes(),
                span_id: (number + 1).to_be_bytes(),
                name: "call",
                kind: "internal",
                start_unix_nano: start,
                end_unix_nano: start + 20 * MS,
                status_code: "unset",
                attributes: &attributes,
                weight: Some(1.0),
                ..SpanRow::default()
            });
        }
        let sender = vec![resource("pod")];
        fixture::append(&store, fixture::batch(sender, Rows::Spans(spans)));
        for answer in answers(&store) {
            let limits = answer.limits.join(" ");
            assert_eq!(
                limits.contains("counted more than spans tell"),
                is_said,
                "{limits}"
            );
        }
    }
}
