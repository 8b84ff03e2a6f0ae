-- As services.sql, by step of time: sums (bucket NULL) and buckets of the duration histogram.
WITH chosen AS MATERIALIZED (
    SELECT ((epoch_ns(bucket_start) - {from}) // {width})::BIGINT AS step,
        CASE WHEN kind IN ('server', 'consumer') THEN CASE WHEN sidecar THEN 2 ELSE 1 END
             WHEN kind IN ('client', 'producer') THEN CASE WHEN sidecar THEN 4 ELSE 3 END ELSE 5 END::UTINYINT AS rank,
        calls, errors, weight, duration_histogram
    FROM ({red}) {where}
)
SELECT rank, step, NULL::USMALLINT AS bucket, sum(calls)::UBIGINT, sum(errors)::UBIGINT, sum(weight)
FROM chosen GROUP BY ALL
UNION ALL
SELECT rank, step, entry.key, sum(entry.value)::UBIGINT, 0, 0
FROM (SELECT rank, step, unnest(map_entries(duration_histogram)) AS entry FROM chosen)
GROUP BY ALL
