-- Calls through the breaker named $2 (key $3) of service $1 that were let in while it was half open, between $4 and $5,
-- oldest first.
SELECT service_instance_id, epoch_ns(start_time), coalesce("circuit_breaker.outcome", 'unknown'), trace_id, span_id, duration_ns::BIGINT
FROM ({calls})
WHERE service_name = $1 AND "circuit_breaker.name" = $2 AND coalesce("circuit_breaker.key", '') = $3
    AND "circuit_breaker.state" = 'half_open'
    AND start_time >= make_timestamp_ns($4) AND start_time < make_timestamp_ns($5)
ORDER BY start_time LIMIT 1000
