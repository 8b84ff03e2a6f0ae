-- Rows of two kinds: sums, and the duration histogram (as `bucket:count,…`, without a basis). The rank says how well a
-- span stands for a call to its service: its own entry spans, else its proxy's, else its outgoing spans, else its
-- proxy's outgoing ones, else any.
WITH chosen AS MATERIALIZED (
    SELECT environment, service_namespace, cluster, service_name,
        CASE WHEN kind IN ('server', 'consumer') THEN CASE WHEN sidecar THEN 2 ELSE 1 END
             WHEN kind IN ('client', 'producer') THEN CASE WHEN sidecar THEN 4 ELSE 3 END ELSE 5 END::UTINYINT AS rank{name},
        {bucket} AS bucket_start, basis, calls, errors, weight, error_weight,
        CASE WHEN kind = 'consumer' THEN calls ELSE 0 END AS messages, duration_sum_ns, duration_histogram
    FROM {schema}.red
    WHERE bucket_start IS NOT NULL{range}
)
SELECT environment, service_namespace, cluster, service_name, rank{name}, bucket_start, basis,
    sum(calls)::UBIGINT AS calls, sum(errors)::UBIGINT AS errors, sum(weight) AS weight,
    sum(error_weight) AS error_weight, sum(messages)::UBIGINT AS messages,
    sum(duration_sum_ns)::DOUBLE AS duration_ns, NULL::VARCHAR AS durations
FROM chosen GROUP BY ALL
UNION ALL
SELECT environment, service_namespace, cluster, service_name, rank{name}, bucket_start, NULL,
    0::UBIGINT, 0::UBIGINT, 0::DOUBLE, 0::DOUBLE, 0::UBIGINT, 0::DOUBLE, string_agg(duration || ':' || n, ',')
FROM (
    SELECT environment, service_namespace, cluster, service_name, rank{name}, bucket_start,
        entry.key AS duration, sum(entry.value)::UBIGINT AS n
    FROM (
        SELECT environment, service_namespace, cluster, service_name, rank{name}, bucket_start,
            unnest(map_entries(duration_histogram)) AS entry
        FROM chosen
    )
    GROUP BY ALL
)
GROUP BY ALL
