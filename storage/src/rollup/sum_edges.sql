-- Rows of two kinds: sums (no bucket of durations), and buckets of the duration histogram.
WITH chosen AS MATERIALIZED (
    SELECT environment, service_namespace, cluster, caller, callee_environment, callee_service_namespace,
        callee_cluster, callee, kind, is_async, inferred, false AS is_minus, epoch_ns(bucket_start) AS bucket_start,
        basis, calls, errors, weight, duration_histogram
    FROM {schema}.edges
    WHERE bucket_start IS NOT NULL
)
SELECT * EXCLUDE (calls, errors, weight, duration_histogram),
    sum(calls)::UBIGINT AS calls, sum(errors)::UBIGINT AS errors, sum(weight) AS weight,
    NULL::USMALLINT AS duration, 0::UBIGINT AS n
FROM chosen GROUP BY ALL
UNION ALL
SELECT * EXCLUDE (basis, calls, errors, weight, entry), NULL,
    0::UBIGINT, 0::UBIGINT, 0::DOUBLE, entry.key, sum(entry.value)::UBIGINT
FROM (SELECT * EXCLUDE (duration_histogram), unnest(map_entries(duration_histogram)) AS entry FROM chosen)
GROUP BY ALL
