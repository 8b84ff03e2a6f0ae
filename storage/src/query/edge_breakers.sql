-- Breakers as they were at a time: the state of each instance then, `stale` in a silence. Those that nothing was known of
-- yet are not there. The first parameter is the time, in nanoseconds.
WITH moment AS (SELECT make_timestamp_ns(?) AS asked),
states AS (
    SELECT breaker_id, coalesce(service_instance_id, '') AS instance, state
    FROM breaker_intervals CROSS JOIN moment
    WHERE start_time <= asked AND (end_time IS NULL OR end_time > asked)
),
instances AS (
    SELECT i.* REPLACE (s.state AS state)
    FROM breaker_instances i
    JOIN states s ON s.breaker_id = i.breaker_id AND s.instance = coalesce(i.service_instance_id, '')
)
SELECT breaker_id, any_value(environment), any_value(service_namespace), any_value(cluster), any_value(service_name),
    any_value(name), any_value("key"), mode(peer_service), mode(peer_address), mode(peer_evidence),
    arg_min(state, CASE state WHEN 'open' THEN 1 WHEN 'forced_open' THEN 2 WHEN 'half_open' THEN 3 WHEN 'saturated' THEN 4
        WHEN 'throttling' THEN 5 WHEN 'closed' THEN 6 WHEN 'metrics_only' THEN 7 WHEN 'disabled' THEN 8
        WHEN 'unknown' THEN 9 ELSE 10 END),
    count(*) FILTER (state <> 'stale')::UINTEGER, count(*) FILTER (state IN ('open', 'forced_open'))::UINTEGER
FROM instances WHERE pattern IN ('breaker', 'ejection', 'concurrency_cap', 'throttle') GROUP BY breaker_id ORDER BY breaker_id
