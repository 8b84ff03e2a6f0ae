SELECT coalesce(epoch_ns(f.time), 0) AS at_ns,
    hash(f.trace_id, f.span_id, f.body, f.event_name, f.severity_number, f.observed_time, r.service_name) AS tie,
    epoch_ns(f.time), coalesce(f.observed_exception, epoch_ns(f.observed_time)::UBIGINT), f.severity_number,
    f.severity_text, f.event_name, f.body, f.body_type, f.trace_id, f.span_id,
    r.environment, r.service_namespace, r.cluster, r.service_name, r.service_version, r.service_instance_id,
    c.name, {{f.attributes}}, {{r.attributes}}
FROM {facts}.logs f
JOIN {dictionaries}.resources r ON r.resource_ix = f.resource_ix
JOIN {dictionaries}.scopes c ON c.scope_ix = f.scope_ix
{where}
ORDER BY at_ns DESC, tie
LIMIT {limit}
