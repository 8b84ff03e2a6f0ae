//! Relations of raw telemetry: one row a span, log record, metric stream, data point, exemplar, resource.

use super::{Column, Relation, column};

// What every signal says of who sent it.
const SERVICE_NAME: Column = column("service_name", "VARCHAR", "`service.name` of the resource");
const SERVICE_NAMESPACE: Column = column(
    "service_namespace",
    "VARCHAR",
    "`service.namespace` of the resource",
);
const SERVICE_VERSION: Column = column(
    "service_version",
    "VARCHAR",
    "`service.version` of the resource",
);
const SERVICE_INSTANCE_ID: Column = column(
    "service_instance_id",
    "VARCHAR",
    "`service.instance.id` of the resource",
);
const ENVIRONMENT: Column = column(
    "environment",
    "VARCHAR",
    "`deployment.environment.name` of the resource",
);
const CLUSTER: Column = column("cluster", "VARCHAR", "`k8s.cluster.name` of the resource");
const RESOURCE_ATTRIBUTES: Column = column(
    "resource_attributes",
    "VARIANT",
    "Attributes of the resource that sent it",
);
const SCOPE_NAME: Column = column("scope_name", "VARCHAR", "Name of the instrumentation scope");
const SCOPE_VERSION: Column = column(
    "scope_version",
    "VARCHAR",
    "Version of the instrumentation scope",
);
const SCOPE_ATTRIBUTES: Column = column(
    "scope_attributes",
    "VARIANT",
    "Attributes of the instrumentation scope",
);
const RESOURCE_ID: Column = column(
    "resource_id",
    "UBIGINT",
    "Hash of the resource; joins `resources`",
);
const SCOPE_ID: Column = column("scope_id", "UBIGINT", "Hash of the instrumentation scope");

pub(super) const SPANS: Relation = Relation {
    name: "spans",
    doc: "One row a span, as received. Spans a client sent again are shown, marked `resent`.",
    columns: &[
        column("trace_id", "VARCHAR", "Trace, 32 hex digits"),
        column("span_id", "VARCHAR", "Span, 16 hex digits"),
        column("parent_span_id", "VARCHAR", "Parent span; NULL for a root"),
        column("trace_state", "VARCHAR", "W3C `tracestate`"),
        column("flags", "UINTEGER", "OTLP span flags"),
        SERVICE_NAME,
        SERVICE_NAMESPACE,
        SERVICE_VERSION,
        SERVICE_INSTANCE_ID,
        ENVIRONMENT,
        CLUSTER,
        column("name", "VARCHAR", "Name of the operation"),
        column(
            "kind",
            "VARCHAR",
            "`unspecified`, `internal`, `server`, `client`, `producer` or `consumer`",
        ),
        column("start_time", "TIMESTAMP_NS", "When it started"),
        column("end_time", "TIMESTAMP_NS", "When it ended"),
        column(
            "duration_ns",
            "BIGINT",
            "End minus start; NULL when either is no time",
        ),
        column("start_time_unix_nano", "UBIGINT", "Start exactly as sent"),
        column("end_time_unix_nano", "UBIGINT", "End exactly as sent"),
        column("status_code", "VARCHAR", "`unset`, `ok` or `error`"),
        column("status_message", "VARCHAR", "Message of the status"),
        column("attributes", "VARIANT", "Attributes of the span"),
        RESOURCE_ATTRIBUTES,
        SCOPE_NAME,
        SCOPE_VERSION,
        SCOPE_ATTRIBUTES,
        column(
            "events",
            "VARIANT",
            "List of events: `{time_unix_nano, name, attributes, dropped_attributes_count}`",
        ),
        column(
            "links",
            "VARIANT",
            "List of links: `{trace_id, span_id, trace_state, flags, attributes, dropped_attributes_count}`",
        ),
        column(
            "dropped_attributes_count",
            "UINTEGER",
            "Attributes the sender dropped",
        ),
        column(
            "dropped_events_count",
            "UINTEGER",
            "Events the sender dropped",
        ),
        column(
            "dropped_links_count",
            "UINTEGER",
            "Links the sender dropped",
        ),
        column(
            "peer",
            "VARCHAR",
            "Who was called, as the attributes name it (database, queue, host)",
        ),
        column(
            "peer_kind",
            "VARCHAR",
            "What the peer is: `service`, `database`, `messaging`, `external` …",
        ),
        column(
            "sidecar",
            "BOOLEAN",
            "Whether a service mesh's proxy made the span",
        ),
        column(
            "weight",
            "DOUBLE",
            "How many spans this one stands for under sampling; NULL is 1",
        ),
        column(
            "resent",
            "BOOLEAN",
            "Whether it had been stored before when it came; `red`, `service_edges` and `edge_retries` leave it out",
        ),
        RESOURCE_ID,
        column(
            "resource_schema_url",
            "VARCHAR",
            "Schema URL of the resource",
        ),
        column(
            "resource_dropped_attributes_count",
            "UINTEGER",
            "Attributes the sender dropped from the resource",
        ),
        SCOPE_ID,
        column("scope_schema_url", "VARCHAR", "Schema URL of the scope"),
        column(
            "scope_dropped_attributes_count",
            "UINTEGER",
            "Attributes the sender dropped from the scope",
        ),
    ],
};

