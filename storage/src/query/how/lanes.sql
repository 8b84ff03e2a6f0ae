WITH drawn AS (
    SELECT breaker_id, service_name, name, "key", state, is_trip, epoch_ns(start_time) AS began,
        least(coalesce(epoch_ns(end_time), {to}), {to}) AS ended
    FROM breaker_intervals
    {where}
), ending AS (
    SELECT *, ended = max(ended) OVER (PARTITION BY breaker_id) AND began < ended AS is_last FROM drawn
)
SELECT service_name, name, "key", count(*) FILTER (is_trip AND began >= {from}) AS trips,
    count(*) FILTER (is_last AND state IN ('open', 'forced_open')) AS open_at_the_end,
    count(*) FILTER (is_last AND state <> 'stale') AS instances_at_the_end
FROM ending
GROUP BY breaker_id, service_name, name, "key"
ORDER BY trips DESC, service_name, name, "key"
