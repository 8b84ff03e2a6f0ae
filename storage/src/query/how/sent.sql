WITH spans_of AS (
    SELECT {key}, coalesce(status_code = 'error', false) AS failed, start_time,
        -- A weight is how many calls a span stands for.
        coalesce(weight, 1) AS weight,
        CASE WHEN duration_ns > 1 THEN ceil(log2(duration_ns) * 8) ELSE 0 END::USMALLINT AS bucket,
        -- How well a span stands for a call: a service's own entry spans, then those of its proxy, and so on.
        CASE WHEN kind IN ('server', 'consumer') THEN CASE WHEN coalesce(sidecar, false) THEN 2 ELSE 1 END
             WHEN kind IN ('client', 'producer') THEN CASE WHEN coalesce(sidecar, false) THEN 4 ELSE 3 END ELSE 5 END AS rank
    FROM spans
    {where}
), best AS (
    SELECT *, rank = min(rank) OVER () AS is_call FROM spans_of
), counted AS (
    SELECT {key}, count(*) FILTER (is_call) AS calls, count(*) FILTER (is_call AND failed) AS errors,
        coalesce(sum(weight) FILTER (is_call), 0) AS weight,
        coalesce(sum(weight) FILTER (is_call AND failed), 0) AS error_weight,
        histogram(bucket) FILTER (is_call) AS duration_histogram,
        min(start_time) AS first_seen, max(start_time) AS last_seen
    FROM best
    -- A proxy is no instance, unless nothing else is known.
    WHERE is_call OR rank NOT IN (2, 4)
    GROUP BY ALL
)
