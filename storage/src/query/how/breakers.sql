-- Whenever their states began.
SELECT environment, service_namespace, cluster, service_name, name, "key", peer_service, state, instances_open, instances,
    since, evidence, hosts_ejected, hosts_total
FROM {breakers}
{where}
ORDER BY CASE state WHEN 'open' THEN 1 WHEN 'forced_open' THEN 1 WHEN 'half_open' THEN 2 WHEN 'saturated' THEN 3
    WHEN 'throttling' THEN 3 ELSE 4 END, since DESC NULLS LAST, service_name, name, "key"
LIMIT {limit}
