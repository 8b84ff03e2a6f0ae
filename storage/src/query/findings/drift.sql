-- Breakers whose instances run under different settings.
WITH latest AS (
    SELECT DISTINCT ON (breaker_id, service_instance_id) breaker_id, service_name, name || coalesce('/' || "key", '') AS name, config_hash, service_instance_id
    FROM breaker_config
    WHERE valid_from < make_timestamp_ns($2) AND {in_scope}
        AND ($3 = '' OR service_name IN {asked} OR breaker_id IN (SELECT breaker_id FROM breakers WHERE peer_service IN {asked}))
    ORDER BY breaker_id, service_instance_id, valid_from DESC
)
SELECT any_value(service_name), any_value(name), breaker_id, count(DISTINCT config_hash)::DOUBLE, count(*)::UBIGINT, 0::UBIGINT
FROM latest
-- An instance that is gone drifts no more.
WHERE $1 = $1 AND EXISTS (SELECT 1 FROM breaker_instances i WHERE i.breaker_id = latest.breaker_id
    AND i.service_instance_id IS NOT DISTINCT FROM latest.service_instance_id AND i.last_seen >= make_timestamp_ns($1))
GROUP BY breaker_id HAVING count(DISTINCT config_hash) > 1 ORDER BY 4 DESC