pub(super) const LOGS: Relation = Relation {
    name: "logs",
    doc: "One row a log record.",
    columns: &[
        column(
            "time",
            "TIMESTAMP_NS",
            "Its own time, else when it was observed, else when it arrived",
        ),
        column(
            "observed_time",
            "TIMESTAMP_NS",
            "When the collector or agent saw it",
        ),
        column("trace_id", "VARCHAR", "Trace it belongs to, 32 hex digits"),
        column("span_id", "VARCHAR", "Span it belongs to, 16 hex digits"),
        column(
            "severity_number",
            "INTEGER",
            "1 to 24; 17 and above are errors",
        ),
        column(
            "severity_text",
            "VARCHAR",
            "Severity as the source calls it",
        ),
        column(
            "event_name",
            "VARCHAR",
            "Name of the event, for event records",
        ),
        column(
            "body",
            "VARCHAR",
            "The message; bodies that are not strings are JSON text",
        ),
        column(
            "body_type",
            "VARCHAR",
            "Kind of the body: `string`, `kvlist`, `array`, `int`, …",
        ),
        column("flags", "UINTEGER", "W3C trace flags"),
        SERVICE_NAME,
        SERVICE_NAMESPACE,
        SERVICE_VERSION,
        SERVICE_INSTANCE_ID,
        ENVIRONMENT,
        CLUSTER,
        column("time_unix_nano", "UBIGINT", "Its own time exactly as sent"),
        column(
            "observed_time_unix_nano",
            "UBIGINT",
            "Observed time exactly as sent",
        ),
        column("attributes", "VARIANT", "Attributes of the record"),
        RESOURCE_ATTRIBUTES,
        SCOPE_NAME,
        SCOPE_VERSION,
        SCOPE_ATTRIBUTES,
        column(
            "dropped_attributes_count",
            "UINTEGER",
            "Attributes the sender dropped",
        ),
        RESOURCE_ID,
        column(
            "resource_schema_url",
            "VARCHAR",
            "Schema URL of the resource",
        ),
        column(
            "resource_dropped_attributes_count",
            "UINTEGER",
            "Attributes the sender dropped from the resource",
        ),
        SCOPE_ID,
        column("scope_schema_url", "VARCHAR", "Schema URL of the scope"),
        column(
            "scope_dropped_attributes_count",
            "UINTEGER",
            "Attributes the sender dropped from the scope",
        ),
    ],
};

pub(super) const METRICS: Relation = Relation {
    name: "metrics",
    doc: "One row a metric stream: a metric of one resource and scope with one set of attributes.",
    columns: &[
        column(
            "series_id",
            "UBIGINT",
            "Hash of the stream; joins `metrics` and `metric_points`",
        ),
        column("name", "VARCHAR", "Name of the metric"),
        column(
            "type",
            "VARCHAR",
            "`gauge`, `sum`, `histogram`, `exponential_histogram` or `summary`",
        ),
        column("unit", "VARCHAR", "Unit, UCUM"),
        column("temporality", "VARCHAR", "`delta` or `cumulative`"),
        column("is_monotonic", "BOOLEAN", "Whether a sum only grows"),
        column("description", "VARCHAR", "Description of the metric"),
        column("metadata", "VARIANT", "Metadata of the metric"),
        SERVICE_NAME,
        SERVICE_NAMESPACE,
        SERVICE_VERSION,
        SERVICE_INSTANCE_ID,
        ENVIRONMENT,
        CLUSTER,
        column("attributes", "VARIANT", "Attributes of the stream"),
        RESOURCE_ATTRIBUTES,
        SCOPE_NAME,
        SCOPE_VERSION,
        SCOPE_ATTRIBUTES,
        RESOURCE_ID,
        column(
            "resource_schema_url",
            "VARCHAR",
            "Schema URL of the resource",
        ),
        SCOPE_ID,
        column("scope_schema_url", "VARCHAR", "Schema URL of the scope"),
        column(
            "scope_dropped_attributes_count",
            "UINTEGER",
            "Attributes the sender dropped from the scope",
        ),
    ],
};

