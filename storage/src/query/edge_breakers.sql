-- Breakers as they were at a time: the state of each instance then, `stale` in a silence. Those that nothing was known of
-- yet are not there. $1 is the time, in nanoseconds; what hosts an ejection had out is told by what was counted since $2.
WITH moment AS (SELECT make_timestamp_ns($1) AS asked),
states AS (
    SELECT breaker_id, coalesce(service_instance_id, '') AS instance, state
    FROM breaker_intervals CROSS JOIN moment
    WHERE start_time <= asked AND (end_time IS NULL OR end_time > asked)
),
counted AS (
    SELECT breaker_id, coalesce(service_instance_id, '') AS instance, arg_max({'ejected': hosts_ejected,
        'share': coalesce(hosts_ejected / nullif(hosts_total, 0), 0), 'total': hosts_total}, "time") AS hosts
    FROM breaker_samples
    WHERE pattern = 'ejection' AND hosts_ejected IS NOT NULL
        AND "time" > make_timestamp_ns($2) AND "time" <= make_timestamp_ns($1)
    GROUP BY ALL
),
instances AS (
    SELECT i.* REPLACE (s.state AS state), CASE WHEN s.state <> 'stale' THEN c.hosts END AS hosts
    FROM breaker_instances i
    JOIN states s ON s.breaker_id = i.breaker_id AND s.instance = coalesce(i.service_instance_id, '')
    LEFT JOIN counted c ON c.breaker_id = s.breaker_id AND c.instance = s.instance
)
SELECT breaker_id, any_value(environment), any_value(service_namespace), any_value(cluster), any_value(service_name),
    any_value(name), any_value("key"), mode(peer_service), mode(peer_address), mode(peer_evidence),
    arg_min(state, CASE state WHEN 'open' THEN 1 WHEN 'forced_open' THEN 2 WHEN 'half_open' THEN 3 WHEN 'saturated' THEN 4
        WHEN 'throttling' THEN 5 WHEN 'closed' THEN 6 WHEN 'metrics_only' THEN 7 WHEN 'disabled' THEN 8
        WHEN 'unknown' THEN 9 ELSE 10 END),
    count(*) FILTER (state <> 'stale')::UINTEGER, count(*) FILTER (state IN ('open', 'forced_open'))::UINTEGER,
    any_value(pattern), max(hosts).ejected, max(hosts).total
FROM instances WHERE pattern IN ('breaker', 'ejection', 'concurrency_cap', 'throttle') GROUP BY breaker_id ORDER BY breaker_id
