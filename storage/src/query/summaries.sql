-- Whole traces, each span once; the first row of a trace is its root, or its earliest span.
WITH spans_once AS MATERIALIZED (
    SELECT DISTINCT trace_id, span_id, parent_span_id, environment, service_namespace, cluster, service_name,
        name, kind, status_code, epoch_ns(start_time) AS start_ns, duration_ns
    FROM ({spans})
), whole AS (
    SELECT trace_id, count(DISTINCT (span_id, environment, service_namespace, cluster, service_name, start_ns))::UBIGINT AS spans,
        count(DISTINCT (span_id, environment, service_namespace, cluster, service_name, start_ns)) FILTER (status_code = 'error')::UBIGINT AS errors,
        min(start_ns) AS first_ns, max(start_ns + duration_ns) AS last_ns,
        array_to_string(list_sort(list_distinct(list(service_name))), chr(31)) AS services
    FROM spans_once GROUP BY trace_id
)
SELECT 0::BIGINT, 0::UBIGINT, s.trace_id, s.span_id, s.parent_span_id, s.environment, s.service_namespace, s.cluster,
    s.service_name, s.name, s.kind, s.status_code, s.start_ns, s.duration_ns,
    w.spans, w.errors, w.first_ns, w.last_ns, w.services
FROM spans_once s JOIN whole w USING (trace_id)
QUALIFY row_number() OVER (PARTITION BY s.trace_id ORDER BY s.parent_span_id IS NOT NULL, s.start_ns NULLS LAST, s.span_id) = 1
