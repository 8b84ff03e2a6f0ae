-- Services by step of time: sums (bucket NULL), and buckets of the duration histogram by half of the range.
-- The rank is that of services.sql.
WITH chosen AS MATERIALIZED (
    SELECT environment, service_namespace, cluster, service_name,
        ((epoch_ns(bucket_start) - {from}) // {width})::BIGINT AS step,
        CASE WHEN kind IN ('server', 'consumer') THEN CASE WHEN sidecar THEN 2 ELSE 1 END
             WHEN kind IN ('client', 'producer') THEN CASE WHEN sidecar THEN 4 ELSE 3 END ELSE 5 END::UTINYINT AS rank,
        calls, errors, weight, duration_histogram
    FROM ({red}) {where}
)
SELECT environment, service_namespace, cluster, service_name, rank, step, NULL::USMALLINT AS bucket,
    sum(calls)::UBIGINT, sum(errors)::UBIGINT, sum(weight)
FROM chosen GROUP BY ALL
UNION ALL
SELECT environment, service_namespace, cluster, service_name, rank, half, entry.key, sum(entry.value)::UBIGINT, 0, 0
FROM (
    SELECT environment, service_namespace, cluster, service_name, rank, step // {half} AS half,
        unnest(map_entries(duration_histogram)) AS entry
    FROM chosen
)
GROUP BY ALL
