-- Spans as the roll-ups see them. Identities are 64-bit hashes: joins on them cost a third of joins on hex text.
SELECT
    f.trace_id, f.span_id, f.parent_span_id, f.kind, f.start_time, f.duration_ns,
    f.status_code = 'error' AS error, r.environment, r.service_namespace, r.cluster,
    coalesce(r.service_name, 'unknown_service') AS service_name, f.peer, f.peer_kind,
    coalesce(f.sidecar, false) AS sidecar, f.weight,
    CASE WHEN f.kind = 'consumer' THEN TRY(from_json({links}, '[{"trace_id":"VARCHAR","span_id":"VARCHAR"}]')) END AS links,
    NULL::BOOLEAN AS is_dangling, false AS is_covered, f.name,
    hash(r.environment, r.service_namespace, r.cluster, coalesce(r.service_name, 'unknown_service')) AS service,
    hash(f.trace_id, f.span_id) AS id,
    CASE WHEN f.parent_span_id IS NOT NULL THEN hash(f.trace_id, f.parent_span_id) END AS parent_id,
    hash(f.trace_id, f.span_id, f.start_time, service) AS identity
FROM {facts}.spans f
JOIN {dictionaries}.resources r ON r.resource_ix = f.resource_ix
WHERE NOT coalesce(f.resent, false){rows}
