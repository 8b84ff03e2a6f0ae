SELECT
    f.trace_id, f.span_id, f.parent_span_id,
    r.service_name, r.service_namespace, r.service_version, r.service_instance_id, r.environment, r.cluster,
    f.name, f.kind, f.start_time, f.duration_ns, f.status_code, f.status_message, f.peer, f.weight,
    coalesce(f.sidecar, false) AS sidecar{attributes}
FROM {facts}.spans f
JOIN {dictionaries}.resources r ON r.resource_ix = f.resource_ix
-- What was sent again counts once, as in the roll-ups.
WHERE {rows} AND NOT coalesce(f.resent, false)
