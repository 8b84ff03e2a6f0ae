-- By what the breakers of each service were known in the range: events and logs that tell a change, metrics, states on
-- spans, or nothing but the errors of refused calls (whose confidence is 80).
SELECT environment, service_namespace, cluster, coalesce(service_name, 'unknown_service'), string_agg(DISTINCT kind, ',' ORDER BY kind)
FROM (
    SELECT environment, service_namespace, cluster, service_name,
        CASE WHEN evidence = 'metric' THEN 'metrics' WHEN confidence = 80 THEN 'errors' WHEN evidence = 'log' THEN 'logs' ELSE 'spans' END AS kind
    FROM breaker_samples WHERE "time" >= make_timestamp_ns($1) AND "time" < make_timestamp_ns($2)
    UNION ALL
    SELECT environment, service_namespace, cluster, service_name, CASE evidence WHEN 'event' THEN 'events' ELSE 'logs' END
    FROM breaker_transitions
    WHERE raw_state IS NOT NULL AND "time" >= make_timestamp_ns($1) AND "time" < make_timestamp_ns($2)
)
GROUP BY ALL
