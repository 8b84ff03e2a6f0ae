-- Calls a breaker wrote on spans of its own service.
SELECT coalesce(service_instance_id, '') AS instance, epoch_ns(start_time) AS start, coalesce(duration_ns, 0)::BIGINT AS length,
    coalesce(attributes."circuit_breaker.outcome"::VARCHAR, '') AS outcome, span_id
FROM ({spans})
WHERE start_time >= make_timestamp_ns($1) AND start_time < make_timestamp_ns($2) AND service_name = $3
    AND attributes."circuit_breaker.name"::VARCHAR = $4 AND coalesce(attributes."circuit_breaker.key"::VARCHAR, '') = $5
    AND coalesce(environment, '') = $6 AND coalesce(service_namespace, '') = $7 AND coalesce(cluster, '') = $8
{order}
