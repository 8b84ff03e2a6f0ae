SELECT "time", service_instance_id, hosts_ejected, hosts_healthy, hosts_total
FROM breaker_samples
WHERE breaker_id = {id} AND hosts_ejected IS NOT NULL AND "time" >= {from} AND "time" < {to}
ORDER BY "time" DESC
