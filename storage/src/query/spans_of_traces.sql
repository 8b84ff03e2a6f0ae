SELECT f.trace_id, f.span_id, f.parent_span_id, r.environment, r.service_namespace, r.cluster, r.service_name,
    f.name, f.kind, f.status_code, f.start_time, f.duration_ns
FROM {facts}.spans f
JOIN {dictionaries}.resources r ON r.resource_ix = f.resource_ix
WHERE f.trace_id IN (SELECT unnest(string_split($1, ',')))
