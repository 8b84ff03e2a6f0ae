//! Relations rolled up from spans: calls, errors and durations by service and by edge.

use super::{Relation, column};

pub(super) const RED: Relation = Relation {
    name: "red",
    doc: "Rate, errors and duration of one operation of one service in one bucket of time.",
    columns: &[
        column("bucket_start", "TIMESTAMP_NS", "Start of the bucket"),
        column("service_name", "VARCHAR", "Who answered"),
        column("name", "VARCHAR", "The operation"),
        column("kind", "VARCHAR", "Kind of the spans"),
        column("calls", "UBIGINT", "Spans, duplicates once"),
        column("errors", "UBIGINT", "Of these with status `error`"),
    ],
};

pub(super) const SERVICE_EDGES: Relation = Relation {
    name: "service_edges",
    doc: "Calls from one service to another (or to an inferred peer) in one bucket of time.",
    columns: &[
        column("bucket_start", "TIMESTAMP_NS", "Start of the bucket"),
        column("caller", "VARCHAR", "Who called"),
        column("callee", "VARCHAR", "Who was called"),
        column(
            "kind",
            "VARCHAR",
            "How: `rpc`, `messaging`, `database`, `external` …",
        ),
        column("calls", "UBIGINT", "Calls, duplicates once"),
        column("errors", "UBIGINT", "Of these that failed"),
    ],
};
