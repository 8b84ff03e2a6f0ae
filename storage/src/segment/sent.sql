-- Spans by who sent them, rank (that of rollup/sum_red.sql) and outcome, a bucket of 10 s a row, with their durations in
-- eighths of a power of two, as the roll-ups have them. A duration that is a power of two is the last of its eighth and
-- the first of its row in a heatmap. What was sent again counts once.
SELECT resource_ix, rank, failed, is_round, bucket_start, 'all', sum(calls)::UBIGINT, 0::UBIGINT, sum(weight), 0::DOUBLE,
    0::UBIGINT, NULL::DOUBLE, string_agg(duration || ':' || calls, ',')
FROM (
    SELECT resource_ix,
        CASE WHEN kind IN ('server', 'consumer') THEN CASE WHEN coalesce(sidecar, false) THEN 2 ELSE 1 END
             WHEN kind IN ('client', 'producer') THEN CASE WHEN coalesce(sidecar, false) THEN 4 ELSE 3 END
             ELSE 5 END::UTINYINT AS rank,
        coalesce(status_code = 'error', false) AS failed,
        coalesce(duration_ns > 1 AND duration_ns & (duration_ns - 1) = 0, false) AS is_round,
        epoch_ns(start_time) - epoch_ns(start_time) % 10000000000 AS bucket_start,
        CASE WHEN duration_ns > 1 THEN ceil(log2(duration_ns) * 8) ELSE 0 END::USMALLINT AS duration,
        count(*) AS calls, sum(coalesce(weight, 1)) AS weight
    FROM ({spans})
    WHERE start_time IS NOT NULL AND NOT coalesce(resent, false)
    GROUP BY ALL
)
GROUP BY ALL
