WITH windows AS (
    SELECT service_instance_id, "time", failure_rate, slow_rate, window_calls
    FROM breaker_samples
    WHERE breaker_id = {id} AND "time" < {to} AND coalesce(failure_rate, slow_rate, window_calls) IS NOT NULL
    UNION ALL
    SELECT service_instance_id, "time", failure_rate, slow_rate, window_calls
    FROM breaker_transitions
    WHERE breaker_id = {id} AND "time" < {to} AND coalesce(failure_rate, slow_rate, window_calls) IS NOT NULL
)
SELECT service_instance_id, arg_max(failure_rate, "time") AS failure_rate, arg_max(slow_rate, "time") AS slow_rate,
    arg_max(window_calls, "time") AS window_calls, max("time") AS as_of
FROM windows
GROUP BY service_instance_id
ORDER BY service_instance_id