pub(super) const METRIC_POINTS: Relation = Relation {
    name: "metric_points",
    doc: "One row a data point of any metric type; columns of other types are NULL.",
    columns: &[
        column(
            "series_id",
            "UBIGINT",
            "Hash of the stream; joins `metrics` and `metric_points`",
        ),
        column("name", "VARCHAR", "Name of the metric"),
        column(
            "type",
            "VARCHAR",
            "`gauge`, `sum`, `histogram`, `exponential_histogram` or `summary`",
        ),
        column("unit", "VARCHAR", "Unit, UCUM"),
        column("temporality", "VARCHAR", "`delta` or `cumulative`"),
        column("is_monotonic", "BOOLEAN", "Whether a sum only grows"),
        column("time", "TIMESTAMP_NS", "When it was measured"),
        column("start_time", "TIMESTAMP_NS", "Since when it counts"),
        column("time_unix_nano", "UBIGINT", "Time exactly as sent"),
        column("start_time_unix_nano", "UBIGINT", "Start exactly as sent"),
        column(
            "flags",
            "UINTEGER",
            "Data point flags; 1 is `no recorded value`",
        ),
        column("value", "DOUBLE", "Value of a gauge or sum"),
        column(
            "value_int",
            "BIGINT",
            "The value when it was sent as an integer",
        ),
        column(
            "value_double",
            "DOUBLE",
            "The value when it was sent as a double",
        ),
        column("count", "UBIGINT", "Measurements in a histogram or summary"),
        column("sum", "DOUBLE", "Sum of the measurements"),
        column("min", "DOUBLE", "Least measurement"),
        column("max", "DOUBLE", "Greatest measurement"),
        column(
            "bucket_counts",
            "UBIGINT[]",
            "Counts of a histogram's buckets",
        ),
        column(
            "explicit_bounds",
            "DOUBLE[]",
            "Upper bounds of a histogram's buckets",
        ),
        column("scale", "INTEGER", "Scale of an exponential histogram"),
        column("zero_count", "UBIGINT", "Measurements counted as zero"),
        column("zero_threshold", "DOUBLE", "What counts as zero"),
        column(
            "positive_offset",
            "INTEGER",
            "Index of the first positive bucket",
        ),
        column(
            "positive_bucket_counts",
            "UBIGINT[]",
            "Counts of the positive buckets",
        ),
        column(
            "negative_offset",
            "INTEGER",
            "Index of the first negative bucket",
        ),
        column(
            "negative_bucket_counts",
            "UBIGINT[]",
            "Counts of the negative buckets",
        ),
        column("quantiles", "DOUBLE[]", "Quantiles of a summary"),
        column("quantile_values", "DOUBLE[]", "Their values"),
        SERVICE_NAME,
        SERVICE_NAMESPACE,
        SERVICE_VERSION,
        SERVICE_INSTANCE_ID,
        ENVIRONMENT,
        CLUSTER,
        column("attributes", "VARIANT", "Attributes of the stream"),
        RESOURCE_ATTRIBUTES,
        SCOPE_NAME,
        SCOPE_VERSION,
        SCOPE_ATTRIBUTES,
        RESOURCE_ID,
        SCOPE_ID,
    ],
};

pub(super) const EXEMPLARS: Relation = Relation {
    name: "exemplars",
    doc: "One row an exemplar: a measurement with the trace it was made in.",
    columns: &[
        column(
            "series_id",
            "UBIGINT",
            "Hash of the stream; joins `metrics` and `metric_points`",
        ),
        column("name", "VARCHAR", "Name of the metric"),
        column(
            "type",
            "VARCHAR",
            "`gauge`, `sum`, `histogram`, `exponential_histogram` or `summary`",
        ),
        column("unit", "VARCHAR", "Unit, UCUM"),
        column("time", "TIMESTAMP_NS", "When it was measured"),
        column(
            "point_time",
            "TIMESTAMP_NS",
            "Time of the data point it belongs to",
        ),
        column("time_unix_nano", "UBIGINT", "Time exactly as sent"),
        column(
            "point_time_unix_nano",
            "UBIGINT",
            "Point's time exactly as sent",
        ),
        column("value", "DOUBLE", "The measurement"),
        column(
            "value_int",
            "BIGINT",
            "The measurement when it was sent as an integer",
        ),
        column(
            "value_double",
            "DOUBLE",
            "The measurement when it was sent as a double",
        ),
        column("trace_id", "VARCHAR", "Trace, 32 hex digits"),
        column("span_id", "VARCHAR", "Span, 16 hex digits"),
        column(
            "filtered_attributes",
            "VARIANT",
            "Attributes the metric's view left out of the stream",
        ),
        SERVICE_NAME,
        SERVICE_NAMESPACE,
        SERVICE_VERSION,
        SERVICE_INSTANCE_ID,
        ENVIRONMENT,
        CLUSTER,
        column("attributes", "VARIANT", "Attributes of the stream"),
        RESOURCE_ATTRIBUTES,
        SCOPE_NAME,
        SCOPE_VERSION,
        SCOPE_ATTRIBUTES,
        RESOURCE_ID,
        SCOPE_ID,
    ],
};

pub(super) const RESOURCES: Relation = Relation {
    name: "resources",
    doc: "One row a resource that sent telemetry.",
    columns: &[
        column("resource_id", "UBIGINT", "Hash of the resource"),
        SERVICE_NAME,
        SERVICE_NAMESPACE,
        SERVICE_VERSION,
        SERVICE_INSTANCE_ID,
        ENVIRONMENT,
        CLUSTER,
        column("attributes", "VARIANT", "Attributes of the resource"),
        column("schema_url", "VARCHAR", "Schema URL of the resource"),
        column(
            "dropped_attributes_count",
            "UINTEGER",
            "Attributes the sender dropped",
        ),
        column("entity_refs", "JSON", "OTLP entity references"),
    ],
};
