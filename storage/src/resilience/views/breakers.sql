-- Instances folded: the worst state of those that are not stale, and how many refuse.
WITH ranked AS (
    SELECT *, CASE state WHEN 'open' THEN 1 WHEN 'forced_open' THEN 2 WHEN 'half_open' THEN 3 WHEN 'saturated' THEN 4
        WHEN 'throttling' THEN 5 WHEN 'closed' THEN 6 WHEN 'metrics_only' THEN 7 WHEN 'disabled' THEN 8
        WHEN 'unknown' THEN 9 ELSE 10 END AS severity
    FROM {schema}.breaker_instances
),
compared AS (
    SELECT *, min(severity) OVER (PARTITION BY breaker_id) AS worst,
        -- Of proxies that count differently the one with most hosts out.
        CASE WHEN hosts_ejected IS NOT NULL THEN {'ejected': hosts_ejected,
            'share': coalesce(hosts_ejected / nullif(hosts_total, 0), 0), 'healthy': hosts_healthy, 'total': hosts_total} END AS hosts
    FROM ranked
)
SELECT
    breaker_id, any_value(service_name) AS service_name, any_value(service_namespace) AS service_namespace,
    any_value(environment) AS environment, any_value(cluster) AS cluster, any_value(name) AS name,
    any_value("key") AS "key", any_value(pattern) AS pattern, arg_max(origin, last_seen) AS origin,
    arg_max(service_version, last_seen) AS service_version, mode(peer_service) AS peer_service,
    mode(peer_address) AS peer_address, mode(peer_evidence) AS peer_evidence,
    any_value(state) FILTER (severity = worst) AS state,
    count(*) FILTER (state <> 'stale')::UINTEGER AS instances,
    count(*) FILTER (state IN ('open', 'forced_open'))::UINTEGER AS instances_open,
    min(since) FILTER (severity = worst) AS since,
    min(since_unix_nano) FILTER (severity = worst) AS since_unix_nano,
    coalesce(arg_min(since_exact, since) FILTER (severity = worst), false) AS since_exact,
    arg_max(evidence, confidence) FILTER (severity = worst) AS evidence,
    max(confidence) FILTER (severity = worst) AS confidence,
    min(first_seen) AS first_seen, epoch_ns(min(first_seen))::UBIGINT AS first_seen_unix_nano,
    max(last_seen) AS last_seen, epoch_ns(max(last_seen))::UBIGINT AS last_seen_unix_nano,
    max(hosts).ejected AS hosts_ejected, max(hosts).healthy AS hosts_healthy, max(hosts).total AS hosts_total
FROM compared
GROUP BY breaker_id
