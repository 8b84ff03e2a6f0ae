SELECT f.trace_id, f.span_id, r.environment, r.service_namespace, r.cluster, r.service_name, f.status_code,
    epoch_ns(f.start_time) AS start_ns, f.duration_ns
FROM {facts}.spans f
JOIN {dictionaries}.resources r ON r.resource_ix = f.resource_ix
