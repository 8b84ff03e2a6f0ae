//! The graph beside the calls of an earlier time: every shown edge is compared, and what is called no more is named.

use super::*;
use crate::model::EarlierCalls;
use crate::query::graph_beside;

const SECOND: u64 = 1_000_000_000;
const WEEK: u64 = 7 * 86_400 * SECOND;

/// `count` calls from one service to another, a second apart.
fn called(store: &Store, caller: &str, callee: &str, first: u64, count: u64, start: u64) {
    let sent = |service: &str, kind: &'static str, span: u64| {
        let mut columns = SpanColumns::default();
        for number in first..first + count {
            let id = |span: u64| (number * 10 + span + 1).to_be_bytes();
            let start = start + (number - first) * SECOND;
            columns.push(&SpanRow {
                trace_id: u128::from(number + 1).to_be_bytes(),
                span_id: id(span),
                parent_span_id: (span > 0).then(|| id(span - 1)),
                name: "work",
                kind,
                start_unix_nano: start + span,
                end_unix_nano: start + 1_000_000,
                status_code: "unset",
                attributes: "{}",
                ..SpanRow::default()
            });
        }
        append(store, service, Rows::Spans(columns));
    };
    sent(caller, "client", 0);
    sent(callee, "server", 1);
}

/// Callee and calls of each edge, in their order.
fn told(graph: &Graph) -> Vec<(&str, u64)> {
    let callee = |at: usize| graph.nodes[at].name.as_str();
    graph
        .edges
        .iter()
        .map(|edge| (callee(edge.callee), edge.calls))
        .collect()
}

#[test]
fn shown_edges_are_compared_however_quiet_they_were_and_gone_ones_are_named() {
    let dir = tempfile::tempdir().expect("a directory");
    let store = open(dir.path());
    let (then, later) = (BASE - WEEK, 100 * SECOND);
    called(&store, "shop", "old", 0, 6, then);
    called(&store, "shop", "older", 100, 4, then);
    called(&store, "shop", "pay", 200, 1, then + later);
    called(&store, "shop", "ledger", 300, 2, then + later);
    store.seal_now().expect("sealed");
    called(&store, "shop", "new", 400, 30, BASE);
    called(&store, "shop", "pay", 500, 20, BASE);
    called(&store, "shop", "ledger", 600, 1, BASE);

    let reader = store.reader().expect("a reader");
    let session = Session::new(&reader);
    let earlier = |range: TimeRange| range.earlier_by(i64::try_from(WEEK).expect("a week"));
    let ask = |edges_max: usize, step: Option<TimeRange>| -> (Graph, EarlierCalls) {
        let question = GraphQuery {
            range: RANGE,
            scope: Scope::default(),
            service: None,
            edges_max,
        };
        let then = earlier(step.unwrap_or(RANGE));
        graph_beside(&session, &question, step, then).expect("a graph")
    };

    // Two edges are shown. The quietest of then is compared; the ledger is called now too, if not shown.
    let (now, then) = ask(2, None);
    assert_eq!(told(&now), [("new", 30), ("pay", 20)]);
    assert_eq!(told(&then.same), [("pay", 1)]);
    assert_eq!(told(&then.gone), [("old", 6), ("older", 4)]);
    assert_eq!((then.gone.total_edges, then.gone.truncated), (2, false));
    assert_eq!(then.total_edges, 4);

    // What is gone is cut like what is shown, and says so.
    let (now, then) = ask(1, None);
    assert_eq!(told(&now), [("new", 30)]);
    assert!(then.same.edges.is_empty(), "{:?}", then.same);
    assert_eq!(told(&then.gone), [("old", 6)]);
    assert_eq!((then.gone.total_edges, then.gone.truncated), (2, true));

    // In a step without calls the shown edges keep their place and are compared; the others are gone.
    let from_unix_nano = (BASE + later) as i64;
    let step = TimeRange {
        from_unix_nano,
        to_unix_nano: from_unix_nano + 10 * SECOND as i64,
    };
    let (now, then) = ask(2, Some(step));
    assert_eq!(told(&now), [("new", 0), ("pay", 0)]);
    assert_eq!(told(&then.same), [("pay", 1)]);
    assert_eq!(told(&then.gone), [("ledger", 2)]);

    // The graph itself is the same as alone.
    let question = GraphQuery {
        range: RANGE,
        scope: Scope::default(),
        service: Some("pay".to_owned()),
        edges_max: 100,
    };
    let (beside, then) = graph_beside(&session, &question, None, earlier(RANGE)).expect("a graph");
    assert_eq!(beside, graph(&session, &question).expect("a graph"));
    assert_eq!(told(&then.same), [("pay", 1)]);
    assert!(then.gone.edges.is_empty(), "{:?}", then.gone);
}
