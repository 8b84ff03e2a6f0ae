-- Rows of two kinds: sums, and the duration histogram (as `bucket:count,…`, without a basis).
WITH chosen AS MATERIALIZED (
    SELECT environment, service_namespace, cluster, caller, callee_environment, callee_service_namespace,
        callee_cluster, callee, kind, is_async, inferred, false AS is_minus, epoch_ns(bucket_start) AS bucket_start,
        basis, calls, errors, weight, error_weight, duration_sum_ns, duration_histogram
    FROM {schema}.edges
    WHERE bucket_start IS NOT NULL{range}
)
SELECT * EXCLUDE (calls, errors, weight, error_weight, duration_sum_ns, duration_histogram),
    sum(calls)::UBIGINT AS calls, sum(errors)::UBIGINT AS errors, sum(weight) AS weight,
    sum(error_weight) AS error_weight, 0::UBIGINT AS messages, sum(duration_sum_ns)::DOUBLE AS duration_ns,
    NULL::VARCHAR AS durations
FROM chosen GROUP BY ALL
UNION ALL
SELECT * EXCLUDE (duration, n), NULL, 0::UBIGINT, 0::UBIGINT, 0::DOUBLE, 0::DOUBLE, 0::UBIGINT, 0::DOUBLE,
    string_agg(duration || ':' || n, ',')
FROM (
    SELECT * EXCLUDE (entry), entry.key AS duration, sum(entry.value)::UBIGINT AS n
    FROM (
        SELECT * EXCLUDE (basis, calls, errors, weight, error_weight, duration_sum_ns, duration_histogram),
            unnest(map_entries(duration_histogram)) AS entry
        FROM chosen
    )
    GROUP BY ALL
)
GROUP BY ALL
