SELECT environment, service_namespace, cluster, coalesce(service_name, 'unknown_service'),
    epoch_ns(max(span)), epoch_ns(max(log)), epoch_ns(max(traced_log)), epoch_ns(max(metric)),
    bool_or(service_version IS NOT NULL), bool_or(service_instance_id IS NOT NULL),
    coalesce(sum(spans), 0)::UBIGINT, coalesce(sum(logs), 0)::UBIGINT, coalesce(sum(points), 0)::UBIGINT
FROM (
    SELECT resource_ix, max(start_time) AS span, NULL::TIMESTAMP_NS AS log, NULL::TIMESTAMP_NS AS traced_log,
        NULL::TIMESTAMP_NS AS metric, count(*) AS spans, 0 AS logs, 0 AS points
    FROM {facts}.spans WHERE start_time >= {from} AND start_time < {to} GROUP BY resource_ix
    UNION ALL
    SELECT resource_ix, NULL, max("time"), max("time") FILTER (trace_id IS NOT NULL), NULL, 0, count(*), 0
    FROM {facts}.logs WHERE "time" >= {from} AND "time" < {to} GROUP BY resource_ix
    UNION ALL
    SELECT s.resource_ix, NULL, NULL, NULL, max(p."time"), 0, 0, sum(p.points)
    FROM (
        SELECT series_ix, max("time") AS "time", count(*) AS points FROM {facts}.number_points
        WHERE "time" >= {from} AND "time" < {to} GROUP BY series_ix
        UNION ALL
        SELECT series_ix, max("time"), count(*) FROM {facts}.histogram_points
        WHERE "time" >= {from} AND "time" < {to} GROUP BY series_ix
    ) p JOIN {dictionaries}.series s USING (series_ix)
    GROUP BY s.resource_ix
) JOIN {dictionaries}.resources USING (resource_ix)
WHERE schema_url IS DISTINCT FROM 'tripline:reported'
GROUP BY 1, 2, 3, 4
