-- Rows of `breakers` as they were at {at}: each instance in its state of then, `stale` in a silence. Those that nothing was known
-- of yet are not there. What hosts an ejection had out is told by what was counted since {hosts_since}; whom a breaker guards
-- is what is known by now.
WITH held AS (
    SELECT breaker_id, coalesce(service_instance_id, '') AS instance, state, start_time, start_time_unix_nano, evidence, confidence,
        start_time_lo = start_time AND from_state IS NOT NULL AND state <> 'stale' AS is_exact,
        CASE state WHEN 'open' THEN 1 WHEN 'forced_open' THEN 2 WHEN 'half_open' THEN 3 WHEN 'saturated' THEN 4
            WHEN 'throttling' THEN 5 WHEN 'closed' THEN 6 WHEN 'metrics_only' THEN 7 WHEN 'disabled' THEN 8
            WHEN 'unknown' THEN 9 ELSE 10 END AS severity
    FROM breaker_intervals
    WHERE start_time <= make_timestamp_ns({at}) AND (end_time IS NULL OR end_time > make_timestamp_ns({at}))
),
counted AS (
    SELECT breaker_id, coalesce(service_instance_id, '') AS instance, arg_max({'ejected': hosts_ejected,
        'share': coalesce(hosts_ejected / nullif(hosts_total, 0), 0), 'healthy': hosts_healthy, 'total': hosts_total}, "time") AS hosts
    FROM breaker_samples
    WHERE pattern = 'ejection' AND hosts_ejected IS NOT NULL
        AND "time" > make_timestamp_ns({hosts_since}) AND "time" <= make_timestamp_ns({at})
    GROUP BY ALL
),
instances AS (
    SELECT i.* REPLACE (h.state AS state, h.start_time AS since, h.start_time_unix_nano AS since_unix_nano, h.is_exact AS since_exact,
            h.evidence AS evidence, h.confidence AS confidence, least(i.last_seen, make_timestamp_ns({at})) AS last_seen),
        severity, min(severity) OVER (PARTITION BY i.breaker_id) AS worst, CASE WHEN h.state <> 'stale' THEN c.hosts END AS hosts
    FROM breaker_instances i
    JOIN held h ON h.breaker_id = i.breaker_id AND h.instance = coalesce(i.service_instance_id, '')
    LEFT JOIN counted c ON c.breaker_id = h.breaker_id AND c.instance = h.instance
)
SELECT breaker_id, any_value(service_name) AS service_name, any_value(service_namespace) AS service_namespace,
    any_value(environment) AS environment, any_value(cluster) AS cluster, any_value(name) AS name,
    any_value("key") AS "key", any_value(pattern) AS pattern, arg_max(origin, last_seen) AS origin,
    arg_max(service_version, last_seen) AS service_version, mode(peer_service) AS peer_service,
    mode(peer_address) AS peer_address, mode(peer_evidence) AS peer_evidence,
    any_value(state) FILTER (severity = worst) AS state, count(*) FILTER (state <> 'stale')::UINTEGER AS instances,
    count(*) FILTER (state IN ('open', 'forced_open'))::UINTEGER AS instances_open, min(since) FILTER (severity = worst) AS since,
    coalesce(arg_min(since_exact, since) FILTER (severity = worst), false) AS since_exact,
    arg_max(evidence, confidence) FILTER (severity = worst) AS evidence, max(confidence) FILTER (severity = worst) AS confidence,
    max(last_seen) AS last_seen, max(hosts).ejected AS hosts_ejected, max(hosts).healthy AS hosts_healthy,
    max(hosts).total AS hosts_total
FROM instances GROUP BY breaker_id
