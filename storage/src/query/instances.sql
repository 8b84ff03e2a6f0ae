-- Spans of one service by resource, rank (that of rollup/sum_red.sql) and bucket of duration (eighths of a power
-- of two, as the roll-ups have them). What was sent again counts once.
SELECT r.environment, r.service_namespace, r.cluster, r.service_instance_id, r.service_version,
    {{r.attributes}} AS attributes, s.rank, s.bucket, s.calls, s.errors, s.last_ns,
    s.weight, s.error_weight
FROM (
    SELECT f.resource_ix,
        CASE WHEN f.kind IN ('server', 'consumer') THEN CASE WHEN coalesce(f.sidecar, false) THEN 2 ELSE 1 END
             WHEN f.kind IN ('client', 'producer') THEN CASE WHEN coalesce(f.sidecar, false) THEN 4 ELSE 3 END
             ELSE 5 END::UTINYINT AS rank,
        CASE WHEN f.duration_ns <= 1 THEN 0 ELSE ceil(log2(f.duration_ns) * 8) END::USMALLINT AS bucket,
        count(*)::UBIGINT AS calls, count(*) FILTER (f.status_code = 'error')::UBIGINT AS errors,
        epoch_ns(max(f.start_time)) AS last_ns, sum(coalesce(f.weight, 1)) AS weight,
        coalesce(sum(coalesce(f.weight, 1)) FILTER (f.status_code = 'error'), 0) AS error_weight
    FROM {facts}.spans f
    JOIN {dictionaries}.resources r ON r.resource_ix = f.resource_ix
    {where} AND NOT coalesce(f.resent, false)
    GROUP BY ALL
) s
JOIN {dictionaries}.resources r ON r.resource_ix = s.resource_ix
