-- Settings of breaker $1 as its instances reported them before $2, newest first, each with what the same instance
-- reported before.
SELECT service_instance_id, epoch_ns(valid_from), config_hash, config::VARCHAR, before.config
FROM (
    SELECT *, lag({'hash': config_hash, 'config': config::VARCHAR}) OVER (
        PARTITION BY coalesce(service_instance_id, '') ORDER BY valid_from) AS before
    FROM breaker_config
    WHERE breaker_id = $1 AND valid_from IS NOT NULL AND valid_from < make_timestamp_ns($2)
)
WHERE before.hash IS DISTINCT FROM config_hash
ORDER BY valid_from DESC, service_instance_id LIMIT 50
