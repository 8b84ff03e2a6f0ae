-- As sum_red.sql, straight from spans, both kinds in one row.
SELECT environment, service_namespace, cluster, service_name, rank{name}, bucket_start, basis,
    sum(calls)::UBIGINT, sum(errors)::UBIGINT, sum(weight), sum(error_weight), sum(messages)::UBIGINT,
    sum(duration_ns), string_agg(duration || ':' || calls, ',')
FROM (
    SELECT environment, service_namespace, cluster, service_name,
        CASE WHEN kind IN ('server', 'consumer') THEN CASE WHEN sidecar THEN 2 ELSE 1 END
             WHEN kind IN ('client', 'producer') THEN CASE WHEN sidecar THEN 4 ELSE 3 END ELSE 5 END::UTINYINT AS rank{name},
        {bucket} AS bucket_start,
        CASE WHEN weight IS NULL THEN 'unknown' WHEN weight > 1 THEN 'sampled' ELSE 'all' END AS basis,
        CASE WHEN duration_ns <= 1 THEN 0 ELSE ceil(log2(duration_ns) * 8) END::USMALLINT AS duration,
        count(*) AS calls, count(*) FILTER (error) AS errors, sum(coalesce(weight, 1)) AS weight,
        coalesce(sum(coalesce(weight, 1)) FILTER (error), 0) AS error_weight,
        count(*) FILTER (kind = 'consumer') AS messages, sum(duration_ns::DOUBLE) AS duration_ns
    FROM ({spans})
    WHERE start_time IS NOT NULL{range}
    GROUP BY ALL
)
GROUP BY ALL
