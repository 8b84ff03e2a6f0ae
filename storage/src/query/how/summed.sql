, parts AS (
    SELECT {key}, calls, errors, weight, error_weight, NULL AS bucket, 0 AS timed FROM counted
    UNION ALL
    SELECT {key}, 0, 0, 0, 0, entry.key, entry.value
    FROM (SELECT {key}, unnest(map_entries(duration_histogram)) AS entry FROM counted)
), ranked AS (
    SELECT *, sum(timed) OVER (PARTITION BY {key} ORDER BY bucket NULLS FIRST) AS below,
        sum(timed) OVER (PARTITION BY {key}) AS all_timed
    FROM parts
)
-- A weight is how many calls a span stands for, those included that a sampler did not keep.
SELECT {key}, sum(calls)::UBIGINT AS calls, sum(errors)::UBIGINT AS errors,
    sum(error_weight) / sum(weight) AS error_ratio, sum(weight) / {seconds} AS rate_per_second,
    -- Durations are of the spans that were recorded, each counted once, whatever it stands for.
    -- Bucket b counts durations up to 2^(b/8) ns; the middle of the bucket is shown.
    2 ** ((min(bucket) FILTER (below >= greatest(ceil(0.50 * all_timed), 1)) - 0.5) / 8) / 1e6 AS p50_ms,
    2 ** ((min(bucket) FILTER (below >= greatest(ceil(0.95 * all_timed), 1)) - 0.5) / 8) / 1e6 AS p95_ms,
    2 ** ((min(bucket) FILTER (below >= greatest(ceil(0.99 * all_timed), 1)) - 0.5) / 8) / 1e6 AS p99_ms,
    sum(weight) AS weight, sum(error_weight) AS error_weight
FROM ranked
GROUP BY ALL
ORDER BY {order}
