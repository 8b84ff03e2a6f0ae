-- What a span is by itself is called `own_…`: an attribute may have any name.
SELECT
    f.trace_id AS own_trace_id, f.span_id AS own_span_id, f.parent_span_id AS own_parent_span_id,
    r.environment AS own_environment, r.service_namespace AS own_service_namespace, r.cluster AS own_cluster,
    r.service_name AS own_service_name, r.service_instance_id AS own_service_instance_id, c.name AS own_scope_name,
    f.name AS own_name, f.kind AS own_kind, f.start_time AS own_start_time, f.status_code AS own_status_code,
    f.status_message AS own_status_message, f.peer AS own_peer, f.weight AS own_weight,
    {attributes} AS own_attributes, {events} AS own_events{columns}
FROM {facts}.spans f
JOIN {dictionaries}.resources r ON r.resource_ix = f.resource_ix
JOIN {dictionaries}.scopes c ON c.scope_ix = f.scope_ix
-- DuckDB 2.0.0 filters by a hash only after the columns are made, unless it stands here. What was sent again counts once,
-- as in the roll-ups.
WHERE {rows} AND {only} AND NOT coalesce(f.resent, false)
