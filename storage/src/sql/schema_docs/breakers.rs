//! Relations of circuit breakers.

use super::{Column, Relation, column};

// Columns that most relations of breakers have.
const SERVICE_NAME: Column = column("service_name", "VARCHAR", "Service the breaker protects");
const SERVICE_NAMESPACE: Column =
    column("service_namespace", "VARCHAR", "Namespace of that service");
const ENVIRONMENT: Column = column("environment", "VARCHAR", "Environment of that service");
const CLUSTER: Column = column("cluster", "VARCHAR", "Cluster of that service");
const NAME: Column = column("name", "VARCHAR", "Name of the breaker");
const KEY: Column = column("key", "VARCHAR", "Which of a keyed family");
const PEER_SERVICE: Column = column("peer_service", "VARCHAR", "Who is behind it");
const CONFIDENCE: Column = column("confidence", "UTINYINT", "How sure, 0 to 100");
const BREAKER_ID: Column = column("breaker_id", "VARCHAR", "Identity, hex; joins `breakers`");
const SERVICE_INSTANCE_ID: Column = column("service_instance_id", "VARCHAR", "The instance (pod)");
const PATTERN: Column = column("pattern", "VARCHAR", "What the policy is");
const ORIGIN: Column = column("origin", "VARCHAR", "What reported it");
const HOSTS_HEALTHY: Column = column(
    "hosts_healthy",
    "UINTEGER",
    "Of these hosts that get calls: neither ejected nor failing a health check",
);
const HOSTS_TOTAL: Column = column("hosts_total", "UINTEGER", "Of these hosts in all");

pub(super) const BREAKERS: Relation = Relation {
    name: "breakers",
    doc: "One row a logical breaker (scope, service, name and key) in its latest state.",
    columns: &[
        column("breaker_id", "VARCHAR", "Identity, hex"),
        SERVICE_NAME,
        SERVICE_NAMESPACE,
        ENVIRONMENT,
        CLUSTER,
        NAME,
        KEY,
        column(
            "pattern",
            "VARCHAR",
            "What the policy is: `breaker`, `ejection`, `concurrency_cap`, `bulkhead`, `rate_limit`, `throttle`, \
             `retry_budget`; and what has no states but counts: `retry`, `timeout`, `fallback`, `hedge`",
        ),
        column(
            "origin",
            "VARCHAR",
            "What reported it: the SDK, a library, a mesh, or a person's mapping",
        ),
        column(
            "service_version",
            "VARCHAR",
            "Version of the service last seen",
        ),
        PEER_SERVICE,
        column("peer_address", "VARCHAR", "Address behind it"),
        column(
            "peer_evidence",
            "VARCHAR",
            "How the peer is known: `reported`, `span`; inferred: `address`, `trace`, `user_rule` (`[[resilience.peer]]` of the configuration), `name`, `edge`",
        ),
        column("state", "VARCHAR", "`closed`, `open`, `half_open` …"),
        column("instances", "UINTEGER", "Instances seen"),
        column("instances_open", "UINTEGER", "Of these that refuse"),
        column(
            "since",
            "TIMESTAMP_NS",
            "When it came into this state: the first of its instances in it",
        ),
        column("since_unix_nano", "UBIGINT", "The same exactly"),
        column(
            "since_exact",
            "BOOLEAN",
            "Whether the moment was reported, not inferred",
        ),
        column("evidence", "VARCHAR", "How the state is known"),
        CONFIDENCE,
        column("first_seen", "TIMESTAMP_NS", "First telemetry of it"),
        column("first_seen_unix_nano", "UBIGINT", "The same exactly"),
        column("last_seen", "TIMESTAMP_NS", "Latest telemetry of it"),
        column("last_seen_unix_nano", "UBIGINT", "The same exactly"),
        column(
            "hosts_ejected",
            "UINTEGER",
            "Of an ejection: hosts that are out, by the instance with most out, if any counts them",
        ),
        HOSTS_HEALTHY,
        HOSTS_TOTAL,
    ],
};

