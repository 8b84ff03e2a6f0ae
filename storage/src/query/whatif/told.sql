-- Settings that instances of breaker $1 reported, of each the thousand nearest to $2 before it and after it, oldest first.
SELECT coalesce(service_instance_id, '') AS instance, epoch_ns(valid_from) AS at_ns, coalesce(config_hash, '') AS config_hash,
    config::VARCHAR AS config, source
FROM breaker_config
WHERE breaker_id = $1 AND valid_from IS NOT NULL
QUALIFY row_number() OVER (PARTITION BY coalesce(service_instance_id, ''), valid_from < make_timestamp_ns($2)
    ORDER BY abs(epoch_ns(valid_from) - $2::BIGINT)) <= 1000
ORDER BY at_ns, instance
