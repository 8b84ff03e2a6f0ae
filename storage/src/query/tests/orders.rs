//! Lists in other orders than the newest first, against an order made by hand of everything that is stored.

use super::*;
use crate::model::TraceSummary;
use crate::query::trace_count;

/// What is known of a trace that was sent: its number, spans, failed spans and length.
struct Sent {
    number: u64,
    spans: u64,
    errors: u64,
    length_ms: u64,
}

/// Fifty traces of one to seven spans, some failed, over ten minutes; every third span is in the other service. What
/// they are ordered by has no relation to when they were.
fn sent(store: &Store) -> Vec<Sent> {
    let traces: Vec<Sent> = (0..50_u64)
        .map(|number| Sent {
            number,
            spans: number * 3 % 7 + 1,
            errors: number * 5 % 4,
            length_ms: number * 7_919 % 1_000 + 10,
        })
        .collect();
    for (at, trace) in traces.iter().enumerate() {
        if at == 30 {
            store.seal_now().expect("sealed");
        }
        for (service, rest) in [("shop", [0, 1]), ("pay", [2, 2])] {
            let spans: Vec<u64> = (0..trace.spans)
                .filter(|span| rest.contains(&(span % 3)))
                .collect();
            if spans.is_empty() {
                continue;
            }
            let mut columns = SpanColumns::default();
            for span in spans {
                let start = BASE + trace.number * 11_000_000_000 + span;
                // The first is the longest; the others end before it.
                let length_ms = if span == 0 { trace.length_ms } else { 1 };
                columns.push(&SpanRow {
                    trace_id: u128::from(trace.number + 1).to_be_bytes(),
                    span_id: (trace.number * 10 + span + 1).to_be_bytes(),
                    parent_span_id: (span > 0).then(|| (trace.number * 10 + span).to_be_bytes()),
                    name: "work",
                    kind: "internal",
                    start_unix_nano: start,
                    end_unix_nano: start + length_ms * 1_000_000,
                    status_code: if span < trace.errors { "error" } else { "ok" },
                    attributes: "{}",
                    ..SpanRow::default()
                });
            }
            append(store, service, Rows::Spans(columns));
        }
    }
    traces
}

fn numbers(items: &[TraceSummary]) -> Vec<u64> {
    items
        .iter()
        .map(|trace| u64::from_str_radix(&trace.trace_id, 16).expect("hex") - 1)
        .collect()
}

#[test]
fn traces_come_in_the_order_asked_for_before_the_list_is_cut() {
    let dir = tempfile::tempdir().expect("a directory");
    let store = open(dir.path());
    let mut traces = sent(&store);
    let reader = store.reader().expect("a reader");
    let session = Session::new(&reader);
    let key = |order: TraceOrder, trace: &Sent| match order {
        TraceOrder::Start => trace.number,
        TraceOrder::Duration => trace.length_ms,
        TraceOrder::Errors => trace.errors.min(trace.spans),
        TraceOrder::Spans => trace.spans,
    };
    for (_, order) in TraceOrder::WORDS {
        // Ties: the newest first.
        traces.sort_by_key(|trace| std::cmp::Reverse((key(order, trace), trace.number)));
        let expected: Vec<u64> = traces.iter().map(|trace| trace.number).collect();
        for range in [None, Some(RANGE)] {
            let question = TraceQuery {
                range,
                order,
                limit: 12,
                ..TraceQuery::default()
            };
            let page = super::traces(&session, &question).expect("traces");
            assert_eq!(numbers(&page.items), expected[..12], "{order:?} {range:?}");
            assert!(page.truncated, "{order:?}");
            if order != TraceOrder::Start {
                assert_eq!((page.total, page.next), (Some(50), None), "{order:?}");
            }
        }
        // Those alone that fit, by the whole of each.
        let question = TraceQuery {
            service: Some("pay".to_owned()),
            range: Some(RANGE),
            order,
            limit: 100,
            ..TraceQuery::default()
        };
        let page = super::traces(&session, &question).expect("traces");
        let expected: Vec<u64> = traces
            .iter()
            .filter(|trace| trace.spans > 2)
            .map(|trace| trace.number)
            .collect();
        assert_eq!(numbers(&page.items), expected, "{order:?}");
        for trace in &page.items {
            assert_eq!(trace.matched.service_name.as_deref(), Some("pay"));
        }
        assert_eq!(
            trace_count(&session, &question).expect("a count"),
            Some(expected.len() as u64)
        );
    }
    let nothing = TraceQuery {
        service: Some("nobody".to_owned()),
        order: TraceOrder::Duration,
        limit: 10,
        ..TraceQuery::default()
    };
    let page = super::traces(&session, &nothing).expect("none");
    assert_eq!((page.items.len(), page.total), (0, Some(0)));
    let paged = TraceQuery {
        cursor: Some("1.2.0".to_owned()),
        ..nothing
    };
    assert!(matches!(
        super::traces(&session, &paged),
        Err(QueryError::Invalid(_))
    ));
}

