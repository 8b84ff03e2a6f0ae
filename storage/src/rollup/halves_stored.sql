SELECT *, NULL::VARCHAR AS name,
    hash(environment, service_namespace, cluster, service_name) AS service,
    hash(trace_id, span_id) AS id,
    CASE WHEN parent_span_id IS NOT NULL THEN hash(trace_id, parent_span_id) END AS parent_id,
    hash(trace_id, span_id, start_time, service) AS identity
FROM {schema}.edge_halves{only}
