-- The latest window of each instance of breaker $1 before $2, and what it last reported as its limits.
WITH samples AS (
    SELECT service_instance_id, "time", failure_rate, slow_rate, window_calls
    FROM breaker_samples
    WHERE breaker_id = $1 AND "time" < make_timestamp_ns($2)
        AND coalesce(failure_rate, slow_rate, window_calls) IS NOT NULL
    UNION ALL
    SELECT service_instance_id, "time", failure_rate, slow_rate, window_calls
    FROM breaker_transitions
    WHERE breaker_id = $1 AND "time" < make_timestamp_ns($2)
        AND coalesce(failure_rate, slow_rate, window_calls) IS NOT NULL
),
latest AS (
    SELECT coalesce(service_instance_id, '') AS instance, any_value(service_instance_id) AS service_instance_id,
        max("time") AS "time",
        -- Shares and counts may come in points of their own.
        arg_max(failure_rate, "time") FILTER (failure_rate IS NOT NULL) AS failure_rate,
        arg_max(slow_rate, "time") FILTER (slow_rate IS NOT NULL) AS slow_rate,
        arg_max(window_calls, "time") FILTER (window_calls IS NOT NULL) AS window_calls
    FROM samples GROUP BY 1
),
trips AS (
    SELECT coalesce(service_instance_id, '') AS instance, any_value(service_instance_id) AS service_instance_id,
        arg_max({'to': to_state, 'ns': epoch_ns("time"), 'open_for_ms': open_for_ms, 'threshold': threshold, 'reason': reason}, time_unix_nano) AS last
    FROM breaker_transitions WHERE breaker_id = $1 AND "time" < make_timestamp_ns($2) GROUP BY 1
),
settings AS (
    SELECT coalesce(service_instance_id, '') AS instance, any_value(service_instance_id) AS service_instance_id,
        arg_max(config::VARCHAR, valid_from) AS config
    FROM breaker_config WHERE breaker_id = $1 AND valid_from < make_timestamp_ns($2) GROUP BY 1
)
SELECT coalesce(l.service_instance_id, t.service_instance_id, s.service_instance_id),
    coalesce(epoch_ns(l."time"), t.last.ns, 0)::BIGINT, l.failure_rate, l.slow_rate, l.window_calls,
    CASE WHEN t.last."to" = 'open' THEN t.last.ns + t.last.open_for_ms::BIGINT * 1000000 END, s.config,
    -- A trip names the threshold that it crossed.
    CASE WHEN t.last.reason = 'failure_rate' THEN t.last.threshold END,
    CASE WHEN t.last.reason = 'slow_rate' THEN t.last.threshold END
FROM latest l
FULL JOIN trips t USING (instance)
FULL JOIN settings s USING (instance)
ORDER BY instance LIMIT 200