pub(super) const BREAKER_INSTANCES: Relation = Relation {
    name: "breaker_instances",
    doc: "One row a breaker and service instance in its latest state.",
    columns: &[
        BREAKER_ID,
        SERVICE_NAME,
        SERVICE_NAMESPACE,
        ENVIRONMENT,
        CLUSTER,
        NAME,
        KEY,
        SERVICE_INSTANCE_ID,
        column("service_version", "VARCHAR", "Its version"),
        column("state", "VARCHAR", "`closed`, `open`, `half_open` …"),
        column(
            "since",
            "TIMESTAMP_NS",
            "When it came into this state; after a silence when it was heard in it again, and of `stale` when it was last heard",
        ),
        column("since_unix_nano", "UBIGINT", "The same exactly"),
        column(
            "since_exact",
            "BOOLEAN",
            "Whether the moment was reported, not inferred",
        ),
        column(
            "generation",
            "UBIGINT",
            "Number of the state since the breaker was made",
        ),
        column("evidence", "VARCHAR", "How the state is known"),
        CONFIDENCE,
        column("first_seen", "TIMESTAMP_NS", "First telemetry of it"),
        column("first_seen_unix_nano", "UBIGINT", "The same exactly"),
        column("last_seen", "TIMESTAMP_NS", "Latest telemetry of it"),
        column("last_seen_unix_nano", "UBIGINT", "The same exactly"),
        column("last_state", "VARCHAR", "Its state before it went stale"),
        PATTERN,
        ORIGIN,
        PEER_SERVICE,
        column("peer_address", "VARCHAR", "Address behind it"),
        column(
            "peer_evidence",
            "VARCHAR",
            "How the peer is known: `reported`, `span`; inferred: `address`, `trace`, `user_rule` (`[[resilience.peer]]` of the configuration), `name`, `edge`",
        ),
        column(
            "hosts_ejected",
            "UINTEGER",
            "Of an ejection: hosts that it has out, by its last sample that counts them; NULL when `stale`",
        ),
        HOSTS_HEALTHY,
        HOSTS_TOTAL,
    ],
};

pub(super) const BREAKER_TRANSITIONS: Relation = Relation {
    name: "breaker_transitions",
    doc: "One row a change of state of one instance's breaker: reported, or inferred from samples (then `time_lo` to `time` bounds it).",
    columns: &[
        column("time", "TIMESTAMP_NS", "When (the latest it can have been)"),
        column("time_unix_nano", "UBIGINT", "The same exactly"),
        column("time_lo", "TIMESTAMP_NS", "The earliest it can have been"),
        column("time_lo_unix_nano", "UBIGINT", "The same exactly"),
        BREAKER_ID,
        SERVICE_NAME,
        SERVICE_NAMESPACE,
        SERVICE_INSTANCE_ID,
        ENVIRONMENT,
        CLUSTER,
        NAME,
        KEY,
        PATTERN,
        PEER_SERVICE,
        column("generation", "UBIGINT", "Number of the new state"),
        column("from_state", "VARCHAR", "State before"),
        column("to_state", "VARCHAR", "State after"),
        column("raw_state", "VARCHAR", "State in the reporter's own word"),
        column(
            "reason",
            "VARCHAR",
            "Why; `restart` where counters began anew or the breaker appeared on an instance it was not on",
        ),
        column(
            "failure_rate",
            "DOUBLE",
            "Failed share of the window, 0 to 1",
        ),
        column("slow_rate", "DOUBLE", "Slow share of the window, 0 to 1"),
        column("window_calls", "UINTEGER", "Calls in the window"),
        column("threshold", "DOUBLE", "The threshold that was crossed"),
        column("open_for_ms", "UINTEGER", "How long it means to stay open"),
        column("attempt", "USMALLINT", "How many times it opened in a row"),
        column("trace_id", "VARCHAR", "Trace of the call that tripped it"),
        column("span_id", "VARCHAR", "Span of that call"),
        column(
            "trace_evidence",
            "VARCHAR",
            "How that trace is known: `exact`, `harvested` (from a record's context), `inferred` (the latest failed or slow call then)",
        ),
        column(
            "contributing_trace_ids",
            "VARCHAR[]",
            "Traces of failures that led to it",
        ),
        column("evidence", "VARCHAR", "How the transition is known"),
        CONFIDENCE,
        column(
            "config_hash",
            "VARCHAR",
            "Settings in force; joins `breaker_config`",
        ),
        ORIGIN,
        column("service_version", "VARCHAR", "Version of the instance"),
    ],
};

