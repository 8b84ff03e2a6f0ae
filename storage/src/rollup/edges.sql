SELECT
    make_timestamp_ns(epoch_ns(start_time) - epoch_ns(start_time) % 10000000000) AS bucket_start,
    environment, service_namespace, cluster, caller,
    callee_environment, callee_service_namespace, callee_cluster, callee, kind,
    kind = 'messaging' AS is_async, inferred,
    CASE WHEN weight IS NULL THEN 'unknown' WHEN weight > 1 THEN 'sampled' ELSE 'all' END AS basis,
    count(*)::UBIGINT AS calls,
    count(*) FILTER (error)::UBIGINT AS errors,
    sum(coalesce(weight, 1)) AS weight,
    coalesce(sum(coalesce(weight, 1)) FILTER (error), 0) AS error_weight,
    sum(duration_ns)::HUGEINT AS duration_sum_ns,
    min(duration_ns) AS duration_min_ns,
    max(duration_ns) AS duration_max_ns,
    histogram(CASE WHEN duration_ns <= 1 THEN 0 ELSE ceil(log2(duration_ns) * 8) END::USMALLINT)
        FILTER (duration_ns IS NOT NULL) AS duration_histogram{more}
FROM {rows}
GROUP BY ALL