#[test]
fn each_trace_is_on_one_page_however_its_spans_lie_among_those_of_others() {
    let dir = tempfile::tempdir().expect("a directory");
    let store = open(dir.path());
    // Forty traces a second apart, each with a span every three seconds: at any moment several run.
    for at in 0..3_u64 {
        let mut columns = SpanColumns::default();
        for number in 0..40_u64 {
            let start = BASE + (number + at * 3) * 1_000_000_000;
            columns.push(&SpanRow {
                trace_id: u128::from(number + 1).to_be_bytes(),
                span_id: (number * 10 + at + 1).to_be_bytes(),
                name: if at == 2 { "last" } else { "work" },
                kind: "internal",
                start_unix_nano: start,
                end_unix_nano: start + 1_000_000,
                status_code: "ok",
                attributes: "{}",
                ..SpanRow::default()
            });
        }
        append(&store, "shop", Rows::Spans(columns));
        if at == 1 {
            store.seal_now().expect("sealed");
        }
    }
    let reader = store.reader().expect("a reader");
    let session = Session::new(&reader);
    let newest_first: Vec<u64> = (0..40).rev().collect();
    for name in [None, Some("work".to_owned())] {
        for limit in [1, 3, 7, 40] {
            let mut question = TraceQuery {
                name: name.clone(),
                limit,
                ..TraceQuery::default()
            };
            let mut shown = Vec::new();
            loop {
                let page = super::traces(&session, &question).expect("traces");
                shown.extend(numbers(&page.items));
                assert!(page.items.len() <= limit);
                let Some(next) = page.next else { break };
                question.cursor = Some(next);
            }
            assert_eq!(shown, newest_first, "{name:?} {limit}");
        }
    }
}

#[test]
fn services_are_ordered_before_the_list_is_cut() {
    let dir = tempfile::tempdir().expect("a directory");
    let store = open(dir.path());
    // Calls, failed and length of each in milliseconds.
    let services = [
        ("a", 10_u64, 5_u64, 20_u64),
        ("b", 30, 6, 10),
        ("c", 20, 0, 900),
        ("d", 5, 4, 50),
    ];
    for (at, (service, calls, failed, length)) in (0_u64..).zip(services) {
        let mut columns = SpanColumns::default();
        for number in 0..calls {
            let id = at * 100 + number + 1;
            let start = BASE + number * 1_000_000_000;
            columns.push(&SpanRow {
                trace_id: u128::from(id).to_be_bytes(),
                span_id: id.to_be_bytes(),
                name: "GET /",
                kind: "server",
                start_unix_nano: start,
                end_unix_nano: start + length * 1_000_000,
                status_code: if number < failed { "error" } else { "ok" },
                attributes: "{}",
                ..SpanRow::default()
            });
        }
        append(&store, service, Rows::Spans(columns));
    }
    let reader = store.reader().expect("a reader");
    let session = Session::new(&reader);
    for (order, expected) in [
        (ServiceOrder::Name, ["a", "b"]),
        (ServiceOrder::Impact, ["b", "a"]),
        (ServiceOrder::Rate, ["b", "c"]),
        (ServiceOrder::Errors, ["d", "a"]),
        (ServiceOrder::P95, ["c", "d"]),
    ] {
        let question = ServicesQuery {
            range: RANGE,
            scope: Scope::default(),
            order,
            limit: 2,
        };
        let page = services_of(&session, &question);
        assert_eq!(page, expected, "{order:?}");
    }
}

fn services_of(session: &Session<'_>, question: &ServicesQuery) -> Vec<String> {
    let page = services(session, question).expect("services");
    assert_eq!((page.truncated, page.total), (true, Some(4)));
    page.items
        .into_iter()
        .map(|service| service.service_name)
        .collect()
}