pub(super) const BREAKER_SAMPLES: Relation = Relation {
    name: "breaker_samples",
    doc: "One row a time at which one instance's breaker was seen: an export of its metrics, or a span or log that shows its state.",
    columns: &[
        column("time", "TIMESTAMP_NS", "When"),
        column("time_unix_nano", "UBIGINT", "The same exactly"),
        BREAKER_ID,
        SERVICE_NAME,
        SERVICE_NAMESPACE,
        SERVICE_INSTANCE_ID,
        ENVIRONMENT,
        CLUSTER,
        NAME,
        KEY,
        column(
            "state",
            "VARCHAR",
            "State at that time; `unknown` when the encoding is",
        ),
        column(
            "since",
            "TIMESTAMP_NS",
            "When it came into this state, if reported",
        ),
        column("since_unix_nano", "UBIGINT", "The same exactly"),
        column(
            "since_exact",
            "BOOLEAN",
            "Whether the moment was reported, not inferred",
        ),
        column(
            "failure_rate",
            "DOUBLE",
            "Failed share of the window, 0 to 1",
        ),
        column("slow_rate", "DOUBLE", "Slow share of the window, 0 to 1"),
        column("window_calls", "UINTEGER", "Calls in the window"),
        column(
            "ok",
            "UBIGINT",
            "Calls that succeeded, as reported: since a start, or since the last sample if `is_delta`",
        ),
        column("failed", "UBIGINT", "Calls that failed"),
        column("slow", "UBIGINT", "Calls that were slow"),
        column("ignored", "UBIGINT", "Calls that count neither way"),
        column("rejected", "UBIGINT", "Calls that were refused"),
        column("cancelled", "UBIGINT", "Calls that were given up"),
        column("in_flight", "UINTEGER", "Calls running"),
        column(
            "permits_left",
            "INTEGER",
            "Probes still permitted when half-open",
        ),
        column(
            "ns_in_state",
            "STRUCT(closed UBIGINT, open UBIGINT, half_open UBIGINT)",
            "Nanoseconds in each state, as reported",
        ),
        column("evidence", "VARCHAR", "How the sample is known"),
        column(
            "entered",
            "STRUCT(closed UBIGINT, open UBIGINT, half_open UBIGINT)",
            "Times each state was entered, as reported",
        ),
        column(
            "is_delta",
            "BOOLEAN",
            "The counters are of the time since the sample before, else since a start",
        ),
        column(
            "raw_state",
            "VARCHAR",
            "State in the reporter's own word or number",
        ),
        PATTERN,
        ORIGIN,
        column("service_version", "VARCHAR", "Version of the instance"),
        PEER_SERVICE,
        column("peer_address", "VARCHAR", "Address behind it"),
        column(
            "peer_evidence",
            "VARCHAR",
            "How the peer is known: `reported`, `span`",
        ),
        column("trace_id", "VARCHAR", "A trace in which it was seen"),
        column("span_id", "VARCHAR", "The span of that trace"),
        CONFIDENCE,
        column(
            "learned",
            "BOOLEAN",
            "Whether the state is what somebody said the number in `raw_state` means",
        ),
        column(
            "hosts_ejected",
            "UINTEGER",
            "Hosts that outlier detection has out; of several clusters under one name these are of the one that lost the greatest share",
        ),
        HOSTS_HEALTHY,
        HOSTS_TOTAL,
    ],
};

pub(super) const BREAKER_CONFIG: Relation = Relation {
    name: "breaker_config",
    doc: "One row a set of settings an instance's breaker reported.",
    columns: &[
        BREAKER_ID,
        SERVICE_NAME,
        SERVICE_NAMESPACE,
        SERVICE_INSTANCE_ID,
        ENVIRONMENT,
        CLUSTER,
        NAME,
        KEY,
        column("valid_from", "TIMESTAMP_NS", "Since when"),
        column("valid_from_unix_nano", "UBIGINT", "The same exactly"),
        column("config_hash", "VARCHAR", "Hash of the settings"),
        column("config", "JSON", "The settings"),
        column("source", "VARCHAR", "Who reported them"),
        PATTERN,
        ORIGIN,
        column("service_version", "VARCHAR", "Version of the instance"),
        PEER_SERVICE,
        column("peer_address", "VARCHAR", "Address behind it"),
        column(
            "peer_evidence",
            "VARCHAR",
            "How the peer is known: `reported`, `span`",
        ),
    ],
};

