-- Breakers as they were at a time: by the last transition of each instance until then, else by the first after it,
-- else as they are. The first parameter is the time, in nanoseconds.
WITH moment AS (SELECT make_timestamp_ns(?) AS asked),
changes AS (
    SELECT breaker_id, coalesce(service_instance_id, '') AS instance,
        arg_max(to_state, time_unix_nano) FILTER ("time" <= asked) AS before, arg_min(from_state, time_unix_nano) FILTER ("time" > asked) AS after
    FROM breaker_transitions, moment GROUP BY ALL
),
instances AS (
    SELECT i.* REPLACE (CASE WHEN i.last_seen <= asked THEN i.state ELSE coalesce(c.before, c.after, i.last_state) END AS state)
    FROM breaker_instances i CROSS JOIN moment
    LEFT JOIN changes c ON c.breaker_id = i.breaker_id AND c.instance = coalesce(i.service_instance_id, '')
    WHERE i.first_seen <= asked
)
SELECT breaker_id, any_value(environment), any_value(service_namespace), any_value(cluster), any_value(service_name),
    any_value(name), any_value("key"), mode(peer_service), mode(peer_address), mode(peer_evidence),
    arg_min(state, CASE state WHEN 'open' THEN 1 WHEN 'forced_open' THEN 2 WHEN 'half_open' THEN 3 WHEN 'saturated' THEN 4
        WHEN 'throttling' THEN 5 WHEN 'closed' THEN 6 WHEN 'metrics_only' THEN 7 WHEN 'disabled' THEN 8
        WHEN 'unknown' THEN 9 ELSE 10 END),
    count(*) FILTER (state <> 'stale')::UINTEGER, count(*) FILTER (state IN ('open', 'forced_open'))::UINTEGER
FROM instances WHERE pattern IN ('breaker', 'ejection', 'concurrency_cap', 'throttle') GROUP BY breaker_id ORDER BY breaker_id
