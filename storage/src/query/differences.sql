-- A uniform sample that is the same for the same rows: the lowest hashes of the span's own id.
SELECT hash(f.trace_id, f.span_id) AS tie, f.name, f.kind, f.status_code, r.service_name, r.service_version,
    r.service_instance_id, r.environment, f.peer, {{f.attributes}}, {{r.attributes}}
FROM {facts}.spans f
JOIN {dictionaries}.resources r ON r.resource_ix = f.resource_ix
{where}
ORDER BY tie
LIMIT {limit}