pub(super) const BREAKER_INTERVALS: Relation = Relation {
    name: "breaker_intervals",
    doc: "One row a state of one instance's breaker from when to when, without gaps from its first evidence on. An instance's last row lasts (`end_time` is NULL).",
    columns: &[
        BREAKER_ID,
        SERVICE_NAME,
        SERVICE_NAMESPACE,
        ENVIRONMENT,
        CLUSTER,
        NAME,
        KEY,
        SERVICE_INSTANCE_ID,
        column(
            "state",
            "VARCHAR",
            "`closed`, `open`, `half_open` …; `stale` while a breaker that exports metrics was silent for more than three intervals, and where one is known by reports alone since its instance last sent anything, if that is a quarter of an hour ago",
        ),
        column(
            "start_time",
            "TIMESTAMP_NS",
            "When it began (the latest it can have)",
        ),
        column("start_time_unix_nano", "UBIGINT", "The same exactly"),
        column(
            "start_time_lo",
            "TIMESTAMP_NS",
            "The earliest it can have begun",
        ),
        column("start_time_lo_unix_nano", "UBIGINT", "The same exactly"),
        column(
            "end_time",
            "TIMESTAMP_NS",
            "When it ended; NULL while it lasts",
        ),
        column("end_time_unix_nano", "UBIGINT", "The same exactly"),
        column(
            "seconds",
            "DOUBLE",
            "How long it was, until now if it lasts",
        ),
        column("from_state", "VARCHAR", "State before"),
        column(
            "is_trip",
            "BOOLEAN",
            "It opened, and not after a probe that failed",
        ),
        column(
            "reason",
            "VARCHAR",
            "Why it began; `restart` where counters began anew or the breaker appeared on an instance it was not on",
        ),
        column(
            "evidence",
            "VARCHAR",
            "How its beginning is known; `silence` when `stale`",
        ),
        CONFIDENCE,
        PATTERN,
        ORIGIN,
        column("service_version", "VARCHAR", "Version of the instance"),
        PEER_SERVICE,
    ],
};

pub(super) const BREAKER_DAYS: Relation = Relation {
    name: "breaker_days",
    doc: "One row a logical breaker and day (UTC) on which something was known of it: time in each state, minutes open, trips, flapping.",
    columns: &[
        BREAKER_ID,
        SERVICE_NAME,
        SERVICE_NAMESPACE,
        ENVIRONMENT,
        CLUSTER,
        NAME,
        KEY,
        column("day", "DATE", "The day (UTC)"),
        column(
            "instances",
            "UINTEGER",
            "Instances of which something was known",
        ),
        column(
            "minutes_open",
            "DOUBLE",
            "Minutes in which at least one instance refused (`open` or `forced_open`)",
        ),
        column(
            "trips",
            "UINTEGER",
            "Times an instance opened, probes that failed not counted",
        ),
        column(
            "trips_inferred",
            "UINTEGER",
            "Of these whose moment was inferred, not reported",
        ),
        column(
            "flap_score",
            "DOUBLE",
            "Flapping as RFC 2439 reckons it: each trip of an instance adds 1 and what has added up halves every 15 minutes; the day's highest. Routers suppress at 2",
        ),
        column("restarts", "UINTEGER", "Times an instance began anew"),
        column(
            "closed_seconds",
            "DOUBLE",
            "Seconds `closed`, added up over instances",
        ),
        column("open_seconds", "DOUBLE", "Seconds `open`, over instances"),
        column(
            "half_open_seconds",
            "DOUBLE",
            "Seconds `half_open`, over instances",
        ),
        column(
            "forced_open_seconds",
            "DOUBLE",
            "Seconds `forced_open`, over instances",
        ),
        column(
            "disabled_seconds",
            "DOUBLE",
            "Seconds `disabled`, over instances",
        ),
        column(
            "metrics_only_seconds",
            "DOUBLE",
            "Seconds `metrics_only`, over instances",
        ),
        column(
            "saturated_seconds",
            "DOUBLE",
            "Seconds `saturated`, over instances",
        ),
        column(
            "throttling_seconds",
            "DOUBLE",
            "Seconds `throttling`, over instances",
        ),
        column(
            "unknown_seconds",
            "DOUBLE",
            "Seconds `unknown`, over instances",
        ),
        column(
            "stale_seconds",
            "DOUBLE",
            "Seconds without data between two that had it, over instances",
        ),
        PATTERN,
        PEER_SERVICE,
    ],
};
