-- As sum_edges.sql, straight from calls: one row for each bucket of durations. A bucket is 10 s.
{with}
SELECT environment, service_namespace, cluster, caller,
    callee_environment, callee_service_namespace, callee_cluster, callee, kind,
    kind = 'messaging' AS is_async, inferred, is_minus,
    epoch_ns(start_time) - epoch_ns(start_time) % 10000000000 AS bucket_start,
    CASE WHEN weight IS NULL THEN 'unknown' WHEN weight > 1 THEN 'sampled' ELSE 'all' END AS basis,
    count(*)::UBIGINT AS calls, count(*) FILTER (error)::UBIGINT AS errors, sum(coalesce(weight, 1)) AS weight,
    CASE WHEN duration_ns <= 1 THEN 0 ELSE ceil(log2(duration_ns) * 8) END::USMALLINT AS duration,
    count(*)::UBIGINT AS n
FROM {rows}
WHERE start_time IS NOT NULL
GROUP BY ALL
