-- Hosts of each ejection (an owner and a name): the row without a key has what proxies count of them, and each row with one
-- is a host that logs tell of.
SELECT environment, service_namespace, cluster, service_name, name,
    any_value(hosts_ejected) FILTER ("key" IS NULL), any_value(hosts_healthy) FILTER ("key" IS NULL),
    any_value(hosts_total) FILTER ("key" IS NULL),
    string_agg("key", chr(31) ORDER BY "key") FILTER (state IN ('open', 'forced_open'))
FROM {breakers} WHERE pattern = 'ejection'
GROUP BY environment, service_namespace, cluster, service_name, name
