-- As sum_edges.sql, straight from calls, both kinds in one row. A bucket is 10 s.
{with}
SELECT * EXCLUDE (duration, calls, errors, weight, error_weight, duration_ns),
    sum(calls)::UBIGINT, sum(errors)::UBIGINT, sum(weight), sum(error_weight), 0::UBIGINT, sum(duration_ns), string_agg(duration || ':' || calls, ',')
FROM (
    SELECT environment, service_namespace, cluster, caller,
        callee_environment, callee_service_namespace, callee_cluster, callee, kind,
        kind = 'messaging' AS is_async, inferred, is_minus,
        epoch_ns(start_time) - epoch_ns(start_time) % 10000000000 AS bucket_start,
        CASE WHEN weight IS NULL THEN 'unknown' WHEN weight > 1 THEN 'sampled' ELSE 'all' END AS basis,
        CASE WHEN duration_ns <= 1 THEN 0 ELSE ceil(log2(duration_ns) * 8) END::USMALLINT AS duration,
        count(*) AS calls, count(*) FILTER (error) AS errors, sum(coalesce(weight, 1)) AS weight,
        coalesce(sum(coalesce(weight, 1)) FILTER (error), 0) AS error_weight,
        sum(duration_ns::DOUBLE) AS duration_ns
    FROM {rows}
    WHERE start_time IS NOT NULL{range}
    GROUP BY ALL
)
GROUP BY ALL
