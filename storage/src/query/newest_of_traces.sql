-- As search.sql: of each trace the newest span that fits.
SELECT coalesce(epoch_ns(f.start_time), 0) AS at_ns,
    hash(f.trace_id, f.span_id, r.environment, r.service_namespace, r.cluster, r.service_name) AS tie,
    f.trace_id, f.span_id, f.parent_span_id, r.environment, r.service_namespace, r.cluster, r.service_name,
    f.name, f.kind, f.status_code, epoch_ns(f.start_time), f.duration_ns
FROM {facts}.spans f
JOIN {dictionaries}.resources r ON r.resource_ix = f.resource_ix
{where}
QUALIFY row_number() OVER (PARTITION BY f.trace_id ORDER BY at_ns DESC, tie) = 1
