SELECT
    f.trace_id, f.span_id, f.parent_span_id,
    r.environment, r.service_namespace, r.cluster, r.service_name, r.service_instance_id, c.name AS scope_name,
    f.name, f.kind, f.start_time, f.status_code, f.status_message, f.peer, f.weight,
    {attributes} AS attributes, {events} AS events{columns}
FROM {facts}.spans f
JOIN {dictionaries}.resources r ON r.resource_ix = f.resource_ix
JOIN {dictionaries}.scopes c ON c.scope_ix = f.scope_ix
-- DuckDB 2.0.0 filters by a hash only after the columns are made, unless it stands here. What was sent again counts once,
-- as in the roll-ups.
WHERE {only} AND NOT coalesce(f.resent, false)
