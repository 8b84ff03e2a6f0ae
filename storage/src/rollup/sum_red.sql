-- Rows of two kinds: sums (no bucket of durations), and buckets of the duration histogram. The rank says how well a
-- span stands for a call to its service: its own entry spans, else its proxy's, else its outgoing spans, else its
-- proxy's outgoing ones, else any.
WITH chosen AS MATERIALIZED (
    SELECT environment, service_namespace, cluster, service_name,
        CASE WHEN kind IN ('server', 'consumer') THEN CASE WHEN sidecar THEN 2 ELSE 1 END
             WHEN kind IN ('client', 'producer') THEN CASE WHEN sidecar THEN 4 ELSE 3 END ELSE 5 END::UTINYINT AS rank,
        epoch_ns(bucket_start) AS bucket_start, basis, calls, errors, weight, duration_histogram
    FROM {schema}.red
    WHERE bucket_start IS NOT NULL
)
SELECT environment, service_namespace, cluster, service_name, rank, bucket_start, basis,
    sum(calls)::UBIGINT AS calls, sum(errors)::UBIGINT AS errors, sum(weight) AS weight,
    NULL::USMALLINT AS duration, 0::UBIGINT AS n
FROM chosen GROUP BY ALL
UNION ALL
SELECT environment, service_namespace, cluster, service_name, rank, bucket_start, NULL,
    0::UBIGINT, 0::UBIGINT, 0::DOUBLE, entry.key, sum(entry.value)::UBIGINT
FROM (SELECT * EXCLUDE (duration_histogram), unnest(map_entries(duration_histogram)) AS entry FROM chosen)
GROUP BY ALL
