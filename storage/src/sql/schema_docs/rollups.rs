//! Relations rolled up from spans: calls, errors and durations by service and by edge.

use super::{Relation, column};

pub(super) const RED: Relation = Relation {
    name: "red",
    doc: "Rate, errors and duration of one operation of one service in ten seconds. Sum over rows: one bucket may have several.",
    columns: &[
        column("bucket_start", "TIMESTAMP_NS", "Start of the ten seconds"),
        column("bucket_start_unix_nano", "UBIGINT", "The same exactly"),
        column(
            "environment",
            "VARCHAR",
            "`deployment.environment.name` of the service",
        ),
        column(
            "service_namespace",
            "VARCHAR",
            "`service.namespace` of the service",
        ),
        column("cluster", "VARCHAR", "`k8s.cluster.name` of the service"),
        column("service_name", "VARCHAR", "Who answered"),
        column("name", "VARCHAR", "The operation"),
        column("kind", "VARCHAR", "Kind of the spans"),
        column(
            "sidecar",
            "BOOLEAN",
            "Whether a service mesh's proxy made the spans",
        ),
        column("basis", "VARCHAR", "What the numbers were made from"),
        column("calls", "UBIGINT", "Spans, duplicates counted once"),
        column("errors", "UBIGINT", "Of these that failed"),
        column("weight", "DOUBLE", "Calls with sampling undone"),
        column(
            "error_weight",
            "DOUBLE",
            "Failed calls with sampling undone",
        ),
        column("duration_sum_ns", "HUGEINT", "Sum of the durations"),
        column("duration_min_ns", "BIGINT", "Shortest"),
        column("duration_max_ns", "BIGINT", "Longest"),
        column(
            "duration_histogram",
            "MAP(USMALLINT, UBIGINT)",
            "Durations: bucket i counts those in (b^(i-1), b^i] nanoseconds, b = 2^(1/8)",
        ),
    ],
};

pub(super) const SERVICE_EDGES: Relation = Relation {
    name: "service_edges",
    doc: "Calls from one service to another (or to an inferred peer) in ten seconds. Sum over rows: one bucket may have several.",
    columns: &[
        column("bucket_start", "TIMESTAMP_NS", "Start of the ten seconds"),
        column("bucket_start_unix_nano", "UBIGINT", "The same exactly"),
        column("environment", "VARCHAR", "Environment of the caller"),
        column("service_namespace", "VARCHAR", "Namespace of the caller"),
        column("cluster", "VARCHAR", "Cluster of the caller"),
        column("caller", "VARCHAR", "Who called"),
        column("callee_environment", "VARCHAR", "Environment of the callee"),
        column(
            "callee_service_namespace",
            "VARCHAR",
            "Namespace of the callee",
        ),
        column("callee_cluster", "VARCHAR", "Cluster of the callee"),
        column("callee", "VARCHAR", "Who was called"),
        column(
            "kind",
            "VARCHAR",
            "What was called: a service, a database, a queue, an external host",
        ),
        column(
            "is_async",
            "BOOLEAN",
            "Whether the caller did not wait (messages)",
        ),
        column(
            "inferred",
            "VARCHAR",
            "How the callee is known when it sent no span itself",
        ),
        column("basis", "VARCHAR", "What the numbers were made from"),
        column(
            "calls",
            "UBIGINT",
            "Calls, duplicates counted once, proxies folded into their services",
        ),
        column("errors", "UBIGINT", "Of these that failed"),
        column("weight", "DOUBLE", "Calls with sampling undone"),
        column(
            "error_weight",
            "DOUBLE",
            "Failed calls with sampling undone",
        ),
        column("duration_sum_ns", "HUGEINT", "Sum of the durations"),
        column("duration_min_ns", "BIGINT", "Shortest"),
        column("duration_max_ns", "BIGINT", "Longest"),
        column(
            "duration_histogram",
            "MAP(USMALLINT, UBIGINT)",
            "Durations: bucket i counts those in (b^(i-1), b^i] nanoseconds, b = 2^(1/8)",
        ),
    ],
};

pub(super) const EDGE_RETRIES: Relation = Relation {
    name: "edge_retries",
    doc: "Attempts of one service at another in one minute, and the calls they stand for: a client span is a retry when an earlier one of the same parent and callee had failed before it began, or when it says so (`http.request.resend_count`). Of gRPC's own instrumentation, spans `Attempt.x` tell it by `previous-rpc-attempts`; the callee is then `x`. What gRPC retries below one span its metrics alone tell: `breaker_samples` of pattern `retry` and `hedge`. Made from spans at each question: ask for the minutes that matter. Over several minutes the factor is `sum(attempts) / sum(calls)`.",
    columns: &[
        column("bucket_start", "TIMESTAMP_NS", "Start of the minute"),
        column("bucket_start_unix_nano", "UBIGINT", "The same exactly"),
        column("environment", "VARCHAR", "Environment of the caller"),
        column("service_namespace", "VARCHAR", "Namespace of the caller"),
        column("cluster", "VARCHAR", "Cluster of the caller"),
        column("caller", "VARCHAR", "Who called"),
        column(
            "callee",
            "VARCHAR",
            "Who was called, or the operation where that is not known",
        ),
        column(
            "attempts",
            "UBIGINT",
            "Calls and retries, duplicates counted once",
        ),
        column("calls", "UBIGINT", "Of these that are no retries"),
        column("retries", "UBIGINT", "Of these that are"),
        column(
            "retry_factor",
            "DOUBLE",
            "Attempts for each call: 1 without retries",
        ),
    ],
};
