-- How often the metrics of each instance come: the usual time between two exports, and the first and the last of them,
-- in nanoseconds. The sealer knows the usual time, the hot part shows it once there is enough of it; a minute where
-- nobody knows. Instruments of one collection are stamped one after the other: less than half a second is no interval.
-- A day at most: a clock that is centuries off must not make an interval whose triple overflows.
SELECT *, least(greatest(coalesce(usual_ns, 60000000000), 1000000000), 86400000000000) AS interval_ns
FROM (
    SELECT breaker_id, instance, min(since) AS first_metric, max(ns) AS last_metric,
        coalesce(CASE WHEN count(hot_gap) >= 5 THEN median(hot_gap) END,
            arg_max(interval_ns, ns) FILTER (interval_ns IS NOT NULL), median(gap) FILTER (gap >= 500000000))::BIGINT AS usual_ns
    FROM (
        SELECT *, CASE WHEN interval_ns IS NULL AND gap >= 500000000 THEN gap END AS hot_gap
        FROM (
            SELECT breaker_id, coalesce(service_instance_id, '') AS instance, epoch_ns("time") AS ns,
                coalesce(heard_since, epoch_ns("time")) AS since, interval_ns,
                epoch_ns("time") - lag(epoch_ns("time")) OVER (
                    PARTITION BY breaker_id, coalesce(service_instance_id, '') ORDER BY "time") AS gap
            FROM {marks} WHERE "time" IS NOT NULL AND evidence = 'metric'
        )
    )
    GROUP BY breaker_id, instance
)
